"""The content of 票通's calls: lengths in GBK bytes, discounts within their line, items as the bureau's lines and back.

Source: 票通电子发票开票接口文档 v3.5.1, 2.3 (fields and codes of invoiceBlue) and 2.13 (items of queryInvoiceInfo).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bureau import Blue, Line, Party

Record = dict[str, Any]
KINDS = {"81": "special", "82": "normal"}
LONGEST = {"buyerName": 100, "remark": 240, "buyerTel": 20, "buyerBankAccount": 50, "drawerName": 20, "tradeNo": 200}
TOGETHER = (("buyerAddress", "buyerTel", 100), ("buyerBankName", "buyerBankAccount", 100))
ITEM = {"goodsName": 100, "taxClassificationCode": 50, "specificationModel": 40, "meteringUnit": 20}
MOST_ITEMS = 100  # discounts count
CENT = Decimal("0.01")
TOLERANCE = Decimal("0.06")
POLICIES = {"免税": "03", "不征税": "04", "简易征收": "01"}


class NotTaken(Exception):
    """An answer with this code."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


def size(value: str) -> int:
    """Bytes in GBK (GB 18030, its superset, so that every character counts)."""
    return len(value.encode("gb18030"))


def text(given: Record, name: str, longest: int) -> str:
    """A field that must be there."""
    value = str(given.get(name) or "")
    if not value or size(value) > longest:
        raise NotTaken("8995", f"{name} 不能为空, 且不超过 {longest} 个 GBK 字节")
    return value


def blue_of(serial: str, content: Record, config: Record) -> Blue:
    """The request of invoiceBlue."""
    kind = KINDS.get(str(content.get("invoiceIssueKindCode")))
    if kind is None:
        raise NotTaken("8037", "在票通平台无该票种权限")
    _check_texts(content)
    items = content.get("itemList") or []
    lines = tuple(line for place, item in enumerate(items, 1) for line in _lines(item, f"第 {place} 行"))
    if not lines or len(lines) > MOST_ITEMS:
        raise NotTaken("8995", f"itemList 须为 1 至 {MOST_ITEMS} 行 (含折扣行)")
    buyer = Party(
        text(content, "buyerName", LONGEST["buyerName"]),
        *(
            str(content.get(f"buyer{name}") or "")
            for name in ("TaxpayerNum", "Address", "Tel", "BankName", "BankAccount")
        ),
    )
    kept = {name: str(content.get(name) or "") for name in ("definedData", "tradeNo", "takerEmail")}
    seller = Party(config["seller_name"], config["tax_no"])
    remark, drawer = str(content.get("remark") or ""), str(content.get("drawerName") or "")
    return Blue(serial, kind, seller, buyer, lines, remark, drawer, kept)


def item_of(line: Record, place: int) -> Record:
    """A line of the bureau as queryInvoiceInfo tells it."""
    nature = {"normal": "0", "discount": "1", "discounted": "2"}[line["nature"]]
    price = {"quantity": line["qty"], "unitPrice": line["price"]}
    return {
        "goodsName": line["name"],
        "taxClassificationCode": line["tax_class_code"],
        "specificationModel": line["spec"],
        "meteringUnit": line["unit"],
        **price,
        "itemAmount": line["net"],
        "taxRate": line["rate"],
        "taxRateAmount": line["tax"],
        "itemProperty": nature,
        "itemNo": str(place),
    }


def _check_texts(content: Record) -> None:
    for name, longest in LONGEST.items():
        if size(str(content.get(name) or "")) > longest:
            raise NotTaken("8995", f"{name} 超过 {longest} 个 GBK 字节")
    for first, second, longest in TOGETHER:
        if size(str(content.get(first) or "") + str(content.get(second) or "")) > longest:
            raise NotTaken("8995", f"{first} 与 {second} 合计超过 {longest} 个 GBK 字节")


def _lines(item: Record, where: str) -> list[Line]:
    """The line of an item and, where it has a discount, the line that the platform makes of that."""
    for name, longest in ITEM.items():
        if size(str(item.get(name) or "")) > longest:
            raise NotTaken("8995", f"{where} {name} 超过 {longest} 个 GBK 字节")
    rate = _number(item, "taxRateValue", where)
    net, tax = _number(item, "invoiceAmount", where), _number(item, "taxRateAmount", where)
    if str(item.get("includeTaxFlag") or "0") == "1":
        net -= tax
    _check_amounts(item, net, tax, rate, where)
    line = _line(item, net, tax, rate, where)
    if not item.get("discountAmount"):
        return [line]
    off, off_tax = _number(item, "discountAmount", where), _number(item, "discountTaxRateAmount", where)
    if off >= 0 or -off > net:
        raise NotTaken("8007", f"{where} 折扣金额不可大于对应商品行金额, 且须为负数")
    if abs(off * rate - off_tax) > TOLERANCE:
        raise NotTaken("8017", f"{where} 折扣税额和税率不匹配")
    discounted = Line(**{**vars(line), "nature": "discounted"})
    none = {"spec": "", "unit": "", "qty": None, "price": None, "nature": "discount"}
    return [discounted, Line(**{**vars(line), **none, "net": off, "tax": off_tax})]


def _line(item: Record, net: Decimal, tax: Decimal, rate: Decimal, where: str) -> Line:
    has_price = bool(item.get("quantity"))
    return Line(
        text(item, "goodsName", ITEM["goodsName"]),
        text(item, "taxClassificationCode", ITEM["taxClassificationCode"]),
        rate,
        net,
        tax,
        str(item.get("specificationModel") or ""),
        str(item.get("meteringUnit") or ""),
        _number(item, "quantity", where) if has_price else None,
        _number(item, "unitPrice", where) if has_price else None,
        POLICIES.get(str(item.get("vatSpecialManage") or ""), ""),
    )


def _check_amounts(item: Record, net: Decimal, tax: Decimal, rate: Decimal, where: str) -> None:
    if abs(net * rate - tax) > TOLERANCE:
        raise NotTaken("8011", f"{where} 税额与税率不匹配")
    if rate == 0 and str(item.get("zeroTaxFlag") or "") not in ("0", "1", "2", "3"):
        raise NotTaken("8014", f"{where} 税率为 0 时，零税率标示必须选择")
    if item.get("preferentialPolicyFlag") == "1" and not item.get("vatSpecialManage"):
        raise NotTaken("8008", f"{where} 优惠政策不为空时，增值税特殊管理不能为空")
    if bool(item.get("quantity")) != bool(item.get("unitPrice")):
        raise NotTaken("8995", f"{where} 数量和单价必须同时为空或同时不为空")
    if item.get("quantity"):
        made = _number(item, "quantity", where) * _number(item, "unitPrice", where)
        if abs(made - _number(item, "invoiceAmount", where)) > CENT:
            raise NotTaken("8016", f"{where} 单价数量金额不匹配")


def _number(row: Record, name: str, where: str) -> Decimal:
    try:
        return Decimal(str(row.get(name) or ""))
    except InvalidOperation:
        raise NotTaken("8995", f"{where} {name} 不是数字") from None
