"""A request for an invoice beside its delivery: halted sinks, what is held of a credit line, polls, approvals.

Amounts are integer fen (分) without tax, but for `approval.amount`, which is with tax.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from duijie.journal.tables import Serial, Utc, metadata

halt = Table(  # one row per stop; open_sink is empty once it is over
    "halt",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("sink", String(120), nullable=False),
    Column("open_sink", String(120), unique=True),
    Column("state", String(12), nullable=False),
    Column("reason", String(12), nullable=False),
    Column("said", Text, nullable=False),
    Column("qr", Text, nullable=False, server_default=""),
    Column("in_poll", Boolean, nullable=False),
    Column("hits", Integer, nullable=False, server_default="1"),
    Column("needed", BigInteger),
    Column("available", BigInteger),
    Column("halted_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("changed_by", String(120), nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Column("trial", String(200), nullable=False, server_default=""),
    Column("trial_until", Utc),
    Index("halt_of", "sink", "id"),
)

asked = Table(  # how often and when a platform was asked for something that it lets be asked for a few times a day
    "asked",
    metadata,
    Column("connection", String(80), primary_key=True),
    Column("what", String(12), primary_key=True),
    Column("at", Utc, nullable=False),
    Column("day", String(10), nullable=False),
    Column("times", Integer, nullable=False),
    Column("total", BigInteger),
    Column("available", BigInteger),
    Column("state", String(12), nullable=False, server_default=""),
    Column("qr", Text, nullable=False, server_default=""),
    Column("until", Utc),
)

reservation = Table(  # what our requests take off a credit line, and what came back of it
    "reservation",
    metadata,
    Column("connection", String(80), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("month", String(7), nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("held_at", Utc, nullable=False),
    Column("returned_at", Utc),
    Index("reservation_month", "connection", "month"),
)

poll = Table(  # when a key that was delivered is asked for again; seen: the result that was dealt with
    "poll",
    metadata,
    Column("sink", String(120), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("times", Integer, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("since", Utc, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("seen", BigInteger, nullable=False, server_default="0"),
    Column("status", String(24), nullable=False, server_default=""),
    Index("poll_due", "sink", "is_open", "due_at"),
    Index("poll_open", "sink", "is_open", "key"),
)

attempt = Table(  # what was asked for again after a definite refusal, and under which number
    "attempt",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("sink", String(120), nullable=False),
    Column("key", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("cause", String(12), nullable=False),
    Column("new_key", String(200), nullable=False, server_default=""),
    Column("invoice_id", BigInteger, nullable=False),
    Column("at", Utc, nullable=False),
    Column("by", String(120), nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    UniqueConstraint("sink", "key", "number", name="attempt_once"),
    Index("attempt_state", "sink", "state"),
)

approval = Table(  # a person's yes or no to one content of a document
    "approval",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("entity", String(40), nullable=False),
    Column("key", String(200), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("flow", String(80), nullable=False),
    Column("sink", String(120), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("asked_at", Utc, nullable=False),
    Column("decided_at", Utc),
    Column("by", String(120), nullable=False, server_default=""),
    Column("why", Text, nullable=False, server_default=""),
    UniqueConstraint("entity", "key", "hash", name="approval_once"),
    Index("approval_state", "state", "id"),
)
