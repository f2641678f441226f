"""What of an order is invoiced: its lines after refunds, order-level discounts and returned lines, to the cent.

Money the platform pays (平台券, `platform_discount`) is owed to the seller like the buyer's and stays on the invoice:
an order's gross holds it. Source: 国税函〔2010〕56 号 (a discount counts only where it stands on the invoice).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.rounding import CENT, split_tax

ZERO = Decimal("0.00")


class Billed(NamedTuple):
    """A line as it is invoiced: gross = net + tax in yuan; `full` is its gross before discounts."""

    line: Record
    qty: Decimal
    gross: Decimal
    net: Decimal
    tax: Decimal
    full: Decimal


def billed(order: Record, rules: InvoiceRules, refunds: Sequence[Record] = ()) -> list[Billed]:
    """The lines of a sales_order that stand on its invoice, in its order; refunds are those paid back before issue.

    Raises InvalidDocument for a refund that fits no line, and for a returned line that no others can take.
    """
    lines = [_as_ordered(line, rules) for line in order["lines"]]
    if (off := _order_discount(order)) > 0:
        lines = _lessened(lines, spread(off, [max(line.gross, ZERO) for line in lines]), rules)
    if rules.negative_lines == "spread" and any(line.gross < 0 for line in lines):
        lines = _without_negative(order, lines, rules)
    for refund in refunds:
        lines = _refunded(lines, refund)
    return [line for line in lines if line.gross or (rules.gifts == "discount_line" and line.full > 0)]


def spread(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """An amount of whole cents over lines in proportion, each half-up, the tail on the last that has room for it.

    0 ≤ amount ≤ the sum of the weights, which are whole cents and not negative; no share exceeds its weight.
    """
    total = sum(weights, ZERO)
    shares = [(amount * weight / total).quantize(CENT, ROUND_HALF_UP) if total else ZERO for weight in weights]
    rest = amount - sum(shares, ZERO)
    for at in reversed(range(len(shares))):
        share = min(max(shares[at] + rest, ZERO), weights[at])
        rest -= share - shares[at]
        shares[at] = share
    return shares


def _as_ordered(line: Record, rules: InvoiceRules) -> Billed:
    """A line with the order's own net and tax."""
    gross, qty = line["gross"], Decimal(line["qty"])
    full = gross
    if rules.discounts == "discount_line" or (not gross and rules.gifts == "discount_line"):
        full = gross + max(line.get("discount", ZERO), ZERO)
        if not full and "price" in line:
            full = (line["price"] * qty).quantize(CENT, ROUND_HALF_UP)
    return Billed(line, qty, gross, line["net"], line["tax"], full)


def _order_discount(order: Record) -> Decimal:
    """What the seller took off the order and no line tells of; 0 unless it explains the difference to the cent."""
    over = sum((line["gross"] for line in order["lines"]), order["freight"]) - order["gross"]
    if over <= 0:
        return ZERO
    given: Decimal = order.get("seller_discount", ZERO)
    of_lines = sum((line.get("discount", ZERO) for line in order["lines"]), ZERO)
    return Decimal(over) if over in (given, given - of_lines) else ZERO


def _lessened(lines: Sequence[Billed], shares: Sequence[Decimal], rules: InvoiceRules) -> list[Billed]:
    """Lines with so much less gross each; as discount lines show it, the amount before it stays."""
    shown = rules.discounts == "discount_line"
    return [
        _with_gross(line, line.gross - share, full=line.full if shown else line.full - share) if share else line
        for line, share in zip(lines, shares, strict=True)
    ]


def _with_gross(line: Billed, gross: Decimal, full: Decimal) -> Billed:
    return line._replace(full=full, **split_tax(gross, line.line["tax_rate"])._asdict())


def _without_negative(order: Record, lines: Sequence[Billed], rules: InvoiceRules) -> list[Billed]:
    """Returned lines taken off the lines of their rate, those of their SKU before the others."""
    kept = [line for line in lines if line.gross >= 0]
    for back in (line for line in lines if line.gross < 0):
        rest = -back.gross
        for same_sku in (True, False):
            weights = [line.gross if _fits(line.line, back.line, same_sku) else ZERO for line in kept]
            taken = min(rest, sum(weights, ZERO))
            kept = _lessened(kept, spread(taken, weights), rules)
            rest -= taken
        if rest:
            zh = f"退货行 {back.line['name']} {back.gross} 超过同税率各行的金额"
            raise _not_possible(order["key"], zh, f"the returned line {back.gross} exceeds the lines of its rate")
    return kept


def _fits(line: Record, back: Record, same_sku: bool) -> bool:
    return bool(line["tax_rate"] == back["tax_rate"] and (line["sku"] == back["sku"] or not same_sku))


def _refunded(lines: list[Billed], refund: Record) -> list[Billed]:
    """Lines after a refund: goods that came back take their quantity with them, money alone lowers the amount."""
    at = _place(lines, refund)
    line, amount = lines[at], refund["amount"]
    if not 0 < amount <= line.gross:
        zh = f"退款 {amount} 不在 0 与该行 {line.gross} 之间"
        raise _not_possible(refund["key"], zh, f"refund {amount} is not within its line's {line.gross}")
    gross, qty, full = line.gross - amount, line.qty, line.full
    if refund["kind"] == "goods_and_money":
        qty = max(qty - Decimal(refund["qty"]), Decimal(0)) or qty
        full = (full * gross / line.gross).quantize(CENT, ROUND_HALF_UP)
    elif full == line.gross:
        full = gross
    left = _with_gross(line, gross, full if gross else ZERO)._replace(qty=qty)
    return [*lines[:at], left, *lines[at + 1 :]]


def _place(lines: Sequence[Billed], refund: Record) -> int:
    """The place of the refunded line: by the order line's oid, else by its SKU if that is there once."""
    by_oid = [at for at, line in enumerate(lines) if line.line["oid"] == refund["oid"]]
    by_sku = [at for at, line in enumerate(lines) if line.line["sku"] == refund["sku"]]
    if len(by_oid) == 1:
        return by_oid[0]
    if len(by_sku) == 1:
        return by_sku[0]
    raise _not_possible(
        refund["key"], f"订单上没有退款的商品 {refund['sku']}", f"the order has no line {refund['sku']}"
    )


def _not_possible(key: str, zh: str, en: str) -> InvalidDocument:
    return InvalidDocument(f"{key}: {zh}; 请核对后人工处理", en=f"{key}: {en}", code="INVOICE", where=key)


__all__ = ["Billed", "billed", "spread"]
