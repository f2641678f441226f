"""Common sub-expressions of generated code, computed once.

Everything a rule computes is pure, so an expression may move up to just before the first statement that is sure to
compute it. Should it raise there, the interpreter decides as ever.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field

_COSTS = {"_items": 4, "_each": 4, "_has": 4, "_default": 4, "_ref": 8, "_xref": 8, "_exact": 3}
_COSTS |= {"_tax_in": 10, "_present": 4, "_add": 3, "_sub": 3, "_mul": 3, "_div": 5, "_sum": 4}
_COSTS |= {f"_f_{each}": 5 for each in ("text", "join", "datetime", "date", "money", "decimal", "round", "integer")}
_COSTS |= {f"_f_{each}": 5 for each in ("trim", "upper", "lower", "nfkc", "left", "count", "sum", "min", "max", "abs")}
_TABLES = {"_money": 3, "_decimal": 3}
_MOVING = ("_x_", "_n", "_o", "_l")  # elements of comprehensions, values held, what is being built
_WORTH = 2
_PASSES = 6
Fresh = Callable[[str], str]
Key = Hashable


@dataclass
class _Seen:
    """An expression: where it stands, and the first statement of the block that surely computes it."""

    node: ast.expr
    cost: int
    places: list[tuple[int, ast.expr]] = field(default_factory=list)
    sure: int | None = None

    @property
    def shared(self) -> list[ast.expr]:
        """The places that a value computed just before the sure statement can serve."""
        return [node for at, node in self.places if self.sure is not None and at >= self.sure]

    @property
    def worth(self) -> int:
        return (len(self.shared) - 1) * self.cost


def share(body: list[ast.stmt], fresh: Fresh) -> None:
    """Share what a block and the blocks in it compute more than once, in place."""
    for _ in range(_PASSES):
        if not _pass(body, fresh):
            break
    for statement in body:
        for inner in _blocks(statement):
            share(inner, fresh)


def unheld(body: list[ast.stmt]) -> None:
    """What is held in a name although sharing has given it one already is read from that one, in place."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    named = {
        node.target.id: node.value
        for node in nodes
        if isinstance(node, ast.NamedExpr) and isinstance(node.value, ast.Name)
    }
    again = _Again(named)
    body[:] = [again.visit(statement) for statement in body]


class _Again(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self.names = names

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        node.value = self.visit(node.value)
        return self.names.get(node.target.id, node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.names.get(node.id, node)


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    match statement:
        case ast.If(body=body, orelse=orelse):
            return [body, orelse]
        case ast.For(body=body):
            return [body]
        case _:
            return []


def _pass(body: list[ast.stmt], fresh: Fresh) -> bool:
    chosen = _choose(_Scan().block(body))
    names: dict[int, str] = {}
    before: dict[int, list[ast.stmt]] = {}
    for one in chosen:
        python = fresh(_hint(one.node))
        names |= {id(node): python for node in one.shared}
        assign = ast.Assign([ast.Name(python, ast.Store())], one.node)
        before.setdefault(one.sure or 0, []).append(assign)
    replace = _Replace(names)
    changed = [replace.visit(statement) for statement in body]
    body[:] = [each for at, statement in enumerate(changed) for each in (*before.get(at, ()), statement)]
    return bool(chosen)


def _choose(seen: dict[Key, _Seen]) -> list[_Seen]:
    """The dearest first; what lies inside one already chosen waits for the next pass."""
    chosen: list[_Seen] = []
    inside: set[int] = set()
    for one in sorted(seen.values(), key=lambda each: (-each.cost, each.sure or 0)):
        if one.sure is None or one.worth < _WORTH or any(id(node) in inside for node in one.shared):
            continue
        chosen.append(one)
        inside |= {id(below) for node in one.shared for below in ast.walk(node)}
    return chosen


class _Replace(ast.NodeTransformer):
    def __init__(self, names: dict[int, str]) -> None:
        self.names = names

    def visit(self, node: ast.AST) -> ast.AST:
        python = self.names.get(id(node))
        if python is not None:
            return ast.Name(python, ast.Load())
        found: ast.AST = self.generic_visit(node)
        return found


def _hint(node: ast.expr) -> str:
    """A name that tells what is shared: the last field of its path."""
    keys = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return f"{keys[0]}_" if keys and keys[0].isidentifier() else "shared_"


class _Scan:
    """Finds every expression of a block worth sharing, with its places."""

    def __init__(self) -> None:
        self.seen: dict[Key, _Seen] = {}
        self.keys: dict[int, tuple[Key, int] | None] = {}
        self.at = 0

    def block(self, body: list[ast.stmt]) -> dict[Key, _Seen]:
        for self.at, statement in enumerate(body):
            for expression, sure in _expressions(statement):
                self._note(expression, sure)
        return self.seen

    def _note(self, node: ast.AST, sure: bool) -> None:
        if isinstance(node, ast.expr):
            known = self._key(node)
            if known is not None and known[1]:
                one = self.seen.setdefault(known[0], _Seen(node, known[1]))
                one.places.append((self.at, node))
                if sure and one.sure is None:
                    one.sure = self.at
        for child, child_sure in _children(node):
            self._note(child, sure and child_sure)

    def _key(self, node: ast.expr) -> tuple[Key, int] | None:
        """(structure, cost) of a pure expression over names that stand still; None for any other."""
        if id(node) not in self.keys:
            self.keys[id(node)] = self._made(node)
        return self.keys[id(node)]

    def _made(self, node: ast.expr) -> tuple[Key, int] | None:
        if isinstance(node, ast.Name):
            return None if node.id.startswith(_MOVING) else (node.id, 0)
        if isinstance(node, ast.Constant):
            return ("constant", type(node.value), node.value), 0
        shape = _shape(node)
        return self._joined(*shape) if shape is not None else None

    def _joined(self, kind: Key, cost: int, parts: list[ast.expr]) -> tuple[Key, int] | None:
        known = [self._key(part) for part in parts]
        if any(each is None for each in known):
            return None
        found = [each for each in known if each is not None]
        return (kind, *(each[0] for each in found)), cost + sum(each[1] for each in found)


def _shape(node: ast.expr) -> tuple[Key, int, list[ast.expr]] | None:  # noqa: PLR0911  one a case
    """What kind of step an expression is, what it costs (about 20 ns each), and what it is made of."""
    match node:
        case ast.Subscript(value=ast.Name(id=table), slice=index, ctx=ast.Load()):
            return ("[]", table), 1 + _TABLES.get(table, 0), [node.value, index]
        case ast.Subscript(value=base, slice=ast.Constant() as index, ctx=ast.Load()):
            return "[]", 1, [base, index]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _COSTS:
            return ("call", name), _COSTS[name], args
        case ast.Call(func=ast.Attribute(value=base, attr="get"), args=args):
            return "get", 2, [base, *args]
        case ast.BoolOp(values=values):
            return type(node.op).__name__, 1, values
        case ast.BinOp(left=left, op=op, right=right):
            return type(op).__name__, 3, [left, right]
    return None


def _expressions(statement: ast.stmt) -> Iterator[tuple[ast.AST, bool]]:
    """What a statement computes, and whether it is sure to."""
    match statement:
        case ast.Assign(value=value, targets=[ast.Subscript() | ast.Name()]) | ast.Return(value=ast.expr() as value):
            yield value, True
        case ast.Expr(value=value):
            yield value, True
        case ast.If(test=test, body=body, orelse=orelse):
            yield test, True
            yield from ((each, False) for inner in (*body, *orelse) for each, _ in _expressions(inner))
        case ast.For(iter=source, body=body):
            yield source, True
            yield from ((each, False) for inner in body for each, _ in _expressions(inner))
        case ast.Try(body=body, handlers=[handler]):
            yield from ((each, False) for inner in (*body, *handler.body) for each, _ in _expressions(inner))


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    match node:
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from ((test, True), (body, False), (orelse, False))
        case ast.BoolOp(values=[first, *rest]):
            yield first, True
            yield from ((each, False) for each in rest)
        case ast.Compare(left=left, comparators=[second, *rest]):
            yield from ((left, True), (second, True))
            yield from ((each, False) for each in rest)
        case ast.ListComp(elt=element, generators=generators):
            yield generators[0].iter, True
            yield from ((each, False) for each in (element, *(test for g in generators for test in g.ifs)))
            yield from ((each.iter, False) for each in generators[1:])
        case _:
            yield from ((each, True) for each in ast.iter_child_nodes(node))
