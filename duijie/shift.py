"""How long a worker stays with one route: until nothing is due, its line is down, or its time or its day is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event

from duijie.connect.errors import LineDown
from duijie.connect.line import Line


@dataclass(frozen=True)
class Turn:
    """`seconds`: after which other routes have theirs; `stopping` is set when the process shall end."""

    seconds: float = float("inf")
    stopping: Event = field(default_factory=Event)


WHOLE = Turn()


class Shift:
    """One turn at one route, over its line where workers share one."""

    def __init__(self, line: Line | None = None, turn: Turn = WHOLE) -> None:
        self._line = line
        self._turn = turn
        self._began = time.monotonic()

    def is_over(self) -> bool:
        """Whether no further batch shall be begun. Raises Disabled for a connection that is out of use."""
        return self._turn.stopping.is_set() or time.monotonic() - self._began > self._turn.seconds or self._is_down()

    def linger(self, seconds: float) -> None:
        """Wait for what is due soon, where nothing else could be done meanwhile."""
        if self._turn.seconds == float("inf"):
            time.sleep(seconds)

    def _is_down(self) -> bool:
        try:
            if self._line is not None:
                self._line.check()
        except LineDown:
            return True
        return False
