"""Holds a connection to the vendor's rate: so many calls in so long, counted over every worker that shares the bucket.

`limits` counts in Redis or in this process; `duijie.sharing.buckets` for workers that share nothing but a journal. A
worker takes what it may send in the next 50 ms at once, so that a fast line does not pay for a look at the bucket with
every call.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Protocol

import limits
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

BLOCK_SECONDS = 0.05
LONGEST_WAIT = 1.0


class Bucket(Protocol):
    """Counts the calls of every worker."""

    def take(self, name: str, item: limits.RateLimitItem, number: int) -> float:
        """Take so many calls out of a window; 0.0, or the seconds to wait when it does not hold them yet."""


class Limits:
    """A bucket of the library `limits`: `redis://…`, or `memory://` for one process."""

    def __init__(self, uri: str = "memory://") -> None:
        self._limiter = MovingWindowRateLimiter(storage_from_string(uri))

    def take(self, name: str, item: limits.RateLimitItem, number: int) -> float:
        """Take so many calls out of a window; 0.0, or the seconds to wait when it does not hold them yet."""
        if self._limiter.hit(item, name, cost=number):
            return 0.0
        return max(self._limiter.get_window_stats(item, name).reset_time - time.time(), 0.02)


class RateBudget:
    """The budget of one connection in one process; `take()` sleeps until a call may leave.

    `rate` is in the notation of `limits`, several parts with ";": "500/minute;20000/day". Raises ValueError for others.
    """

    def __init__(self, conn_id: str, rate: str, bucket: Bucket) -> None:
        self._parts = [_Part(conn_id, limits.parse(part), bucket) for part in rate.split(";")]

    def take(self) -> None:
        """Wait until the budget allows one more call."""
        for part in self._parts:
            while wait := part.take():
                time.sleep(min(wait, LONGEST_WAIT))


class _Part:
    """One window, and the calls that were taken out of it in advance."""

    def __init__(self, name: str, item: limits.RateLimitItem, bucket: Bucket) -> None:
        self._name = name
        self._item = item
        self._bucket = bucket
        self._lock = Lock()
        self._block = max(1, int(item.amount / item.get_expiry() * BLOCK_SECONDS))
        self._left = 0
        self._ends = 0.0

    def take(self) -> float:
        with self._lock:
            if self._left and time.monotonic() < self._ends:
                self._left -= 1
                return 0.0
            if wait := self._bucket.take(self._name, self._item, self._block):
                return wait
            self._left, self._ends = self._block - 1, time.monotonic() + BLOCK_SECONDS
            return 0.0
