"""Alerts leave by their own step: one by one while few, as a digest when many, and never twice."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from duijie.alerts import config, outbox
from duijie.alerts.kinds import kind_of
from duijie.alerts.sending import send_waiting
from duijie.journal import Journal, work
from duijie.journal.tables import alert
from duijie.journal.tables_alarm import alert_message, alert_send
from sandbox.robot import Robot
from sandbox.serve import free_ports
from tests.alerts.conftest import Clock, alerting, ding, journal_at, one_group, raise_alerts, taken, words


def test_a_few_are_sent_one_by_one_and_once(kept: Journal, robot: Robot, url: str) -> None:
    raise_alerts(kept, 2)
    assert send_waiting(kept, one_group(url))["alerts_sent"] == 2
    assert send_waiting(kept, one_group(url)) == {"alerts_waiting": 0}
    assert [one["markdown"]["title"] for one in taken(robot)] == ["【重要】流程 0 失败", "【重要】流程 1 失败"]


def test_a_message_says_what_holds_up_what_why_what_next_who_and_where(
    kept: Journal, robot: Robot, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUIJIE_CONSOLE_URL", "https://duijie.example.com/")
    finding = work.Finding("credential", "shop", "授权过期 (isv.session-expired)")
    with kept.writing() as tx:
        work.open_item(tx, kept, "orders", finding, [("sales_order", "1", 123456), ("sales_order", "2", 100)])
    send_waiting(kept, one_group(url))
    assert words(taken(robot)[0]).split("\n\n") == [
        "**【紧急】授权失效 · 流程 orders**",
        "影响: 2 张单据, 金额 1,235.56 元, 11-23 12:00 起",
        "原因: 授权过期 (isv.session-expired)",
        "建议: 更新该连接的密钥或重新授权, 检查后点“恢复使用” (或执行 duijie connection enable)",
        "责任人: @张三",
        "编号: A20261123-0001",
        "[查看](https://duijie.example.com/alerts/1) [认领](https://duijie.example.com/work/1)",
    ]


def test_many_are_one_digest_of_at_most_fifteen_lines_the_urgent_first(kept: Journal, robot: Robot, url: str) -> None:
    raise_alerts(kept, 40)
    raise_alerts(kept, 1, "紧急", "token")
    counts = send_waiting(kept, one_group(url))
    assert (counts["alerts_sent"], counts["messages"]) == (41, 2)
    first, digest = taken(robot)
    assert "【紧急】流程 0 失败" in words(first)
    assert "对接告警 40 条" in words(digest)
    assert "另有 29 条" in words(digest)
    assert len(words(digest).split("\n\n")) <= 15


def test_a_storm_of_urgent_ones_is_a_digest_too(kept: Journal, robot: Robot, url: str) -> None:
    raise_alerts(kept, 30, "紧急")
    send_waiting(kept, one_group(url))
    assert len(taken(robot)) == 1
    assert "其中紧急 30 条" in words(taken(robot)[0])


def test_a_drizzle_that_goes_on_becomes_digests(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    for minute in range(6):
        raise_alerts(kept, 4, rule=f"run{minute}")
        send_waiting(kept, one_group(url))
        clock.forward(minutes=1)
    assert len(taken(robot)) <= 14, "24 alerts in six minutes"


def test_the_same_again_is_silent_for_thirty_minutes_then_one_message_with_the_count(
    kept: Journal, robot: Robot, url: str, clock: Clock
) -> None:
    said = one_group(url, escalation={"levels": []})
    for _ in range(29):
        raise_alerts(kept)
        send_waiting(kept, said)
        clock.forward(minutes=1)
    assert len(taken(robot)) == 1
    clock.forward(minutes=1)
    send_waiting(kept, said)
    assert len(taken(robot)) == 2
    assert "仍未恢复" in words(taken(robot)[1])
    assert "共 29 次" in words(taken(robot)[1])
    clock.forward(hours=2)
    send_waiting(kept, said)
    assert len(taken(robot)) == 2, "it did not happen again"


def test_a_recovery_is_told_where_the_alert_was_and_only_then(kept: Journal, robot: Robot, url: str) -> None:
    said = one_group(url)
    raise_alerts(kept, 1)
    send_waiting(kept, said)
    raise_alerts(kept, 2)
    with kept.writing() as tx:
        work.recovered(tx, kept, "step|0")
        work.recovered(tx, kept, "step|1")
    send_waiting(kept, said)
    assert [one["markdown"]["title"] for one in taken(robot)] == ["【重要】流程 0 失败", "【恢复】已恢复: 流程 0 失败"]


def test_what_flaps_is_silent_too(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    said = one_group(url)
    for _ in range(10):
        raise_alerts(kept)
        send_waiting(kept, said)
        with kept.writing() as tx:
            work.recovered(tx, kept, "step|0")
        send_waiting(kept, said)
        clock.forward(minutes=2)
    assert len(taken(robot)) == 2, "one alert, one recovery"


def test_a_robot_gets_eighteen_a_minute_whoever_sends(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    said = alerting({name: {"type": "dingtalk", "robots": [ding(url)]} for name in "abcdef"})
    raise_alerts(kept, 5)
    send_waiting(kept, said)
    assert len(taken(robot)) == 18
    clock.forward(seconds=61)
    send_waiting(kept, said)
    assert len(taken(robot)) == 30
    assert robot.store.all("refusals") == []


def test_a_pool_of_robots_shares_what_one_alone_may_not(kept: Journal, robot: Robot, url: str) -> None:
    pool = {"type": "dingtalk", "robots": [ding(url), ding(url, "ding2")]}
    said = alerting(dict.fromkeys("abcdef", pool))
    raise_alerts(kept, 5)
    send_waiting(kept, said)
    assert (len(taken(robot, "ding1")), len(taken(robot, "ding2"))) == (18, 12)


def _two_at_once(kept: Journal, other: Journal, url: str) -> None:
    said = alerting({name: {"type": "dingtalk", "robots": [ding(url)]} for name in "ab"})
    threads = [threading.Thread(target=send_waiting, args=(one, said)) for one in (kept, other)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)


def _sent_once(kept: Journal, robot: Robot) -> None:
    with kept.reading() as tx:
        assert set(tx.execute(select(alert_send.c.purpose, alert_send.c.state)).all()) == {
            ("first", "sent"),
            ("mention", "waiting"),
        }
        assert len(tx.execute(select(alert_send.c.id).where(alert_send.c.purpose == "first")).all()) == 10
    said = [words(one) for one in taken(robot)]
    assert sorted(said) == sorted(2 * list(dict.fromkeys(said))), "each once on each of two channels"


def test_two_senders_at_once_send_nothing_twice(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    raise_alerts(kept, 5)
    _two_at_once(kept, journal_at(str(kept.engine.url), clock), url)
    _sent_once(kept, robot)


@pytest.mark.postgres
@pytest.mark.slow
def test_two_senders_at_once_on_postgresql(
    kept: Journal, postgres_database: str, robot: Robot, url: str, clock: Clock
) -> None:
    one, other = journal_at(postgres_database, clock), journal_at(postgres_database, clock)
    raise_alerts(one, 5)
    _two_at_once(one, other, url)
    _sent_once(one, robot)
    for journal in (one, other):
        journal.engine.dispose()


def test_a_crash_between_send_and_mark_repeats_that_one_message_and_loses_none(
    kept: Journal, robot: Robot, url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_alerts(kept, 3)
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "sent", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            send_waiting(kept, one_group(url))
    send_waiting(kept, one_group(url))
    assert len(taken(robot)) == 1, "its lease holds"
    clock.forward(minutes=6)
    send_waiting(kept, one_group(url))
    titles = [one["markdown"]["title"] for one in taken(robot)]
    assert sorted(titles) == [
        "【重要】流程 0 失败",
        "【重要】流程 0 失败",
        "【重要】流程 1 失败",
        "【重要】流程 2 失败",
    ]


def test_what_recovers_while_its_message_leaves_is_told_to_be_over(
    kept: Journal, robot: Robot, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_alerts(kept)
    marked = outbox.sent

    def recovering(*given: object) -> None:
        with kept.writing() as tx:
            work.recovered(tx, kept, "step|0")
        monkeypatch.setattr(outbox, "sent", marked)
        marked(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox, "sent", recovering)
    send_waiting(kept, one_group(url))
    send_waiting(kept, one_group(url))
    assert ["恢复" in words(one) for one in taken(robot)] == [False, True]


def test_a_channel_that_does_not_answer_loses_nothing(kept: Journal, robot: Robot, url: str, clock: Clock) -> None:
    raise_alerts(kept)
    nowhere = one_group(f"http://127.0.0.1:{free_ports(1)[0]}")
    assert send_waiting(kept, nowhere)["alerts_waiting"] == 1
    with kept.reading() as tx:
        assert "请求未发出" in tx.execute(select(alert_message.c.reason)).scalar_one()
    clock.forward(minutes=2)
    assert send_waiting(kept, one_group(url))["alerts_waiting"] == 0
    assert len(taken(robot)) == 1


def test_without_a_channel_they_wait_where_the_console_shows_them(kept: Journal) -> None:
    raise_alerts(kept, 3)
    assert send_waiting(kept) == {"alerts_waiting": 3}


def test_a_list_of_apprise_urls_still_works(
    kept: Journal, robot: Robot, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUIJIE_ALERT_URLS", f"{url.replace('http', 'json')}/notify")
    raise_alerts(kept)
    assert send_waiting(kept)["alerts_sent"] == 1
    [one] = taken(robot, "notify")
    assert (one["title"], "原因 0" in one["message"]) == ("【重要】流程 0 失败", True)


def test_alerts_of_an_earlier_version_are_sent_or_recover_as_they_should(kept: Journal, robot: Robot, url: str) -> None:
    raise_alerts(kept, 2)
    with kept.writing() as tx:
        old = update(alert).where(alert.c.dedupe == "step|0")
        tx.execute(old.values(state="sent", rounds=1, sent_at=kept.now()))
        work.recovered(tx, kept, "step|0")
    send_waiting(kept, one_group(url))
    assert sorted(one["markdown"]["title"] for one in taken(robot)) == [
        "【恢复】已恢复: 流程 0 失败",
        "【重要】流程 1 失败",
    ]


def test_who_gets_what_is_the_role_s(kept: Journal, robot: Robot, url: str) -> None:
    channels = {
        "ops": {"type": "dingtalk", "robots": [ding(url)]},
        "books": {"type": "dingtalk", "robots": [ding(url, "ding2")]},
        "shop": {"type": "wecom", "robots": [{"url": f"{url}/cgi-bin/webhook/send?key=key1"}]},
    }
    routes = [
        {"channels": ["ops"], "roles": ["运维", "工程师"]},
        {"channels": ["books"], "roles": ["会计"]},
        {"channels": ["shop"], "roles": ["运营"], "levels": ["紧急"]},
    ]
    said = alerting(channels, routes=routes)
    raise_alerts(kept, 1, rule="reconcile")
    with kept.writing() as tx:
        work.open_item(tx, kept, "books", work.Finding("rejected", "v1", "科目 1122 需要客户辅助核算"))
    send_waiting(kept, said)
    seen = [(one["robot"], words(one).split("\n")[0]) for one in taken(robot)]
    assert seen == [
        ("dingtalk/ding1", "**【重要·抄送】对方拒绝 · 流程 books**"),
        ("dingtalk/ding2", "**【重要】流程 0 失败**"),
        ("dingtalk/ding2", "**【重要】对方拒绝 · 流程 books**"),
    ]


def test_what_no_route_wants_goes_where_the_first_goes(kept: Journal, robot: Robot, url: str) -> None:
    said = one_group(url, routes=[{"channels": ["ding"], "kinds": ["stock"]}])
    raise_alerts(kept)
    send_waiting(kept, said)
    assert len(taken(robot)) == 1


@pytest.mark.parametrize(
    ("dedupe", "first"),
    [
        ("work|unmapped|sku:A9@shop", "运营"),
        ("work|credential|shop", "运维"),
        ("work|invoice|i:1", "开票员"),
        ("work|rejected|v:1", "会计"),
        ("watch|expiry|shop|7", "运维"),
        ("watch|cursor|shop/trade|", "运维"),
        ("watch|unmapped|shop/trade|", "运营"),
        ("reconcile|orders", "会计"),
        ("month_end|2026-11", "会计"),
        ("stock|S01", "运营"),
        ("of nobody's", "运维"),
    ],
)
def test_an_alert_belongs_to_the_role_that_can_end_it(dedupe: str, first: str) -> None:
    assert kind_of(dedupe).act[0] == first


def test_every_role_is_told_of_something() -> None:
    assert set(config.ROLES) == {role for kind in config.KINDS.values() for role in kind.roles}
