"""What was done for the journal as a whole: backups, their tests, restores, purges. The watchdog asks when last."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from duijie.journal.tables import Serial, Utc, metadata

upkeep = Table(
    "upkeep",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("at", Utc, nullable=False),
    Column("who", String(80), nullable=False),
    Column("place", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default="{}"),
    Index("upkeep_kind", "kind", "at"),
)
