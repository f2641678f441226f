"""Recorded records to try a mapping on: the newest raw messages of a stream, the newest documents of an entity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select

from duijie import codec
from duijie.codec import Record
from duijie.journal.codes import CHINA
from duijie.journal.documents import get
from duijie.journal.inbox import Source
from duijie.journal.journal import Journal
from duijie.journal.lookup import JournalLookup, day_of
from duijie.journal.tables import document, message


@dataclass(frozen=True)
class Recorded:
    """One recorded record, for a list to choose from. `note` is a message's state, or what refused it."""

    id: int
    key: str
    at: datetime
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """A recorded record with what a flow would add to it: the partition it came by and the day its codes hold on."""

    body: bytes
    part: str
    day: date | None


class PointLookup(JournalLookup):
    """Answers single questions without reading every document of an entity."""

    def ref(self, entity: str, key: str) -> Record | None:
        """A current canonical document."""
        found = get(self._journal, entity, str(key))
        return found.body if found else None


def messages(journal: Journal, source: Source, most: int) -> list[Recorded]:
    """The newest messages of a stream."""
    query = select(message.c.id, message.c.key, message.c.received_at, message.c.state)
    query = query.where(message.c.connection == source.connection, message.c.stream == source.stream)
    return _listed(journal, query.order_by(message.c.id.desc()).limit(most))


def documents(journal: Journal, entity: str, most: int) -> list[Recorded]:
    """The newest current documents of an entity."""
    query = select(document.c.id, document.c.key, document.c.created_at)
    query = query.where(document.c.entity == entity, document.c.current)
    return _listed(journal, query.order_by(document.c.id.desc()).limit(most))


def messages_of(journal: Journal, source: Source, key: str) -> list[Recorded]:
    """The newest message of a stream under a key; none where there is none."""
    query = select(message.c.id, message.c.key, message.c.received_at, message.c.state)
    mine = (message.c.connection == source.connection, message.c.stream == source.stream, message.c.key == key)
    return _listed(journal, query.where(*mine).order_by(message.c.id.desc()).limit(1))


def documents_of(journal: Journal, entity: str, key: str) -> list[Recorded]:
    """The current documents of an entity whose key, or the last part of it, is this."""
    query = select(document.c.id, document.c.key, document.c.created_at)
    wanted = (document.c.key == key) | document.c.key.endswith(f":{key}", autoescape=True)
    query = query.where(document.c.entity == entity, document.c.current, wanted)
    return _listed(journal, query.order_by(document.c.id.desc()))


def _listed(journal: Journal, query: Select[Any]) -> list[Recorded]:
    with journal.reading() as tx:
        return [Recorded(*row) for row in tx.execute(query)]


def message_sample(journal: Journal, source: Source, message_id: int) -> Sample | None:
    """A message of this stream, None when there is none of that number."""
    query = select(message.c.body, message.c.part, message.c.received_at)
    mine = (message.c.connection == source.connection, message.c.stream == source.stream)
    with journal.reading() as tx:
        row = tx.execute(query.where(*mine, message.c.id == message_id)).first()
    return Sample(row.body, row.part, row.received_at.astimezone(CHINA).date()) if row else None


def document_sample(journal: Journal, entity: str, document_id: int) -> Sample | None:
    """A document of this entity, None when there is none of that number."""
    query = select(document.c.body).where(document.c.entity == entity, document.c.id == document_id)
    with journal.reading() as tx:
        body = tx.execute(query).scalar()
    return Sample(body, "", day_of(codec.decode(body))) if body else None


def made_of(journal: Journal, message_id: int) -> list[tuple[str, Record]]:
    """The documents that a flow made of a message, as (entity, document), the newest version of each."""
    query = select(document.c.entity, document.c.key, document.c.body).where(document.c.message_id == message_id)
    with journal.reading() as tx:
        newest = {(row.entity, row.key): row.body for row in tx.execute(query.order_by(document.c.id))}
    return [(entity, codec.decode(body)) for (entity, _), body in newest.items()]
