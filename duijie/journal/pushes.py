"""Pushes in the journal: whole records into the inbox, keys as hints, each push once, and how many came.

A hint is one row per key however often it is pushed; reading the key settles the row only when no further hint came
meanwhile, so that the last change is always read after the last hint.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection as Transaction
from sqlalchemy import delete, func, insert, select, update

from duijie.codec import Record
from duijie.connect.hooks import Push
from duijie.journal import inbox, work
from duijie.journal.inbox import Source
from duijie.journal.journal import Journal
from duijie.journal.tables import incident, message
from duijie.journal.tables_ingress import hint, push_count, push_seen

LATER = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 300, 3600))
ALERT_AFTER = 5
QUIET = timedelta(minutes=10)
REFUSED, UNFINDABLE = "PushRefused", "HintUnfindable"
NEXT_STEP = (
    "请核对该连接的推送密钥与对方平台的设置、本机时间; 若密钥无误, 则有人在伪造推送: 伪造的内容没有入库, "
    "请在反向代理处拦截来源地址。漏掉的推送由下次拉取补上"
)


@dataclass(frozen=True)
class Arrived:
    """One checked push of a connection; its nonce is known for `remember`."""

    connection: str
    push: Push
    remember: timedelta
    rows: Mapping[str, Sequence[Record]] = field(repr=False)

    @property
    def digest(self) -> str:
        """What the push is remembered by; "" where its sender gives nothing to know it by."""
        return hashlib.sha256(self.push.nonce.encode()).hexdigest() if self.push.nonce else ""


@dataclass(frozen=True)
class Hint:
    """A key to read; `hints` is how often it had been pushed when this was asked."""

    id: int
    key: str
    hints: int
    attempts: int


def arrived(connection: str, push: Push, remember: timedelta, at: datetime) -> Arrived:
    """A push with its records as rows, made outside of any transaction. Raises what encoding a record raises."""
    rows: dict[str, list[Record]] = defaultdict(list)
    for item in push.items:
        if item.record is not None:
            rows[item.stream].append(inbox.row(Source(connection, item.stream), item.key, item.record, at))
    return Arrived(connection, push, remember, rows)


def keep(journal: Journal, batch: Sequence[Arrived]) -> list[bool]:
    """Keep pushes in one transaction; says of each whether it was new. A repeat leaves nothing but its count."""
    with journal.writing() as tx:
        fresh = _first_seen(tx, journal, batch)
        new = [one for one, is_new in zip(batch, fresh, strict=True) if is_new]
        _store(tx, journal, new)
        _hint(tx, journal, new)
        outcomes = Counter(
            (one.connection, "accepted" if ok else "repeated") for one, ok in zip(batch, fresh, strict=True)
        )
        _count(tx, journal, outcomes, {})
    return fresh


def _first_seen(tx: Transaction, journal: Journal, batch: Sequence[Arrived]) -> list[bool]:
    now = journal.now()
    until = {(one.connection, one.digest): now + one.remember for one in batch if one.digest}
    rows = [{"connection": c, "digest": d, "until": until[c, d]} for c, d in sorted(until)]
    fresh = journal.insert_new(push_seen).returning(push_seen.c.connection, push_seen.c.digest)
    left = {(row.connection, row.digest) for row in tx.execute(fresh, rows)} if rows else set()
    return [not one.digest or _take(left, (one.connection, one.digest)) for one in batch]


def _take(left: set[tuple[str, str]], name: tuple[str, str]) -> bool:
    found = name in left
    left.discard(name)
    return found


def _store(tx: Transaction, journal: Journal, new: Sequence[Arrived]) -> None:
    rows: dict[Source, list[Record]] = defaultdict(list)
    for one in new:
        for stream, some in one.rows.items():
            rows[Source(one.connection, stream)] += some
    for source in sorted(rows, key=lambda source: (source.connection, source.stream)):
        inbox.store_rows(tx, journal, source, rows[source])


def _hint(tx: Transaction, journal: Journal, new: Sequence[Arrived]) -> None:
    named = [(one.connection, item.stream, item.key) for one in new for item in one.push.items if item.record is None]
    if not named:
        return
    now = journal.now()
    times = Counter(named)
    moments = {"first_at": now, "last_at": now, "due_at": now}
    rows = [{"connection": c, "stream": s, "key": k, "hints": times[c, s, k], **moments} for c, s, k in sorted(times)]
    upsert = journal.insert_into(hint)
    changed = {"hints": hint.c.hints + upsert.excluded.hints, "last_at": now, "due_at": now, "attempts": 0}
    tx.execute(upsert.on_conflict_do_update(index_elements=["connection", "stream", "key"], set_=changed), rows)


def _count(
    tx: Transaction, journal: Journal, outcomes: Mapping[tuple[str, str], int], details: Mapping[str, str]
) -> None:
    now = journal.now()
    rows = [
        {"connection": c, "outcome": o, "count": outcomes[c, o], "last_at": now, "detail": details.get(c, "")}
        for c, o in sorted(outcomes)
    ]
    upsert = journal.insert_into(push_count)
    said = upsert.excluded
    changed = {"count": push_count.c.count + said.count, "last_at": said.last_at, "detail": said.detail}
    tx.execute(upsert.on_conflict_do_update(index_elements=["connection", "outcome"], set_=changed), rows)


def waiting(journal: Journal, connection: str, stream: str, limit: int) -> list[Hint]:
    """Hinted keys of a stream that are due, the longest due first."""
    query = select(hint.c.id, hint.c.key, hint.c.hints, hint.c.attempts)
    query = query.where(hint.c.connection == connection, hint.c.stream == stream, hint.c.due_at <= journal.now())
    with journal.reading() as tx:
        return [Hint(*row) for row in tx.execute(query.order_by(hint.c.due_at, hint.c.id).limit(limit))]


def settle(journal: Journal, connection: str, hints: Sequence[Hint], found: Iterable[str]) -> int:
    """Drop the hints whose keys were read; those that the system does not know (yet) are due again later.

    Returns how many were given up: unknown to the system after an hour. A key hinted at again meanwhile stays due.
    """
    known, gone = set(found), 0
    with journal.writing() as tx:
        for one in sorted(hints, key=lambda one: one.id):
            same = hint.c.id == one.id, hint.c.hints == one.hints
            if one.key in known:
                tx.execute(delete(hint).where(*same))
            elif one.attempts < len(LATER):
                later = journal.now() + LATER[one.attempts]
                tx.execute(update(hint).where(*same).values(attempts=one.attempts + 1, due_at=later))
            elif tx.execute(delete(hint).where(*same)).rowcount:
                _note(tx, journal, connection, UNFINDABLE, f"推送提到的 {one.key} 在对方系统中查不到, 已放弃")
                gone += 1
    return gone


def postpone(journal: Journal, hints: Sequence[Hint], by: timedelta) -> None:
    """Their system cannot be read now."""
    with journal.writing() as tx:
        ids = sorted(one.id for one in hints)
        tx.execute(update(hint).where(hint.c.id.in_(ids)).values(due_at=journal.now() + by))


def refused(journal: Journal, counts: Mapping[str, int], reasons: Mapping[str, str], alarming: Iterable[str]) -> None:
    """Count pushes that were refused, by connection; those named in `alarming` raise their one alert."""
    with journal.writing() as tx:
        _count(tx, journal, {(connection, "refused"): n for connection, n in counts.items()}, reasons)
        for connection in sorted(counts):
            _note(tx, journal, connection, REFUSED, f"{counts[connection]} 次推送被拒: {reasons[connection]}")
        for connection in sorted(alarming):
            title = f"连接 {connection} 的推送连续校验失败: {reasons[connection]}"
            work.raise_alert(tx, journal, _dedupe(connection), "重要", title, NEXT_STEP)


def housekeep(journal: Journal) -> None:
    """Forget nonces that nobody repeats any more; close the alerts of connections that are quiet and accepted again."""
    now = journal.now()
    refusals = push_count.alias()
    quiet = select(push_count.c.connection).join(refusals, refusals.c.connection == push_count.c.connection).where(
        push_count.c.outcome == "accepted",
        refusals.c.outcome == "refused",
        refusals.c.last_at < now - QUIET,
        push_count.c.last_at > refusals.c.last_at,
    )  # fmt: skip
    with journal.writing() as tx:
        tx.execute(delete(push_seen).where(push_seen.c.until < now))
        for connection in sorted(tx.execute(quiet).scalars()):
            work.recovered(tx, journal, _dedupe(connection))


def backlog(journal: Journal, connection: str, streams: Sequence[str], limit: int) -> int:
    """How many messages and hints of these streams wait, counted no further than `limit`."""
    hinted = select(hint.c.id).where(hint.c.connection == connection, hint.c.stream.in_(streams)).limit(limit)
    mine = message.c.connection == connection, message.c.stream.in_(streams)
    unmapped = select(message.c.id).where(*mine, message.c.state == "new").limit(limit)
    with journal.reading() as tx:
        return sum(
            tx.execute(select(func.count()).select_from(one.subquery())).scalar_one() for one in (hinted, unmapped)
        )


def is_waiting(tx: Transaction, now: datetime, connection: str, stream: str) -> bool:
    """Whether a hint of the stream is due, or a message that no mapping has seen."""
    due = select(hint.c.id).where(hint.c.connection == connection, hint.c.stream == stream, hint.c.due_at <= now)
    new = select(message.c.id).where(
        message.c.connection == connection, message.c.stream == stream, message.c.state == "new"
    )
    return any(tx.execute(one.limit(1)).first() for one in (due, new))


def standing(journal: Journal) -> list[Record]:
    """Per connection: how many pushes were accepted, repeated and refused, each with its last time, and open hints."""
    open_hints = select(hint.c.connection, func.count(), func.min(hint.c.first_at)).group_by(hint.c.connection)
    with journal.reading() as tx:
        counts = tx.execute(select(push_count)).all()
        hints = {row[0]: (row[1], row[2]) for row in tx.execute(open_hints)}
    table: dict[str, Record] = {name: {} for name in sorted({*hints, *(row.connection for row in counts)})}
    for row in counts:
        table[row.connection][row.outcome] = {"count": row.count, "last_at": row.last_at, "detail": row.detail}
    return [
        {"connection": name, **said, "hints": hints.get(name, (0, None))[0], "since": hints.get(name, (0, None))[1]}
        for name, said in table.items()
    ]


def _note(tx: Transaction, journal: Journal, connection: str, kind: str, detail: str) -> None:
    tx.execute(insert(incident).values(connection=connection, kind=kind, detail=detail, at=journal.now()))


def _dedupe(connection: str) -> str:
    return f"push|{connection}"
