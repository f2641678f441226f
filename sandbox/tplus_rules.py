"""What T+ checks everywhere: that something holds, that a figure is one, that a date is one."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

REFUSED = "999"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Refused(Exception):
    """A business refusal: HTTP 200 with a code and a message."""

    def __init__(self, text: str, code: str = REFUSED) -> None:
        super().__init__(text)
        self.code = code


def require(holds: bool, text: str, code: str = REFUSED) -> None:
    """Raise Refused with the text unless it holds."""
    if not holds:
        raise Refused(text, code)


def text_of(reference: Any, name: str = "Code") -> str:
    """What an object `{"Code": "…"}` refers to; empty for none."""
    return str(reference.get(name) or "") if isinstance(reference, dict) else ""


def figure(value: Any, label: str, places: int = 2) -> Decimal:
    """A number, or a text that is one, with no more places than allowed."""
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Refused(f"{label}[{value}]不是数字") from error
    require(number.is_finite() and -number.as_tuple().exponent <= places, f"{label}[{value}]的小数位数超过{places}")  # type: ignore[operator]
    return number


def date_of(value: Any) -> str:
    """A date yyyy-MM-dd."""
    text = str(value or "")
    require(DATE.fullmatch(text) is not None, f"单据日期[{text}]格式不正确")
    return text
