"""Large requests wait for a person's yes; each content is asked for once, and the answer is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from duijie.connect.errors import ConfigError
from duijie.invoicing import approvals
from tests.invoicing.world import Platform, World, no

Make = Callable[..., World]
LARGE = "200000.00"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return World(tmp_path, Platform())


def test_a_large_request_waits_while_the_others_leave(world: World) -> None:
    world.want(1, net=LARGE)
    world.want(2)
    for _ in range(3):
        world.deliver()
    assert world.rows() == {no(1): "blocked", no(2): "done"}
    (one,) = approvals.waiting(world.journal)
    assert (one.key, str(one.amount)) == (no(1), "226000.00")
    (item,) = world.items("approval")
    assert "须经审批" in item.reason


def test_approved_it_leaves_and_the_item_is_closed(world: World) -> None:
    world.want(1, net=LARGE)
    world.deliver()
    assert approvals.approve(world.journal, [no(1)], "王会计", "合同已核对") == 1
    world.deliver()
    assert world.rows() == {no(1): "done"}
    assert world.items("approval") == []
    assert approvals.waiting(world.journal) == []


def test_refused_it_is_cancelled_with_the_reason(world: World) -> None:
    world.want(1, net=LARGE)
    world.deliver()
    with pytest.raises(ConfigError, match="say why"):
        approvals.refuse(world.journal, [no(1)], "王会计", " ")
    assert approvals.refuse(world.journal, [no(1)], "王会计", "重复下单") == 1
    world.deliver()
    assert (world.rows(), world.platform.writes) == ({no(1): "cancelled"}, 0)


def test_another_content_is_asked_for_again(world: World) -> None:
    world.want(1, net=LARGE)
    world.deliver()
    approvals.approve(world.journal, [no(1)], "王会计")
    world.want(1, net="300000.00")
    world.deliver()
    assert world.platform.writes == 0
    assert [str(one.amount) for one in approvals.waiting(world.journal)] == ["339000.00"]


def test_only_what_waits_can_be_decided_and_only_once(world: World) -> None:
    world.want(1, net=LARGE)
    world.deliver()
    approvals.approve(world.journal, [no(1)], "王会计")
    with pytest.raises(ConfigError, match="nothing waits for approval"):
        approvals.approve(world.journal, [no(1)], "李会计")
