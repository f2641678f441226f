"""Expressions computed node by node: slower than the generated function, and never in doubt about what went wrong.

This is the language's reference. `explain` runs on it, and so does every record that the generated function could not
finish: what it raises here names the node, so the message names field, file, line, column and value.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from duijie.codec import Record
from duijie.mapping import numbers, texts
from duijie.mapping.expression import path_of
from duijie.mapping.findings import Spot
from duijie.mapping.runtime import LOOKUPS, Lookup, holds
from duijie.mapping.signatures import FUNCTIONS
from duijie.mapping.values import Fault, charge, kind

CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
CRASHES = (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError)
SHOWN_ELEMENTS = 100
_CHECK = ("请核对来源记录", "check the record")
_THE_RECORD = ["记录", "the record"]


class Broken(Exception):
    """A node could not be computed: why in (zh, en), and the value it could not take."""

    def __init__(self, node: ast.expr, words: tuple[str, str], value: Any, code: str = "MAPPING") -> None:
        super().__init__(words[1])
        self.node = node
        self.words = words
        self.value = value
        self.code = code


class Missing(Broken):
    """A path does not exist; `default` stands in for this and for nothing else."""


@dataclass(frozen=True)
class Row:
    """A look-up that was answered: `kind` is table, xref or ref; `spot` is the row of a table in the file."""

    kind: str
    name: str
    code: Any
    answer: Any
    spot: Spot | None = None


@dataclass
class Reading:
    """What one rule has read: by path as written, by full path from the record, and the rows it looked up."""

    inputs: dict[str, Any] = field(default_factory=dict)
    reads: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def absorb(self, other: Reading) -> None:
        """What a let has read counts for whoever reads the let."""
        self.inputs |= {path: value for path, value in other.inputs.items() if path not in self.inputs}
        self.reads |= {path: value for path, value in other.reads.items() if path not in self.reads}
        self.rows += [row for row in other.rows if row not in self.rows]


@dataclass(frozen=True)
class Cell:
    """A name's value; where in the record it stands, if it is taken from there; what a let has read for it."""

    value: Any
    origin: str | None = None
    reading: Reading | None = None
    many: bool = False


class Names:
    """Names in sight, innermost first."""

    def __init__(self, outer: Names | None = None) -> None:
        self.outer = outer
        self.cells: dict[str, Cell] = {}

    def find(self, name: str) -> Cell | None:
        """The innermost cell of this name."""
        found = self.cells.get(name)
        return found if found is not None or self.outer is None else self.outer.find(name)


@dataclass(frozen=True)
class World:
    """What a run can see."""

    record: Record
    lookup: Lookup
    settings: dict[str, Any]
    tables: dict[str, dict[Any, Any]]
    spots: dict[tuple[str, str], Spot]


class Evaluator:
    """Computes the expressions of one rule. `loops` counts the loops around it."""

    def __init__(self, world: World, names: Names, loops: int = 0) -> None:
        self.world = world
        self.names = names
        self.loops = loops
        self.reading = Reading()
        self.asked: ast.expr | None = None
        self.origin: str | None = None

    def value(self, node: ast.expr) -> Any:
        """The value of a node. Raises Broken, and UnmappedCode with `asked` on the node that asked."""
        method: Callable[[Any], Any] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node)

    def leave(self, node: ast.expr, fallback: Any) -> Any:
        """The value at a path; the fallback where it does not exist or is null. Other nodes: their value."""
        if path_of(node) is None:
            return self.value(node)
        exists, found = self._look(node)
        return fallback if not exists or found is None else found

    def _look(self, node: ast.expr) -> tuple[bool, Any]:
        try:
            return True, self._path(node)
        except Missing:
            return False, None

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        if node.id in CONSTANTS and self.names.find(node.id) is None:
            return CONSTANTS[node.id]
        return self._path(node)

    def _attribute(self, node: ast.Attribute) -> Any:
        if path_of(node) is not None:
            return self._path(node)
        return self._step(self.value(node.value), node.attr, node)

    def _subscript(self, node: ast.Subscript) -> Any:
        if path_of(node) is not None:
            return self._path(node)
        base = self.value(node.value)
        return self._step(base, self.value(node.slice), node)

    def _path(self, node: ast.expr) -> Any:
        """Walk a path from its root, noting it as an input."""
        chain = [node]
        while isinstance(chain[0], ast.Attribute | ast.Subscript):
            chain.insert(0, chain[0].value)
        root = chain[0]
        assert isinstance(root, ast.Name)  # noqa: S101  path_of said so
        cell = self._root(root)
        base, origin = cell.value, cell.origin
        for step in chain[1:]:
            key = step.attr if isinstance(step, ast.Attribute) else self.value(step.slice)  # type: ignore[attr-defined]
            base, origin = self._step(base, key, step), _below(origin, key)
        self.origin = origin
        self.note(node, base, cell)
        return base

    def _root(self, node: ast.Name) -> Cell:
        known = self.names.find(node.id)
        if known is not None:
            return known
        if node.id == "record":
            return Cell(self.world.record, "")
        if node.id == "settings":
            return Cell(self.world.settings, "settings")
        if node.id in CONSTANTS:
            return Cell(CONSTANTS[node.id])
        return Cell(self._step(self.world.record, node.id, node), node.id)

    def note(self, node: ast.expr, value: Any, cell: Cell) -> None:
        """A path was read. Only `Noting` writes it down."""

    def looked_up(self, row: Row) -> None:
        """A look-up was answered. Only `Noting` writes it down."""

    def _step(self, base: Any, key: Any, node: ast.expr) -> Any:
        if holds(base, key):
            return base[key]
        path = ast.unparse(node)
        inner = [ast.unparse(node.value)] * 2 if isinstance(node, ast.Attribute | ast.Subscript) else _THE_RECORD
        is_setting = path.startswith("settings.")
        zh, en = ("请在流程步骤的 settings 中给出", "give it in the step's settings") if is_setting else _CHECK
        words = (
            f"路径 {path} 不存在 ({inner[0]} 中没有); {zh}, 可缺省时用 default() 或 has()",
            f"the path {path} does not exist (not in {inner[1]}); {en}, or use default() or has()",
        )
        raise Missing(node, words, base, "MISSING")

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        return self._guarded(node, numbers.SIGNS[type(node.op)], [value])

    def _binop(self, node: ast.BinOp) -> Any:
        pair = [self.value(node.left), self.value(node.right)]
        return self._guarded(node, numbers.OPERATORS[type(node.op)], pair)

    def _boolop(self, node: ast.BoolOp) -> Any:
        stops = bool if isinstance(node.op, ast.Or) else operator.not_
        for each in node.values:
            value = self.value(each)
            if stops(value):
                return value
        return value

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        held = True
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator)
            held = self._guarded(node, _COMPARISONS[type(op)], [left, right])
            if not held:
                return False
            left = right
        return held

    def _list(self, node: ast.List | ast.Tuple) -> list[Any]:
        return [self.value(each) for each in node.elts]

    _tuple = _list

    def _dict(self, node: ast.Dict) -> Record:
        return {self.value(key): self.value(each) for key, each in zip(node.keys, node.values, strict=True) if key}

    def _generatorexp(self, node: ast.GeneratorExp | ast.ListComp) -> list[Any]:
        outer, self.names = self.names, Names(self.names)
        loops = self.loops
        try:
            return [self.value(node.elt) for _ in self._turns(node.generators)]
        finally:
            self.names, self.loops = outer, loops

    _listcomp = _generatorexp

    def _turns(self, generators: list[ast.comprehension]) -> Iterator[None]:
        """One turn for each combination of elements that passes the conditions, its names bound."""
        if not generators:
            yield
            return
        first, *rest = generators
        assert isinstance(first.target, ast.Name)  # noqa: S101  the expression check let nothing else through
        outer = self.loops
        self.origin = None
        source = self._guarded(first.iter, texts.items, [self.value(first.iter)])
        origin = self.origin if path_of(first.iter) else None
        if outer:
            charge(len(source))
        for at, element in enumerate(source):
            self.names.cells[first.target.id] = Cell(element, _below(origin, at), many=True)
            self.loops = outer + 1
            if all(self.value(test) for test in first.ifs):
                yield from self._turns(rest)
        self.loops = outer

    def _call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)  # noqa: S101  the expression check let nothing else through
        if node.func.id in LOOKUPS:
            return self._ask(node, LOOKUPS[node.func.id])
        special = getattr(self, f"_call_{node.func.id}", None)
        if special is not None:
            return special(node)
        run = FUNCTIONS[node.func.id].run
        assert run is not None  # noqa: S101  those without are above
        arguments = [self.value(argument) for argument in node.args]
        keywords = {str(each.arg): self.value(each.value) for each in node.keywords}
        return self._guarded(node, lambda *given: run(*given, **keywords), arguments)

    def _call_has(self, node: ast.Call) -> bool:
        return self.leave(node.args[0], None) is not None

    def _call_present(self, node: ast.Call) -> bool:
        return self._look(node.args[0])[0]

    def _call_default(self, node: ast.Call) -> Any:
        exists, found = self._look(node.args[0])
        return found if exists and found is not None else self.value(node.args[1])

    def _call_table(self, node: ast.Call) -> Any:
        name = str(node.args[0].value)  # type: ignore[attr-defined]
        code, *fallback = [self.value(each) for each in node.args[1:]]
        rows = self.world.tables[name]
        found = self._guarded(node, lambda key: key in rows, [code])
        if not found and not fallback:
            words = (
                f"表 '{name}' 中没有此编码; 请在映射文件的 tables 中补一行",
                f"table '{name}' has no row for this code; add it below tables",
            )
            raise Broken(node, words, code, "NO_ROW")
        if not found:
            return fallback[0]
        self.looked_up(Row("table", name, code, rows[code], self.world.spots.get((name, str(code)))))
        return rows[code]

    def _ask(self, node: ast.Call, ask: Callable[..., Any]) -> Any:
        """A look-up; what the lookup itself raises passes through."""
        arguments = [self.value(each) for each in node.args]
        self.asked = node
        try:
            answer = ask(self.world.lookup, *arguments)
        except Fault as fault:
            raise Broken(node, (fault.zh, fault.en), fault.value) from None
        self.looked_up(Row(node.func.id, arguments[0], arguments[1], answer))  # type: ignore[attr-defined]
        return answer

    def _guarded(self, node: ast.expr, compute: Callable[..., Any], values: list[Any]) -> Any:
        try:
            return compute(*values)
        except Fault as fault:
            raise Broken(node, (fault.zh, fault.en), fault.value) from None
        except CRASHES as error:
            raise Broken(node, _reason(error, node, values), values[0] if len(values) == 1 else values) from None


class Noting(Evaluator):
    """Writes down what a rule reads."""

    def note(self, node: ast.expr, value: Any, cell: Cell) -> None:
        """By path as written, and by full path from the record."""
        text = ast.unparse(node)
        if not cell.many:
            self.reading.inputs[text] = value
        elif len(seen := self.reading.inputs.setdefault(text, [])) < SHOWN_ELEMENTS:
            seen.append(value)
        if self.origin is not None and len(self.reading.reads) < 10 * SHOWN_ELEMENTS:
            self.reading.reads[self.origin or "record"] = value
        if cell.reading is not None:
            self.reading.absorb(cell.reading)

    def looked_up(self, row: Row) -> None:
        """Once for each row."""
        if len(self.reading.rows) < SHOWN_ELEMENTS and row not in self.reading.rows:
            self.reading.rows.append(row)


_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def _below(origin: str | None, key: Any) -> str | None:
    if origin is None:
        return None
    if type(key) is int:
        return f"{origin}[{key}]"
    return f"{origin}.{key}" if origin else str(key)


def _reason(error: BaseException, node: ast.expr, values: list[Any]) -> tuple[str, str]:
    text = ast.unparse(node)
    if isinstance(error, ZeroDivisionError):
        return f"除数为零: {text}; 请核对来源, 或先判断", f"division by zero: {text}; check the record or test first"
    if isinstance(error, ArithmeticError):
        return f"数字超出范围: {text}", f"a number is out of range: {text}"
    kinds = [kind(value) for value in values]
    zh, en = ("、".join(each[0] for each in kinds), " and ".join(each[1] for each in kinds))
    return (
        f"类型不符: {text} 得到 {zh}; 请先用 money()、decimal() 或 text() 转换",
        f"the kinds do not fit: {text} has {en}; convert with money(), decimal() or text()",
    )
