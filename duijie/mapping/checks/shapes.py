"""What a JSON Schema, or a handful of records that were seen, says about each place of a record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from duijie.mapping.checks.facts import ALL, ANY, NUMBERS, SAMPLES, SCHEMA, Fact, Kinds, joined, key_of
from duijie.mapping.findings import Spot

Schema = Mapping[str, Any]
SEEN, COUNT = "x-seen", "x-count"
_DEEPEST = 12
_MOST_SEEN = 200
_KINDS: dict[str, Kinds] = {
    "string": frozenset({"text"}), "number": NUMBERS, "integer": frozenset({"integer"}), "null": frozenset({"null"}),
    "boolean": frozenset({"boolean"}), "array": frozenset({"list"}), "object": frozenset({"object"}),
}  # fmt: skip
_MOMENTS = {"date": "date", "date-time": "datetime"}


@dataclass(frozen=True)
class Described:
    """One place of a schema; `root` is the whole schema, for `$ref`."""

    schema: Schema
    root: Schema
    origin: int = SCHEMA

    @cached_property
    def variants(self) -> list[Schema]:
        """The plain schemas behind $ref, allOf, anyOf and oneOf."""
        return list(_variants(self.schema, self.root, 0))

    @cached_property
    def names(self) -> list[str]:
        """The fields listed."""
        return sorted({name for each in self.variants for name in each.get("properties", {})})

    @property
    def strict(self) -> bool:
        """Whether no other field is expected: what a schema lists, unless it takes additional ones."""
        return self.origin == SCHEMA and not any(each.get("additionalProperties") is True for each in self.variants)

    def field(self, name: str) -> Fact | None:
        """One field; of a schema that lists none anything may be there."""
        found = [below for each in self.variants for below in self._below(each, name)]
        if found:
            return joined(fact_of(Described(below, self.root, self.origin)) for below in found)
        return None if self.names else ANY

    def _below(self, schema: Schema, name: str) -> Iterator[Schema]:
        if name in schema.get("properties", {}):
            yield schema["properties"][name]
        elif isinstance(schema.get("additionalProperties"), dict):
            yield schema["additionalProperties"]
        elif schema.get("patternProperties"):
            yield {}

    def element(self) -> Fact:
        """One element."""
        items = [each["items"] for each in self.variants if isinstance(each.get("items"), dict)]
        return joined(fact_of(Described(each, self.root, self.origin)) for each in items) if items else ANY


def _variants(schema: Schema, root: Schema, depth: int) -> Iterator[Schema]:
    if depth > _DEEPEST:
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        yield from _variants(_referred(root, reference), root, depth + 1)
    for word in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(word, []):
            yield from _variants(each, root, depth + 1)
    if not {"$ref", "anyOf", "oneOf"} & set(schema) or {"properties", "type", "items"} & set(schema):
        yield schema


def _referred(root: Schema, reference: str) -> Schema:
    at: Any = root
    for step in reference.lstrip("#/").split("/") if reference != "#" else ():
        at = at.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(at, dict) else {}
    return at if isinstance(at, dict) else {}


def fact_of(place: Described) -> Fact:
    """What a schema says of a value; records that were seen say nothing about kinds."""
    if place.origin == SAMPLES:
        return Fact(shapes=(place,), origin=SAMPLES)
    return joined(_plain(each, place) for each in place.variants) if place.variants else ANY


def _plain(schema: Schema, place: Described) -> Fact:
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None and all(isinstance(each, str | int | bool | None) for each in values):
        kinds = frozenset().union(*(_kinds_of(each) for each in values))
        return Fact(kinds, {key_of(each): Spot("") for each in values}, (), origin=SCHEMA)
    below = {"properties", "items", "additionalProperties"} & set(schema)
    narrow = replace(place, schema=schema) if below else None
    kinds = _kinds(schema)
    return Fact(
        kinds,
        shapes=(narrow,) if narrow else None if kinds & {"object", "list"} else (),
        places=places_of(schema),
        length=schema.get("maxLength"),
        moment=_MOMENTS.get(schema.get("format", ""), ""),
        origin=SCHEMA,
    )


def _kinds_of(value: Any) -> Kinds:
    return frozenset({"integer"}) if type(value) is int else frozenset({key_of(value)[0]})


def _kinds(schema: Schema) -> Kinds:
    given = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else [])
    names = [given] if isinstance(given, str) else given
    kinds = frozenset().union(*(_KINDS.get(name, ALL) for name in names)) if names else ALL
    return kinds | {"null"} if schema.get("nullable") is True else kinds


def places_of(schema: Schema) -> int | None:
    """How many decimals a number of this schema keeps; None where it does not say."""
    step = schema.get("multipleOf")
    if not isinstance(step, int | float | Decimal) or isinstance(step, bool):
        return None
    return max(-int(Decimal(str(step)).normalize().as_tuple().exponent), 0)


@dataclass
class _Seen:
    """What many values at one place have in common."""

    fields: dict[str, _Seen] = field(default_factory=dict)
    each: _Seen | None = None
    scalars: set[str] | None = field(default_factory=set)
    count: int = 0

    def take(self, value: Any) -> None:
        self.count += 1
        if isinstance(value, dict):
            for name, below in value.items():
                self.fields.setdefault(str(name), _Seen()).take(below)
        elif isinstance(value, list):
            self.each = self.each or _Seen()
            for below in value:
                self.each.take(below)
        elif self.scalars is not None:
            self.scalars.add(str(value))
            self.scalars = self.scalars if len(self.scalars) <= _MOST_SEEN else None

    def schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {COUNT: self.count, SEEN: self.scalars}
        if self.fields:
            made["properties"] = {name: below.schema() for name, below in self.fields.items()}
        if self.each is not None:
            made["items"] = self.each.schema()
        return made


def observed(records: Iterable[Any]) -> dict[str, Any]:
    """A schema of the fields that these records have between them, with the values seen."""
    seen = _Seen()
    for record in records:
        seen.take(record)
    return seen.schema()
