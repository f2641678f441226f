"""What the ingress keeps: keys that a push pointed at, pushes that were seen, how many came."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add hint, push_seen and push_count."""
    op.create_table(
        "hint",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("connection", sa.String(80), nullable=False),
        sa.Column("stream", sa.String(80), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("hints", sa.Integer, nullable=False, server_default="1"),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("connection", "stream", "key", name="hint_once"),
    )
    op.create_index("hint_due", "hint", ["connection", "stream", "due_at"])
    op.create_table(
        "push_seen",
        sa.Column("connection", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("connection", "digest", name="push_seen_once"),
    )
    op.create_index("push_seen_until", "push_seen", ["until"])
    op.create_table(
        "push_count",
        sa.Column("connection", sa.String(80), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("connection", "outcome", name="push_count_once"),
    )
