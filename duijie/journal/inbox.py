"""The inbox: raw records stored as sent, once, before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.journal.journal import Journal
from duijie.journal.tables import cursor, message


@dataclass(frozen=True)
class Message:
    """One stored raw record."""

    id: int
    key: str
    part: str
    body: bytes


@dataclass(frozen=True)
class Source:
    """Where records come from: one stream of one connection, one partition of it."""

    connection: str
    stream: str
    part: str = ""


def store(journal: Journal, source: Source, key_field: str, records: Sequence[Record]) -> int:
    """Keep the records that are new by (connection, stream, key, content); returns how many were."""
    rows = [_row(journal, source, key_field, record) for record in records]
    if not rows:
        return 0
    with journal.writing() as tx:
        return len(tx.execute(journal.insert_new(message).returning(message.c.id), rows).all())


def _row(journal: Journal, source: Source, key_field: str, record: Record) -> Record:
    hashed = codec.digest(record)
    key = record.get(key_field) if isinstance(record, dict) else None
    return {
        "connection": source.connection,
        "stream": source.stream,
        "part": source.part,
        "key": str(key if key not in (None, "") else f"?{hashed[:16]}")[:200],
        "hash": hashed,
        "body": codec.encode_ordered(record),
        "received_at": journal.now(),
    }


def waiting(journal: Journal, source: Source, limit: int, after: int = 0) -> list[Message]:
    """Messages of the stream that no mapping has seen yet, oldest first, all partitions."""
    query = (
        select(message.c.id, message.c.key, message.c.part, message.c.body)
        .where(message.c.connection == source.connection, message.c.stream == source.stream)
        .where(message.c.state == "new", message.c.id > after)
        .order_by(message.c.id)
        .limit(limit)
    )
    with journal.reading() as tx:
        return [Message(*row) for row in tx.execute(query)]


def settle(tx: Transaction, ids: Iterable[int], state: str, mapping: str, reason: str = "") -> None:
    """Record what became of messages."""
    chosen = list(ids)
    if chosen:
        values = {"state": state, "mapping": mapping, "reason": reason}
        tx.execute(update(message).where(message.c.id.in_(chosen)).values(**values))


def release(journal: Journal, source: Source, states: Sequence[str] = ("blocked", "malformed", "invalid")) -> int:
    """Give waiting messages back to the mapping: a code was added or a mapping corrected."""
    query = (
        update(message)
        .where(message.c.connection == source.connection, message.c.stream == source.stream)
        .where(message.c.state.in_(states))
        .values(state="new", reason="")
    )
    with journal.writing() as tx:
        return tx.execute(query).rowcount


def position(journal: Journal, source: Source) -> datetime | None:
    """How far this partition has been read."""
    with journal.reading() as tx:
        return tx.execute(select(cursor.c.position).where(*_is(source))).scalar_one_or_none()


def advance(journal: Journal, source: Source, to: datetime) -> None:
    """Move a partition's cursor; it never goes back."""
    values = {"connection": source.connection, "stream": source.stream, "part": source.part}
    with journal.writing() as tx:
        tx.execute(journal.insert_new(cursor).values(**values, position=to, changed_at=journal.now()))
        newer = update(cursor).where(*_is(source), cursor.c.position < to)
        tx.execute(newer.values(position=to, changed_at=journal.now()))


def _is(source: Source) -> tuple[ColumnElement[bool], ...]:
    return (
        cursor.c.connection == source.connection,
        cursor.c.stream == source.stream,
        cursor.c.part == source.part,
    )
