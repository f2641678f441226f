"""A person's yes before red invoices and large ones leave, asked for by Airflow's human-in-the-loop task.

What waits is a row of the journal (`duijie.invoicing.approvals`); this task only asks. Its form lists the numbers, and
the person may take some out before saying yes or no; what is left out goes on waiting and is asked for again by the
next run. Source: Airflow documentation, "Human-in-the-loop" (airflow.providers.standard.operators.hitl).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param
from airflow.sdk.definitions.param import ParamsDict

from duijie.connect.errors import ConfigError

YES, NO = "批准", "不批准"
KEYS, WHY = "单号", "原因"
SHOWN = 200
ZONE = "Asia/Shanghai"
DAG_ID = "invoice_approvals"


class ApprovalOperator(HITLOperator):
    """Asks about everything that waits for a yes; skipped where nothing does. Returns how many were decided."""

    template_fields: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subject="开票审批", options=[YES, NO], params=_form([]), **kwargs)

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Put the question, then wait for an answer without a slot."""
        from duijie.invoicing import approvals  # noqa: PLC0415  (DAG files are parsed often and need none of it)
        from duijie.journal import Journal  # noqa: PLC0415

        waiting = approvals.waiting(Journal.open())[:SHOWN]
        if not waiting:
            raise AirflowSkipException("没有等待审批的单据")
        total = sum(one.amount for one in waiting)
        self.subject = f"开票审批: {len(waiting)} 张, 价税合计 {total:,} 元"
        self.body = _table(waiting)
        self.params = ParamsDict(_form([one.key for one in waiting]))
        return super().execute(context)

    def execute_complete(self, context: Mapping[str, Any], event: dict[str, Any]) -> dict[str, int]:
        """Carry out what was said, in the name of who said it."""
        answer = super().execute_complete(context, event)
        given = answer["params_input"]
        keys = [key for line in str(given.get(KEYS, "")).splitlines() if (key := line.strip())]
        if not keys:
            raise AirflowSkipException("没有留下任何单号, 未作决定")
        who = str((answer["responded_by_user"] or {}).get("name") or "airflow")
        return _decide(keys, who, str(given.get(WHY) or ""), is_yes=answer["chosen_options"] == [YES])

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Nobody answered in time: the next run asks anew, with what waits then."""
        if event["error_type"] == "timeout":
            raise AirflowSkipException("没有人答复, 下次运行重新询问")
        super().process_trigger_event_error(event)


def approvals_dag() -> DAG:
    """One question at a time, every quarter of an hour where something waits."""
    with DAG(
        dag_id=DAG_ID,
        dag_display_name="开票审批",
        schedule=CronTriggerTimetable("*/15 * * * *", timezone=ZONE),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args={"owner": "会计"},
        tags=["对接", "审批"],
        doc_md="红字发票与大额发票须经批准才发出 (mappings/rules/invoicing.yaml 的 approve_over)。在“必需操作”中答复。",
    ) as dag:
        ApprovalOperator(task_id="ask", response_timeout=timedelta(hours=24))
    return dag


def _form(keys: Sequence[str]) -> dict[str, Param]:
    about = "每行一个单号; 删去的不作决定, 继续等待"
    return {
        KEYS: Param("\n".join(keys), type="string", format="multiline", title=KEYS, description=about),
        WHY: Param("", type="string", title=WHY, description="不批准时必填"),
    }


def _table(waiting: Sequence[Any]) -> str:
    """The question as a table in Markdown."""
    from duijie.console.words import ENTITIES  # noqa: PLC0415

    rows = [
        f"| {ENTITIES.get(one.entity, one.entity)} | `{one.key}` | {one.amount:,} | {one.asked_at:%Y-%m-%d %H:%M} |"
        for one in waiting
    ]
    return "\n".join(("| 单据 | 单号 | 价税合计 (元) | 提交 (UTC) |", "|---|---|---:|---|", *rows))


def _decide(keys: Sequence[str], who: str, why: str, *, is_yes: bool) -> dict[str, int]:
    from duijie.invoicing import approvals  # noqa: PLC0415
    from duijie.journal import Journal  # noqa: PLC0415

    try:
        decided = (approvals.approve if is_yes else approvals.refuse)(Journal.open(), keys, who, why)
    except ConfigError as error:
        raise AirflowFailException(f"{error.zh} | {error}") from error
    return {"approved" if is_yes else "refused": decided}


__all__ = ["DAG_ID", "ApprovalOperator", "approvals_dag"]
