"""开票: requests for blue invoices from orders. Pure: the same sources make the same request.

One order is one request, unless `duijie.derive.invoice_grouping` merges or splits. Lines carry the order's own net, tax
and gross; freight the buyer paid is a line of its own, so that the invoice comes to exactly what the order comes to. A
price is without tax. Numbers derive from the key of the source and stay the same however often a request is made.

What reverses them is made in `duijie.derive.reds`, what a platform checks is checked in `duijie.derive.invoice_checks`.

Sources: 国家税务总局公告 2024 年第 11 号; 增值税法 第七条, 第十条.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.invoice_billing import Billed, billed
from duijie.derive.invoice_checks import check
from duijie.derive.invoice_rules import Finding, InvoiceRules, load_rules
from duijie.derive.rounding import split_tax
from duijie.derive.tax_numbers import is_person

BLUE_LENGTH = 20
PRICE_CHARACTERS = 16
PRICE_PLACES = 8
BUYER_FIELDS = ("tax_no", "address", "phone", "bank", "account", "email", "mobile")
NOT_ON_DISCOUNTS = ("qty", "price", "unit")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ZERO = Decimal("0.00")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def number_of(prefix: str, key: str, length: int) -> str:
    """A number of [0-9A-Z] of that length: prefix and the SHA-256 of the key in base 36."""
    value = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
    digits = ""
    while len(digits) < length - len(prefix):
        value, digit = divmod(value, len(DIGITS))
        digits += DIGITS[digit]
    return prefix + digits


def blue_request(order: Record, rules: InvoiceRules, refunds: Sequence[Record] = ()) -> Record:
    """An invoice_request for a sales_order with `invoice_wish`; amounts in yuan. `refunds`: those paid back already.

    Raises InvalidDocument for an order without a wish or with nothing to invoice. Anything else that is wrong with the
    request is told by `check`, all at once.
    """
    lines = order_lines(order, rules, refunds)
    if not order.get("invoice_wish") or not lines:
        raise _not_possible(order["key"], "订单没有开票要求或没有应开票的金额", "no wish, or nothing to invoice")
    number = number_of(rules.blue_prefix, order["key"], BLUE_LENGTH)
    return assemble([order], lines, rules, number, owed(order, refunds))


def assemble(
    orders: Sequence[Record], lines: Iterable[Record], rules: InvoiceRules, request_no: str, gross: Decimal
) -> Record:
    """A request of lines (without numbers) of orders of one buyer; the first of them says who, which kind and when."""
    first, numbered = orders[0], [{"line_no": number, **line} for number, line in enumerate(lines, 1)]
    return {
        "key": request_no,
        "request_no": request_no,
        "kind": first["invoice_wish"]["kind"],
        "seller_tax_no": rules.seller_tax_no,
        "buyer": buyer_of(first["invoice_wish"]),
        "order_key": first["key"],
        "ordered_at": first["ordered_at"],
        "remark": remark_of(orders, rules),
        "net": _total(numbered, "net"),
        "tax": _total(numbered, "tax"),
        "gross": gross,
        "lines": numbered,
    }


def owed(order: Record, refunds: Sequence[Record] = ()) -> Decimal:
    """What an invoice of the order comes to, in yuan: its gross, less what was paid back."""
    return Decimal(order["gross"] - sum(refund["amount"] for refund in refunds)) if refunds else order["gross"]


def buyer_of(wish: Record) -> Record:
    """The buyer that a wish names; a person's where it says so, or where a 普票 has an identity number."""
    buyer: Record = {"name": _clean(wish["title"]), **{name: wish[name] for name in BUYER_FIELDS if wish.get(name)}}
    if wish.get("natural_person") or (wish["kind"] == "normal" and is_person(wish.get("tax_no", ""))):
        buyer["natural_person"] = True
    return buyer


def remark_of(orders: Sequence[Record], rules: InvoiceRules) -> str:
    """The remark template filled in; the numbers of many orders are cut short so that it stays within its limit."""
    first = orders[0]
    filled = partial(
        rules.remark.format,
        orders=len(orders),
        platform=first.get("platform", ""),
        shop=first.get("shop", ""),
        title=first["invoice_wish"]["title"],
        date=first["ordered_at"][:10],
    )
    numbers = [str(order["order_no"]) for order in orders]
    whole: str = filled(order_no="、".join(numbers))
    shown = len(numbers)
    while len(whole) > rules.max_remark > 0 and shown > 1:
        shown -= 1
        whole = filled(order_no=f"{'、'.join(numbers[:shown])} 等 {len(numbers)} 单")
    return whole


def order_lines(order: Record, rules: InvoiceRules, refunds: Sequence[Record] = ()) -> list[Record]:
    """The lines of an order's invoice, without numbers: goods, discounts as lines where the rules say so, freight."""
    lines = [line for one in billed(order, rules, refunds) for line in _goods_lines(one, rules)]
    return lines + _freight_lines(order, rules)


def billable(order: Record) -> list[Record]:
    """The order's lines that stand on the invoice, in its order."""
    return [line for line in order["lines"] if line["gross"]]


def unit_price(net: Decimal, qty: Decimal) -> Decimal:
    """The price without tax of one unit: at most 8 decimals and 16 characters, half-up."""
    price = net / qty
    whole = len(str(int(abs(price))))
    places = max(0, min(PRICE_PLACES, PRICE_CHARACTERS - whole - 1))
    return price.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _goods_lines(one: Billed, rules: InvoiceRules) -> list[Record]:
    """A line as it is billed, or before its discount with a discount line behind it."""
    off = one.full - one.gross
    if off <= 0:
        return [_goods_line(one, one.net, one.tax, one.gross, rules)]
    back = split_tax(off, one.line["tax_rate"])
    goods = _goods_line(one, one.net + back.net, one.tax + back.tax, one.full, rules)
    kept = {name: value for name, value in goods.items() if name not in NOT_ON_DISCOUNTS}
    discount = {**kept, "nature": "discount", "net": -back.net, "tax": -back.tax, "gross": -back.gross}
    return [{**goods, "nature": "discounted"}, discount]


def _goods_line(one: Billed, net: Decimal, tax: Decimal, gross: Decimal, rules: InvoiceRules) -> Record:
    line = one.line
    code = line.get("tax_class_code", "")
    made = {
        "name": _clean(line["name"])[: rules.max_name or None],
        "sku": line["sku"],
        "tax_class_code": code,
        "unit": line["unit"],
        "qty": one.qty,
        "price": unit_price(net, one.qty),
        "tax_rate": line["tax_rate"],
        "net": net,
        "tax": tax,
        "gross": gross,
        "oid": line["oid"],
    }
    if policy := line.get("policy") or (rules.policies and rules.policy_of(code)):
        made["policy"] = policy
    return made


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
    return _CONTROL.sub(" ", text).strip()


def _not_possible(key: str, zh: str, en: str) -> InvalidDocument:
    return InvalidDocument(f"{key}: {zh}; 请核对后人工处理", en=f"{key}: {en}", code="INVOICE", where=key)


__all__ = [
    "Finding",
    "InvoiceRules",
    "assemble",
    "billable",
    "blue_request",
    "check",
    "load_rules",
    "number_of",
    "order_lines",
    "owed",
    "unit_price",
]
