"""CEL in two engines: common-expression-language (Rust) and cel-python.

CEL has no let, no sum and no index in `map`, and leaves no key out of a map. So what the lines and the totals need is
computed in Python and handed in, dates are a Python callback, and keys that are null are dropped from the result.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.orders import CUSTOMERS, STORES
from benchmarks.mapping.peers.fen import PRODUCTS, given, in_fen, in_yuan, taxed
from benchmarks.mapping.timing import each
from duijie.codec import Record

NOTE = "look-ups, line numbers, totals and the tax split computed in Python (whole fen), dates by callback"
WITHOUT_ORDERS = {"orders": None}


def _facts(order: Record) -> Record:
    goods = order["payment"] - order["post_fee"]
    tax, lines = taxed(order["orders"], goods)
    return {
        "o": order | WITHOUT_ORDERS,
        "goods": goods,
        "tax": tax,
        "discounts": sum(line["discount"] for line in lines),
        "lines": [{**line, "product": PRODUCTS[line["sku"]]} for line in lines],
        "customer": CUSTOMERS[order["shop"]],
        "warehouse": STORES[order["warehouse"]],
    }


def moment(text: str) -> str:
    """ISO 8601 of a local time."""
    return text.replace(" ", "T") + "+08:00"


def day(text: str) -> str:
    """The date of a local time."""
    return text[:10]


def rust() -> Contender:
    """common-expression-language."""
    cel = importlib.import_module("cel")
    program = cel.compile(_source())
    functions = {"moment": moment, "day": day}

    def one(order: Record) -> Any:
        return given(program.execute(cel.Context(_facts(order), functions)))

    return Contender("cel_rust", version("common-expression-language"), each(one), one, in_fen, in_yuan, note=NOTE)


def python() -> Contender:
    """cel-python."""
    celpy = importlib.import_module("celpy")
    text = importlib.import_module("celpy.celtypes").StringType
    functions = {"moment": lambda value: text(moment(value)), "day": lambda value: text(day(value))}
    environment = celpy.Environment()
    program = environment.program(environment.compile(_source()), functions=functions)

    def one(order: Record) -> Any:
        return given(program.evaluate({name: celpy.json_to_cel(value) for name, value in _facts(order).items()}))

    return Contender("cel_python", version("cel-python"), each(one), one, in_fen, _restored, note=NOTE)


def _source() -> str:
    return Path(__file__).with_name("order.cel").read_text(encoding="utf-8")


def _restored(result: Any) -> Record:
    return in_yuan(_plain(result))


def _plain(value: Any) -> Any:
    """cel-python's own types (its BoolType is an int) as Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    kinds = {"BoolType": bool, "IntType": int, "DoubleType": float, "StringType": str}
    return kinds.get(type(value).__name__, lambda same: same)(value)
