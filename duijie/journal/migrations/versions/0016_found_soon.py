"""Open polls in the order of their keys, and what was made under a number, without looking through all there were."""

from duijie.journal.migrations.gently import create_index

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the two indexes."""
    create_index("poll_open", "poll", ["sink", "is_open", "key"])
    create_index("derived_result", "derived", ["result_key", "rule"])
