"""The functions a rule may call: how many arguments, what kind comes out, what runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from duijie.mapping import allocation, days, markup, numbers, patterns, texts, units, words

Kind = Literal["text", "decimal", "integer", "number", "boolean", "list", "object", "split", "null", "any"]


@dataclass(frozen=True)
class Signature:
    """`most` None: any number. `run` None: the compiler has its own form for it."""

    least: int
    most: int | None
    gives: Kind
    run: Callable[..., Any] | None = None
    keywords: tuple[str, ...] = ()
    over: bool = False  # its first argument may be a comprehension

    @property
    def arity(self) -> str:
        """For messages: 2, 2-3, 1+."""
        if self.most is None:
            return f"{self.least}+"
        return str(self.least) if self.least == self.most else f"{self.least}-{self.most}"


FUNCTIONS: dict[str, Signature] = {
    "text": Signature(1, 1, "text", texts.text),
    "join": Signature(2, None, "text", texts.join, over=True),
    "fail": Signature(1, None, "any", texts.fail),
    "trim": Signature(1, 1, "text", texts.trim),
    "upper": Signature(1, 1, "text", texts.upper),
    "lower": Signature(1, 1, "text", texts.lower),
    "nfkc": Signature(1, 1, "text", texts.nfkc),
    "replace": Signature(3, 3, "text", texts.replace),
    "left": Signature(2, 2, "text", texts.left),
    "right": Signature(2, 2, "text", words.right),
    "pad": Signature(3, 3, "text", words.pad),
    "length": Signature(1, 1, "integer", words.length),
    "starts": Signature(2, 2, "boolean", words.starts),
    "ends": Signature(2, 2, "boolean", words.ends),
    "contains": Signature(2, 2, "boolean", words.contains),
    "split": Signature(2, 2, "list", texts.split),
    "match": Signature(2, 2, "boolean", patterns.match),
    "find": Signature(2, 3, "any", patterns.find),
    "sub": Signature(3, 3, "text", patterns.sub),
    "position": Signature(2, 2, "any", words.position, over=True),
    "money": Signature(1, 1, "decimal", numbers.money),
    "decimal": Signature(1, 1, "decimal", numbers.decimal),
    "round": Signature(2, 2, "decimal", numbers.round_half_up),
    "integer": Signature(1, 1, "integer", numbers.integer),
    "split_tax": Signature(2, 2, "split", numbers.split_tax),
    "floor": Signature(1, 1, "integer", numbers.floor),
    "ceil": Signature(1, 1, "integer", numbers.ceil),
    "allocate": Signature(2, 3, "list", allocation.allocate, keywords=("tail",), over=True),
    "explode": Signature(3, 3, "list", allocation.explode),
    "convert": Signature(4, 5, "decimal", units.convert, keywords=("places",)),
    "convert_price": Signature(4, 5, "decimal", units.convert_price, keywords=("places",)),
    "rmb_words": Signature(1, 2, "text", words.rmb_words),
    "sum": Signature(1, 1, "number", texts.total, over=True),
    "min": Signature(1, None, "any", texts.smallest, over=True),
    "max": Signature(1, None, "any", texts.largest, over=True),
    "abs": Signature(1, 1, "number", texts.absolute),
    "count": Signature(1, 1, "integer", texts.count, over=True),
    "first": Signature(1, 2, "any", texts.first, over=True),
    "list": Signature(1, 1, "list", texts.listed, over=True),
    "all": Signature(1, 1, "boolean", texts.every, over=True),
    "any": Signature(1, 1, "boolean", texts.some, over=True),
    "datetime": Signature(2, 3, "text", texts.moment, keywords=("tz",)),
    "date": Signature(1, 1, "text", texts.date),
    "format_date": Signature(2, 2, "text", texts.format_date),
    "epoch_ms": Signature(1, 1, "integer", texts.epoch_ms),
    "add_days": Signature(2, 2, "text", days.add_days),
    "add_months": Signature(2, 2, "text", days.add_months),
    "month_start": Signature(1, 1, "text", days.month_start),
    "month_end": Signature(1, 1, "text", days.month_end),
    "days_between": Signature(2, 2, "integer", days.days_between),
    "json": Signature(1, 1, "text", texts.json_text),
    "parse_json": Signature(1, 1, "any", texts.parse_json),
    "xml": Signature(2, 2, "text", markup.xml),
    "parse_xml": Signature(1, None, "any", markup.parse_xml),
    "table": Signature(2, 3, "any"),
    "xref": Signature(2, 3, "any"),
    "xref_back": Signature(2, 2, "text"),
    "codes": Signature(2, 2, "list"),
    "ref": Signature(2, 2, "object"),
    "present": Signature(1, 1, "boolean"),
    "has": Signature(1, 1, "boolean"),
    "default": Signature(2, 2, "any"),
}
