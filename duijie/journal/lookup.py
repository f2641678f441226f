"""What mappings may ask the journal: code tables 对照 and master documents, read once per run.

A code is answered by the row that holds on the record's own day, so that a replay of November in December gives what
November gave: a document's `business_date` (or `date`), and for a raw message, which has no such field yet, the day it
was received. Where neither is known it is today.
"""

from __future__ import annotations

from collections import defaultdict
from copy import copy
from datetime import date
from typing import TypeVar

from sqlalchemy import case, select

from duijie import codec
from duijie.codec import Record
from duijie.journal.codes import EVERYWHERE, today
from duijie.journal.journal import Journal
from duijie.journal.tables import document, xref

DAY_FIELDS = ("business_date", "date")
DAYS_KEPT = 64
Other = TypeVar("Other")
Dated = tuple[date, str]


class JournalLookup:
    """Answers `xref` and `ref` of one connection's mappings; whole tables are read on first use."""

    def __init__(self, journal: Journal, connection: str) -> None:
        self._journal = journal
        self._connection = connection
        self._day = today(journal)
        self._codes: dict[str, dict[str, list[Dated]]] = {}
        self._standing: dict[str, dict[str, set[str]]] = {}
        self._documents: dict[str, dict[str, Record]] = {}
        self._valid: dict[tuple[str, date], dict[str, str]] = {}

    def on(self, day: date) -> JournalLookup:
        """The same look-up as of a day; what has been read is shared."""
        other = copy(self)
        other._day = day
        return other

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart of a code for this connection, else for all ("*"), on the look-up's day."""
        if kind not in self._codes:
            self._codes[kind] = self._read_codes(kind)
        versions = self._codes[kind].get(str(code), ())
        return next((counterpart for since, counterpart in versions if since <= self._day), None)

    def counterparts(self, kind: str) -> dict[str, str]:
        """Every counterpart by code on the look-up's day: the same answers as `xref`."""
        asked = (kind, self._day)
        if asked not in self._valid:
            if len(self._valid) >= DAYS_KEPT:
                self._valid.clear()
            self.xref(kind, "")
            found = {code: self.xref(kind, code) for code in self._codes[kind]}
            self._valid[asked] = {code: counterpart for code, counterpart in found.items() if counterpart is not None}
        return self._valid[asked]

    def codes(self, kind: str, counterpart: str) -> list[str]:
        """The codes that stand for a counterpart on the look-up's day."""
        if kind not in self._standing:
            self._standing[kind] = self._read_standing(kind)
        return [code for code in self._standing[kind].get(str(counterpart), ()) if self.xref(kind, code) == counterpart]

    def _read_standing(self, kind: str) -> dict[str, set[str]]:
        """Counterpart → every code that ever stood for it."""
        self.xref(kind, "")
        found: defaultdict[str, set[str]] = defaultdict(set)
        for code, versions in self._codes[kind].items():
            for _, counterpart in versions:
                found[counterpart].add(code)
        return dict(found)

    def ref(self, entity: str, key: str) -> Record | None:
        """A current canonical document."""
        return self.documents(entity).get(str(key))

    def documents(self, entity: str) -> dict[str, Record]:
        """Every current document of an entity, by key."""
        if entity not in self._documents:
            self._documents[entity] = self._read_documents(entity)
        return self._documents[entity]

    def _read_codes(self, kind: str) -> dict[str, list[Dated]]:
        """Code → (valid from, counterpart), in the order in which they are to be asked."""
        query = select(xref.c.code, xref.c.valid_from, xref.c.counterpart).where(xref.c.kind == kind)
        query = query.where(xref.c.connection.in_((self._connection, EVERYWHERE)))
        own_first = case((xref.c.connection == EVERYWHERE, 1), else_=0)
        found: defaultdict[str, list[Dated]] = defaultdict(list)
        with self._journal.reading() as tx:
            for code, since, counterpart in tx.execute(
                query.order_by(own_first, xref.c.valid_from.desc(), xref.c.version.desc())
            ):
                found[code].append((since, counterpart))
        return dict(found)

    def _read_documents(self, entity: str) -> dict[str, Record]:
        query = select(document.c.key, document.c.body).where(document.c.entity == entity, document.c.current)
        with self._journal.reading() as tx:
            return {key: codec.decode(body) for key, body in tx.execute(query)}


def as_of(lookup: Other, day: date | None) -> Other | JournalLookup:
    """The look-up as of a day; one that knows no days (a test's), or no day, leaves it as it is."""
    return lookup.on(day) if day is not None and isinstance(lookup, JournalLookup) else lookup


def day_of(body: Record) -> date | None:
    """A document's own day; None where it has none that can be read."""
    told = next((value for name in DAY_FIELDS if isinstance(value := body.get(name), str)), "")
    try:
        return date.fromisoformat(told[:10])
    except ValueError:
        return None
