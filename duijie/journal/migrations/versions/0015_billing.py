"""What 票单勾稽 found last, and what people explained of it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the newest run (line, difference, tax), people's notes, and who asked at the 开票工作台."""
    op.create_table(
        "billing_line",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("order_key", sa.String(200), nullable=False),
        sa.Column("order_no", sa.String(200), nullable=False),
        sa.Column("shop", sa.String(80), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("oid", sa.String(200), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("rate", sa.String(10), nullable=False),
        sa.Column("owed_net", sa.BigInteger, nullable=False),
        sa.Column("owed_tax", sa.BigInteger, nullable=False),
        sa.Column("blue_net", sa.BigInteger, nullable=False),
        sa.Column("blue_tax", sa.BigInteger, nullable=False),
        sa.Column("red_net", sa.BigInteger, nullable=False),
        sa.Column("red_tax", sa.BigInteger, nullable=False),
        sa.Column("posted_net", sa.BigInteger, nullable=False),
        sa.Column("posted_tax", sa.BigInteger, nullable=False),
        sa.Column("paid", sa.BigInteger, nullable=False),
        sa.Column("kinds", sa.String(80), nullable=False),
        sa.Column("numbers", sa.Text, nullable=False),
    )
    op.create_table(
        "billing_difference",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("order_key", sa.String(200), nullable=False),
        sa.Column("order_no", sa.String(200), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("lines", sa.Text, nullable=False),
        sa.Column("left_amount", sa.BigInteger, nullable=False),
        sa.Column("right_amount", sa.BigInteger, nullable=False),
        sa.Column("tax", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("next_step", sa.Text, nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("explanation", sa.Text, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("work_item_id", SERIAL),
    )
    op.create_table(
        "billing_tax",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("rate", sa.String(10), nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("posted", "issued", "unbilled", "late", "difference", "unknown")
        ),
        sa.Column("place", sa.Integer, nullable=False),
    )
    op.create_table(
        "billing_note",
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("left_amount", sa.BigInteger, nullable=False),
        sa.Column("right_amount", sa.BigInteger, nullable=False),
        sa.Column("tax", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "invoice_ask",
        sa.Column("entity", sa.String(40), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("display", sa.String(80), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("billing_line_order", "billing_line", ["order_key"])
    op.create_index("billing_line_day", "billing_line", ["day", "id"])
    op.create_index("billing_difference_kind", "billing_difference", ["kind", "id"])
    op.create_index("billing_difference_day", "billing_difference", ["day", "id"])
