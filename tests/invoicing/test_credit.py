"""授信额度: what our requests take, what comes back, and that nothing leaves that the line cannot cover."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from duijie.connect.errors import VendorBusy
from duijie.invoicing import asks, credit, halts
from duijie.journal import documents
from tests.invoicing.world import SINK, Platform, World, no, numbers

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return lambda platform: World(tmp_path, platform)


def left(world: World) -> Decimal:
    line = asks.known(world.journal, "p", "credit")
    assert line is not None
    with world.journal.reading() as tx:
        return documents.yuan((line.available or 0) - credit.taken(tx, "p", line))


def test_only_what_the_line_covers_leaves(make: Make) -> None:
    world = make(Platform(tells="poll", line=Decimal("350.00"), credit=Decimal("350.00")))
    world.want(*numbers(1, 10))
    world.deliver()
    assert world.platform.writes == 3
    assert all(row["status"] == "issued" for row in world.platform.held.values())
    (one,) = world.alerts()
    assert "需要不含税 100.00 元" in one.cause
    assert "可用 50.00 元" in one.cause


def test_the_line_is_asked_for_once_while_it_is_known(make: Make) -> None:
    world = make(Platform(line=Decimal("100000.00"), credit=Decimal("100000.00")))
    for number in numbers(1, 20):
        world.want(number)
        world.deliver()
        world.later(minutes=1)
    assert world.platform.asks == ["credit"]
    assert left(world) == Decimal("98000.00")


def test_a_line_that_could_not_be_read_again_is_as_old_as_it_was(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(Platform(line=Decimal("350.00"), credit=Decimal("350.00")))
    world.want(1, 2)
    world.deliver()
    world.later(hours=3)
    monkeypatch.setattr(world.platform, "credit_line", lambda: (_ for _ in ()).throw(VendorBusy("繁忙")))
    world.want(3, 4)
    world.deliver()
    assert world.platform.writes == 3, "what was taken since the line was read still counts"
    line = asks.known(world.journal, "p", "credit")
    assert line is not None
    assert world.moment - line.at == timedelta(hours=3)


def test_what_fails_gives_its_amount_back(make: Make) -> None:
    fate = {no(1): ["refuse"], no(2): ["buyer"]}
    world = make(Platform(line=Decimal("1000.00"), credit=Decimal("1000.00"), fate=fate))
    world.want(1, 2, 3)
    world.deliver()
    assert left(world) == Decimal("800.00"), "a request that was not taken holds nothing"
    world.poll()
    assert left(world) == Decimal("900.00"), "and one that failed gives it back"


@pytest.mark.parametrize(
    ("blue_at", "back"), [(datetime(2026, 11, 2, tzinfo=UTC), 40), (datetime(2026, 10, 2, tzinfo=UTC), 0)]
)
def test_a_red_gives_back_what_its_blue_took_in_the_same_month_only(make: Make, blue_at: datetime, back: int) -> None:
    world = make(Platform(line=Decimal("1000.00"), credit=Decimal("1000.00")))
    world.want(1)
    world.deliver()
    with world.journal.writing() as tx:
        for _ in range(2):
            credit.reversed_(tx, world.journal, "p", "HZ1", -4000, blue_at)
    assert left(world) == Decimal(900 + back)


def test_a_platform_that_tells_no_line_is_not_weighed(make: Make) -> None:
    world = make(Platform())
    world.want(*numbers(1, 5))
    world.deliver()
    assert set(world.rows().values()) == {"done"}
    assert halts.standing(world.journal) == []
    assert SINK == "p/invoice_request"
