"""The canonical schemas as a mapping sees them: which fields there are, which must be, of what kind."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from duijie.mapping.emit import NUMERIC
from duijie.mapping.signatures import Kind

_OWN = Path(__file__).parents[2] / "schemas"
_EDITORS = ("mapping", "flow")
_FITS: dict[str, frozenset[Kind]] = {
    "string": frozenset({"text"}),
    "number": NUMERIC,
    "integer": frozenset({"integer", "number", "any"}),
    "boolean": frozenset({"boolean"}),
    "array": frozenset({"list"}),
    "object": frozenset({"object", "split"}),
    "null": frozenset({"null"}),
}


@dataclass(frozen=True)
class Schemas:
    """The folder of entity schemas that belongs to a mapping file."""

    folder: Path

    @classmethod
    def near(cls, path: Path) -> Schemas:
        """The `schemas` folder beside or above the file, else the one shipped here."""
        above = (parent / "schemas" for parent in path.absolute().parents)
        return cls(next((folder for folder in above if folder.is_dir()), _OWN))

    @cached_property
    def names(self) -> list[str]:
        """The entities there are."""
        return sorted(path.stem for path in self.folder.glob("*.json") if path.stem not in _EDITORS)

    @cached_property
    def digest(self) -> str:
        """Changes when a schema changes."""
        content = b"".join((self.folder / f"{name}.json").read_bytes() for name in self.names)
        return hashlib.sha256(content).hexdigest()

    def entity(self, name: str) -> dict[str, Any] | None:
        """The schema of an entity, None when there is none of that name."""
        if name not in self.names:
            return None
        schema: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        return schema


def types(schema: dict[str, Any]) -> list[str]:
    """The JSON types a schema allows; empty where it does not say."""
    given = schema.get("type", [])
    return [given] if isinstance(given, str) else list(given)


def fits(kind: Kind, schema: dict[str, Any]) -> bool:
    """Whether a value of this kind may satisfy the schema; True where that cannot be decided."""
    allowed = types(schema)
    if "enum" in schema and not allowed:
        allowed = ["string"] if all(isinstance(each, str) for each in schema["enum"]) else []
    return kind == "any" or not allowed or any(kind in _FITS.get(each, {kind}) for each in allowed)


def closed(schema: dict[str, Any]) -> bool:
    """Whether only the fields listed may appear."""
    return schema.get("additionalProperties") is False
