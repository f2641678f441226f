"""Where a process can die: just before and just after every commit, and before, in and after every network call.

`Taps` counts the points as a process reaches them and, armed, kills the process at one of them with SIGKILL. "In" is
when the answer has arrived at this machine and nothing has looked at it: the server has acted and we do not know it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Lock, local
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

import duijie
from duijie.connect import wire

PRODUCT = f"{Path(duijie.__file__).parent}{os.sep}"


class Point(NamedTuple):
    """The `nth` time a process comes to a place: "commit before", "call in", …"""

    where: str
    nth: int


class Taps:
    """Counts, and kills at `fatal`. `reached` names every point with who commits or what is called."""

    def __init__(self, fatal: Point | None = None) -> None:
        self.reached: list[tuple[Point, str]] = []
        self._fatal = fatal
        self._counts: Counter[str] = Counter()
        self._lock = Lock()
        self._calling = local()

    def at(self, where: str, what: str) -> None:
        """One more time here; the last thing a process does that is armed for it."""
        with self._lock:
            self._counts[where] += 1
            point = Point(where, self._counts[where])
            self.reached.append((point, what))
            if point == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Put the taps in: from here on every commit and every call of this process is counted."""
        for dialect in (PGDialect_psycopg, SQLiteDialect_pysqlite):
            self._around(dialect, "do_commit", "commit", lambda *_: _committing())
        self._around(wire.Wire, "exchange", "call", lambda _, method, url, *__: self._called(method, url))
        carried = wire._carried

        def answered(*args: Any) -> None:
            try:
                carried(*args)
            finally:
                self.at("call in", self._calling.what)

        wire._carried = answered

    def _called(self, method: str, url: str) -> str:
        self._calling.what = f"{method} {urlsplit(url).path}"
        return str(self._calling.what)

    def _around(self, owner: type, name: str, place: str, told: Callable[..., str]) -> None:
        inner = getattr(owner, name)

        def outer(*args: Any, **kwargs: Any) -> Any:
            what = told(*args, **kwargs)
            self.at(f"{place} before", what)
            try:
                return inner(*args, **kwargs)
            finally:
                self.at(f"{place} after", what)

        setattr(owner, name, outer)


def _committing() -> str:
    """The function of the product whose transaction it is."""
    frame = sys._getframe(1)
    while frame := frame.f_back:  # type: ignore[assignment]
        code = frame.f_code
        if code.co_filename.startswith(PRODUCT) and not code.co_filename.endswith("journal/journal.py"):
            return f"{code.co_filename.rpartition('/')[2].removesuffix('.py')}.{code.co_name}"
    return "?"
