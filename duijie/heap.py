"""How often Python looks for cycles among what is alive: seldom, because documents have none.

A page of a hundred orders is a few thousand dicts that nothing points back to; by default every seven hundred of them
let the collector look. That took a fifth of the CPU of a bulk pull (`make bench-connectors`).
"""

from __future__ import annotations

import atexit
import gc
from functools import cache

YOUNG = 50_000  # new containers until a look at the young ones


@cache
def settle() -> None:
    """Once a process, when it begins to work: what is loaded stays, and cycles are looked for seldom."""
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)
    gc.set_threshold(YOUNG, 10, 10)
