"""What the workers of a connection share: the state of its line, and its tokens, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add line and token."""
    op.create_table(
        "line",
        sa.Column("connection", sa.String(80), primary_key=True),
        sa.Column("rests_until", MOMENT),
        sa.Column("pauses", sa.Integer, nullable=False, server_default="0"),
        sa.Column("is_tried", sa.Boolean, nullable=False),
        sa.Column("strikes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("disabled", sa.Text, nullable=False, server_default=""),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.String(80), nullable=False),
    )
    op.create_table(
        "token",
        sa.Column("name", sa.String(160), primary_key=True),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
