"""What a connector is given besides its connection: tokens, a rate budget, a line, an observer, a clock.

Alone, a process counts for itself and keeps tokens under DUIJIE_HOME; `duijie.sharing` gives the workers of one
journal services that they share.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from duijie.connect.budget import Bucket, Limits, RateBudget
from duijie.connect.home import home
from duijie.connect.line import Board, Line
from duijie.connect.protocol import Incident, Observer
from duijie.connect.retry import Retrier
from duijie.connect.tokens import Tokens, TokenStore


def file_tokens() -> TokenStore:
    """Tokens under DUIJIE_HOME."""
    return TokenStore(home() / "tokens")


def ignore(_: Incident) -> None:
    """Observe nothing."""


@dataclass(frozen=True)
class Services:
    """The outside world as a connector may see it. Without a `board` every call may be made."""

    tokens: Tokens
    observe: Observer = ignore
    bucket: Bucket = field(default_factory=Limits)
    clock: Callable[[], float] = time.time
    board: Board | None = None
    _lines: dict[str, Line] = field(default_factory=dict, init=False, repr=False)

    def budget(self, conn_id: str, rate: str) -> RateBudget:
        """The rate budget of a connection."""
        return RateBudget(conn_id, rate, self.bucket)

    def retrier(self, conn_id: str, refresh: Callable[[], None] = lambda: None, part: str = "") -> Retrier:
        """How a connection repeats its calls; `refresh` fetches a new token.

        `part`: a shop of the connection that has a key of its own; what befalls it does not touch the others.
        """
        return Retrier(conn_id, refresh, self.observe, self.line(f"{conn_id}:{part}" if part else conn_id))

    def line(self, conn_id: str) -> Line | None:
        """The connection's line, one for all threads of this process."""
        if self.board is None:
            return None
        return self._lines.setdefault(conn_id, Line(conn_id, self.board))
