"""What is checked once a mapping is compiled: both ends against their schemas, names nobody uses, tests' shape."""

from __future__ import annotations

import ast
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from duijie.mapping.compile import Compiler
from duijie.mapping.document import Block, Item, Listing, Scalar, plain
from duijie.mapping.emit import Code, Scope
from duijie.mapping.expression import path_of, spot_of
from duijie.mapping.findings import Findings, Spot, shown, unknown
from duijie.mapping.forms import Each, Form, Items, Object, Value
from duijie.mapping.schema import Schemas, closed, fits, types

_TEST_KEYS = ("name", "given", "xref", "ref", "settings", "expect", "error")


def review(path: Path, root: Block, fields: Object, compiler: Compiler, schemas: Schemas) -> None:
    """Add to the compiler's findings."""
    findings = compiler.unit.findings
    _head(path, root, findings)
    emits = root.get("emit") is not None
    target = _emitted(fields, schemas, findings) if emits else _schema(root, "to", schemas, findings)
    if target is not None:
        Target(compiler.kinds, findings).object(fields, target, "")
    source = _schema(root, "from", schemas, findings)
    if source is not None:
        _sources(compiler, source)
    _tests(root, findings)
    if findings.errors:
        return  # what an error hides would only look unused
    _unused(root, compiler)
    if source is None:
        _mistyped(root, compiler)


def _head(path: Path, root: Block, findings: Findings) -> None:
    for key in ("mapping", "from", "to"):
        if root.get(key) is None:
            findings.error(root.spot, f"缺少 {key}", f"{key} is missing")
    name = root.get("mapping")
    below = shown(path).removeprefix("mappings/").removesuffix(".yaml")
    if "mappings" in path.parts and isinstance(name, Scalar) and name.value != below:
        findings.error(name.spot, f"mapping 应为 {below}", f"mapping should be {below}, its own path")


def _schema(root: Block, end: str, schemas: Schemas, findings: Findings) -> dict[str, Any] | None:
    item = root.get(end)
    entity = item.get("entity") if isinstance(item, Block) else None
    if not isinstance(entity, Scalar):
        return None
    schema = schemas.entity(str(entity.value))
    if schema is None:
        findings.unknown(entity.spot, ("实体", "entity"), str(entity.value), schemas.names)
    return schema


def _emitted(fields: Object, schemas: Schemas, findings: Findings) -> dict[str, Any]:
    """The schema of what `emit` gives: for each entity a document or a list of them."""
    properties = {}
    for named in fields.fields:
        schema = schemas.entity(named.name)
        if schema is None:
            findings.unknown(named.spot, ("实体", "entity"), named.name, schemas.names)
            continue
        many = isinstance(named.form, Each | Items)
        properties[named.name] = {"type": "array", "items": schema} if many else schema
    return {"properties": properties}


class Target:
    """Holds the fields of a mapping against the schema of the entity it makes."""

    def __init__(self, kinds: dict[int, Code], findings: Findings) -> None:
        self.kinds = kinds
        self.findings = findings

    def object(self, form: Object, schema: dict[str, Any], path: str) -> None:
        """Unknown, missing and ill-typed fields of one object."""
        properties = schema.get("properties", {})
        given = {named.name for named in form.fields}
        for missing in [each for each in schema.get("required", []) if each not in given]:
            self.findings.error(
                form.spot, f"缺少必填目标字段 {path}{missing}", f"the required target field {path}{missing} is missing"
            )
        for named in form.fields:
            if named.name in properties:
                self._form(named.form, properties[named.name], f"{path}{named.name}", named.spot)
            elif closed(schema):
                place = path.rstrip(".")
                zh, en = (f" ({place} 内)", f" (in {place})") if place else ("", "")
                what = (f"目标字段{zh}", f"target field{en}")
                self.findings.unknown(named.spot, what, named.name, properties)

    def _form(self, form: Form, schema: dict[str, Any], path: str, spot: Spot) -> None:
        allowed = types(schema) or (["enum"] if "enum" in schema else [])
        if isinstance(form, Value):
            self._value(form, schema, path)
        elif isinstance(form, Object):
            if not self._clash(spot, path, "object", allowed):
                self.object(form, schema, f"{path}.")
        elif not self._clash(spot, path, "array", allowed):
            self._elements(form, schema.get("items", {}), path)

    def _elements(self, form: Each | Items, schema: dict[str, Any], path: str) -> None:
        for element in (form.element,) if isinstance(form, Each) else form.items:
            self._form(element, schema, f"{path}[]", element.spot)

    def _clash(self, spot: Spot, path: str, made: str, allowed: list[str]) -> bool:
        if allowed and made not in allowed:
            wanted = "/".join(allowed)
            self.findings.error(
                spot,
                f"目标字段 {path} 须是 {wanted}, 这里是 {made}",
                f"target field {path} is {wanted}, here it is {made}",
            )
            return True
        return False

    def _value(self, form: Value, schema: dict[str, Any], path: str) -> None:
        code = self.kinds.get(id(form))
        spot = form.expression.spot
        if code is None:
            return
        if not fits(code.kind, schema):
            wanted = "/".join(types(schema)) or "enum"
            self.findings.error(spot, f"目标字段 {path} 须是 {wanted}, 表达式给出 {code.kind}",
                                f"target field {path} is {wanted}, the expression gives {code.kind}")  # fmt: skip
        elif "enum" in schema and isinstance(code.expr, ast.Constant) and code.expr.value not in schema["enum"]:
            self.findings.unknown(
                spot, (f"取值 ({path})", f"value for {path}"), str(code.expr.value), map(str, schema["enum"])
            )


def _sources(compiler: Compiler, schema: dict[str, Any]) -> None:
    """Paths of an out-mapping that its entity does not have."""
    findings = compiler.unit.findings
    for _rule, node, scope in compiler.unit.paths:
        steps = _record_path(node, scope)
        at: Any = schema
        for step in steps:
            properties = at.get("properties", {}) if isinstance(step, str) else {}
            if isinstance(step, str) and properties and step not in properties and closed(at):
                found = unknown(
                    spot_of(node, compiler.unit.file), ("来源字段", "source field"), step, properties, "warning"
                )
                if found not in findings.all:
                    findings.all.append(found)
                break
            at = properties.get(step, {}) if isinstance(step, str) else at.get("items", {})


def _record_path(node: ast.expr, scope: Scope) -> list[Any]:
    path = path_of(node)
    if path is None:
        return []
    root, keys = path
    steps = [key.value if isinstance(key, ast.Constant) else 0 for key in keys]
    if scope.find(root.id) is not None or root.id == "settings":
        return []
    return steps if root.id == "record" else [root.id, *steps]


def _unused(root: Block, compiler: Compiler) -> None:
    findings = compiler.unit.findings
    for name, local in compiler.locals:
        if not local.uses:
            findings.warning(local.spot, f"let {name} 从未使用", f"let {name} is never used")
    tables = root.get("tables")
    for entry in tables.entries if isinstance(tables, Block) else ():
        if entry.key not in compiler.unit.used_tables:
            findings.warning(entry.spot, f"表 {entry.key} 从未使用", f"table {entry.key} is never used")


def _tests(root: Block, findings: Findings) -> None:
    tests = root.get("tests")
    if tests is None:
        return
    if not isinstance(tests, Listing):
        findings.error(tests.spot, "tests 须是列表", "tests must be a list")
        return
    for test in tests.items:
        _test(test, findings)


def _test(test: Item, findings: Findings) -> None:
    if not isinstance(test, Block):
        findings.error(test.spot, "测试须是 键: 值", "a test is made of key: value pairs")
        return
    for entry in test.entries:
        if entry.key not in _TEST_KEYS:
            findings.unknown(entry.spot, ("测试键", "key of a test"), entry.key, _TEST_KEYS)
    for key in ("given", "xref", "ref", "settings"):
        item = test.get(key)
        if item is not None and not isinstance(item, Block) and plain(item) is not None:
            findings.error(item.spot, f"{key} 须是对象", f"{key} must be an object")
    if ("expect" in test.keys()) == ("error" in test.keys()):  # noqa: SIM118  a Block is no dict
        findings.error(test.spot, "测试须有 expect 或 error 之一", "a test has either expect or error")


def _mistyped(root: Block, compiler: Compiler) -> None:
    """A bare name no test's record holds, but close to a let: most likely that let, mistyped."""
    tests = root.get("tests")
    given = (
        [plain(test).get("given") for test in tests.items if isinstance(test, Block)]
        if isinstance(tests, Listing)
        else []
    )
    held = {key for record in given if isinstance(record, dict) for key in record}
    lets = [name for name, _ in compiler.locals]
    for name, node in compiler.unit.bare:
        near = get_close_matches(name, lets, 1, 0.8)
        if held and name not in held and near:
            spot = spot_of(node, compiler.unit.file)
            compiler.unit.findings.warning(spot, f"未知的名称 {name}; 是否指 let {near[0]}?",
                                           f"unknown name {name}; did you mean the let {near[0]}?")  # fmt: skip
