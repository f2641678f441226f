"""A journal on each database, as two workers open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duijie.journal import Journal


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.delenv("DUIJIE_LIMITS", raising=False)
    place = f"sqlite:///{tmp_path / 'journal.db'}"
    opened = Journal.open(place if request.param == "sqlite" else str(request.getfixturevalue("postgres_database")))
    yield opened
    opened.engine.dispose()
