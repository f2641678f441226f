"""What records look like: each field by its path, with the JSON types it came in and how often it was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

TYPES: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    Decimal: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}
ELEMENT = "[]"


@dataclass
class Field:
    """`parents`: how many objects could have had it; `first`: the key of the first record that showed each type."""

    parents: int = 0
    types: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    @property
    def times(self) -> int:
        """How often it was there."""
        return self.types.total()


@dataclass(frozen=True)
class Seen:
    """Fields by path (`orders.order[].oid`), and how many records there were."""

    fields: Mapping[str, Field]
    records: int


def seen(records: Iterable[tuple[str, Any]]) -> Seen:
    """What these (key, record) look like."""
    fields: dict[str, Field] = {}
    objects: Counter[str] = Counter()
    count = 0
    for key, record in records:
        count += 1
        for path, value in _walk(record, "", objects):
            kind = TYPES[type(value)]
            known = fields.setdefault(path, Field())
            known.types[kind] += 1
            known.first.setdefault(kind, key)
    for path, known in fields.items():
        known.parents = objects[parent_of(path)]
    return Seen(fields, count)


def parent_of(path: str) -> str:
    """The path of the object or list that a field is in."""
    return path.removesuffix(ELEMENT) if path.endswith(ELEMENT) else path.rpartition(".")[0]


def _walk(value: Any, path: str, objects: Counter[str]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        objects[path] += 1
        for name, inner in value.items():
            below = f"{path}.{name}" if path else str(name)
            yield below, inner
            yield from _walk(inner, below, objects)
    elif isinstance(value, list):
        for inner in value:
            yield f"{path}{ELEMENT}", inner
            yield from _walk(inner, f"{path}{ELEMENT}", objects)
