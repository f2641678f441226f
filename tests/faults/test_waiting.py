"""What waits for a person keeps its work item until it, and not something beside it, has gone through."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from duijie.connect.protocol import Safety
from duijie.deliver import Delivering
from duijie.flow import Deliver
from duijie.journal import Journal, chosen, deliveries
from duijie.mapping import load_mapping
from tests.replay_world import World, trade
from tests.test_deliver import Target

LATER = "2026-11-11T10:00:00"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path / "home"))
    return World(tmp_path / "root", Journal.open(f"sqlite:///{tmp_path / 'journal.db'}"))


def into(world: World, target: Target, connection: str) -> None:
    """The flow's deliver step, into another sink."""
    step = world.flows["orders"].step("send")
    assert isinstance(step, Deliver)
    step = msgspec.structs.replace(step, connection=connection)
    mapping = load_mapping(world.root / "mappings" / "target" / "order.out.yaml")
    Delivering(world.kept, "orders", step, target, mapping, world.lookup).run()


def subjects(world: World) -> list[str]:
    return [one.subject for one in world.items()]


def test_a_bad_version_waits_although_a_good_one_came_before_it_in_the_same_batch(world: World) -> None:
    world.receive(trade(1), trade(1, payment="12.3.4", modified=LATER))
    world.refine()
    assert subjects(world) == ["sales_order:shop/sales_order.in 字段 let gross"]


def test_a_good_version_after_a_bad_one_settles_it(world: World) -> None:
    world.receive(trade(1, payment="12.3.4"), trade(1, modified=LATER))
    world.refine()
    assert subjects(world) == []


def test_what_one_ledger_refused_waits_although_another_took_it(world: World) -> None:
    world.receive(trade(1))
    world.refine()
    first, second = Target(Safety.NATURAL_KEY), Target(Safety.NATURAL_KEY)
    first.fate = {"1": ["refuse"]}
    into(world, first, "first")
    into(world, second, "second")
    assert subjects(world) == ["first/order:1"]
    deliveries.release(world.kept, deliveries.waiting_ids(world.kept, "first/order", ["rejected"]), "更正后")
    into(world, first, "first")
    assert subjects(world) == []


def test_what_both_refused_is_settled_for_each_alone(world: World) -> None:
    world.receive(trade(1))
    world.refine()
    targets = {name: Target(Safety.NATURAL_KEY) for name in ("first", "second")}
    for name, target in targets.items():
        target.fate = {"1": ["refuse"]}
        into(world, target, name)
    assert sorted(subjects(world)) == ["first/order:1", "second/order:1"]
    deliveries.release(world.kept, deliveries.waiting_ids(world.kept, "second/order", ["rejected"]), "更正后")
    into(world, targets["second"], "second")
    assert subjects(world) == ["first/order:1"]


def test_a_bad_version_waits_although_the_good_one_before_it_is_delivered(world: World) -> None:
    world.correct('join(":", "shop", id)', "id")  # the document's key is the message's
    world.receive(trade(1))
    world.refine()
    world.receive(trade(1, payment="12.3.4", modified=LATER))
    world.refine()
    into(world, Target(Safety.NATURAL_KEY), "first")
    assert subjects(world) == ["sales_order:shop/sales_order.in 字段 let gross"]


def test_what_is_given_up_for_one_sink_still_waits_at_another(world: World) -> None:
    world.receive(trade(1))
    world.refine()
    for name in ("first", "second"):
        target = Target(Safety.NATURAL_KEY)
        target.fate = {"1": ["refuse"]}
        into(world, target, name)
    chosen.cancel(world.kept, chosen.find(world.kept, chosen.Wanted(sink="first/order")), "李四", "不用")
    assert subjects(world) == ["second/order:1"]


def test_a_code_that_is_missing_at_two_sinks_is_missed_until_both_have_it(world: World) -> None:
    world.codes = {}
    world.receive(trade(1))
    world.refine()
    for name in ("first", "second"):
        into(world, Target(Safety.NATURAL_KEY), name)
    world.codes = {"张三": "C1"}
    for name, left in (("first", 1), ("second", 0)):
        deliveries.release(world.kept, deliveries.waiting_ids(world.kept, f"{name}/order", ["blocked"]), "已补")
        into(world, Target(Safety.NATURAL_KEY), name)
        assert len(subjects(world)) == left
