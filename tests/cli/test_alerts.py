"""`duijie alerts` and `duijie work`: what people on a shell see and do about alerts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duijie.alerts.sending import send_waiting
from duijie.cli.main import app
from duijie.journal import Journal, work
from sandbox.robot import Robot
from sandbox.serve import Running
from sandbox.store import Store

runner = CliRunner()


@pytest.fixture
def robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Robot]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    monkeypatch.delenv("DUIJIE_ALERT_URLS", raising=False)
    path = tmp_path / "alerts.json"
    monkeypatch.setenv("DUIJIE_ALERT_FILE", str(path))
    made = Robot(Store())
    made.seed({"dingtalk": {"good": "SECgood"}})
    with Running(made) as url:
        way = {"type": "dingtalk", "robots": [{"url": f"{url}/robot/send?access_token=good", "secret": "SECgood"}]}
        person = {"name": "张三", "roles": ["运维"], "mobile": "13800000001"}
        said = {"channels": {"ops": {**way, "daily": ""}}, "routes": [{"channels": ["ops"]}], "people": [person]}
        path.touch(mode=0o600)
        path.write_text(json.dumps(said))
        yield made


def asked(*words: str) -> list[dict[str, object]]:
    return list(json.loads(runner.invoke(app, [*words, "--json"]).output))


@pytest.fixture
def item(robot: Robot) -> int:
    kept = Journal.open()
    finding = work.Finding("credential", "shop", "授权过期")
    with kept.writing() as tx:
        return work.open_item(tx, kept, "orders", finding, [("sales_order", "1", 123456)])


def test_a_test_message_arrives_and_says_so(robot: Robot) -> None:
    assert asked("alerts", "test", "ops") == [{"机器人": "ops-1", "结果": "已发出"}]
    assert len(robot.store.all("messages")) == 1
    refused = runner.invoke(app, ["alerts", "test", "nowhere"])
    assert (refused.exit_code, "没有告警渠道 nowhere, 可选: ops" in refused.stderr) == (1, True)


def test_a_test_that_fails_ends_with_one(robot: Robot) -> None:
    robot.seed({"dingtalk": {"good": "another"}})
    done = runner.invoke(app, ["alerts", "test"])
    assert done.exit_code == 1
    assert "加签密钥" in done.output.replace("\n", "")


def test_the_list_of_channels_shows_no_secret(robot: Robot) -> None:
    [row] = asked("alerts", "list")
    assert (row["渠道"], row["类型"], row["状态"]) == ("ops", "钉钉", "正常")
    assert "SECgood" not in json.dumps(row)
    assert "access_token" not in json.dumps(row)


def test_open_alerts_and_work_items_say_who_how_much_how_long_and_what_next(robot: Robot, item: int) -> None:
    send_waiting(Journal.open())
    [row] = asked("alerts", "open")
    assert (row["单据"], row["金额"], row["责任人"]) == (1, "1,234.56", "张三")
    assert str(row["下一步"]).startswith("呼叫责任人")
    [row] = asked("work", "list")
    assert (row["责任"], row["金额"], row["已等"]) == ("运维 张三", "1,234.56", "不到 1 分钟")


def test_claiming_the_work_item_stops_the_escalation(robot: Robot, item: int) -> None:
    send_waiting(Journal.open())
    assert runner.invoke(app, ["work", "claim", str(item), "--who", "张三"]).exit_code == 0
    [row] = asked("alerts", "open")
    assert (row["责任人"], row["下一步"]) == ("张三 (已认领)", "")
    again = runner.invoke(app, ["alerts", "claim", "1", "--who", "李四"])
    assert "已由 张三 认领" in again.stderr.replace("\n", "")


def test_a_mute_is_made_listed_and_lifted(robot: Robot, item: int) -> None:
    assert runner.invoke(app, ["alerts", "mute", "work|credential", "--hours", "2", "--reason", "升级"]).exit_code == 0
    [row] = asked("alerts", "mutes")
    assert (row["对象"], row["原因"]) == ("work|credential", "升级")
    assert send_waiting(Journal.open())["alerts_waiting"] == 1
    assert runner.invoke(app, ["alerts", "unmute", "1"]).exit_code == 0
    assert send_waiting(Journal.open())["alerts_waiting"] == 0
