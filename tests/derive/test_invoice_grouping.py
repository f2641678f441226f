"""Merging and splitting: what shares an invoice, under which number, and that no cent and no line is lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.connect.invoicing import Limits
from duijie.derive.invoice_checks import tax_error
from duijie.derive.invoice_grouping import requests
from duijie.derive.invoice_rules import Merge
from duijie.derive.invoices import blue_request, check, load_rules
from duijie.schemas import check as check_schema
from tests.derive.test_invoices import COMPANY, line, order

RULES = load_rules(Path("mappings/rules/invoice.yaml"))
D = Decimal
PERSON = {"title": "张伟", "kind": "normal"}
BUILDING = {"factor": "building", "place": "杭州市西湖区", "project": "厂房", "cross_city": False}


def rules(**more: Any) -> Any:
    return msgspec.structs.replace(RULES, **more)


MERGING = rules(merge=Merge(by="buyer"))


def sold(number: int, *lines: Record, buyer: str = "B1", **more: Any) -> Record:
    head = {"key": f"taobao:S01:{number}", "order_no": str(number), "platform": "taobao", "shop": "S01"}
    day = {"ordered_at": f"2026-11-{1 + number % 28:02d}T09:00:00+08:00"}
    return order(*(lines or (line(1, D("113.00")),)), **{**head, **day, "buyer": {"key": f"taobao:{buyer}"}, **more})


def numbers(made: list[Record]) -> list[str]:
    return [one["request_no"] for one in made]


def faultless(made: list[Record], by: Any = RULES, platform: Limits | None = None) -> list[Record]:
    for one in made:
        check_schema("invoice_request", one)
        assert check(one, by, platform) == []
    return made


def test_one_order_is_one_request_with_the_number_it_always_had() -> None:
    made = requests([sold(1), sold(2)], RULES)
    assert made == [blue_request(sold(1), RULES), blue_request(sold(2), RULES)]


def test_orders_of_one_buyer_and_kind_and_month_share_a_request() -> None:
    normal = {**COMPANY, "kind": "normal"}
    december = sold(4, ordered_at="2026-12-01T00:00:00+08:00")
    made = faultless(requests([sold(2), sold(1), sold(3, invoice_wish=normal), december], MERGING), MERGING)
    assert [one.get("order_keys", [one["order_key"]]) for one in made] == [
        ["taobao:S01:1", "taobao:S01:2"],
        ["taobao:S01:3"],
        ["taobao:S01:4"],
    ]
    assert (made[0]["order_key"], made[0]["gross"], made[0]["remark"]) == ("taobao:S01:1", D("226.00"), "订单号 1、2")


def test_people_of_one_name_are_told_apart_by_who_bought() -> None:
    made = requests([sold(n, invoice_wish=PERSON, buyer=buyer) for n, buyer in ((1, "A"), (2, "B"), (3, "A"))], MERGING)
    assert [one.get("order_keys") for one in made] == [["taobao:S01:1", "taobao:S01:3"], None]


@pytest.mark.parametrize(
    ("merge", "count"),
    [
        (Merge(by="buyer", within="day"), 2),
        (Merge(by="buyer", within="ever"), 1),
        (Merge(by="buyer", across_shops=False), 2),
        (Merge(), 2),
    ],
)
def test_the_rules_say_how_far_orders_may_be_apart(merge: Merge, count: int) -> None:
    two = [sold(1), sold(2, shop="S02", platform="taobao")]
    assert len(requests(two, rules(merge=merge))) == count


def test_a_request_depends_on_its_own_orders_alone_in_any_order_of_arrival() -> None:
    mine = [sold(n) for n in range(1, 5)]
    others = [sold(n, invoice_wish=PERSON, buyer=f"B{n}") for n in range(5, 12)]
    expected = requests(mine, MERGING)
    for among in ([], others[:2], others):
        shuffled = [*among[::2], *mine[::-1], *among[1::2]]
        assert [one for one in requests(shuffled, MERGING) if one["buyer"]["name"] == COMPANY["title"]] == expected


def test_too_many_lines_are_split_under_numbers_of_one_stem() -> None:
    of = sold(1, *[line(n, D("1.13")) for n in range(1, 6)])
    made = faultless(requests([of], rules(max_lines=2)), rules(max_lines=2))
    assert [len(one["lines"]) for one in made] == [2, 2, 1]
    whole = blue_request(of, RULES)["request_no"]
    assert numbers(made) == [f"{whole[:17]}{part:03d}" for part in (1, 2, 3)]
    assert {(one["base_no"], len(one["request_no"])) for one in made} == {(whole, 20)}
    assert sum(one["gross"] for one in made) == of["gross"]


def test_a_platforms_own_limit_comes_before_the_files() -> None:
    made = requests([sold(1, *[line(n, D("1.13")) for n in range(1, 6)])], RULES, platform=Limits(lines=3))
    assert [len(one["lines"]) for one in made] == [3, 2]


def test_a_line_and_its_discount_stay_together() -> None:
    by = rules(max_lines=3, discounts="discount_line")
    made = faultless(requests([sold(1, *[line(n, D("1.13"), discount=D("0.50")) for n in (1, 2, 3)])], by), by)
    assert [len(one["lines"]) for one in made] == [2, 2, 2]


def test_an_invoice_limit_cuts_a_line_of_many_pieces_and_no_piece() -> None:
    by = rules(max_gross=D("100.00"))
    made = faultless(requests([sold(1, line(1, D("260.00"), qty=8), line(2, D("30.00")))], by), by)
    assert [[str(row["qty"]) for row in one["lines"]] for one in made] == [["3"], ["3"], ["2", "1"]]
    assert sum(one["gross"] for one in made) == D("290.00")
    [single] = requests([sold(1, line(1, D("260.00"), qty=1))], by)
    assert [one.code for one in check(single, by)] == ["E-LIMIT-GROSS"]


def test_special_business_stands_alone_line_by_line_without_what_it_must_not_have() -> None:
    by = rules(special_classes={"building": ("10302",)})
    lines = [line(1, D("109.00")), line(2, D("11.30"), tax_class_code="1010115990000000000"), line(3, D("50.00"))]
    made = requests([sold(1, *lines, invoice_wish={**COMPANY, "special": BUILDING})], by)
    assert [[row["sku"] for row in one["lines"]] for one in made] == [["A1"], ["A3"], ["A2"]]
    assert [one.get("special") for one in faultless(made, by)] == [BUILDING, BUILDING, None]
    assert not {"unit", "qty", "price"} & set(made[0]["lines"][0])


def test_a_discounted_line_of_single_line_business_has_its_net_price() -> None:
    by = rules(discounts="discount_line")
    [made] = requests(
        [sold(1, line(1, D("109.00"), discount=D("9.00")), invoice_wish=COMPANY | {"special": BUILDING})], by
    )
    assert (len(made["lines"]), made["lines"][0]["gross"], made["gross"]) == (1, D("109.00"), D("109.00"))
    faultless([made], by)


def test_lines_that_do_not_add_up_are_not_split_so_that_it_is_found() -> None:
    by = rules(max_lines=1)
    [made] = requests([sold(1, line(1, D("1.13")), line(2, D("1.13")), gross=D("2.00"))], by)
    assert [one.code for one in check(made, by)] == ["E-LIMIT-LINES", "E-HEADER-SUM"]


def test_nothing_to_invoice_is_refused_with_the_orders_keys() -> None:
    with pytest.raises(InvalidDocument, match="taobao:S01:1"):
        requests([sold(1, line(1, D("0.00")))], RULES)


def test_the_remark_of_many_orders_is_cut_to_its_limit_and_says_how_many() -> None:
    [made] = requests(
        [sold(n, ordered_at="2026-11-01T00:00:00+08:00") for n in range(1, 90)],
        rules(merge=MERGING.merge, max_remark=40),
    )
    assert len(made["remark"]) <= 40
    assert made["remark"].endswith("等 89 单")


LINES = st.lists(
    st.tuples(
        st.integers(1, 500_000).map(lambda fen: D(fen).scaleb(-2)),
        st.sampled_from(["0.13", "0.09", "0.06", "0.01"]),
        st.integers(1, 50),
    ),
    min_size=1,
    max_size=7,
)


@settings(deadline=None)
@given(
    st.lists(LINES, min_size=1, max_size=5),
    st.integers(1, 4),
    st.integers(0, 300_000),
    st.sampled_from(["none", "buyer"]),
    st.sampled_from(["net_price", "discount_line"]),
    st.integers(0, 800),
)
def test_merging_and_splitting_lose_no_cent_no_line_and_no_piece(
    baskets: list[list[Any]], most: int, limit: int, by: Any, discounts: Any, freight: int
) -> None:
    orders = [
        sold(
            number,
            *[line(n, gross, D(rate), qty, discount=D("0.37")) for n, (gross, rate, qty) in enumerate(basket, 1)],
            freight=str(D(freight).scaleb(-2)),
        )
        for number, basket in enumerate(baskets, 1)
    ]
    told = rules(
        max_lines=most + 1, max_gross=D(limit).scaleb(-2), merge=Merge(by=by, within="ever"), discounts=discounts
    )
    made = requests(orders, told)
    assert made == requests(reversed(orders), told) or by == "none"
    assert sum(one["gross"] for one in made) == sum(of["gross"] for of in orders)
    pieces: dict[tuple[str, str], Decimal] = {}
    for one in made:
        check_schema("invoice_request", one)
        assert {found.code for found in check(one, told)} <= {"E-LIMIT-GROSS"}
        assert len(one["lines"]) <= told.max_lines
        assert all(tax_error(row) <= D("0.06") for row in one["lines"])
        assert sum(map(tax_error, one["lines"])) <= D("1.27")
        for name in ("net", "tax", "gross"):
            assert sum(row[name] for row in one["lines"]) == one[name]
        for row in one["lines"]:
            if "oid" in row:
                key = row.get("order_key", one["order_key"]), row["oid"]
                pieces[key] = pieces.get(key, D(0)) + row.get("qty", 0)
    assert pieces == {(of["key"], row["oid"]): row["qty"] for of in orders for row in of["lines"]}
    assert len(set(numbers(made))) == len(made)
