"""What is known of a value before anything runs: its kinds, the constants it can be, what is below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from duijie.mapping.findings import Spot

Kinds = frozenset[str]
Constant = tuple[str, Any]  # a plain kind (number for both kinds of numbers) and the value, so that true is not 1

NUMBERS: Kinds = frozenset({"integer", "decimal"})
TEXT: Kinds = frozenset({"text"})
ALL: Kinds = NUMBERS | TEXT | {"boolean", "list", "object", "null"}
CODE, SCHEMA, SAMPLES = 0, 1, 2  # who says so: the mapping itself, a schema, records that were seen
_MOST_VALUES = 400
_OF_TYPE: dict[type, str] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    Decimal: "decimal",
    type(None): "null",
    list: "list",
    dict: "object",
}


class Shape(Protocol):
    """What is below an object or a list."""

    @property
    def origin(self) -> int:
        """CODE, SCHEMA or SAMPLES."""

    @property
    def names(self) -> list[str]:
        """The fields there are."""

    @property
    def strict(self) -> bool:
        """Whether a field that is not among the names is wrong, however unlike any of them."""

    def field(self, name: str) -> Fact | None:
        """What is known of a field, None where there is none of that name."""

    def element(self) -> Fact:
        """What is known of each element of a list."""


@dataclass(frozen=True)
class Fact:
    """Everything known of one value. Without kinds it never comes to be; `shapes` None: unknown below.

    `values` maps each constant it can be to the place that gives it; `places` are the most decimals, `length` the most
    characters; `cut` names the function that rounded or cut last; `holds` says whether it is always true or false.
    """

    kinds: Kinds = ALL
    values: Mapping[Constant, Spot] | None = None
    shapes: tuple[Shape, ...] | None = None
    places: int | None = None
    length: int | None = None
    cut: str = ""
    moment: str = ""
    origin: int = CODE
    holds: bool | None = None

    @property
    def never(self) -> bool:
        """Whether no value ever comes out (fail)."""
        return not self.kinds

    @property
    def truth(self) -> bool | None:
        """Whether it always or never counts as true; None where that depends."""
        if self.holds is not None or self.values is None or self.never:
            return self.holds
        outcomes = {bool(value) for _, value in self.values}
        return outcomes.pop() if len(outcomes) == 1 else None

    @property
    def single(self) -> Constant | None:
        """The one constant it is."""
        return next(iter(self.values)) if self.values is not None and len(self.values) == 1 else None


ANY = Fact()
NEVER = Fact(frozenset(), {}, ())
BOOLEAN = Fact(frozenset({"boolean"}), shapes=())


def key_of(value: Any) -> Constant:
    """How a constant is told from others."""
    kind = _OF_TYPE[type(value)]
    return ("number" if kind in NUMBERS else kind, value)


def constant(value: Any, spot: Spot) -> Fact:
    """A literal text, number, boolean or null."""
    kind = _OF_TYPE[type(value)]
    length = len(value) if type(value) is str else None
    return Fact(frozenset({kind}), {key_of(value): spot}, (), _places(value), length)


def constants(values: Iterable[tuple[Any, Spot]], origin: int = CODE) -> Fact:
    """One of several literals."""
    return replace(joined(constant(value, spot) for value, spot in values), origin=origin)


def decided(truth: bool) -> Fact:
    """A condition whose outcome is known."""
    return replace(BOOLEAN, holds=truth)


def joined(facts: Iterable[Fact]) -> Fact:
    """What holds of a value that is one of these."""
    result = NEVER
    for fact in facts:
        result = either(result, fact)
    return result


def either(one: Fact, other: Fact) -> Fact:
    """What holds of a value that is one or the other."""
    if one.never or other.never:
        return other if one.never else one
    values = {**one.values, **other.values} if one.values is not None and other.values is not None else None
    return Fact(
        one.kinds | other.kinds,
        values if values is None or len(values) <= _MOST_VALUES else None,
        None if _opaque(one) or _opaque(other) else (*(one.shapes or ()), *(other.shapes or ())),
        _most(one, other, NUMBERS, "places"),
        _most(one, other, TEXT, "length"),
        one.cut or other.cut,
        one.moment if one.moment == other.moment else "",
        max(one.origin, other.origin),
        one.holds if one.holds == other.holds else None,
    )


def _opaque(fact: Fact) -> bool:
    return fact.shapes is None and bool(fact.kinds & {"object", "list"})


def _most(one: Fact, other: Fact, kinds: Kinds, name: str) -> int | None:
    """The greater of two bounds; only a value of these kinds has one."""
    bounds = [getattr(fact, name) for fact in (one, other) if fact.kinds & kinds]
    return max(bounds) if bounds and None not in bounds else None


def _places(value: Any) -> int | None:
    if type(value) is Decimal:
        return max(-int(value.as_tuple().exponent), 0)
    return 0 if type(value) is int else None


def without_null(fact: Fact) -> Fact:
    """The value where it is known not to be null."""
    values = None if fact.values is None else {key: at for key, at in fact.values.items() if key[0] != "null"}
    return replace(fact, kinds=fact.kinds - {"null"}, values=values)


def spoken(kinds: Kinds) -> str:
    """Kinds in a sentence."""
    merged = (kinds - NUMBERS) | {"number"} if kinds >= NUMBERS else kinds
    return "/".join(sorted(merged))


def said(constant: Constant) -> str:
    """A constant in a sentence."""
    kind, value = constant
    return "null" if kind == "null" else str(value).lower() if kind == "boolean" else str(value)


@dataclass(frozen=True)
class Written:
    """An object written out in the mapping."""

    fields: Mapping[str, Fact]
    origin: int = CODE
    strict: bool = True

    @property
    def names(self) -> list[str]:
        """Its keys."""
        return list(self.fields)

    def field(self, name: str) -> Fact | None:
        """One of them."""
        return self.fields.get(name)

    def element(self) -> Fact:
        """An object is no list."""
        return ANY


@dataclass(frozen=True)
class Row:
    """A list the mapping makes; all elements are alike."""

    each: Fact
    origin: int = CODE
    strict: bool = False

    @property
    def names(self) -> list[str]:
        """None."""
        return []

    def field(self, name: str) -> Fact | None:
        """A list has no fields, but `+` may join it to what has."""
        return ANY

    def element(self) -> Fact:
        """What each is."""
        return self.each


def listing(each: Fact) -> Fact:
    """A list of such elements."""
    return Fact(frozenset({"list"}), shapes=(Row(each),))


def element(fact: Fact) -> Fact:
    """What an element of this list is."""
    return ANY if fact.shapes is None else joined(shape.element() for shape in fact.shapes)
