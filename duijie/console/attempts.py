"""Wrong passwords, counted so that guessing is slow and nobody can shut another person out.

Five within a minute for one name from one address make that pair wait, twenty from one address make the address wait.
A name alone never waits: whoever knows it could lock its owner out from anywhere. How often a name failed from all
addresses together is known, so that an alert can be raised.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

PER_PAIR = 5
PER_ADDRESS = 20
NOTED = 20
WINDOW_SECONDS = 60.0
MOST = 10_000
LONGEST_NAME = 80
Key = tuple[str, ...]


class Attempts:
    """Attempts of the last minute, the newest 10,000 keys at most; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._moments: OrderedDict[Key, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._moments)

    def may_try(self, name: str, address: str) -> bool:
        """Whether this name may be tried from this address now; if so, the try counts until it `succeeded`."""
        pair, place, person = _keys(name, address)
        with self._lock:
            if self._count(pair) >= PER_PAIR or self._count(place) >= PER_ADDRESS:
                return False
            for key in (pair, place, person):
                self._add(key)
            return True

    def succeeded(self, name: str, address: str) -> None:
        """Forget the name's failures from here and this one try of the address."""
        pair, place, person = _keys(name, address)
        with self._lock:
            self._moments.pop(pair, None)
            for key in (place, person):
                if moments := self._moments.get(key):
                    moments.pop()

    def is_noteworthy(self, name: str) -> bool:
        """Whether a name failed so often in the last minute, from wherever, that people should know."""
        with self._lock:
            return self._count(_keys(name, "")[2]) >= NOTED

    def _count(self, key: Key) -> int:
        moments = self._moments.get(key, deque())
        while moments and moments[0] <= self._clock() - WINDOW_SECONDS:
            moments.popleft()
        return len(moments)

    def _add(self, key: Key) -> None:
        self._moments.setdefault(key, deque(maxlen=2 * NOTED)).append(self._clock())
        self._moments.move_to_end(key)
        while len(self._moments) > self._most:
            self._moments.popitem(last=False)


def _keys(name: str, address: str) -> tuple[Key, Key, Key]:
    known, place = name[:LONGEST_NAME], _network(address)
    return ("pair", known, place), ("address", place), ("name", known)


def _network(address: str) -> str:
    """An IPv6 address counts with its /64, of which one machine may use every one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4 or found.ipv4_mapped:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
