"""Deliveries that a person chooses, and what that person does with them: send round again, or give up.

Both ask twice: `choose` shows what would be touched and what not, and why; `retry` and `cancel` take its ids. Who, when
and why are written into the history of every row by the database.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, exists, func, select

from duijie.connect.errors import ConfigError
from duijie.journal import deliveries
from duijie.journal.journal import Journal
from duijie.journal.passing import Route, passed
from duijie.journal.tables import DELIVERY_STATES, delivery

RETRIED = ("blocked", "rejected")
RETRIABLE = (*RETRIED, "cancelled")
MOST = 10_000
AT_ONCE = 500
LARGEST_ID = 2**63 - 1

_REFUSED = {
    "pending": "待发, 到时自动发送",
    "claimed": "正在处理",
    "sent": "已发出, 结果由系统查询清楚",
    "unknown": "结果未知, 系统会先查询对方再决定",
    "done": "已送达, 更正请在来源系统修改或冲销",
    "superseded": "已有更新的版本",
}
_NOT_RETRIED = {**_REFUSED, "cancelled": "已取消, 需按编号或状态指明才重发"}
_NOT_CANCELLED = {
    **_REFUSED,
    "sent": "已发出, 对方可能已入账: 等系统查询清楚",
    "unknown": "结果未知, 对方可能已入账: 等系统查询清楚",
    "done": "已送达, 请在对方系统冲销",
    "cancelled": "已取消",
}
OVERTAKEN = "已有更新的版本, 不再发送旧版"


@dataclass(frozen=True)
class Wanted:
    """Which deliveries: those that fit everything that is given. `reason` is a text that the reason contains."""

    ids: tuple[int, ...] = ()
    key: str = ""
    sink: str = ""
    states: tuple[str, ...] = ()
    reason: str = ""

    def check(self) -> None:
        """Raises ConfigError where nothing is asked for, or a state that is none."""
        if not (self.ids or self.key or self.sink or self.states or self.reason):
            raise ConfigError("请至少给出一个条件: 编号、单据、去处、状态或原因", en="name at least one condition")
        if any(one > LARGEST_ID for one in self.ids):
            raise ConfigError(f"没有编号为 {max(self.ids)} 的投递", en="no such delivery", where=str(max(self.ids)))
        if unknown := set(self.states) - set(DELIVERY_STATES):
            known = ", ".join(DELIVERY_STATES)
            raise ConfigError(
                f"没有状态 {', '.join(sorted(unknown))}, 可选: {known}", en=f"no such state; known: {known}"
            )


@dataclass(frozen=True)
class Row:
    """A delivery as it is chosen: amount in fen; `overtaken` when a newer version of its document has a row."""

    id: int
    entity: str
    key: str
    sink: str
    flow: str
    state: str
    attempts: int
    amount: int
    reason: str
    changed_at: datetime
    overtaken: bool


@dataclass(frozen=True)
class Choice:
    """What would be touched, and why the others would not (reason → how many). `more`: there are more than MOST."""

    rows: Sequence[Row]
    left: Counter[str]
    more: bool

    @property
    def ids(self) -> list[int]:
        """Of what would be touched."""
        return [one.id for one in self.rows]

    @property
    def money(self) -> int:
        """In fen."""
        return sum(one.amount for one in self.rows)


def find(journal: Journal, wanted: Wanted, limit: int = MOST) -> list[Row]:
    """The deliveries that fit, the oldest first. Raises ConfigError as `Wanted.check`."""
    wanted.check()
    later = delivery.alias("later")
    same = (later.c.sink == delivery.c.sink) & (later.c.key == delivery.c.key) & (later.c.id > delivery.c.id)
    columns = [delivery.c[name] for name in Row.__dataclass_fields__ if name != "overtaken"]
    query = select(*columns, exists().where(same).label("overtaken")).where(*_conditions(wanted))
    with journal.reading() as tx:
        return [Row(*row) for row in tx.execute(query.order_by(delivery.c.id).limit(limit))]


def count(journal: Journal, wanted: Wanted) -> int:
    """How many deliveries fit."""
    wanted.check()
    with journal.reading() as tx:
        return tx.execute(select(func.count()).where(*_conditions(wanted))).scalar_one()


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.ids:
        found.append(delivery.c.id.in_(wanted.ids))
    if wanted.key:
        named = delivery.c.key.endswith(f":{wanted.key}", autoescape=True)
        found.append((delivery.c.key == wanted.key) | named | (delivery.c.target_key == wanted.key))
    if wanted.sink:
        found.append(delivery.c.sink == wanted.sink)
    if wanted.states:
        found.append(delivery.c.state.in_(wanted.states))
    if wanted.reason:
        found.append(delivery.c.reason.contains(wanted.reason, autoescape=True))
    return found


def to_retry(journal: Journal, wanted: Wanted) -> Choice:
    """What would go round again. Cancelled rows only where they are named by id or asked for by state."""
    able = RETRIABLE if wanted.ids or "cancelled" in wanted.states else RETRIED
    return _choice(find(journal, wanted, MOST + 1), partial(_not_retried, able))


def to_cancel(journal: Journal, wanted: Wanted) -> Choice:
    """What would be given up."""
    return _choice(find(journal, wanted, MOST + 1), _not_cancelled)


def _not_retried(able: Sequence[str], one: Row) -> str:
    if one.state not in able:
        return _NOT_RETRIED[one.state]
    return OVERTAKEN if one.overtaken else ""


def _not_cancelled(one: Row) -> str:
    return "" if one.state in deliveries.CANCELLABLE else _NOT_CANCELLED[one.state]


def _choice(found: Sequence[Row], why_not: Callable[[Row], str]) -> Choice:
    reasons = [why_not(one) for one in found]
    chosen = [one for one, reason in zip(found, reasons, strict=True) if not reason]
    return Choice(chosen[:MOST], Counter(filter(None, reasons)), len(found) > MOST)


def retry(journal: Journal, rows: Sequence[Row], who: str, why: str) -> int:
    """Send chosen rows round again; returns how many. Those that somebody else has moved meanwhile are left alone."""
    said = f"人工重试: {why.strip() or '原因已排除'}"
    return sum(deliveries.release(journal, [one.id for one in part], said, who) for part in _parts(rows))


def cancel(journal: Journal, rows: Sequence[Row], who: str, why: str) -> int:
    """Give chosen rows up and take them off their work items; returns how many.

    Raises ConfigError, and cancels none of a part of 500, without a reason or when one of them has left meanwhile.
    """
    if not why.strip():
        raise ConfigError("请写明取消的原因", en="say why they are given up", where="why")
    return sum(_cancel(journal, part, who, why.strip()) for part in _parts(rows))


def _cancel(journal: Journal, rows: Sequence[Row], who: str, why: str) -> int:
    grouped: dict[Route, list[str]] = defaultdict(list)
    for one in rows:
        grouped[one.flow, one.entity, one.sink].append(one.key)
    with journal.writing() as tx:
        done = deliveries.cancel_in(tx, journal, [one.id for one in rows], who, f"人工取消: {why}")
        for route, keys in grouped.items():
            passed(tx, journal, route, keys, f"{who} 取消了投递: {why}")
    return done


def _parts(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
