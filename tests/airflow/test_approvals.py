"""Reds wait for a person's yes in Airflow: asked with what waits, decided in his name, asked again for the rest."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowFailException, AirflowSkipException

from duijie.airflow.approvals import DAG_ID, NO, YES, ApprovalOperator
from duijie.invoicing import approvals
from duijie.invoicing.rules import LifeRules
from duijie.runtime import AirflowStandalone
from duijie.runtime.processes import wait_until
from tests.derive.test_invoices import line
from tests.invoicing.reds_world import World, opened

EVERY_RED = LifeRules(approve_over={"red_request": Decimal(0)})
DAGS = "from duijie.airflow.approvals import approvals_dag\ndag = approvals_dag()\n"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two refunds whose reds wait for approval."""
    (tmp_path / "duijie").mkdir()
    with opened(tmp_path / "duijie", monkeypatch) as made:
        made.engine.__dict__["_life"] = EVERY_RED
        made.sold(line(1, Decimal("113.00"), qty=2), line(2, Decimal("22.60")))
        made.refund("56.50", 1)
        made.refund("22.60", 2, place=2)
        made.run("red_invoices")
        yield made


def keys(world: World) -> list[str]:
    return [one["request_no"] for one in world.all("red_request")]


def answered(chosen: str, numbers: list[str], why: str = "", who: str = "王会计") -> dict[str, Any]:
    """What Airflow hands over when somebody has answered."""
    return {
        "chosen_options": [chosen],
        "params_input": {"单号": "\n".join(numbers), "原因": why},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "1", "name": who},
    }


def decided(event: dict[str, Any]) -> dict[str, int]:
    return ApprovalOperator(task_id="ask").execute_complete({}, event)


def test_a_red_leaves_only_after_a_yes_and_what_was_taken_out_waits_on(world: World) -> None:
    first, second = keys(world)
    assert world.forms() == []
    assert decided(answered(YES, [first])) == {"approved": 1}
    world.run("red_invoices")
    assert [form["application_no"] for form in world.forms()] == [first]
    assert [one.key for one in approvals.waiting(world.journal)] == [second]


def test_a_no_needs_a_reason_and_the_red_never_leaves(world: World) -> None:
    with pytest.raises(AirflowFailException, match="原因"):
        decided(answered(NO, keys(world)))
    assert decided(answered(NO, keys(world), "买家尚未退货")) == {"refused": 2}
    world.run("red_invoices")
    assert (world.forms(), approvals.waiting(world.journal), world.items("approval")) == ([], [], [])


def test_an_empty_or_outdated_answer_decides_nothing(world: World) -> None:
    with pytest.raises(AirflowSkipException):
        decided(answered(YES, []))
    with pytest.raises(AirflowFailException, match="HZNONE"):
        decided(answered(YES, ["HZNONE", *keys(world)]))
    assert len(approvals.waiting(world.journal)) == 2


def test_the_shipped_dag_asks_one_question_at_a_time_and_does_not_wait_for_ever() -> None:
    shown: dict[str, Any] = runpy.run_path("dags/duijie_approvals.py")
    dag = shown["dag"]
    [ask] = dag.tasks
    assert (dag.dag_id, dag.max_active_runs, dag.catchup) == (DAG_ID, 1, False)
    assert (ask.options, ask.response_timeout) == ([YES, NO], timedelta(hours=24))
    with pytest.raises(AirflowSkipException):
        ask.process_trigger_event_error({"error_type": "timeout"})


@pytest.mark.long
def test_it_is_asked_and_answered_in_a_running_airflow(world: World, tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "all.py").write_text(DAGS, encoding="utf-8")
    airflow = AirflowStandalone(tmp_path / "home", tmp_path / "dags", {"DUIJIE_HOME": str(tmp_path / "duijie")})
    with airflow:
        airflow.wait_healthy(240)
        airflow.wait_dags(DAG_ID)
        rest = airflow.rest
        rest.trigger(DAG_ID, "first")
        assert wait_until(lambda: rest.task_states(DAG_ID, "first").get("ask") == "awaiting_input", 300, 1.0)
        place = f"/dags/{DAG_ID}/dagRuns/first/taskInstances/ask/-1/hitlDetails"
        asked = rest.call("GET", place)
        assert "2 张" in asked["subject"]
        assert all(key in asked["body"] for key in keys(world))
        shown = asked["params"]["单号"]
        assert keys(world) == sorted(str(shown.get("value", shown)).split(), key=keys(world).index)
        given = answered(YES, keys(world))
        rest.call("PATCH", place, {name: given[name] for name in ("chosen_options", "params_input")})
        assert rest.wait(DAG_ID, "first", 60) == "success"
        assert rest.counts(DAG_ID, "first", "ask") == {"approved": 2}
    world.run("red_invoices", "red_invoices")
    assert sorted(red["status"] for red in world.reds()) == ["issued", "issued"]
