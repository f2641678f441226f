"""From forms to one function `run(record, lookup, settings)`: the fast path of a mapping.

It holds no error handling: whatever raises leaves the record to the interpreter, which knows the place and the words.

Lets become locals, fields a dict display (or assignments where a field may be left out, so that their order stays),
`each` a plain loop.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from duijie.mapping.document import Scalar
from duijie.mapping.emit import NUMERIC, Code, Local, Rule, Scope, Unit, bound, call, name
from duijie.mapping.expression import parse, path_of
from duijie.mapping.findings import Findings
from duijie.mapping.forms import Each, Flat, Form, Items, Named, Object, Parts, Settle, Value, form_text, needed
from duijie.mapping.idioms import Idioms, is_list, is_split
from duijie.mapping.share import share, unheld
from duijie.mapping.signatures import Kind
from duijie.mapping.totals import Loop

Body = list[ast.stmt]
Store = Callable[[ast.expr], ast.stmt]


class Lenient(Idioms):
    """Compiles a value that has a default: a step that leads nowhere raises Absent."""

    def taken(self, base: ast.expr, key: ast.expr) -> ast.expr:
        """A field or an element."""
        return call("_at", base, key)


class Compiler:
    """Walks the forms of one mapping. `kinds` collects what each target field gives, for the schema check."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.taken = {"record", "lookup", "settings", "run"}
        self.locals: list[tuple[str, Local]] = []
        self.kinds: dict[int, Code] = {}
        self.loops = 0
        self.current = "record"
        self.whole: set[str] = set()
        self.made: dict[int, Loop] = {}

    def function(self, parts: Parts) -> ast.FunctionDef:
        """The whole mapping."""
        body: Body = []
        scope = Scope()
        self.whole = _used_whole(parts)
        rest = self._lets(parts.let, parts.skip, scope, body)
        if parts.skip is not None:
            rule = Rule("skip", parts.skip.spot, str(parts.skip.value), role="when")
            test = self._scalar(parts.skip, rule, scope).expr
            body.append(ast.If(test, [ast.Return(ast.Constant(None))], []))
        self._lets(rest, None, scope, body)
        body.append(ast.Return(self._object(parts.fields, scope, body, Rule("", parts.fields.spot, ""))))
        share(body, self._fresh)
        unheld(body)
        arguments = [ast.arg(each) for each in ("record", "lookup", "settings")]
        body[:0] = [_read(python, *asked) for asked, python in self.unit.asked.items()]
        return ast.FunctionDef("run", ast.arguments([], arguments, None, [], [], None, []), body, [], None)

    def _scalar(self, scalar: Scalar, rule: Rule, scope: Scope) -> Code:
        return Idioms(self.unit, rule, scope, self.loops).scalar(scalar)

    def _tree(self, scalar: Scalar) -> ast.expr | None:
        return parse(scalar, Findings())

    def _fresh(self, wanted: str) -> str:
        candidate, number = wanted, 2
        while candidate in self.taken:
            candidate, number = f"{wanted}_{number}", number + 1
        self.taken.add(candidate)
        return candidate

    def _lets(
        self, let: Sequence[Named], before: Scalar | None, scope: Scope, body: Body, lead: str = ""
    ) -> list[Named]:
        """Bind lets; with a condition in `before` only those it needs, giving back the rest."""
        wanted = needed(let, before, self._tree) if before is not None else {named.name for named in let}
        for named in let:
            if named.name in wanted:
                self._let(named, scope, body, Rule(f"{lead}let {named.name}", named.spot, form_text(named.form), "let"))
        return [named for named in let if named.name not in wanted]

    def _let(self, named: Named, scope: Scope, body: Body, rule: Rule) -> None:
        if named.name not in self.whole and (split := self._split(named, scope, body, rule)):
            scope.names[named.name] = split
            self.locals.append((named.name, split))
            return
        inner: Body = []
        code = self._bound(named.form, scope, inner, rule)
        python = self._fresh(named.name)
        body.extend(inner)
        body.append(ast.Assign([bound(python)], code.expr))
        local = Local(python, code.kind, named.spot, iso=code.iso, shape=self._shape(named.form))
        local.loop = self.made.get(id(named.form))
        local.element = code.element
        if isinstance(code.expr, ast.Constant) or _is_constant(code.expr):
            local.constant = code.expr
        scope.names[named.name] = local
        self.locals.append((named.name, local))

    def _bound(self, form: Form, scope: Scope, body: Body, rule: Rule) -> Code:
        """The value of a let: an expression, or an object or a list of any form."""
        if isinstance(form, Value):
            return self._value(form, scope, body, rule)
        return Code(self._form(form, scope, body, rule), "object" if isinstance(form, Object) else "list")

    def _shape(self, form: Form) -> dict[str, Kind]:
        """What kinds of values the elements of a list hold, or an object, by field."""
        made = form.element if isinstance(form, Each) else form
        fields = made.fields if isinstance(made, Object) else ()
        sure = [named for named in fields if named.form.when is None and id(named.form) in self.kinds]
        return {named.name: self.kinds[id(named.form)].kind for named in sure}

    def _split(self, named: Named, scope: Scope, body: Body, rule: Rule) -> Local | None:
        """A let that is a split_tax() whose parts are used one by one: a local for each part instead of an object."""
        tree = self._tree(named.form.expression) if isinstance(named.form, Value) else None
        if not isinstance(named.form, Value) or named.form.default is not None or not is_split(tree):
            return None
        parts = {part: self._fresh(f"{named.name}_{part}") for part in ("gross", "tax", "net")}
        gross, tax = Idioms(self.unit, rule, scope, self.loops).split(tree, name(parts["gross"]))
        body.append(ast.Assign([bound(parts["gross"])], gross))
        body.append(ast.Assign([bound(parts["tax"])], tax))
        body.append(ast.Assign([bound(parts["net"])], ast.BinOp(name(parts["gross"]), ast.Sub(), name(parts["tax"]))))
        return Local(parts["gross"], "split", named.spot, parts=parts)

    def _form(self, form: Form, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        if isinstance(form, Value):
            code = self._value(form, scope, body, rule)
            self.kinds[id(form)] = code
            return code.expr
        if isinstance(form, Object):
            return self._object(form, self._opened(form, scope, body, rule), body, rule)
        if isinstance(form, Each):
            return self._each(form, scope, body, rule)
        return self._items(form, scope, body, rule)

    def _opened(self, form: Object, scope: Scope, body: Body, rule: Rule) -> Scope:
        """The scope inside an object; the lets of a guarded one are already bound."""
        if form.when is not None:
            return scope
        inner = Scope(scope)
        self._lets(form.let, None, inner, body, f"{rule.field} ")
        return inner

    def _value(self, form: Value, scope: Scope, body: Body, rule: Rule) -> Code:
        if form.default is None:
            return self._scalar(form.expression, rule, scope)
        fallback = self._scalar(form.default, rule, scope)
        tree = self._tree(form.expression)
        quick = Idioms(self.unit, rule, scope, self.loops).present_or(tree, fallback.expr) if tree is not None else None
        if quick is not None:
            return Code(quick)
        value = Lenient(self.unit, rule, scope, self.loops).scalar(form.expression)
        return self._attempt(value, fallback, body)

    def _attempt(self, value: Code, fallback: Code, body: Body) -> Code:
        target = self._fresh("_v")
        handler = ast.ExceptHandler(name("_Absent"), None, [ast.Assign([bound(target)], fallback.expr)])
        body.append(ast.Try([ast.Assign([bound(target)], value.expr)], [handler], [], []))
        return Code(name(target), value.kind if value.kind == fallback.kind else "any")

    def _object(self, form: Object, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        """A dict display as long as nothing needs a statement, then assignments in order."""
        pending: list[tuple[str, ast.expr]] = []
        target, opened = self._fresh("_o"), False
        for named in form.fields:
            inner: Body = []
            own = Rule(_join(rule.field, named.name), named.spot, form_text(named.form))
            self._put(named.form, scope, inner, own, _storing(target, named.name))
            if not opened and len(inner) == 1 and isinstance(inner[0], ast.Assign):
                pending.append((named.name, inner[0].value))
                continue
            if not opened:
                body.append(ast.Assign([bound(target)], _display(pending)))
                opened = True
            body.extend(inner)
        return name(target) if opened else _display(pending)

    def _put(self, form: Form, scope: Scope, body: Body, rule: Rule, store: Store) -> None:
        """Store the value of a form, or of its `else`, or nothing where `when` does not hold."""
        if form.when is None:
            body.append(store(self._form(form, scope, body, rule)))
            return
        inner = Scope(scope)
        let = form.let if isinstance(form, Object) else ()
        lead = f"{rule.field} "
        rest = self._lets(let, form.when, inner, body, lead)
        check = Rule(f"{rule.field} when", form.when.spot, str(form.when.value), "when")
        guard = ast.If(self._scalar(form.when, check, inner).expr, [], [])
        self._lets(rest, None, inner, guard.body, lead)
        guard.body.append(store(self._form(form, inner, guard.body, rule)))
        if form.orelse is not None:
            self._put(form.orelse, scope, guard.orelse, rule, store)
        body.append(_chosen(guard, store) or guard)

    def _each(self, form: Each, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        out = self._fresh("_l")
        opening = ast.Assign([bound(out)], ast.List([], ast.Load()))
        body.append(opening)
        loop = self._loop(form, scope, body, rule, out)
        self.made[id(form)] = Loop(opening, loop)
        for one in form.settle:
            self._settled(one, form, scope, body, rule, out)
        return name(out)

    def _settled(self, one: Settle, form: Each, scope: Scope, body: Body, rule: Rule, out: str) -> None:
        """Where a total is missed, and only there, a line is changed; from then on the lines' sum is the total."""
        loop, kind = self.made[id(form)], self._shape(form).get(one.name, "any")
        own = Rule(f"{rule.field} settle {one.name}", one.spot, str(one.total.value))
        total = self._fresh("total")
        whole = self._scalar(one.total, own, scope)
        body.append(ast.Assign([bound(total)], whole.expr))
        lines = (name(out), ast.Constant(one.name))
        self.unit.totals += 1
        summed = loop.total(one.name, kind, f"total_{self.unit.totals}_") if whole.kind in NUMERIC else None
        if summed is None:
            body.append(ast.Expr(call("_settle", *lines, name(total), ast.Constant(one.to))))
            return
        missed = ast.BinOp(name(total), ast.Sub(), name(summed))
        settle = ast.Expr(call("_tail", *lines, missed, ast.Constant(one.to)))
        unequal = ast.Compare(name(total), [ast.NotEq()], [name(summed)])
        body.append(ast.If(unequal, [settle, ast.Assign([bound(summed)], name(total))], []))

    def _loop(self, form: Each, scope: Scope, body: Body, rule: Rule, out: str) -> Body:
        """The elements of an each, appended to `out`; gives the body of the loop."""
        counter, item, nth = self._fresh("index"), self._fresh(form.alias), self._fresh("nth")
        source = self._source(form, scope, rule)
        inner = Scope(scope)
        index, running = Local(counter, "integer", form.spot), Local(nth, "integer", form.spot)
        inner.names |= {"index": index, "nth": running, "parent": Local(self.current, "any", form.spot, uses=1)}
        inner.names[form.alias] = Local(item, "any", form.spot, uses=1, given=self._is_given(form.over, scope))
        outer, self.current = self.current, item
        self.loops += 1
        loop = self._element(form, inner, Rule(f"{rule.field}[]", form.spot, rule.text), out)
        self.loops -= 1
        self.current = outer
        if running.uses:
            following = ast.BinOp(call("_len", name(out)), ast.Add(), ast.Constant(1))
            loop.insert(0, ast.Assign([bound(nth)], following))
        if index.uses:
            pair = ast.Tuple([bound(counter), bound(item)], ast.Store())
            body.append(ast.For(pair, call("_enumerate", source), loop, []))
        else:
            body.append(ast.For(bound(item), source, loop, []))
        return loop

    def _is_given(self, over: Scalar, scope: Scope) -> bool:
        tree = self._tree(over)
        path = path_of(tree) if tree is not None else None
        local = scope.find(path[0].id) if path else None
        return path is not None and (local is None or local.given)

    def _element(self, form: Each, scope: Scope, rule: Rule, out: str) -> Body:
        loop: Body = []
        lead = f"{rule.field} "
        rest = self._lets(form.let, form.each_when, scope, loop, lead)
        if form.each_when is not None:
            check = Rule(f"{rule.field} when", form.each_when.spot, str(form.each_when.value), "when")
            test = self._scalar(form.each_when, check, scope).expr
            loop.append(ast.If(ast.UnaryOp(ast.Not(), test), [ast.Continue()], []))
        self._lets(rest, None, scope, loop, lead)
        if isinstance(form.body, Flat):
            self._loop(form.body.each, scope, loop, rule, out)
        else:
            self._append(form.body, scope, loop, rule, out)
        return loop

    def _source(self, form: Each, scope: Scope, rule: Rule) -> ast.expr:
        over = Rule(rule.field, form.over.spot, str(form.over.value), "each")
        emitter = Idioms(self.unit, over, scope, self.loops)
        tree = parse(form.over, self.unit.findings)
        if tree is None:
            return ast.List([], ast.Load())
        self.unit.limited |= self.loops > 0
        listed = "_counted_each" if self.loops else "_each"
        soft = emitter.soft(tree)
        if soft is not None and not self.loops:
            return emitter.checked(soft, is_list, lambda found: found, lambda found: call(listed, found)) or soft
        if soft is not None:
            return call(listed, soft)
        steps = emitter.steps(tree)
        if steps is None:
            return call(listed, emitter.emit(tree).expr)
        return call(listed, call("_default", *steps, ast.Constant(None)))

    def _items(self, form: Items, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        out = self._fresh("_l")
        made: Body = []
        for at, item in enumerate(form.items):
            self._append(item, scope, made, Rule(f"{rule.field}[{at}]", item.spot, form_text(item)), out)
        body.append(ast.Assign([bound(out)], ast.List([], ast.Load())))
        body.extend(made)
        return name(out)

    def _append(self, form: Form, scope: Scope, body: Body, rule: Rule, out: str) -> None:
        def store(value: ast.expr) -> ast.stmt:
            return ast.Expr(ast.Call(ast.Attribute(name(out), "append", ast.Load()), [value], []))

        self._put(form, scope, body, rule, store)


def _storing(target: str, key: str) -> Store:
    return lambda value: ast.Assign([ast.Subscript(name(target), ast.Constant(key), ast.Store())], value)


def _chosen(guard: ast.If, store: Store) -> ast.stmt | None:
    """Two plain values to choose from need no `if` statement."""
    match guard:
        case ast.If(body=[ast.Assign(value=value)], orelse=[ast.Assign(value=other)]):
            return store(ast.IfExp(guard.test, value, other))
    return None


def _used_whole(parts: Parts) -> set[str]:
    """Names that are used otherwise than by one of the parts of a split."""
    whole: set[str] = set()
    for tree in filter(None, map(parts.tree, parts.scalars())):
        nodes = list(ast.walk(tree))
        soft = {id(each.args[0]) for each in nodes if isinstance(each, ast.Call) and each.args and _is_soft(each)}
        by_part = {id(each.value) for each in nodes if isinstance(each, ast.Attribute) and id(each) not in soft}
        whole |= {each.id for each in nodes if isinstance(each, ast.Name) and id(each) not in by_part}
    return whole


def _is_soft(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in ("has", "present", "default")


def _is_constant(made: ast.expr) -> bool:
    return isinstance(made, ast.Name) and made.id.startswith("_c") and made.id[2:].isdecimal()


def _read(python: str, method: str, name_of: str) -> ast.stmt:
    asked = ast.Attribute(name("lookup"), method, ast.Load())
    return ast.Assign([bound(python)], ast.Call(asked, [ast.Constant(name_of)], []))


def _join(outer: str, inner: str) -> str:
    return f"{outer}.{inner}" if outer else inner


def _display(pairs: list[tuple[str, ast.expr]]) -> ast.Dict:
    return ast.Dict([ast.Constant(key) for key, _ in pairs], [value for _, value in pairs])
