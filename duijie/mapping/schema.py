"""What is known of a mapping's ends: the schemas of entities and of vendors' streams, records that were seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from duijie import codec

_OWN = Path(__file__).parents[2] / "schemas"
_EDITORS = ("mapping", "flow")


@dataclass(frozen=True)
class Schemas:
    """The folder of schemas that belongs to a mapping file, and the `mappings` folder the file is in, if any.

    What the folder does not hold is what is shipped here, so that a package of one connector needs only its sources.
    """

    folder: Path
    mappings: Path | None = None

    @classmethod
    def near(cls, path: Path) -> Schemas:
        """The `schemas` folder beside or above the file, else the one shipped here."""
        parents = path.absolute().parents
        above = (parent / "schemas" for parent in parents)
        mappings = next((parent for parent in parents if parent.name == "mappings"), None)
        return cls(next((folder for folder in above if folder.is_dir()), _OWN), mappings)

    @cached_property
    def names(self) -> list[str]:
        """The entities there are."""
        files = (path for folder in (self.folder, _OWN) for path in folder.glob("*.json"))
        return sorted({path.stem for path in files} - set(_EDITORS))

    @cached_property
    def digest(self) -> str:
        """Changes when a schema or a recorded sample changes."""
        entities = [self._entity(name) for name in self.names]
        samples = sorted(self.mappings.glob("*/samples/*.json")) if self.mappings else []
        digest = hashlib.sha256()
        for path in [*entities, *sorted(self.folder.glob("sources/*/*.json")), *samples]:
            digest.update(str(path).encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def entity(self, name: str) -> dict[str, Any] | None:
        """The schema of an entity, None when there is none of that name."""
        return _schema(self._entity(name)) if name in self.names else None

    def source(self, system: str, stream: str) -> dict[str, Any] | None:
        """The schema of a vendor's stream, None when there is none."""
        paths = (folder / "sources" / system / f"{stream}.json" for folder in (self.folder, _OWN))
        found = next((path for path in paths if path.is_file()), None) if _plain(system, stream) else None
        return _schema(found) if found else None

    def _entity(self, name: str) -> Path:
        own = self.folder / f"{name}.json"
        return own if own.is_file() else _OWN / f"{name}.json"

    def samples(self, system: str, stream: str) -> list[Any]:
        """What `mappings/<system>/samples/<stream>.json` and `<stream>.*.json` hold: one record or a list each."""
        if self.mappings is None or not _plain(system, stream):
            return []
        folder = self.mappings / system / "samples"
        files = [*folder.glob(f"{stream}.json"), *sorted(folder.glob(f"{stream}.*.json"))]
        return [record for path in files for record in _records(path)]


def _plain(*names: str) -> bool:
    return all(name.replace("_", "a").replace("-", "a").isalnum() for name in names)


def _schema(path: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def _records(path: Path) -> list[Any]:
    try:
        held = codec.decode(path.read_bytes())
    except (msgspec.DecodeError, RecursionError):
        return []
    return held if isinstance(held, list) else [held]


def types(schema: Mapping[str, Any]) -> list[str]:
    """The JSON types a schema allows; empty where it does not say."""
    given = schema.get("type", [])
    return [given] if isinstance(given, str) else list(given)


def closed(schema: Mapping[str, Any]) -> bool:
    """Whether only the fields listed may appear."""
    return schema.get("additionalProperties") is False
