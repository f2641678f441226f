"""Crash at every step: every commit and every call of a scene, each killed once, each restarted and judged.

A recording run names the points; then, point by point, a fresh world, a run that is killed there, and runs with the
clock set ahead until nothing is on its way. What is then in the target and in the journal must be what the recording
left, to the word, and one more run must change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from duijie.journal.deliveries import LEASE
from tests.faults import judge
from tests.faults.child import KILLED, Nursery, Order
from tests.faults.judge import State
from tests.faults.points import Point
from tests.faults.scenes import Scene
from tests.faults.world import Journals, Systems, clean

RESTARTS = 5
STEP = LEASE.total_seconds() + 60.0


@dataclass
class Result:
    """What became of the points of one scene on one database."""

    scene: str
    database: str
    points: int = 0
    run: int = 0
    lost: int = 0
    doubled: int = 0
    unknown: int = 0
    crashes: int = 0
    broken: list[str] = field(default_factory=list)

    def __add__(self, other: Result) -> Result:
        numbers = ("points", "run", "lost", "doubled", "unknown", "crashes")
        added = {name: getattr(self, name) + getattr(other, name) for name in numbers}
        return replace(self, **added, broken=self.broken + other.broken)


class Stage:
    """A scene on one database, in a folder: `play` is one life of the flow."""

    def __init__(self, scene: Scene, folder: Path, server: str = "") -> None:
        self.scene = scene
        self._folder = folder
        self.systems = Systems(scene)
        self._journals = Journals(scene, clean(folder), server)
        self._nursery = Nursery(folder)
        self.mutant = ""

    @contextmanager
    def serving(self) -> Iterator[Stage]:
        """With its systems up."""
        try:
            with self.systems.serving():
                yield self
        finally:
            self._nursery.close()
            self._journals.close()

    def fresh(self) -> Order:
        """A world in which nothing has happened, and the order for its first run."""
        home = clean(self._folder / "home")
        self.systems.new()
        url = self._journals.fresh(home)
        return Order(self.scene.name, str(home), url, self.systems.urls, mutant=self.mutant)

    def rehearse(self, scene: str = "") -> None:
        """Warm the parent of those that will be killed, with the scene or a smaller one like it."""
        order = self.fresh()
        self._nursery.rehearse(replace(order, scene=scene or order.scene))

    def play(self, order: Order) -> int:
        """One run; its exit status."""
        return self._nursery.run(order)

    def state(self, order: Order) -> State:
        """How things stand."""
        engine = judge.reading(order.journal)
        try:
            return judge.read(engine, self.systems.truth())
        finally:
            engine.dispose()

    def told(self, order: Order) -> dict[str, list[tuple[tuple[str, int], str]]]:
        """What the child said when it ended by itself."""
        return dict(json.loads(order.told.read_text(encoding="utf-8")))

    def settled(self, order: Order, result: Result) -> State:
        """Run to quiet and once more; what does not hold is added to `result`."""
        engine = judge.reading(order.journal)
        try:
            for number in range(1, RESTARTS + 1):
                self._restart(order, number, result)
                if number > 1 and not judge.restless(engine):
                    break
            result.unknown += judge.restless(engine)
            result.broken += judge.broken_history(engine)
            return judge.read(engine, self.systems.truth())
        finally:
            engine.dispose()

    def _restart(self, order: Order, number: int, result: Result) -> None:
        if self.play(replace(order, fatal=None, ahead=order.ahead + number * STEP)):
            result.crashes += 1
            result.broken.append(f"restart {number} failed: {self.told(order).get('error')}")


def recorded(stage: Stage) -> tuple[list[tuple[Point, str]], State]:
    """The points of a whole run, and how things stand after it. Raises AssertionError when it fails by itself."""
    stage.rehearse()
    order = stage.fresh()
    status = stage.play(order)
    told = stage.told(order)
    assert status == 0, told.get("error")
    whole = Result(stage.scene.name, "")
    state = stage.settled(order, whole)
    assert not whole.broken, whole.broken
    assert len(state.held) == stage.scene.holds, state.held
    return [(Point(where, nth), what) for (where, nth), what in told["points"]], state


def crash_at(stage: Stage, point: Point, what: str, expected: State, before: Point | None = None) -> Result:
    """Kill one run at a point, restart, judge. `before`: where the run before it was killed already."""
    result = Result(stage.scene.name, "", points=1)
    order = stage.fresh()
    if before:
        stage.play(replace(order, fatal=list(before)))
    ahead = STEP if before else 0.0
    status = stage.play(replace(order, ahead=ahead, fatal=list(point)))
    result.run += status == KILLED
    if status != KILLED:
        result.broken.append(f"ended with {status} instead of at the point")
    state = stage.settled(replace(order, ahead=ahead), result)
    result.broken += state.unlike(expected)
    result.lost, result.doubled = state.lost(expected), state.doubled
    place = f"{stage.scene.name}, {point.where} {point.nth} ({what})"
    result.broken = [f"{place}: {one}" for one in result.broken]
    return result


def crash_everywhere(stage: Stage, database: str, part: slice = slice(None)) -> Result:
    """Every point of the scene, or one part of them."""
    reached, expected = recorded(stage)
    told = dict(reached)
    results = (crash_at(stage, point, told[point], expected) for point in sorted(told)[part])
    return sum(results, Result(stage.scene.name, database))


def crash_in_recovery(stage: Stage, database: str) -> Result:
    """Die when the writes of a batch are carried out and not noted, then again wherever the run may that finds them.

    Not in the middle of the batch: what its other threads have done by then is different every time.
    """
    reached, expected = recorded(stage)
    written = next(at for at, (_, what) in enumerate(reached) if what.startswith("POST /lookup"))
    first = next(point for point, _ in reached[written:] if point.where == "commit before")
    order = stage.fresh()
    stage.play(replace(order, fatal=list(first)))
    stage.play(replace(order, ahead=STEP))
    again = [(Point(where, nth), what) for (where, nth), what in stage.told(order)["points"]]
    results = (crash_at(stage, point, what, expected, first) for point, what in again)
    return sum(results, Result(f"{stage.scene.name}, in recovery", database))
