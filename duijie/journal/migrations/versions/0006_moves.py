"""The database keeps the delivery machine: it refuses a move that is none and writes every move down.

`turn` counts how often a row was claimed, so that a worker whose lease ran out can move nothing any more; one row of a
key is in flight at a sink at most; a row is leased exactly while somebody holds it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MOVES = {
    "pending": ("claimed", "superseded", "cancelled"),
    "claimed": ("sent", "pending", "blocked", "done", "rejected", "unknown", "superseded", "cancelled"),
    "sent": ("done", "rejected", "unknown", "pending"),
    "unknown": ("claimed",),
    "blocked": ("pending", "superseded", "cancelled"),
    "rejected": ("pending", "superseded", "cancelled"),
    "cancelled": ("pending",),
}
STARTS = ("pending", "cancelled")
HELD = "('claimed', 'sent')"
FREED = """UPDATE delivery SET lease_until = NULL WHERE state NOT IN ('claimed', 'sent')"""
LENT = """UPDATE delivery SET lease_until = changed_at WHERE state IN ('claimed', 'sent') AND lease_until IS NULL"""
MOMENT = sa.DateTime(timezone=True)


def _listed(states: tuple[str, ...]) -> str:
    return ", ".join(f"'{state}'" for state in states)


LEGAL = " OR ".join(f"(OLD.state = '{old}' AND NEW.state IN ({_listed(new)}))" for old, new in MOVES.items())
LEASED = f"((NEW.state IN {HELD}) = (NEW.lease_until IS NOT NULL))"
EVENT = """INSERT INTO delivery_event (delivery_id, at, before, after, who, why)
    VALUES (NEW.id, NEW.changed_at, OLD.state, NEW.state, NEW.changed_by, NEW.reason);"""

LITE = (
    f"""CREATE TRIGGER delivery_begins BEFORE INSERT ON delivery WHEN NEW.state NOT IN ({_listed(STARTS)})
    BEGIN SELECT RAISE(ABORT, 'delivery: a row begins as pending or cancelled'); END""",
    f"""CREATE TRIGGER delivery_moves BEFORE UPDATE OF state ON delivery WHEN NOT ({LEGAL})
    BEGIN SELECT RAISE(ABORT, 'delivery: this is not a transition'); END""",
    f"""CREATE TRIGGER delivery_is_leased BEFORE UPDATE OF state, lease_until ON delivery WHEN NOT {LEASED}
    BEGIN SELECT RAISE(ABORT, 'delivery: a row is leased exactly while it is claimed or sent'); END""",
    f"CREATE TRIGGER delivery_is_told AFTER UPDATE OF state ON delivery BEGIN {EVENT} END",
)
PG = (
    f"""CREATE FUNCTION delivery_begins() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.state NOT IN ({_listed(STARTS)}) THEN
        RAISE EXCEPTION 'delivery: a row begins as pending or cancelled' USING ERRCODE = 'check_violation';
    END IF; RETURN NEW; END $$""",
    f"""CREATE FUNCTION delivery_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT ({LEGAL}) THEN
        RAISE EXCEPTION 'delivery %: % to % is not a transition', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF; RETURN NEW; END $$""",
    f"""CREATE FUNCTION delivery_is_leased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT {LEASED} THEN
        RAISE EXCEPTION 'delivery %: leased exactly while claimed or sent', OLD.id USING ERRCODE = 'check_violation';
    END IF; RETURN NEW; END $$""",
    f"""CREATE FUNCTION delivery_is_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    {EVENT} RETURN NULL; END $$""",
    "CREATE TRIGGER delivery_begins BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION delivery_begins()",
    "CREATE TRIGGER delivery_moves BEFORE UPDATE OF state ON delivery FOR EACH ROW EXECUTE FUNCTION delivery_moves()",
    """CREATE TRIGGER delivery_is_leased BEFORE UPDATE OF state, lease_until ON delivery
    FOR EACH ROW EXECUTE FUNCTION delivery_is_leased()""",
    """CREATE TRIGGER delivery_is_told AFTER UPDATE OF state ON delivery
    FOR EACH ROW EXECUTE FUNCTION delivery_is_told()""",
)


def upgrade() -> None:
    """Add the columns, the index, the table of how far was planned, and the triggers."""
    op.add_column("delivery", sa.Column("turn", sa.Integer, nullable=False, server_default="0"))
    op.add_column("delivery", sa.Column("changed_by", sa.String(120), nullable=False, server_default=""))
    op.execute(FREED)
    op.execute(LENT)
    in_flight = sa.text("state IN ('claimed', 'sent', 'unknown')")
    op.create_index(
        "delivery_one_at_a_time", "delivery", ["sink", "key"],
        unique=True, sqlite_where=in_flight, postgresql_where=in_flight,
    )  # fmt: skip
    op.create_table(
        "planned",
        sa.Column("sink", sa.String(120), primary_key=True),
        sa.Column("entity", sa.String(40), primary_key=True),
        sa.Column("upto", sa.BigInteger, nullable=False),
        sa.Column("newest", sa.BigInteger, nullable=False),
        sa.Column("newest_at", MOMENT, nullable=False),
        sa.Column("swept_at", MOMENT, nullable=False),
    )
    for statement in PG if op.get_context().dialect.name == "postgresql" else LITE:
        op.execute(statement)
