"""From forms to one function `run(record, lookup, settings)`, its nodes placed on the lines of the mapping file.

Lets become locals, fields a dict display (or assignments where a field may be left out, so that their order stays),
`each` a plain loop.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from duijie.mapping.document import Scalar
from duijie.mapping.emit import Code, Emitter, Local, Rule, Scope, Unit, bound, call, cheap, name
from duijie.mapping.expression import parse
from duijie.mapping.findings import Findings
from duijie.mapping.forms import Each, Form, Items, Named, Object, Value

Body = list[ast.stmt]


class Compiler:
    """Walks the forms of one mapping. `kinds` collects what each target field gives, for the schema check."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.taken = {"record", "lookup", "settings", "run"}
        self.locals: list[tuple[str, Local]] = []
        self.kinds: dict[int, Code] = {}

    def function(self, let: Sequence[Named], skip: Scalar | None, fields: Object) -> ast.FunctionDef:
        """The whole mapping."""
        body: Body = []
        scope = Scope()
        rest = self._lets(let, skip, scope, body, ())
        if skip is not None:
            test = self._scalar(skip, Rule("skip", skip.spot, str(skip.value), role="when"), scope).expr
            body.append(ast.If(test, [ast.Return(ast.Constant(None))], []))
        self._lets(rest, None, scope, body, ())
        body.append(ast.Return(self._object(fields, scope, body, Rule("", fields.spot, ""))))
        arguments = [ast.arg(each) for each in ("record", "lookup", "settings")]
        return ast.FunctionDef("run", ast.arguments([], arguments, None, [], [], None, []), body, [], None)

    def leaf(self, rule: Rule, code: Code) -> ast.expr:
        """The code that computes one field; explain's compiler adds its note here."""
        return code.expr

    def _scalar(self, scalar: Scalar, rule: Rule, scope: Scope) -> Code:
        return Emitter(self.unit, rule, scope).scalar(scalar)

    def _fresh(self, wanted: str) -> str:
        candidate, number = wanted, 2
        while candidate in self.taken:
            candidate, number = f"{wanted}_{number}", number + 1
        self.taken.add(candidate)
        return candidate

    def _lets(
        self,
        let: Sequence[Named],
        before: Scalar | None,
        scope: Scope,
        body: Body,
        counters: tuple[str, ...],
        lead: str = "",
    ) -> list[Named]:
        """Bind lets; with a condition in `before` only those it needs, giving back the rest."""
        needed = _needed(let, before) if before is not None else {named.name for named in let}
        for named in let:
            if named.name in needed:
                self._let(
                    named, scope, body, Rule(f"{lead}let {named.name}", named.spot, _text(named), counters, "let")
                )
        return [named for named in let if named.name not in needed]

    def _let(self, named: Named, scope: Scope, body: Body, rule: Rule) -> None:
        assert isinstance(named.form, Value)  # noqa: S101  the form reader let nothing else through
        inner: Body = []
        code = self._value(named.form, scope, inner, rule)
        python = self._fresh(named.name)
        body.extend(inner)
        body.append(ast.Assign([bound(python)], self.leaf(rule, code)))
        local = Local(python, code.kind, named.spot, rule=rule)
        scope.names[named.name] = local
        self.locals.append((named.name, local))

    def _form(self, form: Form, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        if isinstance(form, Value):
            code = self._value(form, scope, body, rule)
            self.kinds[id(form)] = code
            return self.leaf(rule, code)
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
        self._lets(form.let, None, inner, body, rule.counters, f"{rule.field} ")
        return inner

    def _value(self, form: Value, scope: Scope, body: Body, rule: Rule) -> Code:
        if form.default is None:
            return self._scalar(form.expression, rule, scope)
        emitter = Emitter(self.unit, rule, scope)
        fallback = emitter.scalar(form.default)
        tree = parse(form.expression, Findings())
        steps = emitter.steps(tree) if tree is not None else None
        if steps and tree is not None and cheap(fallback.expr):
            return Code(emitter.at(call("_present", *steps, fallback.expr), tree))
        value = emitter.scalar(form.expression)
        return self._attempt(value, fallback, body)

    def _attempt(self, value: Code, fallback: Code, body: Body) -> Code:
        target = self._fresh("_v")
        again = ast.If(ast.UnaryOp(ast.Not(), call("_absent", name("_e"))), [ast.Raise()], [])
        instead = ast.Assign([bound(target)], fallback.expr)
        handler = ast.ExceptHandler(name("_ABSENT"), "_e", [again, instead])
        body.append(ast.Try([ast.Assign([bound(target)], value.expr)], [handler], [], []))
        return Code(name(target), value.kind if value.kind == fallback.kind else "any")

    def _object(self, form: Object, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        """A dict display as long as nothing needs a statement, then assignments in order."""
        pending: list[tuple[str, ast.expr]] = []
        target = ""
        for named in form.fields:
            inner: Body = []
            own = Rule(_join(rule.field, named.name), named.spot, _text(named), rule.counters)
            value = self._guarded(named.form, scope, inner, own)
            if not inner and not target:
                pending.append((named.name, value))
                continue
            if not target:
                target = self._fresh("_o")
                body.append(ast.Assign([bound(target)], _display(pending)))
            self._store(target, named, value, inner, body)
        return name(target) if target else _display(pending)

    def _store(self, target: str, named: Named, value: ast.expr, inner: Body, body: Body) -> None:
        key = ast.Subscript(name(target), ast.Constant(named.name), ast.Store())
        store = ast.Assign([key], value)
        if named.form.when is None:
            body.extend([*inner, store])
            return
        guard = inner[-1]
        assert isinstance(guard, ast.If)  # noqa: S101  _guarded puts it there
        guard.body.append(store)
        body.extend(inner)

    def _guarded(self, form: Form, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        """The value of a form; with `when`, everything that computes it goes into an `if` at the end of body."""
        if form.when is None:
            return self._form(form, scope, body, rule)
        inner = Scope(scope)
        let = form.let if isinstance(form, Object) else ()
        lead = f"{rule.field} "
        rest = self._lets(let, form.when, inner, body, rule.counters, lead)
        check = Rule(f"{rule.field} when", form.when.spot, str(form.when.value), rule.counters, "when")
        guard = ast.If(self._scalar(form.when, check, inner).expr, [], [])
        self._lets(rest, None, inner, guard.body, rule.counters, lead)
        value = self._form(form, inner, guard.body, rule)
        body.append(guard)
        return value

    def _each(self, form: Each, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        out, counter, item = self._fresh("_l"), self._fresh("index"), self._fresh(form.alias)
        source = self._source(form, scope, rule)
        inner = Scope(scope)
        inner.names["index"] = Local(counter, "integer", form.spot, uses=1)
        inner.names[form.alias] = Local(item, "any", form.spot, uses=1)
        each = Rule(f"{rule.field}[{{}}]", form.spot, rule.text, (*rule.counters, counter))
        loop: Body = []
        rest = self._lets(form.let, form.each_when, inner, loop, each.counters, f"{each.field} ")
        if form.each_when is not None:
            check = Rule(f"{each.field} when", form.each_when.spot, str(form.each_when.value), each.counters, "when")
            test = self._scalar(form.each_when, check, inner).expr
            loop.append(ast.If(ast.UnaryOp(ast.Not(), test), [ast.Continue()], []))
        self._lets(rest, None, inner, loop, each.counters, f"{each.field} ")
        self._append(form.body, inner, loop, each, out)
        target = ast.Tuple([bound(counter), bound(item)], ast.Store())
        body.append(ast.Assign([bound(out)], ast.List([], ast.Load())))
        body.append(ast.For(target, call("_enumerate", source), loop, []))
        return name(out)

    def _source(self, form: Each, scope: Scope, rule: Rule) -> ast.expr:
        over = Rule(rule.field, form.over.spot, str(form.over.value), rule.counters, "each")
        emitter = Emitter(self.unit, over, scope)
        tree = parse(form.over, self.unit.findings)
        if tree is None:
            return ast.List([], ast.Load())
        steps = emitter.steps(tree)
        if steps is None:
            return emitter.at(call("_each", emitter.emit(tree).expr), tree)
        return emitter.at(call("_each", call("_default", *steps, ast.Constant(None))), tree)

    def _items(self, form: Items, scope: Scope, body: Body, rule: Rule) -> ast.expr:
        out = self._fresh("_l")
        made: Body = []
        for at, item in enumerate(form.items):
            own = Rule(f"{rule.field}[{at}]", item.spot, _form_text(item), rule.counters)
            self._append(item, scope, made, own, out)
        body.append(ast.Assign([bound(out)], ast.List([], ast.Load())))
        body.extend(made)
        return name(out)

    def _append(self, form: Form, scope: Scope, body: Body, rule: Rule, out: str) -> None:
        inner: Body = []
        value = self._guarded(form, scope, inner, rule)
        append = ast.Expr(ast.Call(ast.Attribute(name(out), "append", ast.Load()), [value], []))
        if form.when is None:
            body.extend([*inner, append])
            return
        guard = inner[-1]
        assert isinstance(guard, ast.If)  # noqa: S101  _guarded puts it there
        guard.body.append(append)
        body.extend(inner)


def _join(outer: str, inner: str) -> str:
    inner = inner.replace("{", "{{").replace("}", "}}")
    return f"{outer}.{inner}" if outer else inner


def _display(pairs: list[tuple[str, ast.expr]]) -> ast.Dict:
    return ast.Dict([ast.Constant(key) for key, _ in pairs], [value for _, value in pairs])


def _text(named: Named) -> str:
    return _form_text(named.form)


def _form_text(form: Form) -> str:
    return str(form.expression.value) if isinstance(form, Value) else ""


def _needed(let: Sequence[Named], condition: Scalar) -> set[str]:
    """The lets a condition reads, directly or through other lets."""
    needed = _names(condition)
    for named in reversed(let):
        if named.name in needed and isinstance(named.form, Value):
            needed |= _names(named.form.expression)
            needed |= _names(named.form.default) if named.form.default else set()
    return needed


def _names(scalar: Scalar) -> set[str]:
    tree = parse(scalar, Findings())
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree is not None else set()
