"""Airflow's own failures (a killed worker, a time-out, a bug) as alerts of the journal, where alerts are sent from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseNotifier

from duijie.connect.errors import DuijieError, JournalBusy
from duijie.journal import Journal, work


class DuijieNotifier(BaseNotifier):
    """Writes one alert row, deduplicated per DAG and task. What the engine recorded itself is not written twice."""

    template_fields: Sequence[str] = ("title",)

    def __init__(self, title: str = "Airflow 任务失败", level: str = "重要") -> None:
        super().__init__()
        self.title = title
        self.level = level

    def notify(self, context: Mapping[str, Any]) -> None:
        """Write the alert. Raises JournalBusy when the journal cannot be written."""
        error = context.get("exception")
        if _is_recorded(error):
            return
        dag, task = _place(context)
        journal = Journal.open()
        with journal.writing() as tx:
            body = f"DAG {dag}, 任务 {task}: {error or '未给出原因'}; 请在 Airflow 中查看该任务的日志"
            work.raise_alert(tx, journal, f"airflow|{dag}|{task}", self.level, self.title, body)

    async def async_notify(self, context: Mapping[str, Any]) -> None:
        """The same for deadline alerts, without blocking the triggerer."""
        await asyncio.to_thread(self.notify, context)


def _is_recorded(error: object) -> bool:
    """The engine writes every error of the tree down before it raises it, all but a journal it could not write."""
    cause = getattr(error, "__cause__", None) or error
    return isinstance(cause, DuijieError) and not isinstance(cause, JournalBusy)


def _place(context: Mapping[str, Any]) -> tuple[str, str]:
    """(dag_id, task_id); callbacks of a DAG carry no task instance."""
    task = context.get("ti") or context.get("task_instance")
    dag = getattr(task, "dag_id", None) or getattr(context.get("dag"), "dag_id", None)
    return str(dag or "?"), str(getattr(task, "task_id", "-"))
