"""告警: open alerts with owner, impact and what comes next; channels and their failures; claim, mute, test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from duijie.alerts.sending import send_waiting
from duijie.journal import Journal, alarms, work
from sandbox.robot import Robot
from sandbox.serve import Running
from sandbox.store import Store
from tests.console.conftest import HOSTILE, PASSWORD, form_token, log_in


@pytest.fixture
def robot(kept: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Robot]:
    made = Robot(Store())
    made.seed({"dingtalk": {"good": "SECgood", "bad": "another"}})
    with Running(made) as url:
        robots = [{"url": f"{url}/robot/send?access_token={name}", "secret": "SECgood"} for name in ("bad", "good")]
        way = {"type": "dingtalk", "robots": robots, "quiet": "03:00-03:01", "daily": ""}
        person = {"name": "张三", "roles": ["运维", "运营"], "mobile": "13800000001"}
        said = {"channels": {"ops": way}, "routes": [{"channels": ["ops"]}], "people": [person]}
        path = tmp_path / "alerts.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(said))
        monkeypatch.setenv("DUIJIE_ALERT_FILE", str(path))
        yield made


def raised(kept: Journal) -> None:
    with kept.writing() as tx:
        work.raise_alert(tx, kept, "step|orders|pull", "紧急", "流程 订单 的步骤 pull 失败", "稍后重试", cause=HOSTILE)


def post(client: TestClient, path: str, page: str = "/alerts", **form: str) -> str:
    token = form_token(client.get(page).text)
    return client.post(path, data={"csrf": token, **form}).text


def test_the_list_says_what_why_how_much_and_who(ops: TestClient, kept: Journal, robot: Robot) -> None:
    raised(kept)
    text = ops.get("/alerts").text
    assert "流程 订单 的步骤 pull 失败" in text
    assert HOSTILE not in text
    assert "360.01" in text, "the money that the work item of the small day holds"
    assert "张三" in text
    assert "13800000001" not in text
    assert "SECgood" not in text


def test_a_failure_is_shown_with_its_reason_and_the_alert_with_its_steps(
    ops: TestClient, kept: Journal, robot: Robot
) -> None:
    raised(kept)
    send_waiting(kept)
    text = ops.get("/alerts").text
    assert "加签密钥" in text
    assert "暂停至" in text
    steps = ops.get("/alerts/2").text
    assert "首次" in steps
    assert "呼叫责任人" in steps
    assert "等待" in steps


def test_claiming_is_said_and_stops_the_escalation(ops: TestClient, kept: Journal, robot: Robot) -> None:
    raised(kept)
    send_waiting(kept)
    assert "已认领, 不再升级" in post(ops, "/alerts/2/claim")
    text = ops.get("/alerts/2").text
    assert "已取消" in text
    assert "ops 某人 · 已认领" in text
    post(ops, "/alerts/1/claim")
    assert "ops 某人" in ops.get("/work/1").text, "an alert of a work item claims the item"


def test_a_mute_has_a_reason_and_an_end_and_can_be_lifted(ops: TestClient, kept: Journal, robot: Robot) -> None:
    raised(kept)
    assert "请写明" in post(ops, "/alerts/2/mute", hours="4", scope="rule", reason=" ")
    assert "已静音" in post(ops, "/alerts/2/mute", hours="4", scope="rule", reason="系统升级")
    assert [one.scope for one in alarms.mutes(kept)] == ["step"]
    assert "系统升级" in ops.get("/alerts").text
    assert "已解除静音" in post(ops, "/alerts/mutes/1/end")


def test_only_ops_may_send_a_test_and_who_only_reads_may_do_nothing(
    anybody: TestClient, kept: Journal, robot: Robot
) -> None:
    raised(kept)
    log_in(anybody, "eng")
    assert "发送测试" not in anybody.get("/alerts").text
    assert "只有运维" in post(anybody, "/alerts/test", channel="ops")
    log_in(anybody, "look")
    assert "认领" not in anybody.get("/alerts/2").text.split("通知与升级")[0].split("责任人")[1]
    assert "只能查看" in post(anybody, "/alerts/2/claim")


def test_the_test_says_what_came_of_each_robot(ops: TestClient, robot: Robot) -> None:
    text = post(ops, "/alerts/test", channel="ops")
    assert "ops-1: 钉钉安全设置不符" in text
    assert "ops-2: 已发出" in text
    assert len(robot.store.all("messages")) == 1


def test_a_wrong_alert_file_is_told_on_the_page_and_hides_nothing(
    ops: TestClient, kept: Journal, robot: Robot, tmp_path: Path
) -> None:
    raised(kept)
    (tmp_path / "alerts.json").chmod(0o644)
    text = ops.get("/alerts").text
    assert "chmod 600" in text
    assert "流程 订单 的步骤 pull 失败" in text


@pytest.mark.browser
@pytest.mark.slow
def test_an_alert_is_claimed_in_the_browser(page: Page, url: str, kept: Journal, robot: Robot, pictures: Path) -> None:
    raised(kept)
    send_waiting(kept)
    alarms.mute(kept, "login", kept.now().replace(microsecond=0) + alarms.LONGEST_MUTE / 2, "张三", "压测")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{url}/alerts/2")
    page.get_by_label("用户名").fill("ops")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.screenshot(path=pictures / "alert.png", full_page=True)
    page.get_by_role("button", name="认领").click()
    expect(page.get_by_role("status")).to_contain_text("不再升级")
    page.get_by_role("link", name="告警", exact=True).click()
    expect(page.get_by_role("button", name="发送测试")).to_be_visible()
    page.screenshot(path=pictures / "alerts.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=pictures / "alerts_phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert problems == []
