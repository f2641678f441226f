"""The JSON Schema of a connection, from its connector's spec: for editors and whoever writes them by hand."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from duijie.connect.protocol import Setting, Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", Decimal: "number", str: "string"}


def schema_of(spec: Spec) -> dict[str, Any]:
    """JSON Schema 2020-12 of the connection in Airflow's JSON form; secrets are `writeOnly`."""
    top = [one for one in spec.settings if one.target != "extra"]
    extra = [one for one in spec.settings if one.target == "extra"]
    inner = _object({one.name: _described(one) for one in extra}, [one.name for one in extra if _needed(one)])
    fields = {one.target: _described(one) for one in top}
    needed = ["conn_type", *(one.target for one in top if _needed(one)), *(["extra"] if inner["required"] else [])]
    own = {"conn_type": {"const": spec.conn_type}, **fields, "extra": inner, "port": {"type": "integer"}}
    head = {"$schema": DIALECT, "$id": f"duijie:connection:{spec.conn_type}", "title": spec.title}
    return {**head, "description": f"{spec.summary} ({spec.source})", **_object(own, needed)}


def _object(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": dict(properties)}


def _needed(one: Setting) -> bool:
    return one.required and one.default in (None, "")


def _described(one: Setting) -> dict[str, Any]:
    """A setting without a default may be of any type: some are objects (one per shop)."""
    made: dict[str, Any] = {"title": one.label}
    if one.default is not None:
        made |= {"type": TYPES[type(one.default)], "default": one.default}
    if one.help:
        made["description"] = one.help
    return made | ({"writeOnly": True} if one.secret else {})
