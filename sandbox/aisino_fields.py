"""What 爱信诺云税 checks of simpleInvoiceIssue's fields before the bureau sees them; it computes the tax itself.

Source: 爱信诺云税 interface document v1.8.4: serial numbers of at most 20 letters and digits, quantities of at most 13
decimals, the rates it accepts, amounts with tax.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.bureau import Blue, Line, Party

Record = dict[str, Any]
CHECK = "9995"
KINDS = {"81": "special", "82": "normal"}
NATURES = {"0": "normal", "1": "discount", "2": "discounted"}
REASONS = {"01": "wrong_invoice", "02": "sales_return", "03": "service_stopped", "04": "allowance"}
ZERO_RATES = {"": "", "1": "03", "2": "04", "3": ""}
RATES = frozenset(map(Decimal, ("0", "0.01", "0.03", "0.04", "0.05", "0.06", "0.09", "0.11", "0.13", "0.17")))
SERIAL = re.compile(r"[A-Za-z0-9]{1,20}")
MONEY = re.compile(r"-?\d{1,12}\.\d{2}")
QUANTITY = re.compile(r"\d+(\.\d{1,13})?")
RATE = re.compile(r"\d(\.\d{1,3})?")
CODE = re.compile(r"\d{19}")
CENT = Decimal("0.01")


class Rejected(Exception):
    """The envelope's code and its words."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def must(holds: bool, code: str, text: str) -> None:
    """Reject unless it holds."""
    if not holds:
        raise Rejected(code, text)


def blue_of(body: Record, config: Record) -> Blue:
    """The request as the bureau takes it. Raises Rejected."""
    _matches(body, "fpqqlsh", SERIAL, "")
    must(body.get("invoiceKind") in KINDS, CHECK, "invoiceKind 只支持 81、82")
    must(body.get("invoiceType") == "1", CHECK, "invoiceType 无效")
    must(body.get("businessType") in ("0", "1"), CHECK, "businessType 无效")
    must(body.get("deliverType") == "0", CHECK, "本沙箱只提供 deliverType=0")
    must(body["businessType"] == "0" or bool(body.get("payerRegisterNo")), CHECK, "企业购方 payerRegisterNo 必填")
    items = body.get("invoiceItems")
    must(isinstance(items, list) and bool(items), CHECK, "invoiceItems 为空")
    lines = tuple(_line(item, f"第 {place} 行 ") for place, item in enumerate(items or [], 1))
    total = sum((line.net + line.tax for line in lines), Decimal(0))
    must(_money(body, "invoiceAmount", "") == total, CHECK, "invoiceAmount 与明细合计不一致")
    named = ("payerName", "payerRegisterNo", "payerAddress", "payerPhone", "payerBank", "payerBankaccount")
    return Blue(
        serial=body["fpqqlsh"],
        kind=KINDS[body["invoiceKind"]],
        seller=Party(config["seller_name"], config["tax_no"]),
        buyer=Party(*(str(body.get(name) or "") for name in named)),
        lines=lines,
        remark=str(body.get("bz") or ""),
        drawer=str(body.get("invoicer") or ""),
    )


def _line(item: Record, where: str) -> Line:
    _matches(item, "itemNo", CODE, where)
    _matches(item, "taxRate", RATE, where)
    rate, gross = Decimal(item["taxRate"]), _money(item, "amount", where)
    must(rate in RATES, CHECK, f"{where}taxRate 无效")
    must(item.get("rowType") in NATURES, CHECK, f"{where}rowType 无效")
    tax = (gross * rate / (1 + rate)).quantize(CENT, ROUND_HALF_UP)
    quantity = None
    if item.get("quantity"):
        _matches(item, "quantity", QUANTITY, where)
        quantity = Decimal(item["quantity"])
    return Line(
        name=str(item.get("itemName") or ""),
        tax_class_code=item["itemNo"],
        rate=rate,
        net=gross - tax,
        tax=tax,
        unit=str(item.get("unit") or ""),
        qty=quantity,
        price=None if quantity is None else (gross - tax) / quantity,
        policy=ZERO_RATES.get(str(item.get("zeroRateFlag") or ""), ""),
        nature=NATURES[item["rowType"]],
    )


def _matches(body: Record, name: str, form: re.Pattern[str], where: str) -> None:
    text = body.get(name)
    must(isinstance(text, str) and bool(form.fullmatch(text)), CHECK, f"{where}{name} 缺失或格式错误")


def _money(body: Record, name: str, where: str) -> Decimal:
    _matches(body, name, MONEY, where)
    return Decimal(body[name])


__all__ = ["KINDS", "REASONS", "Rejected", "blue_of", "must"]
