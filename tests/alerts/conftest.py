"""A journal whose clock the test holds, and robots as strict as the vendors', which read the same clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duijie.alerts import config
from duijie.alerts.config import Alerting
from duijie.journal import Journal, work
from sandbox.robot import Robot
from sandbox.serve import Running
from sandbox.store import Store

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 12:00 in China
SECRETS = {"dingtalk": {"ding1": "SECone", "ding2": "SECtwo"}, "feishu": {"hook1": "fs-secret"}, "wecom": {"key1": ""}}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        self.now += timedelta(**length)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def journal_at(url: str, clock: Clock) -> Journal:
    kept = Journal.open(url)
    kept.now = clock  # type: ignore[method-assign]
    return kept


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    for name in ("DUIJIE_ALERT_FILE", "DUIJIE_ALERT_URLS", "DUIJIE_CONSOLE_URL"):
        monkeypatch.delenv(name, raising=False)
    return journal_at(f"sqlite:///{tmp_path / 'journal.db'}", clock)


@pytest.fixture
def robot(clock: Clock) -> Robot:
    made = Robot(Store(), clock)
    made.seed(SECRETS)
    return made


@pytest.fixture
def url(robot: Robot) -> Iterator[str]:
    with Running(robot) as address:
        yield address


def ding(url: str, name: str = "ding1", secret: str = "") -> dict[str, str]:
    return {"url": f"{url}/robot/send?access_token={name}", "secret": secret or SECRETS["dingtalk"][name]}


def feishu(url: str) -> dict[str, str]:
    return {"url": f"{url}/open-apis/bot/v2/hook/hook1", "secret": "fs-secret"}


PEOPLE = [
    {"name": "张三", "roles": ["运维"], "mobile": "13800000001", "mail": "zhang@example.com", "feishu": "ou_1"},
    {"name": "李四", "roles": ["会计"], "mobile": "13800000002"},
]


def alerting(channels: dict[str, Any], **more: Any) -> Alerting:
    """As if read from a file: channels get everything unless routes say otherwise; no daily summary."""
    channels = {name: {"daily": "", **one} for name, one in channels.items()}
    said = {"channels": channels, "routes": [{"channels": list(channels)}], "people": PEOPLE, **more}
    return config._checked(json.loads(json.dumps(said)), "test")


def one_group(url: str, **more: Any) -> Alerting:
    return alerting({"ding": {"type": "dingtalk", "robots": [ding(url)]}}, **more)


def raise_alerts(kept: Journal, number: int = 1, level: str = "重要", rule: str = "step") -> None:
    with kept.writing() as tx:
        for position in range(number):
            said = f"流程 {position} 失败", "下次自动重试"
            work.raise_alert(tx, kept, f"{rule}|{position}", level, *said, cause=f"原因 {position}")


def taken(robot: Robot, name: str = "") -> list[dict[str, Any]]:
    """The messages that arrived, those of one robot where it is named."""
    return [one for one in robot.store.all("messages") if name in one["robot"]]


def words(message: dict[str, Any]) -> str:
    """Everything that a person reads of a message."""
    if "markdown" in message:
        return str(message["markdown"].get("text") or message["markdown"]["content"])
    if "text" in message:
        return str(message["text"]["content"])
    post = message["content"]["post"]["zh_cn"]
    rows = ["".join(part.get("text", "") + part.get("href", "") for part in row) for row in post["content"]]
    return "\n".join([post["title"], *rows])
