"""The journal's account of invoice files: what is kept, what is waited for, what was sent again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection as Transaction
from sqlalchemy import select

from duijie.journal import Journal
from duijie.journal.tables_originals import original, original_wait

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True)
class Kept:
    """One file in the archive. `source`: the connection, folder or mailbox; `faults`: why it may not be relied on."""

    entity: str
    key: str
    kind: str
    sha256: str
    size: int
    place: str
    source: str
    number: str = ""
    faults: str = ""


@dataclass(frozen=True)
class Wait:
    """A file that could not be had yet."""

    tries: int
    due_at: datetime
    reason: str


def note(tx: Transaction, journal: Journal, one: Kept) -> bool:
    """Write a kept file down; returns whether it is new. What was waited for is there."""
    row = {name: getattr(one, name) for name in Kept.__dataclass_fields__}
    done = tx.execute(journal.insert_new(original).values(**row, at=journal.now()).returning(original.c.id))
    forget(tx, one.entity, one.key, one.kind)
    return done.first() is not None


def of(journal: Journal, entity: str, key: str) -> list[Kept]:
    """The files of a document, oldest first."""
    query = _COLUMNS.where(original.c.entity == entity, original.c.key == key)
    with journal.reading() as tx:
        return [Kept(*row) for row in tx.execute(query.order_by(original.c.id))]


def every(journal: Journal, number: str = "") -> Iterable[Kept]:
    """All kept files, or those of one invoice number, oldest first."""
    query = _COLUMNS.where(original.c.number == number) if number else _COLUMNS
    with journal.reading() as tx:
        yield from (Kept(*row) for row in tx.execute(query.order_by(original.c.id)))


def is_kept(tx: Transaction, sha256: str) -> bool:
    """Whether the very same bytes are kept already."""
    return tx.execute(select(original.c.id).where(original.c.sha256 == sha256).limit(1)).first() is not None


def waits(journal: Journal, entity: str, key: str) -> dict[str, Wait]:
    """What of a document's files is waited for, by kind."""
    mine = (original_wait.c.entity == entity, original_wait.c.key == key)
    query = select(original_wait.c.kind, original_wait.c.tries, original_wait.c.due_at, original_wait.c.reason)
    with journal.reading() as tx:
        return {row.kind: Wait(row.tries, row.due_at, row.reason) for row in tx.execute(query.where(*mine))}


def put_off(tx: Transaction, journal: Journal, entity: str, key: str, kind: str, wait: Wait | None, reason: str) -> int:
    """One more try failed: the next is twice as far off. Returns how many tries there were."""
    tries = wait.tries + 1 if wait else 1
    due = journal.now() + min(FIRST_WAIT * 2 ** min(tries - 1, 16), LONGEST_WAIT)
    row = {"entity": entity, "key": key, "kind": kind, "tries": tries, "due_at": due, "reason": reason}
    fresh = {name: row[name] for name in ("tries", "due_at", "reason")}
    keys = [original_wait.c.entity, original_wait.c.key, original_wait.c.kind]
    insert = journal.insert_into(original_wait).values(**row)
    tx.execute(insert.on_conflict_do_update(index_elements=keys, set_=fresh))
    return tries


def forget(tx: Transaction, entity: str, key: str, kind: str) -> None:
    """Nothing is waited for any more."""
    mine = (original_wait.c.entity == entity, original_wait.c.key == key, original_wait.c.kind == kind)
    tx.execute(original_wait.delete().where(*mine))


_COLUMNS = select(*(original.c[name] for name in Kept.__dataclass_fields__))
