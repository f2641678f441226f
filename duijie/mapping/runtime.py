"""What generated code may call: paths, tables, look-ups. Nothing else is within its reach."""

from __future__ import annotations

from typing import Any, Protocol

from duijie.codec import Record
from duijie.connect.errors import UnmappedCode
from duijie.mapping import numbers, texts
from duijie.mapping.values import Fault


class Lookup(Protocol):
    """Answers a mapping's questions to the code tables 对照 and to the master data."""

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart of a code, None when there is none yet."""

    def ref(self, entity: str, key: str) -> Record | None:
        """The current canonical document, None when there is none yet."""


def present(base: Any, keys: tuple[Any, ...], fallback: Any) -> Any:
    """The value at a path, null included; the fallback where the path does not exist."""
    for key in keys:
        if not _holds(base, key):
            return fallback
        base = base[key]
    return base


def _holds(base: Any, key: Any) -> bool:
    if type(base) is dict:
        return key in base
    return type(base) is list and type(key) is int and -len(base) <= key < len(base)


def default(base: Any, keys: tuple[Any, ...], fallback: Any) -> Any:
    """The value at a path; the fallback where it does not exist or is null."""
    for key in keys:
        base = base.get(key) if type(base) is dict else present(base, (key,), None)
    return fallback if base is None else base


def has(base: Any, keys: tuple[Any, ...]) -> bool:
    """Whether a path exists and is not null."""
    return default(base, keys, None) is not None


def row(table: dict[Any, Any], code: Any, fallback: Any) -> Any:
    """A row of a table of the mapping file, or the fallback."""
    return table.get(code, fallback)


def xref(lookup: Lookup, kind: str, code: Any) -> str:
    """The counterpart of a code. Raises UnmappedCode."""
    asked = _code(code)
    found = lookup.xref(kind, asked)
    if found is None:
        raise UnmappedCode(kind, asked)
    return found


def ref(lookup: Lookup, entity: str, key: Any) -> Record:
    """A canonical document. Raises UnmappedCode."""
    asked = _code(key)
    found = lookup.ref(entity, asked)
    if found is None:
        raise UnmappedCode(entity, asked)
    return found


def _code(code: Any) -> str:
    if code is None or code == "":
        raise Fault("编码为空, 无法查对照", "the code to look up is empty", code)
    return code if type(code) is str else texts.text(code)


HELPERS: dict[str, Any] = {
    "_present": present,
    "_default": default,
    "_has": has,
    "_row": row,
    "_xref": xref,
    "_ref": ref,
    "_items": texts.items,
    "_each": texts.each_of,
    "_add": numbers.add,
    "_mul": numbers.multiply,
    "_div": numbers.divide,
    "_floordiv": numbers.floor_divide,
    "_mod": numbers.modulo,
    "_enumerate": enumerate,
}
