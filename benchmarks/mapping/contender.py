"""What the benchmark knows of an implementation: how to run it, what it must be given, what it cannot say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmarks.mapping.timing import Sweep
from duijie.codec import Record


@dataclass(frozen=True)
class Contender:
    """One implementation of the mapping.

    `prepare` turns an order into what the engine takes and `restore` its result into what is compared, both outside
    the timing; `leaves_out` names target fields it cannot express, which are then not compared.
    """

    name: str
    version: str
    sweep: Sweep
    one: Callable[[Any], Any]
    prepare: Callable[[Record], Any] = lambda order: order
    restore: Callable[[Any], Record] = lambda result: result
    leaves_out: tuple[str, ...] = ()
    note: str = ""

    def differences(self, order: Record, expected: Record) -> list[str]:
        """Where the result departs from the hand-written one; numbers by value, everything else exactly."""
        result = self.restore(self.one(self.prepare(order)))
        wanted = {name: value for name, value in expected.items() if name not in self.leaves_out}
        return list(_differences(wanted, result, self.name))


def _differences(expected: Any, actual: Any, path: str) -> list[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        odd = [f"{path}.{key}: only on one side" for key in expected.keys() ^ actual.keys()]
        common = [key for key in expected if key in actual]
        return odd + [each for key in common for each in _differences(expected[key], actual[key], f"{path}.{key}")]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [each for at, pair in pairs for each in _differences(*pair, f"{path}[{at}]")]
    if _plain(expected) == _plain(actual):
        return []
    return [f"{path}: {expected!r} by hand, {actual!r} here"]


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value if isinstance(value, bool | str) else repr(value)
    return Decimal(str(value))
