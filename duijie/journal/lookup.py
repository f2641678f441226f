"""What mappings may ask the journal: code tables 对照 and master documents, read once per run."""

from __future__ import annotations

from sqlalchemy import select

from duijie import codec
from duijie.codec import Record
from duijie.journal.journal import Journal
from duijie.journal.tables import document, xref


class JournalLookup:
    """Answers `xref` and `ref` of one connection's mappings; whole tables are read on first use."""

    def __init__(self, journal: Journal, connection: str) -> None:
        self._journal = journal
        self._connection = connection
        self._codes: dict[str, dict[str, str]] = {}
        self._documents: dict[str, dict[str, Record]] = {}

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart of a code for this connection, else for all ("*")."""
        if kind not in self._codes:
            self._codes[kind] = self._read_codes(kind)
        return self._codes[kind].get(str(code))

    def codes(self, kind: str, counterpart: str) -> list[str]:
        """The codes that stand for a counterpart."""
        if kind not in self._codes:
            self._codes[kind] = self._read_codes(kind)
        return [code for code, found in self._codes[kind].items() if found == counterpart]

    def ref(self, entity: str, key: str) -> Record | None:
        """A current canonical document."""
        if entity not in self._documents:
            self._documents[entity] = self._read_documents(entity)
        return self._documents[entity].get(str(key))

    def _read_codes(self, kind: str) -> dict[str, str]:
        query = select(xref.c.code, xref.c.counterpart).where(xref.c.kind == kind)
        query = query.where(xref.c.connection.in_((self._connection, "*"))).order_by(xref.c.connection)
        with self._journal.reading() as tx:
            return {code: counterpart for code, counterpart in tx.execute(query)}

    def _read_documents(self, entity: str) -> dict[str, Record]:
        query = select(document.c.key, document.c.body).where(document.c.entity == entity, document.c.current)
        with self._journal.reading() as tx:
            return {key: codec.decode(body) for key, body in tx.execute(query)}
