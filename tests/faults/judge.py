"""What a journal and its target look like when all is quiet, read so that two runs can be compared word for word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, create_engine, func, select

from duijie.journal.deliveries import ALLOWED
from duijie.journal.tables import delivery, delivery_event, document, message, work_item
from tests.faults.scenes import Truth

LEASE_ENDED = "工作进程中断, 租约到期"
RESTLESS = ("pending", "claimed", "sent", "unknown")


@dataclass(frozen=True)
class State:
    """Everything that must not depend on who was killed when."""

    held: Truth
    deliveries: list[tuple[str, str, int, str]]  # sink, key, version, state
    documents: list[tuple[str, str, int]]  # entity, key, version of what is current
    messages: list[tuple[str, str, str, str]]  # connection, stream, key, state
    items: list[tuple[str, str]]  # kind, subject of what waits for a person

    @property
    def doubled(self) -> int:
        """Documents that the target holds more than once."""
        keys = [key for key, _ in self.held]
        return len(keys) - len(set(keys))

    def lost(self, expected: State) -> int:
        """Documents that the target lacks."""
        return len({key for key, _ in expected.held} - {key for key, _ in self.held})

    def unlike(self, expected: State) -> list[str]:
        """Every difference in words."""
        found: list[str] = []
        for one in fields(self):
            here, there = getattr(self, one.name), getattr(expected, one.name)
            found += [f"{one.name}: {row} is too much" for row in here if here.count(row) > there.count(row)]
            found += [f"{one.name}: {row} is missing" for row in there if there.count(row) > here.count(row)]
        return found


def reading(url: str) -> Engine:
    """The journal, to be read only by the judge."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))


def read(engine: Engine, held: Truth) -> State:
    """The state of a journal and its target."""
    versioned = delivery.join(document, document.c.id == delivery.c.document_id)
    rows = select(delivery.c.sink, delivery.c.key, document.c.version, delivery.c.state).select_from(versioned)
    kept = select(document.c.entity, document.c.key, document.c.version).where(document.c.current)
    came = select(message.c.connection, message.c.stream, message.c.key, message.c.state)
    waits = select(work_item.c.kind, work_item.c.subject).where(work_item.c.state != "closed")
    with engine.connect() as tx:
        told = [sorted(tuple(row) for row in tx.execute(query)) for query in (rows, kept, came, waits)]
    return State(held, *told)


def restless(engine: Engine) -> int:
    """Deliveries that are still on their way."""
    query = select(func.count()).select_from(delivery).where(delivery.c.state.in_(RESTLESS))
    with engine.connect() as tx:
        return int(tx.execute(query).scalar_one())


def states(engine: Engine) -> Counter[str]:
    """How many deliveries are in each state."""
    query = select(delivery.c.state, func.count()).group_by(delivery.c.state)
    with engine.connect() as tx:
        return Counter({state: number for state, number in tx.execute(query)})


def interlopers(engine: Engine, lease: float) -> Iterator[str]:
    """Deliveries that a worker moved while another held them, or took over before that one's lease could have ended."""
    query = select(delivery_event).order_by(delivery_event.c.id)
    holders: dict[int, tuple[str, datetime]] = {}
    with engine.connect() as tx:
        for one in tx.execute(query):
            holder, since = holders.get(one.delivery_id, ("", one.at))
            if one.before in ("claimed", "sent") and one.who != holder:
                if one.why != LEASE_ENDED:
                    yield f"delivery {one.delivery_id}: {one.who} moved what {holder} held ({one.before} → {one.after})"
                elif (one.at - since).total_seconds() < lease:
                    yield f"delivery {one.delivery_id}: taken from {holder} after {one.at - since}"
            if one.after == "claimed":
                holders[one.delivery_id] = (one.who, one.at)


def strays(engine: Engine, asked: Mapping[tuple[str, str], Sequence[datetime]]) -> Iterator[str]:
    """Writes that reached a target while the journal did not show their document as sent.

    `asked`: by (sink, number) the moments at which the target was asked to make a document.
    """
    query = select(delivery.c.sink, delivery.c.target_key, *delivery_event.c["before", "after", "at"])
    query = query.join(delivery_event, delivery_event.c.delivery_id == delivery.c.id).order_by(delivery_event.c.id)
    begun: dict[tuple[str, str], datetime] = {}
    sent: defaultdict[tuple[str, str], list[tuple[datetime, datetime]]] = defaultdict(list)
    with engine.connect() as tx:
        for sink, number, before, after, at in tx.execute(query):
            if before == "sent":
                sent[sink, number].append((begun[sink, number], at))
            if after == "sent":
                begun[sink, number] = at
    for one, moments in asked.items():
        for moment in moments:
            if not any(first <= moment <= last for first, last in sent[one]):
                yield f"{one} was written at {moment}, it was sent in {sent[one]}"


def taken_over(engine: Engine) -> tuple[int, int]:
    """How many deliveries of dead workers were taken over, and how many of these had been sent and were asked for."""
    query = select(delivery_event.c.before, func.count()).where(delivery_event.c.why == LEASE_ENDED)
    with engine.connect() as tx:
        found = {before: number for before, number in tx.execute(query.group_by(delivery_event.c.before))}
    return sum(found.values()), found.get("sent", 0)


def broken_history(engine: Engine) -> Iterator[str]:
    """Moves that the machine does not know, or that do not begin where the one before ended."""
    query = select(delivery_event.c.delivery_id, delivery_event.c.before, delivery_event.c.after)
    with engine.connect() as tx:
        moves = tx.execute(query.order_by(delivery_event.c.id)).all()
        ends = {row.id: row.state for row in tx.execute(select(delivery.c.id, delivery.c.state))}
    last: dict[int, str] = {}
    for one in moves:
        if last.get(one.delivery_id, one.before) != one.before or one.after not in ALLOWED.get(one.before, ()):
            yield f"history of delivery {one.delivery_id}: {one.before} → {one.after}"
        last[one.delivery_id] = one.after
    for row, after in last.items():
        if ends[row] != after:
            yield f"delivery {row} is {ends[row]}, its history says {after}"
