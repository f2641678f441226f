"""An empty journal whose clock stands still, for 票单勾稽."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duijie.journal import Journal
from tests.reconcile.billing_world import World

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    made = Journal.open()
    monkeypatch.setattr(made, "now", lambda: NOW, raising=False)
    yield made
    made.engine.dispose()


@pytest.fixture
def world(journal: Journal) -> World:
    return World(journal)
