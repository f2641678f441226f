"""Records that were seen against a schema and against earlier records: what is new, missing, of another type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from duijie.drift.seen import ELEMENT, Field, Seen, parent_of

Kind = Literal["new", "missing", "retyped"]
Below = Literal["closed", "described", "open"]
FEW = 20  # records: fewer say nothing about a field that may be absent
USUAL = 0.5  # of the earlier objects had a field that is missed now


@dataclass(frozen=True)
class Change:
    """One field that is not as it was: its path, the types it had and has, in how many places, and one record's key."""

    kind: Kind
    path: str
    was: str
    now: str
    times: int
    example: str = ""


@dataclass(frozen=True)
class Expected:
    """What a schema says of one field, and of what it does not name below it; without types it may be anything."""

    types: frozenset[str]
    required: bool
    below: Below


def changes(now: Seen, schema: Mapping[str, Any] | None, before: Seen) -> list[Change]:
    """Every change, by path. Without a schema the earlier records alone are what was expected."""
    expected = dict(_fields(schema, "")) if schema else _as_before(before)
    found = [*_strange(now, expected, before), *_required(now, expected), *_vanished(now, before)]
    return sorted({(one.kind, one.path): one for one in found}.values(), key=lambda one: (one.path, one.kind))


def _strange(now: Seen, expected: Mapping[str, Expected], before: Seen) -> Iterator[Change]:
    """Fields nobody expected, and values of a type nobody expected; not what is below a field that is told already."""
    told: set[str] = set()
    for path, field in now.fields.items() if expected else ():
        if any(path.startswith((f"{each}.", f"{each}{ELEMENT}")) for each in told):
            continue
        if path not in expected:
            if _is_new(path, expected, before):
                told.add(path)
                yield _change("new", path, "", field, field.types)
        elif odd := [kind for kind in field.types if not _fits(kind, expected[path].types)]:
            told.add(path)
            yield _change("retyped", path, " / ".join(sorted(expected[path].types)), field, odd)


def _is_new(path: str, expected: Mapping[str, Expected], before: Seen) -> bool:
    """Whether a field that is not described is one that did not come before, as far as the schema leaves that open."""
    is_known = before.records >= FEW
    match _below(path, expected):
        case "closed":
            return True
        case "described":
            return not is_known or path not in before.fields
        case "open":
            return is_known and path not in before.fields


def _required(now: Seen, expected: Mapping[str, Expected]) -> Iterator[Change]:
    objects = {parent_of(path): field.parents for path, field in now.fields.items()} | {"": now.records}
    for path, one in expected.items():
        there = now.fields.get(path, Field())
        lacking = objects.get(parent_of(path), 0) - there.times
        if one.required and lacking > 0:
            yield Change("missing", path, " / ".join(sorted(one.types)), "", lacking)


def _vanished(now: Seen, before: Seen) -> Iterator[Change]:
    """Fields that at least half of the earlier objects had and none has now."""
    if now.records < FEW or before.records < FEW:
        return
    objects = {parent_of(path): field.parents for path, field in now.fields.items()}
    for path, field in before.fields.items():
        usual = field.times >= field.parents * USUAL
        if usual and path not in now.fields and objects.get(parent_of(path), 0) >= FEW and not path.endswith(ELEMENT):
            yield Change("missing", path, " / ".join(sorted(field.types)), "", objects[parent_of(path)])


def _change(kind: Kind, path: str, was: str, field: Field, types: Iterable[str]) -> Change:
    odd = sorted(types)
    return Change(kind, path, was, " / ".join(odd), sum(field.types[each] for each in odd), field.first[odd[0]])


def _fits(kind: str, types: frozenset[str]) -> bool:
    return not types or kind in types or (kind == "integer" and "number" in types)


def _below(path: str, expected: Mapping[str, Expected]) -> Below:
    """What the nearest described field above says of what it does not name. The whole stands at \"\"."""
    while path:
        path = parent_of(path)
        if path in expected:
            return expected[path].below
    return "described"


def _fields(schema: Mapping[str, Any], path: str, required: bool = False) -> Iterator[tuple[str, Expected]]:
    given = schema.get("type", ())
    types = frozenset([given] if isinstance(given, str) else given)
    more = schema.get("additionalProperties")
    is_free = more is True or not ("properties" in schema or "items" in schema)
    yield path, Expected(types, required, "closed" if more is False else "open" if is_free else "described")
    for name, inner in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield from _fields(inner, below, name in schema.get("required", ()))
    if isinstance(schema.get("items"), dict):
        yield from _fields(schema["items"], f"{path}{ELEMENT}")


def _as_before(before: Seen) -> dict[str, Expected]:
    if before.records < FEW:
        return {}
    return {
        path: Expected(frozenset(field.types) - {"null"}, required=False, below="described")
        for path, field in before.fields.items()
    }
