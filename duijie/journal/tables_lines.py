"""The tables by which workers share a connection: what is known of its line, and its sealed tokens."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, String, Table, Text

from duijie.journal.tables import Utc, metadata

line = Table(
    "line",
    metadata,
    Column("connection", String(80), primary_key=True),
    Column("rests_until", Utc),
    Column("pauses", Integer, nullable=False, server_default="0"),
    Column("is_tried", Boolean, nullable=False),
    Column("strikes", Integer, nullable=False, server_default="0"),
    Column("disabled", Text, nullable=False, server_default=""),
    Column("changed_at", Utc, nullable=False),
    Column("changed_by", String(80), nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("changed_at", Utc, nullable=False),
)
