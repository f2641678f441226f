"""How far the asking for what was read already has come, and which keys their source did not show."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from duijie.journal.tables import Serial, Utc, metadata

sweep = Table(
    "sweep",
    metadata,
    Column("connection", String(80), primary_key=True),
    Column("stream", String(80), primary_key=True),
    Column("part", String(80), primary_key=True),
    Column("position", Serial, nullable=False),
    Column("begun_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("refused", Integer, nullable=False),
)

missed = Table(
    "missed",
    metadata,
    Column("connection", String(80), primary_key=True),
    Column("stream", String(80), primary_key=True),
    Column("part", String(80), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("asked_at", Utc, nullable=False),
)
