"""What is known of each connection's line, for every worker of the journal; what a person must know of it is told here.

A line that is found dead raises one alert, which is over when the line works again. One whose key was refused three
times is disabled with one work item, in the same transaction, and stays so until a person enables it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy import Connection as Transaction

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.connect.line import FAILURES, State
from duijie.journal import work
from duijie.journal.journal import Journal
from duijie.journal.tables import UNFINISHED_STATES, delivery, work_item
from duijie.journal.tables_lines import line

DOWN = "系统每隔一段时间自动试一次, 应答即恢复, 等待的单据随后自动处理; 若持续请检查网络、地址与对方系统是否停机"


class JournalBoard:
    """The board of all workers of a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def read(self, conn_id: str) -> State:
        """What is known now."""
        with self._journal.reading() as tx:
            return _state(tx, conn_id)

    def change(self, conn_id: str, how: Callable[[State], State]) -> tuple[State, State]:
        """Change it in one step, and tell a person what a person must know; returns (before, after)."""
        with self._journal.writing() as tx:
            before = _state(tx, conn_id, self._journal)
            after = how(before)
            if after != before:
                _keep(tx, self._journal, conn_id, after, self._journal.who)
                _tell(tx, self._journal, conn_id, before, after)
        return before, after


def all_states(journal: Journal) -> dict[str, State]:
    """By connection; those of which nothing is known are absent."""
    with journal.reading() as tx:
        return {row.connection: _of(row) for row in tx.execute(select(line))}


def disable(journal: Journal, conn_id: str, who: str, why: str) -> None:
    """Take a connection out of use: nothing is sent over it any more. Raises ConfigError where it is out already."""
    with journal.writing() as tx:
        before = _state(tx, conn_id, journal)
        if before.disabled:
            raise ConfigError(
                f"连接 {conn_id} 已停用: {before.disabled}; 恢复请执行 duijie connection enable {conn_id}",
                en=f"{conn_id} is disabled already",
                where=conn_id,
            )
        _keep(tx, journal, conn_id, State(disabled=f"{who} 停用: {why}"), who)


def enable(journal: Journal, conn_id: str, who: str) -> bool:
    """Put a connection and all its parts back into use and close the work items about it.

    False: they were in use, and free of any pause.
    """
    with journal.writing() as tx:
        before = {
            row.connection: _of(row) for row in tx.execute(select(line).where(_part_of(conn_id, line.c.connection)))
        }
        for name in before:
            _keep(tx, journal, name, State(), who)
            work.recovered(tx, journal, f"line|{name}")
        mine = (work_item.c.kind == "credential") & _part_of(conn_id, work_item.c.subject)
        found = tx.execute(select(work_item.c.id).where(mine, work_item.c.state != "closed")).scalars().all()
        work.close_items(tx, journal, found, who, "连接已恢复使用")
        return any(state != State() for state in before.values())


def _part_of(conn_id: str, column: ColumnElement[str]) -> ColumnElement[bool]:
    """The connection itself, or a part of it (a shop with a key of its own)."""
    return (column == conn_id) | column.startswith(f"{conn_id}:", autoescape=True)


def _state(tx: Transaction, conn_id: str, locking: Journal | None = None) -> State:
    """`locking`: the row is ours until the end of the transaction, and there is one."""
    query = select(line).where(line.c.connection == conn_id)
    if locking is not None:
        tx.execute(locking.insert_new(line).values(_row(locking, conn_id, State(), locking.who)))
        query = query.with_for_update() if locking.is_postgres else query
    row = tx.execute(query).first()
    return _of(row) if row else State()


def _of(row: object) -> State:
    rests_until = getattr(row, "rests_until", None)
    others = {name: getattr(row, name) for name in ("pauses", "is_tried", "strikes", "disabled")}
    return State(rests_until.timestamp() if rests_until else 0.0, **others)


def _row(journal: Journal, conn_id: str, state: State, who: str) -> Record:
    until = datetime.fromtimestamp(state.rests_until, UTC) if state.rests_until else None
    return {
        "connection": conn_id,
        "rests_until": until,
        "pauses": state.pauses,
        "is_tried": state.is_tried,
        "strikes": state.strikes,
        "disabled": state.disabled,
        "changed_at": journal.now(),
        "changed_by": who[:80],
    }


def _keep(tx: Transaction, journal: Journal, conn_id: str, state: State, who: str) -> None:
    tx.execute(line.update().where(line.c.connection == conn_id).values(_row(journal, conn_id, state, who)))


def _tell(tx: Transaction, journal: Journal, conn_id: str, before: State, after: State) -> None:
    if after.pauses and not before.pauses:
        title = f"连接 {conn_id} 没有应答, 已暂停"
        cause = f"连续 {FAILURES} 次请求没有应答; {_waiting(tx, conn_id)}"
        work.raise_alert(tx, journal, f"line|{conn_id}", "重要", title, DOWN, cause=cause)
    if before.pauses and not after.pauses:
        work.recovered(tx, journal, f"line|{conn_id}")
    if after.disabled and not before.disabled:
        reason = (
            f"连接 {conn_id} 的密钥连续 {after.strikes} 次被拒绝, 已停用: {after.disabled}。{_waiting(tx, conn_id)}"
        )
        work.open_item(tx, journal, "", work.Finding("credential", conn_id, reason))


def _waiting(tx: Transaction, conn_id: str) -> str:
    """What waits because of it."""
    number, amount = func.count(), func.coalesce(func.sum(delivery.c.amount), 0)
    sinks = f"{conn_id.partition(':')[0]}/"
    query = select(number, amount).where(delivery.c.sink.startswith(sinks, autoescape=True))
    count, fen = tx.execute(query.where(delivery.c.state.in_(UNFINISHED_STATES))).one()
    return f"等待送达的单据 {count} 张, 金额 {Decimal(fen).scaleb(-2):,.2f} 元" if count else "目前没有单据在等待送达"
