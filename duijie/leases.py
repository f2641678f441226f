"""Keeps a worker's claims its own for as long as it lives, however long a batch takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from duijie.connect import leave
from duijie.connect.errors import DuijieError
from duijie.journal import Journal, deliveries
from duijie.journal.deliveries import LEASE, Claim


class Keeper:
    """Renews the leases of claims from a thread; calls may leave only while they are good."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._until = 0.0

    @contextmanager
    def keeping(self, claims: Sequence[Claim], since: float) -> Iterator[None]:
        """Hold claims. `since` (Unix seconds): when they were asked for; their lease counts from then."""
        self._until = since + LEASE.total_seconds()
        over = Event()
        thread = Thread(target=self._renew, args=(claims, over), name="leases", daemon=True)
        thread.start()
        try:
            with leave.granted(lambda: self._until):
                yield
        finally:
            over.set()
            thread.join()

    def _renew(self, claims: Sequence[Claim], over: Event) -> None:
        while not over.wait(LEASE.total_seconds() / 4):
            began = time.time()
            try:
                deliveries.renew(self._journal, claims)
            except DuijieError:
                continue
            self._until = began + LEASE.total_seconds()
