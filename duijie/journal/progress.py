"""Read models of 今日总览: how every flow stands, and what waits in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import func, select

from duijie import codec
from duijie.journal.journal import Journal
from duijie.journal.tables import IS_UNFINISHED, cursor, delivery, run, work_item, work_item_record

STAGES = {  # states of a delivery that is not finished, as people tell them apart
    "pending": "pending",
    "claimed": "pending",
    "sent": "pending",
    "unknown": "unknown",
    "blocked": "blocked",
    "rejected": "blocked",
}


@dataclass(frozen=True)
class Waiting:
    """Deliveries of one stage (pending, unknown, blocked): how many, and when the oldest was planned."""

    count: int
    oldest: datetime


@dataclass(frozen=True)
class FlowState:
    """How a flow stands; counts are the day's.

    `last_success` is the moment since which every step that ever ran has succeeded once more; `problem` is what the
    newest run of a step said; `held` counts the records of open work items.
    """

    last_run: datetime | None = None
    last_success: datetime | None = None
    problem: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    backlog: Mapping[str, Waiting] = field(default_factory=dict)
    held: int = 0


@dataclass(frozen=True)
class _Steps:
    last_run: datetime | None
    last_success: datetime | None
    problem: str


def flow_states(journal: Journal, steps: Mapping[str, Sequence[str]], since: datetime) -> dict[str, FlowState]:
    """By flow (given with the names of its steps), how it stands; counts from a moment on (the day's beginning)."""
    with journal.reading() as tx:
        counts, backlogs, held = _counts(tx, steps, since), _backlogs(tx), _held(tx)
        ran = {name: _steps(tx, name, names) for name, names in steps.items()}
    return {
        name: FlowState(
            one.last_run, one.last_success, one.problem, counts[name], backlogs.get(name, {}), held.get(name, 0)
        )
        for name, one in ran.items()
    }


def _counts(tx: Transaction, flows: Mapping[str, object], since: datetime) -> dict[str, Counter[str]]:
    """Most runs of a day say the same, so that they are counted before they are decoded."""
    found: dict[str, Counter[str]] = {name: Counter() for name in flows}
    query = select(run.c.flow, run.c.counts, func.count()).where(run.c.flow.in_(found), run.c.started_at >= since)
    for flow, text, times in tx.execute(query.group_by(run.c.flow, run.c.counts)):
        found[flow].update({name: number * times for name, number in codec.decode(text).items()})
    return found


def _backlogs(tx: Transaction) -> dict[str, dict[str, Waiting]]:
    query = select(delivery.c.flow, delivery.c.state, func.count(), func.min(delivery.c.created_at))
    found: dict[str, dict[str, Waiting]] = defaultdict(dict)
    for flow, state, number, oldest in tx.execute(
        query.where(IS_UNFINISHED).group_by(delivery.c.flow, delivery.c.state)
    ):
        stage = STAGES[state]
        before = found[flow].get(stage, Waiting(0, oldest))
        found[flow][stage] = Waiting(before.count + number, min(before.oldest, oldest))
    return found


def _held(tx: Transaction) -> dict[str, int]:
    query = select(work_item_record.c.flow, func.count()).join(work_item).where(work_item.c.state != "closed")
    return {flow: number for flow, number in tx.execute(query.group_by(work_item_record.c.flow))}


def _steps(tx: Transaction, flow: str, names: Sequence[str]) -> _Steps:
    newest: list[Any] = []
    good: list[Any] = []
    for name in names:
        mine = select(run.c.started_at, run.c.ended_at, run.c.problem).where(run.c.flow == flow, run.c.step == name)
        mine = mine.order_by(run.c.id.desc()).limit(1)
        last = tx.execute(mine).all()
        newest += last
        if last and (last[0].problem or not last[0].ended_at):
            last = tx.execute(mine.where(run.c.ended_at.is_not(None), run.c.problem == "")).all()
        good += last
    problem = next((row.problem for row in newest if row.problem), "")
    succeeded = min((row.ended_at for row in good), default=None) if len(good) == len(newest) else None
    return _Steps(max((row.started_at for row in newest), default=None), succeeded, problem)


def positions(journal: Journal) -> dict[tuple[str, str], datetime]:
    """(connection, stream) → how far it has been read; of several partitions the one that is furthest behind."""
    query = select(cursor.c.connection, cursor.c.stream, func.min(cursor.c.position))
    with journal.reading() as tx:
        rows = tx.execute(query.group_by(cursor.c.connection, cursor.c.stream))
        return {(connection, stream): position for connection, stream, position in rows}
