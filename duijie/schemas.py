"""Checks canonical documents against schemas/*.json (JSON Schema 2020-12), every fault at once."""

from __future__ import annotations

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


def check(entity: str, document: Record) -> None:
    """Raises InvalidDocument naming each field that breaks the schema."""
    validator = _validator(entity)
    if validator.is_valid(document):
        return
    faults = [f"{_path(error)}: {error.message}" for error in validator.iter_errors(document)]
    shown = "; ".join(faults[:SHOWN]) + (f" … 共 {len(faults)} 处" if len(faults) > SHOWN else "")
    raise InvalidDocument(
        f"单据不符合 {entity} 的结构: {shown}; 请更正源数据或映射后重放",
        en=f"the document breaks the schema of {entity}: {shown}",
        code="SCHEMA",
        where=str(document.get("key", "")),
    )


def _path(error: Any) -> str:
    return ".".join(str(part) for part in error.instance_path) or "(整单)"
