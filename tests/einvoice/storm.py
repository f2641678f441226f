"""Thousands of orders, workers killed again and again, answers lost, and a credit line that ends two thirds through.

The line is raised when everything else is through, and the rest must follow by itself. Then the bureau is held against
the orders, and the journal against the bureau.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from duijie.journal.tables import alert
from duijie.journal.tables_invoicing import attempt, halt, poll
from tests.einvoice.scenes import key_of, scene
from tests.einvoice.verdict import Verdict, verdict
from tests.faults import judge
from tests.faults.child import KILLED, Order
from tests.faults.crash import Stage

STEP = 1900.0  # seconds between two lives: leases end, and the platform may be asked for the line again
LIVES = 40
REHEARSED = 50
PLENTY = "100000000.00"


def storm(size: int, folder: Path, kills: int, seed: int = 1, mutant: str = "") -> Verdict:
    """So many orders and so many killed workers."""
    with Stage(scene(f"storm/{size}"), folder).serving() as stage:
        stage.rehearse(f"einvoice/storm/{min(size, REHEARSED)}")
        order = replace(stage.fresh(), mutant=mutant)
        engine = judge.reading(order.journal)
        try:
            killed = _killed(stage, order, size, kills, random.Random(seed))  # noqa: S311  repeatable deaths, not cryptography
            ahead = _quiet(stage, replace(order, ahead=order.ahead + killed * STEP), engine)
            said, stops = _told_of_credit(engine)
            _bureau(stage).settings({"credit_line": PLENTY})
            _quiet(stage, replace(order, ahead=ahead), engine)
            found = verdict(engine, _bureau(stage), [key_of(place) for place in range(size)])
            if said != stops or not stops:
                found.broken.append(f"finance was told {said} times of {stops} times that the line was used up")
            found.broken += [f"{left} are not settled" for left in [_restless(engine)] if left]
            return found
        finally:
            engine.dispose()


def _killed(stage: Stage, order: Order, size: int, kills: int, chance: random.Random) -> int:
    """Lives that end in the middle of a call; returns how many began."""
    for nth in range(kills):
        fatal = ["call in", chance.randint(2, max(size * 2 // max(kills, 1), 8))]
        status = stage.play(replace(order, ahead=nth * STEP, fatal=fatal))
        assert status in (0, KILLED), stage.told(order).get("error")
    return kills


def _quiet(stage: Stage, order: Order, engine: Engine) -> float:
    """Lives until nothing moves any more; returns the clock of the next one."""
    before: tuple[int, ...] = ()
    for nth in range(LIVES):
        status = stage.play(replace(order, ahead=order.ahead + nth * STEP))
        assert status == 0, stage.told(order).get("error")
        now = (_restless(engine), len(_bureau(stage).blues()), len(_bureau(stage).forms()))
        if now == before:
            return order.ahead + (nth + 1) * STEP
        before = now
    return order.ahead + LIVES * STEP


def _restless(engine: Engine) -> int:
    """Deliveries, polls and repeated requests on their way."""
    polled = select(func.count()).select_from(poll).where(poll.c.is_open)
    again = select(func.count()).select_from(attempt).where(attempt.c.state.in_(("waiting", "sent")))
    with engine.connect() as tx:
        return judge.restless(engine) + int(tx.execute(polled).scalar_one()) + int(tx.execute(again).scalar_one())


def _told_of_credit(engine: Engine) -> tuple[int, int]:
    """How often finance was told, and how often the sink was parked."""
    told = select(func.coalesce(func.sum(alert.c.count), 0)).where(alert.c.dedupe.startswith("halt_credit|"))
    with engine.connect() as tx:
        stops = tx.execute(select(func.count()).select_from(halt)).scalar_one()
        return int(tx.execute(told).scalar_one()), int(stops)


def _bureau(stage: Stage) -> Any:
    return stage.systems.held["nuonuo"].bureau  # type: ignore[attr-defined]
