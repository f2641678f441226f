"""An issued invoice by its number, and the connection that told of it."""

from __future__ import annotations

from sqlalchemy import select

from duijie.connect.errors import ConfigError
from duijie.journal import Journal, documents
from duijie.journal.documents import Document
from duijie.journal.tables import document, message

ENTITY = "invoice"
_COLUMNS = [document.c[name] for name in ("id", "entity", "key", "version", "body")]


def issued(journal: Journal, number: str) -> tuple[Document, str]:
    """The invoice and its connection. Raises ConfigError where no issued invoice has that number."""
    query = select(*_COLUMNS, message.c.connection).outerjoin(message, message.c.id == document.c.message_id)
    with journal.reading() as tx:
        row = tx.execute(query.where(documents.has_number(ENTITY, number)).limit(1)).first()
    if row is None or row.body is None or Document.of(row).body["status"] != "issued":
        raise ConfigError(
            f"没有号码为 {number} 的已开发票; 请核对 20 位数电票号码",
            en=f"no issued invoice has the number {number}",
            where=number,
        )
    return Document.of(row), str(row.connection or "")
