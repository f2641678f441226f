"""Read models: what pages show, as plain queries over the journal. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, select

from duijie.journal.deliveries import HELD
from duijie.journal.journal import Journal
from duijie.journal.tables import (
    HELD_STATES,
    alert,
    comparison,
    delivery,
    difference,
    incident,
    message,
    work_item,
    work_item_record,
)

ROWS_SHOWN = 200


@dataclass(frozen=True)
class Item:
    """An open or closed work item with what it holds up; money in fen."""

    id: int
    kind: str
    state: str
    subject: str
    flow: str
    owner: str
    reason: str
    next_step: str
    created_at: datetime
    resolution: str
    records: int
    money: int


def deliveries_by_sink(journal: Journal) -> dict[str, dict[str, tuple[int, int]]]:
    """Sink → state → (count, money in fen)."""
    query = select(delivery.c.sink, delivery.c.state, func.count(), func.coalesce(func.sum(delivery.c.amount), 0))
    found: dict[str, dict[str, tuple[int, int]]] = {}
    with journal.reading() as tx:
        for sink, state, number, money in tx.execute(query.group_by(delivery.c.sink, delivery.c.state)):
            found.setdefault(sink, {})[state] = (number, int(money))
    return found


def incidents(journal: Journal, day: datetime, week: datetime) -> list[tuple[str, str, int, int]]:
    """(connection, kind, count since `day`, count since `week`) of calls that healed, the most first."""
    today = func.sum(case((incident.c.at >= day, 1), else_=0))
    query = select(incident.c.connection, incident.c.kind, today, func.count()).where(incident.c.at >= week)
    query = query.group_by(incident.c.connection, incident.c.kind).order_by(today.desc(), func.count().desc())
    with journal.reading() as tx:
        return [(connection, kind, int(one), seven) for connection, kind, one, seven in tx.execute(query)]


def open_kinds(journal: Journal) -> dict[str, tuple[int, int, int]]:
    """Kind of open work item → (items, records that they hold, money in fen)."""
    money = func.coalesce(func.sum(work_item_record.c.amount), 0)
    query = select(work_item.c.kind, func.count(work_item.c.id.distinct()), func.count(work_item_record.c.key), money)
    query = query.outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
    query = query.where(work_item.c.state != "closed").group_by(work_item.c.kind).order_by(money.desc())
    with journal.reading() as tx:
        return {kind: (number, held, int(fen)) for kind, number, held, fen in tx.execute(query)}


def items(
    journal: Journal,
    *,
    state: str = "open",
    kind: str = "",
    owner: str = "",
    item_id: int = 0,
    start: int = 0,
    most: int | None = None,
) -> list[Item]:
    """Work items, the most money first, `most` of them from the `start`-th on. `state` "open" means not closed."""
    money = func.coalesce(func.sum(work_item_record.c.amount), 0)
    query = select(work_item, func.count(work_item_record.c.key).label("records"), money.label("money"))
    query = query.outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
    query = query.where(work_item.c.id == item_id if item_id else _wanted(state, kind, owner))
    query = query.group_by(work_item.c.id).order_by(money.desc(), work_item.c.id).offset(start).limit(most)
    names = Item.__dataclass_fields__
    with journal.reading() as tx:
        return [Item(**{name: getattr(row, name) for name in names}) for row in tx.execute(query)]


def count_items(journal: Journal, *, state: str = "open", kind: str = "", owner: str = "") -> int:
    """How many work items there are of these."""
    query = select(func.count()).select_from(work_item).where(_wanted(state, kind, owner))
    with journal.reading() as tx:
        return tx.execute(query).scalar_one()


def owners(journal: Journal, *, state: str = "open") -> list[str]:
    """Who is responsible (责任方) for at least one work item."""
    query = select(work_item.c.owner).where(_wanted(state, "", "")).distinct().order_by(work_item.c.owner)
    with journal.reading() as tx:
        return list(tx.execute(query).scalars())


def _wanted(state: str, kind: str, owner: str) -> ColumnElement[bool]:
    found = work_item.c.state == "closed" if state == "closed" else work_item.c.state != "closed"
    for column, value in ((work_item.c.kind, kind), (work_item.c.owner, owner)):
        found = found & (column == value) if value else found
    return found


def records(journal: Journal, item_id: int, most: int = ROWS_SHOWN) -> Sequence[Row[Any]]:
    """What an item holds: entity, key, flow, amount; the most money first."""
    query = select(work_item_record).where(work_item_record.c.work_item_id == item_id)
    query = query.order_by(work_item_record.c.amount.desc(), work_item_record.c.key).limit(most)
    with journal.reading() as tx:
        return tx.execute(query).all()


def reasons(journal: Journal, held: Sequence[Row[Any]]) -> dict[tuple[str, str], str]:
    """Why each of an item's records waits now, by (entity, key): its delivery's reason, else its last message's."""
    keys = [one.key for one in held]
    sent = select(delivery.c.entity, delivery.c.key, delivery.c.reason).order_by(delivery.c.id)
    sent = sent.where(delivery.c.key.in_(keys), delivery.c.state.in_(HELD))
    read = select(message.c.key, message.c.reason).order_by(message.c.id)
    read = read.where(message.c.key.in_(keys), message.c.state.in_(HELD_STATES))
    with journal.reading() as tx:
        deliveries = {(row.entity, row.key): row.reason for row in tx.execute(sent)}
        messages = {row.key: row.reason for row in tx.execute(read)}
    return {(one.entity, one.key): deliveries.get((one.entity, one.key), messages.get(one.key, "")) for one in held}


def comparisons(journal: Journal) -> Sequence[Row[Any]]:
    """The newest comparison of every pair."""
    newest = select(func.max(comparison.c.id)).group_by(comparison.c.pair)
    with journal.reading() as tx:
        return tx.execute(select(comparison).where(comparison.c.id.in_(newest)).order_by(comparison.c.id)).all()


def differences(journal: Journal, comparison_id: int, most: int = ROWS_SHOWN) -> Sequence[Row[Any]]:
    """The differences of a comparison, the unexplained first."""
    query = select(difference).where(difference.c.comparison_id == comparison_id)
    query = query.order_by(difference.c.explanation != "", difference.c.key).limit(most)
    with journal.reading() as tx:
        return tx.execute(query).all()


def comparison_of(journal: Journal, comparison_id: int) -> Row[Any] | None:
    """One comparison, or None."""
    with journal.reading() as tx:
        return tx.execute(select(comparison).where(comparison.c.id == comparison_id)).first()


def count_alerts(journal: Journal, state: str = "") -> int:
    """How many alerts are in a state; without one, how many there are."""
    query = select(func.count()).select_from(alert)
    with journal.reading() as tx:
        return tx.execute(query.where(alert.c.state == state) if state else query).scalar_one()
