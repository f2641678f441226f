"""What each function takes and gives, beyond the number of its arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from duijie.mapping.checks.conditions import settled
from duijie.mapping.checks.facts import (
    ALL,
    ANY,
    BOOLEAN,
    CODE,
    NEVER,
    NUMBERS,
    SCHEMA,
    TEXT,
    Fact,
    Kinds,
    Written,
    constant,
    element,
    joined,
    listing,
    spoken,
    without_null,
)  # fmt: skip
from duijie.mapping.checks.scope import Scope
from duijie.mapping.checks.shapes import Described, fact_of
from duijie.mapping.checks.tables import Use, found
from duijie.mapping.expression import spot_of
from duijie.mapping.patterns import compiled
from duijie.mapping.signatures import FUNCTIONS
from duijie.mapping.values import Fault

if TYPE_CHECKING:
    from duijie.mapping.checks.infer import Inference

LIST: Kinds = frozenset({"list"})
PLAIN: Kinds = TEXT | NUMBERS | {"boolean"}
NUMERIC_TEXT: Kinds = TEXT | NUMBERS
WHOLE: Kinds = frozenset({"integer"})
CODES: Kinds = ALL - {"list", "object"}

# Per argument what it takes; the last stands for all that follow. As the functions themselves refuse.
TAKES: dict[str, tuple[Kinds, ...]] = {
    "text": (PLAIN,), "fail": (PLAIN,), "trim": (TEXT,), "upper": (TEXT,), "lower": (TEXT,), "nfkc": (TEXT,),
    "replace": (TEXT,), "left": (TEXT, WHOLE), "split": (TEXT,), "money": (NUMERIC_TEXT,), "decimal": (NUMERIC_TEXT,),
    "integer": (NUMERIC_TEXT,), "round": (NUMERIC_TEXT, WHOLE), "split_tax": (NUMBERS,),
    "allocate": (NUMBERS, LIST, TEXT | WHOLE), "explode": (LIST, NUMERIC_TEXT), "floor": (NUMERIC_TEXT,),
    "ceil": (NUMERIC_TEXT,), "convert": (NUMERIC_TEXT, TEXT, TEXT, LIST | {"object"}, NUMBERS | {"null"}),
    "convert_price": (NUMERIC_TEXT, TEXT, TEXT, LIST | {"object"}, NUMBERS | {"null"}),
    "rmb_words": (NUMERIC_TEXT, TEXT), "right": (TEXT, NUMBERS), "pad": (TEXT, NUMBERS, TEXT), "length": (TEXT,),
    "starts": (TEXT,), "ends": (TEXT,), "contains": (TEXT,), "match": (TEXT,), "find": (TEXT, TEXT, TEXT | NUMBERS),
    "sub": (TEXT,), "position": (LIST, ALL), "add_days": (TEXT, NUMBERS), "add_months": (TEXT, NUMBERS),
    "month_start": (TEXT,), "month_end": (TEXT,), "days_between": (TEXT,), "xml": (TEXT, ALL), "parse_xml": (TEXT,),
    "sum": (LIST,), "count": (LIST,), "first": (LIST, ALL), "list": (LIST,), "all": (LIST,), "any": (LIST,),
    "abs": (NUMBERS,), "datetime": (TEXT | WHOLE, TEXT), "date": (TEXT,), "format_date": (TEXT,), "epoch_ms": (TEXT,),
    "parse_json": (TEXT,), "table": (TEXT, CODES, ALL), "xref": (TEXT, PLAIN), "ref": (TEXT, PLAIN),
}  # fmt: skip
_GIVES: dict[str, Kinds] = {
    "text": TEXT, "integer": WHOLE, "number": NUMBERS, "decimal": frozenset({"decimal"}), "list": LIST,
    "boolean": frozenset({"boolean"}), "object": frozenset({"object"}), "split": frozenset({"object"}),
    "null": frozenset({"null"}),
}  # fmt: skip
CENTS = Fact(frozenset({"decimal"}), shapes=(), places=2)


def takes(inference: Inference, node: ast.expr, wanted: Kinds, fact: Fact, what: tuple[str, str]) -> bool:
    """Whether a value may be of a wanted kind; told where it cannot."""
    if fact.never or fact.kinds & wanted:
        return True
    inference.clash(
        node,
        (
            f"{what[0]} 须是 {spoken(wanted)}, 这里是 {spoken(fact.kinds)}",
            f"{what[1]} is {spoken(wanted)}, here it is {spoken(fact.kinds)}",
        ),
        fact,
    )
    return False


@dataclass(frozen=True)
class Call:
    """A call under way."""

    inference: Inference
    node: ast.Call
    scope: Scope
    name: str
    facts: Sequence[Fact]

    def argument(self, at: int) -> Fact:
        """One argument, ANY where it is not given."""
        return self.facts[at] if at < len(self.facts) else ANY


def call(inference: Inference, node: ast.Call, scope: Scope) -> Fact:
    """What a call gives."""
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("has", "default"):
        return _has(inference, node, scope) if name == "has" else _default(inference, node, scope)
    facts = [inference.of(argument, scope) for argument in node.args]
    for keyword in node.keywords:
        inference.of(keyword.value, scope)
    made = Call(inference, node, scope, name, facts)
    if name == "fail" or any(fact.never for fact in facts):
        _kinds_taken(made)
        return NEVER
    if not _kinds_taken(made):
        return _plain(made)
    return _folded(made) or _SPECIAL.get(name, _plain)(made)


def _kinds_taken(made: Call) -> bool:
    wanted = TAKES.get(made.name, (ALL,))
    if made.name == "join":
        wanted = (TEXT, PLAIN | LIST) if len(made.facts) == 2 else (TEXT, PLAIN)
    elif made.name in ("min", "max"):
        wanted = (LIST if len(made.facts) == 1 else NUMERIC_TEXT,)
    what = [
        (f"{made.name}() 的第 {at + 1} 个参数", f"argument {at + 1} of {made.name}()") for at in range(len(made.facts))
    ]
    taken = [
        takes(made.inference, argument, wanted[min(at, len(wanted) - 1)], fact, what[at])
        for at, (argument, fact) in enumerate(zip(made.node.args, made.facts, strict=True))
    ]
    return all(taken)


def _plain(made: Call) -> Fact:
    """What the signature says, and nothing more."""
    signature = FUNCTIONS.get(made.name)
    kinds = _GIVES.get(signature.gives, ALL) if signature else ALL
    shapes = () if not kinds & {"list", "object"} else None
    return Fact(kinds, shapes=shapes, places=0 if kinds == WHOLE else None)


def _folded(made: Call) -> Fact | None:
    """A function of constants is computed; one that refuses them always will."""
    signature, singles = FUNCTIONS.get(made.name), [fact.single for fact in made.facts]
    constants = [single[1] for single in singles if single is not None]
    if signature is None or signature.run is None or len(constants) < len(made.facts) or made.node.keywords:
        return None
    if not constants:
        return None
    try:
        value = signature.run(*constants)
    except Fault as fault:
        made.inference.report.node(
            "DJ303", made.node, f"{made.name}() 必然失败: {fault.zh}", f"{made.name}() always fails: {fault.en}"
        )
        return None
    if isinstance(value, list | dict):
        return None
    return _marked(constant(value, spot_of(made.node, made.inference.report.file)), made)


def _marked(fact: Fact, made: Call) -> Fact:
    """A constant with what else is known of what the function gives."""
    special = _SPECIAL.get(made.name)
    known = special(made) if special else fact
    return replace(fact, cut=known.cut, moment=known.moment)


def _has(inference: Inference, node: ast.Call, scope: Scope) -> Fact:
    inference.of(node.args[0] if node.args else None, scope)
    return replace(BOOLEAN, holds=settled(node, scope))


def _default(inference: Inference, node: ast.Call, scope: Scope) -> Fact:
    if len(node.args) < 2:
        return ANY
    known, fallback = inference.of(node.args[0], scope), inference.of(node.args[1], scope)
    return joined([without_null(known), fallback])


def _text_of(made: Call) -> Fact:
    """A text made of a text: no longer than it was."""
    given = made.argument(0)
    return Fact(TEXT, shapes=(), length=given.length if given.kinds == TEXT else None, cut=given.cut, origin=CODE)


def _left(made: Call) -> Fact:
    size = made.argument(1).single
    longest = size[1] if size and isinstance(size[1], int) else None
    shorter = made.argument(0).length
    cuts = shorter is None or longest is None or shorter > longest
    bounds = [each for each in (longest, shorter) if each is not None]
    return Fact(TEXT, shapes=(), length=min(bounds) if bounds else None, cut="left" if cuts else "")


def _money(made: Call) -> Fact:
    given = made.argument(0)
    cuts = given.places is None or given.places > 2
    if cuts:
        _costly(made, 2)
    return replace(CENTS, cut="money" if cuts else "")


def _round(made: Call) -> Fact:
    size, given = made.argument(1).single, made.argument(0)
    places = size[1] if size and isinstance(size[1], int) else None
    cuts = places is not None and (given.places is None or given.places > places)
    return Fact(frozenset({"decimal"}), shapes=(), places=places, cut="round" if cuts else "")


_MANY_PLACES = ("price", "qty", "quantity", "tax_rate", "rate", "exchange_rate", "ratio")


def keeps_decimals(name: str) -> bool:
    """Whether a field of this name usually holds more than two decimals."""
    return name in _MANY_PLACES or name.endswith(("_price", "_qty", "_quantity", "_rate", "_ratio"))


def _costly(made: Call, places: int) -> None:
    """money() straight of a price or a quantity whose schema does not say that it has no more decimals."""
    argument = made.node.args[0]
    name = argument.attr if isinstance(argument, ast.Attribute) else getattr(argument, "id", "")
    given = made.argument(0)
    numeric = "decimal" in given.kinds and given.kinds <= NUMBERS | {"null"}
    if given.origin != SCHEMA or not numeric or not (keeps_decimals(name) or (given.places or 0) > places):
        return
    made.inference.report.node(
        "DJ501",
        made.node,
        f"{name} 可有超过 {places} 位的小数, {made.name}() 会舍去; 请用 round() 或 decimal()",
        f"{name} may have more than {places} decimals, which {made.name}() drops; use round() or decimal()",
    )


def _integer(made: Call) -> Fact:
    given = made.argument(0)
    if given.kinds <= NUMBERS and given.places is not None and given.places > 0 and given.values is None:
        made.inference.report.node(
            "DJ501",
            made.node,
            f"值可有 {given.places} 位小数, integer() 会拒绝; 需要舍入请用 round(x, 0)",
            f"the value may have {given.places} decimals, which integer() refuses; use round(x, 0) to round it",
        )
    return Fact(WHOLE, shapes=(), places=0)


def _split_tax(made: Call) -> Fact:
    gross = replace(CENTS, places=made.argument(0).places)
    parts = {"gross": gross, "net": replace(CENTS, places=None), "tax": CENTS}
    if gross.places is not None:
        parts["net"] = replace(CENTS, places=max(gross.places, 2))
    rate = made.argument(1).values
    if rate and all(kind == "number" and not 0 <= value < 1 for kind, value in rate):
        made.inference.report.node(
            "DJ303",
            made.node.args[1],
            "税率须在 0 与 1 之间, 例如 0.13",
            "a tax rate lies between 0 and 1, such as 0.13",
        )
    return Fact(frozenset({"object"}), shapes=(Written(parts),))


def _moment(made: Call, at: int = 1) -> None:
    form = made.argument(at).single
    if form is None or form[0] != "text":
        return
    try:
        FUNCTIONS["format_date"].run("2026-01-31T12:00:00+08:00", form[1])  # type: ignore[misc]
    except Fault as fault:
        made.inference.report.node("DJ303", made.node.args[at], f"{fault.zh}: {form[1]}", f"{fault.en}: {form[1]}")


def _datetime(made: Call) -> Fact:
    _moment(made)
    return Fact(TEXT, shapes=(), moment="datetime")


def _format_date(made: Call) -> Fact:
    _moment(made)
    return Fact(TEXT, shapes=())


def _pattern(made: Call) -> Fact:
    pattern = made.argument(1).single
    try:
        compiled(pattern[1] if pattern and pattern[0] == "text" else "")
    except Fault as fault:
        made.inference.report.node("DJ303", made.node.args[1], fault.zh, fault.en)
    return _plain(made)


def _date(made: Call) -> Fact:
    return Fact(TEXT, shapes=(), moment="date", length=10)


def _sum(made: Call) -> Fact:
    each = element(made.argument(0))
    argument = made.node.args[0]
    place = argument.elt if isinstance(argument, ast.GeneratorExp) else argument
    takes(made.inference, place, NUMBERS, each, (f"{made.name}() 的元素", f"what {made.name}() adds"))
    return Fact(NUMBERS, shapes=(), places=each.places)


def _one_of(made: Call) -> Fact:
    if len(made.facts) > 1:
        return replace(joined(made.facts), values=None)
    return replace(element(made.argument(0)), values=None)


def _first(made: Call) -> Fact:
    return joined([element(made.argument(0)), *made.facts[1:]])


def _same_list(made: Call) -> Fact:
    return listing(element(made.argument(0)))


def _condition(made: Call) -> Fact:
    return BOOLEAN


def _table(made: Call) -> Fact:
    name = made.argument(0).single
    table = made.inference.tables.get(str(name[1])) if name else None
    if table is None:
        return ANY
    made.inference.uses.append(Use(table, made.node, made.argument(1), len(made.facts) > 2))
    return joined([found(table, made.argument(1)), *made.facts[2:]])


def _ref(made: Call) -> Fact:
    name = made.argument(0).single
    if name is None:
        return Fact(frozenset({"object"}))
    schemas = made.inference.schemas
    schema = schemas.entity(str(name[1]))
    if schema is not None:
        return fact_of(Described(schema, schema))
    spot = spot_of(made.node.args[0], made.inference.report.file)
    made.inference.report.unknown("DJ101", spot, ("实体", "entity"), str(name[1]), schemas.names)
    return Fact(frozenset({"object"}))


_SPECIAL: dict[str, Callable[[Call], Fact]] = {
    "trim": _text_of, "upper": _text_of, "lower": _text_of, "text": _text_of, "left": _left, "money": _money,
    "round": _round, "integer": _integer, "split_tax": _split_tax, "datetime": _datetime, "date": _date,
    "format_date": _format_date, "sum": _sum, "min": _one_of, "max": _one_of, "first": _first, "list": _same_list,
    "table": _table, "ref": _ref, "any": _condition, "all": _condition,
    "match": _pattern, "find": _pattern, "sub": _pattern,
    "allocate": lambda made: listing(CENTS), "split": lambda made: listing(Fact(TEXT, shapes=())),
    "decimal": lambda made: Fact(frozenset({"decimal"}), shapes=(), places=made.argument(0).places,
                                 cut=made.argument(0).cut),
}  # fmt: skip
