"""The tables of alerting: what is to be told to whom and when, every message that left, and which robots must rest."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from duijie.journal.tables import Serial, Utc, metadata

SEND_STATES = ("waiting", "claimed", "sending", "sent", "cancelled")
PURPOSES = ("first", "again", "mention", "second", "mail")
ESCALATIONS = ("mention", "second", "mail")

alert_send = Table(  # this alert is to be told on this channel from then on; escalation steps are rows of a later time
    "alert_send",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("alert_id", Serial, ForeignKey("alert.id"), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("round", Integer, nullable=False, server_default="1"),
    Column("channel", String(80), nullable=False),
    Column("must_act", Boolean, nullable=False),
    Column("urgency", SmallInteger, nullable=False),
    Column("state", String(12), nullable=False, server_default="waiting"),
    Column("due_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("worker", String(120), nullable=False, server_default=""),
    Column("lease_until", Utc),
    Column("message_id", Serial),
    Column("sent_at", Utc),
    Column("reason", Text, nullable=False, server_default=""),
    UniqueConstraint("alert_id", "purpose", "round", "channel", name="alert_send_once"),
    CheckConstraint("state IN ('waiting', 'claimed', 'sending', 'sent', 'cancelled')", name="alert_send_state_known"),
    Index("alert_send_due", "channel", "state", "due_at"),
)

alert_message = Table(  # one message that was about to leave, how it went, and how many alerts stood in it
    "alert_message",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("robot", String(24), nullable=False),
    Column("channel", String(80), nullable=False),
    Column("title", Text, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("at", Utc, nullable=False),
    Column("outcome", String(12), nullable=False, server_default="sending"),
    Column("reason", Text, nullable=False, server_default=""),
    Index("alert_message_rate", "robot", "at"),
    Index("alert_message_at", "at"),
)

alert_robot = Table(  # one row for each robot: the lock under which its minute is counted, and until when it rests
    "alert_robot",
    metadata,
    Column("robot", String(24), primary_key=True),
    Column("channel", String(80), nullable=False),
    Column("paused_until", Utc),
    Column("reason", Text, nullable=False, server_default=""),
)

alert_mute = Table(
    "alert_mute",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("scope", String(300), nullable=False),
    Column("until", Utc, nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", String(80), nullable=False),
    Column("created_at", Utc, nullable=False),
    Index("alert_mute_until", "until"),
)
