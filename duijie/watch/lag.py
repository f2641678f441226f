"""What lags: flows that miss their runs, cursors far behind, messages that no mapping saw, deliveries that wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import Select, func, select

from duijie.flow import Flow, Poll, Pull
from duijie.journal.progress import positions
from duijie.journal.tables import IS_UNFINISHED, delivery, message, run
from duijie.watch.finding import SERIOUS, URGENT, Finding, View, span
from duijie.watch.schedule import late_since, missed_since

FAR = 4  # so many times the patience: urgent


def idle(view: View) -> Iterator[Finding]:
    """Flows that were not run when they should have been: a paused DAG, a scheduler that stopped."""
    with view.journal.reading() as tx:
        first = tx.execute(select(func.min(run.c.started_at))).scalar_one()
        for flow in view.flows.values():
            limit = missed_since(flow, view.now, view.limits.late_runs)
            last = _last_run(tx, flow)
            since = last or first
            if limit is None or since is None or since >= limit:
                continue
            said = f"最近一次在 {span(view.now - since)}前" if last else "从未运行"
            title = f"流程 {flow.title} 连续 {view.limits.late_runs} 次未按计划运行 ({said})"
            body = f"请在 Airflow 中查看 {flow.flow}: 是否被暂停, 前一次运行是否卡住, 调度器是否正常"
            yield Finding("idle", flow.flow, _level(view.now - since, view.now - limit), title, body)


def _last_run(tx: Transaction, flow: Flow) -> datetime | None:
    newest = select(run.c.started_at).where(run.c.flow == flow.flow).order_by(run.c.started_at.desc()).limit(1)
    return tx.execute(newest).scalar_one_or_none()


def cursors(view: View) -> Iterator[Finding]:
    """Streams whose reading is further behind than their flow's runs explain."""
    known = positions(view.journal)
    for flow in view.flows.values():
        limit = missed_since(flow, view.now, view.limits.late_runs)
        pulls = {(one.connection, one.stream): one for one in flow.steps if isinstance(one, Pull)}
        for place, step in pulls.items():
            position = known.get(place)
            if limit is None or position is None or not _is_behind(step, position, limit):
                continue
            behind = view.now - position
            title = f"{place[0]}/{place[1]} 的读取进度落后 {span(behind)} (流程 {flow.title})"
            body = "请查看该流程最近运行的问题: 对方限流、授权失效或数据量突增; 排除后进度会自动追上"
            yield Finding("cursor", f"{place[0]}/{place[1]}", _level(behind, view.now - limit), title, body)


def _is_behind(step: Pull, position: datetime, limit: datetime) -> bool:
    late = limit - timedelta(seconds=step.lag_seconds)
    return position < (min(late, step.until) if step.until else late)


def unmapped(view: View) -> Iterator[Finding]:
    """Streams with a message that no mapping has seen for too long."""
    with view.journal.reading() as tx:
        for flow in view.flows.values():
            limit = _patience(view, flow)
            for place in {(one.connection, one.stream): 0 for one in flow.steps if isinstance(one, Pull | Poll)}:
                oldest = tx.execute(_oldest_new(*place)).scalar_one_or_none()
                if oldest is None or oldest >= limit:
                    continue
                waited = view.now - oldest
                title = f"{place[0]}/{place[1]} 有报文收到 {span(waited)}仍未映射 (流程 {flow.title})"
                body = f"请查看流程 {flow.flow} 的拉取步骤为何没有运行或中途失败; 报文已保存, 运行后自动处理"
                yield Finding("unmapped", f"{place[0]}/{place[1]}", _level(waited, view.now - limit), title, body)


def _oldest_new(connection: str, stream: str) -> Select[Any]:
    query = select(message.c.received_at).where(message.c.connection == connection, message.c.stream == stream)
    return query.where(message.c.state == "new").order_by(message.c.id).limit(1)


def undelivered(view: View) -> Iterator[Finding]:
    """Flows with a delivery that waits, or whose outcome is not known, for too long."""
    words = {"pending": "待发", "unknown": "结果未知"}
    with view.journal.reading() as tx:
        for flow in view.flows.values():
            limit = _patience(view, flow)
            for state, word in words.items():
                mine = (IS_UNFINISHED, delivery.c.flow == flow.flow, delivery.c.state == state)
                oldest = tx.execute(select(func.min(delivery.c.created_at)).where(*mine)).scalar_one()
                if oldest is None or oldest >= limit:
                    continue
                number = tx.execute(select(func.count()).where(*mine, delivery.c.created_at < limit)).scalar_one()
                title = f"流程 {flow.title}: {number} 笔投递{word}已久, 最久 {span(view.now - oldest)}"
                body = "请在“投递”页按状态查看原因: 目标系统不可用、限流或授权失效; 排除后自动继续"
                level = _level(view.now - oldest, view.now - limit)
                yield Finding("undelivered", f"{flow.flow}/{state}", level, title, body)


def _patience(view: View, flow: Flow) -> datetime:
    return late_since(flow, view.now, view.limits.late_runs, timedelta(minutes=view.limits.backlog_minutes))


def _level(waited: timedelta, patience: timedelta) -> str:
    return URGENT if waited > patience * FAR else SERIOUS
