"""What 票单勾稽 found last: order lines with what was billed, posted and paid of them, differences, tax by month.

Three tables hold the newest run alone and are written in one transaction; `billing_note` holds what people explained,
which counts as long as the difference stays what it was. Amounts are fen.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from duijie.journal.tables import Serial, Utc, metadata

billing_line = Table(
    "billing_line",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("order_key", String(200), nullable=False),
    Column("order_no", String(200), nullable=False),
    Column("shop", String(80), nullable=False),
    Column("day", String(10), nullable=False),
    Column("oid", String(200), nullable=False),
    Column("name", Text, nullable=False),
    Column("rate", String(10), nullable=False),
    Column("owed_net", BigInteger, nullable=False),
    Column("owed_tax", BigInteger, nullable=False),
    Column("blue_net", BigInteger, nullable=False),
    Column("blue_tax", BigInteger, nullable=False),
    Column("red_net", BigInteger, nullable=False),
    Column("red_tax", BigInteger, nullable=False),
    Column("posted_net", BigInteger, nullable=False),
    Column("posted_tax", BigInteger, nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("kinds", String(80), nullable=False),
    Column("numbers", Text, nullable=False),
    Index("billing_line_order", "order_key"),
    Index("billing_line_day", "day", "id"),
)

billing_difference = Table(
    "billing_difference",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("key", String(300), nullable=False),
    Column("order_key", String(200), nullable=False),
    Column("order_no", String(200), nullable=False),
    Column("day", String(10), nullable=False),
    Column("lines", Text, nullable=False),
    Column("left_amount", BigInteger, nullable=False),
    Column("right_amount", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("owner", String(40), nullable=False),
    Column("since", Utc, nullable=False),
    Column("explanation", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("work_item_id", Serial),
    Index("billing_difference_kind", "kind", "id"),
    Index("billing_difference_day", "day", "id"),
)

billing_tax = Table(
    "billing_tax",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("month", String(7), nullable=False),
    Column("rate", String(10), nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("posted", "issued", "unbilled", "late", "difference", "unknown")
    ),
    Column("place", Integer, nullable=False),
)

billing_note = Table(
    "billing_note",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("left_amount", BigInteger, nullable=False),
    Column("right_amount", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    Column("who", String(80), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Utc, nullable=False),
)

invoice_ask = Table(  # who asked for a document at the 开票工作台, so that nobody approves their own
    "invoice_ask",
    metadata,
    Column("entity", String(40), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("who", String(80), nullable=False),
    Column("display", String(80), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Utc, nullable=False),
)
