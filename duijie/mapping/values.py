"""What a rule may complain about while it runs, and how a value is shown in a complaint."""

from __future__ import annotations

from decimal import Decimal
from threading import local
from typing import Any

STEP_LIMIT = 1_000_000
LONG = 4096  # texts and lists beyond this cost steps of the budget
TEXT_LIMIT = 1_000_000
LIST_LIMIT = 100_000
DIGIT_LIMIT = 60

_KINDS = {dict: ("对象", "object"), list: ("列表", "list"), str: ("文本", "text"), bool: ("布尔值", "boolean")}


class Fault(Exception):
    """A function was given a value it cannot take; `zh` and `en` say why, `value` is the culprit."""

    def __init__(self, zh: str, en: str, value: Any) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en
        self.value = value


class Budget(local):
    """The steps left to the run of this thread; None outside a run, where nothing is counted."""

    left: int | None = None


BUDGET = Budget()


def charge(steps: int) -> None:
    """Take steps from the run's budget. Raises Exhausted when it is spent."""
    if BUDGET.left is None:
        return
    BUDGET.left -= steps
    if BUDGET.left < 0:
        raise Exhausted


class Said:
    """Stands for the value of a refusal in a mapping's own words, which need no value beside them."""


class Exhausted(Fault):
    """The run's budget of steps is spent."""

    def __init__(self) -> None:
        super().__init__(
            f"规则运行步数超过 {STEP_LIMIT}; 请减少循环嵌套",
            f"the rules took more than {STEP_LIMIT} steps; nest fewer loops",
            Said(),
        )


def show(value: Any) -> str:
    """A value in a sentence: short, on one line; of an object its keys, of a list its length."""
    text = _outline(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _outline(value: Any, depth: int = 2) -> str:
    match value:
        case None:
            return "null"
        case Decimal():
            return plain_number(value)
        case dict():
            return f"{{{', '.join(map(str, list(value)[:20]))}}}"
        case list():
            return _list(value, depth)
        case _:
            return repr(value)


def _list(value: list[Any], depth: int) -> str:
    """The first three, with what is deep inside them left out."""
    first = [_outline(one, depth - 1) for one in value[:3]] if depth else ["…"]
    return f"[{', '.join(first)}, … {len(value)}]" if depth and len(value) > 3 else f"[{', '.join(first)}]"


def plain_number(value: Decimal) -> str:
    """Digits without exponent where that stays short."""
    return format(value, "f") if value.is_finite() and -DIGIT_LIMIT < value.adjusted() < DIGIT_LIMIT else str(value)


def kind(value: Any) -> tuple[str, str]:
    """The kind of a value in (zh, en)."""
    if value is None:
        return ("空值", "null")
    return _KINDS.get(
        type(value), ("数字", "number") if isinstance(value, int | Decimal) else (type(value).__name__,) * 2
    )
