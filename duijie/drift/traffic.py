"""The recorded traffic of every stream: the newest messages, those before them, and what changed between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import select

from duijie.codec import Record
from duijie.connect.errors import ConfigError, MalformedMessage
from duijie.connect.records import read
from duijie.drift.compare import Change, changes
from duijie.drift.seen import Seen, seen
from duijie.journal import Journal
from duijie.journal.inbox import Source
from duijie.journal.tables import message
from duijie.mapping.schema import Schemas

NEWEST, EARLIER = 500, 2000


@dataclass(frozen=True)
class Drifted:
    """One change in one stream."""

    source: Source
    change: Change


@dataclass(frozen=True)
class Looked:
    """What changed, and how each stream was looked at: (source, messages, whether its source has a schema)."""

    drifted: Sequence[Drifted]
    streams: Sequence[tuple[Source, int, bool]]


def drifted(
    journal: Journal, type_of: Callable[[str], str], schemas: Path, newest: int = NEWEST, connection: str = ""
) -> Looked:
    """Every change in the newest messages of every stream, or of those of one connection.

    `type_of` gives the conn_type of a connection and may raise ConfigError: without it only earlier traffic tells.
    """
    found: list[Drifted] = []
    streams = []
    for source in sources(journal, connection):
        schema = Schemas(schemas).source(_system(type_of, source.connection), source.stream)
        now, before = recorded(journal, source, newest)
        found += [Drifted(source, one) for one in changes(now, schema, before)]
        streams.append((source, now.records, schema is not None))
    return Looked(found, streams)


def sources(journal: Journal, connection: str = "") -> list[Source]:
    """Every stream that has messages."""
    query = select(message.c.connection, message.c.stream).distinct().order_by(message.c.connection, message.c.stream)
    query = query.where(message.c.connection == connection) if connection else query
    with journal.reading() as tx:
        return [Source(row.connection, row.stream) for row in tx.execute(query)]


def recorded(journal: Journal, source: Source, newest: int) -> tuple[Seen, Seen]:
    """What the newest messages look like, and those before them. What cannot be read at all is left out."""
    rows = iter(records_of(journal, source, newest + EARLIER))
    return seen(islice(rows, newest)), seen(rows)


def records_of(journal: Journal, source: Source, most: int) -> list[tuple[str, Record]]:
    """(key, record) of the newest messages of a stream, the newest first; what cannot be read at all is left out."""
    query = select(message.c.key, message.c.body)
    query = query.where(message.c.connection == source.connection, message.c.stream == source.stream)
    with journal.reading() as tx:
        rows = [(row.key, row.body) for row in tx.execute(query.order_by(message.c.id.desc()).limit(most))]
    return list(_read(rows))


def _read(rows: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, Record]]:
    for key, body in rows:
        try:
            yield key, read(body)
        except MalformedMessage:
            continue


def _system(type_of: Callable[[str], str], connection: str) -> str:
    try:
        return type_of(connection)
    except ConfigError:
        return ""
