"""The first schema: every table as revision 0005 left it, so that 0002 to 0005 look first what is there."""

from alembic import op

from duijie.journal.migrations.as_of_0005 import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    metadata.create_all(op.get_bind())
