"""What a replay leaves behind: who, when, why, what was asked for, and the counts, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection as Transaction
from sqlalchemy import insert, select, update

from duijie import codec
from duijie.journal.journal import Journal
from duijie.journal.tables import replay


@dataclass(frozen=True)
class Trace:
    """The head of a replay; `mapping` is the stamp it maps by."""

    flow: str
    stream: str
    who: str
    why: str
    wanted: str
    mapping: str


@contextmanager
def replaying(journal: Journal, head: Trace) -> Iterator[int]:
    """A row that is there from the beginning and has an end only when the replay came to it."""
    with journal.writing() as tx:
        new = insert(replay).values(**asdict(head), started_at=journal.now()).returning(replay.c.id)
        row_id = int(tx.execute(new).scalar_one())
    yield row_id
    with journal.writing() as tx:
        tx.execute(update(replay).where(replay.c.id == row_id).values(ended_at=journal.now()))


def count(tx: Transaction, row_id: int, counts: Mapping[str, int]) -> None:
    """Keep the counts so far, in the transaction of what they count."""
    tx.execute(update(replay).where(replay.c.id == row_id).values(counts=codec.encode_ordered(dict(counts)).decode()))


@dataclass(frozen=True)
class Replayed(Trace):
    """A replay that was begun; without an end it is under way or was cut off."""

    id: int
    started_at: datetime
    ended_at: datetime | None
    counts: dict[str, int]


def replays(journal: Journal, limit: int = 50) -> list[Replayed]:
    """The newest replays."""
    query = select(replay).order_by(replay.c.id.desc()).limit(limit)
    with journal.reading() as tx:
        return [Replayed(**{**row, "counts": codec.decode(row["counts"])}) for row in tx.execute(query).mappings()]
