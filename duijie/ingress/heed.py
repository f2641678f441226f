"""A push that names a key only is believed in nothing else: the key is read from its system, after the last push."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Stream, Window
from duijie.journal import Journal, inbox, pushes
from duijie.journal.inbox import Source

BATCH = 200
BREATH = timedelta(seconds=30)
Counts = Counter[str]


def heed(journal: Journal, connection: str, stream: Stream) -> Counts:
    """Read every hinted key that is due, into the inbox. Raises errors of the tree; the hints then wait on."""
    counts: Counts = Counter()
    while hints := pushes.waiting(journal, connection, stream.name, BATCH):
        try:
            found = _read(journal, connection, stream, [one.key for one in hints], counts)
        except DuijieError:
            pushes.postpone(journal, hints, BREATH)
            raise
        counts["hinted"] += len(hints)
        counts["unfindable"] += pushes.settle(journal, connection, hints, found)
    return +counts


def _read(journal: Journal, connection: str, stream: Stream, keys: Sequence[str], counts: Counts) -> set[str]:
    """In every partition: a push does not say whose the record is. Returns the keys that were found."""
    now = journal.now()
    found: set[str] = set()
    for part in stream.partitions():
        for page in stream.read(Window(now, now, part, tuple(keys))):
            counts["read"] += len(page.records)
            counts["new_messages"] += inbox.store(
                journal, Source(connection, stream.name, part), stream.key, page.records
            )
            found |= {str(record.get(stream.key)) for record in page.records}
    return found
