"""pull: what a vendor sent goes into the inbox as sent, once; then a mapping makes documents of it.

The two halves are apart on purpose. Storing depends on the vendor only, so nothing is lost to a wrong mapping;
mapping is a pure function of what is stored, so a corrected mapping can be replayed. A record that cannot be mapped
is kept, becomes a work item with its reason, and stops nothing else.
"""

from duijie.pull.reading import ask_again, read, read_keys
from duijie.pull.refinery import Counts, Made, Refinery
from duijie.pull.running import refine
from duijie.pull.running import run as pull
from duijie.pull.windows import windows

__all__ = ["Counts", "Made", "Refinery", "ask_again", "pull", "read", "read_keys", "refine", "windows"]
