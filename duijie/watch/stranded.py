"""What nobody will touch again by itself: documents without a row, dead leases, runs without end, items unclaimed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection as Transaction
from sqlalchemy import exists, func, literal_column, select

from duijie.flow import Deliver, Flow
from duijie.journal.tables import IS_IN_FLIGHT, delivery, document, planned, run, work_item
from duijie.watch.finding import NOTE, SERIOUS, Finding, View, span
from duijie.watch.schedule import late_since

COUNTED_TO = 1000
LONGEST_LOOKED_BACK = timedelta(days=30)


def unplanned(view: View) -> Iterator[Finding]:
    """Current documents that a sink should have and that no row stands for, long after they came."""
    with view.journal.reading() as tx:
        for flow in view.flows.values():
            limit = late_since(flow, view.now, view.limits.late_runs, timedelta(minutes=view.limits.backlog_minutes))
            for step in (one for one in flow.steps if isinstance(one, Deliver)):
                number = _without_row(tx, step, limit)
                if not number:
                    continue
                more = "以上" if number == COUNTED_TO else ""
                title = f"{number} 张{more}单据没有排入 {step.connection}/{step.sink} 的投递 (流程 {flow.title})"
                body = f"请确认流程 {flow.flow} 的步骤 {step.name} 在运行; 它下次成功运行时会自动补排, 不会重复"
                yield Finding("unplanned", f"{step.connection}/{step.sink}", SERIOUS, title, body)


def _without_row(tx: Transaction, step: Deliver, limit: datetime) -> int:
    sink = f"{step.connection}/{step.sink}"
    mark = select(planned.c.upto).where(planned.c.sink == sink, planned.c.entity == step.entity)
    after = tx.execute(mark).scalar_one_or_none()
    if after is None:
        return 0  # this sink has never been planned for: the flow's own first run does
    has_row = exists().where(delivery.c.document_id == document.c.id, delivery.c.sink == sink)
    query = select(document.c.id).where(document.c.entity == step.entity, document.c.current, document.c.id > after)
    query = query.where(document.c.created_at < limit, ~has_row).limit(COUNTED_TO)
    return len(tx.execute(query).all())


def leases(view: View) -> Iterator[Finding]:
    """Rows that a dead worker holds and that no run has given back."""
    limit = view.now - timedelta(minutes=view.limits.lease_minutes)
    held = delivery.c.state.in_([literal_column("'claimed'"), literal_column("'sent'")])
    query = select(delivery.c.sink, func.count(), func.min(delivery.c.lease_until))
    query = query.where(IS_IN_FLIGHT, held, delivery.c.lease_until < limit).group_by(delivery.c.sink)
    with view.journal.reading() as tx:
        for sink, number, oldest in tx.execute(query):
            title = f"{sink} 有 {number} 笔投递被中断的进程占用, 租约过期 {span(view.now - oldest)}"
            body = "该去处的流程下次运行时自动收回并先查询对方; 若久不运行, 请在 Airflow 中查看它是否被暂停"
            yield Finding("lease", sink, SERIOUS, title, body)


def unended(view: View) -> Iterator[Finding]:
    """Steps whose newest run began long ago and never said that it ended."""
    limit = view.now - timedelta(hours=view.limits.run_hours)
    with view.journal.reading() as tx:
        for flow in view.flows.values():
            for name in (step.name for step in flow.steps):
                began = _unended(tx, flow, name)
                if began is None or not view.now - LONGEST_LOOKED_BACK < began < limit:
                    continue
                title = f"流程 {flow.title} 的步骤 {name} 开始于 {span(view.now - began)}前, 没有结束"
                body = "进程可能已被杀死或仍卡住: 请在 Airflow 中查看该任务; 重跑不会重复发送"
                yield Finding("unended", f"{flow.flow}.{name}", SERIOUS, title, body)


def _unended(tx: Transaction, flow: Flow, step: str) -> datetime | None:
    newest = select(run.c.started_at, run.c.ended_at).where(run.c.flow == flow.flow, run.c.step == step)
    row = tx.execute(newest.order_by(run.c.id.desc()).limit(1)).first()
    return row.started_at if row and row.ended_at is None else None


def unowned(view: View) -> Iterator[Finding]:
    """Work items that no person has put a name on."""
    limit = view.now - timedelta(hours=view.limits.unowned_hours)
    query = select(work_item.c.owner, func.count(), func.min(work_item.c.created_at))
    query = query.where(work_item.c.state == "open", work_item.c.created_at < limit).group_by(work_item.c.owner)
    with view.journal.reading() as tx:
        for owner, number, oldest in tx.execute(query):
            title = f"{owner} 有 {number} 项待处理无人认领, 最久 {span(view.now - oldest)}"
            body = "请在“待处理”页认领或指定处理人"
            yield Finding("unowned", owner, NOTE, title, body)
