"""What generated code may call: paths, tables, look-ups. Nothing else is within its reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP
from typing import Any, Protocol

from duijie.codec import Record
from duijie.connect.errors import UnmappedCode
from duijie.mapping import numbers, texts
from duijie.mapping.values import Fault, charge


class Lookup(Protocol):
    """Answers a mapping's questions to the code tables 对照 and to the master data."""

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart of a code, None when there is none yet."""

    def codes(self, kind: str, counterpart: str) -> Iterable[str]:
        """The codes that stand for a counterpart."""

    def ref(self, entity: str, key: str) -> Record | None:
        """The current canonical document, None when there is none yet."""

    def counterparts(self, kind: str) -> Mapping[str, str]:
        """Every counterpart by code: the same answers as `xref`, for the generated function."""

    def documents(self, entity: str) -> Mapping[str, Record]:
        """Every current document by key: the same answers as `ref`, for the generated function."""


class Absent(Fault):
    """A path does not exist: what `default` in a value form stands in for."""

    def __init__(self) -> None:
        super().__init__("路径不存在", "the path does not exist", None)


def present(base: Any, keys: tuple[Any, ...], fallback: Any) -> Any:
    """The value at a path, null included; the fallback where the path does not exist."""
    for key in keys:
        if not holds(base, key):
            return fallback
        base = base[key]
    return base


def holds(base: Any, key: Any) -> bool:
    """Whether an object has a field, or a list an element (from its end with a negative number)."""
    if type(base) is dict:
        return type(key) is str and key in base
    return type(base) is list and type(key) is int and -len(base) <= key < len(base)


def at(base: Any, key: Any) -> Any:
    """A field or element. Raises Absent."""
    if holds(base, key):
        return base[key]
    raise Absent


def within(base: Any, keys: tuple[Any, ...]) -> Any:
    """The value at a path, null included. Raises Absent."""
    for key in keys:
        base = at(base, key)
    return base


def exists(base: Any, keys: tuple[Any, ...]) -> bool:
    """Whether a path exists, null included."""
    return present(base, keys, _NOWHERE) is not _NOWHERE


_NOWHERE = object()


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


def xref(lookup: Lookup, kind: str, code: Any, *fallback: Any) -> Any:
    """The counterpart of a code, else the fallback. Raises UnmappedCode where none is given."""
    asked = code_of(code)
    found = lookup.xref(named(kind), asked)
    if found is not None:
        return found
    if fallback:
        return fallback[0]
    raise UnmappedCode(kind, asked)


def ref(lookup: Lookup, entity: str, key: Any) -> Record:
    """A canonical document. Raises UnmappedCode."""
    asked = code_of(key)
    found = lookup.ref(named(entity), asked)
    if found is None:
        raise UnmappedCode(entity, asked, what="document")
    return found


def codes(lookup: Lookup, kind: str, counterpart: Any) -> list[str]:
    """Every code that stands for a counterpart: none, one or several."""
    return sorted(lookup.codes(named(kind), code_of(counterpart)))


def back(lookup: Lookup, kind: str, counterpart: Any) -> str:
    """The one code that stands for a counterpart. Raises UnmappedCode for none, Fault for several."""
    found = codes(lookup, kind, counterpart)
    if not found:
        raise UnmappedCode(kind, code_of(counterpart), what="counterpart")
    if len(found) > 1:
        raise Fault(
            f"对照 {kind} 中有多个编码对应此值: {', '.join(found[:5])}; 请只保留一个",
            f"several codes of {kind} stand for this: {', '.join(found[:5])}; keep one",
            counterpart,
        )
    return found[0]


def named(kind: Any) -> str:
    """The name of a code table or entity. Raises Fault for anything but a text."""
    if type(kind) is str:
        return kind
    raise Fault("类别须是文本", "the kind must be a text", kind)


def code_of(code: Any) -> str:
    """The text of a code. Raises Fault for an empty one."""
    if code is None or code == "":
        raise Fault("编码为空, 无法查对照", "the code to look up is empty", code)
    return code if type(code) is str else texts.text(code)


def counted(values: Any) -> list[Any]:
    """A list to loop over inside another loop: its length is taken from the budget."""
    found = texts.items(values)
    charge(len(found))
    return found


def counted_each(values: Any) -> list[Any]:
    """The same for `each`, where null counts as empty."""
    found = texts.each_of(values)
    charge(len(found))
    return found


LOOKUPS: dict[str, Callable[..., Any]] = {"xref": xref, "ref": ref, "codes": codes, "xref_back": back}
HELPERS: dict[str, Any] = {
    "_present": present,
    "_default": default,
    "_has": has,
    "_exists": exists,
    "_at": at,
    "_within": within,
    "_row": row,
    "_xref": xref,
    "_ref": ref,
    "_codes": codes,
    "_xref_back": back,
    "_items": texts.items,
    "_each": texts.each_of,
    "_counted": counted,
    "_counted_each": counted_each,
    "_add": numbers.add,
    "_sub": numbers.subtract,
    "_mul": numbers.multiply,
    "_div": numbers.divide,
    "_floordiv": numbers.floor_divide,
    "_mod": numbers.modulo,
    "_settle": numbers.settle,
    "_tail": numbers.tail,
    "_neg": numbers.minus,
    "_pos": numbers.number,
    "_money": numbers.MONEY,
    "_decimal": numbers.DECIMAL,
    "_exact": numbers.exact,
    "_tax_in": numbers.tax_in,
    "_cent": numbers.CENT,
    "_half_up": ROUND_HALF_UP,
    "_days": texts.DAYS,
    "_minutes": texts.MINUTES,
    "_seconds": texts.SECONDS,
    "_empty": {},
    "_enumerate": enumerate,
    "_len": len,
    "_sum": sum,
    "_str": str,
    "_bool": bool,
    "_list": list,
}
