"""A process that works looks for cycles seldom, and still finds them."""

from __future__ import annotations

import subprocess
import sys

LOOPS = """
import gc, weakref
from duijie import engine, heap
heap.settle()
class Node: pass
gone = []
for number in range(heap.YOUNG + 1000):
    node = Node()
    node.self = node
    if number == 0:
        weakref.finalize(node, gone.append, number)
del node
print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0], gone)
"""


def test_what_was_loaded_is_left_alone_and_a_dropped_cycle_is_still_found() -> None:
    told = subprocess.run([sys.executable, "-c", LOOPS], capture_output=True, text=True, check=True).stdout
    assert told.split(maxsplit=2) == ["True", "50000", "[0]\n"]
