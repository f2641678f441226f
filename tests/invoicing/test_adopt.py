"""What is found under our number is ours only where figures and marks are the same; bytes and numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from duijie.connect.protocol import Found
from duijie.journal.deliveries import Delivery
from duijie.journal.documents import Document
from duijie.parcels import Parcel, conflict, unlike
from tests.invoicing.world import Platform, World, no

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return lambda platform: World(tmp_path, platform)


def parcel(**marks: str) -> Parcel:
    body = Document(1, "invoice_request", "DJ1", 1, {})
    return Parcel(Delivery(1, 1, "unknown", 1, "", False, body), {}, "DJ1", {"gross": Decimal("113.00")}, marks)


def there(**marks: str) -> Found:
    return Found("7", "26990000000000000001", {"gross": Decimal("113.00")}, {}, marks)


def test_only_marks_that_both_sides_bring_are_compared() -> None:
    assert unlike(parcel(购方="甲", 明细="面条 100.00+13.00"), there(购方="甲", 备注="x")) == []
    assert unlike(parcel(购方="甲"), there(购方="乙")) == [("购方", "甲", "乙")]
    assert unlike(parcel(购方税号=""), there(购方税号="91")) == [("购方税号", "无", "91")]


def test_a_conflict_names_everything_that_differs() -> None:
    said = conflict(parcel(购方="甲"), Found("7", "N7", {"gross": Decimal("112.00")}, {}, {"购方": "乙"}))
    assert "N7" in said
    assert "gross 我方 113.00, 对方 112.00" in said
    assert "购方 我方 甲, 对方 乙" in said


def test_a_lost_answer_is_adopted_when_it_is_ours(make: Make) -> None:
    world = make(Platform(fate={no(1): ["lost"]}))
    world.want(1)
    world.deliver()
    assert (world.rows(), world.platform.writes) == ({no(1): "done"}, 1)


def test_the_same_total_for_another_buyer_is_a_conflict_for_a_person(make: Make) -> None:
    world = make(Platform(fate={no(1): ["lost"]}))
    row = {"no": no(1), "buyer": "别人公司", "net": Decimal("100.00"), "tax": Decimal("13.00")}
    world.platform.held[no(1)] = {**row, "status": "issued", "number": "26990000000000000001", "cause": "",
                                  "issued_at": "2026-11-20T10:00:00+08:00"}  # fmt: skip
    world.want(1)
    world.deliver()
    (item,) = world.items("conflict")
    assert "购方 我方 甲公司, 对方 别人公司" in item.reason
    assert world.rows() == {no(1): "rejected"}


def test_other_bytes_leave_under_a_number_only_when_not_found_has_lasted_the_grace_time(make: Make) -> None:
    world = make(Platform(fate={no(1): ["late"]}))
    world.want(1)
    world.deliver()
    assert (world.rows(), world.platform.writes) == ({no(1): "unknown"}, 1)
    path = world.root / "mappings" / "p" / "invoice_request.out.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("buyer: buyer.name", 'buyer: buyer.name + "(更名)"'))
    for _ in range(4):
        world.later(minutes=2)
        world.deliver()
    assert world.platform.writes == 1, "8 minutes: it may still come to light"
    world.later(minutes=3)
    world.deliver()
    assert (world.rows(), world.platform.writes) == ({no(1): "done"}, 2)


def test_identical_bytes_are_repeated_under_the_same_number_at_once(make: Make) -> None:
    world = make(Platform(fate={no(1): ["lost before"]}))
    world.want(1)
    world.deliver()
    assert world.platform.calls == [f"write {no(1)}", "find", f"write {no(1)}"]


def test_another_number_never_leaves_while_the_first_is_unknown(make: Make) -> None:
    world = make(Platform(fate={no(1): ["late"]}))
    world.want(1)
    world.deliver()
    path = world.root / "mappings" / "p" / "invoice_request.out.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("no: request_no", 'no: request_no + "X"'))
    for _ in range(8):
        world.later(minutes=2)
        world.deliver()
    assert world.platform.writes == 1
    (item,) = world.items("conflict")
    assert no(1) in item.reason


def test_an_unknown_that_a_newer_version_overtakes_is_looked_up_for_the_grace_time(make: Make) -> None:
    world = make(Platform(fate={no(1): ["late"]}))
    world.want(1)
    world.deliver()
    world.want(1, buyer="乙公司")
    world.later(minutes=2)
    world.deliver()
    assert world.platform.writes == 1
    world.later(minutes=11)
    world.deliver()
    assert world.platform.held[no(1)]["buyer"] == "乙公司"
