"""What 百望云 checks of a request's fields before the bureau sees it, and how it names the parts of an invoice.

Source: 百望云开放平台 baiwang.s.outputinvoice.invoice, .fastRed (open.baiwang.com): required fields, lengths by channel
(web or 乐企), numbers of at most 17 characters and 13 decimals.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bureau import Blue, Line, Party, RedForm, RedLine

Record = dict[str, Any]

MISSING, FIELD, KIND = "70169", "90002", "20019"
REQUIRED = ("orderNo", "orderDateTime", "invoiceType", "invoiceTypeCode", "priceTaxMark", "buyerName")
LENGTHS = {
    "web": {"buyerName": 100, "remarks": 230, "buyerAddress": 140, "orderNo": 50},
    "leqi": {"buyerName": 300, "remarks": 450, "buyerAddress": 300, "orderNo": 50},
}
COMMON = {"buyerTaxNo": 20, "buyerBankName": 120, "buyerBankNumber": 100}
LINE_REQUIRED = ("goodsName", "goodsTaxRate", "goodsTotalPrice", "goodsTotalTax")
KINDS = {"01": "special", "02": "normal"}
CODES = {kind: code for code, kind in KINDS.items()}
NATURES = {"0": "normal", "1": "discount", "2": "discounted"}
REASONS = {"1": "sales_return", "2": "wrong_invoice", "3": "service_stopped", "4": "allowance"}
POLICIES = {"1": "03", "2": "04"}
NUMBER = re.compile(r"-?\d+(\.\d{1,13})?")
LONGEST_NUMBER = 17


class Rejected(Exception):
    """A refusal with the platform's code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def must(holds: bool, text: str, code: str = FIELD) -> None:
    """Refuse unless it holds."""
    if not holds:
        raise Rejected(code, text)


def blue_of(body: Record, config: Record) -> Blue:
    """The request as the bureau takes it. Raises Rejected."""
    _texts(body, REQUIRED, {**LENGTHS[config["channel"]], **COMMON}, "")
    must(body["invoiceTypeCode"] in KINDS, f"invoiceTypeCode 无效: {body['invoiceTypeCode']}", KIND)
    must(body["invoiceType"] == "1", "本沙箱只以 fastRed 开红票")
    must(body["priceTaxMark"] in ("0", "1"), "priceTaxMark 无效")
    lines = body.get("invoiceDetailList")
    must(isinstance(lines, list) and bool(lines), "invoiceDetailList 为空", MISSING)
    return Blue(
        serial=body["orderNo"],
        kind=KINDS[body["invoiceTypeCode"]],
        seller=Party(config["seller_name"], config["tax_no"]),
        buyer=Party(
            body["buyerName"],
            body.get("buyerTaxNo", ""),
            body.get("buyerAddress", ""),
            body.get("buyerTelephone", ""),
            body.get("buyerBankName", ""),
            body.get("buyerBankNumber", ""),
        ),
        lines=tuple(_line(line, f"第 {place} 行 ") for place, line in enumerate(lines or [], 1)),
        remark=body.get("remarks", ""),
        drawer=body.get("drawer", ""),
        extra={"body": body},
    )


def red_form_of(body: Record, blue: Record) -> RedForm:
    """The form that a fastRed begins on this blue. Raises Rejected."""
    _texts(body, ("orderNo",), {"orderNo": 50}, "")
    must(body.get("fastIssueRedType", "1") == "1", "本沙箱只提供 fastIssueRedType=1 (自动开具红票)")
    must(body.get("redInvoiceLabel", "2") in REASONS, "redInvoiceLabel 无效")
    lines = body.get("details") or []
    taken = tuple(_red_line(line, blue, f"第 {place} 行 ") for place, line in enumerate(lines, 1))
    return RedForm(body["orderNo"], blue["number"], "seller", REASONS[body.get("redInvoiceLabel", "2")], taken)


def _texts(body: Record, required: tuple[str, ...], lengths: dict[str, int], where: str) -> None:
    for name in required:
        must(isinstance(body.get(name), str) and bool(body[name]), f"{where}{name} 必填", MISSING)
    for name, most in lengths.items():
        must(isinstance(body.get(name, ""), str), f"{where}{name} 类型错误")
        must(len(body.get(name, "")) <= most, f"{where}{name} 超过 {most} 个字符")


def _line(line: Record, where: str) -> Line:
    _texts(line, LINE_REQUIRED, {"goodsCode": 19}, where)
    net, tax = _number(line, "goodsTotalPrice", where), _number(line, "goodsTotalTax", where)
    gross = _number(line, "goodsTotalPriceTax", where) if line.get("goodsTotalPriceTax") else net + tax
    must(net + tax == gross, f"{where}不含税金额与税额之和不等于含税金额")
    must(line.get("invoiceLineNature", "0") in NATURES, f"{where}invoiceLineNature 无效")
    return Line(
        name=line["goodsName"],
        tax_class_code=line.get("goodsCode", ""),
        rate=_number(line, "goodsTaxRate", where),
        net=net,
        tax=tax,
        spec=line.get("goodsSpecification", ""),
        unit=line.get("goodsUnit", ""),
        qty=_number(line, "goodsQuantity", where) if line.get("goodsQuantity") else None,
        price=_number(line, "goodsPrice", where) if line.get("goodsPrice") else None,
        policy=POLICIES.get(line.get("freeTaxMark", ""), ""),
        nature=NATURES[line.get("invoiceLineNature", "0")],
    )


def _red_line(line: Record, blue: Record, where: str) -> RedLine:
    _texts(line, ("originalInvoiceDetailNo", *LINE_REQUIRED), {}, where)
    index = line["originalInvoiceDetailNo"]
    must(index.isdigit() and 0 < int(index) <= len(blue["lines"]), f"{where}不对应蓝票明细")
    own = blue["lines"][int(index) - 1]
    must(line["goodsName"] == own["name"], f"{where}商品与蓝票不一致")
    must(_number(line, "goodsTaxRate", where) == Decimal(own["rate"]), f"{where}税率与蓝票不一致")
    quantity = _number(line, "goodsQuantity", where) if line.get("goodsQuantity") else None
    return RedLine(int(index), _number(line, "goodsTotalPrice", where), _number(line, "goodsTotalTax", where), quantity)


def _number(line: Record, name: str, where: str) -> Decimal:
    text = line.get(name)
    fits = isinstance(text, str) and len(text) <= LONGEST_NUMBER and NUMBER.fullmatch(text)
    must(bool(fits), f"{where}{name} 不是至多 17 个字符、13 位小数的数字")
    try:
        return Decimal(str(text))
    except InvalidOperation:
        raise Rejected(FIELD, f"{where}{name} 不是数字") from None


__all__ = ["CODES", "NATURES", "Rejected", "blue_of", "must", "red_form_of"]
