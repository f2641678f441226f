"""红冲: what takes a blue invoice back, by lines or as a whole. Pure: the same sources make the same request.

A red never takes more than its blue has left, per line in money and in pieces: the refund that takes the last of a line
takes exactly the rest of its net and tax. A discount line belongs to the line before it: a red names that line only, at
what the discount left of it. 开票有误 (a wrong title) reverses the whole invoice, or nothing.

Source: 国家税务总局公告 2024 年第 11 号 (who may apply, reasons, 72 hours, partial and full).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.invoice_rules import InvoiceRules, makes_amount, names_title
from duijie.derive.invoices import billable, number_of, unit_price
from duijie.derive.rounding import Split, split_tax

BLUE_LENGTH = 20
RED_LENGTH = 24
ZERO = Decimal("0.00")
NOTHING = Split(ZERO, ZERO, ZERO)
REASONS: Mapping[str, str] = {"goods_and_money": "sales_return"}
KEPT = ("name", "sku", "tax_class_code", "spec", "unit", "tax_rate", "policy")


class Returned(NamedTuple):
    """What is taken back of one line: amounts positive, quantity 0 for an allowance 折让."""

    split: Split
    qty: Decimal


def red_request(
    refund: Record,
    order: Record | None,
    blue: Record,
    request: Record,
    rules: InvoiceRules,
    earlier: Sequence[Record] = (),
    by_buyer: Sequence[Record] = (),
) -> Record:
    """A red_request for a successful refund of an order whose blue invoice is issued; amounts negative.

    `earlier`: the red_requests of this blue that were made before (voided ones left out); `by_buyer`: the red forms of
    the buyer on it that stand, whose lines are not known. A refund of the whole invoice has no lines. Raises
    InvalidDocument when the refund names no line of the blue, comes to nothing, or is more than what is left.
    """
    index = blue_line(refund, order, request)
    back = _returned(refund, request["lines"][index], left(request, index, earlier))
    _must_be_left(refund["key"], request, back.split.gross, (*earlier, *by_buyer))
    is_whole = back.split.gross == request["gross"]
    amounts = Split(request["gross"], request["net"], request["tax"]) if is_whole else back.split
    lines = [] if is_whole else [_red_line(request["lines"][index], back, index + 1)]
    reason = REASONS.get(refund["kind"], "allowance")
    head = _head(number_of(rules.red_prefix, refund["key"], RED_LENGTH), reason, blue, request)
    return {**head, "order_key": refund["order_key"], "refund_key": refund["key"], **_negative(amounts), "lines": lines}


def whole_red(request: Record, blue: Record, rules: InvoiceRules, earlier: Sequence[Record] = ()) -> Record:
    """The red_request that takes an invoice with a wrong title back as a whole (开票有误).

    Raises InvalidDocument where a part of it was reversed before: the bureau then takes no full red.
    """
    if earlier:
        numbers = ", ".join(str(one.get("request_no") or one["form_no"]) for one in earlier)
        zh = f"蓝票 {blue['number']} 已有红冲 {numbers}, 开票有误只能全额红冲 (E-RED-FULL-ONLY); 请与购方协商后人工处理"
        raise _not_possible(request["key"], zh, f"already reversed in part by {numbers} (E-RED-FULL-ONLY)")
    number = number_of(rules.red_prefix, f"{request['key']}/wrong", RED_LENGTH)
    amounts = Split(request["gross"], request["net"], request["tax"])
    head = _head(number, "wrong_invoice", blue, request)
    return {**head, "order_key": request["order_key"], **_negative(amounts), "lines": []}


def corrected(request: Record, buyer: Record, rules: InvoiceRules) -> Record:
    """The request that follows a reversed one: another buyer (in its remark too), another number, all else the same."""
    number = number_of(rules.blue_prefix, f"{request['key']}/corrected", BLUE_LENGTH)
    parts = {name: value for name, value in request.items() if name not in ("base_no", "part")}
    remark = request.get("remark", "")
    if names_title(rules):
        remark = remark.replace(request["buyer"]["name"], buyer["name"])
    known = {"key": number, "request_no": number, "buyer": buyer, "remark": remark, "corrects": request["request_no"]}
    return {**parts, **known}


def once_more(red: Record, request: Record, earlier: Sequence[Record], by_buyer: Sequence[Record] = ()) -> Record:
    """The same red_request under a new number, after its form became void; `earlier` are those that stand.

    Raises InvalidDocument where others have taken what it takes.
    """
    number = number_after(red["key"])
    _must_be_left(red["key"], request, -red["gross"], (*earlier, *by_buyer))
    for line in red["lines"]:
        rest = left(request, line["blue_line"] - 1, earlier)
        if -line["gross"] > rest.split.gross or -line["qty"] > rest.qty:
            raise _over(red["key"], -line["gross"], rest.split.gross)
    return {**red, "key": number, "request_no": number}


def number_after(number: str) -> str:
    """The number that takes the place of one which is void or given up."""
    return number_of(number[:2], f"{number}/again", len(number))


def issue_of(red: Record, invoice: Record, rules: InvoiceRules) -> Record:
    """The red_issue that has the red invoice of a confirmed form issued; `invoice`: what the platform says of it."""
    number = number_of(rules.red_prefix, f"{red['key']}/issue", BLUE_LENGTH)
    kept = {name: red[name] for name in ("blue_number", "blue_kind", "seller_tax_no", "net", "tax", "gross")}
    uuid = {"form_uuid": invoice["form_uuid"]} if invoice.get("form_uuid") else {}
    head = {"key": number, "request_no": number, "red_request_no": red["request_no"], "form_no": invoice["form_no"]}
    return {**head, **uuid, **kept}


def answer_of(form: Record, *, agrees: bool, why: str) -> Record:
    """The red_answer to a buyer's form. Raises InvalidDocument for a refusal without a reason."""
    if not agrees and not why.strip():
        raise _not_possible(form["key"], "拒绝确认单须写明原因", "say why the form is refused")
    kept = {name: form[name] for name in ("form_no", "form_uuid", "blue_number", "seller_tax_no") if form.get(name)}
    reason = {"reason": why.strip()} if why.strip() else {}
    return {"key": f"answer:{form['key']}", **kept, "agrees": agrees, **reason}


def blue_line(refund: Record, order: Record | None, request: Record) -> int:
    """The place of the refunded line on the blue, counted from 0.

    By the order's own line where the request names it (also in merged requests), else by its place in the order, else
    by the SKU if that is there once. Raises InvalidDocument where none of them tells.
    """
    mine = [place for place, line in enumerate(request["lines"]) if _is_of(line, refund, request)]
    named = [place for place in mine if request["lines"][place].get("oid") == refund["oid"]]
    by_sku = [place for place in mine if request["lines"][place].get("sku") == refund["sku"]]
    ordered = billable(order) if order and not any(line.get("oid") for line in request["lines"]) else []
    by_place = [place for place, line in enumerate(ordered) if line["oid"] == refund["oid"] and place in by_sku]
    for found in (named, by_place, by_sku):
        if len(found) == 1:
            return found[0]
    raise _not_possible(refund["key"], f"蓝票上没有退款的商品 {refund['sku']}", f"the blue has no line {refund['sku']}")


def left(request: Record, index: int, earlier: Sequence[Record]) -> Returned:
    """What earlier reds have left of a blue line, its discount taken off; a red without lines has taken everything."""
    if any(not red["lines"] for red in earlier):
        return Returned(NOTHING, Decimal(0))
    taken = [one for red in earlier for one in red["lines"] if one["blue_line"] == index + 1]
    stands = _standing(request, index)
    gross, net, tax = (
        getattr(stands.split, name) + sum((one[name] for one in taken), ZERO) for name in ("gross", "net", "tax")
    )
    return Returned(Split(gross, net, tax), stands.qty + sum((one.get("qty", ZERO) for one in taken), Decimal(0)))


def _is_of(line: Record, refund: Record, request: Record) -> bool:
    """Whether a line can be named by a red for this refund: of its order, and no discount."""
    return line.get("nature") != "discount" and line.get("order_key", request["order_key"]) == refund["order_key"]


def _standing(request: Record, index: int) -> Returned:
    """What a line stands for: itself and the discount behind it."""
    line, after = request["lines"][index], request["lines"][index + 1 : index + 2]
    parts = [line, *(one for one in after if one.get("nature") == "discount")]
    gross, net, tax = (sum((one[name] for one in parts), ZERO) for name in ("gross", "net", "tax"))
    return Returned(Split(gross, net, tax), Decimal(line.get("qty", 0)))


def _returned(refund: Record, line: Record, rest: Returned) -> Returned:
    """The refund split at the blue's rate, within what is left; the last of a line takes exactly the rest."""
    amount, split = refund["amount"], rest.split
    if not 0 < amount <= split.gross:
        raise _over(refund["key"], amount, split.gross)
    with_goods = refund["kind"] == "goods_and_money"
    if amount == split.gross:
        return Returned(split, rest.qty if with_goods else Decimal(0))
    qty = min(Decimal(refund.get("qty", 0)), rest.qty) if with_goods else Decimal(0)
    tax = max(min(split_tax(amount, line["tax_rate"]).tax, split.tax), amount - split.net)
    return Returned(Split(amount, amount - tax, tax), qty)


def _red_line(line: Record, back: Returned, blue_line: int) -> Record:
    """A line of the form; an allowance 折让 takes back money and no goods: quantity and price 0 stand for none."""
    net, qty = back.split.net, back.qty
    price = Decimal(0)
    if qty:
        price = line["price"] if makes_amount(qty, line["price"], net) else unit_price(net, qty)
    kept: Record = {name: line[name] for name in KEPT if name in line}
    return {"line_no": 1, **kept, "qty": -qty, "price": price, **_negative(back.split), "blue_line": blue_line}


def _head(number: str, reason: str, blue: Record, request: Record) -> Record:
    return {
        "key": number,
        "request_no": number,
        "reason": reason,
        "blue_request_no": request["request_no"],
        "blue_number": blue["number"],
        "blue_kind": request["kind"],
        "blue_issued_at": blue["issued_at"],
        "seller_tax_no": request["seller_tax_no"],
        "buyer": request["buyer"],
    }


def _negative(split: Split) -> Record:
    return {"net": -split.net, "tax": -split.tax, "gross": -split.gross}


def _must_be_left(key: str, request: Record, gross: Decimal, taken: Sequence[Record]) -> None:
    """The invoice as a whole covers it too: forms of the buyer are known by their totals only."""
    rest = request["gross"] + sum((one["gross"] for one in taken), ZERO)
    if gross > rest:
        raise _over(key, gross, max(rest, ZERO))


def _over(key: str, amount: Decimal, rest: Decimal) -> InvalidDocument:
    zh = f"退款金额 {amount} 不在 0 与蓝票该行可冲金额 {rest} 之间 (E-RED-OVER)"
    return _not_possible(key, zh, f"refund {amount} is not within the line's {rest} (E-RED-OVER)")


def _not_possible(key: str, zh: str, en: str) -> InvalidDocument:
    return InvalidDocument(f"{key}: {zh}; 请核对后人工处理", en=f"{key}: {en}", code="INVOICE", where=key)


__all__ = [
    "answer_of",
    "blue_line",
    "corrected",
    "issue_of",
    "left",
    "number_after",
    "once_more",
    "red_request",
    "whole_red",
]
