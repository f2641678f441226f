"""The arithmetic and the fields that no platform lets through: kinds, parties, lines, discounts, totals.

Source: 诺税通 SaaS requestBillingNew and 航信 field tables: tax within 0.06 of amount times rate, quantity times price
within a cent of the amount, a discount directly behind its line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from stdnum.cn import ric, uscc

from sandbox.bureau_terms import Blue, Line, must

TAX_TOLERANCE = Decimal("0.06")
CENT = Decimal("0.01")
RATES = frozenset(map(Decimal, ("0.13", "0.09", "0.06", "0.05", "0.03", "0.015", "0.01", "0")))
KINDS = ("normal", "special")
NATURES = ("normal", "discounted", "discount")
UNTAXED = ("03", "04")  # 免税, 不征税
CODE = re.compile(r"\d{19}")


def check_blue(blue: Blue) -> None:
    """Kind, parties, every line and the total. Raises Refused (arithmetic, buyer)."""
    must(blue.kind in KINDS, "arithmetic", "该企业未开通此票种")
    must(bool(blue.seller.name and blue.seller.tax_no), "arithmetic", "销方名称与税号不能为空")
    must(bool(blue.buyer.name), "buyer", "购方名称不能为空")
    must(blue.kind != "special" or bool(blue.buyer.tax_no), "buyer", "专票购方税号不能为空")
    must(bool(blue.lines), "arithmetic", "发票没有明细")
    for place, line in enumerate(blue.lines, 1):
        _check_line(line, f"第 {place} 行")
        _check_place(line, blue.lines[place - 2] if place > 1 else None, f"第 {place} 行")
    must(blue.lines[-1].nature != "discounted", "arithmetic", "最后一行的被折扣行缺少折扣行")
    must(total(blue.lines, "net") + total(blue.lines, "tax") > 0, "arithmetic", "价税合计必须大于 0")


def check_tax(net: Decimal, tax: Decimal, rate: Decimal, where: str) -> None:
    """Both in cents, of one sign, the tax within 0.06 of amount times rate. Raises Refused (arithmetic)."""
    cents = all(amount == amount.quantize(CENT) for amount in (net, tax))
    must(cents, "arithmetic", f"{where} 金额或税额超过两位小数")
    must(net * tax >= 0, "arithmetic", f"{where} 金额与税额符号不一致")
    must(abs(net * rate - tax) <= TAX_TOLERANCE, "arithmetic", f"{where} 税额与 金额×税率 相差超过 0.06")


def total(lines: Sequence[Line], name: str) -> Decimal:
    """The exact sum of one amount over the lines."""
    return sum((getattr(line, name) for line in lines), Decimal("0.00"))


def is_known(tax_no: str) -> bool:
    """Whether a taxpayer could have this number: 18 characters check out as USCC or 身份证号; others have no check."""
    return len(tax_no) != 18 or bool(uscc.is_valid(tax_no) or ric.is_valid(tax_no))


def _check_line(line: Line, where: str) -> None:
    must(bool(line.name), "arithmetic", f"{where} 缺少商品名称")
    must(bool(CODE.fullmatch(line.tax_class_code)), "arithmetic", f"{where} 税收分类编码不是 19 位数字")
    must(line.rate in RATES, "arithmetic", f"{where} 税率无效: {line.rate}")
    must(line.nature in NATURES, "arithmetic", f"{where} 发票行性质无效")
    check_tax(line.net, line.tax, line.rate, where)
    must(line.policy not in UNTAXED or not line.tax, "arithmetic", f"{where} 免税或不征税的税额应为 0")
    must((line.qty is None) == (line.price is None), "arithmetic", f"{where} 单价与数量必须同时填写或同时为空")
    if line.qty is not None and line.price is not None:
        must(line.qty > 0 and line.price > 0, "arithmetic", f"{where} 单价与数量必须大于 0")
        made, bases = line.qty * line.price, (line.net, line.net + line.tax)
        must(any(abs(made - basis) <= CENT for basis in bases), "arithmetic", f"{where} 单价×数量 与金额不符")


def _check_place(line: Line, before: Line | None, where: str) -> None:
    after_discounted = before is not None and before.nature == "discounted"
    if line.nature != "discount":
        must(line.net > 0, "arithmetic", f"{where} 金额必须大于 0, 折扣请用折扣行")
        must(not after_discounted, "arithmetic", f"{where} 之前的被折扣行缺少折扣行")
        return
    if before is None or not after_discounted:
        must(False, "arithmetic", f"{where} 折扣行必须紧跟被折扣行")
        return
    same = (before.name, before.tax_class_code, before.rate) == (line.name, line.tax_class_code, line.rate)
    must(same, "arithmetic", f"{where} 与被折扣行不一致")
    must(line.qty is None, "arithmetic", f"{where} 折扣行不能有数量与单价")
    must(line.net < 0, "arithmetic", f"{where} 折扣金额应为负数")
    covered = -line.net <= before.net and -line.tax <= before.tax
    must(covered, "arithmetic", f"{where} 折扣金额超过被折扣行")


__all__ = ["CENT", "check_blue", "check_tax", "is_known", "total"]
