"""How Tryton's JSON-RPC spells what JSON has no word for: objects tagged `__class__` for decimals, dates, instants.

Source: Tryton 8.2, trytond.protocols.jsonrpc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any


class Quantity(Decimal):
    """A quantity or a share: Tryton keeps these as numbers of JSON, digit for digit, and not as its tagged decimals."""


_INSTANT = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def pack(value: Any) -> Any:
    """A value as the server expects it, all the way down; instants become UTC, which is what the server keeps."""
    if isinstance(value, Mapping):
        return {name: pack(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [pack(item) for item in value]
    return _tagged(value)


def _tagged(value: Any) -> Any:
    if isinstance(value, Quantity):
        return Decimal(value)
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": format(value, "f")}
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        return {"__class__": "datetime", **{name: getattr(moment, name) for name in _INSTANT}}
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    return value


def unpack(value: Any) -> Any:
    """The reverse."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    return _untagged(value) if "__class__" in value else {name: unpack(item) for name, item in value.items()}


def _untagged(value: dict[str, Any]) -> Any:
    match value["__class__"]:
        case "Decimal":
            return Decimal(value["decimal"])
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "datetime":
            return datetime.combine(
                date(value["year"], value["month"], value["day"]),
                time(value["hour"], value["minute"], value["second"], value["microsecond"], tzinfo=UTC),
            )
        case _:
            return value
