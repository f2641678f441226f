"""What a mapping makes, held against the schema of the entity it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from operator import ge, gt, le, lt

from duijie.mapping.checks.calls import keeps_decimals
from duijie.mapping.checks.facts import ALL, CODE, NUMBERS, Constant, Fact, said, spoken
from duijie.mapping.checks.report import Report
from duijie.mapping.checks.shapes import Described, Schema, fact_of
from duijie.mapping.checks.walk import Walk
from duijie.mapping.document import Block, Scalar
from duijie.mapping.findings import Severity, Spot
from duijie.mapping.forms import Each, Form, Items, Object, Parts, Value
from duijie.mapping.schema import Schemas, closed, types

_DAY, _INSTANT = "2026-01-31", "2026-01-31T12:00:00+08:00"
_BOUNDS = {"minimum": ("≥", ge), "exclusiveMinimum": (">", gt), "maximum": ("≤", le), "exclusiveMaximum": ("<", lt)}
_KEYS = re.compile(r"(.*_)?(key|no|id|oid|tid|sku|code|number|barcode)")


def schema_of(parts: Parts, end: str, schemas: Schemas, report: Report) -> Schema | None:
    """The schema of the entity that `from` or `to` names."""
    item = parts.root.get(end)
    entity = item.get("entity") if isinstance(item, Block) else None
    return _entity(str(entity.value), entity.spot, schemas, report) if isinstance(entity, Scalar) else None


def _entity(name: str, spot: Spot, schemas: Schemas, report: Report) -> Schema | None:
    schema = schemas.entity(name)
    if schema is None:
        report.unknown("DJ002", spot, ("实体", "entity"), name, schemas.names)
    return schema


def check(parts: Parts, walk: Walk, schemas: Schemas, report: Report) -> None:
    """Hold every document the mapping makes against its schema."""
    target = Target(walk.facts, walk.outcomes, report)
    if not parts.emits:
        schema = schema_of(parts, "to", schemas, report)
        if schema is not None:
            target.object(parts.fields, Described(schema, schema), "")
        return
    for named in parts.fields.fields:
        schema = _entity(named.name, named.spot, schemas, report)
        if schema is not None:
            whole = {"type": "array", "items": schema} if isinstance(named.form, Each | Items) else schema
            target.form(named.form, Described(whole, schema), named.name, named.spot)


class Target:
    """`facts` and `outcomes` are those of the walk."""

    def __init__(self, facts: Mapping[int, Fact], outcomes: Mapping[int, bool | None], report: Report) -> None:
        self.facts = facts
        self.outcomes = outcomes
        self.report = report

    def object(self, form: Object, place: Described, path: str) -> None:
        """Unknown, missing and ill-typed fields of one object."""
        properties = {name: below for each in place.variants for name, below in each.get("properties", {}).items()}
        required = _required(place)
        given = {named.name for named in form.fields}
        for missing in [each for each in required if each not in given]:
            self.report.tell(
                "DJ201",
                form.spot,
                f"缺少必填目标字段 {path}{missing}",
                f"the required target field {path}{missing} is missing",
            )
        for named in form.fields:
            if named.name in required:
                self._always(named.form, f"{path}{named.name}")
            if named.name in properties:
                below = Described(properties[named.name], place.root)
                self.form(named.form, below, f"{path}{named.name}", named.spot)
            elif place.variants and all(closed(each) for each in place.variants):
                at = path.rstrip(".")
                zh, en = (f" ({at} 内)", f" (in {at})") if at else ("", "")
                self.report.unknown("DJ203", named.spot, (f"目标字段{zh}", f"target field{en}"), named.name, properties)

    def _always(self, form: Form, path: str) -> None:
        guard = _left_out(form)
        if guard is not None and guard.when is not None and self.outcomes.get(id(guard)) is not True:
            self.report.tell(
                "DJ202",
                guard.when.spot,
                f"必填目标字段 {path} 在 when 不成立时不写; 请给 else",
                f"the required target field {path} is left out where `when` is false; give `else`",
            )

    def form(self, form: Form, place: Described, path: str, spot: Spot) -> None:
        """One form against the schema of its place."""
        if isinstance(form, Value):
            self._value(form, place, path)
        elif isinstance(form, Object):
            if not self._clash(spot, path, "object", place):
                self.object(form, place, f"{path}.")
        elif not self._clash(spot, path, "array", place):
            self._elements(form, place, path)
        if form.orelse is not None:
            self.form(form.orelse, place, path, form.orelse.spot)

    def _elements(self, form: Each | Items, place: Described, path: str) -> None:
        items: Schema = next((each["items"] for each in place.variants if isinstance(each.get("items"), dict)), {})
        for element in (form.element,) if isinstance(form, Each) else form.items:
            self.form(element, Described(items, place.root), f"{path}[]", element.spot)

    def _clash(self, spot: Spot, path: str, made: str, place: Described) -> bool:
        allowed = _allowed(place)
        if not allowed or made in allowed:
            return False
        wanted = "/".join(allowed)
        self.report.tell(
            "DJ204",
            spot,
            f"目标字段 {path} 须是 {wanted}, 这里是 {made}",
            f"target field {path} is {wanted}, here it is {made}",
        )
        return True

    def _value(self, form: Value, place: Described, path: str) -> None:
        fact, wanted, spot = self.facts.get(id(form)), fact_of(place), form.expression.spot
        if fact is None or fact.never:
            return
        severity: Severity = "error" if fact.origin == CODE else "warning"
        if not fact.kinds & wanted.kinds:
            expected, kinds = "/".join(_allowed(place)) or "enum", spoken(fact.kinds)
            self.report.tell(
                "DJ204",
                spot,
                f"目标字段 {path} 须是 {expected}, 表达式给出 {kinds}",
                f"target field {path} is {expected}, the expression gives {kinds}",
                severity,
            )
            return
        if "null" in fact.kinds - wanted.kinds and fact.kinds != ALL:
            self.report.tell(
                "DJ204",
                spot,
                f"目标字段 {path} 可能得到 null; 请用 when 或 default()",
                f"target field {path} may get null; use `when` or default()",
                "warning",
            )
        self._constants(fact, place, wanted, path, spot)
        name = path.rpartition(".")[2]
        self._decimals(fact, wanted, path, spot, name)
        self._text(fact, replace(wanted, moment=_moment(place)), path, spot)
        if fact.cut == "left" and _KEYS.fullmatch(name):
            self.report.tell(
                "DJ503",
                spot,
                f"left() 截断了标识 {path}: 两条记录可能变成一条",
                f"left() cuts the identifier {path}: two records could become one",
            )

    def _constants(self, fact: Fact, place: Described, wanted: Fact, path: str, spot: Spot) -> None:
        what = (f"取值 ({path})", f"value for {path}")
        for value, at in (fact.values or {}).items():
            where = at if at.file else spot
            if wanted.values is not None and value not in wanted.values and value[0] != "null":
                names = [said(each) for each in wanted.values]
                if at.file:
                    self.report.unknown("DJ205", where, what, said(value), names)
                else:
                    self.report.tell(
                        "DJ205",
                        where,
                        f"来源可能给出 {said(value)}, 不是 {path} 的取值",
                        f"the source may give {said(value)}, which is no value for {path}",
                        "warning",
                    )
            elif value[0] == "text" and not _accepts(place, value):
                self.report.tell(
                    "DJ205", where, f"{path} 不接受 {said(value)!r}", f"{path} does not take {said(value)!r}"
                )
            elif value[0] == "number" and (bounds := _beyond(place, value)):
                self.report.tell(
                    "DJ205",
                    where,
                    f"{path} 须 {bounds}, 不接受 {said(value)}",
                    f"{path} is {bounds} and does not take {said(value)}",
                )

    def _decimals(self, fact: Fact, wanted: Fact, path: str, spot: Spot, name: str) -> None:
        if fact.places is None or not wanted.kinds & NUMBERS or not fact.kinds & NUMBERS:
            return
        keeps = wanted.places if wanted.places is not None else 3 if keeps_decimals(name) else 0
        if fact.cut in ("money", "round") and fact.places < keeps and "decimal" in wanted.kinds:
            self.report.tell(
                "DJ501",
                spot,
                f"{fact.cut}() 只留 {fact.places} 位小数, 目标字段 {path} 可保留更多",
                f"{fact.cut}() leaves {fact.places} decimals, target field {path} keeps more",
            )
        elif wanted.places is not None and fact.places > wanted.places:
            self.report.tell(
                "DJ206",
                spot,
                f"值可有 {fact.places} 位小数, 目标字段 {path} 只接受 {wanted.places} 位; 请先舍入",
                f"the value may have {fact.places} decimals, target field {path} takes {wanted.places}; round it first",
            )

    def _text(self, fact: Fact, wanted: Fact, path: str, spot: Spot) -> None:
        if fact.moment and wanted.moment and fact.moment != wanted.moment:
            self.report.tell(
                "DJ502",
                spot,
                f"目标字段 {path} 须是 {wanted.moment}, 表达式给出 {fact.moment}",
                f"target field {path} is a {wanted.moment}, the expression gives a {fact.moment}",
            )
        if wanted.length is not None and fact.length is not None and fact.length > wanted.length:
            severity: Severity = "error" if fact.single is not None and fact.origin == CODE else "warning"
            self.report.tell(
                "DJ504",
                spot,
                f"文本可有 {fact.length} 个字符, 目标字段 {path} 最多 {wanted.length} 个",
                f"the text may have {fact.length} characters, target field {path} takes {wanted.length}",
                severity,
            )


def _required(place: Described) -> list[str]:
    each = [list(variant.get("required", [])) for variant in place.variants]
    return [name for name in each[0] if all(name in other for other in each[1:])] if each else []


def _left_out(form: Form) -> Form | None:
    """The form whose `when` may leave the field out; None where there is always a value."""
    if form.when is None:
        return None
    return form if form.orelse is None else _left_out(form.orelse)


def _allowed(place: Described) -> list[str]:
    named = [name for each in place.variants for name in types(each)]
    return sorted(set(named), key=named.index) or (["enum"] if any("enum" in each for each in place.variants) else [])


def _accepts(place: Described, value: Constant) -> bool:
    patterns = [str(each["pattern"]) for each in place.variants if "pattern" in each]
    shortest = min((each.get("minLength", 0) for each in place.variants), default=0)
    return len(value[1]) >= shortest and (not patterns or any(_matches(each, value[1]) for each in patterns))


def _beyond(place: Described, value: Constant) -> str:
    """The bounds of the schema that a number breaks; nothing where it keeps those of any variant."""
    broken = [
        [
            f"{sign} {each[name]}"
            for name, (sign, keeps) in _BOUNDS.items()
            if name in each and not keeps(value[1], each[name])
        ]
        for each in place.variants
        if not types(each) or {"number", "integer"} & set(types(each))
    ]
    return ", ".join(broken[0]) if broken and all(broken) else ""


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _moment(place: Described) -> str:
    """Whether the schema wants a date or a date with time, by its format or its pattern."""
    told = fact_of(place).moment
    pattern = next((str(each["pattern"]) for each in place.variants if "pattern" in each), None)
    if told or pattern is None or _matches(pattern, _DAY) == _matches(pattern, _INSTANT):
        return told
    return "date" if _matches(pattern, _DAY) else "datetime"
