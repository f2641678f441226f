"""The files of invoices: which are kept where, which could not be had yet, and to whom an invoice was sent again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from duijie.journal.tables import Serial, Utc, metadata

original = Table(
    "original",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("entity", String(40), nullable=False),
    Column("key", String(200), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("place", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("source", String(120), nullable=False),
    Column("number", String(20), nullable=False, server_default=""),
    Column("faults", Text, nullable=False, server_default=""),
    UniqueConstraint("entity", "key", "kind", "sha256", name="original_once"),
    Index("original_number", "number"),
)

original_wait = Table(
    "original_wait",
    metadata,
    Column("entity", String(40), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
)

redelivery = Table(
    "redelivery",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("entity", String(40), nullable=False),
    Column("key", String(200), nullable=False),
    Column("number", String(20), nullable=False),
    Column("mail", String(200), nullable=False, server_default=""),
    Column("phone", String(40), nullable=False, server_default=""),
    Column("who", String(80), nullable=False),
    Column("at", Utc, nullable=False),
    Column("outcome", Text, nullable=False, server_default=""),
    Index("redelivery_of", "entity", "key"),
)
