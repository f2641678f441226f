"""What people see of alerting: channels and how they do, open alerts with what is to come, every step of one alert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select

from duijie.alerts import config
from duijie.alerts.config import Alerting, Group, Way
from duijie.alerts.kinds import kind_of
from duijie.alerts.outbox import MINUTE, PER_MINUTE
from duijie.alerts.planning import RAISED, owners
from duijie.alerts.text import number_of
from duijie.alerts.ways import targets
from duijie.connect.errors import ConfigError
from duijie.journal import Journal
from duijie.journal.tables import alert, work_item_record
from duijie.journal.tables_alarm import alert_message, alert_robot, alert_send

DAY = timedelta(days=1)
TYPES = {"Dingtalk": "钉钉", "Feishu": "飞书", "Wecom": "企业微信", "Mail": "邮件", "Other": "apprise"}
SHOWN = 200
Seen = tuple[Sequence[Row[Any]], list[tuple[str, str, int]], list[str]]


@dataclass(frozen=True)
class Standing:
    """One channel: how many robots, what left within a day, how many of them rest until when and why."""

    name: str
    type: str
    robots: int
    next: str
    quiet: str
    is_quiet: bool
    sent: int
    failed: int
    this_minute: int
    most: int
    resting: int
    rests_until: datetime | None
    reason: str


@dataclass(frozen=True)
class Raised:
    """One alert as a list shows it; money in fen. `next_at` and `next_purpose`: the next thing that will be told."""

    row: Row[Any]
    number: str
    owner: str
    records: int
    money: int
    next_at: datetime | None
    next_purpose: str


def known() -> tuple[Alerting, str]:
    """The alert file as it is, or an empty one and what is wrong with it."""
    try:
        return config.load(), ""
    except ConfigError as error:
        return Alerting(), error.zh


def people_of(role: str) -> str:
    """Who has a role, by the alert file; nothing where it names nobody."""
    return " ".join(one.name for one in known()[0].people if role in one.roles)


def channels(journal: Journal, alerting: Alerting) -> list[Standing]:
    """Every channel of the alert file, in its order."""
    now = journal.now()
    counted = select(alert_message.c.robot, alert_message.c.outcome, func.count())
    counted = counted.where(alert_message.c.at > now - DAY).group_by(alert_message.c.robot, alert_message.c.outcome)
    minute = select(alert_message.c.robot).where(alert_message.c.at > now - MINUTE)
    with journal.reading() as tx:
        rests = tx.execute(select(alert_robot).where(alert_robot.c.paused_until > now)).all()
        left = [(robot, outcome, number) for robot, outcome, number in tx.execute(counted)]
        busy = list(tx.execute(minute).scalars())
    return [_standing(name, way, now, (rests, left, busy)) for name, way in alerting.channels.items()]


def _standing(name: str, way: Way, now: datetime, seen: Seen) -> Standing:
    rests, left, busy = seen
    robots = {one.robot for one in targets(way)}
    resting = [row for row in rests if row.robot in robots]
    last = max(resting, key=lambda row: row.paused_until, default=None)
    return Standing(
        name=name,
        type=TYPES[type(way).__name__],
        robots=len(way.robots) if isinstance(way, Group) else 1,
        next=way.next,
        quiet=way.quiet,
        is_quiet=way.is_quiet(now),
        sent=sum(number for robot, outcome, number in left if robot in robots and outcome == "sent"),
        failed=sum(number for robot, outcome, number in left if robot in robots and outcome == "failed"),
        this_minute=sum(one in robots for one in busy),
        most=PER_MINUTE * len(robots),
        resting=len(resting),
        rests_until=last.paused_until if last else None,
        reason=last.reason if last else "",
    )


IS_OPEN = alert.c.open_dedupe.is_not(None) & alert.c.level.in_(RAISED)
FILTERS: dict[str, ColumnElement[bool]] = {
    "open": IS_OPEN,
    "waiting": alert.c.state == "pending",
    "recovered": (alert.c.state == "recovered") & alert.c.level.in_(RAISED),
    "all": alert.c.id.is_not(None),
}


def count(journal: Journal, which: str) -> int:
    """How many alerts a filter lets in."""
    with journal.reading() as tx:
        return tx.execute(select(func.count()).select_from(alert).where(FILTERS[which])).scalar_one()


def alerts(journal: Journal, alerting: Alerting, which: str = "open", most: int = SHOWN) -> list[Raised]:
    """The newest alerts that a filter lets in."""
    query = select(alert).where(FILTERS[which]).order_by(alert.c.id.desc()).limit(most)
    with journal.reading() as tx:
        rows = tx.execute(query).all()
    return _raised(journal, alerting, rows)


def one_alert(journal: Journal, alerting: Alerting, alert_id: int) -> Raised | None:
    """An alert by its number, or None."""
    with journal.reading() as tx:
        rows = tx.execute(select(alert).where(alert.c.id == alert_id)).all()
    return next(iter(_raised(journal, alerting, rows)), None)


def _raised(journal: Journal, alerting: Alerting, rows: Sequence[Row[Any]]) -> list[Raised]:
    items = [row.work_item_id for row in rows if row.work_item_id]
    held = select(work_item_record.c.work_item_id, func.count(), func.coalesce(func.sum(work_item_record.c.amount), 0))
    waits = select(alert_send.c.alert_id, alert_send.c.due_at, alert_send.c.purpose)
    waits = waits.where(alert_send.c.alert_id.in_([row.id for row in rows]), alert_send.c.state == "waiting")
    with journal.reading() as tx:
        grouped = held.where(work_item_record.c.work_item_id.in_(items)).group_by(work_item_record.c.work_item_id)
        impact = {item: (number, int(fen)) for item, number, fen in tx.execute(grouped)}
        coming = {row.alert_id: row for row in tx.execute(waits.order_by(alert_send.c.due_at.desc()))}
    found = []
    for row in rows:
        records, money = impact.get(row.work_item_id, (0, 0))
        following = coming.get(row.id)
        when, what = (following.due_at, following.purpose) if following else (None, "")
        number = number_of(row.id, row.created_at)
        found.append(Raised(row, number, _owner(alerting, row), records, money, when, what))
    return found


def _owner(alerting: Alerting, row: Row[Any]) -> str:
    kind = kind_of(row.dedupe)
    return row.claimed_by or " ".join(one.name for one in owners(alerting, kind)) or "、".join(kind.act)


def sends(journal: Journal, alert_id: int) -> Sequence[Row[Any]]:
    """Every step of an alert: what was told, what is to come, what was taken back, with the message that it left in."""
    query = select(alert_send, alert_message.c.channel.label("by"), alert_message.c.alerts)
    query = query.outerjoin(alert_message, alert_message.c.id == alert_send.c.message_id)
    query = query.where(alert_send.c.alert_id == alert_id).order_by(alert_send.c.due_at, alert_send.c.id)
    with journal.reading() as tx:
        return tx.execute(query).all()


def messages(journal: Journal, most: int = 20) -> Sequence[Row[Any]]:
    """The newest messages with how they went."""
    with journal.reading() as tx:
        return tx.execute(select(alert_message).order_by(alert_message.c.id.desc()).limit(most)).all()
