"""Quantities and prices from one unit into another by exact ratios (多单位): 箱, 瓶, kg, 1/3 of a 包."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from duijie.mapping.given import listed, places_of, shifted
from duijie.mapping.numbers import decimal
from duijie.mapping.values import DIGIT_LIMIT, Fault, show

_PLACES = 12
_RATIO = re.compile(r"\s*([0-9]{1,20})\s*/\s*([0-9]{1,20})\s*").fullmatch


def convert(qty: Any, source: Any, target: Any, units: Any, places: Any = None) -> Decimal:
    """A quantity in another unit.

    `units` says how many base units one of each unit is: an object `{"瓶": 1, "箱": 12, "包": "1/3"}`, or a list of
    `{unit, ratio}` or `{unit, factor_num, factor_den}`. Without `places` the result must be a finite decimal of at
    most 12 places; with it, it is rounded half-up.
    """
    return _plain(Fraction(decimal(qty)) * _ratio(source, target, units), places, qty)


def convert_price(price: Any, source: Any, target: Any, units: Any, places: Any = None) -> Decimal:
    """The price of one `source` unit as the price of one `target` unit; `units` and `places` as for `convert`."""
    return _plain(Fraction(decimal(price)) / _ratio(source, target, units), places, price)


def _ratio(source: Any, target: Any, units: Any) -> Fraction:
    """How many `target` units one `source` unit is; the same unit needs no row."""
    if type(source) is str and source == target:
        return Fraction(1)
    rows: dict[Any, Any] = units if type(units) is dict else {row.get("unit"): row for row in map(_row, listed(units))}
    return _factor(source, rows) / _factor(target, rows)


def _row(row: Any) -> dict[str, Any]:
    if type(row) is dict and type(row.get("unit")) is str:
        return row
    raise Fault("换算表的每行须有 unit 与 ratio", "each row of units holds unit and ratio", row)


def _factor(unit: Any, rows: Mapping[str, Any]) -> Fraction:
    if type(unit) is not str or unit not in rows:
        known = show(list(rows))
        raise Fault(f"换算表中没有此单位; 有: {known}", f"no such unit; there are: {known}", unit)
    given = rows[unit]
    if type(given) is not dict:
        return _fraction(given)
    if given.get("ratio") is not None:
        return _fraction(given["ratio"])
    return _fraction(given.get("factor_num")) / _fraction(given.get("factor_den", 1))


def _fraction(value: Any) -> Fraction:
    parts = _RATIO(value) if type(value) is str else None
    ratio = parts is not None and int(parts[2]) > 0
    exact = Fraction(int(parts[1]), int(parts[2])) if parts and ratio else Fraction(decimal(value))
    if exact <= 0:
        raise Fault("换算率须大于零", "a unit's ratio must be above zero", value)
    return exact


def _plain(exact: Fraction, places: Any, given: Any) -> Decimal:
    if abs(exact) >= 10**DIGIT_LIMIT:
        raise Fault("数字超出范围", "the number is out of range", given)
    if places is not None:
        return _rounded(exact, places_of(places))
    for count in range(_PLACES + 1):
        digits, rest = divmod(exact.numerator * 10**count, exact.denominator)
        if not rest:
            return shifted(digits, count)
    raise Fault(
        f"换算结果不是 {_PLACES} 位以内的有限小数 ({exact}); 请给出小数位数",
        f"the result is no finite decimal of {_PLACES} places ({exact}); say how many places to round to",
        given,
    )


def _rounded(exact: Fraction, places: int) -> Decimal:
    scaled = abs(exact) * 10**places
    digits = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return shifted(digits if exact > 0 else -digits, places)
