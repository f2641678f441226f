"""开票: requests for blue invoices from orders, red ones from refunds. Pure: the same sources make the same request.

One order is one request, unless `duijie.derive.invoice_grouping` merges or splits. Lines carry the order's own net, tax
and gross; freight the buyer paid is a line of its own, so that the invoice comes to exactly what the order comes to. A
price is without tax. Numbers derive from the key of the source and stay the same however often a request is made.

Sources: 国家税务总局公告 2024 年第 11 号 (数电票 and its red letters); 增值税法 第七条, 第十条.
What a platform checks is checked in `duijie.derive.invoice_checks`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import NamedTuple

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.invoice_billing import Billed, billed
from duijie.derive.invoice_checks import check
from duijie.derive.invoice_rules import Finding, InvoiceRules, load_rules, makes_amount
from duijie.derive.rounding import Split, split_tax
from duijie.derive.tax_numbers import is_person

BLUE_LENGTH = 20
RED_LENGTH = 24
PRICE_CHARACTERS = 16
PRICE_PLACES = 8
BUYER_FIELDS = ("tax_no", "address", "phone", "bank", "account", "email", "mobile")
NOT_ON_DISCOUNTS = ("qty", "price", "unit")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ZERO = Decimal("0.00")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Returned(NamedTuple):
    """What a refund takes back of one line: amounts positive, quantity 0 for an allowance 折让."""

    split: Split
    qty: Decimal


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
    if "invoice_wish" not in order or not lines:
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


def red_request(
    refund: Record,
    order: Record,
    blue: Record,
    request: Record,
    rules: InvoiceRules,
    earlier: Sequence[Record] = (),
) -> Record:
    """A red_request for a successful refund of an order whose blue invoice is issued; amounts negative.

    `earlier`: the red_requests of this blue that were made before (voided ones left out). The refund that takes the
    last of a line takes what is left of its net and tax, so that reds split by amount never exceed their blue by a
    cent. A refund of the whole invoice has no lines. Raises InvalidDocument when the refund names no line of the blue,
    comes to nothing, or is more than what is left of its line.
    """
    index = blue_line(refund, order, request)
    line = request["lines"][index]
    back = _returned(refund, line, _left(line, index + 1, earlier))
    is_whole = back.split.gross == request["gross"]
    amounts = Split(request["gross"], request["net"], request["tax"]) if is_whole else back.split
    request_no = number_of(rules.red_prefix, refund["key"], RED_LENGTH)
    return {
        "key": request_no,
        "request_no": request_no,
        "reason": "sales_return" if refund["kind"] == "goods_and_money" else "allowance",
        "blue_request_no": request["request_no"],
        "blue_number": blue["number"],
        "blue_kind": request["kind"],
        "blue_issued_at": blue["issued_at"],
        "seller_tax_no": request["seller_tax_no"],
        "buyer": request["buyer"],
        "order_key": refund["order_key"],
        "refund_key": refund["key"],
        "net": -amounts.net,
        "tax": -amounts.tax,
        "gross": -amounts.gross,
        "lines": [] if is_whole else [_red_line(line, back, index + 1)],
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


def blue_line(refund: Record, order: Record, request: Record) -> int:
    """The place of the refunded line on the blue: by the order line's oid, else by its SKU if that is there once."""
    lines = request["lines"]
    by_oid = [place for place, line in enumerate(billable(order)) if line["oid"] == refund["oid"]]
    by_sku = [place for place, line in enumerate(lines) if line.get("sku") == refund["sku"]]
    if len(by_oid) == 1 and by_oid[0] in by_sku:
        return by_oid[0]
    if len(by_sku) == 1:
        return by_sku[0]
    raise _not_possible(refund["key"], f"蓝票上没有退款的商品 {refund['sku']}", f"the blue has no line {refund['sku']}")


def _left(line: Record, blue_line: int, earlier: Sequence[Record]) -> Returned:
    """What earlier reds have left of a blue line; a red without lines has taken everything."""
    if any(not red["lines"] for red in earlier):
        return Returned(Split(ZERO, ZERO, ZERO), Decimal(0))
    taken = [one for red in earlier for one in red["lines"] if one["blue_line"] == blue_line]
    gross, net, tax, qty = (
        line[name] + sum((one[name] for one in taken), Decimal(0)) for name in ("gross", "net", "tax", "qty")
    )
    return Returned(Split(gross, net, tax), qty)


def _returned(refund: Record, line: Record, left: Returned) -> Returned:
    """The refund split at the blue's rate, within what is left; the last of a line takes exactly the rest."""
    amount, rest = refund["amount"], left.split
    if not 0 < amount <= rest.gross:
        zh = f"退款金额 {amount} 不在 0 与蓝票该行可冲金额 {rest.gross} 之间 (E-RED-OVER)"
        raise _not_possible(refund["key"], zh, f"refund {amount} is not within the line's {rest.gross} (E-RED-OVER)")
    with_goods = refund["kind"] == "goods_and_money"
    if amount == rest.gross:
        return Returned(rest, left.qty if with_goods else Decimal(0))
    qty = min(Decimal(refund["qty"]), left.qty) if with_goods else Decimal(0)
    tax = max(min(split_tax(amount, line["tax_rate"]).tax, rest.tax), amount - rest.net)
    return Returned(Split(amount, amount - tax, tax), qty)


def _red_line(line: Record, back: Returned, blue_line: int) -> Record:
    """A line of the form; an allowance 折让 takes back money and no goods: quantity and price 0 stand for none."""
    net, qty = back.split.net, back.qty
    price = Decimal(0)
    if qty:
        price = line["price"] if makes_amount(qty, line["price"], net) else unit_price(net, qty)
    kept: Record = {name: line[name] for name in ("name", "sku", "tax_class_code", "unit", "tax_rate") if name in line}
    amounts = {name: -value for name, value in back.split._asdict().items()}
    return {"line_no": 1, **kept, "qty": -qty, "price": price, **amounts, "blue_line": blue_line}


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
    "blue_line",
    "blue_request",
    "check",
    "load_rules",
    "number_of",
    "order_lines",
    "owed",
    "red_request",
]
