"""The forms that make generated code as fast as a careful hand: `get` for soft paths, one look into a table of known
numbers for money, plain operators where the kinds are known.

Each is equal to its helper wherever it does not raise; where it raises, the interpreter decides.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from decimal import Decimal
from typing import TypeGuard

from duijie.mapping.emit import CONSTANTS, EXACT, NUMERIC, Code, Emitter, call, cheap, name
from duijie.mapping.expression import path_of
from duijie.mapping.signatures import Kind
from duijie.mapping.texts import USUAL

Made = Callable[[ast.expr], ast.expr]
Test = Made


class Idioms(Emitter):
    """An emitter that knows a shorter way for what rules do most."""

    def soft(self, node: ast.expr) -> ast.expr | None:
        """A path as a chain of `get`: its value, or None where it is missing or null. None for other nodes."""
        path = path_of(node)
        if path is None:
            return None
        root, keys = path
        names = [key.value for key in keys if isinstance(key, ast.Constant) and type(key.value) is str]
        if len(names) < len(keys):
            return None
        base = self._root(root)
        self.unit.paths.append((self.rule, node, self.scope))
        if base is None:
            self.unit.bare.append((root.id, root))
            base, names = Code(name("record"), "object"), [root.id, *names]
        local = self.scope.find(root.id)
        chain, sure = base.expr, base.kind == "object" or (local is not None and local.given)
        for key in names:
            chain = _get(chain if sure else _or_empty(chain), key)
            sure = False
        return chain

    def _call_has(self, node: ast.Call) -> Code:
        soft = self.soft(node.args[0])
        return Code(_is_not_none(soft), "boolean") if soft is not None else super()._call_has(node)

    def _call_default(self, node: ast.Call) -> Code:
        soft = self.soft(node.args[0])
        fallback = self.emit(node.args[1])
        if soft is None:
            return super()._call_default(node)
        made = self.checked(soft, _is_not_none, lambda found: found, lambda _: fallback.expr)
        return Code(made or ast.IfExp(_is_not_none(soft), soft, fallback.expr))

    def present_or(self, node: ast.expr, fallback: ast.expr) -> ast.expr | None:
        """The value at a path, null included; the fallback, which costs nothing, where it is missing."""
        soft = self.soft(node)
        if not isinstance(soft, ast.Call) or not cheap(fallback):
            return None
        soft.args.append(fallback)
        return soft

    def _call_money(self, node: ast.Call) -> Code:
        return self._known(node, "_money")

    def _call_decimal(self, node: ast.Call) -> Code:
        return self._known(node, "_decimal")

    def _known(self, node: ast.Call, table: str) -> Code:
        value = self.emit(node.args[0])
        if value.kind in NUMERIC:
            return Code(call(f"_f{table}", value.expr), "decimal")
        return Code(ast.Subscript(name(table), value.expr, ast.Load()), "decimal")

    def _call_sum(self, node: ast.Call) -> Code:
        value = self.emit(node.args[0])
        total = self._total(node.args[0], value.element)
        if total is not None:
            return Code(name(total), value.element if value.element in NUMERIC else "number")
        if value.element in NUMERIC and value.kind == "list":
            return Code(call("_sum", value.expr), value.element)
        return Code(call("_f_sum", value.expr), "number")

    def _total(self, node: ast.expr, kind: Kind) -> str | None:
        """For `sum(l.net for l in lines)` over a list made here: what its loop has added up."""
        match node:
            case ast.GeneratorExp(
                elt=ast.Attribute(value=ast.Name(id=element), attr=field),
                generators=[ast.comprehension(target=ast.Name(id=target), iter=ast.Name(id=listed), ifs=[])],
            ) if element == target:
                local = self.scope.find(listed)
                if local is None or local.loop is None or field not in local.shape:
                    return None
                self.unit.totals += 1
                return local.loop.total(field, kind, f"total_{self.unit.totals}_")
        return None

    def _call_count(self, node: ast.Call) -> Code:
        value = self.emit(node.args[0])
        return Code(call("_len", value.expr if value.kind == "list" else call("_items", value.expr)), "integer")

    def _call_list(self, node: ast.Call) -> Code:
        value = self.emit(node.args[0])
        made = value.expr if isinstance(value.expr, ast.ListComp) else call("_f_list", value.expr)
        return Code(made, "list", element=value.element)

    def _call_text(self, node: ast.Call) -> Code:
        value = self.emit(node.args[0])
        if value.kind == "text":
            return value
        made = self.checked(value.expr, _is_text, lambda found: found, lambda found: call("_f_text", found))
        return Code(made or call("_f_text", value.expr), "text")

    def _call_join(self, node: ast.Call) -> Code:
        """Few texts of the record as they are: one formatted text. Made texts are joined under the length limit."""
        separator, *parts = node.args
        few = isinstance(separator, ast.Constant) and type(separator.value) is str and 2 <= len(parts) <= 6
        if not few or not self.holds or not all(map(self._is_given, parts)):
            return self.called(node)
        emitted = [self.emit(part) for part in parts]
        loose = [at for at, part in enumerate(emitted) if part.kind != "text"]
        held = {at: str(self.held()) for at in loose}
        values = [name(held[at]) if at in held else part.expr for at, part in enumerate(emitted)]
        made = _formatted(str(separator.value), values)  # type: ignore[attr-defined]
        if not loose:
            return Code(made, "text")
        tests = [_is_text(ast.NamedExpr(ast.Name(held[at], ast.Store()), emitted[at].expr)) for at in loose]
        test = tests[0]
        for each in tests[1:]:
            test = ast.BinOp(test, ast.BitAnd(), each)
        return Code(ast.IfExp(test, made, call("_f_join", separator, *values)), "text")

    def _is_given(self, node: ast.expr) -> bool:
        """A constant text, a path of the record, or a path with such a fallback."""
        if isinstance(node, ast.Constant):
            return type(node.value) is str
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("default", "join"):
            return all(map(self._is_given, node.args))
        path = path_of(node)
        local = self.scope.find(path[0].id) if path else None
        return path is not None and path[0].id not in ("settings", *CONSTANTS) and (local is None or local.given)

    def checked(self, value: ast.expr, test: Test, quick: Made, slow: Made) -> ast.expr | None:
        """`quick` where a value, computed once, passes the test, else `slow`; None where nothing can be held."""
        if isinstance(value, ast.Name):
            return ast.IfExp(test(value), quick(value), slow(value))
        held = self.held()
        if held is None:
            return None
        return ast.IfExp(test(ast.NamedExpr(ast.Name(held, ast.Store()), value)), quick(name(held)), slow(name(held)))

    def _call_datetime(self, node: ast.Call) -> Code:
        form = node.args[1] if len(node.args) == 2 and not node.keywords else None
        held = self.held() if isinstance(form, ast.Constant) and form.value == USUAL else None
        if held is not None:
            return Code(_usual(self.emit(node.args[0]).expr, held), "text", iso=True)
        made = self.called(node)
        return Code(made.expr, made.kind, iso=True)

    def _call_date(self, node: ast.Call) -> Code:
        value = self.emit(node.args[0])
        if value.iso:
            return Code(ast.Subscript(value.expr, ast.Slice(None, ast.Constant(10)), ast.Load()), "text")
        return Code(call("_f_date", value.expr), "text")

    def _call_ref(self, node: ast.Call) -> Code:
        return Code(self._looked_up(node, "documents", "_ref"), "object")

    def _call_xref(self, node: ast.Call) -> Code:
        return Code(self._looked_up(node, "counterparts", "_xref"), "text") if len(node.args) == 2 else self.asked(node)

    def _looked_up(self, node: ast.Call, method: str, helper: str) -> ast.expr:
        """A look into a table that the lookup gives once a run; what is no text goes the long way."""
        kind = node.args[0]
        if not isinstance(kind, ast.Constant) or not isinstance(kind.value, str):
            return self.asked(node).expr
        table = self.unit.asked.setdefault((method, kind.value), f"_r{len(self.unit.asked)}")
        key = self.emit(node.args[1])

        def found(code: ast.expr) -> ast.expr:
            return ast.Subscript(name(table), code, ast.Load())

        def asked(code: ast.expr) -> ast.expr:
            return call(helper, name("lookup"), ast.Constant(kind.value), code)

        if key.kind == "text":
            return found(key.expr)
        return self.checked(key.expr, _is_text, found, asked) or asked(key.expr)

    def split(self, node: ast.expr, gross: ast.expr) -> tuple[ast.expr, ast.expr]:
        """The gross amount of a split_tax(), and the tax in it once it is held as `gross`."""
        assert isinstance(node, ast.Call)  # noqa: S101  is_split said so
        amount, rate = self.emit(node.args[0]), self.emit(node.args[1])
        return amount.expr if amount.kind == "decimal" else call("_exact", amount.expr), self._tax(gross, rate.expr)

    def _tax(self, gross: ast.expr, rate: ast.expr) -> ast.expr:
        constant = self.unit.constants.get(rate.id) if isinstance(rate, ast.Name) else None
        if not isinstance(constant, Decimal) or not 0 <= constant < 1:
            return call("_tax_in", gross, rate)
        held = f"_c{len(self.unit.constants)}"
        self.unit.constants[held] = 1 + constant
        tax = ast.BinOp(ast.BinOp(gross, ast.Mult(), rate), ast.Div(), name(held))
        return ast.Call(ast.Attribute(tax, "quantize", ast.Load()), [name("_cent"), name("_half_up")], [])

    def _attribute(self, node: ast.Attribute) -> Code:
        local = self.scope.find(node.value.id) if isinstance(node.value, ast.Name) else None
        if local is not None and node.attr in local.parts:
            local.uses += 1
            self.unit.paths.append((self.rule, node, self.scope))
            return Code(name(local.parts[node.attr]), "decimal")
        if node.attr == "tax" and is_split(node.value):
            return self._tax_alone(node.value)
        return super()._attribute(node)

    def _tax_alone(self, node: ast.Call) -> Code:
        amount, rate = self.emit(node.args[0]), self.emit(node.args[1])
        if amount.kind == "decimal":
            return Code(self._tax(amount.expr, rate.expr), "decimal")
        return Code(call("_tax_in", amount.expr, rate.expr), "decimal")

    def _binop(self, node: ast.BinOp) -> Code:
        """A decimal with something unknown: the plain operator does, but for true and false, which are no numbers."""
        made = super()._binop(node)
        if sorted(made.operands) != ["any", "decimal"] or not isinstance(node.op, EXACT):
            return made
        assert isinstance(made.expr, ast.Call)  # noqa: S101  the operator of unknown kinds is a helper
        helper, (left, right) = made.expr.func, made.expr.args

        def plain(found: ast.expr) -> ast.expr:
            pair = (left, found) if made.operands[0] == "decimal" else (found, right)
            return ast.BinOp(pair[0], node.op, pair[1])

        def careful(found: ast.expr) -> ast.expr:
            return ast.Call(helper, [left, found] if made.operands[0] == "decimal" else [found, right], [])

        loose = right if made.operands[0] == "decimal" else left
        quick = self.checked(loose, _is_no_boolean, plain, careful)
        return Code(quick or made.expr, made.kind)


def is_split(node: ast.expr | None) -> TypeGuard[ast.Call]:
    """Whether a node is a split_tax() with its two arguments."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "split_tax"
        and len(node.args) == 2
    )


def _usual(value: ast.expr, held: str) -> ast.expr:
    """A time of the form most vendors use, translated part by part."""
    whole = ast.NamedExpr(ast.Name(held, ast.Store()), value)
    cuts = (("_days", whole, None, 11), ("_minutes", name(held), 11, 17), ("_seconds", name(held), 17, None))
    found = [
        ast.Subscript(name(table), ast.Subscript(text, _slice(start, end), ast.Load()), ast.Load())
        for table, text, start, end in cuts
    ]
    return ast.JoinedStr([ast.FormattedValue(each, -1) for each in found])


def _slice(start: int | None, end: int | None) -> ast.Slice:
    return ast.Slice(*(None if each is None else ast.Constant(each) for each in (start, end)))


def _formatted(separator: str, values: list[ast.expr]) -> ast.expr:
    pieces: list[ast.expr] = []
    for at, value in enumerate(values):
        if at and separator:
            pieces.append(ast.Constant(separator))
        pieces.append(value if isinstance(value, ast.Constant) else ast.FormattedValue(value, -1))
    return ast.JoinedStr(pieces)


def _get(base: ast.expr, key: str) -> ast.Call:
    return ast.Call(ast.Attribute(base, "get", ast.Load()), [ast.Constant(key)], [])


def _or_empty(base: ast.expr) -> ast.expr:
    return ast.BoolOp(ast.Or(), [base, name("_empty")])


def _is_not_none(value: ast.expr) -> ast.expr:
    return ast.Compare(value, [ast.IsNot()], [ast.Constant(None)])


def is_list(value: ast.expr) -> ast.expr:
    """The test whether a value is a list."""
    return ast.Compare(ast.Attribute(value, "__class__", ast.Load()), [ast.Is()], [name("_list")])


def _is_text(value: ast.expr) -> ast.expr:
    return ast.Compare(ast.Attribute(value, "__class__", ast.Load()), [ast.Is()], [name("_str")])


def _is_no_boolean(value: ast.expr) -> ast.expr:
    return ast.Compare(ast.Attribute(value, "__class__", ast.Load()), [ast.IsNot()], [name("_bool")])
