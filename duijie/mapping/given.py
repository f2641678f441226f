"""What the functions of rules are given: each checks its arguments here and refuses with a Fault what does not fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from duijie.mapping.numbers import decimal
from duijie.mapping.values import LONG, TEXT_LIMIT, Fault, charge

_SHORT = 10**28  # what decimal's default context keeps whole


def string(value: Any) -> str:
    """A text, as such; a long one costs steps."""
    if type(value) is not str:
        raise Fault("需要文本; 请先用 text() 转换", "a text is needed; convert with text() first", value)
    if len(value) > LONG:
        charge(len(value) // 64)
    return value


def sized(result: str) -> str:
    """A text about to be handed on, within the limit."""
    if len(result) > TEXT_LIMIT:
        raise Fault("文本过长", f"the text is longer than {TEXT_LIMIT} characters", result)
    return string(result)


def whole(value: Any, least: int, most: int) -> int:
    """A whole number between two bounds, both included; a Decimal such as 2.00 is one."""
    exact = type(value) is int or (type(value) is Decimal and value.is_finite() and value % 1 == 0)
    if exact and least <= value <= most:
        return int(value)
    raise Fault(
        f"须为 {least} 到 {most} 的整数",
        f"a whole number from {least} to {most} is needed",
        value,
    )


def places_of(value: Any) -> int:
    """A number of decimal places."""
    return whole(value, 0, 12)


def listed(value: Any) -> list[Any]:
    """A list, as such."""
    if type(value) is not list:
        raise Fault("需要列表", "a list is needed", value)
    if len(value) > LONG:
        charge(len(value) // 16)
    return value


def cents(value: Any) -> int:
    """An amount of money as whole cents. Raises Fault where a part of a cent would be lost."""
    over, under = decimal(value).as_integer_ratio()
    whole_cents, rest = divmod(over * 100, under)
    if rest:
        raise Fault(
            "金额不能有不足一分的尾数; 请先用 money() 舍入",
            "the amount must be whole cents; round it with money() first",
            value,
        )
    return whole_cents


def shifted(digits: int, places: int) -> Decimal:
    """digits / 10**places as a Decimal of exactly that many places, whatever its length."""
    if -_SHORT < digits < _SHORT:
        return Decimal(digits).scaleb(-places)
    return Decimal(f"{digits}E-{places}")
