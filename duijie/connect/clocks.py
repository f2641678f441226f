"""What the clocks of other systems say: the `Date` of their answers, for whoever listens.

RFC 9110, 6.6.1: a server with a clock dates its answers, to the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime

_heard: ContextVar[list[float] | None] = ContextVar("heard", default=None)


@contextmanager
def listening() -> Iterator[list[float]]:
    """A list of the moments (Unix seconds) that answers inside are dated at, in the order they came."""
    heard: list[float] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def hear(date: str | None) -> None:
    """An answer has come, dated like this."""
    heard = _heard.get()
    if heard is None or not date:
        return
    try:
        heard.append(parsedate_to_datetime(date).timestamp())
    except ValueError:
        return
