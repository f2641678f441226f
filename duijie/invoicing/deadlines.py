"""Deadlines after which a person must act: what is still being issued, unknown, waiting for a login, or a form too old.

The watchdog (duijie.watch) raises each once per sink and closes it by itself when it is over. Sources: 国家税务总局公告
2024 年第 11 号 (a red form unconfirmed for 72 hours is void); 诺诺开放平台 getQrCode (a code lasts 5 minutes).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy import Connection as Transaction

from duijie.desk import OF_INVOICES
from duijie.invoicing import halts
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal
from duijie.journal.tables import delivery, delivery_event
from duijie.journal.tables_invoicing import halt, poll


@dataclass(frozen=True)
class Overdue:
    """What has waited too long at a sink: `kind` issuing, unknown, login, trial or form; what to do next."""

    kind: str
    sink: str
    number: int
    since: datetime
    title: str
    next_step: str


def overdue(journal: Journal, rules: LifeRules) -> list[Overdue]:
    """Everything that a person must act on now."""
    now = journal.now()
    with journal.reading() as tx:
        return [*_issuing(tx, now, rules), *_unknown(tx, now, rules), *_halted(tx, now, rules), *_forms(tx, now, rules)]


def _issuing(tx: Transaction, now: datetime, rules: LifeRules) -> Iterator[Overdue]:
    late = (poll.c.since < now - timedelta(hours=rules.issuing_hours)) & poll.c.status.in_(("", "issuing"))
    for sink, number, since in _polled(tx, late):
        title = f"{number} 张发票提交超过 {rules.issuing_hours} 小时仍在开具"
        step = "请在开票平台按单号查询: 已开出的会随下次查询更新; 卡住的请联系平台, 不要用新单号重开"
        yield Overdue("issuing", sink, number, since, title, step)


def _forms(tx: Transaction, now: datetime, rules: LifeRules) -> Iterator[Overdue]:
    late = (poll.c.since < now - timedelta(hours=rules.form_hours)) & (poll.c.status == "waiting_confirmation")
    for sink, number, since in _polled(tx, late):
        title = f"{number} 张红字信息确认单超过 {rules.form_hours} 小时未确认, 已经或即将作废"
        step = "请与对方联系后重新发起红字申请"
        yield Overdue("form", sink, number, since, title, step)


def _polled(tx: Transaction, late: ColumnElement[bool]) -> list[tuple[str, int, datetime]]:
    query = select(poll.c.sink, func.count(), func.min(poll.c.since)).where(poll.c.is_open, late)
    return [(row[0], row[1], row[2]) for row in tx.execute(query.group_by(poll.c.sink))]


def _unknown(tx: Transaction, now: datetime, rules: LifeRules) -> Iterator[Overdue]:
    """By when it was last sent: a row that is asked for again and again is changed all the time."""
    sent = select(func.max(delivery_event.c.at)).where(delivery_event.c.delivery_id == delivery.c.id)
    sent_at = sent.where(delivery_event.c.after == "sent").scalar_subquery()
    query = select(delivery.c.sink, sent_at.label("at")).where(delivery.c.state == "unknown")
    waiting: dict[str, list[datetime]] = {}
    for sink, at in tx.execute(query.where(delivery.c.entity.in_(OF_INVOICES))):
        if at is not None and at < now - timedelta(hours=rules.unknown_hours):
            waiting.setdefault(sink, []).append(at)
    for sink, moments in waiting.items():
        title = f"{len(moments)} 张开票申请发出超过 {rules.unknown_hours} 小时结果仍未知"
        step = "请在开票平台按单号查询是否已开: 已开的会在平台恢复应答后自动确认, 不要用新单号重开"
        yield Overdue("unknown", sink, len(moments), min(moments), title, step)


def _halted(tx: Transaction, now: datetime, rules: LifeRules) -> Iterator[Overdue]:
    for row in tx.execute(select(halt).where(halt.c.open_sink.is_not(None))).all():
        since, connection = row.changed_at, row.sink.partition("/")[0]
        if row.reason == "login" and row.state == "parked" and row.halted_at < now - _minutes(rules.login_minutes):
            title = f"开票员登录或扫码已等待超过 {rules.login_minutes} 分钟, 二维码可能已过期"
            yield Overdue(
                "login", row.sink, 1, row.halted_at, title, halts.STEPS["login"].format(connection=connection)
            )
        if row.state in ("released", "trying") and row.trial and since < now - rules.patience:
            title = f"恢复后先试的 {row.trial} 超过 {rules.trial_minutes} 分钟没有结果, 其余仍在等待"
            step = f"请在开票平台查询 {row.trial}; 确认已恢复后执行 duijie invoice resume {connection}"
            yield Overdue("trial", row.sink, 1, since, title, step)


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)
