"""Halted sinks, what is held of a credit line, when a key is polled again, repeated requests, approvals."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add six tables."""
    _halt()
    _asked()
    _reservation()
    _poll()
    _attempt()
    _approval()


def _halt() -> None:
    op.create_table(
        "halt",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("sink", sa.String(120), nullable=False),
        sa.Column("open_sink", sa.String(120), unique=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(12), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("qr", sa.Text, nullable=False, server_default=""),
        sa.Column("in_poll", sa.Boolean, nullable=False),
        sa.Column("hits", sa.Integer, nullable=False, server_default="1"),
        sa.Column("needed", sa.BigInteger),
        sa.Column("available", sa.BigInteger),
        sa.Column("halted_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.String(120), nullable=False),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
        sa.Column("trial", sa.String(200), nullable=False, server_default=""),
        sa.Column("trial_until", MOMENT),
    )
    op.create_index("halt_of", "halt", ["sink", "id"])


def _asked() -> None:
    op.create_table(
        "asked",
        sa.Column("connection", sa.String(80), primary_key=True),
        sa.Column("what", sa.String(12), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("total", sa.BigInteger),
        sa.Column("available", sa.BigInteger),
        sa.Column("state", sa.String(12), nullable=False, server_default=""),
        sa.Column("qr", sa.Text, nullable=False, server_default=""),
        sa.Column("until", MOMENT),
    )


def _reservation() -> None:
    op.create_table(
        "reservation",
        sa.Column("connection", sa.String(80), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("net", sa.BigInteger, nullable=False),
        sa.Column("held_at", MOMENT, nullable=False),
        sa.Column("returned_at", MOMENT),
    )
    op.create_index("reservation_month", "reservation", ["connection", "month"])


def _poll() -> None:
    op.create_table(
        "poll",
        sa.Column("sink", sa.String(120), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("status", sa.String(24), nullable=False, server_default=""),
    )
    op.create_index("poll_due", "poll", ["sink", "is_open", "due_at"])


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("sink", sa.String(120), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("cause", sa.String(12), nullable=False),
        sa.Column("new_key", sa.String(200), nullable=False, server_default=""),
        sa.Column("invoice_id", sa.BigInteger, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(120), nullable=False),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
        sa.UniqueConstraint("sink", "key", "number", name="attempt_once"),
    )
    op.create_index("attempt_state", "attempt", ["sink", "state"])


def _approval() -> None:
    op.create_table(
        "approval",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("flow", sa.String(80), nullable=False),
        sa.Column("sink", sa.String(120), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT),
        sa.Column("by", sa.String(120), nullable=False, server_default=""),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
        sa.UniqueConstraint("entity", "key", "hash", name="approval_once"),
    )
    op.create_index("approval_state", "approval", ["state", "id"])
