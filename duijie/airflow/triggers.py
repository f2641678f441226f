"""Waiting that costs no worker slot: until the next poll is due, and until the journal has something to deliver.

Neither trigger reads a Connection or Variable: a blocking SDK call stalls the whole triggerer (apache/airflow issue
65286). Database calls run in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent
from sqlalchemy import func, select

from duijie.connect.errors import JournalBusy
from duijie.invoicing import halts
from duijie.journal import Journal, pushes
from duijie.journal.tables import delivery, document


class NextPoll(BaseTrigger):
    """Fires at `moment` (ISO 8601 with zone)."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.moment = moment

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer makes it again."""
        return "duijie.airflow.triggers.NextPoll", {"moment": self.moment}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep until the moment; one that has passed fires at once."""
        left = (datetime.fromisoformat(self.moment) - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(max(left, 0.0))
        yield TriggerEvent({"due": self.moment})


class JournalDoorbell(BaseEventTrigger):
    """Rings once for everything that waits, again every `again` seconds while something still does.

    Asset events can strand (apache/airflow issue 56050): a ring says "look", the rows are in the journal. `routes`
    are (entity, sink) pairs, `inlets` (connection, stream) pairs: what was pushed there waits to be read or mapped.
    """

    def __init__(
        self,
        routes: Sequence[Sequence[str]],
        every: float = 0.25,
        again: float = 2.0,
        inlets: Sequence[Sequence[str]] = (),
    ) -> None:
        super().__init__()
        self.routes = [list(route) for route in routes]
        self.inlets = [list(inlet) for inlet in inlets]
        self.every = every
        self.again = again
        self._newest: dict[str, int] = {}
        self._journal: Journal | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer makes it again."""
        kwargs = {"routes": self.routes, "every": self.every, "again": self.again, "inlets": self.inlets}
        return "duijie.airflow.triggers.JournalDoorbell", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every `every` seconds. A journal that is busy is looked at again later."""
        rang = float("-inf")
        while True:
            if time.monotonic() - rang >= self.again and await asyncio.to_thread(self.look):
                rang = time.monotonic()
                yield TriggerEvent({"waiting": True})
            await asyncio.sleep(self.every)

    def look(self) -> bool:
        """Whether to ring now; remembers what was rung for."""
        try:
            self._journal = self._journal or Journal.open()
            waits = self.waiting(self._journal)
            if waits:
                self.seen(self._journal)
        except JournalBusy as error:
            self.log.warning("the doorbell cannot read the journal: %s", error)
            return False
        return waits

    def waiting(self, journal: Journal) -> bool:
        """Whether something pushed waits, a delivery is due or a document came since the last ring.

        Two index look-ups per route and per inlet. A halted sink rings for nothing but what is unknown: whether it goes
        on is looked at by the sweep.
        """
        now = journal.now()
        with journal.reading() as tx:
            if any(pushes.is_waiting(tx, now, connection, stream) for connection, stream in self.inlets):
                return True
            shut = halts.shut(tx, now)
            for entity, sink in self.routes:
                states = ("unknown",) if sink in shut else ("pending", "unknown")
                due = select(delivery.c.id).where(delivery.c.sink == sink, delivery.c.due_at <= now)
                due = due.where(delivery.c.state.in_(states)).limit(1)
                if tx.execute(due).first() or tx.execute(_newest_id(entity)).scalar_one() > self._newest.get(entity, 0):
                    return True
        return False

    def seen(self, journal: Journal) -> None:
        """Remember the newest document of every route, just before ringing."""
        with journal.reading() as tx:
            self._newest = {entity: tx.execute(_newest_id(entity)).scalar_one() for entity, _ in self.routes}


def _newest_id(entity: str) -> Any:
    newest = func.coalesce(func.max(document.c.id), 0)
    return select(newest).where(document.c.entity == entity, document.c.current)
