"""Checks canonical documents against schemas/*.json (JSON Schema 2020-12), every fault at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument

FOLDER = Path(__file__).parent.parent / "schemas"
SHOWN = 5


@cache
def schema(entity: str) -> dict[str, Any]:
    """The schema of a canonical entity. Raises ConfigError."""
    path = FOLDER / f"{entity}.json"
    if not path.exists():
        raise ConfigError(f"没有 {entity} 的数据结构定义", en=f"no schema for entity {entity}", where=str(path))
    return dict(codec.decode(path.read_bytes()))


@cache
def entities() -> tuple[str, ...]:
    """The names of the canonical entities."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@cache
def is_entity(name: str) -> bool:
    """Whether a canonical entity has this name."""
    return name.isidentifier() and (FOLDER / f"{name}.json").exists()


@cache
def _validator(entity: str) -> Any:
    return jsonschema_rs.validator_for(schema(entity), validate_formats=True)


CENT = Decimal("0.01")
KEY_LENGTH = 200
KEYS = ("key", "_no")
_NUMBER = re.compile(r"\.\d+")
TOTALS = ("gross", "amount", "debit")
MOST = Decimal(10) ** 13  # yuan: ten million million, far within the journal's integer fen


@dataclass(frozen=True)
class Amounts:
    """Where the amounts of an object stand: fields of its own, and objects and lists of objects that have some."""

    own: tuple[str, ...]
    objects: tuple[tuple[str, Amounts], ...]
    lists: tuple[tuple[str, Amounts], ...]

    @property
    def count(self) -> int:
        """How many fields are amounts."""
        return len(self.own) + sum(inner.count for _, inner in (*self.objects, *self.lists))

    def in_cents(self, value: Record) -> bool:
        """Whether none has a fraction of a cent. The value has passed its schema otherwise."""
        for name in self.own:
            amount = value.get(name)
            if amount is not None and (amount % CENT if type(amount) is Decimal else type(amount) is not int):
                return False
        for name, inner in self.objects:
            if (found := value.get(name)) is not None and not inner.in_cents(found):
                return False
        for name, inner in self.lists:
            for each in value.get(name) or ():
                if not inner.in_cents(each):
                    return False
        return True


@dataclass(frozen=True)
class Quick:
    """A schema without the `multipleOf: 0.01` of its amounts, and the amounts.

    The library takes a Decimal apart digit by digit for it, four fifths of a check's time; a remainder is quick.
    """

    validator: Any
    amounts: Amounts

    def accepts(self, document: Record) -> bool:
        """Whether the schema does. False may be too strict: then the schema itself decides."""
        return self.validator.is_valid(document) and self.amounts.in_cents(document)


def quick(whole: dict[str, Any]) -> Quick:
    """The quick form of a schema, which stays as it is."""
    lighter = _inlined(deepcopy(whole), whole.get("$defs", {}))
    amounts = _amounts(lighter)
    return Quick(jsonschema_rs.validator_for(lighter, validate_formats=True), amounts)


@cache
def _quick(entity: str) -> Quick:
    return quick(schema(entity))


def _inlined(part: dict[str, Any], shared: dict[str, Any], inside: tuple[str, ...] = ()) -> dict[str, Any]:
    """A schema with copies of the definitions it refers to; one that refers to itself, or is added to, stays."""
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    if name in shared and name not in inside and not part.keys() & shared[name].keys():
        part = {key: each for key, each in part.items() if key != "$ref"} | deepcopy(shared[name])
        inside = (*inside, name)
    if "properties" in part:
        part["properties"] = {field: _inlined(inner, shared, inside) for field, inner in part["properties"].items()}
    if "items" in part:
        part["items"] = _inlined(part["items"], shared, inside)
    return part


def _amounts(part: dict[str, Any]) -> Amounts:
    """The amounts below a schema of an object, their `multipleOf` taken out of it; what stands elsewhere stays."""
    fields = part.get("properties", {})
    own = tuple(name for name, inner in fields.items() if inner.get("multipleOf") == CENT and inner.pop("multipleOf"))
    objects = [(name, _amounts(inner)) for name, inner in fields.items() if "properties" in inner]
    lists = [
        (name, _amounts(inner["items"])) for name, inner in fields.items() if "properties" in inner.get("items", {})
    ]
    return Amounts(own, tuple(one for one in objects if one[1].count), tuple(one for one in lists if one[1].count))


def check(entity: str, document: Record) -> None:
    """Raises InvalidDocument naming each field that breaks the schema, or that no journal could hold."""
    faults = list(_too_much(document))
    if not faults and _quick(entity).accepts(document):
        return
    faults += [(_path(error), error.message) for error in _validator(entity).iter_errors(document)]
    if not faults:
        return
    shown = "; ".join(f"{place}: {words}" for place, words in faults[:SHOWN]) + (
        f" … 共 {len(faults)} 处" if len(faults) > SHOWN else ""
    )
    refused = InvalidDocument(
        f"单据不符合 {entity} 的结构: {shown}; 请更正源数据或映射后重放",
        en=f"the document breaks the schema of {entity}: {shown}",
        code="SCHEMA",
        where=str(document.get("key", "")),
    )
    places = dict.fromkeys(_NUMBER.sub("[]", place) for place, _ in faults)
    refused.cause = f"结构 {', '.join(list(places)[:SHOWN])}"
    raise refused


def _too_much(document: Record) -> Iterator[tuple[str, str]]:
    """Keys and totals beyond what is kept of them, and how."""
    for name, value in document.items():
        if name.endswith(KEYS) and isinstance(value, str) and len(value) > KEY_LENGTH:
            yield name, f"超过 {KEY_LENGTH} 个字"
    for name in TOTALS:
        total = document.get(name)
        if isinstance(total, Decimal | int) and not -MOST < total < MOST:
            yield name, f"{total:.3g} 超出金额范围"


def _path(error: Any) -> str:
    return ".".join(str(part) for part in error.instance_path) or "(整单)"
