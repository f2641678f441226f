"""When a number that a platform has taken is asked for: soon, then more and more rarely, many in one call.

The first question comes a few seconds after the request (诺诺开放平台 asks for 3 to 5), each further one after twice
the time. A callback makes a key due at once through its hint; either way it is the platform's own answer that counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import exists, func, select, update

from duijie.flow import Poll
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal, bulk, pushes
from duijie.journal.documents import ORIGINS, Document
from duijie.journal.tables import delivery, document, link
from duijie.journal.tables_invoicing import poll

BATCH = 500
BREATH = timedelta(seconds=10)
PEOPLE = ("waiting_login", "waiting_confirmation")


@dataclass(frozen=True)
class Result:
    """What became of a delivered key that nobody has dealt with yet."""

    key: str
    times: int
    document: Document


def track(journal: Journal, step: Poll) -> None:
    """Remember what was delivered since the last look."""
    known = exists().where(poll.c.sink == delivery.c.sink, poll.c.key == delivery.c.target_key)
    query = select(delivery.c.target_key, func.min(delivery.c.changed_at).label("at")).group_by(delivery.c.target_key)
    query = query.where(delivery.c.sink == step.sink, delivery.c.state == "done", delivery.c.target_key != "", ~known)
    with journal.writing() as tx:
        fresh = tx.execute(query).all()
        for start in range(0, len(fresh), BATCH):
            rows = [
                {"sink": step.sink, "key": row.target_key, "times": 0, "due_at": row.at + _pause(step, 0),
                 "since": row.at, "is_open": True}
                for row in fresh[start : start + BATCH]
            ]  # fmt: skip
            bulk.insert_new(tx, journal, poll, rows, poll.c.key)


def due(journal: Journal, step: Poll) -> list[str]:
    """The keys to ask for now, those first that wait longest."""
    query = select(poll.c.key).where(poll.c.sink == step.sink, poll.c.is_open, poll.c.due_at <= journal.now())
    with journal.reading() as tx:
        return list(tx.execute(query.order_by(poll.c.due_at)).scalars())


def has_work(journal: Journal, step: Poll) -> bool:
    """Whether a key is to be asked for now, or was hinted at, or delivered and not remembered yet."""
    known = exists().where(poll.c.sink == delivery.c.sink, poll.c.key == delivery.c.target_key)
    fresh = exists().where(
        delivery.c.sink == step.sink, delivery.c.state == "done", delivery.c.target_key != "", ~known
    )
    ready = exists().where(poll.c.sink == step.sink, poll.c.is_open, poll.c.due_at <= journal.now())
    with journal.reading() as tx:
        hinted = pushes.is_waiting(tx, journal.now(), step.connection, step.stream)
        return hinted or bool(tx.execute(select(ready)).scalar_one()) or bool(tx.execute(select(fresh)).scalar_one())


def results(journal: Journal, step: Poll) -> Iterator[Sequence[Result]]:
    """Open keys whose result is newer than what was dealt with, in batches."""
    after = ""
    while rows := _open_after(journal, step, after):
        if batch := _results(journal, step, rows):
            yield batch
        after = rows[-1].key


def _open_after(journal: Journal, step: Poll, after: str) -> Sequence[Any]:
    query = select(poll.c.key, poll.c.times, poll.c.seen).where(poll.c.sink == step.sink, poll.c.is_open)
    with journal.reading() as tx:
        return tx.execute(query.where(poll.c.key > after).order_by(poll.c.key).limit(BATCH)).all()


def _results(journal: Journal, step: Poll, rows: Sequence[Any]) -> list[Result]:
    """By the keys themselves, one table after the other: in one join SQLite goes through every result there ever was.

    A result has the key that was asked for, or is linked to it.
    """
    with journal.reading() as tx:
        named = [*_issued_for(tx, step, [row.key for row in rows]), *((row.key, row.key) for row in rows)]
        told = {one.key: one for one in _told(tx, step, {key for _, key in named})}
    polled = {row.key: row for row in rows}
    found: dict[str, Result] = {}
    for asked, key in named:
        if key in told and told[key].id > polled[asked].seen:
            found[asked] = Result(asked, polled[asked].times, told[key])
    return [found[key] for key in sorted(found)]


def _issued_for(tx: Transaction, step: Poll, keys: Sequence[str]) -> list[tuple[str, str]]:
    kind, sources, _ = ORIGINS["invoice"]
    query = select(link.c.from_key, link.c.to_key).where(link.c.kind == kind, link.c.from_entity.in_(sources))
    query = query.where(link.c.to_entity == step.entity, bulk.among(tx, link.c.from_key, keys))
    return [(row.from_key, row.to_key) for row in tx.execute(query.order_by(link.c.id))]


def _told(tx: Transaction, step: Poll, keys: Collection[str]) -> Iterator[Document]:
    query = select(document).where(document.c.entity == step.entity, document.c.current)
    return map(Document.of, tx.execute(query.where(bulk.among(tx, document.c.key, keys))))


def settle(tx: Transaction, step: Poll, result: Result, at: datetime, is_open: bool) -> None:
    """A result was dealt with; a key whose status has moved is asked for soon again."""
    moved = {"seen": result.document.id, "status": str(result.document.body["status"]), "is_open": is_open}
    if is_open:
        moved |= {"times": 1, "due_at": at + _pause(step, 1)}
    tx.execute(update(poll).where(poll.c.sink == step.sink, poll.c.key == result.key).values(**moved))


def postpone(journal: Journal, step: Poll, keys: Collection[str], rules: LifeRules) -> None:
    """These were asked for and are still open: each is asked again after twice its last pause."""
    longest = timedelta(minutes=rules.longest_poll_minutes)
    now = journal.now()
    with journal.writing() as tx:
        rows = tx.execute(_open(step).where(bulk.among(tx, poll.c.key, list(keys)), poll.c.due_at <= now)).all()
        by_times: dict[int, list[str]] = {}
        for row in rows:
            by_times.setdefault(row.times + 1, []).append(row.key)
        for times, some in by_times.items():
            mine = update(poll).where(poll.c.sink == step.sink, bulk.among(tx, poll.c.key, some))
            tx.execute(mine.values(times=times, due_at=now + min(_pause(step, times), longest)))


def reopen(tx: Transaction, journal: Journal, sink: str, key: str, seconds: int) -> None:
    """Ask for a key again, from the beginning."""
    now = journal.now()
    mine = update(poll).where(poll.c.sink == sink, poll.c.key == key)
    tx.execute(mine.values(is_open=True, times=0, since=now, due_at=now + timedelta(seconds=seconds)))


def times(journal: Journal, step: Poll, key: str) -> int:
    """How often a key was asked for since it was last (re)opened."""
    with journal.reading() as tx:
        asked = tx.execute(select(poll.c.times).where(poll.c.sink == step.sink, poll.c.key == key)).scalar()
    return int(asked or 0)


def outstanding(journal: Journal, step: Poll) -> tuple[int, int]:
    """(How many the platform has yet to answer, in how many seconds the next of them is due).

    What waits for people (a login, a confirmation) is asked for as well and not counted: no worker waits for it.
    """
    query = select(func.count(), func.min(poll.c.due_at)).where(poll.c.sink == step.sink, poll.c.is_open)
    with journal.reading() as tx:
        count, first = tx.execute(query.where(poll.c.status.not_in(PEOPLE))).one()
    left = (first - journal.now()).total_seconds() if first else 0.0
    return int(count), max(int(left + 0.999), 0)


def _open(step: Poll) -> Any:
    return select(poll.c.key, poll.c.times).where(poll.c.sink == step.sink, poll.c.is_open)


def _pause(step: Poll, times: int) -> timedelta:
    return timedelta(seconds=step.every_seconds * 2 ** min(times, 20))
