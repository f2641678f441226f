"""特定业务: what an invoice for building, freight, property or passengers must hold beside its lines.

The canonical `special` object: `factor`; building: place, project, cross_city; property: address, from and to (lease,
dates), certificate, area_unit, cross_city; freight: transports of {tool 1–5, plate, from, to, goods}; passenger:
travellers of {name, date, card_type, card_no, from, to, vehicle, level}. Source: 诺税通 requestBillingNew (its fields
invoiceBuildingInfo, realPropertyRentInfo, realPropertySellInfo, invoiceGoodsTransports).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from duijie.codec import Record
from duijie.derive.invoice_codes import Fault

SINGLE_LINE = frozenset({"building", "property_sale", "property_lease"})
WITHOUT: Mapping[str, tuple[str, ...]] = {
    "building": ("spec", "unit", "qty", "price"),
    "property_sale": ("spec", "unit"),
    "property_lease": ("spec", "unit"),
}
WORDS: Mapping[str, str] = {
    "building": "建筑服务",
    "freight": "货物运输服务",
    "property_sale": "不动产销售",
    "property_lease": "不动产经营租赁",
    "passenger": "旅客运输服务",
    "farm_purchase": "农产品收购",
}
ADDRESS_HOLDS = "街路村乡镇道"
PROJECT_LENGTH = 80
ADDRESS_LENGTH = 120
MOST_ROWS = 2000
TOOLS = frozenset("12345")
TRANSPORT: Mapping[str, int] = {"plate": 40, "from": 80, "to": 80, "goods": 80}


def check_special(request: Record) -> Iterator[Fault]:
    """Every fault of a request with a `special` object."""
    special = request["special"]
    factor = special["factor"]
    yield from _lines(request["lines"], factor)
    if factor == "building":
        yield from _building(special)
    elif factor in ("property_sale", "property_lease"):
        yield from _property(special)
    elif factor == "freight":
        yield from _freight(special.get("transports", []))
    elif factor == "passenger" and len(special.get("travellers", [])) > MOST_ROWS:
        count = len(special["travellers"])
        yield _missing("travellers", count, f"旅客 {count} 行, 超过 {MOST_ROWS} 行")


def _lines(lines: list[Record], factor: str) -> Iterator[Fault]:
    if factor not in SINGLE_LINE:
        return
    if len(lines) != 1:
        said = f"{WORDS[factor]}只能有一行明细, 现有 {len(lines)} 行"
        yield Fault("E-SPECIAL-LINES", "lines", len(lines), said)
    for line in lines:
        for name in WITHOUT[factor]:
            if line.get(name) not in (None, ""):
                said = f"第 {line['line_no']} 行 {line['name']}: {WORDS[factor]}不能有 {name}"
                yield Fault("E-SPECIAL-LINES", f"lines[{line['line_no']}].{name}", line[name], said)


def _building(special: Record) -> Iterator[Fault]:
    for name, word in (("place", "发生地"), ("project", "项目名称")):
        if not special.get(name):
            yield _missing(name, "", f"建筑服务没有{word}")
    if len(project := special.get("project", "")) > PROJECT_LENGTH:
        yield _missing("project", project, f"项目名称 {len(project)} 字, 超过 {PROJECT_LENGTH} 字")
    if "cross_city" not in special:
        yield _missing("cross_city", "", "建筑服务没有跨地市标志")


def _property(special: Record) -> Iterator[Fault]:
    address = special.get("address", "")
    if not set(address) & set(ADDRESS_HOLDS):
        yield _missing("address", address, f"不动产地址须含 {'、'.join(ADDRESS_HOLDS)} 之一")
    if len(address) > ADDRESS_LENGTH:
        yield _missing("address", address, f"不动产地址 {len(address)} 字, 超过 {ADDRESS_LENGTH} 字")
    if special["factor"] != "property_lease":
        return
    start, end = special.get("from", ""), special.get("to", "")
    if not (start and end and start <= end):
        yield _missing("from", f"{start}–{end}", "租赁起止日期缺少或起晚于止")


def _freight(rows: list[Record]) -> Iterator[Fault]:
    if not 1 <= len(rows) <= MOST_ROWS:
        yield _missing("transports", len(rows), f"运输明细应有 1 至 {MOST_ROWS} 行, 现有 {len(rows)} 行")
    for number, row in enumerate(rows, 1):
        if str(row.get("tool", "")) not in TOOLS:
            where = f"transports[{number}].tool"
            yield _missing(
                where, row.get("tool", ""), f"第 {number} 行运输工具种类应为 1 至 5 (铁路 公路 水路 航空 管道)"
            )
        for name, most in TRANSPORT.items():
            if not 0 < len(str(row.get(name, ""))) <= most:
                where = f"transports[{number}].{name}"
                yield _missing(where, row.get(name, ""), f"第 {number} 行运输明细的 {name} 为空或超过 {most} 字")


def _missing(field: str, value: Any, said: str) -> Fault:
    return Fault("E-SPECIAL-FIELDS", f"special.{field}", value, said)


__all__ = ["SINGLE_LINE", "WITHOUT", "WORDS", "check_special"]
