"""Which orders and lines share an invoice: orders of one buyer merged, what is too much for one invoice split.

Seller, buyer, kind and special business are the same on one invoice. Numbers depend on the orders in a request and on
nothing else, so that making it again, whatever else is there, gives the same numbers. Every line names the order and
the order line it is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from itertools import islice

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.connect.invoicing import Limits
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.invoice_special import SINGLE_LINE, WITHOUT
from duijie.derive.invoices import BLUE_LENGTH, assemble, number_of, order_lines, owed, unit_price
from duijie.derive.rounding import CENT

Refunds = Mapping[str, Sequence[Record]]
Unit = list[Record]  # lines that stay together: one, or a discounted one and its discount
BASE_LENGTH = 17
MOST_PARTS = 999
AMOUNTS = ("net", "tax", "gross")
ZERO = Decimal("0.00")
WITHIN = {"day": 10, "month": 7, "ever": 0}


def requests(
    orders: Iterable[Record], rules: InvoiceRules, refunds: Refunds | None = None, platform: Limits | None = None
) -> list[Record]:
    """The invoice_requests of orders that none has been made of; `refunds` by order, paid back before issue.

    Raises InvalidDocument for an order of which no request can be made (`requests_of`).
    """
    return [one for group in groups(orders, rules) for one in requests_of(group, rules, refunds, platform)]


def groups(orders: Iterable[Record], rules: InvoiceRules) -> list[list[Record]]:
    """Orders that share a request, each group oldest first; in the order of their first."""
    if rules.merge.by == "none":
        return [[order] for order in orders]
    found: dict[tuple[object, ...], list[Record]] = {}
    for order in sorted(orders, key=lambda one: (one["ordered_at"], one["key"])):
        found.setdefault(_shared(order, rules), []).append(order)
    return list(found.values())


def _shared(order: Record, rules: InvoiceRules) -> tuple[object, ...]:
    """What orders on one invoice have in common; buyers without a tax number are told apart by who bought."""
    wish, merge = order["invoice_wish"], rules.merge
    same = tuple(sorted((name, str(value)) for name, value in wish.items()))
    who = "" if wish.get("tax_no") else order["buyer"]["key"]
    shop = "" if merge.across_shops else (order["platform"], order["shop"])
    return same, who, shop, order["ordered_at"][: WITHIN[merge.within]]


def requests_of(
    orders: Sequence[Record], rules: InvoiceRules, refunds: Refunds | None = None, platform: Limits | None = None
) -> list[Record]:
    """The requests of orders that are merged: one, or several where a limit or a special business splits them.

    Lines that do not add up to their orders are not split, so that the check finds it. Raises InvalidDocument for
    orders without a wish, with nothing left to invoice, or with more than 999 parts.
    """
    back = refunds or {}
    lines = _lines_of(orders, rules, back)
    if not lines or not orders[0].get("invoice_wish"):
        keys = "、".join(order["key"] for order in orders)
        raise _not_possible(keys, "订单没有开票要求或没有应开票的金额", "no wish, or nothing to invoice")
    number = number_of(rules.blue_prefix, "|".join(order["key"] for order in orders), BLUE_LENGTH)
    gross = sum((owed(order, back.get(order["key"], ())) for order in orders), ZERO)
    special = orders[0]["invoice_wish"].get("special")
    if gross != sum((line["gross"] for line in lines), ZERO):
        return [_request(orders, lines, rules, number, gross, special)]
    chunks = list(islice(_chunks(lines, rules, rules.limits(platform), special), MOST_PARTS + 1))
    if len(chunks) == 1:
        return [_request(orders, chunks[0], rules, number, gross, special)]
    if len(chunks) > MOST_PARTS:
        raise _not_possible(orders[0]["key"], f"须拆成 {MOST_PARTS} 张以上的发票", f"more than {MOST_PARTS} parts")
    return [_part(orders, chunk, rules, (number, at), special) for at, chunk in enumerate(chunks, 1)]


def renumbered(made: Sequence[Record], base: str) -> list[Record]:
    """Requests that were made together, under another number: that of the attempt that follows a failed one."""
    if len(made) == 1:
        return [{**made[0], "key": base, "request_no": base}]
    numbers = [f"{base[:BASE_LENGTH]}{one['part']:03d}" for one in made]
    return [
        {**one, "key": number, "request_no": number, "base_no": base} for one, number in zip(made, numbers, strict=True)
    ]


def _lines_of(orders: Sequence[Record], rules: InvoiceRules, refunds: Refunds) -> list[Record]:
    if len(orders) == 1:
        return order_lines(orders[0], rules, refunds.get(orders[0]["key"], ()))
    return [
        {**line, "order_key": order["key"]}
        for order in orders
        for line in order_lines(order, rules, refunds.get(order["key"], ()))
    ]


def _part(
    orders: Sequence[Record],
    lines: Sequence[Record],
    rules: InvoiceRules,
    place: tuple[str, int],
    special: Record | None,
) -> Record:
    base, at = place
    gross = sum((line["gross"] for line in lines), ZERO)
    request_no = f"{base[:BASE_LENGTH]}{at:03d}"
    return _request(orders, lines, rules, request_no, gross, special) | {"base_no": base, "part": at}


def _request(
    orders: Sequence[Record],
    lines: Sequence[Record],
    rules: InvoiceRules,
    request_no: str,
    gross: Decimal,
    special: Record | None,
) -> Record:
    """One request; of several orders it names those that its own lines are of."""
    named = {line["order_key"] for line in lines if "order_key" in line}
    mine = [order for order in orders if order["key"] in named] or orders
    made = assemble(mine, lines, rules, request_no, gross)
    if len(mine) > 1:
        made["order_keys"] = [order["key"] for order in mine]
    if special and _is_special(lines[0], special["factor"], rules):
        made["special"] = special
    return made


def _chunks(
    lines: Sequence[Record], rules: InvoiceRules, limits: Limits, special: Record | None
) -> Iterator[Sequence[Record]]:
    """The lines of each invoice: special business alone, within the limits of lines and gross."""
    units = list(_units(lines))
    if special:
        factor = special["factor"]
        apart = [unit for unit in units if _is_special(unit[0], factor, rules)]
        units = [unit for unit in units if not _is_special(unit[0], factor, rules)]
        yield from _special_chunks(apart, factor, limits)
    yield from _packed(units, limits)


def _special_chunks(units: Sequence[Unit], factor: str, limits: Limits) -> Iterator[Sequence[Record]]:
    if factor not in SINGLE_LINE:
        yield from _packed(units, limits)
        return
    for unit in units:
        yield [{name: value for name, value in _netted(unit).items() if name not in WITHOUT[factor]}]


def _is_special(line: Record, factor: str, rules: InvoiceRules) -> bool:
    """Whether a line is of the special business: by the beginning of its code, where the rules name some."""
    starts = rules.special_classes.get(factor, ())  # type: ignore[call-overload]
    return not starts or line["tax_class_code"].startswith(starts)


def _units(lines: Sequence[Record]) -> Iterator[Unit]:
    for line, after in zip(lines, [*lines[1:], {}], strict=True):
        if "nature" not in line:
            yield [line]
        elif line["nature"] == "discounted":
            yield [line, after]


def _packed(units: Iterable[Unit], limits: Limits) -> Iterator[list[Record]]:
    """Units one after the other, a new invoice where the next would be too much."""
    chunk: list[Record] = []
    gross = ZERO
    for unit in _small_enough(units, limits.gross):
        more = sum((line["gross"] for line in unit), ZERO)
        too_many = 0 < limits.lines < len(chunk) + len(unit)
        if chunk and (too_many or 0 < limits.gross < gross + more):
            yield chunk
            chunk, gross = [], ZERO
        chunk, gross = chunk + unit, gross + more
    if chunk:
        yield chunk


def _small_enough(units: Iterable[Unit], most: Decimal) -> Iterator[Unit]:
    """Units, those above the limit of one invoice as several of fewer pieces; what is one piece stays whole."""
    for unit in units:
        if 0 < most < sum((line["gross"] for line in unit), ZERO):
            yield from ([piece] for piece in _cut(_netted(unit), most))
        else:
            yield unit


def _netted(unit: Unit) -> Record:
    """A discounted line and its discount as one line at the net price."""
    if len(unit) == 1:
        return unit[0]
    line, discount = unit
    amounts = {name: line[name] + discount[name] for name in AMOUNTS}
    kept = {name: value for name, value in line.items() if name != "nature"}
    return {**kept, **amounts, "price": unit_price(amounts["net"], line["qty"])}


def _cut(line: Record, most: Decimal) -> Iterator[Record]:
    """A line as lines of whole pieces that each come to at most so much; together they are it to the cent."""
    qty = line.get("qty", Decimal(1))
    per = (most * qty / line["gross"]).to_integral_value(ROUND_FLOOR)
    if per > 1 and line["gross"] * per / qty + CENT > most:
        per -= 1
    if per < 1 or qty != qty.to_integral_value() or qty <= per:
        yield line
        return
    begun = (Decimal(0), ZERO, ZERO)
    while begun[0] < qty:
        end = min(begun[0] + per, qty)
        gross = (line["gross"] * end / qty).quantize(CENT, ROUND_HALF_UP)
        tax = (line["tax"] * gross / line["gross"]).quantize(CENT, ROUND_HALF_UP)
        yield _piece(line, end - begun[0], gross - begun[1], tax - begun[2])
        begun = (end, gross, tax)


def _piece(line: Record, qty: Decimal, gross: Decimal, tax: Decimal) -> Record:
    net = gross - tax
    return {**line, "qty": qty, "price": unit_price(net, qty), "net": net, "tax": tax, "gross": gross}


def _not_possible(key: str, zh: str, en: str) -> InvalidDocument:
    return InvalidDocument(f"{key}: {zh}; 请核对后人工处理", en=f"{key}: {en}", code="INVOICE", where=key)


__all__ = ["Refunds", "groups", "renumbered", "requests", "requests_of"]
