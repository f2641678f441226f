"""What of an order is invoiced: discounts, gifts, coupons, refunds and returned lines, to the cent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.invoice_billing import spread
from duijie.derive.invoices import blue_request, check, load_rules
from duijie.derive.rounding import split_tax
from duijie.schemas import check as check_schema
from tests.derive.test_invoices import CENTS, RATES, line, order, refund

RULES = load_rules(Path("mappings/rules/invoice.yaml"))
SHOWN = msgspec.structs.replace(RULES, discounts="discount_line")
D = Decimal


def request(of: Record, rules: Any = RULES, *refunds: Record) -> Record:
    """The request, which is always whole: valid and without a fault."""
    made = blue_request(of, rules, refunds)
    check_schema("invoice_request", made)
    assert check(made, rules) == []
    return made


def amounts(made: Record) -> list[str]:
    return [str(one["gross"]) for one in made["lines"]]


def test_a_line_discount_is_a_net_price_or_a_line_of_its_own() -> None:
    of = order(line(1, D("113.00"), discount=D("11.30"), spec="x"))
    assert amounts(request(of)) == ["113.00"]
    goods, discount = request(of, SHOWN)["lines"]
    assert (goods["nature"], goods["gross"], goods["net"], goods["tax"]) == (
        "discounted",
        D("124.30"),
        D("110.00"),
        D("14.30"),
    )
    assert (discount["nature"], discount["gross"], discount["net"]) == ("discount", D("-11.30"), D("-10.00"))
    assert (discount["name"], discount["line_no"], "qty" in discount) == (goods["name"], 2, False)
    assert goods["price"] == D("110.00")


def test_an_order_discount_no_line_tells_of_is_spread_with_its_tail_on_the_last() -> None:
    lines = [line(n, D("100.00")) for n in (1, 2, 3)]
    of = order(*lines, gross=D("290.00"), seller_discount=D("10.00"))
    assert amounts(request(of)) == ["96.67", "96.67", "96.66"]
    shown = request(of, SHOWN)
    assert amounts(shown) == ["100.00", "-3.33", "100.00", "-3.33", "100.00", "-3.34"]
    assert shown["gross"] == D("290.00")


def test_a_discount_the_lines_hold_already_is_not_taken_off_twice() -> None:
    of = order(line(1, D("90.00"), discount=D("10.00")), seller_discount=D("10.00"))
    assert amounts(request(of)) == ["90.00"]


def test_a_platform_coupon_is_no_discount() -> None:
    of = order(line(1, D("113.00")), platform_discount=D("20.00"), seller_discount=D("0.00"))
    assert (request(of)["gross"], request(of, SHOWN)["gross"]) == (D("113.00"), D("113.00"))


def test_a_difference_no_discount_explains_is_left_to_be_found() -> None:
    made = blue_request(order(line(1, D("113.00")), gross=D("110.00"), seller_discount=D("2.00")), RULES)
    assert [one.code for one in check(made, RULES)] == ["E-HEADER-SUM"]


@pytest.mark.parametrize("gift", [{"discount": D("22.60")}, {"price": D("11.30")}])
def test_a_gift_is_dropped_or_shown_with_a_discount_of_all_of_it(gift: Record) -> None:
    of = order(line(1, D("113.00")), line(2, D("0.00"), qty=2, **gift))
    assert amounts(request(of)) == ["113.00"]
    shown = request(of, msgspec.structs.replace(RULES, gifts="discount_line"))
    assert amounts(shown) == ["113.00", "22.60", "-22.60"]
    assert shown["gross"] == D("113.00")


def test_goods_back_before_issue_take_their_quantity_with_them_money_alone_does_not() -> None:
    of = order(line(1, D("113.00"), qty=2), line(2, D("11.30")))
    [first, _] = request(of, RULES, refund("56.50"))["lines"]
    assert (first["qty"], first["gross"], first["price"]) == (1, D("56.50"), D("50"))
    [first, _] = request(of, RULES, refund("13.00", kind="money_only"))["lines"]
    assert (first["qty"], first["gross"]) == (2, D("100.00"))
    assert amounts(request(of, RULES, refund("113.00", qty=2))) == ["11.30"]


def test_money_back_on_a_discounted_line_is_more_discount() -> None:
    of = order(line(1, D("113.00"), discount=D("11.30")))
    assert amounts(request(of, SHOWN, refund("13.00", kind="money_only"))) == ["124.30", "-24.30"]
    of = order(line(1, D("113.00"), qty=2, discount=D("11.30")))
    assert amounts(request(of, SHOWN, refund("56.50", qty=1))) == ["62.15", "-5.65"]


@pytest.mark.parametrize("back", [refund("113.01"), refund("1.00", oid="o9", sku="B9")])
def test_a_refund_that_fits_no_line_is_refused_with_its_key(back: Record) -> None:
    with pytest.raises(InvalidDocument, match="taobao:S01:R1"):
        blue_request(order(line(1, D("113.00"))), RULES, [back])


def test_a_returned_line_lowers_the_lines_of_its_rate_its_own_sku_first() -> None:
    spreading = msgspec.structs.replace(RULES, negative_lines="spread")
    nine = D("0.09")
    lines = [line(1, D("50.00"), nine), line(2, D("20.00")), line(3, D("80.00")), line(4, D("-30.00"), sku="A2")]
    made = request(order(*lines), spreading)
    assert amounts(made) == ["50.00", "70.00"]
    with pytest.raises(InvalidDocument, match="returned line"):
        blue_request(order(line(1, D("50.00"), nine), line(2, D("-10.00"))), spreading)


def test_the_order_lines_of_an_invoice_are_named() -> None:
    made = request(order(line(1, D("113.00"), discount=D("1.00")), freight="8.00"), SHOWN)
    assert [one.get("oid") for one in made["lines"]] == ["o1", "o1", None]


def test_a_person_and_the_rest_of_a_wish_are_carried() -> None:
    wish = {"title": "张伟", "kind": "normal", "tax_no": "11010519491231002X", "phone": "13800000000"}
    assert request(order(line(1, D("1.13")), invoice_wish=wish))["buyer"] == {
        "name": "张伟",
        "tax_no": "11010519491231002X",
        "phone": "13800000000",
        "natural_person": True,
    }


def test_policy_marks_come_from_the_line_or_the_beginning_of_its_code() -> None:
    free = msgspec.structs.replace(RULES, policies={"1": "05", "10302": "03"})
    wish = {"title": "甲", "kind": "normal"}
    of = order(line(1, D("10.00"), D("0")), line(2, D("10.30"), D("0.03"), policy="08"), invoice_wish=wish)
    assert [one["policy"] for one in request(of, free)["lines"]] == ["03", "08"]


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        ("10.00", ["100", "100", "100"], ["3.33", "3.33", "3.34"]),
        ("10.00", ["59", "29", "12"], ["5.90", "2.90", "1.20"]),
        ("0.30", ["0.10"] * 9, ["0.03"] * 8 + ["0.06"]),
        ("0.09", ["0.01"] * 9 + ["0.00"], ["0.01"] * 9 + ["0.00"]),
        ("0.00", ["0.00"], ["0.00"]),
    ],
)
def test_the_tail_of_what_is_spread_goes_to_the_last_with_room(
    total: str, weights: list[str], expected: list[str]
) -> None:
    assert spread(D(total), [D(one) for one in weights]) == [D(one) for one in expected]


@given(st.lists(st.integers(0, 10_000).map(lambda fen: D(fen).scaleb(-2)), min_size=1, max_size=30), st.data())
def test_spreading_loses_no_cent_and_no_share_exceeds_its_weight(weights: list[Decimal], data: st.DataObject) -> None:
    amount = D(data.draw(st.integers(0, int(sum(weights) * 100)))).scaleb(-2)
    shares = spread(amount, weights)
    assert sum(shares) == amount
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))


@given(
    st.lists(st.tuples(CENTS, RATES, st.integers(1, 99), st.integers(0, 9_999)), min_size=1, max_size=6),
    st.integers(0, 5_000),
    st.sampled_from(["net_price", "discount_line"]),
    st.data(),
)
def test_any_order_is_invoiced_at_what_is_owed_and_without_a_fault(
    parts: list[tuple[Decimal, Decimal, int, int]], off: int, discounts: str, data: st.DataObject
) -> None:
    lines = [line(n, *part[:3], discount=D(part[3]).scaleb(-2)) for n, part in enumerate(parts, 1)]
    whole = sum(one["gross"] for one in lines)
    given_off = min(D(off).scaleb(-2), whole - D("0.01"))
    of = order(*lines, gross=whole - given_off, seller_discount=given_off)
    rules = msgspec.structs.replace(RULES, discounts=discounts)
    made = request(of, rules)
    assert (made["gross"], made["net"] + made["tax"]) == (whole - given_off, whole - given_off)
    first = sum(one["gross"] for one in made["lines"] if one.get("oid") == "o1")
    if first and made["gross"] > first:
        amount = D(data.draw(st.integers(1, int(first * 100)))).scaleb(-2)
        kind = data.draw(st.sampled_from(["goods_and_money", "money_only"]))
        assert request(of, rules, refund(amount, kind=kind))["gross"] == made["gross"] - amount


@pytest.mark.parametrize(
    ("gross", "rate", "net", "tax"),
    [
        ("113.00", "0.13", "100.00", "13.00"),
        ("200.00", "0.01", "198.02", "1.98"),
        ("100.00", "0.13", "88.50", "11.50"),
        ("3.00", "0.01", "2.97", "0.03"),
        ("2.00", "0.03", "1.94", "0.06"),
        ("0.05", "0.13", "0.04", "0.01"),
    ],
)
def test_tax_is_taken_out_of_a_gross_price_once_half_up(gross: str, rate: str, net: str, tax: str) -> None:
    assert split_tax(D(gross), D(rate)) == (D(gross), D(net), D(tax))


def test_half_a_cent_of_tax_is_a_whole_one() -> None:
    assert split_tax(D("11.06"), D("0.10")) == (D("11.06"), D("10.05"), D("1.01"))
