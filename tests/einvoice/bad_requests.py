"""Requests that must not leave, each made of a good one by one change, with the code it must be found with.

A case is (code, record): the record is an invoice_request; or {"request", "limits"} for a platform's own limits; or
{"red", "blue", "earlier"} for a red form against its blue; or {"number", "issued_at"} for the number of an invoice.
`tests.einvoice.good_requests` has their neighbours on the right side of the boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from stdnum.cn import uscc

from duijie.codec import Record
from duijie.derive.invoice_checks import check
from duijie.derive.invoice_codes import Finding
from duijie.derive.invoice_red_checks import check_number, check_red
from duijie.derive.invoice_rules import load_rules
from tests.einvoice.good_requests import (
    FOOD,
    FRUIT,
    HISTORIC,
    PERSON_NO,
    TAX_NO,
    D,
    bare,
    building,
    carried,
    company,
    discounted,
    exempt,
    good,
    household,
    lease,
    limited,
    line,
    many,
    pair,
    passengers,
    person,
    red,
    request,
    retaxed,
    reversal,
    row,
    sale,
    summed,
    whole_red,
    with_line,
)

Case = tuple[str, Record]
Maker = Callable[[], Iterator[Record]]
RULES = load_rules(Path(__file__).parents[2] / "mappings/rules/invoice.yaml")
CENT = D("0.01")


def found(case: Case) -> bool:
    """Whether the real check finds the case under its code."""
    code, record = case
    return code in {one.code for one in findings(record)}


def findings(record: Record) -> list[Finding]:
    """What the real check says of a record of any of the four shapes."""
    if "red" in record:
        return check_red(record["red"], record["blue"], record["earlier"], RULES)
    if "number" in record:
        return check_number(record["number"], record["issued_at"], RULES)
    if "limits" in record:
        return check(record["request"], RULES, record["limits"])
    return check(record, RULES)


def cases() -> list[Case]:
    """Every bad one, no two alike."""
    return [(code, record) for code, make in MAKERS for record in make()]


def kinds() -> Iterator[Record]:
    for kind in ("", "paper", "SPECIAL", "Normal", "bs", "01", "81"):
        yield company() | {"kind": kind}
    yield person() | {"kind": "special"}
    for policy in ("03", "04"):
        yield request(line(1, "113.00"), line(2, "100.00", "0", FRUIT, policy=policy))
        yield request(line(1, "100.00", "0", FRUIT, policy=policy))


def names() -> Iterator[Record]:
    for name in ("", " ", "\u3000", "长" * 101, "A" * 101, "长" * 500):
        yield company() | {"buyer": {"name": name, "tax_no": TAX_NO}}
        yield household() | {"buyer": {"name": name}}
    yield limited(company() | {"buyer": {"name": "长" * 21, "tax_no": TAX_NO}}, buyer_name=20)
    yield limited(company() | {"buyer": {"name": "长" * 51, "tax_no": TAX_NO}}, buyer_name=100, counted_in="gbk")


def missing_numbers() -> Iterator[Record]:
    for buyer in ({"name": "甲公司"}, {"name": "甲公司", "tax_no": ""}):
        for base in (company, discounted, building, lease):
            yield base() | {"buyer": buyer}
    yield person() | {"buyer": {"name": "张伟", "natural_person": True}}


def numbers() -> Iterator[Record]:
    def of(tax_no: str) -> Record:
        return company() | {"buyer": {"name": "甲公司", "tax_no": tax_no}}

    for at, character in enumerate(TAX_NO):
        yield of(TAX_NO[:at] + ("7" if character != "7" else "8") + TAX_NO[at + 1 :])
    for character in "012356789X":  # right by GB 32100, wrong by GB 11714
        head = f"{TAX_NO[:16]}{character}"
        yield of(head + uscc.calc_check_digit(head))
    for letter in "IOSVZ":
        yield of(f"{TAX_NO[:9]}{letter}{TAX_NO[10:]}")
    for tax_no in (TAX_NO.lower(), f"{TAX_NO[:6]} {TAX_NO[6:]}", "123", "1" * 14, "1" * 16, "1" * 19, "1" * 21):
        yield of(tax_no)
    yield of("33010674946890三")
    yield person() | {"buyer": {"name": "张伟", "tax_no": f"{PERSON_NO[:17]}1", "natural_person": True}}
    yield person() | {"buyer": {"name": "张伟", "tax_no": TAX_NO, "natural_person": True}}


def missing_codes() -> Iterator[Record]:
    for code in ("", "0", FOOD[:18], f"{FOOD}0", f"{FOOD[:18]}A", "１" * 19, f"{FOOD[:17]}  ", "食品"):
        yield with_line(company(), 0, tax_class_code=code)
        yield with_line(household(), 1, tax_class_code=code)


def unknown_codes() -> Iterator[Record]:
    for code in ("9999999999999999999", "1030299990000000001", "2010000000000000001", "6010000000000000000"):
        yield with_line(company(), 2, tax_class_code=code)
        yield with_line(person(), 0, tax_class_code=code)


def groups() -> Iterator[Record]:
    for start in ("1", "3", "101", "103", "304", "307", "10302", "30402", "3040201", "30704"):
        yield with_line(company(), 1, tax_class_code=start.ljust(19, "0"))


def rates() -> Iterator[Record]:
    for rate in ("0.1301", "0.12", "0.14", "0.2", "0.08", "0.02", "0.99", "0.0150001"):
        yield request(line(1, "100.00", rate))
    for rate, day in HISTORIC:
        yield request(line(1, "100.00", rate), ordered_at=f"{day}T00:00:00+08:00")
        yield request(line(1, "100.00", rate))
    for rate, policy in (("0.13", "03"), ("0.09", "04"), ("0.05", "08"), ("0.03", "09"), ("0.05", "10"), ("0", "10")):
        yield request(line(1, "100.00", rate, policy=policy), kind="normal")
    yield retaxed(exempt(), 0, "0.01")


def line_taxes() -> Iterator[Record]:
    for cents in ("0.07", "-0.07", "0.10", "-0.50", "1.00", "-13.00"):
        yield retaxed(company(), 0, cents)
    for base, at in ((household, 0), (household, 1), (discounted, 2), (building, 0), (lease, 0), (person, 0)):
        yield retaxed(base(), at, "0.07")
        yield retaxed(base(), at, "-0.07")


def document_taxes() -> Iterator[Record]:
    for count, cents in ((22, "0.06"), (22, "-0.06"), (26, "0.05"), (64, "0.02"), (128, "0.01"), (128, "-0.01")):
        yield many(count, cents)


def line_sums() -> Iterator[Record]:
    for base in (company, household, person):
        for more in (CENT, -CENT, D(1), D(-1)):
            made = base()
            yield with_line(made, 0, gross=made["lines"][0]["gross"] + more)
    yield with_line(company(), 1, tax=D("18.01"))
    yield with_line(company(), 1, net=D("199.99"), price=D("49.9975"))


def header_sums() -> Iterator[Record]:
    for base in (company, household, discounted, building):
        for name in ("net", "tax", "gross"):
            for more in (CENT, -CENT):
                made = base()
                yield made | {name: made[name] + more}
    made = company()
    yield made | {"lines": made["lines"][:2]}
    yield made | {"lines": [*made["lines"], made["lines"][2]]}


def totals() -> Iterator[Record]:
    yield request(*pair("113.00", "113.00"))
    yield request(*pair("113.00", "113.00"), *pair("1.13", "1.13"))


def quantities() -> Iterator[Record]:
    for price in ("100.02", "99.98", "0", "1", "-100"):
        yield with_line(company(), 0, price=D(price))
    for qty in ("2", "0.5", "1.001", "100"):
        yield with_line(company(), 0, qty=D(qty))
    for name in ("qty", "price"):
        yield with_line(company(), 0, **{name: None})
        yield with_line(household(), 1, **{name: None})


def discount_orders() -> Iterator[Record]:
    whole, back = pair("113.00", "11.30")
    other = line(3, "226.00")
    yield request(back, whole, other)
    yield request(other, back, whole)
    yield request(whole, other, back)
    yield request(whole, back, back)
    yield request({**whole, "nature": "normal"}, back)
    yield request(whole, {**back, "nature": "normal"})
    yield request(whole)
    yield request(other, whole)
    for change in (
        {"name": "别的"},
        {"tax_class_code": FRUIT},
        {"tax_rate": D("0.09")},
        {"qty": D(1), "price": D(-10)},
    ):
        yield request(whole, {**back, **change})
    yield request(whole, {**back, **{name: -back[name] for name in ("net", "tax", "gross")}})
    yield request(whole, {**back, **{name: D("0.00") for name in ("net", "tax", "gross")}})


def discounts_over() -> Iterator[Record]:
    for gross, off in (
        ("113.00", "113.01"),
        ("113.00", "113.12"),
        ("113.00", "226.00"),
        ("1.13", "1.15"),
        ("0.05", "0.07"),
    ):
        yield request(*pair(gross, off), line(3, "999.00"))


def negative_lines() -> Iterator[Record]:
    for gross in ("-1.13", "-0.02", "-113.00", "0.00"):
        yield request(line(1, "226.00"), line(2, gross))
        yield request(line(1, gross), line(2, "1130.00"))
    for qty in ("0", "-1"):
        yield with_line(company(), 0, qty=D(qty))
    yield request(line(1, "113.00", qty="-1"))
    yield with_line(household(), 0, tax=D("-0.01"), net=D("226.01"), price=D("113.005"))


def line_limits() -> Iterator[Record]:
    yield request(*[line(n, "1.13") for n in range(2001)])
    for lines in (1, 2):
        yield limited(company(), lines=lines)
        yield limited(discounted(), lines=lines)
    yield limited(request(*[line(n, "1.13") for n in range(101)]), lines=100)


def remark_limits() -> Iterator[Record]:
    for remark in ("备" * 201, "a" * 201, "a" * 1000):
        yield company() | {"remark": remark}
        yield household() | {"remark": remark}
    yield limited(company() | {"remark": "备" * 101}, remark=100)
    yield limited(company() | {"remark": "备" * 51}, remark=100, counted_in="gbk")
    yield limited(company() | {"remark": "𠮷" * 26}, remark=100, counted_in="gbk")


def other_limits() -> Iterator[Case]:
    yield "E-LIMIT-NAME", with_line(company(), 0, name="长" * 91)
    yield "E-LIMIT-NAME", limited(company(), name=2)
    yield "E-LIMIT-NAME", limited(company(), name=4, counted_in="gbk")
    yield "E-LIMIT-NUMBER", limited(with_line(company(), 0, price=D("100.123456789")), number_places=8)
    yield "E-LIMIT-NUMBER", limited(with_line(company(), 0, qty=D("1.00000000001")), number_places=8)
    yield "E-LIMIT-NUMBER", limited(company(), number_characters=11)
    for gross in ("383.99", "100.00", "0.01"):
        yield "E-LIMIT-GROSS", limited(company(), gross=D(gross))


def special_lines() -> Iterator[Record]:
    for base in (building, lease, sale):
        made = base()
        yield summed({**made, "lines": made["lines"] * 2})
        yield with_line(base(), 0, unit="件")
        yield with_line(base(), 0, spec="大")
        yield summed({**made, "lines": [*made["lines"], line(2, "11.30")]})
    yield with_line(building(), 0, qty=D(1), price=D(100))


def special_fields() -> Iterator[Record]:
    for name in ("place", "project"):
        yield building(**{name: ""})
    yield building(project="厂" * 81)
    yield bare(factor="building", place="杭州", project="厂房")
    for address in ("", "杭州市", "杭州市文三", "路" * 121):
        yield lease(address=address)
        yield sale(address=address)
    for days in ({"from": "2026-12-31", "to": "2026-01-01"}, {"from": ""}, {"to": ""}):
        yield lease(**days)
    yield carried()
    yield carried(*[row()] * 2001)
    for change in (
        {"tool": "0"},
        {"tool": "6"},
        {"tool": ""},
        {"plate": ""},
        {"from": ""},
        {"to": "沪" * 81},
        {"goods": ""},
    ):
        yield carried(row(), row(**change))
    yield passengers(2001)


def reds_over() -> Iterator[Record]:
    for parts in (
        [("-113.01", "2")],
        [("-200.00", "2")],
        [("-56.50", "3")],
        [("-56.50", "1"), ("-56.51", "1")],
        [("-56.50", "1"), ("-56.50", "2")],
        [("-113.00", "2"), ("-0.01", "0")],
        [("-50.00", "0"), ("-50.00", "0"), ("-13.01", "0")],
        [("113.00", "-2")],
    ):
        yield reversal(*parts)
    of = request(line(1, "113.00", qty="2"), line(2, "11.30"))
    for place, gross in ((2, "-11.31"), (3, "-1.13"), (0, "-1.13")):
        yield {"red": red(of, gross, "1", "sales_return", place), "blue": of, "earlier": []}
    yield reversal(("-101.71", "1"), blue=discounted())
    yield {"red": red(discounted(), "-11.30", "1", "allowance", 2), "blue": discounted(), "earlier": []}
    part = red(of, "-0.01", "0", "allowance")
    yield whole_red("sales_return", part)
    yield whole_red("sales_return", whole_red("sales_return")["red"])


def reds_in_part() -> Iterator[Record]:
    for gross, qty in (("-113.00", "2"), ("-56.50", "1"), ("-0.01", "0"), ("-112.99", "2"), ("-11.30", "1")):
        yield reversal((gross, qty), reason="wrong_invoice")
    made = whole_red("wrong_invoice")
    yield made | {"red": {**made["red"], "gross": made["red"]["gross"] + CENT, "net": made["red"]["net"] + CENT}}


def invoice_numbers() -> Iterator[Record]:
    right = "26332000000000000001"
    for number in ("", "1", right[:19], f"{right}0", f"{right[:19]}X", f" {right[:19]}", "２" * 20, "011002200311"):
        yield {"number": number, "issued_at": "2026-11-11"}
    for number in (f"25{right[2:]}", f"27{right[2:]}", f"00{right[2:]}"):
        yield {"number": number, "issued_at": "2026-11-11T09:00:00+08:00"}
    for area in ("00", "10", "16", "38", "66", "98"):
        yield {"number": f"26{area}{right[4:]}", "issued_at": ""}
    yield reversal(("-56.50", "1"), blue_number="1")


def _others(code: str) -> Maker:
    return lambda: (record for name, record in other_limits() if name == code)


MAKERS: tuple[tuple[str, Maker], ...] = (
    ("E-KIND", kinds),
    ("E-BUYER-NAME", names),
    ("E-BUYER-TAXNO-MISSING", missing_numbers),
    ("W-USCC-CHECK", numbers),
    ("E-TAXCODE-MISSING", missing_codes),
    ("W-TAXCODE-UNKNOWN", unknown_codes),
    ("E-TAXCODE-NOT-LEAF", groups),
    ("E-RATE", rates),
    ("E-LINE-TAX", line_taxes),
    ("W-DOC-TAX", document_taxes),
    ("E-LINE-SUM", line_sums),
    ("E-HEADER-SUM", header_sums),
    ("E-TOTAL", totals),
    ("E-QTY-PRICE", quantities),
    ("E-DISCOUNT-ORDER", discount_orders),
    ("E-DISCOUNT-OVER", discounts_over),
    ("E-NEGATIVE-LINE", negative_lines),
    ("E-LIMIT-LINES", line_limits),
    ("E-LIMIT-REMARK", remark_limits),
    ("E-LIMIT-NAME", _others("E-LIMIT-NAME")),
    ("E-LIMIT-NUMBER", _others("E-LIMIT-NUMBER")),
    ("E-LIMIT-GROSS", _others("E-LIMIT-GROSS")),
    ("E-SPECIAL-LINES", special_lines),
    ("E-SPECIAL-FIELDS", special_fields),
    ("E-RED-OVER", reds_over),
    ("E-RED-FULL-ONLY", reds_in_part),
    ("E-NUMBER", invoice_numbers),
)

__all__ = ["Case", "cases", "findings", "found", "good"]
