"""开票: requests for blue invoices from orders. Pure: the same sources make the same request.

One order is one request. Lines carry the order's own net, tax and gross; freight the buyer paid is a line of its own,
so that the invoice comes to exactly what the order comes to. Lines of nothing (gifts) are not invoiced. A price is
without tax. Numbers derive from the key of the source and stay the same however often a request is made.

What reverses them is made in `duijie.derive.reds`.

Sources: 国家税务总局公告 2024 年第 11 号; 增值税法 第七条, 第十条.
What a platform checks is checked in `duijie.derive.invoice_rules`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.invoice_rules import Finding, InvoiceRules, check, load_rules
from duijie.derive.rounding import split_tax

BLUE_LENGTH = 20
PRICE_CHARACTERS = 16
PRICE_PLACES = 8
NAME_LENGTH = 90
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ZERO = Decimal("0.00")


def number_of(prefix: str, key: str, length: int) -> str:
    """A number of [0-9A-Z] of that length: prefix and the SHA-256 of the key in base 36."""
    value = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
    digits = ""
    while len(digits) < length - len(prefix):
        value, digit = divmod(value, len(DIGITS))
        digits += DIGITS[digit]
    return prefix + digits


def blue_request(order: Record, rules: InvoiceRules) -> Record:
    """An invoice_request for a sales_order with `invoice_wish`; amounts in yuan.

    Raises InvalidDocument for an order without a wish or with nothing to invoice. Anything else that is wrong with the
    request is told by `check`, all at once.
    """
    wish = order.get("invoice_wish")
    parts = [_goods_line(line, rules) for line in billable(order)] + _freight_lines(order, rules)
    if wish is None or not parts:
        raise _not_possible(order["key"], "订单没有开票要求或没有应开票的金额", "no wish, or nothing to invoice")
    lines = [{"line_no": number, **part} for number, part in enumerate(parts, 1)]
    buyer = {"name": _clean(wish["title"]), **{name: wish[name] for name in ("tax_no", "email") if wish.get(name)}}
    request_no = number_of(rules.blue_prefix, order["key"], BLUE_LENGTH)
    return {
        "key": request_no,
        "request_no": request_no,
        "kind": wish["kind"],
        "seller_tax_no": rules.seller_tax_no,
        "buyer": buyer,
        "order_key": order["key"],
        "ordered_at": order["ordered_at"],
        "remark": rules.remark.format(order_no=order["order_no"]),
        "net": _total(lines, "net"),
        "tax": _total(lines, "tax"),
        "gross": order["gross"],
        "lines": lines,
    }


def billable(order: Record) -> list[Record]:
    """The order's lines that stand on the invoice, in its order."""
    return [line for line in order["lines"] if line["gross"]]


def unit_price(net: Decimal, qty: Decimal) -> Decimal:
    """The price without tax of one unit: at most 8 decimals and 16 characters, half-up."""
    price = net / qty
    whole = len(str(int(abs(price))))
    places = max(0, min(PRICE_PLACES, PRICE_CHARACTERS - whole - 1))
    return price.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _goods_line(line: Record, rules: InvoiceRules) -> Record:
    made = {
        "name": _clean(line["name"])[:NAME_LENGTH],
        "sku": line["sku"],
        "tax_class_code": line.get("tax_class_code", ""),
        "unit": line["unit"],
        "qty": Decimal(line["qty"]),
        "price": unit_price(line["net"], Decimal(line["qty"])),
    }
    return {**made, **{name: line[name] for name in ("tax_rate", "net", "tax", "gross")}}


def _freight_lines(order: Record, rules: InvoiceRules) -> list[Record]:
    """Freight the buyer paid, at its own rate and tax class."""
    if not order["freight"]:
        return []
    freight = rules.freight
    split = split_tax(order["freight"], freight.tax_rate)
    head = {"name": freight.name, "tax_class_code": freight.tax_class_code, "unit": freight.unit}
    return [{**head, "qty": Decimal(1), "price": split.net, "tax_rate": freight.tax_rate, **split._asdict()}]


def _total(lines: Iterable[Record], name: str) -> Decimal:
    return sum((line[name] for line in lines), ZERO)


def _clean(text: str) -> str:
    """Without control characters and blanks at the ends."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()


def _not_possible(key: str, zh: str, en: str) -> InvalidDocument:
    return InvalidDocument(f"{key}: {zh}; 请核对后人工处理", en=f"{key}: {en}", code="INVOICE", where=key)


__all__ = [
    "Finding",
    "InvoiceRules",
    "billable",
    "blue_request",
    "check",
    "load_rules",
    "number_of",
    "unit_price",
]
