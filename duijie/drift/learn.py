"""A schema of what was seen, to start from where a stream has none: types and fields, never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duijie.drift.seen import ELEMENT, Seen, parent_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ORDER = ("object", "array", "string", "integer", "number", "boolean", "null")


def learned(found: Seen, system: str, stream: str) -> Mapping[str, Any]:
    """A JSON Schema that every record seen keeps; a field that every object had is required."""
    title = f"{system} {stream}: learned from {found.records} recorded messages; read it before you rely on it"
    head = {"$schema": DIALECT, "$id": f"duijie:source:{system}:{stream}", "title": title}
    return {**head, **_described(found, "", ["object"])}


def _described(found: Seen, path: str, types: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    below = [each for each in found.fields if parent_of(each) == path and each != path]
    names = [each for each in below if not each.endswith(ELEMENT)]
    if "object" in types and names:
        made["required"] = [_name(each) for each in names if found.fields[each].times == found.fields[each].parents]
        made["properties"] = {_name(each): _described(found, each, _types(found, each)) for each in names}
    if "array" in types and (element := f"{path}{ELEMENT}") in found.fields:
        made["items"] = _described(found, element, _types(found, element))
    return made


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _types(found: Seen, path: str) -> list[str]:
    return sorted(found.fields[path].types, key=ORDER.index)
