"""What differs between two records, field by field, in words that a person can check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

SHOWN = 5
LONGEST = 40


class Changed(NamedTuple):
    """One field (`lines.0.qty`) before and after; None where it was not or is no longer there."""

    field: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.field} {_short(self.before)} → {_short(self.after)}"


def changes(before: Any, after: Any, path: str = "") -> Iterator[Changed]:
    """Every field that differs. Numbers are compared by value: 1 and 1.00 are the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*before, *(name for name in after if name not in before)]
        for name in names:
            yield from changes(before.get(name), after.get(name), _below(path, name))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from changes(_at(before, index), _at(after, index), _below(path, index))
    elif before != after or _is_number(before) != _is_number(after):
        yield Changed(path, before, after)


def told(found: Sequence[Changed]) -> str:
    """The first of them in one line."""
    more = f" … 共 {len(found)} 处" if len(found) > SHOWN else ""
    return "; ".join(map(str, found[:SHOWN])) + more


def _below(path: str, name: str | int) -> str:
    return f"{path}.{name}" if path else str(name)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = "无" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
