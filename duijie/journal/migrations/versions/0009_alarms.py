"""Alerts that are told by channel and time, claimed, muted and counted; every message that left; robots that rest."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)
STATES = "state IN ('waiting', 'claimed', 'sending', 'sent', 'cancelled')"
COLUMNS = (
    lambda: sa.Column("cause", sa.Text, nullable=False, server_default=""),
    lambda: sa.Column("work_item_id", SERIAL),
    lambda: sa.Column("recovers", SERIAL),
    lambda: sa.Column("last_at", MOMENT),
    lambda: sa.Column("rounds", sa.Integer, nullable=False, server_default="0"),
    lambda: sa.Column("claimed_by", sa.String(80), nullable=False, server_default=""),
    lambda: sa.Column("claimed_at", MOMENT),
)


def upgrade() -> None:
    """Add the columns of alert and four tables. What was sent before counts as told once, and is not told again."""
    for column in COLUMNS:
        op.add_column("alert", column())
    op.create_index("alert_dedupe", "alert", ["dedupe", "sent_at"])
    op.create_index("alert_state", "alert", ["state", "id"])
    op.execute("UPDATE alert SET last_at = created_at")
    op.execute("UPDATE alert SET rounds = 1 WHERE state <> 'pending'")
    _sends()
    _messages()


def _sends() -> None:
    op.create_table(
        "alert_send",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("alert_id", SERIAL, sa.ForeignKey("alert.id"), nullable=False),
        sa.Column("purpose", sa.String(12), nullable=False),
        sa.Column("round", sa.Integer, nullable=False, server_default="1"),
        sa.Column("channel", sa.String(80), nullable=False),
        sa.Column("must_act", sa.Boolean, nullable=False),
        sa.Column("urgency", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.String(12), nullable=False, server_default="waiting"),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("worker", sa.String(120), nullable=False, server_default=""),
        sa.Column("lease_until", MOMENT),
        sa.Column("message_id", SERIAL),
        sa.Column("sent_at", MOMENT),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.UniqueConstraint("alert_id", "purpose", "round", "channel", name="alert_send_once"),
        sa.CheckConstraint(STATES, name="alert_send_state_known"),
    )
    op.create_index("alert_send_due", "alert_send", ["channel", "state", "due_at"])


def _messages() -> None:
    op.create_table(
        "alert_message",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("robot", sa.String(24), nullable=False),
        sa.Column("channel", sa.String(80), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("alerts", sa.Integer, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False, server_default="sending"),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("alert_message_rate", "alert_message", ["robot", "at"])
    op.create_index("alert_message_at", "alert_message", ["at"])
    op.create_table(
        "alert_robot",
        sa.Column("robot", sa.String(24), primary_key=True),
        sa.Column("channel", sa.String(80), nullable=False),
        sa.Column("paused_until", MOMENT),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "alert_mute",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("scope", sa.String(300), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index("alert_mute_until", "alert_mute", ["until"])
