"""The figures that monitoring asks for, each by an index: lag, backlog, work items, alerts, runs, the backup's age.

`/metrics` shows them to Prometheus, the watchdog's task hands them to Airflow's own exporter (OpenTelemetry, StatsD).
What only grows is counted by `Counting` from the moment the process began, as Prometheus' counters are.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection as Transaction
from sqlalchemy import func, select

from duijie.flow import Flow
from duijie.journal import Journal, upkeep
from duijie.journal.progress import positions
from duijie.journal.tables import (
    IS_HELD,
    IS_UNFINISHED,
    alert,
    delivery,
    delivery_event,
    incident,
    message,
    run,
    work_item,
    work_item_record,
)

OUTCOMES = ("done", "rejected", "blocked", "unknown", "cancelled", "superseded")
COUNTED_AT_ONCE = 100_000

HELP = {
    "duijie_deliveries": "Deliveries that are not finished, by flow, sink and state.",
    "duijie_delivery_oldest_seconds": "Since when the oldest of them has waited.",
    "duijie_deliveries_overdue_leases": "Deliveries that a dead worker holds.",
    "duijie_cursor_lag_seconds": "How far the reading of a stream is behind now.",
    "duijie_messages_new": "Messages that no mapping has seen.",
    "duijie_message_oldest_seconds": "Since when the oldest of them has waited.",
    "duijie_messages_held": "Messages that wait for a person, by state.",
    "duijie_work_items": "Open work items, by kind and owner.",
    "duijie_work_item_records": "Records that they hold.",
    "duijie_work_item_fen": "Money that they hold, in fen.",
    "duijie_alerts_open": "Alerts that are not over, by level and state.",
    "duijie_run_age_seconds": "Since when the newest run of a step began.",
    "duijie_run_failed": "1 where the newest run of a step said a problem.",
    "duijie_backup_age_seconds": "Since when the last backup or verification was made.",
    "duijie_journal_bytes": "How large the journal is.",
    "duijie_delivery_moves_total": "Deliveries that came into a state, by sink.",
    "duijie_incidents_total": "Calls that failed and were dealt with, by connection and kind.",
}


@dataclass(frozen=True)
class Figure:
    """One number: a name of HELP, its labels, its value."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def figures(journal: Journal, flows: Mapping[str, Flow]) -> Iterator[Figure]:
    """What can be asked at any moment."""
    now = journal.now()
    streams = positions(journal)
    with journal.reading() as tx:
        yield from _deliveries(tx, now)
        yield from _messages(tx, streams, now)
        yield from _people(tx)
        yield from _runs(tx, flows, now)
        yield Figure("duijie_journal_bytes", _size(tx, journal))
    for kind in ("backup", "verify"):
        if done := upkeep.last(journal, kind):
            yield Figure("duijie_backup_age_seconds", (now - done.at).total_seconds(), {"kind": kind})


def _deliveries(tx: Transaction, now: datetime) -> Iterator[Figure]:
    columns = (delivery.c.flow, delivery.c.sink, delivery.c.state)
    query = select(*columns, func.count(), func.min(delivery.c.created_at)).where(IS_UNFINISHED).group_by(*columns)
    for flow, sink, state, number, oldest in tx.execute(query):
        labels = {"flow": flow, "sink": sink, "state": state}
        yield Figure("duijie_deliveries", number, labels)
        yield Figure("duijie_delivery_oldest_seconds", (now - oldest).total_seconds(), labels)
    dead = select(func.count()).where(IS_UNFINISHED, delivery.c.lease_until < now)
    yield Figure("duijie_deliveries_overdue_leases", tx.execute(dead).scalar_one())


def _messages(tx: Transaction, streams: Mapping[tuple[str, str], datetime], now: datetime) -> Iterator[Figure]:
    for (connection, stream), position in streams.items():
        labels = {"connection": connection, "stream": stream}
        yield Figure("duijie_cursor_lag_seconds", (now - position).total_seconds(), labels)
        new = select(func.count(), func.min(message.c.received_at)).where(
            message.c.connection == connection, message.c.stream == stream, message.c.state == "new"
        )
        number, oldest = tx.execute(new).one()
        yield Figure("duijie_messages_new", number, labels)
        yield Figure("duijie_message_oldest_seconds", (now - oldest).total_seconds() if oldest else 0.0, labels)
    columns = (message.c.connection, message.c.stream, message.c.state)
    for connection, stream, state, number in tx.execute(
        select(*columns, func.count()).where(IS_HELD).group_by(*columns)
    ):
        yield Figure("duijie_messages_held", number, {"connection": connection, "stream": stream, "state": state})


def _people(tx: Transaction) -> Iterator[Figure]:
    money = func.coalesce(func.sum(work_item_record.c.amount), 0)
    items = func.count(work_item.c.id.distinct())
    query = select(work_item.c.kind, work_item.c.owner, items, func.count(work_item_record.c.key), money)
    query = query.outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
    query = query.where(work_item.c.state != "closed").group_by(work_item.c.kind, work_item.c.owner)
    for kind, owner, number, held, fen in tx.execute(query):
        labels = {"kind": kind, "owner": owner}
        yield Figure("duijie_work_items", number, labels)
        yield Figure("duijie_work_item_records", held, labels)
        yield Figure("duijie_work_item_fen", int(fen), labels)
    alerts = select(alert.c.level, alert.c.state, func.count()).where(alert.c.open_dedupe.is_not(None))
    for level, state, number in tx.execute(alerts.group_by(alert.c.level, alert.c.state)):
        yield Figure("duijie_alerts_open", number, {"level": level, "state": state})


def _runs(tx: Transaction, flows: Mapping[str, Flow], now: datetime) -> Iterator[Figure]:
    for flow in flows.values():
        for name in (step.name for step in flow.steps):
            newest = select(run.c.started_at, run.c.problem).where(run.c.flow == flow.flow, run.c.step == name)
            if row := tx.execute(newest.order_by(run.c.id.desc()).limit(1)).first():
                labels = {"flow": flow.flow, "step": name}
                yield Figure("duijie_run_age_seconds", (now - row.started_at).total_seconds(), labels)
                yield Figure("duijie_run_failed", int(bool(row.problem)), labels)


def _size(tx: Transaction, journal: Journal) -> int:
    if journal.is_postgres:
        return int(tx.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
    path = Path(str(journal.engine.url.database))
    return sum(one.stat().st_size for end in ("", "-wal") if (one := Path(f"{path}{end}")).exists())


class Counting:
    """Counts what came into the journal since the first look, by reading only what is newer than the last one."""

    def __init__(self) -> None:
        self._upto: dict[str, int] = {}
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self._alone = threading.Lock()

    def figures(self, journal: Journal) -> Iterator[Figure]:
        """The counts so far; all begin at zero."""
        with self._alone:
            with journal.reading() as tx:
                self._moves(tx)
                self._incidents(tx)
            counted = sorted(self._counted.items())
        names = {"duijie_delivery_moves_total": ("sink", "state"), "duijie_incidents_total": ("connection", "kind")}
        for (name, one, other), number in counted:
            first, second = names[name]
            yield Figure(name, number, {first: one, second: other})

    def _moves(self, tx: Transaction) -> None:
        newest = tx.execute(select(func.coalesce(func.max(delivery_event.c.id), 0))).scalar_one()
        after = self._window("moves", newest)
        query = select(delivery.c.sink, delivery_event.c.after, func.count()).join(
            delivery, delivery.c.id == delivery_event.c.delivery_id
        )
        query = query.where(delivery_event.c.id > after, delivery_event.c.id <= newest)
        query = query.where(delivery_event.c.after.in_(OUTCOMES)).group_by(delivery.c.sink, delivery_event.c.after)
        for sink, state, number in tx.execute(query):
            self._counted["duijie_delivery_moves_total", sink, state] += number

    def _incidents(self, tx: Transaction) -> None:
        newest = tx.execute(select(func.coalesce(func.max(incident.c.id), 0))).scalar_one()
        after = self._window("incidents", newest)
        query = select(incident.c.connection, incident.c.kind, func.count())
        query = query.where(incident.c.id > after, incident.c.id <= newest)
        for connection, kind, number in tx.execute(query.group_by(incident.c.connection, incident.c.kind)):
            self._counted["duijie_incidents_total", connection, kind] += number

    def _window(self, what: str, newest: int) -> int:
        """After which id to count. The first look counts nothing, a look after a long pause what is countable soon."""
        after = max(self._upto.get(what, newest), newest - COUNTED_AT_ONCE)
        self._upto[what] = newest
        return after
