"""Leave to send: a worker whose lease on a document may have run out sends nothing any more.

Between committing `sent` and the call there may lie a paused machine or a long queue. `deliver` grants leave until a
moment that it moves on while it lives; every call to a target asks for it last of all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from duijie.connect.errors import NotSent

LONGEST_CALL = 40.0  # seconds from asking until a call that left can no longer arrive: connecting, sending, waiting
_until: ContextVar[Callable[[], float] | None] = ContextVar("until", default=None)


@contextmanager
def granted(until: Callable[[], float]) -> Iterator[None]:
    """Calls inside may leave while there is time for one before `until()` (Unix seconds)."""
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


def ask(where: str) -> None:
    """Raises NotSent when the caller's lease is about to run out; without a lease every call may leave."""
    until = _until.get()
    if until is not None and time.time() > until() - LONGEST_CALL:
        raise NotSent(
            f"本进程停顿过久, 单据的租约将到期, 未向 {where} 发出; 由下一个进程查询后继续",
            en=f"the lease is about to run out; nothing was sent to {where}",
            code="LEASE",
            where=where,
        )
