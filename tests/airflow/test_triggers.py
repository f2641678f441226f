"""Triggers wait without blocking; the doorbell rings once for many rows and again while something waits."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from airflow.triggers.base import BaseEventTrigger
from sqlalchemy import select

from duijie.airflow.notifier import DuijieNotifier
from duijie.airflow.triggers import JournalDoorbell, NextPoll
from duijie.connect.errors import JournalBusy, VendorRejected
from duijie.connect.hooks import Push, Pushed
from duijie.journal import Journal, deliveries, documents, inbox, planning, pushes
from duijie.journal.deliveries import Change
from duijie.journal.inbox import Source
from duijie.journal.tables import alert

SINK = "psi/sales_order"


async def rings(trigger: BaseEventTrigger, seconds: float) -> int:
    """How often it fires in that time."""
    count = 0
    try:
        async with asyncio.timeout(seconds):
            async for _ in trigger.run():
                count += 1
    except TimeoutError:
        pass
    return count


def bell(again: float = 60.0) -> JournalDoorbell:
    path, kwargs = JournalDoorbell([["sales_order", SINK]], every=0.02, again=again).serialize()
    assert path == f"{JournalDoorbell.__module__}.{JournalDoorbell.__qualname__}"
    return JournalDoorbell(**kwargs)


def put(journal: Journal, *keys: str) -> None:
    with journal.writing() as tx:
        for key in keys:
            documents.put(tx, journal, "sales_order", {"key": key, "gross": Decimal("1.00")}, (None, "test@1"))


def test_a_moment_that_has_passed_fires_at_once_and_a_coming_one_at_its_time() -> None:
    async def wait(seconds: float) -> float:
        began = time.monotonic()
        path, kwargs = NextPoll((datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()).serialize()
        assert path == f"{NextPoll.__module__}.{NextPoll.__qualname__}"
        async for event in NextPoll(**kwargs).run():
            assert event.payload == {"due": kwargs["moment"]}
        return time.monotonic() - began

    assert asyncio.run(wait(-60)) < 0.1
    assert 0.15 < asyncio.run(wait(0.2)) < 0.5


def test_an_empty_journal_does_not_ring() -> None:
    assert asyncio.run(rings(bell(), 1.0)) == 0


def test_many_documents_ring_once() -> None:
    put(Journal.open(), "1", "2", "3")
    assert asyncio.run(rings(bell(), 1.0)) == 1


def test_it_rings_again_while_a_delivery_is_due_and_not_for_one_that_is_done() -> None:
    journal = Journal.open()
    put(journal, "1")
    planning.plan(journal, "orders", SINK, [(one, 100) for one in documents.current(journal, "sales_order")])
    assert asyncio.run(rings(bell(again=0.2), 1.5)) >= 3

    row = deliveries.claim(journal, SINK, ("pending",), 1)[0]
    deliveries.settle(journal, "claimed", {row.claim: Change("done")})
    assert asyncio.run(rings(bell(again=0.2), 1.0)) == 1, "once for the document it sees first, then silence"


def test_what_was_pushed_rings_until_it_is_read_and_mapped() -> None:
    journal = Journal.open()
    path, kwargs = JournalDoorbell([], every=0.02, again=60, inlets=[["taobao", "trade"]]).serialize()
    trigger = JournalDoorbell(**kwargs)
    assert path.endswith("JournalDoorbell")
    assert not trigger.look()

    hinted = pushes.arrived("taobao", Push((Pushed("trade", "7"),)), timedelta(), journal.now())
    pushes.keep(journal, [hinted])
    assert trigger.look()
    pushes.settle(journal, "taobao", pushes.waiting(journal, "taobao", "trade", 9), ["7"])
    assert not trigger.look()

    inbox.store(journal, Source("taobao", "trade", "S01"), "tid", [{"tid": 7}])
    assert trigger.look()
    waiting = inbox.waiting(journal, Source("taobao", "trade"), 9)
    with journal.writing() as tx:
        inbox.settle(tx, [one.id for one in waiting], "mapped", "test@1")
    assert not trigger.look()


def alerts(journal: Journal) -> list[tuple[str, int]]:
    with journal.reading() as tx:
        return [(row.dedupe, row.count) for row in tx.execute(select(alert.c.dedupe, alert.c.count))]


def test_the_notifier_writes_a_crash_once_however_often_it_happens() -> None:
    journal = Journal.open()
    for _ in range(2):
        DuijieNotifier(title="任务中断").notify({"exception": MemoryError("killed")})
    assert alerts(journal) == [("airflow|?|-", 2)]


@pytest.mark.parametrize(("error", "written"), [(VendorRejected("不行"), 0), (JournalBusy("忙"), 1)])
def test_the_notifier_leaves_out_what_the_engine_recorded(error: Exception, written: int) -> None:
    wrapped = RuntimeError("as Airflow sees it")
    wrapped.__cause__ = error
    asyncio.run(DuijieNotifier().async_notify({"exception": wrapped}))
    assert len(alerts(Journal.open())) == written
