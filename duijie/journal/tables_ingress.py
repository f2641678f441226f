"""The tables of the ingress: keys that a push pointed at, pushes that were seen, and how many came."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from duijie.journal.tables import Serial, Utc, metadata

hint = Table(
    "hint",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("connection", String(80), nullable=False),
    Column("stream", String(80), nullable=False),
    Column("key", String(200), nullable=False),
    Column("hints", Integer, nullable=False, server_default="1"),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    UniqueConstraint("connection", "stream", "key", name="hint_once"),
    Index("hint_due", "connection", "stream", "due_at"),
)

push_seen = Table(
    "push_seen",
    metadata,
    Column("connection", String(80), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("until", Utc, nullable=False),
    PrimaryKeyConstraint("connection", "digest", name="push_seen_once"),
    Index("push_seen_until", "until"),
)

push_count = Table(
    "push_count",
    metadata,
    Column("connection", String(80), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("connection", "outcome", name="push_count_once"),
)
