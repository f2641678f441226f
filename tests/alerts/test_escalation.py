"""What nobody claims is told louder; quiet hours, mutes and rests hold messages back, and lose none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from duijie.alerts import sending
from duijie.alerts.config import Alerting
from duijie.alerts.sending import send_waiting
from duijie.connect.errors import ConfigError
from duijie.journal import Journal, alarms, work
from duijie.journal.tables import alert
from duijie.journal.tables_alarm import alert_message, alert_send
from sandbox.robot import Robot
from tests.alerts.conftest import Clock, alerting, ding, feishu, one_group, raise_alerts, taken, words
from tests.alerts.mailbox import Mailbox, certificate

NIGHT = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 23:00 in China
MORNING = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)  # 08:00


def pair(url: str, quiet: str = "", **more: Any) -> Alerting:
    """钉钉 first, 飞书 where that fails."""
    first = {"type": "dingtalk", "robots": [ding(url)], "next": "feishu", "quiet": quiet}
    second = {"type": "feishu", "robots": [feishu(url)]}
    return alerting({"ding": first, "feishu": second}, routes=[{"channels": ["ding"]}], **more)


def run_for(kept: Journal, said: Alerting, clock: Clock, minutes: int) -> None:
    for _ in range(minutes):
        clock.forward(minutes=1)
        send_waiting(kept, said)


@pytest.fixture
def mailed(url: str, tmp_path: Path) -> Any:
    pem = certificate(tmp_path)
    with Mailbox(pem) as box:
        mail = {"type": "mail", "host": "127.0.0.1", "port": box.port, "sender": "d@example.com", "ca": str(pem)}
        ways = {
            "ding": {"type": "dingtalk", "robots": [ding(url)], "next": "feishu"},
            "feishu": {"type": "feishu", "robots": [feishu(url)]},
            "mail": {**mail, "user": "duijie", "password": "geheim"},
        }
        yield alerting(ways, routes=[{"channels": ["ding"]}]), box


def test_after_15_minutes_the_owner_is_called_and_30_later_the_second_channel_and_e_mail(
    kept: Journal, robot: Robot, mailed: Any, clock: Clock
) -> None:
    said, box = mailed
    raise_alerts(kept)
    send_waiting(kept, said)
    run_for(kept, said, clock, 14)
    assert len(taken(robot)) == 1
    run_for(kept, said, clock, 1)
    called = taken(robot, "ding")[1]
    assert called["at"]["atMobiles"] == ["13800000001"]
    assert words(called).startswith("【重要·无人认领】流程 0 失败")
    run_for(kept, said, clock, 29)
    assert (len(taken(robot)), box.letters) == (2, [])
    run_for(kept, said, clock, 1)
    [second] = taken(robot, "feishu")
    assert "【重要·升级】流程 0 失败" in words(second)
    [(to, letter)] = box.letters
    assert (to, letter["Subject"]) == (["zhang@example.com"], "【重要·升级】流程 0 失败")
    run_for(kept, said, clock, 60)
    assert len(taken(robot)) == 3, "no further"


def test_the_steps_are_rows_with_their_times(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    raise_alerts(kept)
    send_waiting(kept, pair(url))
    query = select(alert_send.c.purpose, alert_send.c.channel, alert_send.c.due_at).order_by(alert_send.c.id)
    with kept.reading() as tx:
        rows = [(purpose, way, due - clock.now) for purpose, way, due in tx.execute(query)]
    assert rows == [
        ("first", "ding", timedelta()),
        ("mention", "ding", timedelta(minutes=15)),
        ("second", "feishu", timedelta(minutes=45)),
    ]


def test_claiming_the_alert_stops_it(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    raise_alerts(kept)
    send_waiting(kept, pair(url))
    alarms.claim(kept, 1, "张三")
    run_for(kept, pair(url), clock, 60)
    assert len(taken(robot)) == 1
    with pytest.raises(ConfigError, match="held by 张三"):
        alarms.claim(kept, 1, "李四")


def test_claiming_the_work_item_stops_it(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    with kept.writing() as tx:
        number = work.open_item(tx, kept, "orders", work.Finding("config", "x", "映射有误"))
    send_waiting(kept, pair(url))
    run_for(kept, pair(url), clock, 20)
    assert len(taken(robot)) == 2
    work.claim(kept, number, "张三")
    run_for(kept, pair(url), clock, 60)
    assert len(taken(robot)) == 2


def test_recovery_stops_it_too(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    raise_alerts(kept)
    send_waiting(kept, pair(url))
    with kept.writing() as tx:
        work.recovered(tx, kept, "step|0")
    run_for(kept, pair(url), clock, 60)
    assert [words(one).split("\n")[0] for one in taken(robot)] == [
        "**【重要】流程 0 失败**",
        "**【恢复】已恢复: 流程 0 失败**",
    ]


def test_a_copy_and_a_note_do_not_escalate(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    said = one_group(url, routes=[{"channels": ["ding"], "roles": ["工程师"]}])
    raise_alerts(kept, 1, rule="token")
    raise_alerts(kept, 1, "提示", rule="step")
    send_waiting(kept, said)
    run_for(kept, said, clock, 60)
    assert len(taken(robot)) == 2


def test_many_that_nobody_claims_are_one_call(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    raise_alerts(kept, 12)
    send_waiting(kept, one_group(url))
    run_for(kept, one_group(url), clock, 16)
    _, called = taken(robot)
    assert called["at"]["atMobiles"] == ["13800000001"]
    assert "告警无人认领, 升级 12 条" in words(called)


def test_quiet_hours_hold_back_all_but_the_urgent(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    clock.now = NIGHT
    said = one_group(url, escalation={"levels": []})
    said = alerting(
        {"ding": {"type": "dingtalk", "robots": [ding(url)], "quiet": "22:00-08:00"}}, escalation={"levels": []}
    )
    raise_alerts(kept, 1, "重要")
    raise_alerts(kept, 1, "紧急", "token")
    send_waiting(kept, said)
    assert ["紧急" in words(one) for one in taken(robot)] == [True]
    with kept.writing() as tx:
        work.recovered(tx, kept, "token|0")
    send_waiting(kept, said)
    assert len(taken(robot)) == 2, "who was woken may sleep again"
    clock.now = MORNING
    send_waiting(kept, said)
    assert "【重要】流程 0 失败" in words(taken(robot)[2])


def test_a_robot_that_refuses_rests_ten_minutes_and_the_next_channel_takes_over(
    kept: Journal, robot: Robot, url: str, clock: Clock
) -> None:
    robot.seed({"dingtalk": {"ding1": "another secret"}})
    raise_alerts(kept, 2)
    send_waiting(kept, pair(url))
    assert len(taken(robot, "feishu")) == 2
    assert len(robot.store.all("refusals")) == 1, "the second did not even knock"
    with kept.reading() as tx:
        said = {row.dedupe: row.cause for row in tx.execute(select(alert))}
        failed = tx.execute(select(alert_message.c.reason).where(alert_message.c.outcome == "failed")).scalar_one()
    assert "加签密钥" in said["channel|ding-1"]
    assert "加签密钥" in failed
    robot.seed({"dingtalk": {"ding1": "SECone"}})
    clock.forward(minutes=11)
    send_waiting(kept, pair(url))
    assert "拒收消息" in words(taken(robot, "ding")[0])
    send_waiting(kept, pair(url))
    assert "已恢复" in words(taken(robot)[-1])


def test_a_blocked_robot_is_left_alone_until_its_block_ends(
    kept: Journal, robot: Robot, url: str, clock: Clock
) -> None:
    until = (clock.now + timedelta(minutes=10)).isoformat()
    robot.store.put("robots", "dingtalk/ding1", {"secret": "SECone", "blocked_until": until})
    said = one_group(url, escalation={"levels": []})
    raise_alerts(kept)
    send_waiting(kept, said)
    run_for(kept, said, clock, 9)
    assert len(robot.store.all("refusals")) == 1
    run_for(kept, said, clock, 12)
    assert len(taken(robot)) == 1


def test_one_message_that_is_refused_does_not_stop_the_others(
    kept: Journal, robot: Robot, url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = robot._dingtalk_problem
    monkeypatch.setattr(
        robot,
        "_dingtalk_problem",
        lambda one, asked, said: (400105, "bad words") if "流程 0" in str(said) else problem(one, asked, said),
    )
    said = one_group(url, escalation={"levels": []}, routes=[{"channels": ["ding"], "kinds": ["run"]}])
    raise_alerts(kept, 3)
    send_waiting(kept, said)
    run_for(kept, said, clock, 11)
    titles = {words(one).split("\n")[0] for one in taken(robot)}
    assert titles >= {"**【重要】流程 1 失败**", "**【重要】流程 2 失败**"}


def test_a_mute_holds_a_rule_back_until_it_ends(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    said = one_group(url)
    raise_alerts(kept)
    send_waiting(kept, said)
    alarms.mute(kept, "step", clock.now + timedelta(hours=2), "张三", "升级中")
    raise_alerts(kept, 2)
    raise_alerts(kept, 1, rule="steps")
    run_for(kept, said, clock, 60)
    assert sum("流程 1" in words(one) for one in taken(robot)) == 0
    assert sum("无人认领" in words(one) for one in taken(robot)) == 1, "the other rule's"
    run_for(kept, said, clock, 62)
    assert sum("流程 1" in words(one) for one in taken(robot)) == 1


def test_a_mute_that_is_lifted_lets_go(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    alarms.mute(kept, "step|0", clock.now + timedelta(hours=2), "张三", "升级中")
    raise_alerts(kept)
    send_waiting(kept, one_group(url))
    assert taken(robot) == []
    alarms.unmute(kept, alarms.mutes(kept)[0].id)
    send_waiting(kept, one_group(url))
    assert len(taken(robot)) == 1


@pytest.mark.parametrize(("hours", "reason"), [(0, "x"), (24 * 8, "x"), (1, " ")])
def test_a_mute_needs_a_reason_and_an_end(kept: Journal, clock: Clock, hours: int, reason: str) -> None:
    with pytest.raises(ConfigError):
        alarms.mute(kept, "step", clock.now + timedelta(hours=hours), "张三", reason)


def test_the_summary_goes_once_a_day_at_its_hour_to_each(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    clock.now = MORNING + timedelta(minutes=29)
    ways = {
        "ding": {"type": "dingtalk", "robots": [ding(url)], "daily": "08:30"},
        "feishu": {"type": "feishu", "robots": [feishu(url)], "daily": "08:37"},
    }
    said = alerting(
        ways, routes=[{"channels": ["ding"], "roles": ["运营"]}, {"channels": ["feishu"], "roles": ["会计"]}]
    )
    finding = work.Finding("unmapped", "sku:A9", "SKU A9 没有对照")
    with kept.writing() as tx:
        work.open_item(tx, kept, "orders", finding, [("sales_order", "1", 123456)])
    send_waiting(kept, said)
    run_for(kept, said, clock, 7)
    [summary] = [one for one in taken(robot, "ding") if "日报" in words(one)]
    assert "今日待处理 1 项, 金额 1,234.56 元" in words(summary)
    assert "运营 · 对照缺失, 漏单: 1 项, 1 张单据, 1,234.56 元" in words(summary)
    assert taken(robot, "feishu") == []
    run_for(kept, said, clock, 60)
    assert sum("日报" in words(one) for one in taken(robot, "ding")) == 1
    clock.forward(hours=23)
    run_for(kept, said, clock, 30)
    assert sum("日报" in words(one) for one in taken(robot, "ding")) == 2


def test_the_test_message_goes_by_every_robot_and_says_what_came_of_it(kept: Journal, robot: Robot, url: str) -> None:
    pool = {"type": "dingtalk", "robots": [ding(url), ding(url, "ding2", "wrong")]}
    said = alerting({"ding": pool})
    first, second = sending.test(kept, said, "ding")
    assert first == ("ding-1", "已发出")
    assert second[0] == "ding-2"
    assert "加签密钥" in second[1]
    assert len(taken(robot)) == 1
