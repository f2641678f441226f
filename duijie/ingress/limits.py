"""How much the ingress takes on at once, and what it says when that is too much."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from duijie.connect.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Bounds of one ingress process; each may be set by DUIJIE_INGRESS_<NAME>.

    body: bytes; requests: at work at once; queue: pushes that wait for the journal; backlog: messages and hints of a
    connection that no flow has taken yet; seconds: for a body to arrive, and for the journal to keep a push; rate:
    pushes of one connection, in the notation of `limits`.
    """

    body: int = 1_048_576
    requests: int = 256
    queue: int = 512
    backlog: int = 200_000
    seconds: float = 4.0
    rate: str = "500/second"

    @classmethod
    def from_environment(cls) -> Limits:
        """The bounds of this machine. Raises ConfigError for one that is no number."""
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = f"DUIJIE_INGRESS_{field.name.upper()}"
            if text := os.environ.get(name):
                given[field.name] = _read(name, text, type(field.default))
        return cls(**given)


def _read(name: str, text: str, kind: type) -> Any:
    try:
        if kind is str:
            parse(text)
        return kind(text)
    except ValueError as error:
        raise ConfigError(
            f"环境变量 {name} 无效: {text}", en=f"{name} must be a {kind.__name__}: {text}", where=name
        ) from error


class Rates:
    """Counts the pushes of each connection against the rate; in memory, per process."""

    def __init__(self, rate: str) -> None:
        self._rate = parse(rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def allow(self, connection: str) -> bool:
        """Whether one more push of this connection may be kept now; counts it."""
        return self._limiter.hit(self._rate, connection)
