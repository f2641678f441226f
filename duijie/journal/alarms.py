"""Alerts in the transaction of what they report: raised, counted, claimed, muted, recovered.

The dedupe text is "rule|object": one open alert of each, however often it happens. What waits to be told of an alert,
escalation included, are rows of alert_send, so that a claim or a recovery takes them back in its own transaction.
`duijie.alerts` sends them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, delete, func, literal, or_, select, update
from sqlalchemy import Connection as Transaction

from duijie.connect.errors import ConfigError
from duijie.journal.journal import Journal
from duijie.journal.tables import alert
from duijie.journal.tables_alarm import ESCALATIONS, alert_mute, alert_send

LONGEST_MUTE = timedelta(days=7)
RECOVERY = "恢复"


def raise_alert(
    tx: Transaction,
    journal: Journal,
    dedupe: str,
    level: str,
    title: str,
    body: object,
    *,
    cause: str = "",
    item_id: int | None = None,
) -> None:
    """Raise an alert, or count one more of the same, whose words are then the newest.

    `level` is 紧急, 重要 or 提示; `body` says what to do (建议), `cause` why; `item_id` is the work item it stands for.
    """
    said = {"title": title, "body": str(body), "cause": cause, "last_at": journal.now()}
    row = {"dedupe": dedupe[:300], "open_dedupe": dedupe[:300], "level": level, "work_item_id": item_id, **said}
    fresh = journal.insert_new(alert).values(**row, created_at=journal.now()).returning(alert.c.id)
    if tx.execute(fresh).scalar_one_or_none() is None:
        same = update(alert).where(alert.c.open_dedupe == dedupe[:300])
        tx.execute(same.values(count=alert.c.count + 1, **said))


def recovered(tx: Transaction, journal: Journal, dedupe: str) -> None:
    """Close an open alert; what waits to be told of it is dropped, and if it was sent, a recovery notice waits."""
    row = tx.execute(select(alert.c.id, alert.c.state).where(alert.c.open_dedupe == dedupe[:300])).first()
    if row is None:
        return
    tx.execute(update(alert).where(alert.c.id == row.id).values(state="recovered", open_dedupe=None))
    _drop(tx, alert_send.c.alert_id == row.id)
    if row.state == "sent":
        notify_recovery(tx, journal, row.id)


def replaced(tx: Transaction, dedupe: str) -> None:
    """Close an open alert because a more fitting one takes its place: nobody is told that it is over."""
    row = tx.execute(select(alert.c.id).where(alert.c.open_dedupe == dedupe[:300])).first()
    if row is not None:
        tx.execute(update(alert).where(alert.c.id == row.id).values(state="recovered", open_dedupe=None))
        _drop(tx, alert_send.c.alert_id == row.id)


def notify_recovery(tx: Transaction, journal: Journal, alert_id: int) -> None:
    """Let one recovery notice of a recovered alert wait, however often this is asked."""
    title = tx.execute(select(alert.c.title).where(alert.c.id == alert_id)).scalar_one()
    dedupe = f"recovered|{alert_id}"
    notice = {"dedupe": dedupe, "open_dedupe": dedupe, "level": RECOVERY, "title": f"已恢复: {title}"}
    now = journal.now()
    fresh = journal.insert_new(alert).values(**notice, body="无需处理", created_at=now, last_at=now, recovers=alert_id)
    tx.execute(fresh)


def claim(journal: Journal, alert_id: int, who: str) -> None:
    """Put one's name on an open alert: it escalates no further. Raises ConfigError saying why not."""
    with journal.writing() as tx:
        if not claim_where(tx, journal, (alert.c.id == alert_id) & (alert.c.claimed_by == ""), who):
            raise _not_claimed(tx, alert_id)


def claim_where(tx: Transaction, journal: Journal, which: ColumnElement[bool], who: str) -> int:
    """Claim the open alerts of a condition, and take back the steps of escalation that wait."""
    which = which & alert.c.open_dedupe.is_not(None)
    ids = list(tx.execute(select(alert.c.id).where(which)).scalars())
    if ids:
        claimed = {"claimed_by": who[:80], "claimed_at": journal.now()}
        tx.execute(update(alert).where(alert.c.id.in_(ids)).values(**claimed))
        _drop(tx, alert_send.c.alert_id.in_(ids) & alert_send.c.purpose.in_((*ESCALATIONS, "again")))
    return len(ids)


def _not_claimed(tx: Transaction, alert_id: int) -> ConfigError:
    found = tx.execute(select(alert).where(alert.c.id == alert_id)).first()
    if found is None:
        return ConfigError(f"没有编号为 {alert_id} 的告警", en=f"no alert {alert_id}", where=str(alert_id))
    if found.open_dedupe is None:
        return ConfigError(f"告警 {alert_id} 已恢复, 不用认领", en=f"alert {alert_id} is over", where=str(alert_id))
    return ConfigError(
        f"告警 {alert_id} 已由 {found.claimed_by} 认领, 如需接手请与其联系",
        en=f"alert {alert_id} is held by {found.claimed_by}",
        where=str(alert_id),
    )


def _drop(tx: Transaction, which: ColumnElement[bool]) -> None:
    waits = alert_send.c.state.in_(("waiting", "claimed"))
    tx.execute(update(alert_send).where(which, waits).values(state="cancelled", lease_until=None))


def mute(journal: Journal, scope: str, until: datetime, who: str, reason: str) -> None:
    """Send nothing of a rule ("step") or of one object ("step|orders|pull") until then; it is still counted and shown.

    Raises ConfigError without a reason, or for an end that is past or more than seven days away.
    """
    now = journal.now()
    if not reason.strip() or not scope.strip():
        raise ConfigError("请写明静音对象与原因", en="say what to mute and why", where=scope)
    if not now < until <= now + LONGEST_MUTE:
        raise ConfigError("静音须有结束时间, 最长 7 天", en="a mute ends within seven days", where=scope)
    scope = scope.strip()[:300]
    row = {"scope": scope, "until": until, "reason": reason.strip(), "who": who[:80], "created_at": now}
    with journal.writing() as tx:
        tx.execute(alert_mute.insert().values(**row))
        waits = alert_send.c.alert_id.in_(select(alert.c.id).where(is_in_scope(scope)))
        later = update(alert_send).where(waits, alert_send.c.state == "waiting", alert_send.c.due_at < until)
        tx.execute(later.values(due_at=until, reason=f"静音: {reason.strip()}"))


def unmute(journal: Journal, mute_id: int) -> None:
    """End a mute now: what waited for its end goes with the next run. Raises ConfigError when there is none."""
    with journal.writing() as tx:
        found = tx.execute(select(alert_mute).where(alert_mute.c.id == mute_id)).first()
        if found is None:
            raise ConfigError(f"没有编号为 {mute_id} 的静音", en=f"no mute {mute_id}", where=str(mute_id))
        tx.execute(delete(alert_mute).where(alert_mute.c.id == mute_id))
        waits = alert_send.c.alert_id.in_(select(alert.c.id).where(is_in_scope(found.scope)))
        held = alert_send.c.due_at == found.until
        now = update(alert_send).where(waits, held, alert_send.c.state == "waiting")
        tx.execute(now.values(due_at=journal.now(), reason=""))


def is_in_scope(scope: str) -> ColumnElement[bool]:
    """Whether an alert is of a rule or of an object."""
    return or_(alert.c.dedupe == scope, alert.c.dedupe.startswith(f"{scope}|", autoescape=True))


def muted_until(tx: Transaction, now: datetime, dedupe: str) -> datetime | None:
    """Until when an alert of this dedupe text is muted; None when it is not."""
    text = literal(dedupe)
    inside = or_(alert_mute.c.scope == text, func.substr(text, 1, func.length(alert_mute.c.scope) + 1)
                 == alert_mute.c.scope + "|")  # fmt: skip
    query = select(alert_mute.c.until).where(inside, alert_mute.c.until > now)
    return tx.execute(query.order_by(alert_mute.c.until.desc()).limit(1)).scalar_one_or_none()


def mutes(journal: Journal) -> list[Row[tuple[int, str, datetime, str, str, datetime]]]:
    """The mutes in force, those that end first before."""
    query = select(alert_mute).where(alert_mute.c.until > journal.now()).order_by(alert_mute.c.until)
    with journal.reading() as tx:
        return list(tx.execute(query))
