"""Code tables 对照: which code of one system stands for which of another, kept by people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, update

from duijie.journal.journal import Journal
from duijie.journal.tables import xref


@dataclass(frozen=True)
class Code:
    """One row: at `connection` ("*" for all), `code` of this kind means `counterpart`."""

    kind: str
    connection: str
    code: str
    counterpart: str


def put(journal: Journal, rows: Iterable[Code], who: str) -> int:
    """Add rows or change their counterpart; returns how many rows were given."""
    given = list(rows)
    with journal.writing() as tx:
        for row in given:
            values = {"counterpart": row.counterpart, "changed_by": who, "changed_at": journal.now()}
            key = {"kind": row.kind, "connection": row.connection, "code": row.code}
            tx.execute(journal.insert_new(xref).values(**key, **values))
            same = (xref.c.kind == row.kind, xref.c.connection == row.connection, xref.c.code == row.code)
            tx.execute(update(xref).where(*same, xref.c.counterpart != row.counterpart).values(**values))
    return len(given)


def rows(journal: Journal, kind: str = "") -> list[Code]:
    """Every row, of one kind where it is named."""
    query = select(xref.c.kind, xref.c.connection, xref.c.code, xref.c.counterpart)
    if kind:
        query = query.where(xref.c.kind == kind)
    with journal.reading() as tx:
        return [Code(*row) for row in tx.execute(query.order_by(xref.c.kind, xref.c.connection, xref.c.code))]
