"""What the ingress does every few seconds beside its work, so that no push waits for it.

Refusals are written down, nonces forgotten, alerts closed, the backlog of each connection counted; on SQLite the
write-ahead log is brought into the file, which otherwise some push would have to wait for.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress

from duijie.connect.errors import DuijieError
from duijie.ingress.durable import in_turn
from duijie.ingress.limits import Limits
from duijie.ingress.refusals import Refusals
from duijie.journal import Journal, pushes

log = logging.getLogger(__name__)
EVERY_SECONDS = 5.0
CHECKPOINT_SECONDS = 1.0
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class House:
    """Begins with the first push or refusal, ends with the process."""

    def __init__(self, journal: Callable[[], Journal], refusals: Refusals, limits: Limits) -> None:
        self._open = journal
        self._refusals = refusals
        self._most = limits.backlog
        self._patience = limits.seconds
        self._pushing: dict[str, Sequence[str]] = {}
        self._full: frozenset[str] = frozenset()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="duijie-ingress-house", daemon=True)
                self._thread.start()

    def is_full(self, connection: str, streams: Sequence[str]) -> bool:
        """Whether the flows are too far behind with this connection, as last counted."""
        self._pushing[connection] = streams
        self.start()
        return connection in self._full

    def _run(self) -> None:
        journal, kept = None, float("-inf")
        while True:
            try:
                journal = journal or self._open()
                self._checkpoint(journal)
                if time.monotonic() - kept > EVERY_SECONDS:
                    self._keep(journal)
                    kept = time.monotonic()
            except DuijieError as error:
                log.error("the ingress cannot use the journal: %s", error)
            time.sleep(CHECKPOINT_SECONDS)

    def _keep(self, journal: Journal) -> None:
        in_turn(lambda: self._refusals.write(journal), self._patience)
        in_turn(lambda: pushes.housekeep(journal), self._patience)
        self._full = frozenset(
            name
            for name, streams in list(self._pushing.items())
            if pushes.backlog(journal, name, streams, self._most) >= self._most
        )

    @staticmethod
    def _checkpoint(journal: Journal) -> None:
        """Blocks neither readers nor writers; what is in use stays for the next time."""
        if not journal.is_postgres:
            with closing(journal.engine.raw_connection()) as raw, suppress(sqlite3.OperationalError):
                raw.cursor().execute(CHECKPOINT)
