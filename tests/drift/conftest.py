"""A journal with recorded traffic of one stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from duijie.codec import Record
from duijie.journal import Journal, inbox
from duijie.journal.inbox import Source

SHOP = Source("shop", "trade")
Keep = Callable[[Sequence[Record]], None]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture
def keep(journal: Journal) -> Keep:
    def kept(records: Sequence[Record]) -> None:
        inbox.store(journal, SHOP, "tid", records)

    return kept
