"""Steps as Airflow tasks: a task opens the engine, runs one step and returns its counts, nothing more.

The engine is imported when a task runs: DAG files are parsed often and need none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from airflow.exceptions import AirflowFailException
from airflow.sdk import BaseOperator
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from duijie.connect.errors import JournalBusy, RateLimited, Terminal, VendorBusy
from duijie.flow import Watch, load_flow, load_flows

POLL_LIMIT = timedelta(minutes=30)

RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(RateLimited, RetryAction.RETRY, timedelta(seconds=60), "对方限流"),
        RetryRule(JournalBusy, RetryAction.RETRY, timedelta(seconds=5), "日志库被占用"),
    ]
)


class StepOperator(BaseOperator):
    """Runs one step of one flow file. Returns its counts (name → int)."""

    template_fields: Sequence[str] = ()
    ui_color = "#e8f0fe"

    def __init__(self, *, flow_file: str, step: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.flow_file = flow_file
        self.step = step

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        """Run the step. A Terminal error fails the task at once, any other may be retried."""
        return self.run_step()

    def run_step(self) -> dict[str, int]:
        """One run of the step. Raises AirflowFailException for a Terminal error, other errors of the tree as such."""
        from duijie.airflow import metrics  # noqa: PLC0415
        from duijie.airflow.hook import connection_from_airflow  # noqa: PLC0415
        from duijie.engine import Engine  # noqa: PLC0415
        from duijie.journal import Journal  # noqa: PLC0415
        from duijie.watch.figures import figures  # noqa: PLC0415

        try:
            flow = load_flow(Path(self.flow_file))
            step = flow.step(self.step)
            engine = Engine(Journal.open(), connections=connection_from_airflow)
            counts = engine.run(flow, step)
        except Terminal as error:
            raise AirflowFailException(f"{error.zh} | {error}") from error
        metrics.count_run(flow.flow, step.name, counts)
        if isinstance(step, Watch):
            metrics.show(figures(engine.journal, load_flows(Path(self.flow_file).parent)))
        self.log.info("%s: %s", self.step, counts)
        return counts


class PollOperator(StepOperator):
    """Polls once; while something is outstanding, waits in the triggerer and polls again, up to `limit`."""

    def __init__(self, *, limit: timedelta = POLL_LIMIT, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        """The first poll."""
        return self._poll(datetime.now(UTC) + self.limit)

    def resume(self, context: Mapping[str, Any], event: Mapping[str, Any], deadline: str) -> dict[str, int]:
        """Every later one. `deadline`: ISO 8601."""
        return self._poll(datetime.fromisoformat(deadline))

    def _poll(self, deadline: datetime) -> dict[str, int]:
        counts = self.run_step()
        if not counts.get("outstanding"):
            return counts
        moment = datetime.now(UTC) + timedelta(seconds=counts.get("next_poll", 0))
        if moment > deadline:
            self._give_up(counts["outstanding"])
        self._wait(moment, deadline)

    def _wait(self, moment: datetime, deadline: datetime) -> NoReturn:
        from duijie.airflow.triggers import NextPoll  # noqa: PLC0415

        self.defer(
            trigger=NextPoll(moment.isoformat()),
            method_name="resume",
            kwargs={"deadline": deadline.isoformat()},
            timeout=self.limit + timedelta(minutes=5),
        )
        raise AssertionError("defer returns never")

    def _give_up(self, outstanding: int) -> NoReturn:
        from duijie.journal import Journal, work  # noqa: PLC0415

        flow = load_flow(Path(self.flow_file))
        title = f"流程 {flow.title} 的步骤 {self.step}: 等待 {self.limit} 后仍有 {outstanding} 条没有结果"
        body = "请在对方平台查询这些单据的状态; 下次运行会继续查询"
        journal = Journal.open()
        with journal.writing() as tx:
            work.raise_alert(tx, journal, f"poll|{flow.flow}|{self.step}", "重要", title, body)
        raise AirflowFailException(f"{title}; {body}") from VendorBusy(title)


class BrokenFlowOperator(BaseOperator):
    """Stands for a flow file that cannot be read: fails with the reason, which its DAG also shows."""

    def __init__(self, *, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason = reason

    def execute(self, context: Mapping[str, Any]) -> NoReturn:
        """Always fails: there is nothing that could run."""
        raise AirflowFailException(self.reason)
