"""The journal as the ingress opens it: what is committed is on disk, even if the machine loses its power."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import event

from duijie.connect.errors import JournalBusy
from duijie.journal import Journal

T = TypeVar("T")
LOOK_AGAIN_MS = 2
SOON, LATER = 1.0, 0.1


def open_durable(url: str | None = None) -> Journal:
    """A journal of its own. SQLite flushes each commit (others in WAL mode may lose the last ones with the power)."""
    journal = Journal.open(url)
    if not journal.is_postgres:
        journal.engine.dispose()
        event.listen(journal.engine, "connect", _as_the_ingress)
    return journal


def _as_the_ingress(connection: Any, _: Any) -> None:
    """No commit of ours stops to bring the log into the file: the house does that beside."""
    for pragma in ("synchronous=FULL", f"busy_timeout={LOOK_AGAIN_MS}", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")


def in_turn(write: Callable[[], T], seconds: float) -> T:
    """Write as soon as the journal is free. Raises JournalBusy when it is not for so long.

    SQLite keeps no queue of writers: who waits its turn with SQLite's own growing pauses (up to 100 ms) misses the
    gaps between the transactions of a busy writer, so that we look again every two milliseconds for a second.
    """
    began = time.monotonic()
    while True:
        try:
            return write()
        except JournalBusy:
            waited = time.monotonic() - began
            if waited > seconds:
                raise
            time.sleep(LOOK_AGAIN_MS / 1000 if waited < SOON else LATER)
