"""Every commit and every call of the small scene, each killed once; and what every mutant changes in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.einvoice.scenes import key_of, steps
from tests.einvoice.verdict import Verdict, verdict
from tests.faults import judge
from tests.faults.child import Order
from tests.faults.crash import Result, Stage, crash_at, recorded

ISSUED = (0, 1, 2, 4, 6)  # 3 is a number that somebody else has used, 5 a buyer that nobody knows


class Invoices(Stage):
    """A stage that does not count how often a result was read: addresses of files in it expire and are made anew."""

    def settled(self, order: Order, result: Result) -> judge.State:
        """As of any stage, one version of each invoice and one message."""
        state = super().settled(order, result)
        versions = [(entity, key, 1 if entity == "invoice" else nth) for entity, key, nth in state.documents]
        return replace(state, documents=versions, messages=sorted(set(state.messages)))


def crashes(folder: Path, points: slice) -> tuple[int, list[str]]:
    """(How many points were run, everything that was wrong); `points` of all of them, in their order."""
    with Invoices(steps(), folder).serving() as stage:
        reached, expected = recorded(stage)
        told = dict(reached)
        result = Result(stage.scene.name, "SQLite")
        for point in sorted(told)[points]:
            result += crash_at(stage, point, told[point], expected)
    return result.run, result.broken


def whole(folder: Path) -> Verdict:
    """The scene without a crash: five orders issued once each."""
    with Invoices(steps(), folder).serving() as stage:
        stage.rehearse()
        return _judged(stage, stage.fresh())


def caught(folder: Path, names: Sequence[str]) -> dict[str, int]:
    """By mutant, how many differences it makes."""
    with Invoices(steps(), folder).serving() as stage:
        _, expected = recorded(stage)
        return {name: _differences(stage, replace(stage.fresh(), mutant=name), expected) for name in names}


def _differences(stage: Stage, order: Order, expected: judge.State) -> int:
    stage.play(order)
    result = Result(stage.scene.name, "")
    return len(stage.settled(order, result).unlike(expected)) + len(_verdict(stage, order).broken)


def _judged(stage: Stage, order: Order) -> Verdict:
    status = stage.play(order)
    result = Result(stage.scene.name, "")
    stage.settled(order, result)
    found = _verdict(stage, order)
    found.broken += result.broken + ([] if status == 0 else [str(stage.told(order).get("error"))])
    return found


def _verdict(stage: Stage, order: Order) -> Verdict:
    engine = judge.reading(order.journal)
    try:
        bureau = stage.systems.held["nuonuo"].bureau  # type: ignore[attr-defined]
        return verdict(engine, bureau, [key_of(place) for place in ISSUED], ["somebody else"])
    finally:
        engine.dispose()


__all__ = ["caught", "crashes", "whole"]
