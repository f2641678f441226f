"""Hostile messages: valid records of every shipped stream with something in them that no vendor should send.

`messages(seed, number)` gives (stream, JSON text) pairs; one in `GOOD_EVERY` is left as it is. A seed gives the same
messages again. The good ones have keys of their own, so that they can be told to have gone through.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from duijie import codec
from duijie.codec import Record
from duijie.engine import ROOT

GOOD_EVERY = 20
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
NESTINGS = (30, 200, 600, 900)


@dataclass(frozen=True)
class Kind:
    """A shipped stream: where its records come in, the mapping, the field that is its key."""

    connection: str
    stream: str
    mapping: str
    key: str


KINDS = (
    Kind("xingchen", "material", "xingchen/product.in", "number"),
    Kind("taobao", "trade", "taobao/sales_order.in", "tid"),
    Kind("taobao", "refund", "taobao/sales_refund.in", "refund_id"),
    Kind("taobao", "stock", "taobao/listing.in", "shop_sku"),
    Kind("xingchen", "inventory", "xingchen/stock_level.in", "key"),
    Kind("nuonuo", "invoice", "nuonuo/invoice.in", "orderNo"),
    Kind("nuonuo", "red_invoice", "nuonuo/red_invoice.in", "billId"),
)


class Raw(str):
    """JSON text to be put in as it stands."""

    __slots__ = ()


def nested(depth: int, left: str = "[", right: str = "]") -> Raw:
    """So deep."""
    return Raw(left * depth + "1" + right * depth)


TEXTS = (
    "",
    " ",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1e999999",
    "-1e999999",
    "1e-400",
    "0x1F",
    "１２３",
    "1,234.56",
    "--1",
    "1_000",
    "null",
    "true",
    "\u202e00.311",
    "12\u200b3",
    "\ufeff113.00",
    "a\x00b",
    "\x00",
    "\x07\x1b[31m",
    "line\u2028break\u0085",
    "é" * 500,
    "٣٤",
    "'; DROP TABLE delivery; --",
    "{{7*7}} ${jndi:ldap://x}",
    "../../etc/passwd",
    BOMB,
    "0000-00-00 00:00:00",
    "9999-12-31 23:59:59",
    "10000-01-01 00:00:00",
    "2026-02-30 00:00:00",
    "2026-11-11 25:61:61",
    "-0001-01-01 00:00:00",
    "2026-11-11T09:00:00+99:00",
    "99999999999999999999.99",
    "92233720368547758.07",
    "92233720368547758.08",
    "0.001",
    "-113.00",
    "1" * 5000,
    "汉" * 201,
    "x" * 401,
)
NUMBERS = (
    "0", "-0", "-0.0", "-1", "0.001", "1e2", "1e-2", "1E400", "-1E400", "1e-400", "1e308", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "1" * 400, "1" * 4400,
    "0." + "3" * 400, "92233720368547758.08", "113.00000000000000000000001",
)  # fmt: skip
WHOLE = (
    "null", "[]", "5", '"x"', "true", "{}", "[{}]", "[[[]]]", '{"": ""}', '{"\\u0000": "\\u0000"}', '"\\ud83d\\ude00"',
)  # fmt: skip


def _text(dice: random.Random) -> Any:
    return dice.choice(TEXTS)


def _number(dice: random.Random) -> Any:
    return Raw(dice.choice(NUMBERS))


def _nested(dice: random.Random) -> Any:
    left, right = dice.choice((("[", "]"), ('{"a":', "}")))
    return nested(dice.choice(NESTINGS), left, right)


def _wrong_type(dice: random.Random) -> Any:
    return dice.choice((None, True, False, [], {}, [None], [[]], {"": {}}, [1, "a", None], {"$ref": "#"}, 7, "7"))


def _escapes(dice: random.Random) -> Any:
    return Raw(dice.choice(('"\\u0000"', '"\\u202e"', '"\\ufeff1"', '"\\ud83d\\ude00"', '"\\uffff"', '"\\u000b"')))


def _long(dice: random.Random) -> Any:
    lengths = (30, 300, 2_000, 1_000_000 if dice.random() < 0.01 else 70)
    return dice.choice(("9", "a", "汉", " ", "\n")) * dice.choice(lengths)


VALUES: tuple[Callable[[random.Random], Any], ...] = (_text, _number, _nested, _wrong_type, _escapes, _long)


def _places(record: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a record."""
    items = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for name, value in items:
        yield (*path, name)
        yield from _places(value, (*path, name))


def _at(record: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        record = record[name]
    return record


def text_of(value: Any) -> str:
    """JSON, with what is raw as it stands."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{text_of(str(name))}:{text_of(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return codec.encode(value).decode()


@cache
def bases(mapping: str) -> list[Record]:
    """The records that a mapping's own tests are given."""
    path = ROOT / "mappings" / f"{mapping}.yaml"
    tests = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    return [dict(one["given"]) for one in tests if "error" not in one]


def good(kind: Kind, number: int) -> Record:
    """A record of a stream that must go through, with a key of its own."""
    if kind.stream == "trade":
        return _trade(number)
    record = {**bases(kind.mapping)[0], kind.key: f"good-{number}"}
    more = {"material": {"base_unit_id": "90001"}, "refund": {"outer_id": "GOOD", "tid": f"9{number - 1}"}}
    return {**record, **more.get(kind.stream, {})}


def _trade(number: int) -> Record:
    line = {"oid": number, "outer_sku_id": "GOOD", "title": "面条", "num": 2, "total_fee": "120.00",
            "discount_fee": "0.00", "divide_order_fee": "113.00"}  # fmt: skip
    when = "2026-11-11 09:02:00"
    wish = {"invoice_name": "张伟", "invoice_kind": "1"}
    return {"shop": "S01", "tid": f"9{number}", "status": "TRADE_FINISHED", "created": when, "pay_time": when,
            "modified": when, "payment": "113.00", "post_fee": "0.00", "buyer_open_uid": f"u{number}", **wish,
            "orders": {"order": [line]}}  # fmt: skip


def spoilt(dice: random.Random, kind: Kind, number: int) -> str:
    """One hostile message of a stream."""
    if dice.random() < 0.02:
        return dice.choice(WHOLE)
    record = deepcopy(dice.choice([*bases(kind.mapping), good(kind, number)]))
    record[kind.key] = f"bad-{number}"
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        path = dice.choice(list(_places(record)))
        inside = _at(record, path[:-1])
        if dice.random() < 0.15:
            del inside[path[-1]]
        else:
            inside[path[-1]] = dice.choice(VALUES)(dice)
        if not record:
            break
    text = text_of(record)
    return f'{{"{kind.key}":1,{text[1:]}' if dice.random() < 0.02 and len(text) > 2 else text


def messages(seed: int, number: int) -> Iterator[tuple[Kind, str, bool]]:
    """So many: the stream, the text, and whether it is a good one."""
    dice = random.Random(seed)  # noqa: S311  repeatable, no secret
    for one in range(number):
        kind = KINDS[one % len(KINDS)]
        if one // len(KINDS) % GOOD_EVERY == 0:
            yield kind, codec.encode(good(kind, one)).decode(), True
        else:
            yield kind, spoilt(dice, kind, one), False
