"""The inbox: raw records stored as sent, once, before anything is made of them.

A record is new when it differs from the last one received under its key. One that returns to an earlier content (a
stock of 10, then 8, then 10 again) is new as well, and so is one that two partitions have alike: its hash is then taken
over the content and the message (or partition) it follows, so that the table's unique key still lets each reading in
only once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.connect.records import kept, key_of
from duijie.journal import bulk
from duijie.journal.journal import Journal
from duijie.journal.tables import cursor, message

HELD = ("blocked", "malformed", "invalid")
REREAD = "等待重读"
ARCHIVED = "已归档"
OVERTAKEN = "已有更新的报文"


@dataclass(frozen=True)
class Message:
    """One stored raw record."""

    id: int
    key: str
    part: str
    body: bytes
    received_at: datetime


COLUMNS = tuple(message.c[name] for name in Message.__dataclass_fields__)


@dataclass(frozen=True)
class Source:
    """Where records come from: one stream of one connection, one partition of it."""

    connection: str
    stream: str
    part: str = ""


def store(journal: Journal, source: Source, key_field: str, records: Sequence[Record]) -> int:
    """Keep the records that differ from the last one received under their key; returns how many did."""
    return keep(journal, source, rows(journal, source, key_field, records))


def keep(journal: Journal, source: Source, rows: Sequence[Record]) -> int:
    """The same of rows that `rows` made."""
    if not rows:
        return 0
    with journal.writing() as tx:
        return store_rows(tx, journal, source, rows)


def store_rows(tx: Transaction, journal: Journal, source: Source, rows: Sequence[Record]) -> int:
    """The same in a transaction that is open, of rows that `row` made; returns how many were new."""
    return sum(_store(tx, journal, source, once) for once in _each_key_once(rows))


def _each_key_once(rows: Sequence[Record]) -> list[list[Record]]:
    """The rows in rounds that hold every key once, so that a key's contents are kept in the order they came."""
    rounds: list[list[Record]] = []
    seen: dict[str, int] = {}
    for row in rows:
        turn = seen[row["key"]] = seen.get(row["key"], -1) + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(row)
    return rounds


def _store(tx: Transaction, journal: Journal, source: Source, rows: Sequence[Record]) -> int:
    stored = {row.key for row in bulk.insert_new(tx, journal, message, rows, message.c.key)}
    seen_before = [row for row in rows if row["key"] not in stored]
    last = _last(tx, source, [row["key"] for row in seen_before])
    returned = [
        {**row, "hash": _following(row["hash"], before.id if before else f"part {source.part}")}
        for row, before in ((row, last.get(row["key"])) for row in seen_before)
        if before is None or not _says_the_same(tx, before, row["hash"])
    ]
    again = bulk.insert_new(tx, journal, message, returned, message.c.id) if returned else []
    return len(stored) + len(again)


def _last(tx: Transaction, source: Source, keys: Sequence[str]) -> dict[str, Any]:
    if not keys:
        return {}
    query = select(message.c.id, message.c.key, message.c.hash, message.c.reason)
    query = query.where(*_of(source), message.c.part == source.part, bulk.among(tx, message.c.key, keys), is_last())
    return {row.key: row for row in tx.execute(query)}


def _says_the_same(tx: Transaction, last: Any, hashed: str) -> bool:
    if last.reason == REREAD:
        return False
    if last.hash == hashed:
        return True
    body = tx.execute(select(message.c.body).where(message.c.id == last.id)).scalar_one()
    return codec.digest(codec.decode(body)) == hashed


def _following(hashed: str, what: int | str) -> str:
    return hashlib.sha256(f"{hashed} after {what}".encode()).hexdigest()


def is_last() -> ColumnElement[bool]:
    """Whether a message is the last one received under its key: what an earlier one says is out of date."""
    later = message.alias("later")
    names = ("connection", "stream", "part", "key")
    same = (later.c[name] == message.c[name] for name in names)
    return ~exists().where(*same, later.c.id > message.c.id)


def _of(source: Source) -> tuple[ColumnElement[bool], ...]:
    return message.c.connection == source.connection, message.c.stream == source.stream


def rows(journal: Journal, source: Source, key_field: str, records: Sequence[Record]) -> list[Record]:
    """Raw records as rows of `message`."""
    now = journal.now()
    keys = (record.get(key_field) if isinstance(record, dict) else None for record in records)
    return [row(source, key, record, now) for key, record in zip(keys, records, strict=True)]


def row(source: Source, key: Any, record: Any, received_at: datetime) -> Record:
    """A raw record as a row of `message`; one without a key is known by its content."""
    body, hashed = kept(record)
    return {
        "connection": source.connection,
        "stream": source.stream,
        "part": source.part,
        "key": key_of(key, hashed),
        "hash": hashed,
        "body": body,
        "received_at": received_at,
    }


def alone(tx: Transaction, journal: Journal, source: Source) -> None:
    """Let nobody else settle messages of this stream until the transaction ends."""
    if journal.is_postgres:  # on SQLite one writer is alone anyway
        name = f"{source.connection}/{source.stream}"
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def waiting(journal: Journal, source: Source, limit: int, after: int = 0) -> list[Message]:
    """Messages of the stream that no mapping has seen yet, oldest first, all partitions."""
    query = (
        select(*COLUMNS)
        .where(message.c.connection == source.connection, message.c.stream == source.stream)
        .where(message.c.state == "new", message.c.id > after)
        .order_by(message.c.id)
        .limit(limit)
    )
    with journal.reading() as tx:
        return [Message(*row) for row in tx.execute(query)]


def last(journal: Journal, source: Source, keys: Collection[str]) -> list[Message]:
    """The last messages of these keys in this partition, whatever their state."""
    query = select(*COLUMNS).where(*_of(source), message.c.part == source.part, is_last())
    with journal.reading() as tx:
        return [Message(*row) for row in tx.execute(query.where(bulk.among(tx, message.c.key, keys)))]


def still_waiting(tx: Transaction, ids: Collection[int]) -> set[int]:
    """Those of these messages that nobody has settled meanwhile."""
    query = select(message.c.id).where(bulk.among(tx, message.c.id, ids), message.c.state == "new")
    return set(tx.execute(query).scalars())


def still_last(tx: Transaction, ids: Collection[int]) -> set[int]:
    """Those of these messages that are the last ones under their keys."""
    return set(tx.execute(select(message.c.id).where(bulk.among(tx, message.c.id, ids), is_last())).scalars())


def waiting_before(tx: Transaction, ids: Collection[int]) -> set[int]:
    """The messages that no mapping has seen yet and that one of these follows under the same key."""
    later = message.alias("later")
    same = (later.c[name] == message.c[name] for name in ("connection", "stream", "part", "key"))
    query = select(message.c.id).join(later, and_(*same, message.c.id < later.c.id))
    return set(tx.execute(query.where(bulk.among(tx, later.c.id, ids), message.c.state == "new")).scalars())


def settle(tx: Transaction, ids: Iterable[int], state: str, mapping: str, reason: str = "") -> None:
    """Record what became of messages."""
    chosen = list(ids)
    if chosen:
        values = {"state": state, "mapping": mapping, "reason": reason}
        tx.execute(update(message).where(bulk.among(tx, message.c.id, chosen)).values(**values))


def held(journal: Journal, source: Source, keys: Sequence[str]) -> list[int]:
    """Ids of the messages that `release_keys` would give back."""
    query = select(message.c.id).where(*_of(source), _held(keys), is_last()).order_by(message.c.id)
    with journal.reading() as tx:
        return list(tx.execute(query).scalars())


def release_keys(journal: Journal, source: Source, keys: Sequence[str]) -> int:
    """Give the last message of these keys (all partitions) back to the mapping where it waits; drop earlier ones."""
    mine = (*_of(source), _held(keys))
    with journal.writing() as tx:
        return _release(tx, mine)


def release(journal: Journal, source: Source, states: Sequence[str] = HELD) -> int:
    """The same for everything of the stream that waits: a code was added or a mapping corrected."""
    with journal.writing() as tx:
        return _release(tx, (*_of(source), message.c.state.in_(states)))


def _release(tx: Transaction, mine: tuple[ColumnElement[bool], ...]) -> int:
    tx.execute(update(message).where(*mine, ~is_last()).values(state="skipped", reason=OVERTAKEN))
    return tx.execute(update(message).where(*mine, is_last()).values(state="new", reason="")).rowcount


def _held(keys: Sequence[str]) -> ColumnElement[bool]:
    return message.c.key.in_(keys) & message.c.state.in_(HELD)


def read_again(journal: Journal, source: Source, ids: Sequence[int]) -> int:
    """Have figures read again: these messages count for nothing, and the next pull begins at the flow's `since`.

    Returns how many messages were given up. Whatever the next pull brings under their keys is new, changed or not.
    """
    mine = (*_of(source), message.c.id.in_(ids))
    with journal.writing() as tx:
        parts = select(message.c.part).where(*mine).distinct()
        given_up = tx.execute(update(message).where(*mine).values(state="skipped", reason=REREAD)).rowcount
        here = cursor.c.connection == source.connection, cursor.c.stream == source.stream
        tx.execute(delete(cursor).where(*here, cursor.c.part.in_(parts)))
        return given_up


def position(journal: Journal, source: Source) -> datetime | None:
    """How far this partition has been read."""
    with journal.reading() as tx:
        return tx.execute(select(cursor.c.position).where(*_is(source))).scalar_one_or_none()


def advance(journal: Journal, source: Source, to: datetime, since: datetime | None = None) -> None:
    """Move a partition's cursor on; it does not go back.

    `since` is where this reading found it: a cursor that was taken away meanwhile (`read_again`) stays away.
    """
    values = {"connection": source.connection, "stream": source.stream, "part": source.part}
    with journal.writing() as tx:
        if since is None:
            tx.execute(journal.insert_new(cursor).values(**values, position=to, changed_at=journal.now()))
        newer = update(cursor).where(*_is(source), cursor.c.position < to)
        tx.execute(newer.values(position=to, changed_at=journal.now()))


def set_back(journal: Journal, source: Source, to: datetime) -> None:
    """Bring a cursor back that is ahead of the clock by which it is moved."""
    ahead = update(cursor).where(*_is(source), cursor.c.position > to)
    with journal.writing() as tx:
        tx.execute(ahead.values(position=to, changed_at=journal.now()))


def _is(source: Source) -> tuple[ColumnElement[bool], ...]:
    return (
        cursor.c.connection == source.connection,
        cursor.c.stream == source.stream,
        cursor.c.part == source.part,
    )
