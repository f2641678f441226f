"""Every commit and every call of the small scenes, each killed once; and what every mutant changes in the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.einvoice import filed
from tests.einvoice.scenes import files, key_of, steps
from tests.einvoice.verdict import Verdict, verdict
from tests.faults import judge
from tests.faults.child import Order
from tests.faults.crash import Result, Stage, crash_at, recorded

ISSUED = (0, 1, 2, 4, 6)  # 3 is a number that somebody else has used, 5 a buyer that nobody knows

DOWNLOAD = "GET /files/"


class Invoices(Stage):
    """A stage that does not count how often a result was read: addresses of files in it expire and are made anew."""

    def settled(self, order: Order, result: Result) -> judge.State:
        """As of any stage, one version of each invoice and one message."""
        state = super().settled(order, result)
        versions = [(entity, key, 1 if entity == "invoice" else nth) for entity, key, nth in state.documents]
        return replace(state, documents=versions, messages=sorted(set(state.messages)))


class Files(Invoices):
    """A stage whose invoices have their files fetched, and that looks into the archive."""

    def settled(self, order: Order, result: Result) -> judge.State:
        """As of any stage, and each invoice has one original of each kind."""
        state = super().settled(order, result)
        result.broken += self.misfiled(order)
        return state

    def misfiled(self, order: Order) -> list[str]:
        """What is wrong with the originals."""
        engine = judge.reading(order.journal)
        try:
            return list(filed.wrong(engine, _bureau(self), Path(order.home) / "originals"))
        finally:
            engine.dispose()


def crashes(folder: Path, points: slice) -> tuple[int, list[str]]:
    """(How many points were run, everything that was wrong); `points` of all of them, in their order."""
    return _killed(Invoices(steps(), folder), points, "")


def crashes_in_fetching(folder: Path, points: slice) -> tuple[int, list[str]]:
    """The same of the scene whose invoices have their files fetched, from the first download on."""
    return _killed(Files(files(), folder), points, DOWNLOAD)


def _killed(stage: Stage, points: slice, since: str) -> tuple[int, list[str]]:
    with stage.serving():
        reached, expected = recorded(stage)
        first = next(at for at, (_, what) in enumerate(reached) if what.startswith(since))
        told = dict(reached[first:])
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
        return verdict(engine, _bureau(stage), [key_of(place) for place in ISSUED], ["somebody else"])
    finally:
        engine.dispose()


def _bureau(stage: Stage) -> Any:
    return stage.systems.held["nuonuo"].bureau  # type: ignore[attr-defined]


__all__ = ["Files", "caught", "crashes", "crashes_in_fetching", "whole"]
