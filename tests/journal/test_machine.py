"""docs/journal.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from duijie.journal.deliveries import ALLOWED
from duijie.journal.machine import MEANING, WHY, page

ROOT = Path(__file__).parent.parent.parent


def test_every_state_and_every_move_is_explained() -> None:
    assert set(MEANING) == set(ALLOWED)
    assert set(WHY) == {(before, after) for before, moves in ALLOWED.items() for after in moves}


def test_the_page_in_docs_is_made_of_the_code() -> None:
    assert (ROOT / "docs/journal.md").read_text(encoding="utf-8") == page()
