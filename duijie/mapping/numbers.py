"""Exact arithmetic for rules: no float gets in, no operator works on the wrong kind, every rounding is half-up."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from duijie.mapping.values import DIGIT_LIMIT, LIST_LIMIT, LONG, TEXT_LIMIT, Fault, charge

CENT = Decimal("0.01")
_NUMERIC = re.compile(r"\s*[-+]?[0-9]{1,30}(\.[0-9]{1,30})?\s*").fullmatch
_DIGITS = "0123456789"
KNOWN_LIMIT = 32_768
_SHORT = 30  # texts below it have digits that every rounding keeps
_read = Context(prec=_SHORT, traps=[]).create_decimal  # quicker than Decimal(); NaN for what is no number
_BIG = 10**DIGIT_LIMIT


def decimal(value: Any) -> Decimal:
    """The exact number of a number or numeric text. Raises Fault for anything else, floats included."""
    if type(value) is Decimal:
        number = value
    elif type(value) is str and 3 < len(value) < 32 and value.strip(_DIGITS) == "." == value[-3:-2]:
        return Decimal(value)
    elif type(value) is int or (type(value) is str and _NUMERIC(value)):
        number = Decimal(value)
    else:
        raise Fault(
            "不是数字; 请核对来源, 或先清洗文本", "not a number; check the source or clean the text first", value
        )
    if not -DIGIT_LIMIT < number.adjusted() < DIGIT_LIMIT or not number.is_finite():
        raise Fault("数字超出范围", "the number is out of range", value)
    return number


def number(value: Any) -> Any:
    """The value itself if it is a number. Raises Fault otherwise."""
    if type(value) is Decimal or type(value) is int:
        return value
    raise Fault(
        "需要数字; 文本请先用 money() 或 decimal() 转换",
        "a number is needed; convert text with money() or decimal()",
        value,
    )


def _quantize(value: Decimal, step: Decimal) -> Decimal:
    try:
        return value.quantize(step, ROUND_HALF_UP)
    except InvalidOperation:
        raise Fault("数字位数过多, 无法精确舍入", "too many digits to round exactly", value) from None


def money(value: Any) -> Decimal:
    """Rounded half-up to 2 places."""
    if type(value) is str and 3 < len(value) < 32 and value.strip(_DIGITS) == "." == value[-3:-2]:
        return Decimal(value)
    return _quantize(decimal(value), CENT)


class Known(dict[Any, Decimal]):
    """Numbers of texts seen before: prices and amounts repeat. Only texts are kept, and only so many."""

    def __init__(self, read: Callable[[Any], Decimal]) -> None:
        super().__init__()
        self.read = read

    def __missing__(self, value: Any) -> Decimal:
        """Read it, whatever it is. Raises Fault."""
        if type(value) is not str or len(value) >= _SHORT:
            return self.read(value)
        found = _read(value)
        if value[-3:-2] != "." or str(found) != value:  # not plainly written in cents
            found = self.read(value)
        if len(self) >= KNOWN_LIMIT:
            self.clear()
        self[value] = found
        return found


MONEY = Known(money)
DECIMAL = Known(decimal)


def round_half_up(value: Any, places: Any) -> Decimal:
    """Rounded half-up to `places` (0 to 12) places."""
    if type(places) is not int or not 0 <= places <= 12:
        raise Fault("小数位数须为 0 到 12 的整数", "places must be a whole number from 0 to 12", places)
    return _quantize(decimal(value), Decimal(1).scaleb(-places))


def integer(value: Any) -> int:
    """A whole number. Raises Fault where a fraction would be lost."""
    exact = decimal(value)
    if exact != exact.to_integral_value():
        raise Fault("不是整数; 需要舍入请先用 round(x, 0)", "not a whole number; use round(x, 0) to round it", value)
    return int(exact)


def exact(value: Any) -> Decimal:
    """A number as Decimal. Raises Fault for anything else, texts included."""
    return value if type(value) is Decimal else Decimal(number(value))


def floor(value: Any) -> int:
    """The greatest whole number not above."""
    return int(decimal(value).to_integral_value(ROUND_FLOOR))


def ceil(value: Any) -> int:
    """The least whole number not below."""
    return int(decimal(value).to_integral_value(ROUND_CEILING))


def split_tax(gross: Any, rate: Any) -> dict[str, Decimal]:
    """Tax out of a tax-inclusive amount: tax = round(gross·r/(1+r), 2) half-up, net = gross − tax.

    Two independent roundings would not add up; this is how the tax authority's clients compute 价税分离.
    """
    total = exact(gross)
    tax = tax_in(total, rate)
    return {"gross": total, "net": total - tax, "tax": tax}


def tax_in(gross: Any, rate: Any) -> Decimal:
    """The tax in a tax-inclusive amount."""
    total, share = exact(gross), exact(rate)
    if not 0 <= share < 1:
        raise Fault("税率须在 0 与 1 之间, 例如 0.13", "a tax rate lies between 0 and 1, such as 0.13", rate)
    return _quantize(total * share / (1 + share), CENT)


def settle(lines: list[dict[str, Any]], field: str, total: Any, to: str = "last") -> int:
    """Make a field of lines add up to a total: one line takes the difference 尾差. Returns which, -1 for none.

    Rounding each line may miss a cent a line; more than that is no rounding and is refused.
    """
    for line in lines:
        if type(line.get(field)) is not Decimal and type(line.get(field)) is not int:
            raise Fault(
                f"行字段 {field} 不是数字, 无法调整尾差", f"{field} of a line is no number to settle", line.get(field)
            )
    missed = number(total) - sum(line[field] for line in lines)
    return tail(lines, field, missed, to) if missed else -1


def tail(lines: list[dict[str, Any]], field: str, missed: Any, to: str) -> int:
    """One line takes the cents that all miss. Returns which. Raises Fault for more than a cent a line."""
    if abs(missed) > CENT * len(lines):
        raise Fault(
            f"明细 {field} 与合计相差 {missed}, 超过每行一分; 请核对合计与明细",
            f"the lines' {field} miss their total by {missed}, more than a cent a line; check both",
            missed,
        )
    at = len(lines) - 1
    if to == "largest":
        at = max(range(len(lines)), key=lambda each: (abs(lines[each][field]), each))
    lines[at][field] += missed
    return at


def add(left: Any, right: Any) -> Any:
    """Two numbers, two texts or two lists; never a mix."""
    kinds = {type(left), type(right)}
    if kinds <= {int, Decimal}:
        return left + right
    limit = TEXT_LIMIT if kinds == {str} else LIST_LIMIT if kinds == {list} else 0
    if limit and (length := len(left) + len(right)) <= limit:
        if length > LONG:
            charge(length // 64)
        return left + right
    raise Fault(
        "+ 只能相加两个数字或连接两个文本; 请先用 text() 或 decimal() 转换",
        "+ adds two numbers or joins two texts; convert with text() or decimal() first",
        [left, right],
    )


def _numeric(sign: str, compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def operate(left: Any, right: Any) -> Any:
        if {type(left), type(right)} <= {int, Decimal}:
            return compute(left, right)
        raise Fault(
            f"{sign} 只能用于数字; 文本请先用 money() 或 decimal() 转换",
            f"{sign} works on numbers only; convert text with money() or decimal() first",
            [left, right],
        )

    return operate


def _product(left: Any, right: Any) -> Any:
    if type(left) is int and type(right) is int and (abs(left) >= _BIG or abs(right) >= _BIG):
        raise Fault("数字超出范围", "the number is out of range", [left, right])
    return left * right


def _floor(left: Any, right: Any) -> Any:
    if type(left) is int and type(right) is int:
        return left // right
    whole, rest = divmod(Decimal(left), Decimal(right))
    return whole - 1 if rest and (rest < 0) != (right < 0) else whole.to_integral_value(ROUND_FLOOR)


def _modulo(left: Any, right: Any) -> Any:
    if type(left) is int and type(right) is int:
        return left % right
    rest = Decimal(left) % Decimal(right)
    return rest + right if rest and (rest < 0) != (right < 0) else rest


subtract = _numeric("-", lambda left, right: left - right)
multiply = _numeric("*", _product)
divide = _numeric("/", lambda left, right: Decimal(left) / Decimal(right))
floor_divide = _numeric("//", _floor)
modulo = _numeric("%", _modulo)


def minus(value: Any) -> Any:
    """The number with the other sign."""
    return -number(value)


OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
    ast.FloorDiv: floor_divide,
    ast.Mod: modulo,
}
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: minus, ast.UAdd: number}
