"""Load, in short: four workers on one PostgreSQL journal, two of them killed again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.load import under_load
from tests.servers import Postgres

DELIVERIES, WORKERS, EVERY, LEASE = 1200, 4, 1.5, 5.0

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.fixture
def server(postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return postgres_server.uri("").rstrip("/")


def test_nothing_is_claimed_twice_lost_or_doubled_while_workers_die(server: str, tmp_path: Path) -> None:
    told = under_load(server, tmp_path / "load", DELIVERIES, WORKERS, EVERY, 8, LEASE)
    assert told.is_kept, told


@pytest.mark.long
def test_workers_that_take_the_living_for_dead_are_caught(server: str, tmp_path: Path) -> None:
    told = under_load(server, tmp_path / "load", 600, WORKERS, EVERY, 8, LEASE, "any lease has ended")
    assert told.double_claims > 0, "seen in the history; whether a write strays, too, is a matter of the moment"
