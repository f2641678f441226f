"""What 诺诺 checks before it takes a request: fields and lengths of requestBillingNew.

Source: 诺税通 SaaS "请求开具发票" (requestBillingNew) field table and its notes (open.nuonuo.com). Special
businesses are in sandbox/nuonuo_special.py; what every platform checks alike is the bureau's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Record = dict[str, Any]

FIELD = "E9301"
MAX_LINES = 2000
RATES = frozenset(map(Decimal, ("0.13", "0.09", "0.06", "0.05", "0.03", "0.015", "0.01", "0")))
CODE = re.compile(r"\d{19}")
MONEY = re.compile(r"-?\d{1,12}(\.\d{1,2})?")
POLICIES = frozenset(f"{code:02d}" for code in range(1, 19))
EIGHT_PLACES = re.compile(r"-?\d+(\.\d{1,8})?")
HEAD_LENGTHS = {
    "buyerName": 100,
    "buyerTaxNum": 20,
    "buyerTel": 50,
    "buyerAddress": 80,
    "buyerAccount": 100,
    "salerTaxNum": 20,
    "salerTel": 20,
    "salerAddress": 80,
    "salerAccount": 100,
    "orderNo": 20,
    "invoiceDate": 19,
    "clerk": 20,
    "checker": 20,
    "payee": 20,
    "remark": 200,
    "buyerPhone": 20,
    "email": 50,
    "extensionNumber": 5,
    "terminalNumber": 4,
    "bField1": 255,
    "bField2": 255,
    "bField3": 255,
}
LINE_LENGTHS = {"goodsName": 90, "goodsCode": 19, "selfCode": 16, "price": 16, "num": 16, "unit": 20, "specType": 40}
KINDS_OF: Mapping[str, type] = {
    "invoiceDetail": list,
    "detail": list,
    "invoiceGoodsTransports": list,
    "invoiceTravellerTransportInfoList": list,
    "invoiceBuildingInfo": dict,
    "realPropertySellInfo": dict,
    "realPropertyRentInfo": dict,
}
REQUIRED = ("buyerName", "salerTaxNum", "orderNo", "invoiceDate", "clerk", "invoiceType", "invoiceLine")
LINE_REQUIRED = ("goodsName", "goodsCode", "withTaxFlag", "taxRate", "tax", "taxExcludedAmount", "taxIncludedAmount")


class Refused(Exception):
    """A refusal with the platform's code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def must(holds: bool, text: str, code: str = FIELD) -> None:
    """Refuse unless it holds."""
    if not holds:
        raise Refused(code, text)


def money(record: Record, name: str) -> Decimal:
    """An amount with at most two decimals, which must have come as text."""
    must(bool(MONEY.fullmatch(str(record.get(name, "")))), f"{name} 不是金额: {record.get(name)!r}")
    return Decimal(record[name])


def rate(record: Record) -> Decimal:
    """A tax rate as a fraction."""
    try:
        value = Decimal(record.get("taxRate", ""))
    except InvalidOperation:
        raise Refused(FIELD, f"taxRate 不是数字: {record.get('taxRate')!r}") from None
    must(value in RATES, f"taxRate 不是有效税率: {value}")
    return value


def fields(record: Record, required: tuple[str, ...], lengths: Mapping[str, int], where: str) -> None:
    """Every scalar is text, the required ones are there, none is too long."""
    must(isinstance(record, dict), f"{where} 不是对象")
    for name in required:
        must(record.get(name) not in (None, ""), f"{where} 缺少 {name}")
    for name, value in record.items():
        must(isinstance(value, KINDS_OF.get(name, str)), f"{where} 的 {name} 类型错误")
        must(len(value) <= lengths.get(name, MAX_LINES), f"{where} 的 {name} 超过 {lengths.get(name)} 个字符")


def check_order(order: Record, seller: str) -> None:
    """The head of a request. Raises Refused."""
    fields(order, REQUIRED, HEAD_LENGTHS, "order")
    must(order["salerTaxNum"] == seller, "salerTaxNum 与授权的税号不一致")
    must(order["invoiceType"] == "1", "数电票红冲请使用红字确认单接口")
    must(order["invoiceLine"] in ("pc", "bs"), "该企业未开通此票种")
    must(order["invoiceLine"] != "bs" or bool(order.get("buyerTaxNum")), "专票购方税号不能为空", "E9529")
    must(len(order.get("buyerAddress", "") + order.get("buyerTel", "")) <= 100, "购方地址与电话合计超过 100 个字符")
    must(_is_moment(order["invoiceDate"]), "invoiceDate 格式应为 yyyy-MM-dd HH:mm:ss")
    push = order.get("pushMode") or "1"
    must(push in ("-1", "0", "1", "2"), "pushMode 无效")
    must(push not in ("1", "2") or bool(order.get("buyerPhone")), "pushMode 为 1 或 2 时 buyerPhone 必填")
    must(push not in ("0", "2") or bool(order.get("email")), "pushMode 为 0 或 2 时 email 必填")
    must(not _is_suspect_person(order), "个人购方请使用 naturalPersonFlag")


def check_lines(lines: Any) -> None:
    """The lines of a request as the field table has them; their arithmetic is the bureau's. Raises Refused."""
    must(isinstance(lines, list) and 0 < len(lines) <= MAX_LINES, f"invoiceDetail 应有 1 至 {MAX_LINES} 行")
    for index, line in enumerate(lines, 1):
        _check_line(line, f"第 {index} 行")


def check_quantity(num: str, price: str, where: str) -> None:
    """Quantity and price: both or neither, at most 8 decimals."""
    must(bool(num) == bool(price), f"{where} 单价与数量必须同时填写或同时为空")
    must(all(EIGHT_PLACES.fullmatch(text) for text in (num, price) if text), f"{where} 单价或数量超过 8 位小数")


def _check_line(line: Record, where: str) -> None:
    fields(line, LINE_REQUIRED, LINE_LENGTHS, where)
    must(bool(CODE.fullmatch(line["goodsCode"])), f"{where} goodsCode 不是 19 位数字")
    must(line["withTaxFlag"] in ("0", "1"), f"{where} withTaxFlag 无效")
    must((line.get("invoiceLineProperty") or "0") in ("0", "1", "2"), f"{where} invoiceLineProperty 无效")
    must((line.get("favouredPolicyFlag") or "01") in POLICIES, f"{where} favouredPolicyFlag 无效")
    net, tax, gross = (money(line, name) for name in ("taxExcludedAmount", "tax", "taxIncludedAmount"))
    must(net + tax == gross, f"{where} 不含税金额与税额之和不等于含税金额")
    rate(line)
    check_quantity(line.get("num", ""), line.get("price", ""), where)


def _is_moment(text: str) -> bool:
    try:
        return bool(datetime.strptime(text, "%Y-%m-%d %H:%M:%S"))  # noqa: DTZ007  only its form counts
    except ValueError:
        return False


def _is_suspect_person(order: Record) -> bool:
    verified = order.get("naturalPersonVerifyFlag") == "1" and order["invoiceLine"] == "pc"
    return verified and order.get("naturalPersonFlag") != "1" and len(order["buyerName"]) <= 4
