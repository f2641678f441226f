"""Where a value came from: for each let and target field the rule, its place, and what it read."""

from __future__ import annotations

import ast
from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any

from duijie.codec import Record
from duijie.mapping.compile import Compiler
from duijie.mapping.emit import Code, Rule, Unit, call, name, place_of
from duijie.mapping.expression import path_of
from duijie.mapping.faults import RAISED, Blame
from duijie.mapping.findings import Findings, Spot
from duijie.mapping.mapping import Mapping, build, namespace
from duijie.mapping.runtime import Lookup


@dataclass(frozen=True)
class Provenance:
    """One value of one rule. `role` is field or let; `inputs` are the paths it read with their values."""

    field: str
    value: Any
    rule: str
    spot: Spot
    inputs: dict[str, Any]
    role: str = "field"


def explain(mapping: Mapping, record: Record, lookup: Lookup, settings: Table[str, Any]) -> list[Provenance]:
    """How each field of the result came about, lets included, in the order computed; empty for a skipped record.

    Raises what `mapping.run` raises.
    """
    parts = mapping.parts
    unit = Unit(parts.file, Findings(), parts.tables)
    compiler = _Noting(unit)
    function = compiler.function(parts.let, parts.skip, parts.fields)
    names = namespace(unit)
    trail: list[Provenance] = []
    blame = Blame(parts.file, unit.sites, names)
    names |= {"_absent": blame.absent, "_note": _noter(compiler.rules, trail)}
    run = build(function, parts.file, names)
    try:
        done = run(record, lookup, settings)
    except RAISED as error:
        known = blame.error(error)
        if known is None or known is error:
            raise
        raise known from error
    return trail if done is not None else []


def _noter(rules: list[Rule], trail: list[Provenance]) -> Callable[..., Any]:
    def note(number: int, value: Any, counters: tuple[int, ...], inputs: dict[str, Callable[[], Any]]) -> Any:
        rule = rules[number]
        read = {path: found for path, each in inputs.items() if (found := _try(each)) is not _NOTHING}
        trail.append(Provenance(rule.field.format(*counters), value, rule.text, rule.spot, read, rule.role))
        return value

    return note


_NOTHING = object()


def _try(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (*RAISED, NameError):
        return _NOTHING


class _Noting(Compiler):
    """Generates the same function, with a note around each value."""

    def __init__(self, unit: Unit) -> None:
        super().__init__(unit)
        self.rules: list[Rule] = []

    def leaf(self, rule: Rule, code: Code) -> ast.expr:
        self.rules.append(rule)
        reads = self._reads(rule)
        inputs = ast.Dict([ast.Constant(path) for path in reads], [_later(each) for each in reads.values()])
        counters = ast.Tuple([name(each) for each in rule.counters], ast.Load())
        return call("_note", ast.Constant(len(self.rules) - 1), code.expr, counters, inputs)

    def _reads(self, rule: Rule) -> dict[str, ast.expr]:
        """The longest paths of a rule, then those of the lets it reads."""
        paths = [(node, scope) for owner, node, scope in self.unit.paths if owner == rule and path_of(node)]
        inner = {place_of(part) for node, _ in paths for part in _below(node)}
        found: dict[str, ast.expr] = {}
        for node, _ in paths:
            if place_of(node) not in inner:
                found[ast.unparse(node)] = self.unit.sites[place_of(node)].code
        for node, scope in paths:
            local = scope.find(node.id) if isinstance(node, ast.Name) else None
            if local is not None and local.rule is not None:
                found |= {path: code for path, code in self._reads(local.rule).items() if path not in found}
        return found


def _below(node: ast.expr) -> list[ast.expr]:
    """The nodes a path goes through before its end."""
    parts = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
        parts.append(node)
    return parts


def _later(code: ast.expr) -> ast.expr:
    nothing = ast.arguments([], [], None, [], [], None, [])
    return ast.Lambda(nothing, code)
