"""An always-on worker: delivers and polls what is due within a second, beside the schedule or instead of it.

Any number of workers, on any number of machines, share a PostgreSQL journal: they claim rows, never routes. In each
every connection has a thread of its own for what it delivers and one for what it polls, so that a slow system or one
that is down delays no other, and the routes of a connection take turns, so that a large backlog of one delays the
others by no more than a turn.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Thread

from duijie.connect.errors import DuijieError
from duijie.engine import Engine
from duijie.flow import Deliver, Flow, Poll
from duijie.invoicing import polling
from duijie.journal import deliveries, planning
from duijie.shift import Turn

TURN_SECONDS = 5.0
LOOK_SECONDS = 0.5
LONGEST_PAUSE = 30.0
LEFT = ("outstanding", "next_poll")  # what is still to come, not what was done

log = logging.getLogger("duijie.worker")

Told = Callable[[str, Mapping[str, int]], None]


@dataclass
class Route:
    """One deliver or poll step, and when its next turn may be."""

    flow: Flow
    step: Deliver | Poll
    not_before: float = 0.0
    pause: float = LOOK_SECONDS

    @property
    def sink(self) -> str:
        """connection/sink; of a poll, that whose results it reads."""
        return self.step.sink if isinstance(self.step, Poll) else f"{self.step.connection}/{self.step.sink}"

    def rests(self) -> None:
        """Nothing could be done though something is due: longer and longer pauses."""
        self.not_before = time.monotonic() + self.pause
        self.pause = min(self.pause * 2.0, LONGEST_PAUSE)

    def went(self) -> None:
        """Something was done."""
        self.not_before, self.pause = 0.0, LOOK_SECONDS


def routes_of(flows: Iterable[Flow]) -> list[Route]:
    """Every deliver and poll step of the flows."""
    return [Route(flow, step) for flow in flows for step in flow.steps if isinstance(step, Deliver | Poll)]


class Worker:
    """Drains routes until its turn's `stopping` is set. `tell` hears (sink, counts) of each turn that did something."""

    def __init__(self, engine: Engine, routes: Sequence[Route], turn: Turn, tell: Told) -> None:
        self._engine = engine
        self._turn = turn
        self._tell = tell
        self._by_connection: defaultdict[str, list[Route]] = defaultdict(list)
        for route in routes:
            kind = "?" if isinstance(route.step, Poll) else ""  # so that a backlog of writing does not delay reading
            self._by_connection[f"{route.step.connection}{kind}"].append(route)

    def run(self) -> None:
        """Until told to stop; what is under way is finished first."""
        self._on_every_connection(self._for_ever)

    def run_once(self) -> None:
        """Until nothing is due."""
        self._on_every_connection(self._round_by_round)

    def _on_every_connection(self, work: Callable[[Sequence[Route]], None]) -> None:
        named = self._by_connection.items()
        threads = [Thread(target=work, args=(routes,), name=f"duijie-{name}", daemon=True) for name, routes in named]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_SECONDS)

    def _for_ever(self, routes: Sequence[Route]) -> None:
        while not self._turn.stopping.is_set():
            if not self._round(routes):
                self._turn.stopping.wait(LOOK_SECONDS)

    def _round_by_round(self, routes: Sequence[Route]) -> None:
        while self._round(routes) and not self._turn.stopping.is_set():
            pass

    def _round(self, routes: Sequence[Route]) -> bool:
        """One turn for each; whether any of them did something."""
        return sum(self._has_work(route) and self._work(route) for route in routes) > 0

    def _has_work(self, route: Route) -> bool:
        if self._turn.stopping.is_set() or time.monotonic() < route.not_before:
            return False
        journal = self._engine.journal
        try:
            if isinstance(route.step, Poll):
                return polling.has_work(journal, route.step)
            is_due = deliveries.has_work(journal, route.sink)
            return is_due or planning.has_fresh(journal, route.step.entity, route.sink)
        except DuijieError as error:
            self._failed(route, error)
            return False

    def _work(self, route: Route) -> bool:
        try:
            counts = self._engine.run(route.flow, route.step)
        except DuijieError as error:
            self._failed(route, error)
            return False
        done = {name: number for name, number in counts.items() if number and name not in LEFT}
        if not done:
            route.rests()
            return False
        route.went()
        self._tell(route.sink, done)
        return True

    def _failed(self, route: Route, error: DuijieError) -> None:
        """The engine has written it down; this route rests, the others go on."""
        log.error("%s: %s", route.sink, error)
        route.rests()
