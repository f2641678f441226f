"""One DAG per flow file; a wrong file stops itself alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from duijie.airflow.factory import build_dags
from duijie.airflow.operators import PollOperator
from duijie.flow import load_flows

ROOT = Path(__file__).parent.parent.parent
GOOD = """
flow: {name}
title: 订单
schedule: "{schedule}"
owner: 运营
steps:
  - {{verb: deliver, name: send, connection: psi, sink: sales_order, entity: sales_order, mapping: psi/order.out}}
  - {{verb: poll, name: ask, connection: psi, stream: invoice, mapping: psi/invoice.in, sink: psi/sales_order,
     entity: invoice}}
  - {{verb: alert, name: tell}}
"""


def built(folder: Path, **files: str) -> dict[str, DAG]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return {dag.dag_id: dag for dag in build_dags(folder)}


@pytest.mark.usefixtures("airflow_db")
def test_the_shipped_dag_folder_imports_clean_with_a_dag_per_flow_and_one_that_asks() -> None:
    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    assert set(bag.dags) == {*load_flows(ROOT / "dags" / "flows"), "invoice_approvals"}


def test_a_flow_is_a_chain_of_thin_tasks_in_order(tmp_path: Path) -> None:
    dag = built(tmp_path, orders=GOOD.format(name="orders", schedule="*/5 * * * *"))["orders"]
    assert [task.task_id for task in dag.topological_sort()] == ["send", "ask", "tell"]
    assert isinstance(dag.get_task("ask"), PollOperator)
    assert (dag.dag_display_name, dag.owner, dag.max_active_runs, dag.catchup) == ("订单", "运营", 1, False)
    assert dag.is_paused_upon_creation is False
    assert dag.tags == {"对接", "psi"}
    assert dag.timetable.expression == "*/5 * * * *"
    assert str(dag.timetable.timezone) == "Asia/Shanghai"
    assert all(task.retries and task.retry_exponential_backoff == 2.0 for task in dag.tasks)


def test_a_flow_without_schedule_waits_for_its_caller(tmp_path: Path) -> None:
    assert built(tmp_path, orders=GOOD.format(name="orders", schedule=""))["orders"].schedule is None


def test_a_doorbell_flow_is_rung_by_the_journal_and_swept_every_minute(tmp_path: Path) -> None:
    dag = built(tmp_path, orders=GOOD.format(name="orders", schedule="doorbell"))["orders"]
    (asset,) = dag.timetable.asset_condition.objects
    assert asset.watchers[0].trigger.routes == [["sales_order", "psi/sales_order"]]
    assert dag.timetable.timetable.expression == "* * * * *"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("flow: [", "有误"),
        ("flow: x\ntitle: t\nsteps: [{verb: teleport, name: a}]", "teleport"),
        (GOOD.format(name="bad", schedule="every day"), "cron"),
        (GOOD.format(name="订单", schedule=""), "改名"),
        (GOOD.format(name="a_orders", schedule=""), "重复"),
    ],
    ids=["yaml", "verb", "cron", "name", "twice"],
)
def test_a_wrong_file_stops_itself_alone_and_says_why(tmp_path: Path, text: str, reason: str) -> None:
    dags = built(tmp_path, a=GOOD.format(name="a_orders", schedule=""), b=text)
    assert set(dags) == {"a_orders", "broken_b"}
    assert reason in dags["broken_b"].doc_md
    assert dags["broken_b"].schedule is None
    assert len(dags["a_orders"].tasks) == 3
