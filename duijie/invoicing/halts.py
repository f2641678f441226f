"""Sinks that a platform has halted: 授信额度 used up, or the drawer must log in. One row per stop, one alert per row.

::

    parked → released → trying → over
       ↑________________________|          the trial was halted again: the same stop goes on

While it is parked nothing is claimed for writing at the sink; what is unknown is still asked for, and polls go on.
After a release one delivery goes alone, and the queue follows once it is through. `in_poll`: this platform takes
requests and tells only in the result that it could not issue them, so the trial's result is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection as Transaction
from sqlalchemy import select, update

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.invoicing import asks
from duijie.journal import Journal, work
from duijie.journal.documents import yuan
from duijie.journal.tables_invoicing import halt

Reason = Literal["credit", "login"]
TRIAL = timedelta(minutes=2)
TITLES = {"credit": "开票授信额度不足, 开票申请已暂停", "login": "开票员需要登录电子税务局, 开票申请已暂停"}
STEPS = {
    "credit": "请财务在电子税务局申请调整授信额度, 或等下月额度恢复; 额度够了会自动继续, "
    "也可执行 duijie invoice resume {connection} 或在开票工作台点“恢复”",
    "login": "请开票员登录电子税务局 (需要时扫码); 登录后会自动继续, "
    "也可执行 duijie invoice resume {connection} 或在开票工作台点“恢复”",
}


@dataclass(frozen=True)
class Halted:
    """A stop that is not over. Amounts in yuan without tax, None where they are not known."""

    id: int
    sink: str
    state: str
    reason: Reason
    said: str
    qr: str
    in_poll: bool
    needed: Decimal | None
    available: Decimal | None
    halted_at: datetime
    changed_at: datetime
    trial: str
    trial_until: datetime | None

    @property
    def connection(self) -> str:
        """The connection of the sink."""
        return self.sink.partition("/")[0]

    def is_shut(self, now: datetime) -> bool:
        """Whether nothing may be written now: parked, or another worker's trial is on its way."""
        if self.state == "parked":
            return True
        return self.state == "trying" and (self.trial_until is None or now < self.trial_until)


@dataclass(frozen=True)
class Stop:
    """Why a sink is parked. `needed` and `available`: fen without tax; `in_poll` as in the module's docstring."""

    reason: Reason
    said: str
    qr: str = ""
    needed: int | None = None
    available: int | None = None
    in_poll: bool = False


def of(tx: Transaction, sink: str) -> Halted | None:
    """The stop of a sink that is not over."""
    row = tx.execute(select(halt).where(halt.c.open_sink == sink)).first()
    return _halted(row) if row else None


def standing(journal: Journal, connection: str = "") -> list[Halted]:
    """Every stop that is not over, oldest first; of one connection where it is named."""
    query = select(halt).where(halt.c.open_sink.is_not(None)).order_by(halt.c.id)
    if connection:
        query = query.where(halt.c.open_sink.startswith(f"{connection}/", autoescape=True))
    with journal.reading() as tx:
        return [_halted(row) for row in tx.execute(query)]


def shut(tx: Transaction, now: datetime) -> set[str]:
    """The sinks that nothing may be written to now."""
    rows = tx.execute(select(halt).where(halt.c.open_sink.is_not(None)))
    return {one.sink for one in map(_halted, rows) if one.is_shut(now)}


def park(tx: Transaction, journal: Journal, sink: str, stop: Stop) -> None:
    """Stop a sink, in the transaction of what was halted. Of a stop that goes on nobody is told again."""
    now = journal.now()
    row = {"sink": sink, "open_sink": sink, "state": "parked", "reason": stop.reason, "said": stop.said,
           "qr": stop.qr, "in_poll": stop.in_poll, "needed": stop.needed, "available": stop.available,
           "halted_at": now, "changed_at": now, "changed_by": journal.who[:120], "why": stop.said}  # fmt: skip
    made = tx.execute(journal.insert_new(halt).values(**row).returning(halt.c.id)).scalar_one_or_none()
    if made is not None:
        _tell(tx, journal, sink, stop)
        return
    kept = {name: row[name] for name in ("reason", "said", "needed", "available") if row[name] is not None}
    if stop.qr:
        kept["qr"] = stop.qr
    before = of(tx, sink)
    again = update(halt).where(halt.c.open_sink == sink)
    tx.execute(again.values(**kept, **_moved(journal, "parked", stop.said), hits=halt.c.hits + 1, trial=""))
    if before and before.reason != stop.reason:
        work.recovered(tx, journal, _dedupe(before.reason, sink))
        _tell(tx, journal, sink, stop)


def release(journal: Journal, sink: str, who: str, why: str) -> bool:
    """Let a parked sink be tried again; False where it is not parked."""
    with journal.writing() as tx:
        mine = update(halt).where(halt.c.open_sink == sink, halt.c.state.in_(("parked", "trying")))
        return bool(tx.execute(mine.values(**_moved(journal, "released", why, who))).rowcount)


def resume(journal: Journal, connection: str, who: str, why: str = "人工恢复") -> list[str]:
    """Release every parked sink of a connection, by a person. Raises ConfigError where none is parked."""
    parked = [one.sink for one in standing(journal, connection) if one.state != "released"]
    released = [sink for sink in parked if release(journal, sink, who, why)]
    if not released:
        raise ConfigError(
            f"连接 {connection} 没有暂停的写入口, 不用恢复; 查看: duijie invoice halts",
            en=f"no sink of {connection} is parked",
            where=connection,
        )
    for what in ("credit", "login"):
        asks.forget(journal, connection, what)
    return released


def try_one(journal: Journal, sink: str, key: str) -> bool:
    """Take the one trial after a release: False where the sink is shut, or another worker has taken it."""
    now = journal.now()
    with journal.writing() as tx:
        stands = of(tx, sink)
        if stands is None:
            return True
        if stands.is_shut(now):
            return False
        mine = update(halt).where(halt.c.id == stands.id, halt.c.state == stands.state)
        mine = mine.where(halt.c.changed_at == stands.changed_at)
        mine = mine.where(halt.c.trial_until.is_not_distinct_from(stands.trial_until))
        values = {**_tries(journal, "trying", "恢复后先试一张"), "trial": key[:200], "trial_until": now + TRIAL}
        return bool(tx.execute(mine.values(**values)).rowcount)


def trial_taken(tx: Transaction, journal: Journal, sink: str, key: str, patience: timedelta) -> None:
    """The trial was taken by the platform: over, or where the result tells, to be waited for so long."""
    stands = of(tx, sink)
    if stands is None or stands.state != "trying" or stands.trial != key:
        return
    if stands.in_poll:
        tx.execute(update(halt).where(halt.c.id == stands.id).values(trial_until=journal.now() + patience))
    else:
        end(tx, journal, sink, f"{key} 已通过")


def trial_untold(tx: Transaction, journal: Journal, sink: str, key: str) -> None:
    """The trial told nothing (no answer, busy): another may be tried."""
    mine = update(halt).where(halt.c.open_sink == sink, halt.c.state == "trying", halt.c.trial == key)
    tx.execute(mine.values(**_tries(journal, "released", f"{key} 没有结果, 再试一张")))


def end(tx: Transaction, journal: Journal, sink: str, why: str) -> None:
    """It is over: the queue goes on, and who was alerted is told."""
    stands = of(tx, sink)
    if stands is None:
        return
    tx.execute(update(halt).where(halt.c.id == stands.id).values(**_moved(journal, "over", why), open_sink=None))
    work.recovered(tx, journal, _dedupe(stands.reason, sink))


def show(journal: Journal, sink: str, change: Callable[[Halted], Halted]) -> None:
    """Keep what was learned while it stands: figures, a newer code to scan."""
    with journal.writing() as tx:
        if (stands := of(tx, sink)) is None:
            return
        new = change(stands)
        values: Record = {"qr": new.qr, "said": new.said}
        values |= {name: _fen(getattr(new, name)) for name in ("needed", "available")}
        tx.execute(update(halt).where(halt.c.id == stands.id).values(**values))
        if new.qr != stands.qr:
            stop = Stop(new.reason, new.said, new.qr, _fen(new.needed), _fen(new.available))
            _tell(tx, journal, sink, stop)


def _dedupe(reason: str, sink: str) -> str:
    return f"halt_{reason}|{sink}"


def _tell(tx: Transaction, journal: Journal, sink: str, stop: Stop) -> None:
    connection = sink.partition("/")[0]
    steps = STEPS[stop.reason].format(connection=connection)
    if stop.qr:
        steps += f"; 扫码 (5 分钟内有效, 到期请在开票工作台刷新): {_shown(stop.qr, connection)}"
    title = f"{TITLES[stop.reason]} · 连接 {connection}"
    level = "紧急" if stop.reason == "login" else "重要"
    work.raise_alert(tx, journal, _dedupe(stop.reason, sink), level, title, steps, cause=_cause(stop))


def _cause(stop: Stop) -> str:
    figures = (("本笔需要不含税", stop.needed), ("可用", stop.available))
    told = (f"{words} {yuan(value):,} 元" for words, value in figures if value is not None)
    return "; ".join([stop.said, *told])


def _shown(qr: str, connection: str) -> str:
    """The address of the code; an image that travels inside the text is shown by the console."""
    return f"开票工作台 → {connection} 的登录二维码" if qr.startswith("data:") else qr


def _moved(journal: Journal, state: str, why: str, who: str = "") -> Record:
    return {"state": state, "changed_at": journal.now(), "changed_by": (who or journal.who)[:120], "why": why}


def _tries(journal: Journal, state: str, why: str) -> Record:
    """A move between tries: since when they go on stays what it was, so that their deadline is reached."""
    return {name: value for name, value in _moved(journal, state, why).items() if name != "changed_at"}


def _fen(value: Decimal | None) -> int | None:
    return None if value is None else int(value * 100)


KEPT = ("id", "sink", "state", "reason", "said", "qr", "in_poll", "halted_at", "changed_at", "trial", "trial_until")


def _halted(row: Any) -> Halted:
    needed, available = (None if cents is None else yuan(cents) for cents in (row.needed, row.available))
    return Halted(**{name: getattr(row, name) for name in KEPT}, needed=needed, available=available)
