"""Which messages a replay is about: of every key the last one received, where it meets what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy import Connection as Transaction

from duijie.connect.errors import ConfigError
from duijie.journal import Journal, deliveries
from duijie.journal.inbox import ARCHIVED, COLUMNS, REREAD, Message, Source, is_last
from duijie.journal.tables import delivery, document, message, work_item, work_item_record
from duijie.replay.routes import Route

BATCH = 500


@dataclass(frozen=True)
class Wanted:
    """What to replay; every condition that is given must hold.

    `keys` are keys of messages or documents; `reason` a work item's kind, or text in a reason; `since` and `until`
    bound when the message came in; `is_changed` asks for what another version of the mapping has mapped last.
    """

    keys: tuple[str, ...] = ()
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    is_changed: bool = False

    @property
    def words(self) -> str:
        """For people and for the trace."""
        said = [f"号码 {', '.join(self.keys)}" if self.keys else "", f"原因 {self.reason}" if self.reason else ""]
        said.append(f"{self.since:%Y-%m-%d %H:%M:%S%z} 起收到" if self.since else "")
        said.append(f"{self.until:%Y-%m-%d %H:%M:%S%z} 前收到" if self.until else "")
        said.append("映射已变" if self.is_changed else "")
        return ", ".join(filter(None, said))

    def check(self) -> None:
        """Raises ConfigError when nothing was asked for, or a window that is empty."""
        if not self.words:
            raise ConfigError("请给出至少一个条件: 号码、原因、时间或映射已变", en="say what to replay")
        if self.since and self.until and self.since >= self.until:
            raise ConfigError("时间范围为空: 起始不早于截止", en="the window is empty: since is not before until")


@dataclass(frozen=True)
class Chosen:
    """A message to replay and how it stands now."""

    message: Message
    state: str


def count(journal: Journal, route: Route, wanted: Wanted) -> int:
    """How many messages there are to replay."""
    with journal.reading() as tx:
        return int(tx.execute(_asked(select(func.count()).select_from(message), route, wanted)).scalar_one())


def batches(journal: Journal, route: Route, wanted: Wanted) -> Iterator[list[Chosen]]:
    """The messages to replay, oldest first; those that come in meanwhile are not among them."""
    with journal.reading() as tx:
        newest = tx.execute(select(func.max(message.c.id))).scalar_one() or 0
    query = _asked(select(*COLUMNS, message.c.state), route, wanted).order_by(message.c.id).limit(BATCH)
    after = 0
    while True:
        with journal.reading() as tx:
            rows = tx.execute(query.where(message.c.id > after, message.c.id <= newest)).all()
        if not rows:
            return
        yield [Chosen(Message(*row[:-1]), row.state) for row in rows]
        after = rows[-1].id


def origin(journal: Journal, document_id: int) -> Source | None:
    """The stream by which a document came in; None where it was made of other documents."""
    query = select(message.c.connection, message.c.stream).join(document, document.c.message_id == message.c.id)
    with journal.reading() as tx:
        row = tx.execute(query.where(document.c.id == document_id)).first()
    return Source(*row) if row else None


def still_last(tx: Transaction, chosen: list[Chosen]) -> set[int]:
    """Ids of those that nothing has happened to since they were chosen."""
    states = {one.message.id: one.state for one in chosen}
    query = select(message.c.id, message.c.state).where(message.c.id.in_(states), is_last())
    return {row.id for row in tx.execute(query) if row.state == states[row.id]}


def waiting_deliveries(journal: Journal, route: Route, wanted: Wanted) -> list[int]:
    """Ids of the flow's blocked and rejected deliveries that keys or a reason ask for; none for a window."""
    if not (wanted.keys or wanted.reason):
        return []
    query = select(delivery.c.id).join(document, document.c.id == delivery.c.document_id)
    query = query.where(delivery.c.flow == route.flow, delivery.c.entity.in_(route.entities), document.c.current)
    query = query.where(delivery.c.state.in_(deliveries.HELD))
    if wanted.keys:
        source = select(message.c.id).where(*_of(route), message.c.key.in_(wanted.keys))
        query = query.where(or_(delivery.c.key.in_(wanted.keys), document.c.message_id.in_(source)))
    if wanted.reason:
        named = delivery.c.key.in_(_held(route, wanted.reason))
        query = query.where(or_(delivery.c.reason.contains(wanted.reason, autoescape=True), named))
    with journal.reading() as tx:
        return list(tx.execute(query.order_by(delivery.c.id)).scalars())


def _asked(query: Select[Any], route: Route, wanted: Wanted) -> Select[Any]:
    query = query.where(*_of(route), message.c.state != "new", message.c.reason != REREAD, is_last())
    query = query.where(~message.c.reason.startswith(ARCHIVED))
    if wanted.keys:
        query = query.where(_called(route, message.c.key.in_(wanted.keys), document.c.key.in_(wanted.keys)))
    if wanted.reason:
        held = _held(route, wanted.reason)
        named = _called(route, message.c.key.in_(held), document.c.key.in_(held))
        query = query.where(or_(message.c.reason.contains(wanted.reason, autoescape=True), named))
    if wanted.since:
        query = query.where(message.c.received_at >= wanted.since)
    if wanted.until:
        query = query.where(message.c.received_at < wanted.until)
    return query.where(message.c.mapping != route.stamp) if wanted.is_changed else query


def _of(route: Route) -> tuple[ColumnElement[bool], ...]:
    return message.c.connection == route.source.connection, message.c.stream == route.source.stream


def _called(route: Route, by_message: ColumnElement[bool], by_document: ColumnElement[bool]) -> ColumnElement[bool]:
    """Messages by their own key, or by the key of a current document that came of one with the same key."""
    origin = message.alias("origin")
    keys = select(origin.c.key).join(document, document.c.message_id == origin.c.id)
    keys = keys.where(origin.c.connection == route.source.connection, origin.c.stream == route.source.stream)
    keys = keys.where(document.c.entity.in_(route.entities), document.c.current, by_document)
    return or_(by_message, message.c.key.in_(keys))


def _held(route: Route, reason: str) -> Select[tuple[str]]:
    """Keys that open work items of the flow hold for this reason."""
    named = or_(
        work_item.c.kind == reason,
        work_item.c.reason.contains(reason, autoescape=True),
        work_item.c.subject.contains(reason, autoescape=True),
    )
    query = select(work_item_record.c.key).join(work_item, work_item.c.id == work_item_record.c.work_item_id)
    return query.where(work_item_record.c.flow == route.flow, work_item.c.state != "closed", named)
