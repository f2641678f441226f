"""Look-ups answered as they were when a record was mapped, so that running it again shows the rules' part alone.

A code is answered by the versions kept up to that moment, a master document by the version that was current then.
Questions are asked one by one and remembered: an explanation needs a handful of rows, not the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import select

from duijie import codec
from duijie.codec import Record
from duijie.journal import Journal
from duijie.journal.codes import CHINA, EVERYWHERE, Row, on_day
from duijie.journal.tables import document, xref

_COLUMNS = tuple(xref.c[name] for name in Row.__dataclass_fields__)


@dataclass(frozen=True)
class Moment:
    """When a record was mapped: up to which document, at what time, and the day that its codes go by."""

    before: int
    at: datetime
    day: date

    @classmethod
    def of(cls, before: int, at: datetime, day: date | None = None) -> Moment:
        """The day defaults to that of the moment in China."""
        return cls(before, at, day or at.astimezone(CHINA).date())


@dataclass(frozen=True)
class Kept:
    """A version of a document as the journal keeps it."""

    id: int
    version: int
    at: datetime
    body: Record


class Archive:
    """What the journal keeps of codes and documents, read once."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._rows: dict[tuple[str, str, str], Sequence[Row]] = {}
        self._documents: dict[tuple[str, str], Sequence[Kept]] = {}

    def rows(self, kind: str, column: str, value: str) -> Sequence[Row]:
        """Every version of the rows of a kind with this code, or this counterpart."""
        asked = (kind, column, value)
        if asked not in self._rows:
            query = select(*_COLUMNS).where(xref.c.kind == kind, xref.c[column] == value)
            with self.journal.reading() as tx:
                self._rows[asked] = [Row(*values) for values in tx.execute(query)]
        return self._rows[asked]

    def versions(self, entity: str, key: str) -> Sequence[Kept]:
        """Every version of a document, the oldest first."""
        asked = (entity, key)
        if asked not in self._documents:
            columns = (document.c.id, document.c.version, document.c.created_at, document.c.body)
            query = select(*columns).where(document.c.entity == entity, document.c.key == key)
            with self.journal.reading() as tx:
                found = tx.execute(query.order_by(document.c.version)).all()
            self._documents[asked] = [
                Kept(row.id, row.version, row.created_at, codec.decode(row.body)) for row in found
            ]
        return self._documents[asked]

    def keys_holding(self, entity: str, field: str, value: str) -> list[str]:
        """Keys of an entity's documents that ever held this text, in whatever field."""
        sought = codec.encode({field: value})[1:-1]
        columns = (document.c.key, document.c.body)
        query = select(*columns).where(document.c.entity == entity).order_by(document.c.id)
        with self.journal.reading() as tx:
            return list(dict.fromkeys(key for key, body in tx.execute(query) if sought in body))

    def keys(self, entity: str) -> list[str]:
        """Every key that an entity ever had."""
        with self.journal.reading() as tx:
            return list(tx.execute(select(document.c.key).where(document.c.entity == entity).distinct()).scalars())


class PastLookup:
    """Answers a mapping of one connection as of a moment."""

    def __init__(self, archive: Archive, connection: str, moment: Moment) -> None:
        self.archive = archive
        self.connection = connection
        self.moment = moment

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart that was kept then for the record's day."""
        found = self.row(kind, code)
        return found.counterpart if found else None

    def row(self, kind: str, code: str) -> Row | None:
        """The same with who keeps it."""
        kept = [row for row in self.archive.rows(kind, "code", str(code)) if row.changed_at <= self.moment.at]
        for connection in (self.connection, EVERYWHERE):
            if found := on_day([row for row in kept if row.connection == connection], self.moment.day):
                return found
        return None

    def codes(self, kind: str, counterpart: str) -> list[str]:
        """The codes that stood for a counterpart then."""
        named = {row.code for row in self.archive.rows(kind, "counterpart", str(counterpart))}
        return [code for code in sorted(named) if self.xref(kind, code) == counterpart]

    def ref(self, entity: str, key: str) -> Record | None:
        """The document that was current then."""
        found = self.version(entity, key)
        return found.body if found else None

    def documents(self, entity: str) -> Mapping[str, Record]:
        """All that `ref` answers, asked for one by one."""
        return _Asked(partial(self.ref, entity), partial(self.archive.keys, entity))

    def counterparts(self, kind: str) -> Mapping[str, str]:
        """All that `xref` answers, asked for one by one; which codes there were is nobody's question."""
        return _Asked(partial(self.xref, kind), list)

    def version(self, entity: str, key: str) -> Kept | None:
        """The same with its number."""
        kept = [one for one in self.archive.versions(entity, str(key)) if one.id < self.moment.before]
        return kept[-1] if kept else None

    def with_latest(self) -> PastLookup:
        """The same day with everything that is known by now."""
        return PastLookup(self.archive, self.connection, replace(self.moment, before=NOW, at=FOREVER))


Answer = TypeVar("Answer")


class _Asked(Mapping[str, Answer]):
    """Answers by key as of a moment; only those asked for are read."""

    def __init__(self, ask: Callable[[str], Answer | None], keys: Callable[[], Iterable[str]]) -> None:
        self._ask = ask
        self._keys = keys

    def __getitem__(self, key: str) -> Answer:
        found = self._ask(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([key for key in self._keys() if self._ask(key) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)


NOW = 2**62
FOREVER: Any = datetime.max.replace(tzinfo=CHINA)
