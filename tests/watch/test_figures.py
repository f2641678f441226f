"""The figures for monitoring: what waits, how long, what came to an end; each asked by an index."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from duijie.flow import Flow
from duijie.journal import Journal, inbox, upkeep
from duijie.journal.inbox import Source
from duijie.watch.figures import HELP, Counting, figures
from tests.journal.stages import SINK, brought
from tests.watch.conftest import NOON
from tests.watch.test_watch import ORDERS, at, ran


def told(kept: Journal, flow: Flow = ORDERS) -> dict[tuple[str, ...], float]:
    """(name, label values…) → value."""
    return {(one.name, *one.labels.values()): one.value for one in figures(kept, {flow.flow: flow})}


def test_backlog_lag_people_runs_and_backups_are_told(kept: Journal) -> None:
    brought(kept, "a", "done")
    brought(kept, "b", "rejected", "科目不存在")
    inbox.advance(kept, Source("shop", "trade"), NOON)
    inbox.store(kept, Source("shop", "trade"), "tid", [{"tid": 1}])
    upkeep.note(kept, "backup", "ops", "/b", {})
    ran(kept)
    at(kept, NOON + timedelta(minutes=10))
    said = told(kept)
    assert said["duijie_deliveries", "orders", SINK, "rejected"] == 1
    assert said["duijie_delivery_oldest_seconds", "orders", SINK, "rejected"] == 600
    assert ("duijie_deliveries", "orders", SINK, "done") not in said
    assert said["duijie_cursor_lag_seconds", "shop", "trade"] == 600
    assert said["duijie_messages_new", "shop", "trade"] == 1
    assert said["duijie_message_oldest_seconds", "shop", "trade"] == 600
    assert said["duijie_work_items", "rejected", "会计"] == 1
    assert said["duijie_work_item_fen", "rejected", "会计"] == 11300
    assert said["duijie_alerts_open", "重要", "pending"] == 1
    assert (said["duijie_run_age_seconds", "orders", "pull"], said["duijie_run_failed", "orders", "pull"]) == (600, 0)
    assert said["duijie_backup_age_seconds", "backup"] == 600
    assert said["duijie_journal_bytes",] > 0


def test_outcomes_are_counted_from_the_first_look_on(kept: Journal) -> None:
    counting = Counting()
    brought(kept, "a", "done")
    assert list(counting.figures(kept)) == []
    brought(kept, "b", "done")
    brought(kept, "c", "rejected", "x")
    for _ in range(2):  # a second look counts nothing twice
        found = {tuple(one.labels.values()): one.value for one in counting.figures(kept)}
        assert found == {(SINK, "done"): 1, (SINK, "rejected"): 1}


def test_every_figure_has_its_help(kept: Journal) -> None:
    brought(kept, "a", "unknown")
    assert {name for name, *_ in told(kept)} <= set(HELP)


def test_no_figure_reads_a_whole_table_of_deliveries_or_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    kept = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    brought(kept, "a", "unknown")
    inbox.advance(kept, Source("shop", "trade"), NOON)
    asked: list[tuple[str, object]] = []
    event.listen(kept.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    told(kept)
    with kept.reading() as tx:
        plans = [
            str(tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all())
            for sql, given in list(asked)
            if sql.startswith("SELECT")
        ]
    for table in ("delivery", "message", "run"):
        assert not any(f"SCAN {table}'" in plan or (f"SCAN {table} " in plan and "INDEX" not in plan) for plan in plans)
