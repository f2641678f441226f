"""What may leave the journal when it is old, and how: archived, read back, then deleted in small transactions.

Never what is unfinished, never the current version of a document or the last message of a key, never what a sink has
got last of a key, what a voucher was made of, or what an open work item holds. Receipts and the bodies of last messages
leave a note of where they are in their place, so that 联查 still says so; `explain` then ends at the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, exists, func, or_, select, update
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.connect.errors import ConfigError
from duijie.journal import Journal, upkeep
from duijie.journal.inbox import ARCHIVED, REREAD, is_last
from duijie.journal.tables import (
    alert,
    comparison,
    delivery,
    delivery_event,
    derived,
    document,
    incident,
    message,
    metadata,
    run,
    work_item,
    work_item_record,
)
from duijie.keep.archive import Archive

BATCH = 1000
SHORTEST = timedelta(days=35)  # the watchdog learns from the last four weeks
FINAL = ("done", "superseded", "cancelled")
WORDS = {
    "events": "投递经过",
    "receipts": "回执",
    "deliveries": "旧版单据的投递",
    "documents": "旧版单据",
    "messages": "已被更新的报文",
    "bodies": "最后一次报文的原文",
    "runs": "运行记录",
    "incidents": "已自愈的异常",
    "alerts": "已结束的告警",
    "comparisons": "旧的对账",
}
ALWAYS = tuple(kind for kind in WORDS if kind != "bodies")


@dataclass(frozen=True)
class Step:
    """Rows of a table that may leave. `strip`: the column that gives way to a note; "" where the row itself goes."""

    kind: str
    table: Table
    may_leave: ColumnElement[bool]
    strip: str = ""


@dataclass(frozen=True)
class Gone:
    """What one step has archived: kind, table, rows."""

    kind: str
    table: str
    rows: int


Tell = Callable[[str, int], None]


def steps(before: Mapping[str, datetime]) -> list[Step]:
    """What may leave, by kind → moment before which it is old; in the order in which rows refer to each other."""
    made = [make(moment) for kind, make in _MAKERS.items() if (moment := before.get(kind))]
    return [step for some in made for step in some]


def count(journal: Journal, before: Mapping[str, datetime]) -> list[Gone]:
    """How much would leave now; deleting it lets more go in a few cases (a document after its deliveries)."""
    with journal.reading() as tx:
        return [Gone(one.kind, str(one.table.name), _counted(tx, one)) for one in steps(before)]


def _counted(tx: Transaction, one: Step) -> int:
    return tx.execute(select(func.count()).select_from(one.table).where(one.may_leave)).scalar_one()


def check(now: datetime, before: Mapping[str, datetime]) -> None:
    """Raises ConfigError for a kind that is none and for one that is to leave too young."""
    if unknown := set(before) - set(WORDS):
        raise ConfigError(
            f"没有可归档的种类 {', '.join(sorted(unknown))}, 可选: {', '.join(WORDS)}",
            en=f"known kinds: {', '.join(WORDS)}",
        )
    if any(now - moment < SHORTEST for moment in before.values()):
        raise ConfigError(
            f"保留期不得短于 {SHORTEST.days} 天: 值守要用近四周的数据",
            en=f"nothing younger than {SHORTEST.days} days may leave",
        )


def purge(
    journal: Journal, before: Mapping[str, datetime], folder: Path, who: str, tell: Tell
) -> tuple[Path, list[Gone]]:
    """Archive and delete; `tell(kind, rows)` after each transaction. Interrupted, it is simply run again."""
    check(journal.now(), before)
    archive = Archive(folder, who, before)
    try:
        gone = [_emptied(journal, step, archive, tell) for step in steps(before)]
    finally:
        archive.close()
    upkeep.note(journal, "purge", who, str(archive.place.absolute()), {one.kind: one.rows for one in gone if one.rows})
    return archive.place, gone


def _emptied(journal: Journal, step: Step, archive: Archive, tell: Tell) -> Gone:
    total = 0
    for rows in _batches(journal, step):
        part = archive.keep(step.kind, step.table, rows)
        ids = [row["id"] for row in rows]
        place = str((archive.place / part.file).absolute())
        with journal.writing() as tx:
            total += tx.execute(_leaving(step, ids, place)).rowcount
        tell(step.kind, total)
    return Gone(step.kind, str(step.table.name), total)


def _batches(journal: Journal, step: Step) -> Iterator[list[dict[str, Any]]]:
    after = 0
    query = select(step.table).where(step.may_leave).order_by(step.table.c.id).limit(BATCH)
    while True:
        with journal.reading() as tx:
            rows = [dict(row) for row in tx.execute(query.where(step.table.c.id > after)).mappings()]
        if not rows:
            return
        yield rows
        after = rows[-1]["id"]


def _leaving(step: Step, ids: Sequence[int], place: str) -> Any:
    """The statement; what has changed since it was archived stays."""
    mine = and_(step.table.c.id.in_(ids), step.may_leave)
    if not step.strip:
        return step.table.delete().where(mine)
    values: dict[str, Any] = {step.strip: note(place)}
    if step.table is message:
        values["reason"] = f"{ARCHIVED}: {place}"
    return update(step.table).where(mine).values(**values)


def note(place: str) -> bytes:
    """What stands in the place of something archived."""
    return codec.encode_ordered({ARCHIVED: place})


def _is_kept(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """There is something, and it is no note of an archive."""
    head = codec.encode_ordered({ARCHIVED: ""})[:-3]
    return column.is_not(None) & (func.substr(column, 1, len(head)) != head)


def _held(entity: ColumnElement[str] | None, key: ColumnElement[str]) -> ColumnElement[bool]:
    """An open work item has it."""
    is_open = exists().where(work_item.c.id == work_item_record.c.work_item_id, work_item.c.state != "closed")
    named = work_item_record.c.key == key
    return exists().where(named if entity is None else named & (work_item_record.c.entity == entity), is_open)


def _events(before: datetime) -> list[Step]:
    final = exists().where(
        delivery.c.id == delivery_event.c.delivery_id, delivery.c.state.in_(FINAL), delivery.c.changed_at < before
    )
    return [Step("events", delivery_event, (delivery_event.c.at < before) & final)]


def _receipts(before: datetime) -> list[Step]:
    old = (delivery.c.state == "done") & (delivery.c.changed_at < before)
    return [Step("receipts", delivery, old & _is_kept(delivery.c.receipt), strip="receipt")]


def _deliveries(before: datetime) -> list[Step]:
    later = delivery.alias("later")
    newer = exists().where(
        later.c.sink == delivery.c.sink,
        later.c.key == delivery.c.key,
        later.c.id > delivery.c.id,
        later.c.state == "done",
    )
    old_version = exists().where(document.c.id == delivery.c.document_id, ~document.c.current)
    has_events = exists().where(delivery_event.c.delivery_id == delivery.c.id)
    over = (delivery.c.state != "done") | newer
    may = and_(delivery.c.state.in_(FINAL), delivery.c.changed_at < before, over, old_version, ~has_events)
    return [Step("deliveries", delivery, may & ~_held(delivery.c.entity, delivery.c.key))]


def _documents(before: datetime) -> list[Step]:
    sent = exists().where(delivery.c.document_id == document.c.id)
    used = exists().where(derived.c.document_id == document.c.id)
    may = and_(~document.c.current, document.c.created_at < before, ~sent, ~used)
    return [Step("documents", document, may & ~_held(document.c.entity, document.c.key))]


def _settled(before: datetime) -> ColumnElement[bool]:
    return and_(message.c.state.in_(("mapped", "skipped")), message.c.received_at < before, ~_held(None, message.c.key))


def _messages(before: datetime) -> list[Step]:
    made = exists().where(document.c.message_id == message.c.id)
    return [Step("messages", message, _settled(before) & ~is_last() & ~made)]


def _bodies(before: datetime) -> list[Step]:
    newer = exists().where(document.c.message_id == message.c.id, document.c.created_at >= before)
    may = and_(_settled(before), message.c.reason != REREAD, ~newer, _is_kept(message.c.body))
    return [Step("bodies", message, may, strip="body")]


def _runs(before: datetime) -> list[Step]:
    newest = select(func.max(run.c.id)).group_by(run.c.flow, run.c.step)
    return [Step("runs", run, (run.c.started_at < before) & run.c.ended_at.is_not(None) & run.c.id.not_in(newest))]


def _incidents(before: datetime) -> list[Step]:
    return [Step("incidents", incident, incident.c.at < before)]


def _alerts(before: datetime) -> list[Step]:
    over = and_(alert.c.open_dedupe.is_(None), alert.c.state != "pending", alert.c.created_at < before)
    return [*_below("alerts", alert, over), Step("alerts", alert, over)]


def _comparisons(before: datetime) -> list[Step]:
    newest = select(func.max(comparison.c.id)).group_by(comparison.c.pair)
    old = (comparison.c.at < before) & comparison.c.id.not_in(newest)
    return [*_below("comparisons", comparison, old), Step("comparisons", comparison, old)]


def _below(kind: str, parent: Table, leaves: ColumnElement[bool]) -> list[Step]:
    """Rows of whatever tables refer to rows that leave."""
    going: Select[Any] = select(parent.c.id).where(leaves)
    return [
        Step(kind, table, or_(*(key.parent.in_(going) for key in table.foreign_keys if key.column.table is parent)))
        for table in metadata.sorted_tables
        if any(key.column.table is parent for key in table.foreign_keys)
    ]


_MAKERS: Mapping[str, Callable[[datetime], list[Step]]] = {
    "events": _events,
    "receipts": _receipts,
    "deliveries": _deliveries,
    "documents": _documents,
    "messages": _messages,
    "bodies": _bodies,
    "runs": _runs,
    "incidents": _incidents,
    "alerts": _alerts,
    "comparisons": _comparisons,
}
