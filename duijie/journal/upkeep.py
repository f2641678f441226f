"""The log of what was done for the journal as a whole: backup, verify, restore, purge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from duijie import codec
from duijie.codec import Record
from duijie.journal.journal import Journal
from duijie.journal.tables_upkeep import upkeep

ASKS_FIRST = timedelta(days=30)


@dataclass(frozen=True)
class Done:
    """One such act: kind (backup, verify, restore, purge), when, who, where, and its figures."""

    kind: str
    at: datetime
    who: str
    place: str
    detail: Record


def note(journal: Journal, kind: str, who: str, place: str, detail: Record) -> None:
    """Write down that it was done."""
    row = {"kind": kind, "at": journal.now(), "who": who[:80], "place": place}
    with journal.writing() as tx:
        tx.execute(insert(upkeep).values(**row, detail=codec.encode_ordered(detail).decode()))


def last(journal: Journal, kind: str) -> Done | None:
    """The newest of a kind."""
    found = latest(journal, kind, 1)
    return found[0] if found else None


def latest(journal: Journal, kind: str = "", limit: int = 50) -> list[Done]:
    """The newest, of one kind or of all."""
    query = select(upkeep).order_by(upkeep.c.at.desc(), upkeep.c.id.desc()).limit(limit)
    with journal.reading() as tx:
        rows = tx.execute(query.where(upkeep.c.kind == kind) if kind else query).all()
    return [Done(row.kind, row.at, row.who, row.place, codec.decode(row.detail)) for row in rows]


def is_restored(journal: Journal) -> bool:
    """Whether the journal came from a backup so lately that targets may hold what it does not know of."""
    done = last(journal, "restore")
    return done is not None and journal.now() - done.at < ASKS_FIRST
