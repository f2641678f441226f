"""Every page finds what it shows by an index: numbers stand in columns, refunds and invoices in links.

0001 has made all of this already in a new journal.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as lite_insert

from duijie import codec
from duijie.journal.documents import ORIGINS, number_of
from duijie.journal.migrations.as_of_0005 import delivery, document, incident, link, message, run

revision = "0004"
down_revision = "0003"

NAMES = {
    "delivery_due",
    "document_by_key",  # these three came late to 0003
    "document_by_message",
    "delivery_of",
    "document_number",
    "delivery_backlog",
    "delivery_native_no",
    "delivery_native_id",
    "delivery_target_key",
    "message_held",
    "run_started",
    "incident_at",
}
BATCH = 1000
SOURCES = {source for _, sources, _ in ORIGINS.values() for source in sources}


def upgrade() -> None:
    """Add the column and the indexes, fill the column, link refunds to orders and invoices to requests."""
    bind = op.get_bind()
    columns = {column["name"] for column in sa.inspect(bind).get_columns("document")}
    if "number" not in columns:
        op.add_column("document", sa.Column("number", sa.String(200), nullable=False, server_default=""))
        _fill(bind)
    if "amount" not in _columns_of(bind, "delivery_due"):
        op.drop_index("delivery_due", "delivery")
    for table in (document, delivery, message, run, incident):
        for index in table.indexes:
            if index.name in NAMES:
                index.create(bind, checkfirst=True)


def _columns_of(bind: sa.Connection, name: str) -> list[str | None]:
    found = {index["name"]: index["column_names"] for index in sa.inspect(bind).get_indexes("delivery")}
    return found[name]


def _fill(bind: sa.Connection) -> None:
    after = 0
    query = sa.select(document.c.id, document.c.entity, document.c.key, document.c.body, document.c.created_at)
    number = sa.update(document).where(document.c.id == sa.bindparam("of")).values(number=sa.bindparam("named"))
    while rows := bind.execute(query.where(document.c.id > after).order_by(document.c.id).limit(BATCH)).all():
        after = rows[-1].id
        bodies = [(row, codec.decode(row.body)) for row in rows]
        bind.execute(number, [{"of": row.id, "named": number_of(body)} for row, body in bodies])
        if links := _links(bind, bodies):
            new = (pg_insert if bind.dialect.name == "postgresql" else lite_insert)(link)
            bind.execute(new.on_conflict_do_nothing(), links)


def _links(bind: sa.Connection, bodies: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    """What a body names as the document that it came of; of several entities the one that has it."""
    named = [(row, ORIGINS[row.entity], body) for row, body in bodies if row.entity in ORIGINS]
    wanted = {str(body.get(origin[2], "")) for _, origin, body in named}
    query = sa.select(document.c.entity, document.c.key).where(document.c.entity.in_(SOURCES))
    there = {(row.entity, row.key) for row in bind.execute(query.where(document.c.key.in_(wanted)))}
    found = []
    for row, (kind, sources, field), body in named:
        key = str(body.get(field, ""))
        target = {"to_entity": row.entity, "to_key": row.key, "created_at": row.created_at}
        for source in sources:
            if key and (len(sources) == 1 or (source, key) in there):
                found.append({"kind": kind, "from_entity": source, "from_key": key, **target})
    return found
