"""The shape of a mapping file: which keys mean what, read into forms that the compiler walks."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field

from duijie.mapping.document import Block, Entry, Item, Listing, Scalar
from duijie.mapping.findings import Findings, Spot

CONTROL = ("value", "each", "fields", "when")
_KEYS = {
    "value": ("value", "when", "default"),
    "each": ("each", "as", "when", "let", "fields", "value"),
    "fields": ("fields", "when", "let"),
}
_RESERVED = ("record", "settings", "index", "true", "false", "null")


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


@dataclass(frozen=True)
class Object:
    """An object built field by field."""

    spot: Spot
    fields: tuple[Named, ...]
    let: tuple[Named, ...] = ()
    when: Scalar | None = None


@dataclass(frozen=True)
class Each:
    """A list built from a list; `when` drops single elements."""

    spot: Spot
    over: Scalar
    alias: str
    body: Form
    let: tuple[Named, ...] = ()
    each_when: Scalar | None = None
    when: None = field(default=None, init=False)


@dataclass(frozen=True)
class Items:
    """A list written out."""

    spot: Spot
    items: tuple[Form, ...]
    when: None = field(default=None, init=False)


Form = Value | Object | Each | Items


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
        """The entries below `let`: plain names, expressions only."""
        if item is None:
            return ()
        if not isinstance(item, Block):
            self.findings.error(item.spot, "let 下需要 名称: 表达式", "let holds name: expression pairs")
            return ()
        return tuple(named for entry in item.entries if (named := self._let(entry)))

    def _let(self, entry: Entry) -> Named | None:
        self._name(entry.key, entry.spot)
        form = self.form(entry.item)
        if isinstance(form, Value) and form.when is None:
            return Named(entry.key, entry.spot, form)
        self.findings.error(entry.spot, f"let {entry.key} 须是一个表达式", f"let {entry.key} must be one expression")
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
            if entry.key not in _KEYS[kind]:
                self.findings.unknown(
                    entry.spot, (f"控制键 ({kind} 形式)", f"key of a {kind} form"), entry.key, _KEYS[kind]
                )
        return {"each": self._each, "value": self._value, "fields": self._object}[kind](block)

    def _value(self, block: Block) -> Form:
        value, default = self._scalar(block, "value"), self._scalar(block, "default")
        if value is None:
            return Items(block.spot, ())
        return Value(block.spot, value, self._scalar(block, "when"), default)

    def _object(self, block: Block) -> Form:
        fields = block.get("fields")
        named = self.named(fields) if fields is not None else ()
        return Object(block.spot, named, self.lets(block.get("let")), self._scalar(block, "when"))

    def _each(self, block: Block) -> Form:
        over = self._scalar(block, "each")
        alias = self._scalar(block, "as")
        name = str(alias.value) if alias else "item"
        self._name(name, alias.spot if alias else block.spot)
        body = block.get("fields")
        inner: Form = Items(block.spot, ())
        if body is not None:
            inner = Object(body.spot, self.named(body))
        elif (value := block.get("value")) is not None:
            inner = self.form(value)
        else:
            self.findings.error(block.spot, "each 需要 fields 或 value", "each needs fields or value")
        if over is None:
            return inner
        return Each(block.spot, over, name, inner, self.lets(block.get("let")), self._scalar(block, "when"))

    def _scalar(self, block: Block, key: str) -> Scalar | None:
        item = block.get(key)
        if item is None or isinstance(item, Scalar):
            return item
        if isinstance(item, Listing) and not item.items:
            line, column = item.spot.line, item.spot.column
            return Scalar(item.spot, "[]", ((line, column), (line, column + 1)))
        self.findings.error(item.spot, f"{key} 须是一个表达式", f"{key} must be one expression")
        return None
