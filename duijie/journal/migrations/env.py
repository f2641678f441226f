"""Alembic's entry: runs the migrations on the connection that the journal opened."""

from alembic import context

from duijie.journal.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table="duijie_version"
)
with context.begin_transaction():
    context.run_migrations()
