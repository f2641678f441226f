"""A mapping run form by form: what `explain` shows, and what finishes or refuses a record the generated function left.

The same forms, the same order, the same values as the generated function (`compile.py`); the two are held against each
other by property tests.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from duijie.codec import Record
from duijie.connect.errors import UnmappedCode
from duijie.mapping.document import Scalar
from duijie.mapping.evaluate import Broken, Cell, Evaluator, Missing, Names, Noting, Row, World
from duijie.mapping.expression import path_of, spot_of
from duijie.mapping.faults import FieldError
from duijie.mapping.findings import Spot
from duijie.mapping.forms import Each, Flat, Form, Items, Named, Object, Parts, Settle, Value, form_text, needed
from duijie.mapping.numbers import settle
from duijie.mapping.runtime import Lookup
from duijie.mapping.texts import each_of
from duijie.mapping.values import Fault, charge


@dataclass(frozen=True)
class Provenance:
    """One value of one rule.

    `role` is field, let or when. `inputs` are the paths it read as the rule writes them (lists of values where a
    comprehension read them), those of the lets it used included; `reads` the same by full path from the record
    (`orders.order[0].num`; `settings.shop` for settings); `rows` the answers of look-ups.
    """

    field: str
    value: Any
    rule: str
    spot: Spot
    inputs: dict[str, Any]
    role: str = "field"
    rows: tuple[Row, ...] = ()
    reads: dict[str, Any] = attribute(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A line of the file that computes something, with the target field it computes on this record."""

    field: str
    spot: Spot
    text: str
    role: str = "field"


_LEFT_OUT = object()
_CURRENT = ""  # no name a rule could use: the element of the innermost each


def interpret(parts: Parts, record: Record, lookup: Lookup, settings: dict[str, Any]) -> Record | None:
    """The target record, None where skipped. Raises FieldError and UnmappedCode."""
    return Interpreter(parts, World(record, lookup, settings, parts.tables, parts.rows)).run()


def trace(parts: Parts, record: Record, lookup: Lookup, settings: dict[str, Any]) -> list[Provenance]:
    """How each value came about, in the order computed; empty where skipped. Raises what `interpret` raises."""
    run = Tracer(parts, World(record, lookup, settings, parts.tables, parts.rows))
    return run.trail if run.run() is not None else []


class Interpreter:
    """One run."""

    evaluator: type[Evaluator] = Evaluator

    def __init__(self, parts: Parts, world: World) -> None:
        self.parts = parts
        self.world = world
        self.loops = 0

    def note(self, rule: Rule, text: str, value: Any, evaluator: Evaluator) -> None:
        """A rule gave a value. Only `Tracer` writes it down."""

    def run(self) -> Record | None:
        """The whole mapping."""
        parts, names = self.parts, Names()
        rest = self._lets(parts.let, parts.skip, names, "")
        if parts.skip is not None and self._holds(parts.skip, names, Rule("skip", parts.skip.spot, "", "when")):
            return None
        self._lets(rest, None, names, "")
        return self._object(parts.fields, names, "")

    def _lets(self, let: Sequence[Named], before: Scalar | None, names: Names, lead: str) -> list[Named]:
        wanted = needed(let, before, self.parts.tree) if before is not None else {named.name for named in let}
        for named in let:
            if named.name in wanted:
                self._let(named, names, Rule(f"{lead}let {named.name}", named.spot, form_text(named.form), "let"))
        return [named for named in let if named.name not in wanted]

    def _let(self, named: Named, names: Names, rule: Rule) -> None:
        if not isinstance(named.form, Value):
            names.cells[named.name] = Cell(self._guarded(named.form, names, rule))
            return
        value, evaluator = self._value(named.form, names, rule)
        tree = self.parts.tree(named.form.expression)
        origin = evaluator.origin if tree is not None and path_of(tree) else None
        names.cells[named.name] = Cell(value, origin, evaluator.reading)

    def _holds(self, condition: Scalar, names: Names, rule: Rule) -> bool:
        value, _ = self._noted(rule, names, str(condition.value), lambda evaluator: self._scalar(condition, evaluator))
        return bool(value)

    def _value(self, form: Value, names: Names, rule: Rule) -> tuple[Any, Evaluator]:
        return self._noted(rule, names, rule.text, lambda evaluator: self._or_default(form, evaluator))

    def _or_default(self, form: Value, evaluator: Evaluator) -> Any:
        if form.default is None:
            return self._scalar(form.expression, evaluator)
        try:
            return self._scalar(form.expression, evaluator)
        except Missing:
            return self._scalar(form.default, evaluator)

    def _scalar(self, scalar: Scalar, evaluator: Evaluator) -> Any:
        tree = self.parts.tree(scalar)
        assert tree is not None  # noqa: S101  a mapping with findings is not run
        return evaluator.value(tree)

    def _noted(self, rule: Rule, names: Names, text: str, compute: Callable[[Evaluator], Any]) -> tuple[Any, Evaluator]:
        evaluator = self.evaluator(self.world, names, self.loops)
        value = self._told(rule, evaluator, lambda: compute(evaluator))
        self.note(rule, text, value, evaluator)
        return value, evaluator

    def _told(self, rule: Rule, evaluator: Evaluator, compute: Callable[[], Any]) -> Any:
        """Errors of a node become errors of the rule's field."""
        try:
            return compute()
        except Broken as broken:
            spot = spot_of(broken.node, rule.spot.file)
            raise FieldError(rule.field, spot, broken.words, broken.value, code=broken.code) from None
        except Fault as fault:
            raise FieldError(rule.field, rule.spot, (fault.zh, fault.en), fault.value) from None
        except UnmappedCode as error:
            spot = spot_of(evaluator.asked, rule.spot.file) if evaluator.asked is not None else rule.spot
            error.where = f"{error.where} {rule.field} {spot}"
            raise

    def _form(self, form: Form, names: Names, rule: Rule) -> Any:
        """The value of a form whose `when`, if any, holds."""
        if isinstance(form, Value):
            return self._value(form, names, rule)[0]
        if isinstance(form, Object):
            return self._object(form, names, rule.field)
        if isinstance(form, Each):
            return self._each(form, names, rule)
        return self._items(form, names, rule)

    def _guarded(self, form: Form, names: Names, rule: Rule) -> Any:
        """The value of a form, or that of its `else`, or nothing where `when` does not hold."""
        inner = Names(names)
        lead = f"{rule.field} "
        let = form.let if isinstance(form, Object) else ()
        if form.when is None:
            self._lets(let, None, inner, lead)
            return self._form(form, inner, rule)
        rest = self._lets(let, form.when, inner, lead)
        if self._holds(form.when, inner, Rule(f"{rule.field} when", form.when.spot, "", "when")):
            self._lets(rest, None, inner, lead)
            return self._form(form, inner, rule)
        if form.orelse is None:
            return _LEFT_OUT
        return self._guarded(form.orelse, names, Rule(rule.field, form.orelse.spot, form_text(form.orelse)))

    def _object(self, form: Object, names: Names, field: str) -> Record:
        made = {}
        for named in form.fields:
            below = f"{field}.{named.name}" if field else named.name
            value = self._guarded(named.form, names, Rule(below, named.spot, form_text(named.form)))
            if value is not _LEFT_OUT:
                made[named.name] = value
        return made

    def _items(self, form: Items, names: Names, rule: Rule) -> list[Any]:
        made = (
            self._guarded(item, names, Rule(f"{rule.field}[{at}]", item.spot, form_text(item)))
            for at, item in enumerate(form.items)
        )
        return [value for value in made if value is not _LEFT_OUT]

    def _each(self, form: Each, names: Names, rule: Rule, made: list[Any] | None = None) -> list[Any]:
        """A list; one that is `flat` in another adds to `made`, the outer one's elements."""
        source, origin = self._source(form, names, rule)
        made = [] if made is None else made
        parent = names.find(_CURRENT) or Cell(self.world.record, "")
        self.loops += 1
        for at, element in enumerate(source):
            cell = Cell(element, f"{origin}[{at}]" if origin is not None else None)
            inner = Names(names)
            inner.cells |= {"index": Cell(at), "nth": Cell(len(made) + 1), "parent": parent, _CURRENT: cell}
            inner.cells[form.alias] = cell
            self._element(form, inner, rule, made)
        self.loops -= 1
        for one in form.settle:
            self._settle(one, names, rule, made)
        return made

    def _settle(self, one: Settle, names: Names, rule: Rule, made: list[Any]) -> None:
        """The line that takes what the others miss of a total is told of once more, with the total as its rule."""
        text = f"settle {one.name}: {one.total.value}"
        own = Rule(f"{rule.field} settle {one.name}", one.spot, text)
        evaluator = self.evaluator(self.world, names, self.loops)
        total = self._told(own, evaluator, lambda: self._scalar(one.total, evaluator))
        at = self._told(own, evaluator, lambda: settle(made, one.name, total, one.to))
        if at >= 0:
            told = Rule(f"{rule.field}[{at}].{one.name}", one.spot, text)
            self.note(told, text, made[at][one.name], evaluator)

    def _element(self, form: Each, names: Names, rule: Rule, made: list[Any]) -> None:
        own = Rule(f"{rule.field}[{len(made)}]", form.spot, rule.text)
        lead = f"{own.field} "
        rest = self._lets(form.let, form.each_when, names, lead)
        when = form.each_when
        if when is not None and not self._holds(when, names, Rule(f"{own.field} when", when.spot, "", "when")):
            return
        self._lets(rest, None, names, lead)
        if isinstance(form.body, Flat):
            self._each(form.body.each, names, rule, made)
            return
        value = self._guarded(form.body, names, own)
        if value is not _LEFT_OUT:
            made.append(value)

    def _source(self, form: Each, names: Names, rule: Rule) -> tuple[list[Any], str | None]:
        over = Rule(rule.field, form.over.spot, "", "each")
        evaluator = Evaluator(self.world, names, self.loops)
        tree = self.parts.tree(form.over)
        assert tree is not None  # noqa: S101  a mapping with findings is not run
        found = self._told(over, evaluator, lambda: self._listed(tree, evaluator))
        return found, evaluator.origin if path_of(tree) else None

    def _listed(self, tree: ast.expr, evaluator: Evaluator) -> list[Any]:
        value = evaluator.leave(tree, None)
        try:
            found = each_of(value)
        except Fault as fault:
            raise Broken(tree, (fault.zh, fault.en), fault.value) from None
        if self.loops:
            charge(len(found))
        return found


class Tracer(Interpreter):
    """A run that writes down where each value came from."""

    evaluator = Noting

    def __init__(self, parts: Parts, world: World) -> None:
        super().__init__(parts, world)
        self.trail: list[Provenance] = []

    def note(self, rule: Rule, text: str, value: Any, evaluator: Evaluator) -> None:
        """With what its evaluator has read."""
        read = evaluator.reading
        self.trail.append(
            Provenance(rule.field, value, text, rule.spot, read.inputs, rule.role, tuple(read.rows), read.reads)
        )
