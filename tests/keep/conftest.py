"""A journal on both databases, and another empty place of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from duijie.journal import Journal


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "sqlite":
        opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    else:
        opened = Journal.open(request.getfixturevalue("postgres_database"))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, kept: Journal, tmp_path: Path) -> Callable[[], str]:
    """The URL of a new empty place."""

    def made() -> str:
        name = f"e{uuid4().hex[:12]}"
        if kept.is_postgres:
            return str(request.getfixturevalue("postgres_server").create(name))
        return f"sqlite:///{tmp_path / name}.db"

    return made


@pytest.fixture
def reopened() -> Iterator[Callable[[str], Journal]]:
    """Opens a journal by its URL; its connections are closed in the end."""
    opened: list[Journal] = []

    def again(url: str) -> Journal:
        opened.append(Journal.open(url))
        return opened[-1]

    yield again
    for one in opened:
        one.engine.dispose()
