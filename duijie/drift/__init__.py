"""What vendors change without a word: fields that are new, gone, or of another type.

The newest messages of each stream are held against the schema of its source (schemas/sources), and against the messages
before them where that tells more: a field that may be absent is missed only by those who used to get it.
"""

from duijie.drift.compare import Change, changes
from duijie.drift.learn import learned
from duijie.drift.seen import Seen, seen
from duijie.drift.telling import told, words
from duijie.drift.traffic import Drifted, Looked, drifted, recorded

__all__ = ["Change", "Drifted", "Looked", "Seen", "changes", "drifted", "learned", "recorded", "seen", "told", "words"]
