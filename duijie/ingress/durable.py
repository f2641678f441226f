"""The journal as the ingress opens it: what is committed is on disk, even if the machine loses its power."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from duijie.journal import Journal


def open_durable(url: str | None = None) -> Journal:
    """A journal of its own. SQLite flushes each commit (others in WAL mode may lose the last ones with the power)."""
    journal = Journal.open(url)
    if not journal.is_postgres:
        journal.engine.dispose()
        event.listen(journal.engine, "connect", _flush_commits)
    return journal


def _flush_commits(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL")
