"""What is about to be told: claimed with a lease, told, marked; and every robot's minute, counted in the journal.

A row is `claimed` by one worker, `sending` from before its message leaves (committed first) and `sent` after. Whoever
finds the lease of a `sending` row run out sends it again: a crash between the call and the mark repeats that one
message and loses none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import BigInteger, cast, func, select, update
from sqlalchemy import Connection as Transaction

from duijie.journal import Journal
from duijie.journal.alarms import notify_recovery
from duijie.journal.tables import alert, work_item, work_item_record
from duijie.journal.tables_alarm import alert_message, alert_robot, alert_send

LEASE = timedelta(minutes=5)
MINUTE = timedelta(seconds=60)
PER_MINUTE = 18  # the vendors' 20, less what may be on the way
AT_ONCE = 500


class TakenBack(Exception):
    """Some of these rows are not this worker's any more: claimed by a person, recovered, or the lease ran out."""


@dataclass(frozen=True)
class Due:
    """One alert to be told now on one channel, with what it holds up; money in fen."""

    id: int
    worker: str
    alert_id: int
    purpose: str
    must_act: bool
    urgency: int
    attempts: int
    dedupe: str
    level: str
    title: str
    cause: str
    body: str
    count: int
    created_at: datetime
    work_item_id: int | None
    owner: str
    records: int
    money: int


def claim(journal: Journal, channel: str, most: int) -> list[Due]:
    """Take what is due on a channel, up to this urgency number, the urgent first, what failed before last."""
    token, now = f"{journal.who}:{uuid4().hex[:12]}"[-120:], journal.now()
    mine = alert_send.c.channel == channel
    due = (mine, alert_send.c.state == "waiting", alert_send.c.due_at <= now, alert_send.c.urgency <= most)
    with journal.writing() as tx:
        _release(tx, journal, channel, now)
        query = select(alert_send.c.id).where(*due).limit(AT_ONCE).with_for_update(skip_locked=True)
        order = alert_send.c.urgency, alert_send.c.attempts, alert_send.c.id
        ids = list(tx.execute(query.order_by(*order)).scalars())
        held = {"state": "claimed", "worker": token, "lease_until": now + LEASE}
        tx.execute(update(alert_send).where(alert_send.c.id.in_(ids)).values(**held))
    return still_mine(journal, token) if ids else []


def _release(tx: Transaction, journal: Journal, channel: str, now: datetime) -> None:
    """Take back what a worker that is gone held. What it may have sent of an alert that is over is told to be over."""
    over = (alert_send.c.channel == channel, alert_send.c.lease_until < now)
    gone = alert_send.c.state == "sending", alert.c.state == "recovered"
    query = select(alert_send.c.id, alert.c.id).join(alert, alert.c.id == alert_send.c.alert_id).where(*over, *gone)
    for send_id, alert_id in tx.execute(query).all():
        tx.execute(update(alert_send).where(alert_send.c.id == send_id).values(state="cancelled", lease_until=None))
        notify_recovery(tx, journal, alert_id)
    lost = update(alert_send).where(*over, alert_send.c.state.in_(("claimed", "sending")))
    tx.execute(lost.values(state="waiting", lease_until=None, reason="上一次发送中断, 重新发送"))


def still_mine(journal: Journal, worker: str) -> list[Due]:
    """What this claim still holds and has not sent."""
    held = work_item_record.c.work_item_id == alert.c.work_item_id
    records = select(func.count()).select_from(work_item_record).where(held).scalar_subquery()
    total = func.coalesce(func.sum(work_item_record.c.amount), 0)
    money = select(cast(total, BigInteger)).where(held).scalar_subquery()
    sends = [alert_send.c[name] for name in ("id", "worker", "alert_id", "purpose", "must_act", "urgency", "attempts")]
    said = ("dedupe", "level", "title", "cause", "body", "count", "created_at", "work_item_id")
    owner = func.coalesce(work_item.c.owner, "")
    query = select(*sends, *(alert.c[name] for name in said), owner, records, money)
    query = query.join(alert, alert.c.id == alert_send.c.alert_id)
    query = query.outerjoin(work_item, work_item.c.id == alert.c.work_item_id)
    query = query.where(alert_send.c.worker == worker, alert_send.c.state == "claimed")
    with journal.reading() as tx:
        rows = tx.execute(query.order_by(alert_send.c.urgency, alert_send.c.attempts, alert_send.c.id)).all()
    return [Due(**dict(zip(Due.__dataclass_fields__, row, strict=True))) for row in rows]


def begin(journal: Journal, robot: str, channel: str, title: str, dues: Sequence[Due]) -> int | str:
    """Write down that a message leaves now; its number, or why this robot cannot take it.

    Raises TakenBack when one of the rows is not ours any more.
    """
    now = journal.now()
    with journal.writing() as tx:
        tx.execute(journal.insert_new(alert_robot).values(robot=robot, channel=channel))
        rests = select(alert_robot.c.paused_until, alert_robot.c.reason).where(alert_robot.c.robot == robot)
        until, reason = tx.execute(rests.with_for_update()).one()
        if until and until > now:
            return str(reason)
        minute = select(func.count()).where(alert_message.c.robot == robot, alert_message.c.at > now - MINUTE)
        if tx.execute(minute).scalar_one() >= PER_MINUTE:
            return f"该机器人一分钟内已发 {PER_MINUTE} 条, 稍候继续"
        mine = _mine(dues, "claimed")
        if tx.execute(mine.values(state="sending", lease_until=now + LEASE)).rowcount != len(dues):
            raise TakenBack
        row = {"robot": robot, "channel": channel, "title": title, "alerts": len(dues), "at": now}
        return int(tx.execute(alert_message.insert().values(**row).returning(alert_message.c.id)).scalar_one())


def _mine(dues: Iterable[Due], state: str) -> Any:
    held = list(dues)
    ids, workers = [one.id for one in held], {one.worker for one in held}
    return update(alert_send).where(
        alert_send.c.id.in_(ids), alert_send.c.worker.in_(workers), alert_send.c.state == state
    )


def sent(
    journal: Journal, message_id: int, dues: Sequence[Due], steps: Mapping[int, Sequence[Mapping[str, Any]]]
) -> None:
    """Mark a message and its alerts as sent, and let their steps of escalation wait: row → steps."""
    now = journal.now()
    with journal.writing() as tx:
        tx.execute(update(alert_message).where(alert_message.c.id == message_id).values(outcome="sent"))
        done = {"state": "sent", "sent_at": now, "message_id": message_id, "lease_until": None, "reason": ""}
        tx.execute(_mine(dues, "sending").values(**done))
        ids = sorted({one.alert_id for one in dues})
        told = update(alert).where(alert.c.id.in_(ids))
        tx.execute(told.values(sent_at=now))
        tx.execute(told.where(alert.c.state == "pending").values(state="sent"))
        for over in tx.execute(select(alert.c.id).where(alert.c.id.in_(ids), alert.c.state == "recovered")).scalars():
            notify_recovery(tx, journal, over)
        _escalate(tx, journal, ids, dues, steps)


def _escalate(
    tx: Transaction, journal: Journal, ids: Sequence[int], dues: Sequence[Due], steps: Mapping[int, Any]
) -> None:
    """Only while the alert is open and nobody's."""
    unclaimed = select(alert.c.id).where(
        alert.c.id.in_(ids), alert.c.open_dedupe.is_not(None), alert.c.claimed_by == ""
    )
    waiting = set(tx.execute(unclaimed).scalars())
    rows = [
        {"alert_id": one.alert_id, "must_act": True, "urgency": one.urgency, **step}
        for one in dues
        for step in steps.get(one.id, ())
        if one.alert_id in waiting
    ]
    for row in rows:
        tx.execute(journal.insert_new(alert_send).values(**row))


def failed(journal: Journal, message_id: int, dues: Sequence[Due], reason: str, pause: timedelta) -> None:
    """Mark a message as failed: its robot rests, its alerts are this worker's to try elsewhere."""
    now = journal.now()
    with journal.writing() as tx:
        message = update(alert_message).where(alert_message.c.id == message_id)
        robot = tx.execute(
            message.values(outcome="failed", reason=reason).returning(alert_message.c.robot)
        ).scalar_one()
        rest = update(alert_robot).where(alert_robot.c.robot == robot)
        tx.execute(rest.values(paused_until=now + pause, reason=reason))
        again = {"state": "claimed", "lease_until": now + LEASE, "attempts": alert_send.c.attempts + 1}
        tx.execute(_mine(dues, "sending").values(**again, reason=reason))


def postpone(journal: Journal, dues: Sequence[Due], until: datetime, reason: str) -> None:
    """Let rows wait again."""
    later = {"state": "waiting", "due_at": until, "lease_until": None, "reason": reason}
    with journal.writing() as tx:
        tx.execute(_mine(dues, "claimed").values(**later))


def recent(journal: Journal, channel: str, since: datetime) -> int:
    """How many messages left on a channel since then."""
    query = select(func.count()).where(alert_message.c.channel == channel, alert_message.c.at > since)
    with journal.reading() as tx:
        return tx.execute(query).scalar_one()


def waiting(journal: Journal) -> int:
    """How many alerts nobody has been told of yet."""
    query = select(func.count()).select_from(alert).where(alert.c.state == "pending")
    with journal.reading() as tx:
        return tx.execute(query).scalar_one()
