"""A delivery keeps which mapping made what was sent, and its hash: what `duijie explain delivery` goes by."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add `mapping` and `payload_hash` to delivery; 0001 has made them already in a new journal."""
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("delivery")}
    if "mapping" not in known:
        op.add_column("delivery", sa.Column("mapping", sa.String(120), nullable=False, server_default=""))
        op.add_column("delivery", sa.Column("payload_hash", sa.String(64), nullable=False, server_default=""))
