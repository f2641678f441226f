"""The journal's tables (SQLAlchemy Core), the same on SQLite and PostgreSQL.

Bodies are canonical JSON bytes; times are stored in UTC and come back with their zone; money columns are integer fen
(分), so that no database's idea of a decimal can change a cent.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
)

metadata = MetaData()

DELIVERY_STATES = (
    "pending",
    "claimed",
    "sent",
    "done",
    "unknown",
    "blocked",
    "rejected",
    "superseded",
    "cancelled",
)
MESSAGE_STATES = ("new", "mapped", "skipped", "blocked", "malformed", "invalid")
HELD_STATES = ("blocked", "malformed", "invalid")
UNFINISHED_STATES = ("pending", "claimed", "sent", "unknown", "blocked", "rejected")
ALWAYS = date(1900, 1, 1)  # a code that has held since ever; the first day that Excel knows
Serial = BigInteger().with_variant(Integer, "sqlite")


class Utc(TypeDecorator[datetime]):
    """A moment: aware in Python, UTC in the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone, store UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """SQLite forgets the zone: it is UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _in(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=f"{column}_known")


def _one_of(column: ColumnElement[str], values: tuple[str, ...]) -> ColumnElement[bool]:
    """A condition with its values written out, as a planner needs them to choose a partial index."""
    return column.in_([literal_column(repr(value)) for value in values])


def _partial(name: str, rows: ColumnElement[bool], *columns: ColumnElement[Any], **options: Any) -> Index:
    """An index of the few rows that a condition lets in."""
    return Index(name, *columns, sqlite_where=rows, postgresql_where=rows, **options)


message = Table(
    "message",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("connection", String(80), nullable=False),
    Column("stream", String(80), nullable=False),
    Column("part", String(80), nullable=False, server_default=""),
    Column("key", String(200), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(12), nullable=False, server_default="new"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("mapping", String(120), nullable=False, server_default=""),
    Column("received_at", Utc, nullable=False),
    UniqueConstraint("connection", "stream", "key", "hash", name="message_once"),
    _in("state", MESSAGE_STATES),
    Index("message_waiting", "connection", "stream", "state", "id"),
)
IS_HELD = _one_of(message.c.state, HELD_STATES)
_partial("message_held", IS_HELD, message.c.key)

document = Table(
    "document",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("entity", String(40), nullable=False),
    Column("key", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("amount", BigInteger, nullable=False, server_default="0"),
    Column("message_id", Serial, ForeignKey("message.id")),
    Column("mapping", String(120), nullable=False, server_default=""),
    Column("created_at", Utc, nullable=False),
    Column("number", String(200), nullable=False, server_default=""),
    UniqueConstraint("entity", "key", "version", name="document_version"),
    Index("document_current", "entity", "current", "id"),
    Index("document_by_key", "entity", "key", "current"),
    Index("document_by_message", "message_id"),
    Index("document_number", "number", postgresql_ops={"number": "varchar_pattern_ops"}),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("document_id", Serial, ForeignKey("document.id"), nullable=False),
    Column("entity", String(40), nullable=False),
    Column("key", String(200), nullable=False),
    Column("sink", String(120), nullable=False),
    Column("flow", String(80), nullable=False),
    Column("state", String(12), nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", Utc, nullable=False),
    Column("worker", String(120), nullable=False, server_default=""),
    Column("lease_until", Utc),
    Column("turn", Integer, nullable=False, server_default="0"),
    Column("target_key", String(200), nullable=False, server_default=""),
    Column("native_id", String(200), nullable=False, server_default=""),
    Column("native_no", String(200), nullable=False, server_default=""),
    Column("mapping", String(120), nullable=False, server_default=""),
    Column("payload_hash", String(64), nullable=False, server_default=""),
    Column("receipt", LargeBinary),
    Column("reason", Text, nullable=False, server_default=""),
    Column("amount", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("changed_by", String(120), nullable=False, server_default=""),
    UniqueConstraint("document_id", "sink", name="delivery_once"),
    _in("state", DELIVERY_STATES),
    Index("delivery_due", "sink", "state", "due_at", "amount"),
    Index("delivery_by_key", "sink", "key", "id"),
    Index("delivery_of", "entity", "key"),
)
IS_UNFINISHED = _one_of(delivery.c.state, UNFINISHED_STATES)
IN_FLIGHT_STATES = ("claimed", "sent", "unknown")
IS_IN_FLIGHT = _one_of(delivery.c.state, IN_FLIGHT_STATES)
_partial("delivery_one_at_a_time", IS_IN_FLIGHT, delivery.c.sink, delivery.c.key, unique=True)
_partial("delivery_backlog", IS_UNFINISHED, delivery.c.flow, delivery.c.state, delivery.c.created_at)
HAS_NUMBER = {name: delivery.c[name] != literal_column("''") for name in ("native_no", "native_id", "target_key")}
for _name, _has in HAS_NUMBER.items():
    _partial(f"delivery_{_name}", _has, delivery.c[_name], postgresql_ops={_name: "varchar_pattern_ops"})

planned = Table(  # how far the documents of an entity have been looked through for a sink
    "planned",
    metadata,
    Column("sink", String(120), primary_key=True),
    Column("entity", String(40), primary_key=True),
    Column("upto", BigInteger, nullable=False),
    Column("newest", BigInteger, nullable=False),
    Column("newest_at", Utc, nullable=False),
    Column("swept_at", Utc, nullable=False),
)

delivery_event = Table(  # written by the database itself, with every change of a delivery's state
    "delivery_event",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("delivery_id", Serial, ForeignKey("delivery.id"), nullable=False),
    Column("at", Utc, nullable=False),
    Column("before", String(12), nullable=False),
    Column("after", String(12), nullable=False),
    Column("who", String(120), nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Index("delivery_event_of", "delivery_id", "id"),
)

xref = Table(
    "xref",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("connection", String(80), nullable=False),
    Column("code", String(200), nullable=False),
    Column("counterpart", String(200), nullable=False),
    Column("changed_by", String(80), nullable=False, server_default=""),
    Column("changed_at", Utc, nullable=False),
    Column("valid_from", Date, nullable=False, server_default=ALWAYS.isoformat()),
    Column("version", Integer, nullable=False, server_default="1"),
    UniqueConstraint("kind", "connection", "code", "version", name="xref_version"),
)

link = Table(
    "link",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("from_entity", String(40), nullable=False),
    Column("from_key", String(200), nullable=False),
    Column("to_entity", String(40), nullable=False),
    Column("to_key", String(200), nullable=False),
    Column("amount", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("kind", "from_entity", "from_key", "to_key", name="link_once"),
    Index("link_from", "from_entity", "from_key"),
    Index("link_to", "to_entity", "to_key"),
)

derived = Table(
    "derived",
    metadata,
    Column("rule", String(80), primary_key=True),
    Column("entity", String(40), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("document_id", Serial, nullable=False),
    Column("result_key", String(200), nullable=False),
    Index("derived_result", "result_key", "rule"),
)

cursor = Table(
    "cursor",
    metadata,
    Column("connection", String(80), primary_key=True),
    Column("stream", String(80), primary_key=True),
    Column("part", String(80), primary_key=True),
    Column("position", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
)

work_item = Table(
    "work_item",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("open_subject", String(330), unique=True),
    Column("state", String(12), nullable=False, server_default="open"),
    Column("flow", String(80), nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("owner", String(40), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("closed_by", String(80), nullable=False, server_default=""),
    Column("resolution", Text, nullable=False, server_default=""),
    _in("state", ("open", "claimed", "closed")),
)

unmapped = Table(
    "unmapped",
    metadata,
    Column("work_item_id", Serial, ForeignKey("work_item.id"), primary_key=True),
    Column("what", String(12), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("connection", String(80), nullable=False, server_default=""),
    Column("code", String(200), nullable=False),
    _in("what", ("code", "counterpart", "document")),
    Index("unmapped_code", "kind", "code"),
)

work_item_record = Table(
    "work_item_record",
    metadata,
    Column("work_item_id", Serial, ForeignKey("work_item.id"), primary_key=True),
    Column("entity", String(40), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("flow", String(80), primary_key=True),
    Column("amount", BigInteger, nullable=False, server_default="0"),
    Index("work_item_record_key", "key"),
)

alert = Table(
    "alert",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("dedupe", String(300), nullable=False),
    Column("open_dedupe", String(300), unique=True),
    Column("level", String(12), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False, server_default="pending"),
    Column("count", Integer, nullable=False, server_default="1"),
    Column("created_at", Utc, nullable=False),
    Column("sent_at", Utc),
    Column("cause", Text, nullable=False, server_default=""),
    Column("work_item_id", Serial),
    Column("recovers", Serial),
    Column("last_at", Utc),
    Column("rounds", Integer, nullable=False, server_default="0"),
    Column("claimed_by", String(80), nullable=False, server_default=""),
    Column("claimed_at", Utc),
    _in("state", ("pending", "sent", "recovered", "failed")),
    Index("alert_dedupe", "dedupe", "sent_at"),
    Index("alert_state", "state", "id"),
)

run = Table(
    "run",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("flow", String(80), nullable=False),
    Column("step", String(120), nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("counts", Text, nullable=False, server_default="{}"),
    Column("problem", Text, nullable=False, server_default=""),
    Index("run_flow", "flow", "step", "id"),
    Index("run_started", "flow", "started_at"),
)

replay = Table(
    "replay",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("flow", String(80), nullable=False),
    Column("stream", String(170), nullable=False),
    Column("who", String(80), nullable=False),
    Column("why", Text, nullable=False, server_default=""),
    Column("wanted", Text, nullable=False),
    Column("mapping", String(120), nullable=False, server_default=""),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("counts", Text, nullable=False, server_default="{}"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("connection", String(80), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Index("incident_at", "at"),
)

comparison = Table(
    "comparison",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("pair", String(80), nullable=False),
    Column("title", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("left_count", BigInteger, nullable=False),
    Column("right_count", BigInteger, nullable=False),
    Column("left_amount", BigInteger, nullable=False),
    Column("right_amount", BigInteger, nullable=False),
    Column("differences", Integer, nullable=False),
    Column("unexplained", Integer, nullable=False),
)

difference = Table(
    "difference",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("comparison_id", Serial, ForeignKey("comparison.id"), nullable=False),
    Column("key", String(200), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("left_amount", BigInteger),
    Column("right_amount", BigInteger),
    Column("explanation", Text, nullable=False, server_default=""),
    Column("work_item_id", Serial),
    Index("difference_of", "comparison_id"),
)
