"""Good requests, red forms and numbers, many of them as near to a fault as can be; the bad ones are made of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from duijie.codec import Record
from duijie.connect.invoicing import Limits
from duijie.derive.rounding import split_tax

D = Decimal
TAX_NO = "91330106MA2DEMK14E"
FOOD, FRUIT, SOFTWARE, HOTEL = (
    "1030299990000000000",
    "1010115990000000000",
    "3040201030000000000",
    "3070402000000000000",
)
PERSON_NO = "11010519491231002X"


def good() -> list[Record]:
    """Each of them in one of the shapes that `bad_requests` describes."""
    return [*(base() for base in BASES), *_boundaries()]


def line(place: int, gross: str, rate: str = "0.13", code: str = FOOD, qty: str = "1", **more: Any) -> Record:
    amounts = split_tax(D(gross), D(rate))
    price = (amounts.net / D(qty)).quantize(D("0.00000001"))
    head = {"line_no": place, "name": f"商品{place}", "sku": f"A{place}", "tax_class_code": code, "unit": "件"}
    return {**head, "qty": D(qty), "price": price, "tax_rate": D(rate), **amounts._asdict(), **more}


def request(*lines: Record, **more: Any) -> Record:
    head = {"key": "DJ1", "request_no": "DJ1", "kind": "special", "seller_tax_no": "339902999999789113"}
    who = {"buyer": {"name": "杭州恒信嘉禾科技有限公司", "tax_no": TAX_NO}, "order_key": "taobao:S01:7"}
    return summed(
        {**head, **who, "ordered_at": "2026-11-11T09:00:00+08:00", "remark": "订单号 7", "lines": [*lines], **more}
    )


def summed(made: Record) -> Record:
    """With the head's totals those of its lines, and lines numbered."""
    made["lines"] = [{**one, "line_no": number} for number, one in enumerate(made["lines"], 1)]
    return made | {name: sum((one[name] for one in made["lines"]), D("0.00")) for name in ("net", "tax", "gross")}


def with_line(made: Record, at: int, **changes: Any) -> Record:
    """With a line changed and the totals made to fit; a change to None takes the field away."""
    lines = [{**one, **changes} if place == at else one for place, one in enumerate(made["lines"])]
    lines = [{name: value for name, value in one.items() if value is not None} for one in lines]
    return summed({**made, "lines": lines})


def retaxed(made: Record, at: int, cents: str) -> Record:
    """With that much more tax on a line, which still adds up."""
    of, more = made["lines"][at], D(cents)
    return with_line(made, at, tax=of["tax"] + more, gross=of["gross"] + more)


def company() -> Record:
    return request(line(1, "113.00"), line(2, "218.00", "0.09", FRUIT, "4"), line(3, "53.00", "0.06", SOFTWARE))


def household() -> Record:
    return request(line(1, "226.00", qty="2"), line(2, "10.90", "0.09", FRUIT), kind="normal", buyer={"name": "张伟"})


def person() -> Record:
    buyer = {"name": "张伟", "tax_no": PERSON_NO, "natural_person": True}
    return request(line(1, "113.00"), kind="normal", buyer=buyer)


def discounted() -> Record:
    return request(*pair("113.00", "11.30"), line(3, "10.60", "0.06", HOTEL), *pair("226.00", "226.00"))


def pair(gross: str, off: str) -> tuple[Record, Record]:
    """A discounted line and its discount line."""
    whole = line(1, gross, nature="discounted")
    back = {name: -value for name, value in split_tax(D(off), D("0.13"))._asdict().items()}
    kept = {name: whole[name] for name in ("line_no", "name", "sku", "tax_class_code", "tax_rate")}
    return whole, {**kept, "nature": "discount", **back}


def exempt() -> Record:
    return request(line(1, "100.00", "0", FRUIT, policy="03"), kind="normal")


def bare(**special: Any) -> Record:
    """One line without what special business must not have."""
    one = {name: value for name, value in line(1, "109.00", "0.09").items() if name not in ("unit", "qty", "price")}
    return request(one, special=special)


def building(**more: Any) -> Record:
    return bare(**{"factor": "building", "place": "杭州市西湖区", "project": "厂房", "cross_city": False, **more})


def lease(**more: Any) -> Record:
    told = {"address": "杭州市文三路 1 号", "from": "2026-01-01", "to": "2026-12-31", "cross_city": False}
    return bare(**{"factor": "property_lease", **told, **more})


def sale(**more: Any) -> Record:
    return bare(**{"factor": "property_sale", "address": "杭州市文三路 1 号", "certificate": "浙 1", **more})


def carried(*rows: Record) -> Record:
    return request(line(1, "109.00", "0.09"), special={"factor": "freight", "transports": [*rows]})


def row(**more: Any) -> Record:
    return {"tool": "2", "plate": "浙A00001", "from": "杭州", "to": "上海", "goods": "面条", **more}


def passengers(count: int = 1) -> Record:
    travellers = [{"name": "张伟", "from": "杭州", "to": "上海"}] * count
    return request(line(1, "109.00", "0.09"), special={"factor": "passenger", "travellers": travellers})


BASES: tuple[Callable[[], Record], ...] = (
    *(company, household, person, discounted, exempt, building, lease, sale, passengers),
    lambda: carried(row()),
)


def _boundaries() -> Iterator[Record]:
    for cents in ("0.06", "-0.06"):
        yield retaxed(company(), 0, cents)
    yield many(21, "0.06")
    yield many(127, "0.01")
    yield company() | {"remark": "备" * 200}
    yield company() | {"buyer": {"name": "长" * 100, "tax_no": TAX_NO}}
    yield request(*[line(n, "1.13") for n in range(2000)])
    for rate, day in HISTORIC:
        yield request(line(1, "100.00", rate), ordered_at=f"{_before(day)}T23:59:59+08:00")
    for tax_no in ("91310115MA1DEMA278", "91350100M000100Y43", "330106749468903", "1" * 17, "2" * 20, PERSON_NO):
        yield company() | {"buyer": {"name": "甲", "tax_no": tax_no}}
    yield limited(company() | {"remark": "备" * 10}, remark=20, counted_in="gbk")
    yield limited(company(), lines=3, gross=D("384.00"), name=3, number_places=8)
    yield building(project="厂" * 80)
    yield lease(to="2026-01-01")
    yield carried(*[row()] * 2000)
    yield with_line(company(), 0, price=D("100.01"))
    for reds in ([("-56.50", "1")], [("-56.50", "1"), ("-56.50", "1")], [("-113.00", "2")]):
        yield reversal(*reds)
    yield whole_red("wrong_invoice")
    yield reversal(("-101.70", "1"), blue=discounted())
    yield {"number": "26332000000000000001", "issued_at": "2026-11-11"}
    yield {"number": "25992000000000000001", "issued_at": "2025-01-01T00:00:00+08:00"}


def many(count: int, cents: str) -> Record:
    """Lines whose tax is each that much too high."""
    more = D(cents)
    return request(*[line(n, "113.00") | {"tax": 13 + more, "gross": 113 + more} for n in range(count)])


def limited(made: Record, **limits: Any) -> Record:
    return {"request": made, "limits": Limits(**limits)}


HISTORIC = (
    ("0.17", "2018-05-01"),
    ("0.11", "2018-05-01"),
    ("0.16", "2019-04-01"),
    ("0.10", "2019-04-01"),
    ("0.04", "2014-07-01"),
)


def _before(day: str) -> str:
    return {"2018-05-01": "2018-04-30", "2019-04-01": "2019-03-31", "2014-07-01": "2014-06-30"}[day]


def reversal(*parts: tuple[str, str], reason: str = "sales_return", blue: Record | None = None, **more: Any) -> Record:
    """Reds of the first line of a blue, one after the other: the last is judged, the others came before."""
    of = blue or request(line(1, "113.00", qty="2"), line(2, "11.30"))
    reds = [red(of, gross, qty, reason) for gross, qty in parts]
    reds[-1] = {**reds[-1], **more}
    return {"red": reds[-1], "blue": of, "earlier": reds[:-1]}


def red(of: Record, gross: str, qty: str, reason: str, place: int = 1) -> Record:
    amounts = split_tax(D(gross), D("0.13"))._asdict()
    count = -D(qty)
    price = (amounts["net"] / count).quantize(D("0.00000001")) if count else D(0)
    first = {**of["lines"][0], **amounts, "qty": count, "price": price, "line_no": 1, "blue_line": place}
    return {"reason": reason, "blue_number": "26992000000000000001", **amounts, "lines": [first]}


def whole_red(reason: str, *earlier: Record) -> Record:
    of = request(line(1, "113.00", qty="2"), line(2, "11.30"))
    amounts = {name: -of[name] for name in ("net", "tax", "gross")}
    made = {"reason": reason, "blue_number": "26992000000000000001", **amounts, "lines": []}
    return {"red": made, "blue": of, "earlier": [*earlier]}
