"""开票: one order is one request to the cent; a refund reverses its line or the whole; faults are told all at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive.invoice_rules import is_tax_number, makes_amount
from duijie.derive.invoices import blue_request, load_rules, number_of
from duijie.derive.invoices import check as check_request
from duijie.derive.reds import red_request
from duijie.derive.rounding import split_tax
from duijie.schemas import check

RULES = load_rules(Path("mappings/rules/invoice.yaml"))
COMPANY = {"title": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E", "kind": "special"}
TAX_CLASS = "1030299990000000000"
CENTS = st.integers(1, 2_000_000).map(lambda fen: Decimal(fen).scaleb(-2))
RATES = st.sampled_from([Decimal("0.13"), Decimal("0.09"), Decimal("0.06")])


def line(place: int, gross: Decimal, rate: Decimal = Decimal("0.13"), qty: Any = 1, **more: Any) -> Record:
    head = {"line_no": place, "oid": f"o{place}", "sku": f"A{place}", "name": f"商品 {place}", "unit": "件"}
    made = {**head, "tax_class_code": TAX_CLASS, "qty": qty, "tax_rate": rate, **split_tax(gross, rate)._asdict()}
    return {**made, **more}


def order(*lines: Record, freight: str = "0.00", **more: Any) -> Record:
    gross = sum((one["gross"] for one in lines), Decimal(freight))
    head = {"key": "taobao:S01:7", "order_no": "7", "ordered_at": "2026-11-11T09:00:00+08:00"}
    amounts = {"freight": Decimal(freight), "gross": gross}
    return {**head, **amounts, "invoice_wish": COMPANY, "lines": list(lines), **more}


def refund(amount: str | Decimal, place: int = 1, **more: Any) -> Record:
    head = {"key": "taobao:S01:R1", "order_key": "taobao:S01:7", "kind": "goods_and_money", "qty": 1}
    return {**head, "oid": f"o{place}", "sku": f"A{place}", "amount": Decimal(amount), **more}


def blue_of(request: Record) -> Record:
    issued = {"number": "26992000000000000001", "issued_at": "2026-11-11T12:00:00+08:00", "status": "issued"}
    return {**issued, "request_no": request["request_no"]}


def red_of(back: Record, of: Record, *earlier: Record) -> Record:
    request = blue_request(of, RULES)
    made = red_request(back, of, blue_of(request), request, RULES, earlier)
    check("red_request", made)
    return made


def codes(request: Record, **rules: Any) -> list[str]:
    return [found.code for found in check_request(request, msgspec.structs.replace(RULES, **rules))]


def test_a_request_carries_the_orders_own_amounts() -> None:
    made = blue_request(order(line(1, Decimal("113.00"), qty=3)), RULES)
    check("invoice_request", made)
    assert (made["net"], made["tax"], made["gross"]) == (Decimal("100.00"), Decimal("13.00"), Decimal("113.00"))
    assert made["lines"][0]["price"] == Decimal("33.33333333")
    assert made["buyer"] == {"name": COMPANY["title"], "tax_no": COMPANY["tax_no"]}
    assert (made["kind"], made["remark"], made["seller_tax_no"]) == ("special", "订单号 7", "339902999999789113")
    assert check_request(made, RULES) == []


def test_a_number_depends_on_the_source_alone_and_fits_every_platform() -> None:
    first, again = (blue_request(order(line(1, Decimal(amount))), RULES)["request_no"] for amount in ("1.13", "2.26"))
    assert first == again
    assert first.startswith("DJ")
    assert len(first) == 20
    assert first.isascii()
    assert first.isalnum()
    numbers = {number_of("DJ", f"taobao:S01:{number}", 20) for number in range(2000)}
    assert len(numbers) == 2000
    assert len(red_of(refund("1.13"), order(line(1, Decimal("1.13"))))["request_no"]) == 24


def test_freight_is_a_line_of_its_own_at_its_own_rate() -> None:
    made = blue_request(order(line(1, Decimal("113.00")), freight="8.00"), RULES)
    check("invoice_request", made)
    freight = made["lines"][1]
    assert (freight["name"], freight["tax_rate"], freight["gross"]) == ("运输服务", Decimal("0.09"), Decimal("8.00"))
    assert (freight["net"], freight["tax"], freight["line_no"]) == (Decimal("7.34"), Decimal("0.66"), 2)
    assert made["gross"] == Decimal("121.00")
    assert check_request(made, RULES) == []


def test_gifts_are_not_invoiced_and_reds_still_find_their_line() -> None:
    of = order(line(1, Decimal("0.00")), line(2, Decimal("11.30")), line(3, Decimal("22.60"), qty=2))
    made = blue_request(of, RULES)
    assert [(one["line_no"], one["sku"]) for one in made["lines"]] == [(1, "A2"), (2, "A3")]
    assert red_of(refund("11.30", 3), of)["lines"][0]["blue_line"] == 2


def test_an_order_without_a_wish_or_without_money_makes_no_request() -> None:
    without_wish = {name: value for name, value in order(line(1, Decimal("1.13"))).items() if name != "invoice_wish"}
    for of in (without_wish, order(line(1, Decimal("0.00")))):
        with pytest.raises(InvalidDocument, match="taobao:S01:7"):
            blue_request(of, RULES)


@given(st.lists(st.tuples(CENTS, RATES, st.integers(1, 999)), min_size=1, max_size=8), CENTS)
def test_every_request_comes_to_what_the_order_comes_to(
    parts: list[tuple[Decimal, Decimal, int]], freight: Decimal
) -> None:
    of = order(*[line(n, *part) for n, part in enumerate(parts, 1)], freight=str(freight))
    made = blue_request(of, RULES)
    check("invoice_request", made)
    assert made["net"] + made["tax"] == made["gross"] == of["gross"]
    assert all(makes_amount(Decimal(one["qty"]), one["price"], one["net"]) for one in made["lines"])
    assert check_request(made, RULES) == []


def test_a_refund_of_the_whole_invoice_names_no_lines() -> None:
    red = red_of(refund("113.00", qty=2), order(line(1, Decimal("113.00"), qty=2)))
    assert (red["net"], red["tax"], red["gross"]) == (Decimal("-100.00"), Decimal("-13.00"), Decimal("-113.00"))
    assert (red["lines"], red["reason"], red["blue_number"]) == ([], "sales_return", "26992000000000000001")


def test_the_same_refund_is_partial_where_the_buyer_also_paid_freight() -> None:
    red = red_of(refund("113.00", qty=2), order(line(1, Decimal("113.00"), qty=2), freight="8.00"))
    [row] = red["lines"]
    assert (row["blue_line"], row["qty"], row["price"]) == (1, -2, Decimal("50.00000000"))
    assert (red["net"], red["tax"]) == (Decimal("-100.00"), Decimal("-13.00"))


def test_goods_returned_in_part_keep_the_blues_price() -> None:
    [row] = red_of(refund("56.50", qty=1), order(line(1, Decimal("113.00"), qty=2)))["lines"]
    assert (row["qty"], row["price"], row["net"], row["tax"]) == (-1, 50, Decimal("-50.00"), Decimal("-6.50"))


def test_goods_returned_for_less_than_their_price_have_a_price_of_their_own() -> None:
    [row] = red_of(refund("30.00", qty=1), order(line(1, Decimal("113.00"), qty=2)))["lines"]
    assert (row["qty"], row["price"], row["gross"]) == (-1, Decimal("26.55"), Decimal("-30.00"))


def test_money_back_without_goods_is_an_allowance_without_quantity() -> None:
    red = red_of(refund("10.00", qty=2, kind="money_only"), order(line(1, Decimal("113.00"), qty=2)))
    [row] = red["lines"]
    assert (red["reason"], row["qty"], row["price"]) == ("allowance", 0, 0)
    assert (row["net"], row["tax"], row["gross"]) == (Decimal("-8.85"), Decimal("-1.15"), Decimal("-10.00"))


@pytest.mark.parametrize(
    "back",
    [refund("113.01"), refund("0.00"), refund("1.00", sku="B9", oid="o9")],
    ids=["more than the line", "nothing", "another product"],
)
def test_a_refund_that_does_not_fit_the_blue_is_refused_with_its_key(back: Record) -> None:
    with pytest.raises(InvalidDocument, match="taobao:S01:R1"):
        red_of(back, order(line(1, Decimal("113.00"))))


def test_two_lines_of_one_sku_are_told_apart_by_oid_or_not_at_all() -> None:
    of = order(line(1, Decimal("11.30"), sku="A"), line(2, Decimal("22.60"), sku="A"))
    assert red_of(refund("5.00", 2, sku="A"), of)["lines"][0]["blue_line"] == 2
    with pytest.raises(InvalidDocument, match="no line A"):
        red_of(refund("5.00", 9, sku="A"), of)


@given(CENTS, RATES, st.integers(1, 99), st.data())
def test_every_red_line_adds_up_and_never_exceeds_its_blue(
    gross: Decimal, rate: Decimal, qty: int, data: st.DataObject
) -> None:
    amount = data.draw(st.integers(1, int(gross * 100)).map(lambda fen: Decimal(fen).scaleb(-2)))
    kind = data.draw(st.sampled_from(["goods_and_money", "money_only"]))
    back = refund(amount, kind=kind, qty=data.draw(st.integers(1, qty)))
    red = red_of(back, order(line(1, gross, rate, qty), line(2, Decimal("1.00"))))
    [row] = red["lines"]
    assert row["net"] + row["tax"] == row["gross"] == red["gross"] == -amount
    assert row["qty"] == 0 or makes_amount(row["qty"], row["price"], row["net"])
    assert row["price"] >= 0 >= row["qty"] >= -qty
    assert abs(row["net"] * rate - row["tax"]) <= RULES.line_tax_tolerance


def test_two_halves_of_a_small_line_take_back_its_tax_once() -> None:
    of = order(line(1, Decimal("0.10"), qty=2), line(2, Decimal("1.00")))
    first = red_of(refund("0.05"), of)
    second = red_of(refund("0.05", key="taobao:S01:R2"), of, first)
    assert [(red["net"], red["tax"]) for red in (first, second)] == [
        (Decimal("-0.04"), Decimal("-0.01")),
        (Decimal("-0.05"), Decimal("0.00")),
    ]


@given(CENTS, RATES, st.data())
def test_any_number_of_reds_together_take_back_exactly_their_blue(
    gross: Decimal, rate: Decimal, data: st.DataObject
) -> None:
    of = order(line(1, gross, rate, 9), line(2, Decimal("1.00")))
    blue = blue_request(of, RULES)["lines"][0]
    reds: list[Record] = []
    left = gross
    while left:
        most = int(left * 100)
        amount = Decimal(data.draw(st.integers(1, most))).scaleb(-2) if len(reds) < 4 else left
        reds.append(red_of(refund(amount, key=f"taobao:S01:R{len(reds)}"), of, *reds))
        left -= amount
        assert reds[-1]["net"] <= 0 >= reds[-1]["tax"]
        assert abs(reds[-1]["net"] * rate - reds[-1]["tax"]) <= RULES.line_tax_tolerance
    assert [sum(red[name] for red in reds) for name in ("net", "tax")] == [-blue["net"], -blue["tax"]]
    assert sum(row["qty"] for red in reds for row in red["lines"]) >= -9


def test_earlier_reds_leave_only_the_rest() -> None:
    of = order(line(1, Decimal("113.00")))
    part, whole = red_of(refund("100.00"), of), red_of(refund("113.00"), of)
    for amount, before in (("13.01", part), ("0.01", whole)):
        with pytest.raises(InvalidDocument, match="E-RED-OVER"):
            red_of(refund(amount, key="taobao:S01:R2"), of, before)


@pytest.mark.parametrize(
    ("code", "wish"),
    [
        ("E-BUYER-NAME", {"title": "长" * 101, "kind": "normal"}),
        ("E-BUYER-TAXNO-MISSING", {"title": "张伟", "kind": "special"}),
        ("W-USCC-CHECK", {**COMPANY, "tax_no": "91330106MA2DEMK14A"}),
    ],
)
def test_a_faulty_buyer_is_found(code: str, wish: Record) -> None:
    assert codes(blue_request(order(line(1, Decimal("1.13")), invoice_wish=wish), RULES)) == [code]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("E-TAXCODE-MISSING", {"tax_class_code": ""}),
        ("E-TAXCODE-MISSING", {"tax_class_code": "103"}),
        ("E-RATE", {"tax_rate": Decimal("0.1301")}),
        ("E-LINE-TAX", {"net": Decimal("99.90"), "tax": Decimal("13.10"), "price": Decimal("99.90")}),
        ("E-LINE-SUM", {"tax": Decimal("13.01")}),
        ("E-QTY-PRICE", {"price": Decimal("100.02")}),
    ],
)
def test_a_faulty_line_is_found_and_named(code: str, change: Record) -> None:
    made = blue_request(order(line(1, Decimal("113.00"))), RULES)
    made["lines"][0].update(change)
    found = {one.code: one for one in check_request(made, RULES)}
    assert code in found
    assert found[code].field.startswith("lines[1].")
    assert "第 1 行" in found[code].message
    assert found[code].severity == "error"
    assert found[code].source


def test_a_negative_line_is_found() -> None:
    assert "E-NEGATIVE-LINE" in codes(blue_request(order(line(1, Decimal("9.00")), line(2, Decimal("-1.00"))), RULES))


def test_a_tolerance_is_still_within_and_a_cent_more_is_not() -> None:
    made = blue_request(order(line(1, Decimal("113.00"))), RULES)
    made["lines"][0].update(tax=Decimal("13.06"), gross=Decimal("113.06"))
    assert "E-LINE-TAX" not in codes(made)
    made["lines"][0].update(tax=Decimal("13.07"), gross=Decimal("113.07"))
    assert "E-LINE-TAX" in codes(made)


def test_a_header_that_is_not_the_sum_of_its_lines_is_found() -> None:
    of = order(line(1, Decimal("113.00")))
    assert codes(blue_request({**of, "gross": Decimal("112.99")}, RULES)) == ["E-HEADER-SUM"]


def test_limits_come_from_the_rules() -> None:
    made = blue_request(order(line(1, Decimal("1.13")), line(2, Decimal("1.13"))), RULES)
    assert codes(made, max_lines=1, max_remark=4) == ["E-LIMIT-REMARK", "E-LIMIT-LINES"]


def test_many_small_tax_differences_warn_and_let_pass() -> None:
    made = blue_request(order(*[line(n, Decimal("0.05")) for n in range(1, 400)]), RULES)
    [found] = check_request(made, RULES)
    assert (found.code, found.severity) == ("W-DOC-TAX", "warning")


def test_all_faults_are_told_at_once() -> None:
    made = blue_request(order(line(1, Decimal("113.00")), invoice_wish={"title": "甲", "kind": "special"}), RULES)
    made["lines"][0].update(tax_class_code="", price=Decimal("1"))
    assert codes(made) == ["E-BUYER-TAXNO-MISSING", "E-TAXCODE-MISSING", "E-QTY-PRICE"]


def test_severity_is_the_rules_to_decide() -> None:
    made = blue_request(order(line(1, Decimal("1.13")), invoice_wish={**COMPANY, "tax_no": "123"}), RULES)
    [here] = check_request(made, RULES)
    [usual] = check_request(made, msgspec.structs.replace(RULES, severity={}))
    assert (here.severity, usual.severity) == ("error", "warning")
    assert (here.field, here.value) == ("buyer.tax_no", "123")


@pytest.mark.parametrize(
    ("tax_no", "expected"),
    [
        ("91330106MA2DEMK14E", True),
        ("91350100M000100Y43", True),
        ("91330106MA2TEST01X", False),
        ("339902999999789113", False),
        ("11010519491231002X", True),
        ("330106749468903", True),
        ("33010674946890", False),
        ("33010674946890三", False),
    ],
)
def test_tax_numbers_are_judged_by_length_and_check_digit(tax_no: str, expected: bool) -> None:
    assert is_tax_number(tax_no) is expected


def test_a_wrong_rules_file_names_itself_and_the_place(tmp_path: Path) -> None:
    wrong = tmp_path / "invoice.yaml"
    wrong.write_text(Path("mappings/rules/invoice.yaml").read_text().replace("max_lines: 2000", "max_lines: viele"))
    with pytest.raises(ConfigError, match="max_lines"):
        load_rules(wrong)
