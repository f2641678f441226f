"""The shape of a mapping file: which keys mean what, read into forms that the compiler walks."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from duijie.mapping.document import Block, Entry, Item, Listing, Scalar
from duijie.mapping.expression import parse
from duijie.mapping.findings import Findings, Spot

CONTROL = ("value", "each", "fields", "when")
KEYS = {
    "value": ("value", "when", "else", "default"),
    "each": ("each", "as", "when", "let", "fields", "value", "flat", "settle"),
    "fields": ("fields", "when", "else", "let"),
}
_RESERVED = ("record", "settings", "index", "nth", "parent", "true", "false", "null")


@dataclass(frozen=True)
class Named:
    """A name with its expression (let) or its form (field)."""

    name: str
    spot: Spot
    form: Form


@dataclass(frozen=True)
class Value:
    """One expression or constant; `default` stands in where a path of it is missing."""

    spot: Spot
    expression: Scalar
    when: Scalar | None = None
    default: Scalar | None = None
    orelse: Form | None = None


@dataclass(frozen=True)
class Object:
    """An object built field by field."""

    spot: Spot
    fields: tuple[Named, ...]
    let: tuple[Named, ...] = ()
    when: Scalar | None = None
    orelse: Form | None = None


@dataclass(frozen=True)
class Settle:
    """尾差: a field of the lines has to add up to a total; the line `to` takes the cents they miss."""

    name: str
    spot: Spot
    total: Scalar
    to: str = "last"


@dataclass(frozen=True)
class Each:
    """A list built from a list; `when` drops single elements."""

    spot: Spot
    over: Scalar
    alias: str
    body: Form | Flat
    let: tuple[Named, ...] = ()
    each_when: Scalar | None = None
    settle: tuple[Settle, ...] = ()
    when: None = field(default=None, init=False)
    orelse: None = field(default=None, init=False)

    @property
    def element(self) -> Form:
        """What one element of the list is made by, however flat the list."""
        return self.body.each.element if isinstance(self.body, Flat) else self.body


@dataclass(frozen=True)
class Flat:
    """An inner each whose elements go straight into the outer one's list."""

    each: Each


@dataclass(frozen=True)
class Items:
    """A list written out."""

    spot: Spot
    items: tuple[Form, ...]
    when: None = field(default=None, init=False)
    orelse: None = field(default=None, init=False)


Form = Value | Object | Each | Items


@dataclass(frozen=True)
class Parts:
    """A mapping file taken apart, before it is compiled.

    `rows` says where a table's row stands. With `emits` the fields are entities, each with one document
    or a list of them. `shipped` are the mappings it extends, as written; `root` has them merged in.
    """

    file: str
    root: Block
    let: tuple[Named, ...]
    skip: Scalar | None
    fields: Object
    tables: dict[str, dict[Any, Any]]
    rows: dict[tuple[str, str], Spot] = field(default_factory=dict)
    emits: bool = False
    shipped: tuple[Block, ...] = ()
    _trees: dict[int, ast.expr | None] = field(default_factory=dict)

    def scalars(self) -> Iterator[Scalar]:
        """Every expression of the file."""
        yield from (self.skip,) if self.skip is not None else ()
        for form in (*(named.form for named in self.let), self.fields):
            yield from scalars(form)

    def needed_settings(self) -> set[str]:
        """The names of the settings that are read whatever the record, and that no has() or default() asks about."""
        roots = (*(named.form for named in self.let), self.fields)
        always = [self.tree(scalar) for form in roots for scalar in scalars(form, unguarded)]
        asked = {name for scalar in self.scalars() if (tree := self.tree(scalar)) for name in _asked(tree)}
        return {name for tree in always if tree is not None for name in _needed(tree)} - asked

    def tree(self, scalar: Scalar) -> ast.expr | None:
        """The checked tree of an expression of these forms; None where it has a finding."""
        if id(scalar) not in self._trees:
            self._trees[id(scalar)] = parse(scalar, Findings())
        return self._trees[id(scalar)]


def scalars(form: Form | Flat, wanted: Callable[[Form | Flat], bool] = lambda _: True) -> Iterator[Scalar]:
    """Every expression of a form and of all below it that are wanted."""
    if not wanted(form):
        return
    match form:
        case Value(expression=expression, default=default):
            own: tuple[Scalar | None, ...] = (expression, default, form.when)
            inner: tuple[Form | Flat, ...] = ()
        case Object(fields=fields, let=let):
            own, inner = (form.when,), tuple(named.form for named in (*let, *fields))
        case Each(over=over, body=body, let=let, each_when=each_when, settle=settle):
            own, inner = (over, each_when, *(one.total for one in settle)), (body, *(named.form for named in let))
        case Items(items=items):
            own, inner = (), items
        case Flat(each=each):
            own, inner = (), (each,)
    yield from (scalar for scalar in own if scalar is not None)
    for each_form in (*inner, *((form.orelse,) if not isinstance(form, Flat) and form.orelse else ())):
        yield from scalars(each_form, wanted)


def unguarded(form: Form | Flat) -> bool:
    """Whether nothing decides if a form is there (or which elements are), and nothing stands in for what it lacks."""
    if isinstance(form, Flat):
        return True
    return form.when is getattr(form, "each_when", None) is getattr(form, "default", None) is None


def form_text(form: Form) -> str:
    """The expression of a form that is one, as written."""
    return str(form.expression.value) if isinstance(form, Value) else ""


def needed(let: Sequence[Named], condition: Scalar, tree: Callable[[Scalar], ast.expr | None]) -> set[str]:
    """The lets a condition reads, directly or through other lets."""
    wanted = _names(condition, tree)
    for named in reversed(let):
        if named.name in wanted:
            wanted |= {each for scalar in scalars(named.form) for each in _names(scalar, tree)}
    return wanted


def _names(scalar: Scalar, tree: Callable[[Scalar], ast.expr | None]) -> set[str]:
    found = tree(scalar)
    return {node.id for node in ast.walk(found) if isinstance(node, ast.Name)} if found is not None else set()


class Reader:
    """Turns YAML nodes into forms; findings take what does not fit."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def form(self, item: Item) -> Form:
        """Any target value."""
        if isinstance(item, Scalar):
            return Value(item.spot, item)
        if isinstance(item, Listing):
            return Items(item.spot, tuple(self.form(each) for each in item.items))
        if not any(key in CONTROL for key in item.keys()):  # noqa: SIM118  a Block is no dict
            return Object(item.spot, self.named(item))
        return self._control(item)

    def named(self, item: Item) -> tuple[Named, ...]:
        """The entries below `fields`, or of a nested object."""
        if not isinstance(item, Block):
            self.findings.error(item.spot, "此处需要 名称: 表达式", "name: expression pairs are needed here")
            return ()
        return tuple(Named(entry.key, entry.spot, self.form(entry.item)) for entry in item.entries)

    def lets(self, item: Item | None) -> tuple[Named, ...]:
        """The entries below `let`: plain names for values of any form."""
        if item is None:
            return ()
        if not isinstance(item, Block):
            self.findings.error(item.spot, "let 下需要 名称: 表达式", "let holds name: expression pairs")
            return ()
        return tuple(named for entry in item.entries if (named := self._let(entry)))

    def _let(self, entry: Entry) -> Named | None:
        self._name(entry.key, entry.spot)
        form = self.form(entry.item)
        if form.when is None:
            return Named(entry.key, entry.spot, form)
        self.findings.error(
            entry.spot, f"let {entry.key} 不能有 when", f"let {entry.key} has a when; a let always has a value"
        )
        return None

    def _name(self, name: str, spot: Spot) -> None:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name in _RESERVED:
            self.findings.error(spot, f"{name} 不能用作名称", f"{name} cannot be used as a name")

    def _control(self, block: Block) -> Form:
        kind = next((kind for kind in ("each", "value", "fields") if block.get(kind) is not None), None)
        if kind is None:
            self.findings.error(block.spot, "when 须与 value 或 fields 同用", "when goes with value or fields")
            return Items(block.spot, ())
        for entry in block.entries:
            if entry.key not in KEYS[kind]:
                self.findings.unknown(
                    entry.spot, (f"控制键 ({kind} 形式)", f"key of a {kind} form"), entry.key, KEYS[kind]
                )
        return {"each": self._each, "value": self._value, "fields": self._object}[kind](block)

    def _value(self, block: Block) -> Form:
        value, default = self._scalar(block, "value"), self._scalar(block, "default")
        if value is None:
            return Items(block.spot, ())
        return Value(block.spot, value, self._scalar(block, "when"), default, self._orelse(block))

    def _object(self, block: Block) -> Form:
        fields = block.get("fields")
        named = self.named(fields) if fields is not None else ()
        let = self.lets(block.get("let"))
        return Object(block.spot, named, let, self._scalar(block, "when"), self._orelse(block))

    def _orelse(self, block: Block) -> Form | None:
        orelse = block.get("else")
        if orelse is None:
            return None
        if block.get("when") is None:
            self.findings.error(orelse.spot, "else 须与 when 同用", "else goes with when")
        return self.form(orelse)

    def _each(self, block: Block) -> Form:
        over = self._scalar(block, "each")
        alias = self._scalar(block, "as")
        name = str(alias.value) if alias else "item"
        self._name(name, alias.spot if alias else block.spot)
        inner = self._body(block)
        if over is None:
            return Items(block.spot, ())
        let, when = self.lets(block.get("let")), self._scalar(block, "when")
        return Each(block.spot, over, name, inner, let, when, self._settle(block.get("settle"), inner))

    def _settle(self, item: Item | None, body: Form | Flat) -> tuple[Settle, ...]:
        """The entries below `settle`: a field of the lines and the total it adds up to."""
        if item is None:
            return ()
        made = body.each.element if isinstance(body, Flat) else body
        if not isinstance(item, Block) or not isinstance(made, Object):
            self.findings.error(
                item.spot, "settle 须是 字段: 合计, 并与 fields 同用", "settle holds field: total, beside fields"
            )
            return ()
        known = {named.name for named in made.fields}
        for entry in item.entries:
            if entry.key not in known:
                self.findings.unknown(entry.spot, ("行字段", "field of the lines"), entry.key, known)
        return tuple(found for entry in item.entries if (found := self._settled(entry)))

    def _settled(self, entry: Entry) -> Settle | None:
        if isinstance(entry.item, Scalar):
            return Settle(entry.key, entry.spot, entry.item)
        total = self._scalar(entry.item, "total") if isinstance(entry.item, Block) else None
        to = entry.item.get("to") if isinstance(entry.item, Block) else None
        if total is None or not isinstance(to, Scalar) or to.value not in ("last", "largest"):
            self.findings.error(
                entry.spot,
                "settle 的值须是合计, 或 {total: 合计, to: last 或 largest}",
                "settle takes a total, or {total: …, to: last or largest}",
            )
            return None
        return Settle(entry.key, entry.spot, total, str(to.value))

    def _body(self, block: Block) -> Form | Flat:
        given = [(key, item) for key in ("fields", "value", "flat") if (item := block.get(key)) is not None]
        if len(given) != 1:
            self.findings.error(
                block.spot, "each 需要 fields、value、flat 之一", "each needs fields or value or flat, one of them"
            )
            return Items(block.spot, ())
        key, item = given[0]
        if key == "fields":
            return Object(item.spot, self.named(item))
        inner = self.form(item)
        if key == "value":
            return inner
        if isinstance(inner, Each):
            return Flat(inner)
        self.findings.error(item.spot, "flat 下须是 each", "flat holds an each")
        return Items(block.spot, ())

    def _scalar(self, block: Block, key: str) -> Scalar | None:
        item = block.get(key)
        if item is None or isinstance(item, Scalar):
            return item
        if isinstance(item, Listing) and not item.items:
            line, column = item.spot.line, item.spot.column
            return Scalar(item.spot, "[]", ((line, column), (line, column + 1)))
        self.findings.error(item.spot, f"{key} 须是一个表达式", f"{key} must be one expression")
        return None


def _needed(tree: ast.AST) -> Iterator[str]:
    """Settings that an expression reads whichever way it goes."""
    if isinstance(tree, ast.IfExp):
        yield from _needed(tree.test)
    elif isinstance(tree, ast.BoolOp):
        yield from _needed(tree.values[0])
    else:
        yield from (tree.attr,) if _is_setting(tree) else ()
        for below in ast.iter_child_nodes(tree):
            yield from _needed(below)


def _asked(tree: ast.AST) -> Iterator[str]:
    """Settings below a has() or a default() of an expression."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("default", "has"):
            yield from (each.attr for each in ast.walk(call) if _is_setting(each))


def _is_setting(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "settings"
