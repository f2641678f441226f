"""From a checked expression to the Python that computes it, with what kind of value it gives.

Paths become plain indexing and numbers become plain operators wherever the kinds are known; everything that could
go wrong raises, and the place of the node (its line and column in the mapping file) says which rule it was.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from duijie.mapping.document import Scalar
from duijie.mapping.expression import parse, path_of, spot_of
from duijie.mapping.findings import Findings, Spot, unknown
from duijie.mapping.signatures import FUNCTIONS, Kind
from duijie.mapping.totals import Loop

NUMERIC: frozenset[Kind] = frozenset({"decimal", "integer", "number"})
CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
_SPLIT = ("gross", "net", "tax")
EXACT = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_HELPERS: dict[type[ast.operator], str] = {
    ast.Add: "_add",
    ast.Sub: "_sub",
    ast.Mult: "_mul",
    ast.Div: "_div",
    ast.FloorDiv: "_floordiv",
    ast.Mod: "_mod",
}


@dataclass(frozen=True)
class Rule:
    """One line of the file that computes something."""

    field: str
    spot: Spot
    text: str
    role: str = "field"


@dataclass
class Local:
    """A name the file gave to a value."""

    python: str
    kind: Kind
    spot: Spot
    uses: int = 0
    iso: bool = False
    parts: dict[str, str] = field(default_factory=dict)
    shape: dict[str, Kind] = field(default_factory=dict)
    loop: Loop | None = None
    given: bool = False  # taken from the record as it is
    element: Kind = "any"
    constant: ast.expr | None = None


class Scope:
    """Names in sight, innermost first."""

    def __init__(self, outer: Scope | None = None) -> None:
        self.outer = outer
        self.names: dict[str, Local] = {}

    def find(self, name: str) -> Local | None:
        """The innermost local of this name."""
        found = self.names.get(name)
        return found if found or self.outer is None else self.outer.find(name)


@dataclass
class Code:
    """Generated code and the kind of its value.

    `iso`: the text is an ISO datetime; `element`: the kind of a list's elements; `operands`: of an operator's two.
    """

    expr: ast.expr
    kind: Kind = "any"
    iso: bool = False
    element: Kind = "any"
    operands: tuple[Kind, ...] = ()


@dataclass
class Unit:
    """What one mapping's expressions share while they are compiled."""

    file: str
    findings: Findings
    tables: dict[str, dict[Any, Any]]
    constants: dict[str, Any] = field(default_factory=dict)
    used_tables: set[str] = field(default_factory=set)
    bare: list[tuple[str, ast.Name]] = field(default_factory=list)
    paths: list[tuple[Rule, ast.expr, Scope]] = field(default_factory=list)
    asked: dict[tuple[str, str], str] = field(default_factory=dict)
    held: int = 0
    totals: int = 0
    limited: bool = False


def name(identifier: str) -> ast.Name:
    """A name to read."""
    return ast.Name(identifier, ast.Load())


def bound(identifier: str) -> ast.Name:
    """A name to bind."""
    return ast.Name(identifier, ast.Store())


def call(function: str, *arguments: ast.expr) -> ast.Call:
    """A call of a helper."""
    return ast.Call(name(function), list(arguments), [])


class Emitter:
    """Compiles the expressions of one rule in one scope, which stands in `loops` loops."""

    def __init__(self, unit: Unit, rule: Rule, scope: Scope, loops: int = 0) -> None:
        self.unit = unit
        self.rule = rule
        self.scope = scope
        self.loops = loops
        self.holds = True

    def scalar(self, scalar: Scalar) -> Code:
        """An expression as written in the file; a name that is never run after a finding."""
        tree = parse(scalar, self.unit.findings)
        return self.emit(tree) if tree is not None else Code(name("_failed"))

    def emit(self, node: ast.expr) -> Code:
        """One node and all below it."""
        method: Callable[[Any], Code] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node)

    def held(self) -> str | None:
        """A name to hold a value inside an expression; None where Python allows none (what a comprehension is over)."""
        if not self.holds:
            return None
        self.unit.held += 1
        return f"_n{self.unit.held}"

    def steps(self, node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
        """A path as (base, tuple of keys) for the helpers that walk it; None when the node is no path."""
        path = path_of(node)
        if path is None:
            return None
        root, keys = path
        self.unit.paths.append((self.rule, node, self.scope))
        base = self._root(root)
        emitted = [self.emit(key).expr for key in keys]
        if base is None:
            base, emitted = Code(name("record")), [ast.Constant(root.id), *emitted]
            self.unit.bare.append((root.id, root))
        return base.expr, _tuple(emitted)

    def taken(self, base: ast.expr, key: ast.expr) -> ast.expr:
        """A field or an element. Plain indexing where it fails on everything that has no such thing."""
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return ast.Subscript(base, key, ast.Load())
        return call("_at", base, key)

    def _error(self, node: ast.AST, zh: str, en: str) -> None:
        self.unit.findings.error(spot_of(node, self.unit.file), zh, en)

    def _root(self, node: ast.Name) -> Code | None:
        local = self.scope.find(node.id)
        if local is not None:
            local.uses += 1
            return Code(local.constant or name(local.python), local.kind, local.iso, local.element)
        if node.id in ("record", "settings"):
            return Code(name(node.id), "object")
        return Code(ast.Constant(CONSTANTS[node.id])) if node.id in CONSTANTS else None

    def _name(self, node: ast.Name) -> Code:
        known = self._root(node)
        if known is not None:
            if node.id in CONSTANTS and isinstance(known.expr, ast.Constant):
                return self._constant(known.expr)
            self.unit.paths.append((self.rule, node, self.scope))
            return known
        self.unit.bare.append((node.id, node))
        self.unit.paths.append((self.rule, node, self.scope))
        return Code(self.taken(name("record"), ast.Constant(node.id)))

    def _constant(self, node: ast.Constant) -> Code:
        value: Any = node.value
        kinds: dict[type, Kind] = {str: "text", bool: "boolean", int: "integer", type(None): "null"}
        if type(value) in kinds:
            return Code(ast.Constant(value), kinds[type(value)])
        held = f"_c{len(self.unit.constants)}"
        self.unit.constants[held] = value
        return Code(name(held), "decimal")

    def _attribute(self, node: ast.Attribute) -> Code:
        base = self.emit(node.value)
        self.unit.paths.append((self.rule, node, self.scope))
        if base.kind == "split" and node.attr not in _SPLIT:
            spot = spot_of(node, self.unit.file)
            self.unit.findings.all.append(unknown(spot, ("split_tax 结果字段", "part of split_tax"), node.attr, _SPLIT))
        if base.kind in NUMERIC or base.kind in ("text", "boolean", "list", "null"):
            self._error(node, f".{node.attr} 前的值没有字段 ({base.kind})", f"a {base.kind} has no field {node.attr}")
        local = self.scope.find(node.value.id) if isinstance(node.value, ast.Name) else None
        kind = local.shape.get(node.attr, "any") if local is not None and local.kind != "list" else "any"
        return Code(self.taken(base.expr, ast.Constant(node.attr)), "decimal" if base.kind == "split" else kind)

    def _subscript(self, node: ast.Subscript) -> Code:
        self.unit.paths.append((self.rule, node, self.scope))
        base, key = self.emit(node.value), self.emit(node.slice)
        if base.kind == "list" and key.kind == "integer":
            return Code(ast.Subscript(base.expr, key.expr, ast.Load()), base.element)
        return Code(self.taken(base.expr, key.expr), base.element if base.kind == "list" else "any")

    def _unaryop(self, node: ast.UnaryOp) -> Code:
        operand = self.emit(node.operand)
        if isinstance(node.op, ast.Not):
            return Code(ast.UnaryOp(node.op, operand.expr), "boolean")
        self._numeric(node, operand.kind)
        if operand.kind in NUMERIC:
            return Code(ast.UnaryOp(node.op, operand.expr), operand.kind)
        return Code(call("_neg" if isinstance(node.op, ast.USub) else "_pos", operand.expr), "number")

    def _numeric(self, node: ast.expr, *kinds: Kind) -> None:
        for kind in kinds:
            if kind != "any" and kind not in NUMERIC:
                self._error(
                    node, f"此运算只能用于数字, 这里是 {kind}", f"this operator works on numbers, here is {kind}"
                )

    def _binop(self, node: ast.BinOp) -> Code:
        left, right = self.emit(node.left), self.emit(node.right)
        kind = self._sum(node, left.kind, right.kind)
        numbers = {left.kind, right.kind} <= NUMERIC
        exact = numbers and "decimal" in (left.kind, right.kind) and isinstance(node.op, EXACT)
        if exact or (numbers and isinstance(node.op, ast.Add | ast.Sub)):
            return Code(ast.BinOp(left.expr, node.op, right.expr), kind)
        self.unit.limited |= self.loops > 0 and isinstance(node.op, ast.Add)
        operands = (left.kind, right.kind)
        return Code(call(_HELPERS[type(node.op)], left.expr, right.expr), kind, operands=operands)

    def _sum(self, node: ast.BinOp, left: Kind, right: Kind) -> Kind:
        if isinstance(node.op, ast.Add):
            if left not in NUMERIC | {"any"} and right in (left, "any"):
                return left
            if right not in NUMERIC | {"any"} and left == "any":
                return right
        self._numeric(node, left, right)
        if isinstance(node.op, ast.Div) or "decimal" in (left, right):
            return "decimal"
        both_known = left in NUMERIC and right in NUMERIC
        return left if left == right else "number" if both_known or not isinstance(node.op, ast.Add) else "any"

    def _boolop(self, node: ast.BoolOp) -> Code:
        parts = [self.emit(value) for value in node.values]
        return Code(ast.BoolOp(node.op, [part.expr for part in parts]), _common([part.kind for part in parts]))

    def _ifexp(self, node: ast.IfExp) -> Code:
        test, body, orelse = self.emit(node.test), self.emit(node.body), self.emit(node.orelse)
        kind = _common([body.kind, orelse.kind])
        return Code(ast.IfExp(test.expr, body.expr, orelse.expr), kind, iso=body.iso and orelse.iso)

    def _compare(self, node: ast.Compare) -> Code:
        parts = [self.emit(each) for each in (node.left, *node.comparators)]
        for op, left, right in zip(node.ops, parts, parts[1:], strict=False):
            clash = {left.kind, right.kind} & NUMERIC and "text" in (left.kind, right.kind)
            if clash and not isinstance(op, ast.In | ast.NotIn):
                self._error(node, "文本与数字不能比较", "a text and a number cannot be compared")
        return Code(ast.Compare(parts[0].expr, node.ops, [part.expr for part in parts[1:]]), "boolean")

    def _list(self, node: ast.List | ast.Tuple) -> Code:
        made = [self.emit(each) for each in node.elts]
        element = _common([each.kind for each in made])
        return Code(ast.List([each.expr for each in made], ast.Load()), "list", element=element)

    _tuple = _list

    def _dict(self, node: ast.Dict) -> Code:
        keys = [self.emit(key).expr for key in node.keys if key is not None]
        return Code(ast.Dict(list(keys), [self.emit(value).expr for value in node.values]), "object")

    def _generatorexp(self, node: ast.GeneratorExp | ast.ListComp) -> Code:
        outer, self.scope = self.scope, Scope(self.scope)
        loops = self.loops
        generators = [self._generator(each) for each in node.generators]
        element = self.emit(node.elt)
        self.scope, self.loops = outer, loops
        return Code(ast.ListComp(element.expr, generators), "list", element=element.kind)

    _listcomp = _generatorexp

    def _generator(self, each: ast.comprehension) -> ast.comprehension:
        assert isinstance(each.target, ast.Name)  # noqa: S101  the expression check let nothing else through
        holds, self.holds = self.holds, False
        self.unit.limited |= self.loops > 0
        listed = self.emit(each.iter)
        source = listed.expr
        if self.loops or listed.kind != "list":
            source = call("_counted" if self.loops else "_items", source)
        self.holds = holds
        python = f"_x_{each.target.id}"
        over = self.scope.find(each.iter.id) if isinstance(each.iter, ast.Name) else None
        shape = over.shape if over is not None and over.kind == "list" else {}
        self.scope.names[each.target.id] = Local(python, listed.element, self.rule.spot, uses=1, shape=shape)
        self.loops += 1
        return ast.comprehension(bound(python), source, [self.emit(test).expr for test in each.ifs], 0)

    def _call(self, node: ast.Call) -> Code:
        assert isinstance(node.func, ast.Name)  # noqa: S101  the expression check let nothing else through
        function = node.func.id
        special = getattr(self, f"_call_{function}", None)
        if special is not None:
            made: Code = special(node)
            return made
        return self.called(node)

    def called(self, node: ast.Call) -> Code:
        """A call of a plain function."""
        assert isinstance(node.func, ast.Name)  # noqa: S101  the expression check let nothing else through
        function = node.func.id
        self.unit.limited |= self.loops > 0
        arguments = [self.emit(argument).expr for argument in node.args]
        keywords = [ast.keyword(each.arg, self.emit(each.value).expr) for each in node.keywords]
        return Code(ast.Call(name(f"_f_{function}"), arguments, keywords), FUNCTIONS[function].gives)

    def _call_table(self, node: ast.Call) -> Code:
        assert isinstance(node.args[0], ast.Constant)  # noqa: S101  the expression check let nothing else through
        table = str(node.args[0].value)
        self.unit.used_tables.add(table)
        if table not in self.unit.tables:
            self.unit.findings.unknown(spot_of(node.args[0], self.unit.file), ("表", "table"), table, self.unit.tables)
        rows = name(f"_t_{table}")
        kind = _common([_kind(value) for value in self.unit.tables.get(table, {}).values()])
        code = self.emit(node.args[1])
        if len(node.args) == 2:
            return Code(ast.Subscript(rows, code.expr, ast.Load()), kind)
        fallback = self.emit(node.args[2])
        return Code(call("_row", rows, code.expr, fallback.expr), _common([kind, fallback.kind]))

    def asked(self, node: ast.Call) -> Code:
        """A call of a look-up."""
        assert isinstance(node.func, ast.Name)  # noqa: S101  the expression check let nothing else through
        arguments = [self.emit(argument) for argument in node.args]
        gives = "text" if node.func.id == "xref" and len(arguments) == 2 else FUNCTIONS[node.func.id].gives
        return Code(call(f"_{node.func.id}", name("lookup"), *(each.expr for each in arguments)), gives)

    _call_xref = _call_xref_back = _call_ref = _call_codes = asked

    def _call_present(self, node: ast.Call) -> Code:
        steps = self.steps(node.args[0])
        return Code(call("_exists", *steps) if steps else ast.Constant(None), "boolean")

    def _call_has(self, node: ast.Call) -> Code:
        steps = self.steps(node.args[0])
        return Code(call("_has", *steps) if steps else ast.Constant(None), "boolean")

    def _call_default(self, node: ast.Call) -> Code:
        steps, fallback = self.steps(node.args[0]), self.emit(node.args[1])
        if steps is None:
            return fallback
        if cheap(fallback.expr):
            return Code(call("_default", *steps, fallback.expr))
        found = call("_default", *steps, ast.Constant(None))
        return Code(ast.IfExp(call("_has", *steps), found, fallback.expr))


def cheap(node: ast.expr) -> bool:
    """Whether computing a value early can neither fail nor cost anything."""
    return not any(isinstance(each, ast.Subscript | ast.Call | ast.BinOp | ast.Compare) for each in ast.walk(node))


def _tuple(keys: list[ast.expr]) -> ast.Tuple:
    return ast.Tuple(keys, ast.Load())


def _kind(value: Any) -> Kind:
    kinds: dict[type, Kind] = {str: "text", bool: "boolean", int: "integer", dict: "object", list: "list"}
    return kinds.get(type(value), "any")


def _common(kinds: list[Kind]) -> Kind:
    distinct = set(kinds)
    if len(distinct) == 1:
        return kinds[0]
    return "number" if distinct and distinct <= NUMERIC else "any"
