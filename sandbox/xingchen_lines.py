"""What a line of a bill must bring, and how its amounts come about.

价税合计 of a line = 数量 × 含税单价 rounded to the cent − 折扣额; 税额 = 价税合计 × r / (1 + r), rounded half up.
Amounts given by a caller must be exactly those. A 采购订单 takes its prices and amounts as texts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sandbox.store import Record
from sandbox.xingchen_base import BaseData
from sandbox.xingchen_lists import Refused, require

CENT = Decimal("0.01")
ZERO = Decimal(0)
TEXTS = ("price", "tax_price", "cess", "all_amount", "tax_amount", "dis_amount", "amount")


@dataclass(frozen=True)
class LineRules:
    """How strict one kind of bill is: `texts` amounts must be texts, `stock` a warehouse is needed, `free` is_free."""

    texts: bool = False
    stock: bool = False
    free: bool = False


def line_of(place: int, line: Record, base: BaseData, rules: LineRules) -> Record:
    """A line as it is kept: references found, amounts computed. Raises Refused."""
    row = f"第{place}行"
    material = _material(line, base, rules)
    require(bool(line.get("unit_id")), f'{row}基础资料"unit"字段不能为空')
    require(str(line["unit_id"]) == material["base_unit_id"], f"{row}单位[{line['unit_id']}]不存在")
    require(not rules.free or isinstance(line.get("is_free"), bool), f"{row}is_free不能为空")
    named = {"material_id": material["id"], "material_number": material["number"], "material_name": material["name"]}
    named |= {"unit_id": material["base_unit_id"], "unit_name": material["base_unit_name"]}
    return {**line, **named, **_stock(line, base, rules, row), **_amounts(line, material, rules, row), "seq": place}


def _material(line: Record, base: BaseData, rules: LineRules) -> Record:
    if rules.texts:
        require(bool(line.get("material_id")), '基础资料"material"字段不能为空')
        return base.found("material", None, line["material_id"])
    found = base.found("material", line.get("material_number"), line.get("material_id"))
    require(str(line.get("material_id") or found["id"]) == found["id"], "商品ID与商品编码不一致")
    return found


def _stock(line: Record, base: BaseData, rules: LineRules, row: str) -> Record:
    if not rules.stock and not line.get("stock_id"):
        return {}
    require(bool(line.get("stock_number") or line.get("stock_id")), f'{row}基础资料"stock"字段不能为空')
    store = base.found("store", line.get("stock_number"), line.get("stock_id"))
    return {"stock_id": store["id"], "stock_number": store["number"], "stock_name": store["name"]}


def _amounts(line: Record, material: Record, rules: LineRules, row: str) -> Record:
    if rules.texts:
        for name in TEXTS:
            require(isinstance(line.get(name, ""), str), f"proto: invalid value for string type: {line.get(name)}")
    read = text_number if rules.texts else number
    qty, price, discount = (
        read(line.get(name, default), f"{row}{name}")
        for name, default in (("qty", None), ("tax_price", None), ("dis_amount", "0" if rules.texts else 0))
    )
    require(qty > 0, f"{row}数量必须大于0")
    gross = (qty * price).quantize(CENT, ROUND_HALF_UP) - discount
    percent = text_number(line.get("cess", material["tax_rate"]), f"{row}税率")
    tax = (gross * percent / (100 + percent)).quantize(CENT, ROUND_HALF_UP)
    computed = {"all_amount": gross, "tax_amount": tax, "amount": gross - tax}
    for name, value in computed.items():
        agrees(line, name, value, row)
    return {"qty": qty, "tax_price": price, "dis_amount": discount, "cess": percent, **computed}


def agrees(given: Record, name: str, computed: Decimal, place: str) -> None:
    """Refuse an amount that is not what comes of quantity, price and discount."""
    if name in given:
        value = text_number(given[name], f"{place}{name}")
        label = "价税合计" if name in ("all_amount", "total_amount") else name
        require(value == computed, f"{place}{label}{value}与数量、单价、折扣额不符, 应为{computed}")


def number(value: Any, what: str) -> Decimal:
    """A field the vendor types as double: a JSON number, not a text."""
    require(isinstance(value, int | Decimal) and not isinstance(value, bool), f"{what}不是有效的数字")
    return Decimal(value)


def text_number(value: Any, what: str) -> Decimal:
    """A figure the vendor types as text: a number is taken as well."""
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise Refused(f"{what}不是有效的数字") from error
