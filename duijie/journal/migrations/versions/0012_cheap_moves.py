"""PostgreSQL looks at a move without calling a function, and writes the history of a statement at once.

The conditions of 0006 become the triggers' own (`WHEN`), so that a function runs for a refused move only; the moves of
one statement reach `delivery_event` by one INSERT from its transition tables. SQLite's triggers are like that already.
An index that `delivery_once` begins with as well goes on both. No percent sign stands here: a preview would double it.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

MOVES = {
    "pending": ("claimed", "superseded", "cancelled"),
    "claimed": ("sent", "pending", "blocked", "done", "rejected", "unknown", "superseded", "cancelled"),
    "sent": ("done", "rejected", "unknown", "pending"),
    "unknown": ("claimed",),
    "blocked": ("pending", "superseded", "cancelled"),
    "rejected": ("pending", "superseded", "cancelled"),
    "cancelled": ("pending",),
}


def _listed(states: tuple[str, ...]) -> str:
    return ", ".join(f"'{state}'" for state in states)


LEGAL = " OR ".join(f"(OLD.state = '{old}' AND NEW.state IN ({_listed(new)}))" for old, new in MOVES.items())
LEASED = "((NEW.state IN ('claimed', 'sent')) = (NEW.lease_until IS NOT NULL))"
REPLACED = ("delivery_begins", "delivery_moves", "delivery_is_leased", "delivery_is_told")
STATEMENTS = (
    *(f"DROP TRIGGER {name} ON delivery" for name in REPLACED),
    """CREATE OR REPLACE FUNCTION delivery_begins() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'delivery: a row begins as pending or cancelled' USING ERRCODE = 'check_violation'; END $$""",
    """CREATE OR REPLACE FUNCTION delivery_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation',
        MESSAGE = 'delivery ' || OLD.id || ': ' || OLD.state || ' to ' || NEW.state || ' is not a transition';
    END $$""",
    """CREATE OR REPLACE FUNCTION delivery_is_leased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation',
        MESSAGE = 'delivery ' || OLD.id || ': leased exactly while claimed or sent'; END $$""",
    """CREATE OR REPLACE FUNCTION delivery_is_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO delivery_event (delivery_id, at, before, after, who, why)
    SELECT n.id, n.changed_at, o.state, n.state, n.changed_by, n.reason
    FROM moved_to n JOIN moved_from o ON o.id = n.id WHERE o.state <> n.state ORDER BY n.id;
    RETURN NULL; END $$""",
    """CREATE TRIGGER delivery_begins BEFORE INSERT ON delivery FOR EACH ROW
    WHEN (NEW.state NOT IN ('pending', 'cancelled')) EXECUTE FUNCTION delivery_begins()""",
    f"""CREATE TRIGGER delivery_moves BEFORE UPDATE OF state ON delivery FOR EACH ROW
    WHEN (NOT ({LEGAL})) EXECUTE FUNCTION delivery_moves()""",
    f"""CREATE TRIGGER delivery_is_leased BEFORE UPDATE OF state, lease_until ON delivery FOR EACH ROW
    WHEN (NOT {LEASED}) EXECUTE FUNCTION delivery_is_leased()""",
    """CREATE TRIGGER delivery_is_told AFTER UPDATE ON delivery
    REFERENCING OLD TABLE AS moved_from NEW TABLE AS moved_to
    FOR EACH STATEMENT EXECUTE FUNCTION delivery_is_told()""",
)


def upgrade() -> None:
    """Drop the index; replace the four triggers of PostgreSQL."""
    op.drop_index("delivery_by_document", "delivery")
    if op.get_context().dialect.name != "postgresql":
        return
    for statement in STATEMENTS:
        op.execute(statement)
