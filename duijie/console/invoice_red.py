"""A red request as a person puts it together: which lines of an issued blue, how much of each, and why.

Sources: 国家税务总局公告 2024 年第 11 号 (开票有误 is reversed in full; never more than the blue, line by line).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.derive import reds
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.invoices import number_of, unit_price
from duijie.derive.rounding import split_tax

ZERO = Decimal("0.00")
FULL_ONLY = "wrong_invoice"
WITHOUT_GOODS = ("allowance",)


class Left(NamedTuple):
    """What may still be reversed of one line of a blue: yuan with, without and of tax, pieces."""

    place: int
    line: Record
    gross: Decimal
    net: Decimal
    tax: Decimal
    qty: Decimal


def left(request: Record, earlier: Sequence[Record]) -> list[Left]:
    """Every line that a red can name with what earlier reds have left of it; discounts are taken off their lines."""
    found = []
    for index, line in enumerate(request["lines"]):
        if line.get("nature") != "discount":
            rest = reds.left(request, index, earlier)
            found.append(Left(index + 1, line, *rest.split, rest.qty))
    return found


def amount(text: str, line_no: int) -> Decimal:
    """A money amount as somebody typed it. Raises ConfigError naming the line."""
    try:
        value = Decimal(text.replace(",", "").strip() or "0")
        if not value.is_finite() or value != value.quantize(Decimal("0.01")):
            raise InvalidOperation
    except InvalidOperation as error:
        raise ConfigError(f"第 {line_no} 行的金额“{text[:20]}”不对, 应为最多两位小数的数", en="no amount") from error
    return value.quantize(Decimal("0.01"))


class Choice(NamedTuple):
    """What somebody asks for: line number → gross in yuan. `number`: which red of its blue this is."""

    reason: str
    wanted: Mapping[int, Decimal]
    number: int = 1


def made(
    request: Record, blue: Record, choice: Choice, rules: InvoiceRules, earlier: Sequence[Record], taken: Decimal = ZERO
) -> Record:
    """The red_request (amounts negative) of a choice. `taken`: what forms of the buyer have taken, positive.

    Raises ConfigError that names the line and what is left.
    """
    remaining = {one.place: one for one in left(request, earlier)}
    chosen = {place: value for place, value in choice.wanted.items() if value}
    _must_fit(remaining, chosen)
    is_whole = not earlier and not taken and all(chosen.get(place) == one.gross for place, one in remaining.items())
    if choice.reason == FULL_ONLY and not is_whole:
        zh = "“开票有误”只能整张红冲: 请选全部行、全部金额, 或改选其他原因"
        raise ConfigError(zh, en="a wrong invoice is reversed in full", code="E-RED-FULL-ONLY")
    lines = [_line(remaining[place], value, choice.reason) for place, value in sorted(chosen.items())]
    totals = {name: sum((line[name] for line in lines), ZERO) for name in ("net", "tax", "gross")}
    _must_be_left(request, -totals["gross"], taken - sum((red["gross"] for red in earlier), ZERO))
    no = application_no(request, choice.number, rules)
    return {
        "key": no,
        "request_no": no,
        "reason": choice.reason,
        "blue_request_no": request["request_no"],
        "blue_number": blue["number"],
        "blue_kind": request["kind"],
        "blue_issued_at": blue["issued_at"],
        "seller_tax_no": request["seller_tax_no"],
        "buyer": request["buyer"],
        "order_key": request["order_key"],
        **totals,
        "lines": [] if is_whole else [{**line, "line_no": number} for number, line in enumerate(lines, 1)],
    }


def application_no(request: Record, number: int, rules: InvoiceRules) -> str:
    """The number of the n-th red that people ask for of a blue: the same form sent twice has the same."""
    return number_of(rules.red_prefix, f"{request['request_no']}#{number}", reds.RED_LENGTH)


def _must_fit(remaining: Mapping[int, Left], chosen: Mapping[int, Decimal]) -> None:
    if not chosen:
        raise ConfigError("没有填写要红冲的金额: 至少一行", en="nothing is to be reversed", code="E-RED-OVER")
    for place, value in chosen.items():
        rest = remaining[place].gross if place in remaining else ZERO
        if not 0 < value <= rest:
            raise ConfigError(
                f"第 {place} 行红冲 {value} 超出可冲金额 {rest}: 请改为 0 到 {rest} 之间",
                en=f"line {place} has {rest} left, not {value}",
                code="E-RED-OVER",
            )


def _must_be_left(request: Record, gross: Decimal, taken: Decimal) -> None:
    """The invoice as a whole covers it, too: of forms of the buyer only the totals are known."""
    if gross > (rest := request["gross"] - taken):
        zh = f"红冲合计 {gross} 超出整张发票可冲金额 {rest} (含购方发起的确认单)"
        raise ConfigError(zh, en=f"the invoice has {rest} left, not {gross}", code="E-RED-OVER")


def _line(one: Left, gross: Decimal, reason: str) -> Record:
    """The last of a line takes exactly what is left of its net and tax, and of its pieces unless it is an allowance."""
    line, net, tax = one.line, one.net, one.tax
    if gross != one.gross:
        tax = max(min(split_tax(gross, Decimal(line["tax_rate"])).tax, one.tax), gross - one.net)
        net = gross - tax
    kept: Record = {name: line[name] for name in reds.KEPT if name in line}
    qty = one.qty if gross == one.gross and reason not in WITHOUT_GOODS else Decimal(0)
    price = unit_price(net, qty) if qty else Decimal(0)
    return {**kept, "qty": -qty, "price": price, "net": -net, "tax": -tax, "gross": -gross, "blue_line": one.place}
