"""How every flow stands: the day's counts, the last time that all of it worked, what waits and since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from duijie.journal import Journal, deliveries, documents, inbox, planning, progress, work
from duijie.journal.deliveries import Change, Claim
from duijie.journal.inbox import Source
from duijie.journal.tables import delivery, run

DAY = datetime(2026, 11, 11, tzinfo=UTC)
SINK = "psi/sales_order"
STEPS = {"orders": ["pull", "deliver"]}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "sqlite":
        opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    else:
        opened = Journal.open(request.getfixturevalue("postgres_database"))
    yield opened
    opened.engine.dispose()


def ran(kept: Journal, step: str, hour: int, counts: str = "{}", problem: str = "", *, flow: str = "orders") -> None:
    at = DAY + timedelta(hours=hour)
    row = {"flow": flow, "step": step, "started_at": at, "ended_at": at + timedelta(minutes=1)}
    with kept.writing() as tx:
        tx.execute(insert(run).values(**row, counts=counts, problem=problem))


def planned(kept: Journal, many: int) -> list[Claim]:
    for number in range(many):
        with kept.writing() as tx:
            documents.put(tx, kept, "sales_order", {"key": str(number), "gross": Decimal(1)}, (None, "test"))
    planning.plan(kept, "orders", SINK, [(one, 100) for one in planning.unplanned(kept, "sales_order", SINK)])
    return [row.claim for row in deliveries.claim(kept, SINK, ("pending",), many)]


def state(kept: Journal) -> progress.FlowState:
    return progress.flow_states(kept, STEPS, DAY)["orders"]


def test_a_flow_that_never_ran_has_nothing(kept: Journal) -> None:
    assert state(kept) == progress.FlowState()


def test_counts_are_the_days_and_the_flows_own(kept: Journal) -> None:
    ran(kept, "pull", -1, '{"read":100}')
    ran(kept, "pull", 1, '{"read":3}')
    ran(kept, "pull", 2, '{"read":3}')
    ran(kept, "deliver", 2, '{"delivered":2}')
    ran(kept, "pull", 2, '{"read":50}', flow="stock")
    assert state(kept).counts == {"read": 6, "delivered": 2}


def test_the_last_success_is_the_last_time_that_every_step_worked(kept: Journal) -> None:
    ran(kept, "pull", 1)
    ran(kept, "deliver", 1)
    ran(kept, "pull", 2)
    ran(kept, "deliver", 2, problem="对方拒绝")
    found = state(kept)
    assert found.last_success == DAY + timedelta(hours=1, minutes=1)
    assert found.last_run == DAY + timedelta(hours=2)
    assert found.problem == "对方拒绝"
    ran(kept, "deliver", 3)
    assert (state(kept).problem, state(kept).last_success) == ("", DAY + timedelta(hours=2, minutes=1))


def test_a_step_that_has_never_worked_leaves_the_flow_without_a_success(kept: Journal) -> None:
    ran(kept, "pull", 1)
    ran(kept, "deliver", 1, problem="授权失效")
    assert state(kept).last_success is None


def test_the_backlog_has_three_stages_with_the_age_of_the_oldest(kept: Journal) -> None:
    first, _still_claimed, third, fourth, fifth = planned(kept, 5)
    with kept.writing() as tx:
        tx.execute(update(delivery).where(delivery.c.id == first.id).values(created_at=DAY))
    deliveries.settle(kept, "claimed", {first: Change("pending"), third: Change("blocked")})
    deliveries.settle(kept, "claimed", {one: Change("sent") for one in (fourth, fifth)})
    deliveries.settle(kept, "sent", {fourth: Change("unknown"), fifth: Change("done")})
    backlog = state(kept).backlog
    assert {stage: one.count for stage, one in backlog.items()} == {"pending": 2, "blocked": 1, "unknown": 1}
    assert backlog["pending"].oldest == DAY
    assert backlog["unknown"].oldest > DAY


def test_records_of_open_items_wait_and_those_of_closed_ones_do_not(kept: Journal) -> None:
    with kept.writing() as tx:
        for name in ("a", "b"):
            records = [("sales_order", f"{name}{number}", 1) for number in range(3)]
            work.open_item(tx, kept, "orders", work.Finding("invalid", name, "x"), records)
        work.close_items(tx, kept, [1], "ops", "done")
    assert state(kept).held == 3


def test_a_stream_is_as_far_as_its_slowest_partition(kept: Journal) -> None:
    for part, hour in (("S1", 3), ("S2", 1)):
        inbox.advance(kept, Source("taobao", "trade", part), DAY + timedelta(hours=hour))
    assert progress.positions(kept) == {("taobao", "trade"): DAY + timedelta(hours=1)}
