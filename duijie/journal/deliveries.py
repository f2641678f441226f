"""Deliveries: "this version of this document must be in that sink", and the machine that gets it there.

::

    pending → claimed → sent → done
       ↑         │        ├──→ rejected   the target said no (work item)
       │         │        └──→ unknown    crash, time-out, lost answer: ask before writing again
       │         └──→ blocked             a code is unmapped (work item)
       └── unknown, blocked, rejected go back here once asked, mapped or corrected
    superseded: a newer version of the same key waits · cancelled: not routed to this sink

`sent` is committed before the call leaves. Workers claim rows with a lease and renew it while they work; a lease that
ran out on `claimed` means the call never left (back to pending), on `sent` it means nobody knows (unknown). A claim
carries the row's turn: whoever's lease ran out finds the turn changed and can move nothing any more.

The database holds to the machine itself: it refuses a move that is not in `ALLOWED`, a second row of a key in flight at
one sink and a held row without a lease, and it writes every move into `delivery_event` (docs/journal.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, exists, func, select, update
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.journal import bulk
from duijie.journal.documents import Document, by_ids
from duijie.journal.journal import Journal
from duijie.journal.tables import IN_FLIGHT_STATES, delivery, document

HELD = ("blocked", "rejected")
KEPT = ("native_id", "native_no", "target_key", "mapping", "payload_hash")
LEASE = timedelta(seconds=120)

ALLOWED: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"claimed", "superseded", "cancelled"}),
    "claimed": frozenset({"sent", "pending", "blocked", "done", "rejected", "unknown", "superseded", "cancelled"}),
    "sent": frozenset({"done", "rejected", "unknown", "pending"}),
    "unknown": frozenset({"claimed"}),
    "blocked": frozenset({"pending", "superseded", "cancelled"}),
    "rejected": frozenset({"pending", "superseded", "cancelled"}),
    "done": frozenset(),
    "superseded": frozenset(),
    "cancelled": frozenset({"pending"}),
}


class Claim(NamedTuple):
    """A row as one worker took it: its id and the turn it took."""

    id: int
    turn: int


@dataclass(frozen=True)
class Delivery:
    """A claimed row with its document. `before` is the state it was claimed from, `target_key` what was sent under.

    `overtaken`: there is a row for a newer version of the document. `payload_hash`: of what left last.
    """

    id: int
    turn: int
    before: str
    attempts: int
    target_key: str
    overtaken: bool
    document: Document
    payload_hash: str = ""

    @property
    def claim(self) -> Claim:
        """What this worker may move it by."""
        return Claim(self.id, self.turn)


@dataclass(frozen=True)
class Delivered:
    """What a sink has got of a key: the document as it was sent and its name at the target."""

    document: Document
    native_id: str
    native_no: str
    target_key: str


@dataclass(frozen=True)
class Change:
    """What becomes of a delivery. `mapping` (name@version) and `payload_hash` say by what, and what, was sent.

    `by`: the person who decided it, else this worker.
    """

    after: str
    why: str = ""
    native_id: str = ""
    native_no: str = ""
    target_key: str = ""
    mapping: str = ""
    payload_hash: str = ""
    receipt: Record | None = None
    retry_in: float = 0.0
    by: str = ""


def claim(journal: Journal, sink: str, states: Sequence[str], limit: int) -> list[Delivery]:
    """Take due rows of a sink for this worker, longest waiting first; per key only the oldest unfinished one."""
    now = journal.now()
    with journal.writing() as tx:
        rows = tx.execute(_claimable(journal, sink, states, now, limit)).all()
        found = by_ids(tx, [row.document_id for row in rows])
        taken = {"state": "claimed", "turn": delivery.c.turn + 1, "worker": journal.who, "lease_until": now + LEASE}
        mine = update(delivery).where(bulk.among(tx, delivery.c.id, [row.id for row in rows]))
        if rows:
            tx.execute(mine.values(**taken, **_signed(journal, "") | {"changed_at": now}))
    return [_taken(row, found[row.document_id]) for row in rows]


def _taken(row: Row[Any], of: Document) -> Delivery:
    turn = row.turn + 1
    return Delivery(row.id, turn, row.state, row.attempts, row.target_key, row.overtaken, of, row.payload_hash)


def _claimable(
    journal: Journal, sink: str, states: Sequence[str], now: datetime, limit: int
) -> Select[tuple[object, ...]]:
    """In the order of the index and no finer, and `ahead` with a LIMIT: so PostgreSQL goes row by row and stops at
    `limit`. A sort, or an anti join, would go through the whole backlog for every batch. The other rows of a key are
    looked up by the key: the sink is compared so that no index of it looks as good to a planner without statistics.
    """
    other = delivery.alias("other")
    same = (other.c.entity == delivery.c.entity) & (other.c.key == delivery.c.key)
    same &= other.c.sink.concat("") == delivery.c.sink
    earlier = select(other.c.id).where(same, other.c.id < delivery.c.id)
    ahead = earlier.where(other.c.state.in_(("pending", *IN_FLIGHT_STATES))).limit(1).scalar_subquery()
    overtaken = exists().where(same, other.c.id > delivery.c.id).label("overtaken")
    names = ("id", "turn", "state", "attempts", "target_key", "payload_hash", "document_id")
    query = select(*(delivery.c[name] for name in names), overtaken)
    query = query.where(
        delivery.c.sink == sink, delivery.c.state.in_(states), delivery.c.due_at <= now, ahead.is_(None)
    )
    query = query.order_by(delivery.c.due_at).limit(limit)
    return query.with_for_update(skip_locked=True, of=delivery) if journal.is_postgres else query


def renew(journal: Journal, claims: Iterable[Claim]) -> None:
    """Lengthen the leases of rows that this worker still holds."""
    ids = [one.id for one in claims]
    with journal.writing() as tx:
        mine = update(delivery).where(bulk.among(tx, delivery.c.id, ids), delivery.c.worker == journal.who)
        tx.execute(mine.where(delivery.c.lease_until.is_not(None)).values(lease_until=journal.now() + LEASE))


def settle(journal: Journal, before: str, changes: Mapping[Claim, Change]) -> set[Claim]:
    """Move rows on, in one transaction, each from the state this worker left it in; returns those that were its own."""
    with journal.writing() as tx:
        return settle_in(tx, journal, before, changes)


def settle_in(tx: Transaction, journal: Journal, before: str, changes: Mapping[Claim, Change]) -> set[Claim]:
    """The same inside a transaction of the caller's (a work item belongs to it).

    A row that is no longer held by its claim is left alone: another worker has it now and asks the target.
    """
    for change in changes.values():
        if change.after not in ALLOWED[before]:
            raise ValueError(f"{before} → {change.after} is not a transition")
    held = _held_by(tx, journal, before, changes)
    _move(tx, journal, {one.id: changes[one] for one in held})
    return held


def _held_by(tx: Transaction, journal: Journal, before: str, claims: Iterable[Claim]) -> set[Claim]:
    wanted = set(claims)
    query = select(delivery.c.id, delivery.c.turn).where(bulk.among(tx, delivery.c.id, [one.id for one in wanted]))
    query = query.where(delivery.c.state == before)
    query = query.with_for_update() if journal.is_postgres else query  # on SQLite one writer is alone anyway
    return {Claim(*row) for row in tx.execute(query)} & wanted


def _move(tx: Transaction, journal: Journal, changes: Mapping[int, Change]) -> None:
    """One statement for all changes that set the same columns."""
    alike: dict[tuple[bool | str, ...], dict[int, Record]] = defaultdict(dict)
    for row_id, change in changes.items():
        values = _values(journal, change)
        alike[change.after == "sent", *values][row_id] = values
    for (is_sent, *_), rows in alike.items():
        counted = {"attempts": delivery.c.attempts + 1} if is_sent else {}
        bulk.update_all(tx, delivery, rows, **counted)


def _values(journal: Journal, change: Change) -> Record:
    values: Record = {"state": change.after, **_signed(journal, change.why, change.by)}
    values |= {name: value for name in KEPT if (value := getattr(change, name))}
    if change.receipt is not None:
        values["receipt"] = codec.encode(change.receipt)
    if change.after in ("pending", "unknown"):
        values["due_at"] = journal.now() + timedelta(seconds=change.retry_in)
    if change.after != "sent":
        values |= {"worker": "", "lease_until": None}
    return values


def _signed(journal: Journal, why: str, by: str = "") -> Record:
    """Who changes a row when, and why: what the database copies into its history."""
    return {"changed_at": journal.now(), "changed_by": (by or journal.who)[:120], "reason": why}


def recover(journal: Journal, sink: str) -> int:
    """Rows whose worker died: what was never sent goes round again, what was sent is unknown. Returns how many."""
    with journal.writing() as tx:
        return sum(_recover(tx, journal, sink, *each) for each in _RECOVERED)


# (state, ever sent, what becomes of it): a claimed row may have been unknown before, and must be asked for then.
_RECOVERED = (("claimed", False, "pending"), ("claimed", True, "unknown"), ("sent", True, "unknown"))


def _recover(tx: Transaction, journal: Journal, sink: str, before: str, was_sent: bool, after: str) -> int:
    dead = update(delivery).where(delivery.c.sink == sink, delivery.c.state == before)
    dead = dead.where(delivery.c.lease_until < journal.now(), (delivery.c.attempts > 0) == was_sent)
    values = _values(journal, Change(after, "工作进程中断, 租约到期"))
    return tx.execute(dead.values(**values)).rowcount


def next_due(journal: Journal, sink: str) -> datetime | None:
    """When the next waiting row of a sink may be claimed."""
    query = select(func.min(delivery.c.due_at)).where(delivery.c.sink == sink)
    with journal.reading() as tx:
        due: datetime | None = tx.execute(query.where(delivery.c.state.in_(("pending", "unknown")))).scalar_one()
    return due


def has_work(journal: Journal, sink: str) -> bool:
    """Whether a row of a sink may be claimed now, or taken over from a worker whose lease ran out."""
    now = journal.now()
    due = delivery.c.state.in_(("pending", "unknown")) & (delivery.c.due_at <= now)
    left = delivery.c.state.in_(("claimed", "sent")) & (delivery.c.lease_until < now)
    with journal.reading() as tx:
        return bool(tx.execute(select(exists().where(delivery.c.sink == sink, due | left))).scalar_one())


def release(journal: Journal, ids: Iterable[int], why: str, by: str = "") -> int:
    """Send blocked, rejected or cancelled rows round again: their cause was removed, `by` whom where it is a person."""
    with journal.writing() as tx:
        return release_in(tx, journal, ids, why, by)


def release_in(tx: Transaction, journal: Journal, ids: Iterable[int], why: str, by: str = "") -> int:
    """The same inside a transaction of the caller's (their work items belong to it)."""
    return _shift(tx, journal, delivery.c.id.in_(list(ids)), (*HELD, "cancelled"), Change("pending", why, by=by))


def cancel(journal: Journal, ids: Sequence[int], who: str, why: str) -> int:
    """Give up rows that wait, by a person's decision. Returns how many.

    Raises ConfigError, and cancels none, when one of them is with the target, may be there, or is finished.
    """
    with journal.writing() as tx:
        return cancel_in(tx, journal, ids, who, why)


def cancel_in(tx: Transaction, journal: Journal, ids: Sequence[int], who: str, why: str) -> int:
    """The same inside a transaction of the caller's (their work items belong to it)."""
    _refuse_unless_waiting(tx, ids)
    return _shift(tx, journal, delivery.c.id.in_(ids), CANCELLABLE, Change("cancelled", why, by=who))


CANCELLABLE = tuple(state for state, after in ALLOWED.items() if "cancelled" in after and state != "claimed")


def _refuse_unless_waiting(tx: Transaction, ids: Sequence[int]) -> None:
    query = select(delivery.c.id, delivery.c.key, delivery.c.sink, delivery.c.state).where(delivery.c.id.in_(ids))
    if others := tx.execute(query.where(delivery.c.state.not_in(CANCELLABLE))).all():
        named = "; ".join(f"{row.id} ({row.key} → {row.sink}) 为 {row.state}" for row in others[:5])
        raise ConfigError(
            f"不能取消: {named}; 已发出或结果未知的投递须先由系统查询清楚, 已完成的请在目标系统冲销",
            en=f"not cancelled: {named}; what was sent is asked for first, what is done is reversed at the target",
            where=str(others[0].id),
        )


def _shift(tx: Transaction, journal: Journal, rows: ColumnElement[bool], states: Sequence[str], change: Change) -> int:
    """Move rows that nobody holds."""
    waiting = update(delivery).where(rows, delivery.c.state.in_(states))
    return tx.execute(waiting.values(**_values(journal, change))).rowcount


def supersede(tx: Transaction, journal: Journal, sink: str, newer: Sequence[Document]) -> None:
    """Rows of earlier versions that wait give way to a newer one."""
    for one in newer:
        rows = (delivery.c.sink == sink) & (delivery.c.key == one.key) & (delivery.c.document_id != one.id)
        _shift(tx, journal, rows, ("pending", *HELD), Change("superseded", f"被第 {one.version} 版取代"))


def last_done(journal: Journal, sink: str, keys: Sequence[str]) -> dict[str, Delivered]:
    """By key, what a sink has got last."""
    newest = select(func.max(delivery.c.id)).where(delivery.c.sink == sink, delivery.c.state == "done")
    newest = newest.where(delivery.c.key.in_(keys)).group_by(delivery.c.key)
    query = select(delivery).where(delivery.c.id.in_(newest))
    with journal.reading() as tx:
        rows = tx.execute(query).all()
        found = by_ids(tx, [row.document_id for row in rows])
    return {r.key: Delivered(found[r.document_id], r.native_id, r.native_no, r.target_key) for r in rows}


def done_under(journal: Journal, sink: str, target_keys: Sequence[str]) -> dict[str, Delivered]:
    """By the key at the target, what a sink has got under it."""
    query = select(delivery).where(delivery.c.sink == sink, delivery.c.state == "done").order_by(delivery.c.id)
    with journal.reading() as tx:
        rows = tx.execute(query.where(bulk.among(tx, delivery.c.target_key, list(target_keys)))).all()
        found = by_ids(tx, [row.document_id for row in rows])
    return {r.target_key: Delivered(found[r.document_id], r.native_id, r.native_no, r.target_key) for r in rows}


def reached(journal: Journal, sink: str, keys: Sequence[str]) -> set[str]:
    """Those of the keys that a sink has got in some version, or may have."""
    query = select(delivery.c.key).where(delivery.c.sink == sink, delivery.c.key.in_(keys))
    with journal.reading() as tx:
        return set(tx.execute(query.where(delivery.c.state.in_(("done", *IN_FLIGHT_STATES)))).scalars())


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


def doubt(journal: Journal, why: str, by: str) -> int:
    """Have everything that is on its way asked for before it is written: the journal is older than the targets.

    Of a key only the oldest that waits: later ones wait for it. Returns how many became unknown.
    """
    other = delivery.alias("other")
    same = (other.c.sink == delivery.c.sink) & (other.c.key == delivery.c.key) & (other.c.id != delivery.c.id)
    ahead = same & (other.c.state.in_(IN_FLIGHT_STATES) | ((other.c.state == "pending") & (other.c.id < delivery.c.id)))
    held = {
        **_values(journal, Change("claimed", why, by=by)),
        "lease_until": journal.now(),
        "turn": delivery.c.turn + 1,
    }
    with journal.writing() as tx:
        tx.execute(update(delivery).where(delivery.c.state == "pending", ~exists().where(ahead)).values(**held))
        return _shift(tx, journal, delivery.c.id > 0, ("claimed", "sent"), Change("unknown", why, by=by))
