"""The seam for what a system sends unasked: a connector says how its pushes are checked and what they point at.

A hook knows neither the journal nor the network: it gets one request and answers with what that request says, or
raises. Nothing of a request is kept before its hook has returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from duijie.codec import Record


@dataclass(frozen=True)
class Call:
    """One request as it arrived. Header names are lower case; `topic` is what the path says behind the connection."""

    topic: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    now: datetime

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Pushed:
    """What a push says of one record: the whole of it, or (None) only that this key changed and is to be read."""

    stream: str
    key: str
    record: Record | None = None


@dataclass(frozen=True)
class Push:
    """One checked push. `nonce` is what the sender repeats when it sends the same push again; "" where it has none.

    An empty `items` is a push that concerns nothing we read (a probe, a topic of no stream): answered, not kept.
    """

    items: tuple[Pushed, ...]
    nonce: str = ""


@dataclass(frozen=True)
class Answer:
    """The bytes that the sender waits for."""

    status: int
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"


class Hook(Protocol):
    """How the pushes of one connection are checked."""

    accepted: Answer  # kept, or known already: the sender must not send it again
    refused: Answer  # not what it claims to be
    media_types: frozenset[str]
    remember: timedelta  # how long a nonce is known: as long as its sender may repeat it
    streams: tuple[str, ...]

    def verify(self, call: Call) -> Push:
        """What the request says. Raises Forged, or MalformedMessage for one that is genuine and cannot be read."""


@dataclass(frozen=True)
class Mail:
    """Pushes that a system holds for us until we confirm them; `ids` is what to confirm."""

    pushes: tuple[Push, ...]
    ids: tuple[str, ...]


class Mailbox(Protocol):
    """Where a system keeps its pushes for us to fetch, instead of sending them."""

    remember: timedelta
    streams: tuple[str, ...]

    def collect(self) -> Iterator[Mail]:
        """What waits, in portions, each to be confirmed before the next is asked for. Raises errors of the tree."""

    def confirm(self, mail: Mail) -> None:
        """Tell the system that a portion is kept; it then forgets it. Raises errors of the tree."""


@runtime_checkable
class Mailed(Protocol):
    """A connector whose system keeps a mailbox; None where the connection does not use it."""

    @property
    def mailbox(self) -> Mailbox | None:
        """The mailbox of this connection."""
