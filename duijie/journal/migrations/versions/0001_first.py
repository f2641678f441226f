"""The first schema: every table of `duijie.journal.tables`."""

from alembic import op

from duijie.journal.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    metadata.create_all(op.get_bind())
