"""The current documents that messages stand behind: what a replay compares its results with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import Select, select

from duijie import codec
from duijie.codec import Record
from duijie.journal.inbox import COLUMNS, Message, Source
from duijie.journal.tables import delivery, document, link, message

Name = tuple[str, str]


@dataclass(frozen=True)
class Standing:
    """A current document; `amount` in fen; `message_id` is the message that it was made of."""

    id: int
    entity: str
    key: str
    version: int
    hash: str
    amount: int
    message_id: int | None
    body: Record

    @property
    def name(self) -> Name:
        """(entity, key)."""
        return self.entity, self.key


_NAMES = ("id", "entity", "key", "version", "hash", "amount", "message_id")
_COLUMNS = (*(document.c[name] for name in _NAMES), document.c.body)


def by_name(tx: Transaction, names: Iterable[Name]) -> dict[Name, Standing]:
    """Current documents by (entity, key)."""
    found: dict[Name, Standing] = {}
    for entity, keys in _by_entity(names).items():
        query = select(*_COLUMNS).where(document.c.entity == entity, document.c.current, document.c.key.in_(keys))
        found |= {one.name: one for one in _read(tx, query)}
    return found


def by_message_key(tx: Transaction, source: Source, keys: Sequence[str]) -> dict[str, list[Standing]]:
    """Current documents by the key of the message that they were made of, in one stream."""
    query = select(*_COLUMNS, message.c.key.label("from_key")).join(message, message.c.id == document.c.message_id)
    query = query.where(message.c.connection == source.connection, message.c.stream == source.stream)
    query = query.where(message.c.key.in_(keys), document.c.current)
    found: dict[str, list[Standing]] = defaultdict(list)
    for row in tx.execute(query):
        found[row.from_key].append(_standing(row))
    return found


def messages(tx: Transaction, ids: Iterable[int]) -> dict[int, Message]:
    """Messages by id."""
    query = select(*COLUMNS).where(message.c.id.in_(list(ids)))
    return {row.id: Message(*row) for row in tx.execute(query)}


def delivered(tx: Transaction, names: Iterable[Name]) -> dict[Name, set[str]]:
    """The sinks that have got a version of these documents."""
    found: dict[Name, set[str]] = defaultdict(set)
    for entity, keys in _by_entity(names).items():
        query = select(delivery.c.key, delivery.c.sink).where(delivery.c.entity == entity, delivery.c.key.in_(keys))
        for key, sink in tx.execute(query.where(delivery.c.state == "done").distinct()):
            found[entity, key].add(sink)
    return found


def used(tx: Transaction, names: Iterable[Name]) -> dict[Name, set[Name]]:
    """What was made of these documents with money in it: vouchers, invoice requests."""
    found: dict[Name, set[Name]] = defaultdict(set)
    for entity, keys in _by_entity(names).items():
        query = select(link.c.from_key, link.c.to_entity, link.c.to_key).where(link.c.amount != 0)
        query = query.where(link.c.from_entity == entity, link.c.from_key.in_(keys))
        for key, to_entity, to_key in tx.execute(query):
            found[entity, key].add((to_entity, to_key))
    return found


def _by_entity(names: Iterable[Name]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for entity, key in names:
        found[entity].append(key)
    return found


def _read(tx: Transaction, query: Select[Any]) -> Iterable[Standing]:
    return map(_standing, tx.execute(query))


def _standing(row: Any) -> Standing:
    return Standing(**{name: getattr(row, name) for name in _NAMES}, body=codec.decode(row.body))
