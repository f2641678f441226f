"""The seam every connector fills: streams that can be pulled, sinks that can be written, one spec.

A stream reads raw records; a sink finds and writes payloads that an `*.out.yaml` mapping made. Neither knows the
journal: whether something must be sent, and whether it may be sent again, is decided by `duijie.deliver`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Protocol, runtime_checkable

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.hooks import Hook

Figures = Mapping[str, Decimal]


class Safety(Enum):
    """Why a sink can be written without doubling anything."""

    NATURAL_KEY = "natural_key"  # the target refuses a second document with our key
    LOOKUP = "lookup"  # the target accepts doubles: find() before every re-send
    TOKEN = "token"  # noqa: S105  an idempotency token travels with the call
    ABSOLUTE = "absolute"  # a figure that overwrites: repeatable, but only the newest counts


@dataclass(frozen=True)
class Window:
    """What to read: changes with since ≤ modified < until in one partition, or exactly these keys."""

    since: datetime
    until: datetime
    partition: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """Raw records as the vendor sent them (numbers exact).

    `total`: how many records the vendor counts in the list that this page is of (`list_name` tells the lists of one
    window apart); a list that did not hold still is read again. `server_time`: the vendor's clock when it answered;
    a stream that knows it says so on an empty page too.
    """

    records: Sequence[Record]
    total: int | None = None
    list_name: str = ""
    server_time: datetime | None = None


@dataclass(frozen=True)
class Traits:
    """What a pull must know of a stream; a stream that is other than usual has one as its attribute `traits`.

    `longest`: the longest window the vendor answers. `resolution`: of the times it keeps; the edges of windows lie on
    it. `shifts`: pages may shift under our hands and nothing tells, so a window is read until two readings are alike.
    `answers_keys`: `Window.keys` brings exactly what is there under these keys; what it does not bring is gone.
    """

    longest: timedelta | None = None
    resolution: timedelta = timedelta(seconds=1)
    shifts: bool = False
    answers_keys: bool = True


USUAL = Traits()


def traits_of(stream: Stream) -> Traits:
    """Its `traits`, else the usual."""
    found: Traits = getattr(stream, "traits", USUAL)
    return found


class Stream(Protocol):
    """Can be pulled. `key` is the field of the raw record that identifies it."""

    name: str
    entity: str
    key: str

    def partitions(self) -> Iterable[str]:
        """Shops or warehouses read apart; [""] where there are none."""

    def read(self, window: Window) -> Iterator[Page]:
        """Pages of the window, complete and restartable; raises errors of the tree."""


@dataclass(frozen=True)
class Found:
    """What the target holds under one of our keys. `marks`: as a `Marking` sink compares them.

    `is_open`: the target is at work on it, and may end otherwise than it stands now.
    """

    native_id: str
    native_no: str
    figures: Figures
    raw: Record = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False


@dataclass(frozen=True)
class Done:
    """Written. `raw` is the target's answer, kept as the receipt."""

    native_id: str
    native_no: str
    raw: Record = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """The target said no to this document: a person must act."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True)
class Unknown:
    """The call left and its outcome is not known: find() decides, once it has had so many seconds to settle."""

    zh: str
    en: str
    settles_after: float = 0.0


@dataclass(frozen=True)
class Later:
    """Certainly not carried out; may be tried again after so many seconds."""

    zh: str
    en: str
    after: float = 1.0


@dataclass(frozen=True)
class Halt:
    """Certainly not carried out, nor will others be until somebody acts. `qr`: what a person must scan."""

    reason: Literal["credit", "login"]
    zh: str
    en: str
    qr: str = ""


Outcome = Done | Refused | Unknown | Later | Halt


class Sink(Protocol):
    """Can be written. Payloads are what the out-mapping made; `batch` is how many one write() takes."""

    name: str
    entity: str
    safety: Safety
    batch: int

    def key_of(self, payload: Record) -> str:
        """The key under which the target will know this payload."""

    def figures_of(self, payload: Record) -> Figures:
        """The key figures (amounts, quantities) that find() must bring back equal."""

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the target holds under these keys; absent keys are absent from the answer."""

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One outcome per payload, in order. Never raises for a single payload's sake."""


@runtime_checkable
class Marking(Protocol):
    """A sink that compares more than figures before it takes what is there for ours: names, numbers, lines."""

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """The texts that `Found.marks` must bring back equal, as far as it brings them at all."""


@runtime_checkable
class Updating(Protocol):
    """A sink that can also change what the target holds. Where a sink cannot, a person must."""

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Make each document at the target what its payload says; repeating it changes nothing further."""


@runtime_checkable
class Reversing(Protocol):
    """A sink that can take back what the target holds: void it, close it, or write its red counterpart."""

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Undo each document; repeating it changes nothing further. Payloads are what was sent (empty: not known)."""


@runtime_checkable
class Resubmitting(Protocol):
    """A sink whose platform keeps a failed request and is told to try the same one again, under the same number.

    Where a sink is none, what has definitely failed is requested anew, under a new number.
    """

    def resubmit(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Have each failed request tried again as it is; for one that has not failed it changes nothing."""


@dataclass(frozen=True)
class Setting:
    """One field of the connection form. `target` is where Airflow keeps it: host, login, password or extra."""

    name: str
    label: str
    target: str = "extra"
    secret: bool = False
    required: bool = True
    default: Any = None
    help: str = ""


@dataclass(frozen=True)
class Move:
    """A stream, or a sink by its `safety`: what it carries, in a word or two for people."""

    name: str
    entity: str
    title: str
    safety: Safety | None = None


@dataclass(frozen=True)
class Spec:
    """Everything one place must know of a connector: form, secrets, docs, rate budget, version, what it moves.

    `moves` is empty where the settings of a connection name its streams and sinks.
    """

    conn_type: str
    title: str
    summary: str
    settings: tuple[Setting, ...]
    rate: str  # in the notation of `limits`: "500/minute"
    api_version: str
    source: str  # where the vendor documents it
    api_version_ends: date | None = None  # the vendor's last day of this version, where it has named one
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True)
class Incident:
    """Something went wrong on a call and was dealt with (a retry, a refreshed token, a wait)."""

    conn_id: str
    kind: str
    detail: str


Observer = Callable[[Incident], None]


class Connector(Protocol):
    """A connection brought to life."""

    @property
    def streams(self) -> Mapping[str, Stream]:
        """By name."""

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """By name."""

    def check(self) -> list[tuple[str, str]]:
        """What `duijie connection test` shows: (what, how it is). Raises errors of the tree."""


@dataclass(frozen=True)
class Plugin:
    """What the entry point `duijie.connectors` names: a spec and how to open a connection of its type.

    `hook` makes what checks the pushes of a connection; it raises ConfigError where that cannot be done. None: the
    system pushes nothing that could be checked.
    """

    spec: Spec
    open: Callable[[Connection, Any], Connector]
    hook: Callable[[Connection], Hook] | None = None
