"""Counts calls for every worker of a journal, without any other server: beside the journal, never in its transactions.

A moving window is kept as a thousand slots; a call counts until the end of its slot is out of the window, so that at
most a thousandth of the window is given away and never a call too many made. PostgreSQL's clock counts for workers of
several machines.
"""

from __future__ import annotations

import time
from typing import Any, Self

import limits
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    select,
    text,
)
from sqlalchemy import Connection as Transaction
from sqlalchemy.engine import Engine

from duijie.connect.home import home
from duijie.journal import Journal

SLOTS = 1000

metadata = MetaData()
rate_slot = Table(
    "rate_slot",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("slot", BigInteger, primary_key=True),  # the end of a slot, in its lengths since 1970
    Column("calls", Integer, nullable=False),
)


class SharedBucket:
    """A `duijie.connect.budget.Bucket` in a database that all workers reach."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_postgres = engine.dialect.name == "postgresql"
        with engine.begin() as tx:
            self._alone(tx, "rate_slot")
            metadata.create_all(tx)

    @classmethod
    def beside(cls, journal: Journal) -> Self:
        """In the journal's PostgreSQL; for an SQLite journal, which one machine has, in a file under DUIJIE_HOME."""
        if journal.is_postgres:
            return cls(create_engine(journal.engine.url, pool_size=2, pool_pre_ping=True))
        engine = create_engine(f"sqlite:///{home() / 'limits.db'}", connect_args={"timeout": 30})
        event.listen(engine, "connect", _quickly)
        return cls(engine)

    def take(self, name: str, item: limits.RateLimitItem, number: int) -> float:
        """Take so many calls out of a window; 0.0, or the seconds to wait when it does not hold them yet."""
        window = float(item.get_expiry())
        length = window / SLOTS
        named = f"{name}|{item}"
        with self._engine.begin() as tx:
            self._alone(tx, named)
            now = self._now(tx)
            first = int((now - window) / length)
            mine = rate_slot.c.name == named
            tx.execute(delete(rate_slot).where(mine, rate_slot.c.slot <= first))
            taken, oldest = tx.execute(
                select(func.sum(rate_slot.c.calls), func.min(rate_slot.c.slot)).where(mine)
            ).one()
            if int(taken or 0) + number <= item.amount:
                self._note(tx, named, int(now / length) + 1, number)
                return 0.0
        return max(float(oldest) * length + window - now, 0.01)

    def _alone(self, tx: Transaction, name: str) -> None:
        """One worker at a time looks at a window. (SQLite: one writes at a time.)"""
        if self._is_postgres:
            tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('duijie rate'), hashtext(:name))"), {"name": name})
        else:
            tx.exec_driver_sql("BEGIN IMMEDIATE")

    def _now(self, tx: Transaction) -> float:
        if not self._is_postgres:
            return time.time()
        return float(tx.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    def _note(self, tx: Transaction, name: str, slot: int, number: int) -> None:
        mine = rate_slot.update().where(rate_slot.c.name == name, rate_slot.c.slot == slot)
        if not tx.execute(mine.values(calls=rate_slot.c.calls + number)).rowcount:
            tx.execute(rate_slot.insert().values(name=name, slot=slot, calls=number))


def _quickly(connection: Any, _: Any) -> None:
    """Whoever loses the last counts in a power cut has not called for as long."""
    for pragma in ("journal_mode=WAL", "synchronous=OFF"):
        connection.execute(f"PRAGMA {pragma}")
