"""One DAG per flow file; a file that is wrong stops its own flow alone and says why where ops look.

Airflow parses this again and again: no Connection, no Variable, no database, no clock at parse time. A schedule is a
cron line in China's time, empty (started by hand or REST), or `doorbell`: rung by the journal within a second or two,
with a sweep every minute should the triggerer stall.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, chain
from airflow.sdk.exceptions import AirflowTimetableInvalid

from duijie.airflow.notifier import DuijieNotifier
from duijie.airflow.operators import RETRIES, BrokenFlowOperator, PollOperator, StepOperator
from duijie.airflow.triggers import JournalDoorbell
from duijie.connect.errors import ConfigError
from duijie.flow import DOORBELL, Deliver, Flow, Poll, Pull, Step, load_flow

ZONE = "Asia/Shanghai"
EVERY_MINUTE = "* * * * *"
NAME = re.compile(r"[A-Za-z0-9_.-]+")
log = logging.getLogger(__name__)


def build_dags(folder: Path) -> list[DAG]:
    """A DAG for every flow file of a folder; for a wrong file a DAG without schedule that shows the reason."""
    dags: dict[str, DAG] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            flow = load_flow(path)
            _refuse_name(flow, dags, path)
            dags[flow.flow] = dag_of(flow, path)
        except ConfigError as error:
            log.error("flow file %s is left out: %s", path, error)
            broken = _broken(path, error)
            dags[broken.dag_id] = broken
    return list(dags.values())


def dag_of(flow: Flow, path: Path) -> DAG:
    """The DAG of one flow: its steps in order. Raises ConfigError for a schedule that is none."""
    with DAG(
        dag_id=flow.flow,
        dag_display_name=flow.title,
        schedule=_schedule(flow, path),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args={"owner": flow.owner},
        tags=sorted({"对接", *_connections(flow.steps)}),
        doc_md=f"流程文件 `{path.name}`。步骤: {'、'.join(step.name for step in flow.steps)}。",
    ) as dag:
        tasks = [_task(flow, step, path) for step in flow.steps]
    if len(tasks) > 1:
        chain(*tasks)
    return dag


def _task(flow: Flow, step: Step, path: Path) -> StepOperator:
    kind = PollOperator if isinstance(step, Poll) else StepOperator
    return kind(
        task_id=step.name,
        flow_file=str(path.resolve()),
        step=step.name,
        retries=3,
        retry_delay=timedelta(seconds=10),
        retry_exponential_backoff=2.0,
        max_retry_delay=timedelta(minutes=10),
        retry_policy=RETRIES,
        on_failure_callback=DuijieNotifier(title=f"流程 {flow.title} 的步骤 {step.name} 异常中断"),
    )


def _schedule(flow: Flow, path: Path) -> Any:
    if not flow.schedule:
        return None
    cron = CronTriggerTimetable(EVERY_MINUTE if flow.schedule == DOORBELL else flow.schedule, timezone=ZONE)
    try:
        cron.validate()
    except AirflowTimetableInvalid as error:
        raise ConfigError(
            f"流程文件 {path} 的 schedule “{flow.schedule}” 不是 cron 表达式: {error}",
            en=f"{path}: schedule {flow.schedule!r} is no cron line: {error}",
            where=f"{path}:schedule",
        ) from error
    return AssetOrTimeSchedule(timetable=cron, assets=[_doorbell(flow)]) if flow.schedule == DOORBELL else cron


def _doorbell(flow: Flow) -> Asset:
    delivers = (step for step in flow.steps if isinstance(step, Deliver))
    routes = [[step.entity, f"{step.connection}/{step.sink}"] for step in delivers]
    inlets = [[step.connection, step.stream] for step in flow.steps if isinstance(step, Pull | Poll)]
    watcher = AssetWatcher(name=f"{flow.flow}_doorbell", trigger=JournalDoorbell(routes, inlets=inlets))
    return Asset(f"duijie_{flow.flow}_waiting", watchers=[watcher])


def _connections(steps: Iterable[Step]) -> set[str]:
    return {connection for step in steps if (connection := getattr(step, "connection", ""))}


def _refuse_name(flow: Flow, known: dict[str, DAG], path: Path) -> None:
    if flow.flow in known or not NAME.fullmatch(flow.flow):
        raise ConfigError(
            f"流程文件 {path} 的名称 {flow.flow} 重复或含有字母、数字、下划线以外的字符, 请改名",
            en=f"{path}: the flow name {flow.flow!r} is used twice or has characters beyond letters, digits, _ . -",
            where=f"{path}:flow",
        )


def _broken(path: Path, error: ConfigError) -> DAG:
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)
    with DAG(
        dag_id=f"broken_{stem}",
        dag_display_name=f"流程文件有误: {path.name}",
        schedule=None,
        is_paused_upon_creation=False,
        tags=["对接", "有误"],
        doc_md=f"{error.zh}\n\n`{error}`",
    ) as dag:
        BrokenFlowOperator(task_id="show_reason", reason=error.zh)
    return dag
