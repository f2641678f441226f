"""The three robots are spoken to as their vendors say, and HTTP 200 is not taken for a yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from duijie.alerts import robots
from duijie.alerts.config import Dingtalk, Feishu, Group, Person, Robot, Wecom
from duijie.alerts.message import Message
from duijie.connect.errors import AnswerLost, CredentialError, DuijieError, NotSent, RateLimited, VendorRejected
from sandbox.robot import Robot as Sandbox
from sandbox.serve import free_ports
from tests.alerts.conftest import NOON, Clock, ding, feishu, taken, words

MESSAGE = Message(
    "【重要】库存同步失败", ["影响: 38 个 SKU", "建议: 店主重新授权"], [("查看", "https://c.example.com/alerts/1")]
)
OWNER = Person(name="张三", roles=("运维",), mobile="13800000001", feishu="ou_1")
CALLED = Message(MESSAGE.title, MESSAGE.lines, MESSAGE.links, [OWNER])


def groups(url: str) -> list[Group]:
    return [
        Dingtalk(robots=(Robot(**ding(url)),)),
        Feishu(robots=(Robot(**feishu(url)),)),
        Wecom(robots=(Robot(url=f"{url}/cgi-bin/webhook/send?key=key1"),)),
    ]


def test_the_signatures_are_the_vendors() -> None:
    at = datetime.fromtimestamp(1_700_000_000, UTC)
    expected = "yBKp5IlG6qCzcQWmgyRK%2FziJBdVNJmHfFE2ST%2FCzT%2Fg%3D"
    assert robots.sign_dingtalk("SECtest0123456789", at) == ("1700000000000", expected)
    expected = "x/Zu40sfBTIz1QUNQHKO5U23lgSzndtkCSSxk0gTol4="
    assert robots.sign_feishu("feishutestsecret", at) == ("1700000000", expected)


@pytest.mark.parametrize("number", range(3))
def test_each_takes_a_message_with_its_links(robot: Sandbox, url: str, number: int) -> None:
    group = groups(url)[number]
    robots.post(group, group.robots[0], MESSAGE, NOON)
    [one] = taken(robot)
    for said in ("库存同步失败", "38 个 SKU", "https://c.example.com/alerts/1"):
        assert said in words(one)


def test_an_owner_is_called_in_the_vendor_s_own_field_and_the_number_is_in_no_text(robot: Sandbox, url: str) -> None:
    for group in groups(url):
        robots.post(group, group.robots[0], CALLED, NOON)
    dingtalk, feishu, wecom = taken(robot)
    assert dingtalk["at"] == {"atMobiles": [OWNER.mobile], "isAtAll": False}
    assert wecom["text"]["mentioned_mobile_list"] == [OWNER.mobile]
    assert feishu["content"]["post"]["zh_cn"]["content"][-1] == [{"tag": "at", "user_id": "ou_1"}]
    assert not any(OWNER.mobile in words(one) for one in taken(robot))


@pytest.mark.parametrize(("vendor", "secret", "said"), [(Dingtalk, "wrong", "加签密钥"), (Feishu, "wrong", "签名不符")])
def test_a_wrong_secret_is_a_failure_although_the_answer_is_200(
    robot: Sandbox, url: str, vendor: type[Group], secret: str, said: str
) -> None:
    address = ding(url)["url"] if vendor is Dingtalk else feishu(url)["url"]
    group = vendor(robots=(Robot(url=address, secret=secret),))
    with pytest.raises(CredentialError, match="robot refuses") as caught:
        robots.post(group, group.robots[0], MESSAGE, NOON)
    assert said in caught.value.zh
    assert taken(robot) == []


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("off", [timedelta(minutes=61), timedelta(minutes=-61)])
def test_a_clock_that_is_an_hour_off_is_refused_and_one_that_is_less_is_not(
    robot: Sandbox, url: str, number: int, off: timedelta
) -> None:
    group = groups(url)[number]
    with pytest.raises(CredentialError):
        robots.post(group, group.robots[0], MESSAGE, NOON + off)
    robots.post(group, group.robots[0], MESSAGE, NOON + off * 59 / 61)
    assert len(taken(robot)) == 1


@pytest.mark.parametrize("number", range(3))
def test_the_twenty_first_of_a_minute_blocks_the_robot_for_ten(
    robot: Sandbox, url: str, number: int, clock: Clock
) -> None:
    group = groups(url)[number]
    for _ in range(20):
        robots.post(group, group.robots[0], MESSAGE, clock())
    with pytest.raises(RateLimited):
        robots.post(group, group.robots[0], MESSAGE, clock())
    clock.forward(minutes=9)
    with pytest.raises(RateLimited):
        robots.post(group, group.robots[0], MESSAGE, clock())
    clock.forward(minutes=2)
    robots.post(group, group.robots[0], MESSAGE, clock())


def test_an_unknown_robot_is_told_without_its_token(url: str) -> None:
    group = Wecom(robots=(Robot(url=f"{url}/cgi-bin/webhook/send?key=no-such-key"),))
    with pytest.raises(CredentialError) as caught:
        robots.post(group, group.robots[0], MESSAGE, NOON)
    assert "no-such-key" not in str(caught.value) + caught.value.zh


def test_a_message_that_is_too_long_is_cut_to_the_vendor_s_bytes_and_keeps_its_links(robot: Sandbox, url: str) -> None:
    long = Message("【重要】" + "长" * 300, ["汉" * 300] * 60, MESSAGE.links, [])
    called = Message(long.title, long.lines, long.links, [OWNER])
    for group in groups(url):
        robots.post(group, group.robots[0], long, NOON)
        robots.post(group, group.robots[0], called, NOON)
    assert len(taken(robot)) == 6
    assert all("alerts/1" in words(one) for one in taken(robot) if "text" not in one)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 502}, AnswerLost),
        ({"kind": "status", "status": 429}, RateLimited),
        ({"kind": "status", "status": 404}, VendorRejected),
        ({"kind": "lose_answer"}, AnswerLost),
    ],
)
def test_what_the_network_does_has_its_name(
    robot: Sandbox, url: str, fault: dict[str, object], error: type[DuijieError]
) -> None:
    import requests  # noqa: PLC0415

    requests.post(f"{url}/_admin/faults", json=[{**fault, "count": 1}], timeout=5).raise_for_status()
    group = groups(url)[0]
    with pytest.raises(error):
        robots.post(group, group.robots[0], MESSAGE, NOON)


def test_nobody_at_home_is_not_sent() -> None:
    group = groups(f"http://127.0.0.1:{free_ports(1)[0]}")[0]
    with pytest.raises(NotSent):
        robots.post(group, group.robots[0], MESSAGE, NOON)
