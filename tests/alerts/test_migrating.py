"""A journal of the version before keeps its alerts: what waited is sent, what was sent is not sent again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from duijie.alerts.sending import send_waiting
from duijie.journal import Journal
from sandbox.robot import Robot
from tests.alerts.conftest import Clock, journal_at, one_group, taken, words
from tests.journal.old import journal_at as journal_of

RAISED = text(
    "INSERT INTO alert (dedupe, open_dedupe, level, title, body, state, count, created_at, sent_at) "
    "VALUES (:dedupe, :dedupe, '重要', :title, '请处理', :state, 1, :at, :sent)"
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    return str(request.getfixturevalue("postgres_database"))


def test_alerts_of_the_version_before(address: str, robot: Robot, url: str, clock: Clock) -> None:
    old = journal_of(address, "0008")
    at = datetime(2026, 11, 1, tzinfo=UTC)
    with old.writing() as tx:
        tx.execute(RAISED, {"dedupe": "step|waited", "title": "waited", "state": "pending", "at": at, "sent": None})
        tx.execute(RAISED, {"dedupe": "step|was sent", "title": "was sent", "state": "sent", "at": at, "sent": at})
    old.engine.dispose()
    Journal.open(address).engine.dispose()
    kept = journal_at(address, clock)
    assert send_waiting(kept, one_group(url))["alerts_sent"] == 1
    clock.forward(hours=2)
    send_waiting(kept, one_group(url, escalation={"levels": []}))
    assert "waited" in words(taken(robot)[0])
    assert not any("was sent" in words(one) for one in taken(robot))
    kept.engine.dispose()
