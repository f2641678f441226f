"""Totals of a list that the same function builds, added up in the loop that makes its lines."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from duijie.mapping.signatures import Kind


@dataclass
class Loop:
    """A loop that fills a list: the statement that opens the list, and the loop's body."""

    opening: ast.Assign
    body: list[ast.stmt]
    totals: dict[str, str] = field(default_factory=dict)

    def total(self, name: str, kind: Kind, fresh: str) -> str | None:
        """The local that holds the sum of a field over all lines; None where the field is not plainly set on each."""
        if name in self.totals:
            return self.totals[name]
        holder = next((slot for statement in self.body if (slot := _slot(statement, name))), None)
        if holder is None:
            return None
        value = self._value(holder, fresh)
        self._open(fresh)
        added = value if kind in ("decimal", "integer", "number") else _number(value)
        whole = ast.BinOp(ast.Name(fresh, ast.Load()), ast.Add(), added)
        self.body.append(ast.Assign([ast.Name(fresh, ast.Store())], whole))
        self.totals[name] = fresh
        return fresh

    def _value(self, slot: _Slot, fresh: str) -> ast.expr:
        """The field's value as a name, so that it is computed once."""
        if not isinstance(slot.value, ast.Name):
            held = f"{fresh}_of"
            at = self.body.index(slot.statement)
            self.body.insert(at, ast.Assign([ast.Name(held, ast.Store())], slot.value))
            slot.put(ast.Name(held, ast.Load()))
        return slot.value

    def _open(self, fresh: str) -> None:
        """`_l = []` becomes `(_l, total) = ([], 0)`."""
        target, value = self.opening.targets[0], self.opening.value
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        values = value.elts if isinstance(value, ast.Tuple) else [value]
        self.opening.targets = [ast.Tuple([*targets, ast.Name(fresh, ast.Store())], ast.Store())]
        self.opening.value = ast.Tuple([*values, ast.Constant(0)], ast.Load())


@dataclass
class _Slot:
    """Where a field's value stands: in an object's display, or in an assignment to it."""

    statement: ast.stmt
    values: list[ast.expr]
    at: int

    @property
    def value(self) -> ast.expr:
        return self.values[self.at]

    def put(self, value: ast.expr) -> None:
        self.values[self.at] = value
        if isinstance(self.statement, ast.Assign) and isinstance(self.statement.targets[0], ast.Subscript):
            self.statement.value = value


def _slot(statement: ast.stmt, name: str) -> _Slot | None:
    match statement:
        case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=key))], value=value) if key == name:
            return _Slot(statement, [value], 0)
        case ast.Expr(value=ast.Call(args=[ast.Dict() as display])) | ast.Assign(value=ast.Dict() as display):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in display.keys]
            return _Slot(statement, display.values, keys.index(name)) if name in keys else None
    return None


def _number(value: ast.expr) -> ast.expr:
    """The value, refused where it is true or false: those add up, but are no numbers."""
    kind = ast.Attribute(value, "__class__", ast.Load())
    test = ast.Compare(kind, [ast.IsNot()], [ast.Name("_bool", ast.Load())])
    refused = ast.Call(ast.Name("_pos", ast.Load()), [value], [])
    return ast.IfExp(test, value, refused)
