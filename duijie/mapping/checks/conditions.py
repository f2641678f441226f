"""Conditions: which are always or never true, and what they settle for whatever they guard."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from duijie.mapping.checks.facts import (
    BOOLEAN,
    CODE,
    NUMBERS,
    TEXT,
    Constant,
    Fact,
    Kinds,
    decided,
    element,
    joined,
    said,
    spoken,
    without_null,
)  # fmt: skip
from duijie.mapping.checks.report import suggestion
from duijie.mapping.checks.scope import Scope
from duijie.mapping.expression import path_of

if TYPE_CHECKING:
    from duijie.mapping.checks.infer import Inference

_MOST_PAIRS = 400


def turned(fact: Fact) -> Fact:
    """`not` of it."""
    return BOOLEAN if fact.truth is None else decided(not fact.truth)


def condition(inference: Inference, tree: ast.expr | None, scope: Scope, where: tuple[str, str]) -> bool | None:
    """How a condition comes out if that is certain; told unless a part of it already says why."""
    before = inference.report.count
    outcome = inference.of(tree, scope).truth
    outcome = settled(tree, scope) if outcome is None and tree is not None else outcome
    if tree is not None and outcome is not None and inference.report.count == before:
        zh, en = ("总是成立", "always true") if outcome else ("永不成立", "never true")
        inference.report.node(
            "DJ401",
            tree,
            f"{where[0]} 的条件{zh}: {ast.unparse(tree)}",
            f"the condition of {where[1]} is {en}: {ast.unparse(tree)}",
        )
    return outcome


def settled(tree: ast.expr, scope: Scope) -> bool | None:
    """How a condition above already came out."""
    if not any(level.settled for level in scope.chain()):
        return None
    plain, flipped = _plain(tree)
    outcome = scope.outcome(scope.words(plain))
    return None if outcome is None else outcome != flipped


def boolean(inference: Inference, node: ast.BoolOp, scope: Scope) -> Fact:
    """`and`, `or`: each operand is read knowing how those before it came out."""
    going_on = isinstance(node.op, ast.And)
    facts, inner = [], scope
    for at, operand in enumerate(node.values):
        facts.append(inference.of(operand, inner))
        if at < len(node.values) - 1:
            inner = assume(inference, operand, inner, going_on)
    outcomes = [fact.truth for fact in facts]
    if (not going_on) in outcomes:
        return replace(joined(facts), values=None, holds=not going_on)
    return replace(joined(facts), values=None, holds=going_on if set(outcomes) == {going_on} else None)


def assume(inference: Inference, tree: ast.expr | None, scope: Scope, truth: bool) -> Scope:
    """The scope of what a condition guards."""
    inner = Scope(scope)
    if tree is not None:
        _settle(inference, tree, inner, truth)
    return inner


def _settle(inference: Inference, tree: ast.expr, scope: Scope, truth: bool) -> None:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        _settle(inference, tree.operand, scope, not truth)
        return
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) == truth:
        for each in tree.values:
            _settle(inference, each, scope, truth)
        return
    plain, flipped = _plain(tree)
    scope.settled[scope.words(plain)] = truth != flipped
    if isinstance(tree, ast.Name):
        _of_let(inference, tree, scope, truth)
    elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "has":
        if truth and tree.args:
            _narrow(inference, tree.args[0], scope, without_null)
    elif isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        _compared(inference, tree, scope, truth)


def _of_let(inference: Inference, tree: ast.Name, scope: Scope, truth: bool) -> None:
    binding = scope.find(tree.id)
    if binding is not None and binding.tree is not None:
        _settle(inference, binding.tree, scope, truth)


def _compared(inference: Inference, tree: ast.Compare, scope: Scope, truth: bool) -> None:
    op, left, right = tree.ops[0], tree.left, tree.comparators[0]
    with inference.quiet():
        facts = {side: inference.of(side, scope) for side in (left, right)}
    if isinstance(op, ast.In | ast.NotIn):
        _keep(inference, left, scope, element(facts[right]), isinstance(op, ast.In) == truth)
    elif isinstance(op, ast.Eq | ast.NotEq):
        for path, other in ((left, right), (right, left)):
            _keep(inference, path, scope, facts[other], isinstance(op, ast.Eq) == truth)


def _keep(inference: Inference, path: ast.expr, scope: Scope, other: Fact, same: bool) -> None:
    """Of what a path can be, keep the constants of `other`, or all but them."""
    if other.values is None:
        return
    chosen = other.values

    def only(fact: Fact) -> Fact:
        held = {key: at for key, at in (fact.values or chosen).items() if key in chosen} or dict(chosen)
        return Fact(frozenset().union(*map(_kinds_of, held)), held, (), origin=fact.origin)

    def without(fact: Fact) -> Fact:
        left = without_null(fact) if ("null", None) in chosen else fact
        values = {key: at for key, at in left.values.items() if key not in chosen} if left.values is not None else None
        return replace(left, values=values) if values or values is None else left

    _narrow(inference, path, scope, only if same else without)


def _kinds_of(key: Constant) -> Kinds:
    kind, value = key
    if kind != "number":
        return frozenset({kind})
    return frozenset({"decimal" if type(value) is Decimal else "integer"})


def _narrow(inference: Inference, path: ast.expr, scope: Scope, change: Any) -> None:
    key = scope.key(path) if path_of(path) is not None else None
    if key is None or key in ((0, "true"), (0, "false"), (0, "null")):
        return
    with inference.quiet():
        scope.narrowed[key] = change(inference.of(path, scope))


def _plain(tree: ast.expr) -> tuple[ast.expr, bool]:
    """A condition without its negation: `a != b` is `a == b`, turned."""
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and isinstance(tree.ops[0], ast.NotEq | ast.NotIn):
        op = ast.Eq() if isinstance(tree.ops[0], ast.NotEq) else ast.In()
        return ast.Compare(tree.left, [op], tree.comparators), True
    return tree, False


def compare(inference: Inference, node: ast.Compare, scope: Scope) -> Fact:
    """Comparisons: decided by constants, by kinds, by a condition above."""
    nodes = [node.left, *node.comparators]
    facts = [inference.of(each, scope) for each in nodes]
    outcome = settled(node, scope)
    if outcome is not None:
        return decided(outcome)
    outcomes = [
        _pair(inference, node, op, (nodes[at], facts[at]), (nodes[at + 1], facts[at + 1]))
        for at, op in enumerate(node.ops)
    ]
    if False in outcomes:
        return decided(False)
    return decided(True) if set(outcomes) == {True} else replace(BOOLEAN, origin=max(fact.origin for fact in facts))


Side = tuple[ast.expr, Fact]


def _pair(inference: Inference, node: ast.Compare, op: ast.cmpop, left: Side, right: Side) -> bool | None:
    if left[1].never or right[1].never:
        return None
    if isinstance(op, ast.In | ast.NotIn):
        return _within(inference, node, op, left, right)
    kinds = [_merged(fact.kinds) for _, fact in (left, right)]
    if not kinds[0] & kinds[1] and "null" not in kinds[0] | kinds[1]:
        _incomparable(inference, node, left[1], right[1])
        return {ast.Eq: False, ast.NotEq: True}.get(type(op))
    if isinstance(op, ast.Eq | ast.NotEq):
        for path, other in ((left, right), (right, left)):
            if _impossible(inference, path, other):
                return isinstance(op, ast.NotEq)
    return _computed(op, left[1], right[1])


def _merged(kinds: Kinds) -> Kinds:
    return (kinds - NUMBERS) | {"number"} if kinds & NUMBERS else kinds


def _incomparable(inference: Inference, node: ast.Compare, left: Fact, right: Fact) -> None:
    zh = f"{spoken(left.kinds)} 与 {spoken(right.kinds)} 不能比较; 请先转换, 或给常量加引号"
    en = f"{spoken(left.kinds)} and {spoken(right.kinds)} cannot be compared; convert one, or quote the constant"
    sure = left.origin == right.origin == CODE
    inference.report.node("DJ302", node, zh, en, severity="error" if sure else "warning")


def _impossible(inference: Inference, path: Side, other: Side) -> bool:
    """Whether the constant on the other side is none of what this side can be."""
    values, wanted = path[1].values, other[1].single
    if values is None or wanted is None or wanted in values or isinstance(path[0], ast.Constant):
        return False
    if not values or wanted[0] == "null" or all(kind != wanted[0] for kind, _ in values):
        return False
    _told_impossible(inference, other[0], path, wanted)
    return True


def _told_impossible(inference: Inference, place: ast.expr, path: Side, wanted: Constant) -> None:
    names = [said(value) for value in path[1].values or ()]
    zh, en = suggestion(said(wanted), names)
    what = ast.unparse(path[0])
    inference.report.node(
        "DJ402", place, f"{what} 在此不可能是 {said(wanted)}{zh}", f"{what} can never be {said(wanted)} here{en}"
    )


def _within(inference: Inference, node: ast.Compare, op: ast.cmpop, left: Side, right: Side) -> bool | None:
    over = right[1]
    if over.kinds <= NUMBERS | {"boolean", "null"} or (over.kinds == TEXT and not left[1].kinds & TEXT):
        words = spoken(left[1].kinds), spoken(over.kinds)
        inference.clash(
            node,
            (f"in 不能在 {words[1]} 中找 {words[0]}", f"in cannot look for {words[0]} in {words[1]}"),
            left[1],
            over,
        )
        return None
    if not isinstance(right[0], ast.List | ast.Tuple):
        return None
    hits = [not _listed_impossible(inference, left, each) for each in right[0].elts]
    if not any(hits):
        return isinstance(op, ast.NotIn)
    return None


def _listed_impossible(inference: Inference, path: Side, each: ast.expr) -> bool:
    with inference.quiet():
        fact = inference.of(each, Scope())
    return isinstance(each, ast.Constant) and _impossible(inference, path, (each, fact))


def _computed(op: ast.cmpop, left: Fact, right: Fact) -> bool | None:
    if left.values is None or right.values is None or len(left.values) * len(right.values) > _MOST_PAIRS:
        return None
    outcomes = {_outcome(op, one, other) for one in left.values for other in right.values}
    return outcomes.pop() if len(outcomes) == 1 else None


def _outcome(op: ast.cmpop, left: Constant, right: Constant) -> bool | None:
    if isinstance(op, ast.Eq | ast.NotEq):
        return (left == right) == isinstance(op, ast.Eq)
    if left[0] != right[0] or left[0] not in ("number", "text"):
        return None
    return any(_holds(op, sign) for sign in _signs(left[1], right[1]))


def _signs(left: Any, right: Any) -> Iterable[type[ast.cmpop]]:
    if left == right:
        return ast.LtE, ast.GtE
    return (ast.Lt, ast.LtE) if left < right else (ast.Gt, ast.GtE)


def _holds(op: ast.cmpop, sign: type[ast.cmpop]) -> bool:
    return isinstance(op, sign)
