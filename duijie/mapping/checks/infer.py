"""What each expression can give, found by going through its tree once; what cannot be right is told on the way."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from duijie.mapping.checks import calls, conditions
from duijie.mapping.checks.facts import (
    ALL,
    ANY,
    CODE,
    NEVER,
    NUMBERS,
    SAMPLES,
    TEXT,
    Fact,
    Kinds,
    Shape,
    Written,
    constant,
    element,
    joined,
    listing,
    spoken,
)  # fmt: skip
from duijie.mapping.checks.report import Report, last_step, suggestion
from duijie.mapping.checks.scope import Binding, Scope
from duijie.mapping.checks.tables import Table, Use
from duijie.mapping.expression import spot_of
from duijie.mapping.findings import nearest
from duijie.mapping.schema import Schemas

_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_SURE_LIKENESS = 0.8
_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip


@dataclass
class Inference:
    """Goes through the expressions of one mapping. `reader` is the let that is being read, None for all else."""

    report: Report
    schemas: Schemas
    source: Fact
    tables: dict[str, Table]
    optional: frozenset[str]  # paths that has() or default() asks for somewhere: they may well be absent
    reader: Binding | None = None
    uses: list[Use] = field(default_factory=list)
    lenient: int = 0  # inside a value whose `default:` stands in for a missing path

    def of(self, node: ast.expr | None, scope: Scope) -> Fact:
        """What an expression can give; nothing is known of one that could not be read."""
        if node is None:
            return ANY
        method: Callable[[Any, Scope], Fact] = getattr(self, f"_{type(node).__name__.lower()}", _unknown_node)
        return method(node, scope)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Look without telling."""
        self.report.muted += 1
        try:
            yield
        finally:
            self.report.muted -= 1

    def clash(self, node: ast.AST, words: tuple[str, str], *facts: Fact) -> None:
        """Kinds that cannot go together: certain where the mapping itself makes the values."""
        sure = all(fact.origin == CODE for fact in facts)
        self.report.node("DJ301", node, *words, severity="error" if sure else "warning")

    def _constant(self, node: ast.Constant, scope: Scope) -> Fact:
        return constant(node.value, spot_of(node, self.report.file))

    def _name(self, node: ast.Name, scope: Scope) -> Fact:
        binding = scope.find(node.id)
        if binding is not None:
            binding.users.add(self.reader)
            fact = binding.fact
        elif node.id in _WORDS:
            return constant(_WORDS[node.id], spot_of(node, self.report.file))
        elif node.id in ("record", "settings"):
            return self.source if node.id == "record" else ANY
        else:
            fact = self._step(self.source, node.id, node, scope)
        return self._narrowed(fact, node, scope)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Fact:
        return self._narrowed(self._step(self.of(node.value, scope), node.attr, node, scope), node, scope)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Fact:
        base, step = self.of(node.value, scope), self.of(node.slice, scope).single
        if isinstance(node.slice, ast.Constant) and step and step[0] == "text":
            return self._narrowed(self._step(base, step[1], node, scope), node, scope)
        return element(base) if step and step[0] == "number" and "list" in base.kinds else ANY

    def _narrowed(self, fact: Fact, node: ast.expr, scope: Scope) -> Fact:
        key = scope.key(node)
        known = scope.known(key) if key is not None else None
        return fact if known is None else known

    def _step(self, base: Fact, name: str, node: ast.expr, scope: Scope) -> Fact:
        if base.never or base.shapes is None:
            return replace(ANY, origin=base.origin) if not base.never else NEVER
        if not base.kinds & {"object", "list"}:
            self.clash(
                node,
                (f".{name} 前的值没有字段 ({spoken(base.kinds)})", f"a {spoken(base.kinds)} has no field {name}"),
                base,
            )
            return ANY
        found = [below for shape in base.shapes if (below := shape.field(name)) is not None]
        if not found and base.shapes:
            self._unknown(base.shapes, name, node, scope)
        return joined(found) if found else ANY

    def _unknown(self, shapes: tuple[Shape, ...], name: str, node: ast.expr, scope: Scope) -> None:
        names = sorted({each for shape in shapes for each in shape.names})
        seen_only = any(shape.origin == SAMPLES for shape in shapes)
        if isinstance(node, ast.Name) and not nearest(name, names, _SURE_LIKENESS):
            lets = [each for level in scope.chain() for each in level.names]
            if near := nearest(name, lets, _SURE_LIKENESS):
                self.report.node(
                    "DJ102",
                    node,
                    f"未知的名称 {name}; 是否指 let {near}?",
                    f"unknown name {name}; did you mean the let {near}?",
                )
                return
        certain = all(shape.strict for shape in shapes) or (seen_only and not self._may_be_absent(node))
        if not certain and not nearest(name, names, _SURE_LIKENESS):
            return
        zh, en = suggestion(name, names)
        spot = last_step(node, self.report.file)
        hint = ("", "")
        if isinstance(node, ast.Name) and not nearest(name, names):
            hint = (f"; 若指文字本身, 请写成 '\"{name}\"'", f"; the text itself is '\"{name}\"'")
        if seen_only:
            self.report.tell(
                "DJ101",
                spot,
                f"没有样本或测试含来源字段 {name}{zh}{hint[0]}",
                f"no sample and no test has the source field {name}{en}{hint[1]}",
            )
        else:
            of = ("来源", "source ") if any(shape.origin != CODE for shape in shapes) else ("", "")
            self.report.tell("DJ101", spot, f"未知的{of[0]}字段 {name}{zh}", f"unknown {of[1]}field {name}{en}")

    def _may_be_absent(self, node: ast.expr) -> bool:
        return self.lenient > 0 or ast.unparse(node) in self.optional

    def _unaryop(self, node: ast.UnaryOp, scope: Scope) -> Fact:
        operand = self.of(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return conditions.turned(operand)
        self._numbers(node, "-", operand)
        single = operand.single
        if single and single[0] == "number" and isinstance(node.op, ast.USub):
            return constant(-single[1], spot_of(node, self.report.file))
        return replace(operand, kinds=operand.kinds & NUMBERS, values=None, shapes=())

    def _numbers(self, node: ast.AST, sign: str, *facts: Fact) -> None:
        for fact in facts:
            if not fact.never and not fact.kinds & NUMBERS:
                kinds = spoken(fact.kinds)
                self.clash(
                    node,
                    (
                        f"{sign} 只能用于数字, 这里是 {kinds}; 文本请先用 money() 或 decimal() 转换",
                        f"{sign} works on numbers, here is {kinds}; convert text with money() or decimal()",
                    ),
                    fact,
                )

    def _binop(self, node: ast.BinOp, scope: Scope) -> Fact:
        left, right = self.of(node.left, scope), self.of(node.right, scope)
        if left.never or right.never:
            return NEVER
        if isinstance(node.op, ast.Add):
            return self._sum(node, left, right)
        self._numbers(node, _SIGNS[type(node.op)], left, right)
        if (
            isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
            and right.values
            and not any(v for _, v in right.values)
        ):
            self.report.node("DJ303", node, "除数总是零", "the divisor is always zero")
        return self._result(node.op, left, right)

    def _result(self, op: ast.operator, left: Fact, right: Fact) -> Fact:
        kinds = NUMBERS
        if isinstance(op, ast.Div) or "integer" not in left.kinds or "integer" not in right.kinds:
            kinds = frozenset({"decimal"})
        elif left.kinds == right.kinds == {"integer"}:
            kinds = frozenset({"integer"})
        places = None
        if left.places is not None and right.places is not None and not isinstance(op, ast.Div):
            both = (left.places, right.places)
            places = sum(both) if isinstance(op, ast.Mult) else max(both)
        return Fact(kinds, shapes=(), places=places, origin=max(left.origin, right.origin))

    def _sum(self, node: ast.BinOp, left: Fact, right: Fact) -> Fact:
        origin = max(left.origin, right.origin)
        lists = {"list"} & left.kinds & right.kinds
        kinds: Kinds = (TEXT & left.kinds & right.kinds) | lists
        if left.kinds & NUMBERS and right.kinds & NUMBERS:
            kinds |= self._result(node.op, left, right).kinds
        if not kinds:
            self.clash(
                node,
                (
                    f"+ 不能相加 {spoken(left.kinds)} 与 {spoken(right.kinds)}; 请先用 text() 或 decimal() 转换",
                    f"+ cannot add {spoken(left.kinds)} and {spoken(right.kinds)}; convert with text() or "
                    "decimal() first",
                ),
                left,
                right,
            )
            return ANY
        below = (*left.shapes, *right.shapes) if left.shapes is not None and right.shapes is not None else None
        return replace(self._result(node.op, left, right), kinds=kinds, shapes=below if lists else (), origin=origin)

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Fact:
        return conditions.boolean(self, node, scope)

    def _compare(self, node: ast.Compare, scope: Scope) -> Fact:
        return conditions.compare(self, node, scope)

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Fact:
        outcome = conditions.condition(self, node.test, scope, ("if … else", "if … else"))
        branches = {
            truth: self.of(branch, conditions.assume(self, node.test, scope, truth))
            for branch, truth in ((node.body, True), (node.orelse, False))
        }
        return joined(branches.values()) if outcome is None else branches[outcome]

    def _list(self, node: ast.List | ast.Tuple, scope: Scope) -> Fact:
        return listing(joined([self.of(each, scope) for each in node.elts]))

    _tuple = _list

    def _dict(self, node: ast.Dict, scope: Scope) -> Fact:
        fields: dict[str, Fact] = {}
        plain = True
        for key, value in zip(node.keys, node.values, strict=True):
            single = self.of(key, scope).single
            fact = self.of(value, scope)
            if single is None or single[0] != "text":
                plain = False
            elif key is not None and single[1] in fields:
                self.report.node("DJ004", key, f"键 {single[1]} 重复", f"duplicate key {single[1]}")
            else:
                fields[single[1]] = fact
        return Fact(frozenset({"object"}), shapes=(Written(fields),) if plain else None)

    def _generatorexp(self, node: ast.GeneratorExp | ast.ListComp, scope: Scope) -> Fact:
        inner = scope
        for each in node.generators:
            over = self.of(each.iter, inner)
            calls.takes(self, each.iter, frozenset({"list"}), over, ("推导式的来源", "the source of a comprehension"))
            inner = Scope(inner)
            if isinstance(each.target, ast.Name):
                spot = spot_of(each.target, self.report.file)
                inner.names[each.target.id] = Binding(each.target.id, spot, element(over))
            for test in each.ifs:
                conditions.condition(self, test, inner, ("推导式的 if", "the if of a comprehension"))
                inner = conditions.assume(self, test, inner, True)
        return listing(self.of(node.elt, inner))

    _listcomp = _generatorexp

    def _call(self, node: ast.Call, scope: Scope) -> Fact:
        return calls.call(self, node, scope)


def _unknown_node(node: ast.expr, scope: Scope) -> Fact:
    return replace(ANY, kinds=ALL)
