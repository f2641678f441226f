"""A journal as an earlier version left it, made by that version's own migrations."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from sqlalchemy import text

from duijie.journal import Journal, journal, schema


def journal_at(url: str, revision: str) -> Journal:
    """A journal brought to a revision and no further."""
    engine = journal._engine(url)
    with engine.begin() as connection:
        command.upgrade(schema.config_of(connection), revision)
    return Journal(engine)


def emptied(kept: Journal) -> str:
    """Throw away what a journal holds, tables and all; returns its URL."""
    if kept.is_postgres:
        with kept.engine.begin() as tx:
            tx.execute(text("DROP SCHEMA public CASCADE"))
            tx.execute(text("CREATE SCHEMA public"))
    kept.engine.dispose()
    if not kept.is_postgres:
        Path(str(kept.engine.url.database)).unlink()
    return kept.engine.url.render_as_string(hide_password=False)
