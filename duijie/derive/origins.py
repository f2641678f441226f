"""Which fields of which sources a derived document's fields come from, and by which rule: the rules' own account.

The tables stand beside the code that they describe; tests change each source field in turn and see that nothing else
moves than what is said here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from duijie.codec import Record
from duijie.derive import invoice_billing, invoice_grouping, invoices, parties, reds, stock, vouchers
from duijie.derive.invoices import billable
from duijie.derive.vouchers import VoucherRule, into_line

_LINE = re.compile(r"lines\[(\d+)\]\.(.+)")
AMOUNTS = ("net", "tax", "gross")


class Read(NamedTuple):
    """A field of a source. `amount` is what it adds to a sum, None where nothing is added up."""

    entity: str
    key: str
    field: str
    amount: Decimal | None = None


class Reason(NamedTuple):
    """The rule of a field in words; where it stands in the rules file (keys and indexes) or in the code; its reads."""

    rule: str
    function: Callable[..., Any]
    place: tuple[str | int, ...] = ()
    reads: tuple[Read, ...] = ()


def of_voucher(field: str, made: Record, rule: VoucherRule, group: Sequence[Record]) -> Reason:
    """A voucher's field; sums are taken apart to the field of each document."""
    line = _LINE.match(field)
    if line:
        return _of_voucher_line(line[2], made["lines"][int(line[1])], rule, group)
    if field in ("debit", "credit"):
        side = [each for each in made["lines"] if each[field]]
        found = [part for each in side for part in into_line(rule, group, each)]
        return Reason(f"sum(lines.{field})", vouchers.voucher, (rule.name, "postings"), _added(rule, found))
    heads = {"word": "word", "rule": "", "summary": "summary", "attachments": ""}
    names: dict[str, tuple[str, ...]] = {"shop": ("shop",), "date": ("business_date",), "period": ("business_date",)}
    names |= {"key": ("shop", "business_date"), "summary": ("shop", "business_date"), "attachments": ("key",)}
    place = (rule.name, heads[field]) if heads.get(field) else (rule.name,)
    chosen = group if field == "attachments" else group[:1]
    reads = tuple(Read(rule.entity, str(one["key"]), name) for one in chosen for name in names.get(field, ()))
    return Reason(_HEADS.get(field, field), vouchers.voucher, place, reads)


_HEADS = {
    "key": "{rule}:{shop}:{day}:{第几张}",
    "attachments": "count(documents)",
    "date": "business_date",
    "period": "business_date 的年月",
}


OF_REVERSAL = {
    "key": ("{rule}_reversal:{所冲凭证}:{第几张}", ("key",)),
    "rule": ("{rule}_reversal", ("rule",)),
    "shop": ("shop", ("shop",)),
    "customer": ("shop", ("shop",)),
    "date": ("当天, 不早于所冲凭证", ("date",)),
    "period": ("date 的年月", ("date",)),
    "summary": ("冲销 {所冲凭证} {count}单", ("key",)),
}


def of_reversal(field: str, original: str) -> Reason:
    """A field of a reversal that comes of the voucher it reverses."""
    rule, names = OF_REVERSAL[field.rpartition(".")[2]]
    return Reason(rule, vouchers.reversal, reads=tuple(Read("voucher", original, name) for name in names))


def _of_voucher_line(name: str, line: Record, rule: VoucherRule, group: Sequence[Record]) -> Reason:
    found = into_line(rule, group, line)
    at = found[0].position if found else 0
    place = (rule.name, "postings", at)
    posting = rule.postings[at]
    if name == ("debit" if line["debit"] else "credit"):
        part = f"{posting.part} of " if posting.part else ""
        over = "documents.lines" if posting.per_line else "documents"
        sign = "-" if rule.sign < 0 else ""
        return Reason(f"{sign}sum({part}{posting.of} for {over})", vouchers.parts, place, _added(rule, found))
    if name == "aux.customer":
        return Reason("shop", vouchers.parts, place, (Read(rule.entity, str(group[0]["key"]), "shop"),))
    if name == "summary":
        reads = tuple(Read(rule.entity, str(group[0]["key"]), each) for each in ("shop", "business_date"))
        return Reason("summary", vouchers.voucher, (rule.name, "summary"), reads)
    if name == "tax_rate" and posting.rate is None and posting.per_line:
        part_field = re.sub(r"[^.]+\Z", "tax_rate", found[0].field)
        return Reason("tax_rate", vouchers.parts, place, (Read(rule.entity, found[0].key, part_field),))
    return Reason(name, vouchers.parts, place)


def _added(rule: VoucherRule, found: Iterable[vouchers.Part]) -> tuple[Read, ...]:
    return tuple(Read(rule.entity, part.key, part.field, part.amount) for part in found)


class Request(NamedTuple):
    """What an invoice_request is made of: its orders, the first of which says who and when, and refunds before it."""

    orders: Sequence[Record]
    refunds: Sequence[Record] = ()


def of_request(field: str, made: Record, of: Request) -> Reason:
    """An invoice_request's field, from its sales_orders and what was paid back of them before."""
    line = _LINE.match(field)
    if line:
        return _of_request_line(made["lines"][int(line[1])], line[2], made, of)
    if field in ("net", "tax"):
        return Reason(f"sum(lines.{field})", invoices.blue_request, reads=_summed(field, made, of))
    key = str(of.orders[0]["key"])
    if field == "gross" and (len(of.orders) > 1 or of.refunds or "part" in made):
        return Reason("sum(lines.gross)", invoices.owed, reads=_summed(field, made, of))
    rule, place, names = _REQUEST[field] if field in _REQUEST else (f"invoice_wish.{field.partition('.')[2]}", (), ())
    names = names or (rule,)
    function = invoice_grouping.requests_of if field in _GROUPED else invoices.blue_request
    return Reason(rule, function, place, tuple(Read("sales_order", key, name) for name in names if name))


def _summed(field: str, made: Record, of: Request) -> tuple[Read, ...]:
    """What the lines of a request add, each read where it comes from; without amounts where a rule changed them."""
    reads: list[Read] = []
    for line in made["lines"]:
        order, at = _ordered(line, made, of)
        name = f"lines[{at}].{field}" if at is not None else "freight"
        is_same = at is None or order["lines"][at][field] == line[field]
        reads.append(Read("sales_order", str(order["key"]), name, line[field] if is_same else None))
    return (*reads, *_paid_back(of.refunds))


def _paid_back(refunds: Iterable[Record]) -> tuple[Read, ...]:
    return tuple(Read("sales_refund", str(one["key"]), name) for one in refunds for name in ("amount", "kind", "qty"))


def _ordered(line: Record, made: Record, of: Request) -> tuple[Record, int | None]:
    """The order of a request's line, and the place of its own line there; None for freight."""
    key = line.get("order_key", made["order_key"])
    order = next(one for one in of.orders if one["key"] == key)
    return order, next((at for at, each in enumerate(order["lines"]) if each["oid"] == line.get("oid")), None)


_GROUPED = ("base_no", "part", "order_keys")
_Row = tuple[str, tuple[str | int, ...], tuple[str, ...]]
_REQUEST: Mapping[str, _Row] = {
    "key": ("number_of(blue_prefix, key)", ("blue_prefix",), ("key",)),
    "request_no": ("number_of(blue_prefix, key)", ("blue_prefix",), ("key",)),
    "kind": ("invoice_wish.kind", (), ()),
    "seller_tax_no": ("seller_tax_no", ("seller_tax_no",), ("",)),
    "buyer.name": ("invoice_wish.title", (), ()),
    "order_key": ("key", (), ()),
    "ordered_at": ("ordered_at", (), ()),
    "remark": ("remark", ("remark",), ("order_no",)),
    "gross": ("gross", (), ()),
    "base_no": ("number_of(blue_prefix, key)", ("blue_prefix",), ("key",)),
    "part": ("1, 2, 3 …", ("max_lines",), ("",)),
    "order_keys": ("key", ("merge",), ()),
    "buyer.natural_person": ("invoice_wish.natural_person", (), ("invoice_wish.tax_no", "invoice_wish.kind")),
}


def _of_request_line(line: Record, name: str, made: Record, of: Request) -> Reason:
    order, at = _ordered(line, made, of)
    key = str(order["key"])
    if name == "line_no":
        return Reason("1, 2, 3 …", invoices.blue_request)
    if name == "order_key":
        return Reason("key", invoice_grouping.requests_of, reads=(Read("sales_order", key, "key"),))
    if at is None:
        reads: tuple[Read, ...] = (Read("sales_order", key, "freight"),) if name in ("price", *AMOUNTS) else ()
        place = ("freight", "tax_rate") if reads else ("freight", name) if name != "qty" else ("freight",)
        return Reason(
            "split_tax(freight, tax_rate)" if reads else f"freight.{name}", invoices.blue_request, place, reads
        )
    return _of_goods(line, name, order, at, of)


def _of_goods(line: Record, name: str, order: Record, at: int, of: Request) -> Reason:
    """A field of a line of goods: the order line's own, or what discounts and refunds have left of it."""
    key, lead, own = str(order["key"]), f"lines[{at}]", order["lines"][at]
    if name in ("nature", "policy") and name not in own:
        setting, read = ("discounts", "discount") if name == "nature" else ("policies", "tax_class_code")
        return Reason(setting, invoices.order_lines, (setting,), (Read("sales_order", key, f"{lead}.{read}"),))
    if name == "price":
        reads = tuple(Read("sales_order", key, f"{lead}.{each}") for each in ("net", "qty"))
        return Reason("unit_price(net, qty)", invoices.unit_price, reads=reads)
    if name in (*AMOUNTS, "qty") and own[name] != line[name]:
        mine = [one for one in of.refunds if one["order_key"] == order["key"]]
        names = ("gross", "discount", "tax_rate", "qty")
        reads = tuple(Read("sales_order", key, f"{lead}.{each}") for each in names)
        reads += (Read("sales_order", key, "seller_discount"), *_paid_back(mine))
        return Reason(f"billed.{name}", invoice_billing.billed, reads=reads)
    return Reason(f"line.{name}", invoices.blue_request, reads=(Read("sales_order", key, f"{lead}.{name}"),))


class Red(NamedTuple):
    """What a red_request is made of; `earlier` are the reds of the same blue before it."""

    refund: Record
    order: Record
    invoice: Record
    request: Record
    earlier: Sequence[Record] = ()


def of_red(field: str, made: Record, red: Red) -> Reason:
    """A red_request's field, from the refund, the blue request, its invoice, and the reds before."""
    keys = {"sales_refund": red.refund["key"], "invoice": red.invoice["key"], "invoice_request": red.request["key"]}
    line = _LINE.match(field)
    if line or field in AMOUNTS:
        return _of_red_line(line[2] if line else field, made, red)
    rule, place, entity, names = _RED.get(field) or (f"request.{field}", (), "invoice_request", (field,))
    return Reason(rule, reds.red_request, place, tuple(Read(entity, str(keys[entity]), name) for name in names))


_RED: Mapping[str, tuple[str, tuple[str | int, ...], str, tuple[str, ...]]] = {
    "key": ("number_of(red_prefix, key)", ("red_prefix",), "sales_refund", ("key",)),
    "request_no": ("number_of(red_prefix, key)", ("red_prefix",), "sales_refund", ("key",)),
    "reason": ("sales_return 或 allowance, 按 kind", (), "sales_refund", ("kind",)),
    "blue_request_no": ("request_no", (), "invoice_request", ("request_no",)),
    "blue_number": ("number", (), "invoice", ("number",)),
    "blue_issued_at": ("issued_at", (), "invoice", ("issued_at",)),
    "blue_kind": ("kind", (), "invoice_request", ("kind",)),
    "order_key": ("order_key", (), "sales_refund", ("order_key",)),
    "refund_key": ("key", (), "sales_refund", ("key",)),
}
_RED_AMOUNTS = (*AMOUNTS, "qty", "price")


def _of_red_line(name: str, made: Record, red: Red) -> Reason:
    """Amounts come from the refund, within what is left of the blue's line; the rest is that line's."""
    refund, request = str(red.refund["key"]), str(red.request["key"])
    at = reds.blue_line(red.refund, red.order, red.request)
    lead = f"lines[{at}]"
    if name == "line_no":
        return Reason("1", reds.red_request)
    if name == "blue_line":
        reads = tuple(Read("sales_refund", refund, each) for each in ("oid", "sku"))
        return Reason("oid, sku 在蓝票上的行号", reds.blue_line, reads=reads)
    if name not in _RED_AMOUNTS:
        return Reason(
            f"request.line.{name}", reds.red_request, reads=(Read("invoice_request", request, f"{lead}.{name}"),)
        )
    asked = [
        Read("sales_refund", refund, each) for each in ("amount", "kind", *(("qty",) if "qty" in red.refund else ()))
    ]
    blue = [Read("invoice_request", request, f"{lead}.{each}") for each in ("tax_rate", *_RED_AMOUNTS)]
    before = [
        Read("red_request", str(one["key"]), f"lines[{index}].{each}")
        for one in red.earlier
        for index, line in enumerate(one["lines"])
        if line["blue_line"] == at + 1
        for each in (*AMOUNTS, "qty")
    ]
    return Reason(f"-{name} of refund", reds.red_request, reads=(*asked, *blue, *before))


def of_party(field: str, made: Record, order: Record) -> Reason:
    """A party's field, from the first order of the buyer."""
    name = {"source": "platform", "shop": "shop"}.get(field, f"buyer.{field}")
    reads = () if field == "role" else (Read("sales_order", str(order["key"]), name),)
    return Reason("customer" if field == "role" else name, parties.party, reads=reads)


def of_shop_stock(field: str, made: Record, listings: Sequence[Record], levels: Sequence[Record]) -> Reason:
    """A shop_stock's field, from its listing; the quantity from the SKU's stock, shared by the listings of the SKU."""
    if field != "quantity":
        name = "quantity" if field == "shown" else field
        return Reason(name, stock.shop_figures, reads=(Read("listing", str(made["key"]), name),))
    reads = [Read("stock_level", str(one["key"]), "available", one["available"]) for one in levels]
    reads += [Read("listing", str(one["key"]), "sku") for one in listings]
    return Reason("max(0, sum(available)) - safety, 按店铺均分", stock.shop_figures, reads=tuple(reads))


__all__ = [
    "Read",
    "Reason",
    "Red",
    "Request",
    "billable",
    "of_party",
    "of_red",
    "of_request",
    "of_reversal",
    "of_shop_stock",
    "of_voucher",
]
