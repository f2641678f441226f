"""A red request as a person puts it together: which lines of an issued blue, how much of each, and why.

Sources: 国家税务总局公告 2024 年第 11 号 (开票有误 is reversed in full; never more than the blue, line by line).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.derive.invoices import RED_LENGTH, number_of
from duijie.derive.rounding import split_tax

ZERO = Decimal("0.00")
FULL_ONLY = "wrong_invoice"
KEPT = ("name", "sku", "tax_class_code", "unit", "spec", "tax_rate")


class Left(NamedTuple):
    """What may still be reversed of one line of a blue; amounts in yuan."""

    line: Record
    gross: Decimal
    net: Decimal
    tax: Decimal
    qty: Decimal


def left(request: Record, earlier: Sequence[Record]) -> list[Left]:
    """Every line of a blue with what earlier reds have left of it; a red without lines has taken everything."""
    if any(not red["lines"] for red in earlier):
        return [Left(line, ZERO, ZERO, ZERO, Decimal(0)) for line in request["lines"]]
    found = []
    for place, line in enumerate(request["lines"], 1):
        taken = [one for red in earlier for one in red["lines"] if one.get("blue_line") == place]
        sums = (
            Decimal(line.get(name) or 0) + sum((Decimal(one.get(name) or 0) for one in taken), Decimal(0))
            for name in ("gross", "net", "tax", "qty")
        )
        found.append(Left(line, *sums))
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


def made(
    request: Record, blue: Record, reason: str, wanted: Mapping[int, Decimal], earlier: Sequence[Record]
) -> Record:
    """The red_request (amounts negative) of `wanted`: line number → gross in yuan.

    The same choice twice is the same request. Raises ConfigError that names the line and what is left of it.
    """
    remaining = left(request, earlier)
    chosen = {place: value for place, value in wanted.items() if value}
    _must_fit(remaining, chosen)
    is_whole = not earlier and all(chosen.get(place) == one.gross for place, one in enumerate(remaining, 1))
    if reason == FULL_ONLY and not is_whole:
        raise ConfigError(
            "“开票有误”只能整张红冲: 请选全部行、全部金额, 或改选其他原因", en="full only", code="E-RED-FULL-ONLY"
        )
    lines = [_line(remaining[place - 1], place, value, reason) for place, value in sorted(chosen.items())]
    totals = {name: sum((line[name] for line in lines), ZERO) for name in ("net", "tax", "gross")}
    no = number_of("HZ", f"{request['request_no']}#{len(earlier) + 1}", RED_LENGTH)
    body: Record = {
        "key": no,
        "request_no": no,
        "reason": reason,
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
    return body


def _must_fit(remaining: Sequence[Left], chosen: Mapping[int, Decimal]) -> None:
    if not chosen:
        raise ConfigError("没有填写要红冲的金额: 至少一行", en="nothing is to be reversed", code="E-RED-OVER")
    for place, value in chosen.items():
        if not 1 <= place <= len(remaining):
            raise ConfigError(f"蓝票没有第 {place} 行", en=f"no line {place}", code="E-RED-OVER")
        rest = remaining[place - 1].gross
        if not 0 < value <= rest:
            raise ConfigError(
                f"第 {place} 行红冲 {value} 超出可冲金额 {rest}: 请改为 0 到 {rest} 之间",
                en=f"line {place} has {rest} left, not {value}",
                code="E-RED-OVER",
            )


def _line(one: Left, place: int, gross: Decimal, reason: str) -> Record:
    """The last of a line takes exactly what is left of its net and tax; an allowance has no quantity."""
    line = one.line
    net, tax = one.net, one.tax
    if gross != one.gross:
        tax = max(min(split_tax(gross, Decimal(line["tax_rate"])).tax, one.tax), gross - one.net)
        net = gross - tax
    kept: Record = {name: line[name] for name in KEPT if name in line}
    goods = reason != "allowance" and gross == one.gross and one.qty
    qty, price = (-one.qty, line["price"]) if goods and "price" in line else (Decimal(0), Decimal(0))
    return {**kept, "qty": qty, "price": price, "net": -net, "tax": -tax, "gross": -gross, "blue_line": place}
