"""Where checks put what they find: once at a place, at its exact column, under its rule."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from duijie.mapping.checks.rules import BY_ID
from duijie.mapping.expression import spot_of
from duijie.mapping.findings import Finding, Findings, Severity, Spot, nearest


class Report:
    """Adds findings of the table in rules.py to those the compiler made."""

    def __init__(self, findings: Findings, file: str) -> None:
        self.findings = findings
        self.file = file
        self.muted = 0

    @property
    def count(self) -> int:
        """How many there are by now."""
        return len(self.findings.all)

    def tell(self, rule: str, spot: Spot, zh: str, en: str, severity: Severity | None = None) -> None:
        """Note a finding, unless it, or an error at the same place, is there already."""
        finding = Finding(spot, zh, en, severity or BY_ID[rule].severity, rule)
        told = any(each == finding or (each.spot == spot and each.severity == "error") for each in self.findings.all)
        if not self.muted and not told:
            self.findings.all.append(finding)

    def node(self, rule: str, node: ast.AST, zh: str, en: str, severity: Severity | None = None) -> None:
        """The same for a part of an expression."""
        self.tell(rule, spot_of(node, self.file), zh, en, severity)

    def unknown(self, rule: str, spot: Spot, what: tuple[str, str], name: str, names: Iterable[str]) -> None:
        """An unknown name with the nearest one, or all there are."""
        known = sorted(names)
        zh, en = suggestion(name, known)
        self.tell(rule, spot, f"未知的{what[0]} {name}{zh}", f"unknown {what[1]} {name}{en}")


def suggestion(name: str, names: Iterable[str]) -> tuple[str, str]:
    """The end of a sentence about a wrong name: the nearest one, or those there are."""
    known = sorted(names)
    near = nearest(name, known)
    if near:
        return f"; 是否指 {near}?", f"; did you mean {near}?"
    listed = ", ".join(known[:30])
    return (f"; 可用: {listed}", f"; there are: {listed}") if listed else ("", "")


def last_step(node: ast.expr, file: str) -> Spot:
    """Where the last name of a path stands."""
    if isinstance(node, ast.Attribute) and node.end_lineno and node.end_col_offset:
        return Spot(spot_of(node, file).file, node.end_lineno, node.end_col_offset - len(node.attr) + 1)
    if isinstance(node, ast.Subscript):
        return spot_of(node.slice, file)
    return spot_of(node, file)
