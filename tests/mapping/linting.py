"""A small project to lint: an order and a product as entities, a vendor's stream with a schema, one without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from duijie.mapping import lint

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "number"}
MONEY: dict[str, Any] = {"type": "number", "multipleOf": 0.01}
KEY: dict[str, Any] = {"type": "string", "minLength": 1}


def thing(required: list[str] | None = None, **fields: dict[str, Any]) -> dict[str, Any]:
    """A closed object."""
    return {
        "type": "object",
        "properties": fields,
        "required": [] if required is None else required,
        "additionalProperties": False,
    }


ORDER = thing(
    ["key", "status"],
    key=KEY,
    status={"enum": ["unpaid", "paid", "closed"]},
    placed={"type": "string", "format": "date-time"},
    day={"type": "string", "format": "date"},
    note={"type": "string", "maxLength": 20},
    remark={"type": ["string", "null"]},
    gross=MONEY,
    rate={"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    count={"type": "integer"},
    buyer=thing(["name"], name=TEXT, tax_no=TEXT),
    lines={
        "type": "array",
        "items": thing(["sku"], sku=KEY, qty=NUMBER, price=NUMBER, rate={"multipleOf": 0.0001, "type": "number"}),
    },
)
PRODUCT = thing(key=KEY, unit=TEXT, tax_rate=NUMBER)
TRADE = {
    "type": "object",
    "properties": {
        "tid": {"type": "integer"},
        "state": {"enum": ["NEW", "PAID"]},
        "fee": {"type": "string"},
        "long": {"type": "string", "maxLength": 50},
        "extra": {"type": "object", "properties": {"colour": TEXT}, "additionalProperties": True},
        "orders": {"$ref": "#/$defs/orders"},
    },
    "$defs": {"orders": {"type": "array", "items": {"type": "object", "properties": {"num": {"type": "integer"}}}}},
}
TEST = "tests: [{name: t, given: {}, error: x}]\n"


class Project:
    """Files below a folder; `told` gives "line:column rule words" of the findings of one mapping."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, schema in (("order", ORDER), ("product", PRODUCT), ("sources/shop/trade", TRADE)):
            self.put(f"schemas/{name}.json", json.dumps(schema))

    def put(self, path: str, text: str) -> Path:
        """Write a file."""
        whole = self.folder / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text, encoding="utf-8")
        return whole

    def mapping(self, ends: str, text: str) -> Path:
        """A mapping of three lines of head and this text; without tests one is added."""
        name = "m.out" if "from: {entity" in ends else "m.in"
        tested = text if "tests:" in text else f"{text.rstrip()}\n{TEST}"
        return self.put(f"mappings/demo/{name}.yaml", f"mapping: demo/{name}\n{ends}\n{tested}")

    def told(self, ends: str, text: str) -> list[str]:
        """What lint says of it. Findings where the text has a » (in order) begin with », others with their place."""
        marked = [
            (number, at + 1 - line[:at].count("»"))
            for number, line in enumerate(text.split("\n"), 4)
            for at, char in enumerate(line)
            if char == "»"
        ]
        return [
            f"{_place(each.spot.line, each.spot.column, marked)} {each.rule} {each.severity}: {each.en}"
            for each in lint([self.mapping(ends, text.replace("»", ""))])
        ]


def _place(line: int, column: int, marked: list[tuple[int, int]]) -> str:
    return "»" if (line, column) in marked else f"{line}:{column}"


ENTITY = "from: {entity: order}\nto: {system: x, sink: y}"
STREAM = "from: {system: shop, stream: trade}\nto: {system: x, sink: y}"
SEEN = "from: {system: other, stream: things}\nto: {system: x, sink: y}"
INTO = "from: {system: other, stream: unseen}\nto: {entity: order}"
