"""Deliveries: "this version of this document must be in that sink", and the machine that gets it there.

::

    pending → claimed → sent → done
       ↑         │        ├──→ rejected   the target said no (work item)
       │         │        └──→ unknown    crash, time-out, lost answer: ask before writing again
       │         └──→ blocked             a code is unmapped (work item)
       └── unknown, blocked, rejected go back here once asked, mapped or corrected
    superseded: a newer version of the same key waits · cancelled: not routed to this sink

`sent` is committed before the call leaves. Workers claim rows with a lease; an expired lease on `claimed` means the
call never left (back to pending), on `sent` it means nobody knows (unknown).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection as Transaction
from sqlalchemy import Select, and_, exists, func, insert, select, update

from duijie import codec
from duijie.codec import Record
from duijie.journal.documents import Document, by_ids
from duijie.journal.journal import Journal
from duijie.journal.tables import delivery, delivery_event, document

HELD = ("blocked", "rejected")
KEPT = ("native_id", "native_no", "target_key", "mapping", "payload_hash")
LEASE = timedelta(seconds=120)

ALLOWED: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"claimed", "superseded", "cancelled"}),
    "claimed": frozenset({"sent", "pending", "blocked", "done", "rejected", "unknown", "cancelled"}),
    "sent": frozenset({"done", "rejected", "unknown", "pending"}),
    "unknown": frozenset({"claimed"}),
    "blocked": frozenset({"pending", "superseded", "cancelled"}),
    "rejected": frozenset({"pending", "superseded", "cancelled"}),
    "done": frozenset(),
    "superseded": frozenset(),
    "cancelled": frozenset({"pending"}),
}


@dataclass(frozen=True)
class Delivery:
    """A claimed row with its document. `before` is the state it was claimed from."""

    id: int
    before: str
    attempts: int
    document: Document


@dataclass(frozen=True)
class Delivered:
    """What a sink has got of a key: the document as it was sent and its name at the target."""

    document: Document
    native_id: str
    native_no: str


@dataclass(frozen=True)
class Change:
    """What becomes of a delivery. `mapping` (name@version) and `payload_hash` say by what, and what, was sent."""

    after: str
    why: str = ""
    native_id: str = ""
    native_no: str = ""
    target_key: str = ""
    mapping: str = ""
    payload_hash: str = ""
    receipt: Record | None = None
    retry_in: float = 0.0


def unplanned(journal: Journal, entity: str, sink: str) -> list[Document]:
    """Current documents of an entity that have no row for this sink."""
    has_row = exists().where(delivery.c.document_id == document.c.id, delivery.c.sink == sink)
    query = select(document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)
    query = query.where(document.c.entity == entity, document.c.current, ~has_row).order_by(document.c.id)
    with journal.reading() as tx:
        return [Document.of(row) for row in tx.execute(query)]


def plan(journal: Journal, flow: str, sink: str, wanted: Sequence[tuple[Document, int]], state: str = "pending") -> int:
    """Make rows for (document, amount in fen); older waiting versions of the same key are superseded."""
    if not wanted:
        return 0
    with journal.writing() as tx:
        _supersede(tx, journal, sink, [document for document, _ in wanted if document.version > 1])
        rows = [_planned(journal, flow, sink, document, amount, state) for document, amount in wanted]
        return len(tx.execute(journal.insert_new(delivery).returning(delivery.c.id), rows).all())


def _planned(journal: Journal, flow: str, sink: str, document: Document, amount: int, state: str) -> Record:
    now = journal.now()
    return {
        "document_id": document.id,
        "entity": document.entity,
        "key": document.key,
        "sink": sink,
        "flow": flow,
        "state": state,
        "amount": amount,
        "due_at": now,
        "created_at": now,
        "changed_at": now,
    }


def _supersede(tx: Transaction, journal: Journal, sink: str, newer: Sequence[Document]) -> None:
    waiting = ("pending", "blocked", "rejected")
    for one in newer:
        query = select(delivery.c.id, delivery.c.state).where(delivery.c.sink == sink, delivery.c.key == one.key)
        query = query.where(delivery.c.state.in_(waiting), delivery.c.document_id != one.id)
        for row in tx.execute(query).all():
            _move(tx, journal, row.id, row.state, Change("superseded", f"被第 {one.version} 版取代"))


def claim(journal: Journal, sink: str, states: Sequence[str], limit: int) -> list[Delivery]:
    """Take due rows of a sink for this worker; per key only the oldest unfinished one."""
    now = journal.now()
    with journal.writing() as tx:
        rows = tx.execute(_claimable(journal, sink, states, now, limit)).all()
        documents = by_ids(tx, [row.document_id for row in rows])
        for row in rows:
            _move(tx, journal, row.id, row.state, Change("claimed"), worker=journal.who, lease_until=now + LEASE)
        return [Delivery(row.id, row.state, row.attempts, documents[row.document_id]) for row in rows]


def _claimable(
    journal: Journal, sink: str, states: Sequence[str], now: datetime, limit: int
) -> Select[tuple[object, ...]]:
    earlier = delivery.alias("earlier")
    busy = exists().where(
        and_(
            earlier.c.sink == delivery.c.sink,
            earlier.c.key == delivery.c.key,
            earlier.c.id < delivery.c.id,
            earlier.c.state.in_(("pending", "claimed", "sent", "unknown")),
        )
    )
    query = select(delivery.c.id, delivery.c.state, delivery.c.attempts, delivery.c.document_id)
    query = query.where(delivery.c.sink == sink, delivery.c.state.in_(states), delivery.c.due_at <= now, ~busy)
    query = query.order_by(delivery.c.id).limit(limit)
    return query.with_for_update(skip_locked=True, of=delivery) if journal.is_postgres else query


def settle(journal: Journal, before: str, changes: Mapping[int, Change]) -> None:
    """Move rows on, in one transaction, each from the state this worker left it in."""
    with journal.writing() as tx:
        settle_in(tx, journal, before, changes)


def settle_in(tx: Transaction, journal: Journal, before: str, changes: Mapping[int, Change]) -> None:
    """The same inside a transaction of the caller's (a work item belongs to it)."""
    for row_id, change in changes.items():
        _move(tx, journal, row_id, before, change)


def _move(tx: Transaction, journal: Journal, row_id: int, before: str, change: Change, **extra: object) -> None:
    if change.after not in ALLOWED[before]:
        raise ValueError(f"delivery {row_id}: {before} → {change.after} is not a transition")
    now = journal.now()
    values: dict[str, object] = {"state": change.after, "changed_at": now, "reason": change.why, **extra}
    values |= {name: value for name in KEPT if (value := getattr(change, name))}
    if change.receipt is not None:
        values["receipt"] = codec.encode(change.receipt)
    if change.after == "pending":
        values |= {"due_at": now + timedelta(seconds=change.retry_in), "worker": "", "lease_until": None}
    if change.after == "unknown":
        values["due_at"] = now + timedelta(seconds=change.retry_in)
    if change.after == "sent":
        values["attempts"] = delivery.c.attempts + 1
    mine = update(delivery).where(delivery.c.id == row_id, delivery.c.state == before)
    if tx.execute(mine.values(**values)).rowcount != 1:
        return
    event = {"delivery_id": row_id, "at": now, "before": before, "after": change.after}
    tx.execute(insert(delivery_event).values(**event, who=journal.who, why=change.why))


def recover(journal: Journal, sink: str) -> int:
    """Rows whose worker died: claimed ones never left, sent ones are unknown. Returns how many."""
    query = select(delivery.c.id, delivery.c.state).where(delivery.c.sink == sink)
    query = query.where(delivery.c.state.in_(("claimed", "sent")), delivery.c.lease_until < journal.now())
    with journal.writing() as tx:
        rows = tx.execute(query).all()
        for row in rows:
            after = "unknown" if row.state == "sent" else "pending"
            _move(tx, journal, row.id, row.state, Change(after, "工作进程中断, 租约到期"))
        return len(rows)


def next_due(journal: Journal, sink: str) -> datetime | None:
    """When the next waiting row of a sink may be claimed."""
    query = select(func.min(delivery.c.due_at)).where(delivery.c.sink == sink)
    with journal.reading() as tx:
        due: datetime | None = tx.execute(query.where(delivery.c.state.in_(("pending", "unknown")))).scalar_one()
    return due


def release(journal: Journal, ids: Iterable[int], why: str) -> int:
    """Send blocked or rejected rows round again: their cause was removed."""
    query = select(delivery.c.id, delivery.c.state).where(delivery.c.id.in_(list(ids)))
    with journal.writing() as tx:
        rows = tx.execute(query.where(delivery.c.state.in_(("blocked", "rejected", "cancelled")))).all()
        for row in rows:
            _move(tx, journal, row.id, row.state, Change("pending", why))
        return len(rows)


def last_done(journal: Journal, sink: str, keys: Sequence[str]) -> dict[str, Delivered]:
    """By key, what a sink has got last."""
    newest = select(func.max(delivery.c.id)).where(delivery.c.sink == sink, delivery.c.state == "done")
    newest = newest.where(delivery.c.key.in_(keys)).group_by(delivery.c.key)
    query = select(delivery).where(delivery.c.id.in_(newest))
    with journal.reading() as tx:
        rows = tx.execute(query).all()
        found = by_ids(tx, [row.document_id for row in rows])
        return {row.key: Delivered(found[row.document_id], row.native_id, row.native_no) for row in rows}


def waiting_of(journal: Journal, flow: str, entity: str, keys: Sequence[str]) -> list[int]:
    """Ids of a flow's rows that wait for a person, for the current documents of these keys, whatever the sink."""
    query = select(delivery.c.id).join(document, document.c.id == delivery.c.document_id)
    query = query.where(delivery.c.flow == flow, delivery.c.entity == entity, delivery.c.key.in_(keys))
    query = query.where(document.c.current, delivery.c.state.in_(HELD)).order_by(delivery.c.id)
    with journal.reading() as tx:
        return list(tx.execute(query).scalars())


def waiting_ids(journal: Journal, sink: str, states: Sequence[str]) -> list[int]:
    """Ids of a sink's rows in these states."""
    query = select(delivery.c.id).where(delivery.c.sink == sink, delivery.c.state.in_(states))
    with journal.reading() as tx:
        return list(tx.execute(query).scalars())


def keys_done(journal: Journal, sink: str) -> list[tuple[str, str]]:
    """(document key, key at the target) of everything delivered to a sink."""
    query = select(delivery.c.key, delivery.c.target_key).where(delivery.c.sink == sink, delivery.c.state == "done")
    with journal.reading() as tx:
        return [(row.key, row.target_key) for row in tx.execute(query.order_by(delivery.c.id))]
