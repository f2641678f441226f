"""The files of invoices: kept, waited for, sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"

MOMENT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add original, original_wait and redelivery."""
    op.create_table(
        "original",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("source", sa.String(120), nullable=False),
        sa.Column("number", sa.String(20), nullable=False, server_default=""),
        sa.Column("faults", sa.Text, nullable=False, server_default=""),
        sa.UniqueConstraint("entity", "key", "kind", "sha256", name="original_once"),
    )
    op.create_index("original_number", "original", ["number"])
    op.create_table(
        "original_wait",
        sa.Column("entity", sa.String(40), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "redelivery",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("mail", sa.String(200), nullable=False, server_default=""),
        sa.Column("phone", sa.String(40), nullable=False, server_default=""),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("redelivery_of", "redelivery", ["entity", "key"])
