"""A journal on both databases, at noon of a Wednesday."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duijie.journal import Journal

NOON = datetime(2026, 11, 11, 4, 2, 30, tzinfo=UTC)  # 12:02:30 in China


class Clock:
    """The one thing that a test may set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    for name in ("DUIJIE_CONNECTIONS", "DUIJIE_AIRFLOW_URL", "DUIJIE_AIRFLOW_API"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "sqlite":
        opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    else:
        opened = Journal.open(request.getfixturevalue("postgres_database"))
    opened.now = Clock(NOON)  # type: ignore[method-assign]
    yield opened
    opened.engine.dispose()
