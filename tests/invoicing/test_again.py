"""What a platform fails in its result: asked for again in the one way it knows, and a person where a person must."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from duijie.connect.errors import ConfigError, VendorBusy
from duijie.connect.protocol import Found
from duijie.invoicing import attempts, halts
from duijie.journal import documents
from duijie.journal.tables import link
from tests.invoicing.world import SINK, Platform, Retrying, World, no, numbers

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return lambda platform: World(tmp_path, platform)


def issued(world: World) -> list[str]:
    return sorted(row["no"] for row in world.platform.held.values() if row["status"] == "issued")


def test_no_credit_told_in_the_result_parks_the_sink_and_alerts_once(make: Make) -> None:
    world = make(Platform(tells="poll", credit=Decimal("100.00")))
    world.want(1, 2, 3)
    world.deliver()
    world.poll()
    world.want(4)
    world.deliver()
    assert world.platform.writes == 3, "number 4 waits"
    (one,) = world.alerts()
    assert one.count == 1
    assert issued(world) == [no(1)]
    assert world.items("invoice") == [], "nobody corrects a request for which there was no credit"


def test_after_a_release_the_failed_are_requested_anew_one_first(make: Make) -> None:
    world = make(Platform(tells="poll", credit=Decimal("0.00")))
    world.want(1, 2, 3)
    world.deliver()
    world.poll()
    halts.resume(world.journal, "p", "王会计")
    world.deliver()
    assert world.platform.writes == 4, "one goes first and its result is waited for"
    world.poll()
    assert len(halts.standing(world.journal)) == 1, "the trial failed: parked again"
    assert len(world.alerts()) == 1
    world.platform.credit = Decimal("1000.00")
    halts.resume(world.journal, "p", "王会计")
    for _ in range(4):
        world.deliver()
        world.poll()
    assert len(issued(world)) == 3, "each exactly once"
    assert {no(1), no(2), no(3)}.isdisjoint(issued(world)), "under new numbers: the old ones are used up"
    assert halts.standing(world.journal) == []
    assert attempts.last_of(world.journal, no(2)) in issued(world)


def test_a_new_number_follows_from_the_failed_one_and_keeps_its_links(make: Make) -> None:
    world = make(Platform(fate={no(1): ["buyer"]}))
    world.want(1)
    world.deliver()
    world.poll()
    attempts.want(world.journal, [no(1)], "李开票", "买家更正了抬头")
    world.deliver()
    new = attempts.successor(no(1))
    assert len(new) == 20
    assert attempts.successor(no(1)) == new != attempts.successor(new)
    made = documents.get(world.journal, "invoice_request", new)
    assert made is not None
    assert made.body["request_no"] == new
    with world.journal.reading() as tx:
        (row,) = tx.execute(select(link).where(link.c.kind == "again")).all()
    assert (row.from_key, row.to_key) == (no(1), new)


def test_a_buyer_that_is_wrong_waits_for_a_person_and_goes_out_anew_once_corrected(make: Make) -> None:
    world = make(Platform(fate={no(1): ["buyer"]}))
    world.want(1, 2)
    world.deliver()
    world.poll()
    (item,) = world.items("invoice")
    assert no(1) in item.reason
    for _ in range(3):
        world.deliver()
    assert world.platform.writes == 2
    world.want(1, buyer="乙公司")
    for _ in range(2):
        world.deliver()
        world.poll()
    assert issued(world) == sorted([no(2), attempts.successor(no(1))])
    assert world.platform.held[attempts.successor(no(1))]["buyer"] == "乙公司"
    assert world.rows()[no(1)] == "cancelled", "its second version left under the new number"
    assert world.items("invoice") == []
    assert world.items("conflict") == []


class SilentOfOne(Platform):
    """Gives no answer of the first request, whatever else is asked with it."""

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        if no(1) in keys:
            raise VendorBusy("状态不明", where=no(1))
        return super().find(keys)


def test_one_that_the_platform_gives_no_answer_of_holds_up_no_other(make: Make) -> None:
    world = make(SilentOfOne(fate={no(1): ["buyer"], no(2): ["buyer"]}))
    world.want(1, 2)
    world.deliver()
    world.poll()
    attempts.want(world.journal, [no(1), no(2)], "李开票", "买家更正了抬头")
    world.deliver()
    world.poll()
    assert issued(world) == [attempts.successor(no(2))]


def test_a_platform_that_tries_again_itself_keeps_the_number(make: Make) -> None:
    platform = Retrying(tells="poll", credit=Decimal("0.00"))
    world = make(platform)
    world.want(1, 2, 3)
    world.deliver()
    world.poll()
    platform.credit = Decimal("1000.00")
    halts.resume(world.journal, "p", "王会计")
    for _ in range(3):
        world.deliver()
        world.poll(10)
    assert issued(world) == [no(1), no(2), no(3)]
    assert (platform.writes, [one for one in platform.calls if one.startswith("resubmit")]) == (
        3,
        [f"resubmit {no(number)}" for number in numbers(1, 3)],
    )


def test_a_retry_that_leaves_the_old_failure_is_a_failure_again(make: Make) -> None:
    platform = Retrying(tells="poll", credit=Decimal("0.00"))
    world = make(platform)
    world.want(1)
    world.deliver()
    world.poll()
    halts.resume(world.journal, "p", "王会计")
    world.deliver()
    world.poll(10)
    assert [one.state for one in halts.standing(world.journal)] == ["trying"]
    world.poll(120)
    assert [one.state for one in halts.standing(world.journal)] == ["parked"]
    assert len(world.alerts()) == 1
    assert len(attempts.waiting(world.journal, SINK)) == 1


def test_what_was_issued_at_the_platform_meanwhile_is_not_requested_anew(make: Make) -> None:
    world = make(Platform(fate={no(1): ["buyer"]}))
    world.want(1)
    world.deliver()
    world.poll()
    world.platform.held[no(1)] |= {"status": "issued", "number": "26990000000000000009", "cause": "",
                                   "issued_at": "2026-11-20T10:00:00+08:00"}  # fmt: skip
    attempts.want(world.journal, [no(1)], "李开票", "再试")
    world.deliver()
    world.poll()
    assert list(world.platform.held) == [no(1)]
    assert attempts.waiting(world.journal, SINK) == []


def test_what_the_platform_is_at_work_on_again_is_waited_for_and_not_requested_anew(make: Make) -> None:
    world = make(Platform(fate={no(1): ["buyer"]}))
    world.want(1)
    world.deliver()
    world.poll()
    world.platform.held[no(1)] |= {"status": "issuing", "cause": ""}
    attempts.want(world.journal, [no(1)], "李开票", "再试")
    world.deliver()
    assert list(world.platform.held) == [no(1)]


def test_only_what_has_definitely_failed_can_be_asked_for_again(make: Make) -> None:
    world = make(Platform(fate={no(1): ["lost before"]}))
    world.want(1)
    world.deliver()
    with pytest.raises(ConfigError, match="has not definitely failed"):
        attempts.want(world.journal, [no(1)], "李开票", "等不及")


def test_a_crash_between_the_failure_and_the_new_number_makes_no_second_one(make: Make) -> None:
    world = make(Platform(fate={no(1): ["buyer"]}))
    world.want(1)
    world.deliver()
    world.poll()
    attempts.want(world.journal, [no(1)], "李开票", "再试")
    (row,) = attempts.ready(world.journal, SINK)
    current = {no(1): documents.get(world.journal, "invoice_request", no(1))}
    with world.journal.writing() as tx:
        assert attempts.renew(tx, world.journal, SINK, row, current) == attempts.successor(no(1))  # type: ignore[arg-type]
    with world.journal.writing() as tx:
        assert attempts.renew(tx, world.journal, SINK, row, current) == ""  # type: ignore[arg-type]
