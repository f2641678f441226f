"""What a sweep keeps: how far it has come in each partition, which keys were missed, what was found to be gone.

One pass a day goes through the messages in the order received. A key that is missed once waits in `missed`; missed
twice it gets a tombstone, unless anything was received under it meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, select
from sqlalchemy import Connection as Transaction

from duijie.journal import tombstones
from duijie.journal.inbox import COLUMNS, Message, Source, is_last
from duijie.journal.journal import Journal
from duijie.journal.tables import document, message
from duijie.journal.tables_sweep import missed, sweep

PASS = timedelta(days=1)


@dataclass(frozen=True)
class Roll:
    """How far a pass has come (`position`: a message's id, 0 between two passes) and when it goes on."""

    position: int
    begun_at: datetime
    due_at: datetime
    refused: int = 0

    def moved(self, upto: int, now: datetime, rest: timedelta, is_refused: bool) -> Roll:
        """After a batch; `upto` 0: it was the last of its pass."""
        begun = self.begun_at if self.position else now
        refused = (self.refused if self.position else 0) + is_refused
        due = now + rest if upto else max(begun + PASS, now + rest)
        return Roll(upto, begun, due, refused)


@dataclass(frozen=True)
class Found:
    """What asking has found: keys that their source shows, keys missed for the first time, messages that are gone."""

    shown: Collection[str]
    missed: Collection[str]
    gone: Sequence[Message]


def roll(journal: Journal, source: Source) -> Roll:
    """Where the sweep of a partition stands; one that never began is due."""
    query = select(sweep.c.position, sweep.c.begun_at, sweep.c.due_at, sweep.c.refused)
    with journal.reading() as tx:
        row = tx.execute(query.where(*_is(sweep, source))).first()
    return Roll(*row) if row else Roll(0, journal.now(), journal.now())


def following(
    journal: Journal, source: Source, after: int, since: datetime, until: datetime, limit: int
) -> list[Message]:
    """The next mapped messages, each the last under its key, received in a window; oldest first."""
    received = message.c.received_at
    query = _live(source).where(message.c.id > after, received >= since, received <= until)
    with journal.reading() as tx:
        return [Message(*row) for row in tx.execute(query.order_by(message.c.id).limit(limit))]


def again(journal: Journal, source: Source, until: datetime, limit: int) -> list[Message]:
    """The last messages of the keys that were missed up to a moment."""
    keys = select(missed.c.key).where(*_is(missed, source), missed.c.asked_at <= until)
    query = _live(source).where(message.c.key.in_(keys.order_by(missed.c.asked_at).limit(limit)))
    with journal.reading() as tx:
        return [Message(*row) for row in tx.execute(query)]


def drop_stale(tx: Transaction, source: Source, until: datetime) -> None:
    """Forget keys missed long ago: what was received under them since is not mapped, or they are too old to ask for."""
    tx.execute(delete(missed).where(*_is(missed, source), missed.c.asked_at < until))


def keep(journal: Journal, source: Source, found: Found, now: datetime, moved: Roll | None) -> int:
    """Write down what asking has found, all or nothing; returns how many tombstones there are."""
    with journal.writing() as tx:
        buried = _bury(tx, journal, source, found.gone, now)
        over = [*found.shown, *(one.key for one in found.gone)]
        tx.execute(delete(missed).where(*_is(missed, source), missed.c.key.in_(over)))
        drop_stale(tx, source, now - 2 * PASS)
        if found.missed:
            rows = [_named(source) | {"key": key, "asked_at": now} for key in found.missed]
            tx.execute(journal.insert_new(missed), rows)
        if moved is not None:
            _move(tx, journal, source, moved)
    return buried


def _bury(tx: Transaction, journal: Journal, source: Source, gone: Sequence[Message], now: datetime) -> int:
    """A tombstone for each that is still the last under its key and has a document that counts."""
    keys = [one.key for one in gone]
    query = select(missed.c.key, missed.c.asked_at).where(*_is(missed, source), missed.c.key.in_(keys))
    since = {key: at for key, at in tx.execute(query)}
    last = set(tx.execute(select(message.c.id).where(message.c.id.in_([one.id for one in gone]), is_last())).scalars())
    behind = _behind(tx, source, keys)
    rows = [
        tombstones.row(source, replace(one, body=behind[one.key]), since[one.key], now)
        for one in gone
        if one.id in last and one.key in since and one.key in behind
    ]
    made = [one for one in rows if one]
    if made:
        tx.execute(journal.insert_new(message), made)
    return len(made)


def _behind(tx: Transaction, source: Source, keys: Sequence[str]) -> Mapping[str, bytes]:
    """By key, the raw body of the newest message that a current document of this partition was made of."""
    query = select(message.c.key, message.c.body).join(document, document.c.message_id == message.c.id)
    query = query.where(*_is(message, source), message.c.key.in_(keys), document.c.current)
    return {key: body for key, body in tx.execute(query.order_by(message.c.id))}


def _move(tx: Transaction, journal: Journal, source: Source, moved: Roll) -> None:
    values = {name: getattr(moved, name) for name in Roll.__dataclass_fields__}
    tx.execute(journal.insert_new(sweep).values(**_named(source), **values))
    tx.execute(sweep.update().where(*_is(sweep, source)).values(**values))


def _live(source: Source) -> Select[Any]:
    return select(*COLUMNS).where(*_is(message, source), message.c.state == "mapped", is_last())


def _named(source: Source) -> dict[str, str]:
    return {"connection": source.connection, "stream": source.stream, "part": source.part}


def _is(table: Table, source: Source) -> tuple[ColumnElement[bool], ...]:
    return tuple(table.c[name] == value for name, value in _named(source).items())
