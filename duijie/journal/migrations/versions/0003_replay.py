"""A replay leaves a row: who, when, why, what was asked for, what came of it.

Documents and deliveries are found by their key, and documents by their message, without reading all of them.
"""

import sqlalchemy as sa
from alembic import op

from duijie.journal.migrations.as_of_0005 import delivery, document, replay

revision = "0003"
down_revision = "0002"
INDEXES = {"document_by_message", "document_by_key", "delivery_of"}


def upgrade() -> None:
    """Add the table replay and the indexes; 0001 has made them already in a new journal."""
    known = sa.inspect(op.get_bind())
    if not known.has_table("replay"):
        replay.create(op.get_bind())
    for table in (document, delivery):
        there = {index["name"] for index in known.get_indexes(table.name)}
        for index in table.indexes:
            if index.name in INDEXES - there:
                index.create(op.get_bind())
