"""A replay leaves a row: who, when, why, what was asked for, what came of it."""

import sqlalchemy as sa
from alembic import op

from duijie.journal.tables import replay

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table replay; 0001 has made it already in a new journal."""
    if not sa.inspect(op.get_bind()).has_table("replay"):
        replay.create(op.get_bind())
