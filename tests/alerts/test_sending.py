"""Alerts leave by their own step: one by one while few, as one digest when many, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duijie.alerts.sending import send_waiting, waiting
from duijie.journal import Journal, work
from sandbox.robot import Robot
from sandbox.serve import Running, free_ports
from sandbox.store import Store


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture
def robot() -> Robot:
    return Robot(Store())


@pytest.fixture
def channel(robot: Robot) -> Iterator[str]:
    with Running(robot) as url:
        yield f"{url.replace('http', 'json')}/notify"


def raise_alerts(kept: Journal, number: int) -> None:
    with kept.writing() as tx:
        for position in range(number):
            work.raise_alert(tx, kept, f"k{position}", "重要", f"凭证 {position} 被拒", "补科目后重放")


def test_a_few_are_sent_one_by_one_and_once(kept: Journal, robot: Robot, channel: str) -> None:
    raise_alerts(kept, 2)
    assert send_waiting(kept, [channel])["alerts_sent"] == 2
    assert send_waiting(kept, [channel]) == {"alerts_waiting": 0}
    held = robot.store.all("messages")
    assert [one["title"] for one in held] == ["【重要】凭证 0 被拒", "【重要】凭证 1 被拒"]
    assert held[0]["message"] == "补科目后重放"


def test_many_are_one_digest_of_at_most_fifteen_lines(kept: Journal, robot: Robot, channel: str) -> None:
    raise_alerts(kept, 40)
    assert send_waiting(kept, [channel])["messages"] == 1
    [digest] = robot.store.all("messages")
    assert "40 条" in digest["title"]
    assert "另有 25 条" in digest["message"]


def test_a_channel_that_does_not_answer_loses_nothing(kept: Journal) -> None:
    raise_alerts(kept, 1)
    assert send_waiting(kept, [f"json://127.0.0.1:{free_ports(1)[0]}/notify"])["alerts_waiting"] == 1
    assert len(waiting(kept)) == 1


def test_without_a_channel_they_wait_where_the_console_shows_them(kept: Journal) -> None:
    raise_alerts(kept, 3)
    assert send_waiting(kept, [])["alerts_waiting"] == 3
