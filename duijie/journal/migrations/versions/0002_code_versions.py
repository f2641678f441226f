"""Code tables keep every version with the day it takes effect; a work item names the code it lacks in columns.

0001 has made all of this already in a new journal.
"""

import sqlalchemy as sa
from alembic import op

from duijie.journal.migrations.as_of_0005 import ALWAYS, unmapped, work_item
from duijie.schemas import is_entity

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add `valid_from` and `version` to xref, and the table unmapped for the items that are open."""
    known = sa.inspect(op.get_bind())
    if "version" not in {column["name"] for column in known.get_columns("xref")}:
        _versions()
    if not known.has_table("unmapped"):
        unmapped.create(op.get_bind())
        _open_items()


def _versions() -> None:
    with op.batch_alter_table("xref") as table:
        table.add_column(sa.Column("valid_from", sa.Date, nullable=False, server_default=ALWAYS.isoformat()))
        table.add_column(sa.Column("version", sa.Integer, nullable=False, server_default="1"))
        table.drop_constraint("xref_once", type_="unique")
        table.create_unique_constraint("xref_version", ["kind", "connection", "code", "version"])


def _open_items() -> None:
    """Earlier items held "kind:code" as their subject, whatever the connection."""
    bind = op.get_bind()
    query = sa.select(work_item.c.id, work_item.c.subject).where(work_item.c.kind == "unmapped")
    for item_id, subject in bind.execute(query.where(work_item.c.state != "closed")).all():
        kind, _, code = subject.partition(":")
        what = "document" if is_entity(kind) else "code"
        row = {"work_item_id": item_id, "what": what, "kind": kind[:40], "code": code[:200]}
        bind.execute(unmapped.insert().values(**row))
