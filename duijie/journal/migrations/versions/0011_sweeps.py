"""Where the asking for what was read already stands, and which keys their source did not show."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add sweep and missed."""
    op.create_table(
        "sweep",
        sa.Column("connection", sa.String(80), primary_key=True),
        sa.Column("stream", sa.String(80), primary_key=True),
        sa.Column("part", sa.String(80), primary_key=True),
        sa.Column("position", SERIAL, nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
    )
    op.create_table(
        "missed",
        sa.Column("connection", sa.String(80), primary_key=True),
        sa.Column("stream", sa.String(80), primary_key=True),
        sa.Column("part", sa.String(80), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("asked_at", MOMENT, nullable=False),
    )
