"""红冲 as pure rules: the line of a refund, what is left of it, buyers' forms, wrong titles, new numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive import reds
from duijie.derive.invoices import blue_request
from duijie.schemas import check
from tests.derive.test_invoices import RULES, blue_of, line, order, refund

OTHER = {"name": "上海远见贸易有限公司", "tax_no": "91310115MA1DEMA278"}


def asked(*lines: Record, **more: Any) -> Record:
    """A blue request whose lines name their order's lines."""
    made = blue_request(order(*lines), RULES)
    named = [{**one, "oid": f"o{place}"} for place, one in enumerate(made["lines"], 1)]
    return {**made, "lines": named, **more}


def red_of(request: Record, back: Record, *earlier: Record, by_buyer: tuple[Record, ...] = ()) -> Record:
    made = reds.red_request(back, None, blue_of(request), request, RULES, earlier, by_buyer)
    check("red_request", made)
    return made


def merged() -> Record:
    """Two orders of one buyer on one invoice; both have a line o1 of the SKU A1."""
    first, second = (asked(line(1, Decimal("113.00"), qty=2)) for _ in range(2))
    keys = ("taobao:S01:7", "taobao:S01:8")
    lines = [
        {**one["lines"][0], "line_no": place, "order_key": key}
        for place, (one, key) in enumerate(zip((first, second), keys, strict=True), 1)
    ]
    totals = {name: first[name] * 2 for name in ("net", "tax", "gross")}
    return {**first, "order_keys": list(keys), "lines": lines, **totals}


def discounted() -> Record:
    request = asked(line(1, Decimal("113.00"), qty=2), line(2, Decimal("22.60")))
    whole, other = request["lines"]
    less = {name: whole[name] for name in ("name", "sku", "tax_class_code", "tax_rate", "oid")}
    amounts = {"net": Decimal("-10.00"), "tax": Decimal("-1.30"), "gross": Decimal("-11.30")}
    lines = [{**whole, "nature": "discounted"}, {**less, "line_no": 2, "nature": "discount", **amounts}, other]
    return {**request, "lines": lines, **{name: request[name] + amounts[name] for name in amounts}}


def test_a_refund_finds_its_line_in_a_merged_request_by_its_order() -> None:
    request = merged()
    found = [red_of(request, refund("113.00", order_key=key, qty=2)) for key in request["order_keys"]]
    assert [one["lines"][0]["blue_line"] for one in found] == [1, 2]
    assert all(one["gross"] == Decimal("-113.00") for one in found)


def test_a_discounted_line_is_taken_back_at_what_the_discount_left() -> None:
    request = discounted()
    [row] = red_of(request, refund("101.70", qty=2))["lines"]
    assert (row["blue_line"], row["net"], row["tax"], row["qty"]) == (1, Decimal("-90.00"), Decimal("-11.70"), -2)
    assert "nature" not in row
    with pytest.raises(InvalidDocument, match="E-RED-OVER"):
        red_of(request, refund("101.71"))


def test_a_discount_does_not_move_the_lines_behind_it() -> None:
    assert red_of(discounted(), refund("22.60", 2))["lines"][0]["blue_line"] == 3


def test_parts_of_a_discounted_line_come_to_it_exactly() -> None:
    request = discounted()
    first = red_of(request, refund("33.33", qty=1))
    second = red_of(request, refund("68.37", key="taobao:S01:R2", qty=1), first)
    assert [first[name] + second[name] for name in ("net", "tax")] == [Decimal("-90.00"), Decimal("-11.70")]


def test_what_the_buyer_took_back_by_a_form_of_his_own_is_not_there_any_more() -> None:
    request = asked(line(1, Decimal("113.00"), qty=2))
    theirs = {"form_no": "26993000000000000007", "gross": Decimal("-13.00")}
    assert red_of(request, refund("100.00"), by_buyer=(theirs,))["gross"] == Decimal("-100.00")
    with pytest.raises(InvalidDocument, match="E-RED-OVER"):
        red_of(request, refund("100.01"), by_buyer=(theirs,))


def test_the_rest_after_a_part_names_lines_although_it_is_the_last() -> None:
    request = asked(line(1, Decimal("113.00"), qty=2))
    first = red_of(request, refund("56.50", qty=1))
    [row] = red_of(request, refund("56.50", key="taobao:S01:R2", qty=1), first)["lines"]
    assert (row["net"], row["qty"]) == (Decimal("-50.00"), -1)


def test_a_wrong_title_takes_all_or_nothing() -> None:
    request = asked(line(1, Decimal("113.00"), qty=2))
    red = reds.whole_red(request, blue_of(request), RULES)
    check("red_request", red)
    assert (red["reason"], red["gross"], red["lines"]) == ("wrong_invoice", Decimal("-113.00"), [])
    for taken in (red_of(request, refund("1.00")), {"form_no": "26993000000000000007", "gross": Decimal("-1.00")}):
        with pytest.raises(InvalidDocument, match="E-RED-FULL-ONLY"):
            reds.whole_red(request, blue_of(request), RULES, [taken])


def test_a_corrected_request_differs_in_buyer_and_number_only() -> None:
    request = asked(line(1, Decimal("113.00")), base_no="DJ1", part=1)
    made = reds.corrected(request, OTHER, RULES)
    check("invoice_request", made)
    changed = {name for name in made if made[name] != request.get(name)}
    assert changed == {"key", "request_no", "buyer", "corrects"}
    assert (made["corrects"], len(made["request_no"])) == (request["request_no"], 20)
    assert made == reds.corrected(request, OTHER, RULES)


def test_a_remark_that_names_the_buyer_names_the_right_one_afterwards() -> None:
    request = asked(line(1, Decimal("113.00")))
    named = {**request, "remark": f"购方 {request['buyer']['name']}, 订单号 1"}
    rules = msgspec.structs.replace(RULES, remark="购方 {title}, 订单号 {order_no}")
    assert reds.corrected(named, OTHER, rules)["remark"] == f"购方 {OTHER['name']}, 订单号 1"
    assert reds.corrected(named, OTHER, RULES)["remark"] == named["remark"], "it is a shop's name, or only words"


def test_a_void_red_is_made_once_more_under_another_number_within_what_is_left() -> None:
    request = asked(line(1, Decimal("113.00"), qty=2), line(2, Decimal("22.60")))
    red = red_of(request, refund("56.50", qty=1))
    made = reds.once_more(red, request, [])
    assert {name for name in made if made[name] != red[name]} == {"key", "request_no"}
    assert len(made["key"]) == len(red["key"])
    after = reds.once_more(made, request, [])
    assert len({red["key"], made["key"], after["key"]}) == 3
    taken = red_of(request, refund("57.00", key="taobao:S01:R2", qty=1))
    with pytest.raises(InvalidDocument, match="E-RED-OVER"):
        reds.once_more(red, request, [taken])
    pieces = red_of(request, refund("1.00", key="taobao:S01:R3", qty=2))
    with pytest.raises(InvalidDocument, match="E-RED-OVER"):
        reds.once_more(red, request, [pieces])


def test_a_red_to_be_issued_names_its_form_and_has_a_serial_of_its_own() -> None:
    request = asked(line(1, Decimal("113.00")))
    red = red_of(request, refund("113.00"))
    result = {"form_no": "26993000000000000007", "form_uuid": "a" * 32}
    made = reds.issue_of(red, result, RULES)
    check("red_issue", made)
    assert (made["form_no"], made["red_request_no"], made["gross"]) == (result["form_no"], red["key"], red["gross"])
    assert made["request_no"] != red["request_no"]
    assert len(made["request_no"]) == 20


def test_an_answer_says_why_where_it_refuses() -> None:
    form = {"key": "nuonuo:1:2", "form_no": "2", "blue_number": "26992000000000000001"}
    check("red_answer", reds.answer_of(form, agrees=True, why=""))
    assert reds.answer_of(form, agrees=False, why=" 金额不符 ")["reason"] == "金额不符"
    with pytest.raises(InvalidDocument, match="say why"):
        reds.answer_of(form, agrees=False, why=" ")


def test_a_line_that_cannot_be_told_is_a_persons() -> None:
    request = asked(line(1, Decimal("11.30"), sku="A"), line(2, Decimal("22.60"), sku="A"))
    assert reds.blue_line(refund("1.00", 2, sku="A"), None, request) == 1
    with pytest.raises(InvalidDocument, match="no line A"):
        reds.blue_line(refund("1.00", 9, sku="A"), None, request)
    with pytest.raises(InvalidDocument, match="no line"):
        reds.blue_line(refund("1.00", order_key="taobao:S01:9"), None, request)
