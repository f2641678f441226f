"""A platform that halts: parked with one alert, one attempt after a release, then the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from duijie.connect.errors import ConfigError
from duijie.invoicing import halts
from tests.invoicing.world import SINK, Platform, World, no, numbers

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return lambda platform: World(tmp_path, platform)


def test_an_exhausted_line_costs_one_attempt_however_many_wait(make: Make) -> None:
    world = make(Platform(credit=Decimal("0.00")))
    world.want(*numbers(1, 188))
    for _ in range(5):
        world.deliver()
        world.later(minutes=1)
    assert world.platform.writes == 1
    assert set(world.rows().values()) == {"pending"}


def test_of_a_stop_finance_is_told_once_what_is_needed_and_what_to_do(make: Make) -> None:
    world = make(Platform(credit=Decimal("5.00")))
    world.want(*numbers(1, 20))
    for _ in range(3):
        world.deliver()
    (one,) = world.alerts()
    assert (one.state, one.count) == ("pending", 1)
    assert "需要不含税 100.00 元" in one.cause
    assert "剩余 5.00" in one.cause
    assert "duijie invoice resume p" in one.body


def test_the_drawer_is_told_with_the_code_to_scan(make: Make) -> None:
    world = make(Platform(drawer="scan", qr="https://bureau.example/qr/7"))
    world.want(1, 2)
    world.deliver()
    (one,) = world.alerts("halt_login")
    assert (one.level, world.platform.writes) == ("紧急", 1)
    assert "https://bureau.example/qr/7" in one.body
    (stands,) = halts.standing(world.journal)
    assert (stands.reason, stands.qr) == ("login", "https://bureau.example/qr/7")


def test_after_a_person_resumes_one_goes_first_and_then_the_queue(make: Make) -> None:
    world = make(Platform(credit=Decimal("0.00")))
    world.want(*numbers(1, 60))
    world.deliver()
    assert halts.resume(world.journal, "p", "王会计") == [SINK]
    world.deliver()
    assert world.platform.writes == 2, "still exhausted: one more attempt, not sixty"
    world.platform.credit = Decimal("100000.00")
    halts.resume(world.journal, "p", "王会计")
    world.deliver()
    assert set(world.rows().values()) == {"done"}
    assert halts.standing(world.journal) == []
    assert [one.state for one in world.alerts()] == ["recovered"], "one alert for the whole stop, over now"
    with pytest.raises(ConfigError, match="no sink of p is parked"):
        halts.resume(world.journal, "p", "王会计")


def test_it_goes_on_by_itself_when_the_line_covers_the_oldest_request(make: Make) -> None:
    world = make(Platform(credit=Decimal("0.00"), line=Decimal("1000.00")))
    world.want(*numbers(1, 5))
    world.deliver()
    assert world.platform.writes == 0, "the platform tells its line: not even one attempt"
    world.platform.credit = Decimal("50.00")
    world.later(minutes=31)
    world.deliver()
    assert world.platform.writes == 0
    world.platform.credit = Decimal("1000.00")
    world.later(minutes=31)
    world.deliver()
    assert set(world.rows().values()) == {"done"}
    assert [one.state for one in world.alerts()] == ["recovered"]


def test_it_goes_on_by_itself_when_the_drawer_is_in_again(make: Make) -> None:
    world = make(Platform(drawer="login"))
    world.want(1, 2, 3)
    world.deliver()
    world.later(minutes=3)
    world.deliver()
    assert world.platform.writes == 1
    world.platform.drawer = "in"
    world.later(minutes=3)
    world.deliver()
    assert set(world.rows().values()) == {"done"}


def test_the_platform_is_asked_twenty_times_a_day_at_most(make: Make) -> None:
    world = make(Platform(drawer="login"))
    world.want(1)
    for _ in range(10 * 60):
        world.deliver()
        world.later(minutes=1)
    assert world.platform.asks.count("login") <= 20
    assert world.platform.writes == 1


def test_a_month_that_turns_releases_what_had_no_credit(make: Make) -> None:
    world = make(Platform(credit=Decimal("0.00")))
    world.want(1)
    world.deliver()
    world.platform.credit = Decimal("1000.00")
    world.moment = datetime(2026, 11, 30, 17, tzinfo=UTC)  # 2026-12-01 01:00 in China
    world.deliver()
    assert set(world.rows().values()) == {"done"}


def test_what_is_unknown_is_asked_for_and_settled_while_a_sink_is_parked(make: Make) -> None:
    platform = Platform(credit=Decimal("100.00"), fate={no(1): ["lost"], no(2): ["lost before"]})
    world = make(platform)
    world.want(1)
    world.deliver()
    world.want(2, 3)
    platform.credit = Decimal("0.00")
    world.deliver()
    platform.calls.clear()
    world.later(minutes=2)
    world.deliver()
    assert "find" in platform.calls
    assert platform.writes == 0
    assert world.rows()[no(1)] == "done"
    assert set(world.rows().values()) == {"done", "unknown", "pending"}


def test_two_workers_do_not_both_try_after_a_release(make: Make) -> None:
    world = make(Platform(drawer="login"))
    world.want(1, 2)
    world.deliver()
    halts.release(world.journal, SINK, "王会计", "已登录")
    assert halts.try_one(world.journal, SINK, no(1))
    assert not halts.try_one(world.journal, SINK, no(2))
    world.later(minutes=3)
    assert halts.try_one(world.journal, SINK, no(2)), "the first worker died with its trial"
