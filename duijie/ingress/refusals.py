"""Refused pushes are counted in memory and written down together: a flood of forgeries must not become a flood of rows.

A connection whose pushes fail again and again within ten minutes raises one alert.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

from duijie.journal import Journal, pushes

WITHIN = pushes.QUIET.total_seconds()


class Refusals:
    """What was refused since it was last written down, by connection that exists."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._recent: dict[str, deque[float]] = {}

    def note(self, connection: str, reason: str) -> None:
        """One more; `reason` is ours, never a word of the request."""
        with self._lock:
            self._counts[connection] += 1
            self._reasons[connection] = reason
            recent = self._recent.setdefault(connection, deque(maxlen=pushes.ALERT_AFTER))
            recent.append(time.monotonic())

    def write(self, journal: Journal) -> None:
        """Write down what there is. Raises JournalBusy; the counts are then kept for the next time."""
        with self._lock:
            counts, reasons = dict(self._counts), dict(self._reasons)
            alarming = [connection for connection in counts if self._is_alarming(connection)]
        if not counts:
            return
        pushes.refused(journal, counts, reasons, alarming)
        with self._lock:
            self._counts -= Counter(counts)

    def _is_alarming(self, connection: str) -> bool:
        recent = self._recent[connection]
        return len(recent) == pushes.ALERT_AFTER and time.monotonic() - recent[0] < WITHIN
