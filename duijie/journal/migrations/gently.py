"""What a migration uses so that workers can go on writing while it runs."""

from __future__ import annotations

from typing import Any

from alembic import op

from duijie.journal.schema import outside_transaction


def create_index(name: str, table: str, columns: list[Any], **options: Any) -> None:
    """An index; on PostgreSQL CONCURRENTLY, so that nobody waits while it is built.

    What an interrupted attempt left is dropped first. Ends the migration's transaction: call it first or last, and
    keep what stands before and after it repeatable.
    """
    context = op.get_context()
    if context.dialect.name != "postgresql":
        op.create_index(name, table, columns, **options)
        return
    with outside_transaction(context):
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, **options)
