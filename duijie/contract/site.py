"""A connector under contract: how to open it, what its sandbox holds, what may be written into it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.hooks import Call
from duijie.connect.protocol import Connector, Incident, Plugin, Sink, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import Lookup, StaticLookup

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
TOO_MANY: Record = {"kind": "status", "status": 429}


class Broken(AssertionError):
    """A promise that is not kept."""


class Inapplicable(Exception):
    """A check that says nothing about this connector, with the reason."""


@dataclass(frozen=True)
class StreamCase:
    """A stream and what its seed holds: `count` records in `window`, none in `empty`.

    Both windows name keys where a stream is read by keys alone. `mapping`: the *.in.yaml whose results must be valid
    documents; `lookup` and `settings` are what it asks for.
    `fill` writes what a seed cannot hold. `whole`: the stream brings all there is, whatever the window.
    """

    window: Window
    count: int
    empty: Window = field(default_factory=lambda: Window(LONG_AGO, LONG_AGO.replace(hour=1)))
    mapping: Path | None = None
    lookup: Lookup = field(default_factory=StaticLookup)
    settings: Mapping[str, Any] = field(default_factory=dict)
    fill: Callable[[Connector], None] | None = None
    whole: bool = False


@dataclass(frozen=True)
class SinkCase:
    """A sink: payloads by number, and where the sandbox keeps what it was given.

    `held` picks the rows that stand for written documents out of the collection. `spoil` makes a payload that the
    target refuses; `say` puts a text into a payload; `cost` makes an amount in yuan its total, which is one of its
    figures; None where the target takes no such thing. `bare`: the document carries no figures at all.
    """

    payload: Callable[[int], Record]
    collection: str
    held: Callable[[Sequence[Record]], Sequence[Record]] = lambda rows: rows
    spoil: Callable[[Record], Record] | None = None
    say: Callable[[Record, str], Record] | None = None
    cost: Callable[[Record, Decimal], Record] | None = None
    bare: bool = False


@dataclass(frozen=True)
class HookCase:
    """Pushes as the vendor sends them.

    `push(now, body)`: a genuine one, or these bytes signed as the vendor would; `forge`: one whose signature is wrong.
    `hint`: the vendor does not sign the body, so that nothing of it but a key may be believed.
    """

    push: Callable[[datetime, bytes | None], Call]
    forge: Callable[[Call], Call]
    hint: bool = False


@dataclass(frozen=True)
class Site:
    """A connector and its sandbox.

    `login`, `password` and `extra` make the connection; `seed` is what the sandbox is given before every check over
    `POST /_admin/reset`. `token_path`: what requests for a token have in their path. `limited`: the fault by which the
    vendor says "too often". `vectors`: (name, computed by the connector, published) signatures. `skewed`: whether the
    vendor compares clocks. `shifts`: whether the sandbox can shift its pages (the fault `shift_pages`).
    """

    plugin: Plugin
    url: str
    login: str
    password: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    seed: Record = field(default_factory=dict)
    streams: Mapping[str, StreamCase] = field(default_factory=dict)
    sinks: Mapping[str, SinkCase] = field(default_factory=dict)
    hook: HookCase | None = None
    token_path: str = ""
    limited: Record = field(default_factory=lambda: TOO_MANY)
    vectors: Sequence[tuple[str, Callable[[], object], object]] = ()
    skewed: bool = False
    shifts: bool = False
    incidents: list[Incident] = field(default_factory=list)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="duijie-contract-")))

    @property
    def name(self) -> str:
        """The connection type."""
        return self.plugin.spec.conn_type

    def fresh(self) -> Site:
        """The same with an empty sandbox that was seeded anew, and no token kept."""
        self._post("reset", self.seed)
        return replace(self, incidents=[], folder=Path(tempfile.mkdtemp(dir=self.folder)))

    def connection(self, **changes: Any) -> Connection:
        """The connection, or one that differs from it."""
        given = {"host": self.url, "login": self.login, "password": self.password, "extra": dict(self.extra), **changes}
        return Connection("contract", self.name, **given)

    def open(self, clock: Callable[[], float] | None = None, **changes: Any) -> Connector:
        """The connector, as another worker would open it: with the tokens of all, over a connection of its own."""
        services = Services(TokenStore(self.folder / "tokens"), self.incidents.append, clock=clock or time.time)
        return self.plugin.open(self.connection(**changes), services)

    def warm(self) -> Connector:
        """The connector with a token, so that an ordered fault meets the call that it is meant for."""
        opened = self.open()
        opened.check()
        return opened

    def order(self, *rules: Record) -> None:
        """Order faults of the sandbox; none takes them back."""
        self._post("faults", list(rules))

    def fired(self) -> int:
        """How often the ordered faults came about."""
        answer = requests.get(f"{self.url}/_admin/faults", timeout=5)
        return sum(int(rule["fired"]) for rule in codec.decode(answer.content))

    def held(self, case: SinkCase) -> Sequence[Record]:
        """What the target holds of what was written."""
        answer = requests.get(f"{self.url}/_admin/data", params={"collection": case.collection}, timeout=5)
        return case.held(codec.decode(answer.content))

    def pairs(self) -> Iterator[tuple[Sink, SinkCase]]:
        """Each sink with its case, each time over a sandbox that is new. Raises Inapplicable where there is none."""
        for name, case in self.sinks.items():
            yield self.fresh().warm().sinks[name], case
        if not self.sinks:
            raise Inapplicable("writes nothing")

    def secrets(self) -> set[str]:
        """Every secret of the connection, as it might show."""
        marked = [each for each in self.plugin.spec.settings if each.secret]
        values = [self.password if each.target == "password" else self.extra.get(each.name) for each in marked]
        return {text for value in values for text in _texts(value) if len(text) >= 6}

    def tokens(self) -> set[str]:
        """Every token that was kept for the connection."""
        kept = (codec.decode(path.read_bytes()) for path in (self.folder / "tokens").glob("*.json"))
        return {str(each["value"]) for each in kept if len(str(each["value"])) >= 6}

    def _post(self, route: str, body: Any) -> None:
        requests.post(f"{self.url}/_admin/{route}", data=codec.encode(body), timeout=10).raise_for_status()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
