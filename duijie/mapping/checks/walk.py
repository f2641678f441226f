"""Through the forms of a mapping in the order they are computed: each rule in its scope, under its conditions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from duijie.mapping.checks import calls, conditions
from duijie.mapping.checks.facts import NEVER, Fact, Written, element, joined, listing
from duijie.mapping.checks.infer import Inference
from duijie.mapping.checks.scope import Binding, Scope
from duijie.mapping.document import Scalar
from duijie.mapping.expression import path_of
from duijie.mapping.forms import Each, Flat, Form, Items, Named, Object, Parts, Value

_WHOLE = Fact(frozenset({"integer"}), shapes=(), places=0)
_LISTED = frozenset({"list", "null"})
_LENIENT = ("has", "present", "default")


class Walk:
    """Reads a whole mapping. Afterwards `facts` holds what each value form gives, by its id, and `lets` every let."""

    def __init__(self, inference: Inference, parts: Parts) -> None:
        self.inference = inference
        self.parts = parts
        self.facts: dict[int, Fact] = {}
        self.outcomes: dict[int, bool | None] = {}  # of the `when` of a form, by the form's id
        self.lets: list[Binding] = []
        self.current = inference.source
        self.guards = 0

    def mapping(self) -> None:
        """Lets, skip, fields."""
        scope = Scope()
        self._lets(self.parts.let, scope)
        if self.parts.skip is not None:
            scope = self._guard(self.parts.skip, scope, "skip", False)[1]
        self._form(self.parts.fields, scope)

    def _tree(self, scalar: Scalar) -> ast.expr | None:
        return self.parts.tree(scalar)

    def _guard(self, scalar: Scalar, scope: Scope, where: str, wanted: bool) -> tuple[bool | None, Scope]:
        """A condition's outcome, and the scope where it came out as wanted."""
        tree = self._tree(scalar)
        outcome = conditions.condition(self.inference, tree, scope, (where, where))
        return outcome, conditions.assume(self.inference, tree, scope, wanted)

    def _lets(self, let: Sequence[Named], scope: Scope) -> None:
        for named in let:
            form = named.form
            plain = isinstance(form, Value) and form.default is None
            tree = self._tree(form.expression) if isinstance(form, Value) and plain else None
            binding = Binding(named.name, named.spot, NEVER, tree)
            outer, self.inference.reader = self.inference.reader, binding
            binding.fact = self._form(form, scope)
            self.inference.reader = outer
            scope.names[named.name] = binding
            self.lets.append(binding)

    def _value(self, form: Value, scope: Scope) -> Fact:
        if form.default is None:
            return self.inference.of(self._tree(form.expression), scope)
        self.inference.lenient += 1
        fact = self.inference.of(self._tree(form.expression), scope)
        self.inference.lenient -= 1
        return joined([fact, self.inference.of(self._tree(form.default), scope)])

    def _refusal(self, form: Value, fact: Fact) -> None:
        if fact.never and not self.guards:
            self.inference.report.tell(
                "DJ404",
                form.expression.spot,
                "此规则总是拒绝记录, 其后的规则都不起作用",
                "this rule refuses every record: no rule after it counts",
            )

    def _form(self, form: Form, scope: Scope) -> Fact:
        inner = scope
        if isinstance(form, Object) and form.let:
            inner = Scope(scope)
            self._lets(form.let, inner)
        if form.when is None:
            return self._made(form, inner)
        self.guards += 1
        outcome, guarded = self._guard(form.when, inner, "when", True)
        self.outcomes[id(form)] = outcome
        made = [self._made(form, guarded)]
        if form.orelse is not None:
            made.append(self._form(form.orelse, conditions.assume(self.inference, self._tree(form.when), scope, False)))
        self.guards -= 1
        return joined(made)

    def _made(self, form: Form, scope: Scope) -> Fact:
        if isinstance(form, Value):
            fact = self.facts[id(form)] = self._value(form, scope)
            self._refusal(form, fact)
            return fact
        if isinstance(form, Each):
            return listing(self._each(form, scope))
        if isinstance(form, Items):
            return listing(joined([self._form(each, scope) for each in form.items]))
        fields = {named.name: self._form(named.form, scope) for named in form.fields}
        return Fact(frozenset({"object"}), shapes=(Written(fields),))

    def _each(self, form: Each, scope: Scope) -> Fact:
        """What an element of the list is."""
        tree = self._tree(form.over)
        over = self.inference.of(tree, scope)
        if tree is not None:
            calls.takes(self.inference, tree, _LISTED, over, ("each", "each"))
        inner, outer = Scope(scope), self.current
        self.current = element(over)
        for name, fact in (("index", _WHOLE), ("nth", _WHOLE), ("parent", outer), (form.alias, self.current)):
            inner.names[name] = Binding(name, form.spot, fact)
        self._lets(form.let, inner)
        self.guards += 1
        if form.each_when is not None:
            inner = self._guard(form.each_when, inner, "when", True)[1]
        body = form.body
        made = self._each(body.each, inner) if isinstance(body, Flat) else self._form(body, inner)
        self.guards -= 1
        self.current = outer
        return made


def optional_paths(parts: Parts) -> frozenset[str]:
    """Every path that has(), present() or default() asks for, and what leads there, as written."""
    trees = [tree for scalar in parts.scalars() if (tree := parts.tree(scalar)) is not None]
    return frozenset(
        path
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _LENIENT
        for path in _leading(node.args[0])
    )


def _leading(path: ast.expr) -> Iterator[str]:
    if path_of(path) is None:
        return
    while isinstance(path, ast.Attribute | ast.Subscript):
        yield ast.unparse(path)
        path = path.value
    yield ast.unparse(path)
