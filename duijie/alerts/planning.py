"""From an alert to what is to be told where and when: first word, repetition, recovery, summary of the day, escalation.

Each is a row of alert_send with its time, made in one transaction with the count of rounds, so that two workers that
plan at once plan once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import Row, exists, func, select, update

from duijie.alerts.config import CHINA, Alerting, Person
from duijie.alerts.kinds import ROLES, Kind, kind_of
from duijie.journal import Journal
from duijie.journal.alarms import muted_until
from duijie.journal.documents import yuan
from duijie.journal.tables import alert, work_item, work_item_record
from duijie.journal.tables_alarm import alert_send

AT_ONCE = 500
URGENT, NORMAL, LATER = range(3)
URGENCY = {"紧急": URGENT, "重要": NORMAL}
DAILY_UNTIL = timedelta(hours=4)  # a summary that nobody was there to send is not sent in the afternoon
SUMMARY = "摘要"
RAISED = ("紧急", "重要", "提示")
KINDS_SHOWN = 10


def plan(journal: Journal, alerting: Alerting) -> None:
    """Let every new alert, and every one that goes on after its silence, wait for its channels."""
    now = journal.now()
    with journal.writing() as tx:
        rows = [*_new(tx), *_still_there(tx, now - timedelta(minutes=alerting.silence_minutes))]
        for row in rows:
            tx.execute(update(alert).where(alert.c.id == row.id).values(rounds=row.rounds + 1))
            _wait(tx, journal, alerting, row, now)


def _new(tx: Transaction) -> Sequence[Row[Any]]:
    query = select(alert).where(alert.c.state == "pending", alert.c.rounds == 0).order_by(alert.c.id).limit(AT_ONCE)
    return tx.execute(query.with_for_update(skip_locked=True)).all()


def _still_there(tx: Transaction, before: datetime) -> Sequence[Row[Any]]:
    waits = exists().where(alert_send.c.alert_id == alert.c.id, alert_send.c.state != "sent")
    waits = waits.where(alert_send.c.purpose.in_(("first", "again")), alert_send.c.state != "cancelled")
    query = select(alert).where(
        alert.c.state == "sent",
        alert.c.open_dedupe.is_not(None),
        alert.c.claimed_by == "",
        alert.c.sent_at <= before,
        alert.c.last_at > alert.c.sent_at,
        ~waits,
    )
    return tx.execute(query.order_by(alert.c.id).limit(AT_ONCE).with_for_update(skip_locked=True)).all()


def _wait(tx: Transaction, journal: Journal, alerting: Alerting, row: Row[Any], now: datetime) -> None:
    about = tx.execute(select(alert).where(alert.c.id == row.recovers)).one() if row.recovers else row
    told = _told(tx, row.recovers, alerting) or destinations(alerting, kind_of(about.dedupe), about.level)
    said = {
        "alert_id": row.id,
        "purpose": "again" if row.rounds else "first",
        "round": row.rounds + 1,
        "urgency": URGENCY.get(about.level, LATER),
        "due_at": _when(tx, alerting, row, about.dedupe, now),
    }
    for channel, must_act in told.items():
        mine = {**said, "channel": channel, "must_act": must_act and not row.recovers}
        tx.execute(journal.insert_new(alert_send).values(**mine))


def _told(tx: Transaction, alert_id: int | None, alerting: Alerting) -> dict[str, bool]:
    """The channels that were told of an alert and are still there."""
    query = select(alert_send.c.channel).where(alert_send.c.alert_id == alert_id, alert_send.c.sent_at.is_not(None))
    return {name: False for name in tx.execute(query.distinct()).scalars() if name in alerting.channels}


def _when(tx: Transaction, alerting: Alerting, row: Row[Any], about: str, now: datetime) -> datetime:
    """Not before a mute ends, nor within the silence after the same was last told."""
    last = select(func.max(alert.c.sent_at)).where(alert.c.dedupe == row.dedupe, alert.c.id != row.id)
    before = tx.execute(last).scalar_one()
    silent = before + timedelta(minutes=alerting.silence_minutes) if before else now
    return max(now, silent, muted_until(tx, now, about) or now)


def destinations(alerting: Alerting, kind: Kind, level: str) -> dict[str, bool]:
    """Channel → whether somebody there must act. What no route wants goes where the first route goes: never nowhere."""
    found: dict[str, bool] = {}
    for route in alerting.routes:
        fits = kind.name in (route.kinds or (kind.name,)) and level in (route.levels or (level,))
        wanted = [role for role in kind.roles if role in (route.roles or kind.roles)]
        for channel in route.channels if fits and wanted else ():
            found[channel] = found.get(channel, False) or any(role in kind.act for role in wanted)
    return found or dict.fromkeys(alerting.routes[0].channels, True)


def owners(alerting: Alerting, kind: Kind, channel: str = "") -> list[Person]:
    """The people who must act on a kind; those that a channel is for, where it is for some of them."""
    able = [one for one in alerting.people if set(one.roles) & set(kind.act)]
    here = [one for one in able if set(one.roles) & set(kind.act) & alerting.served(channel)] if channel else []
    return here or able


def steps(alerting: Alerting, kind: Kind, channel: str, now: datetime) -> Iterator[Mapping[str, Any]]:
    """What is to follow where nobody claims: the owner by name, then the next channel and e-mail."""
    said = alerting.escalation
    called = now + timedelta(minutes=said.mention_minutes)
    second = called + timedelta(minutes=said.second_minutes)
    yield {"purpose": "mention", "channel": channel, "due_at": called}
    if len(chain := alerting.chain(channel)) > 1:
        yield {"purpose": "second", "channel": chain[1], "due_at": second}
    if alerting.mail and any(one.mail for one in owners(alerting, kind)):
        yield {"purpose": "mail", "channel": alerting.mail, "due_at": second}


def summarise(journal: Journal, alerting: Alerting) -> None:
    """Let the summary of the day wait for each channel whose hour has come, once, when there is anything to say."""
    now = journal.now()
    here = now.astimezone(CHINA)
    routed = {name for route in alerting.routes for name in route.channels}
    for name in sorted(routed):
        if not (daily := alerting.channels[name].daily):
            continue
        due = datetime.combine(here.date(), time.fromisoformat(daily), CHINA)
        if due <= here < due + DAILY_UNTIL:
            _summary(journal, name, sorted(alerting.served(name)), here)


def _summary(journal: Journal, channel: str, roles: Sequence[str], now: datetime) -> None:
    dedupe = f"daily|{now.date()}|{channel}"
    with journal.writing() as tx:
        if tx.execute(select(alert.c.id).where(alert.c.open_dedupe == dedupe)).first():
            return
        _forget(tx, channel)
        title, *lines = _lines(tx, roles)
        said = {"dedupe": dedupe, "open_dedupe": dedupe, "level": SUMMARY, "title": title, "body": "\n".join(lines)}
        row = {**said, "state": "pending" if lines else "recovered", "rounds": 1, "created_at": now, "last_at": now}
        new = tx.execute(journal.insert_new(alert).values(**row).returning(alert.c.id)).scalar_one_or_none()
        if new and lines:
            send = {"alert_id": new, "purpose": "first", "channel": channel, "must_act": False, "urgency": LATER}
            tx.execute(alert_send.insert().values(**send, due_at=now))


def _forget(tx: Transaction, channel: str) -> None:
    """Close the summaries of earlier days."""
    old = alert.c.open_dedupe.startswith("daily|") & alert.c.open_dedupe.endswith(f"|{channel}")
    tx.execute(update(alert).where(old).values(open_dedupe=None))


def _lines(tx: Transaction, roles: Sequence[str]) -> list[str]:
    """A title, and a line for each kind of work item that waits."""
    money = func.coalesce(func.sum(work_item_record.c.amount), 0)
    items, held = func.count(work_item.c.id.distinct()), func.count(work_item_record.c.key)
    query = select(work_item.c.owner, work_item.c.kind, items, held, money)
    query = query.outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
    query = query.where(work_item.c.state != "closed").group_by(work_item.c.owner, work_item.c.kind)
    found = [(owner, kind, n, m, int(fen)) for owner, kind, n, m, fen in tx.execute(query.order_by(money.desc()))]
    mine = [row for row in found if row[0] in roles or row[0] not in ROLES]
    alerts = _open_alerts(tx)
    title = f"今日待处理 {sum(row[2] for row in mine)} 项, 金额 {yuan(sum(row[4] for row in mine)):,} 元"
    lines = [
        f"{owner} · {kind_of(f'work|{kind}|').title}: {number} 项, {records} 张单据, {yuan(fen):,} 元"
        for owner, kind, number, records, fen in mine[:KINDS_SHOWN]
    ]
    return [title, *lines, *([f"未恢复告警 {alerts} 条"] if alerts else [])]


def _open_alerts(tx: Transaction) -> int:
    """Alerts that are no work item's."""
    raised = alert.c.open_dedupe.is_not(None) & alert.c.level.in_(RAISED) & alert.c.work_item_id.is_(None)
    return tx.execute(select(func.count()).select_from(alert).where(raised)).scalar_one()
