"""Alembic's entry: runs the migrations on the connection that the journal opened, or writes their statements down."""

from typing import Any

from alembic import context

from duijie.journal.schema import VERSION_TABLE
from duijie.journal.tables import metadata

settings: dict[str, Any] = {
    "target_metadata": metadata,
    "version_table": VERSION_TABLE,
    "transaction_per_migration": True,
}
if context.is_offline_mode():
    context.configure(dialect_name=context.config.attributes["dialect"], literal_binds=True, **settings)
else:
    context.configure(connection=context.config.attributes["connection"], **settings)
with context.begin_transaction():
    context.run_migrations()
