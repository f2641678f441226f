"""Connectors that lie: streams that are not what they say, sinks that answer what they were not asked.

The flow neither crashes nor trusts them: what they spoil is told in words that name the connector, what they do not
tell is unknown and asked for, and what is good beside it goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from sqlalchemy import select

from duijie import parcels
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Refused, Safety, Unknown, Window
from duijie.engine import Engine
from duijie.flow import Flow
from duijie.journal import Journal, codes, views
from duijie.journal.codes import Code
from duijie.journal.tables import delivery, message
from tests.replay_world import IN, OUT, trade

FLOW = """
flow: orders
title: 单据
steps:
  - {verb: pull, name: pull, connection: shop, stream: trade, mapping: shop/sales_order.in,
     since: 2026-11-01T00:00:00+08:00, window_minutes: 1051200}
  - {verb: deliver, name: send, connection: target, sink: order, entity: sales_order, mapping: target/order.out}
"""
Pages = Callable[[Window], Iterator[Any]]


class Liar:
    """One stream and one sink, as the test wants them."""

    def __init__(self, pages: Pages | None = None, sink: Any = None) -> None:
        self.name, self.entity, self.key = "trade", "sales_order", "id"
        self.pages = pages or (lambda _: iter([Page([trade(1), trade(2)])]))
        self.parts: Any = [""]
        self.streams = {"trade": self}
        self.sinks = {"order": sink or Book()}

    def partitions(self) -> Iterable[str]:
        return self.parts

    def read(self, window: Window) -> Iterator[Any]:
        return self.pages(window)


class Book:
    """An honest sink that holds what it was given."""

    name, entity, batch, safety = "order", "sales_order", 10, Safety.LOOKUP

    def __init__(self) -> None:
        self.held: list[Record] = []

    def key_of(self, payload: Record) -> str:
        return str(payload["no"])

    def figures_of(self, payload: Record) -> Figures:
        return {"amount": Decimal(payload["amount"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        return {one["no"]: Found(one["no"], one["no"], self.figures_of(one)) for one in self.held if one["no"] in keys}

    def write(self, payloads: Sequence[Record]) -> Any:
        self.held += payloads
        return [Done(f"id-{one['no']}", one["no"]) for one in payloads]


class World:
    def __init__(self, journal: Journal, root: Path) -> None:
        self.journal, self.root = journal, root
        self.flow: Flow = msgspec.convert(yaml.safe_load(FLOW), Flow)

    def run(self, liar: Liar, times: int = 1) -> list[DuijieError]:
        """Every step, so many times; what they said in words. Anything else they raise fails the test."""
        engine = Engine(self.journal, root=self.root)
        engine._open |= {"shop": liar, "target": liar}  # type: ignore[dict-item]
        said: list[DuijieError] = []
        for step in self.flow.steps * times:
            try:
                engine.run(self.flow, step)
            except DuijieError as error:
                said.append(error)
        return said

    def states(self) -> dict[str, str]:
        with self.journal.reading() as tx:
            rows = tx.execute(select(delivery.c.key, delivery.c.state).order_by(delivery.c.id)).all()
        return {row.key: row.state for row in rows}

    def messages(self) -> list[str]:
        with self.journal.reading() as tx:
            return list(tx.execute(select(message.c.state).order_by(message.c.id)).scalars())

    def items(self) -> list[tuple[str, str]]:
        return [(one.kind, one.reason) for one in views.items(self.journal)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(parcels, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
    for name, text in (("shop/sales_order.in", IN), ("target/order.out", OUT)):
        path = tmp_path / "mappings" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip(), encoding="utf-8")
    on_disk = f"sqlite:///{tmp_path / 'journal.db'}"
    journal = Journal.open(request.getfixturevalue("postgres_database") if request.param == "postgresql" else on_disk)
    codes.put(journal, [Code("customer", "target", "张三", "C1")], "test")
    return World(journal, tmp_path)


STRANGE: dict[str, Any] = {
    "None": None,
    "a number": 7,
    "a text": "x",
    "a list": [1],
    "bytes": b"\xff",
    "an object": object(),
    "a set": {1, 2},
    "a float": 0.1,
    "not a number": float("nan"),
    "a surrogate": {"id": "\ud800", "status": "\udfff"},
    "a NUL": {"id": "a\x00b", "buyer": "\x00"},
    "keys that are no text": {1: 2, None: 3},
    "a class": dict,
    "an id that is a list": {"id": [1, 2]},
    "an id of a million": {"id": "9" * 1_000_000},
    "Decimal infinity": {"id": 1, "payment": Decimal("Infinity")},
    "no fields": {},
}


@pytest.mark.parametrize("record", STRANGE.values(), ids=STRANGE)
def test_a_record_that_is_none_waits_and_the_others_go_through(world: World, record: Any) -> None:
    said = world.run(Liar(lambda _: iter([Page([trade(1), record, trade(2)])])))
    assert said == []
    assert world.states() == {"shop:1": "done", "shop:2": "done"}
    assert len(world.items()) == 1
    assert world.messages().count("mapped") == 2


def raising(error: BaseException, after: Sequence[Record] = ()) -> Pages:
    def pages(_: Window) -> Iterator[Page]:
        yield Page(after)
        raise error

    return pages


BROKEN: dict[str, Pages] = {
    "raises what is not of the tree": raising(KeyError("items"), [trade(1), trade(2)]),
    "raises a recursion error": raising(RecursionError("deep"), [trade(1), trade(2)]),
    "raises StopIteration": raising(StopIteration(), [trade(1), trade(2)]),
    "yields no page": lambda _: iter([Page([trade(1), trade(2)]), None]),
    "yields records instead of pages": lambda _: iter([Page([trade(1), trade(2)]), [trade(3)]]),
    "yields a page of nothing": lambda _: iter([Page([trade(1), trade(2)]), Page(None)]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("pages", BROKEN.values(), ids=BROKEN)
def test_a_stream_that_breaks_is_told_by_name_and_what_it_gave_before_goes_through(world: World, pages: Pages) -> None:
    said = world.run(Liar(pages), times=2)
    assert said
    assert all("shop/trade" in error.zh for error in said)
    assert world.states() == {"shop:1": "done", "shop:2": "done"}
    assert [kind for kind, _ in world.items()] == ["config"]


@pytest.mark.parametrize("parts", [None, 7, [None], [7], [["a"]]])
def test_partitions_that_are_none_are_told_by_name(world: World, parts: Any) -> None:
    liar = Liar()
    liar.parts = parts
    assert all("shop" in error.zh for error in world.run(liar))


def test_pages_that_are_repeated_for_ever_come_to_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def pages(_: Window) -> Iterator[Page]:
        while True:
            yield Page([trade(1), trade(2)])

    said = world.run(Liar(pages))
    assert ["shop/trade" in error.zh for error in said] == [True]
    assert world.states() == {"shop:1": "done", "shop:2": "done"}


class Few(Book):
    def write(self, payloads: Sequence[Record]) -> Any:
        return list(super().write(payloads))[:-1]


class Nothing(Book):
    def write(self, payloads: Sequence[Record]) -> Any:
        super().write(payloads)
        return None


class Turned(Book):
    """The outcomes are right and in the wrong order."""

    def write(self, payloads: Sequence[Record]) -> Any:
        return list(reversed(super().write(payloads)))


class Strange(Book):
    def write(self, payloads: Sequence[Record]) -> Any:
        super().write(payloads)
        return ["ok" for _ in payloads]


class RaisesAfter(Book):
    def write(self, payloads: Sequence[Record]) -> Any:
        super().write(payloads)
        raise KeyError("data")


class Halfway(Book):
    """A generator that breaks after the first."""

    def write(self, payloads: Sequence[Record]) -> Any:
        yield from super().write(payloads[:1])
        raise RecursionError("deep")


@pytest.mark.parametrize("kind", [Few, Nothing, Turned, Strange, RaisesAfter, Halfway])
def test_what_a_sink_does_not_tell_is_asked_for(world: World, kind: type[Book]) -> None:
    book = kind()
    assert world.run(Liar(sink=book), times=3) == []
    assert sorted(one["no"] for one in book.held) == ["1", "2"]
    assert world.states() == {"shop:1": "done", "shop:2": "done"}


class NoId(Book):
    """Done, and nothing about it is what it should be."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self._done = done

    def write(self, payloads: Sequence[Record]) -> Any:
        super().write(payloads)
        return [self._done for _ in payloads]


EMPTY: dict[str, Done] = {
    "nothing": Done("", ""),
    "None": Done(None, None, None),  # type: ignore[arg-type]
    "numbers": Done(17, 18, {}),  # type: ignore[arg-type]
    "very long": Done("x" * 5000, "y" * 5000, {"z": "w" * 100_000}),
    "NUL": Done("a\x00", "b\x00", {"c": "\x00"}),
    "surrogate": Done("\ud800", "\ud800", {"c": "\ud800"}),
    "no JSON": Done("1", "1", {"c": object()}),
    "endless": Done("1", "1", []),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("done", EMPTY.values(), ids=EMPTY)
def test_a_receipt_that_is_none_is_still_a_receipt(world: World, done: Done) -> None:
    book = NoId(done)
    assert world.run(Liar(sink=book), times=2) == []
    assert sorted(one["no"] for one in book.held) == ["1", "2"]
    assert world.states() == {"shop:1": "done", "shop:2": "done"}


class Refusing(Book):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self._outcome = outcome

    def write(self, payloads: Sequence[Record]) -> Any:
        return [self._outcome for _ in payloads]


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "x" * 100_000, None], ids=str)
def test_a_refusal_without_good_words_is_still_a_refusal(world: World, text: Any) -> None:
    assert world.run(Liar(sink=Refusing(Refused(text, text, text)))) == []
    assert world.states() == {"shop:1": "rejected", "shop:2": "rejected"}
    assert [kind for kind, _ in world.items()] == ["rejected", "rejected"]


@pytest.mark.parametrize("text", ["\x00", "\ud800", None])
def test_an_unknown_outcome_without_good_words_is_still_unknown(world: World, text: Any) -> None:
    world.run(Liar(sink=Refusing(Unknown(text, text))))
    assert set(world.states().values()) <= {"unknown", "rejected"}


class LostKey(Book):
    def key_of(self, payload: Record) -> Any:
        return {"1": 1 / 0}[payload["no"]] if payload["no"] == "1" else payload["no"]


class LostFigures(Book):
    def figures_of(self, payload: Record) -> Any:
        return None if payload["no"] == "1" else super().figures_of(payload)


class LongKey(Book):
    def key_of(self, payload: Record) -> Any:
        return "k" * 5000 if payload["no"] == "1" else payload["no"]


class NulKey(Book):
    def key_of(self, payload: Record) -> Any:
        return "\x00" if payload["no"] == "1" else payload["no"]


@pytest.mark.parametrize("kind", [LostKey, LostFigures, LongKey, NulKey])
def test_one_key_that_cannot_be_told_does_not_stop_the_others(world: World, kind: type[Book]) -> None:
    assert world.run(Liar(sink=kind()), times=2) == []
    states = world.states()
    assert states["shop:2"] == "done"
    assert states["shop:1"] in ("blocked", "rejected", "done")
    assert (states["shop:1"] == "done") == (world.items() == [])


class BlindFind(Book):
    """Asked what it holds, it fails in its own way."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        super().__init__()
        self._answer = answer

    def find(self, keys: Sequence[str]) -> Any:
        return self._answer()


def failing() -> Any:
    raise KeyError("rows")


ANSWERS: dict[str, Callable[[], Any]] = {
    "raises": failing,
    "None": lambda: None,
    "a list": lambda: ["1"],
    "what is no Found": lambda: {"1": "yes", "2": None},
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_find_that_fails_writes_nothing_and_is_told_by_name(world: World, answer: Callable[[], Any]) -> None:
    book = BlindFind(answer)
    said = world.run(Liar(sink=book))
    assert ["target/order" in error.zh for error in said] == [True]
    assert book.held == []
    assert set(world.states().values()) == {"pending"}
