"""What is wrong with a flow file: everything at once, each by its line, in the users' words.

msgspec, which reads it, stops at the first fault and speaks to programmers. Here the JSON Schema of the same types,
the one that editors use, is asked for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import msgspec
import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from duijie.mapping.findings import nearest

Place = Sequence[str | int]
Schema = Mapping[str, Any]
DEEPEST = 30
TYPES = {
    "string": ("文本", "text"),
    "integer": ("整数", "an integer"),
    "number": ("数字", "a number"),
    "boolean": ("true 或 false", "true or false"),
    "object": ("对象 (键: 值)", "an object"),
    "array": ("列表", "a list"),
    "null": ("空", "empty"),
}
_STEP = re.compile(r"[^.\[\]]+")
_MOMENT = ("须是带时区的时刻, 例如 2026-01-01T00:00:00+08:00", "is a moment with its zone: 2026-01-01T00:00:00+08:00")
Said = tuple[str, str]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, at a line (from 1) and a place such as `steps[0].since`; in Chinese and in English."""

    line: int
    place: str
    zh: str
    en: str

    def __str__(self) -> str:
        return f"第 {self.line} 行 {self.place} {self.zh}".replace("  ", " ")


def faults(text: str, schema: Schema) -> list[Fault]:
    """Everything that the text of a flow file has against the schema, in its order. Raises yaml.YAMLError."""
    loader = yaml.SafeLoader(text)
    root = loader.get_single_node()
    if not isinstance(root, MappingNode):
        return [Fault(1, "", "应为 flow:, title:, steps: 等字段", "flow:, title:, steps: are due here")]
    data = _data(loader, root)
    found = [*_of(root, (), "Flow", _steps_apart(schema), data)]
    steps = data.get("steps")
    for at, step in enumerate(steps if isinstance(steps, list) else ()):
        found += _of_step(root, at, step, schema)
    return sorted(dict.fromkeys(found), key=lambda one: one.line)


def fault_of(text: str, error: msgspec.ValidationError) -> Fault:
    """What msgspec says, by its line."""
    said, _, at = str(error).partition(" - at `$")
    place = [int(each) if each.isdigit() else each for each in _STEP.findall(at.rstrip("`"))]
    root = yaml.compose(text, Loader=yaml.SafeLoader) or yaml.ScalarNode("", "")
    return _at(root, place, _MOMENT if "datetime" in said else (said, said))


def _data(loader: yaml.SafeLoader, node: Node, depth: int = 0) -> Any:
    """What a node says, its keys as they are written (`on`, which YAML reads as true); nothing below `DEEPEST`."""
    if depth > DEEPEST:
        return None
    if isinstance(node, MappingNode):
        return {str(key.value): _data(loader, value, depth + 1) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_data(loader, value, depth + 1) for value in node.value]
    return msgspec.to_builtins(loader.construct_object(node))


def _steps_apart(schema: Schema) -> Schema:
    flow = schema["$defs"]["Flow"]
    apart = {**flow, "properties": {**flow["properties"], "steps": {"type": "array"}}}
    return {**schema, "$defs": {**schema["$defs"], "Flow": apart}}


def _of_step(root: Node, at: int, step: Any, schema: Schema) -> Iterator[Fault]:
    kinds = schema["$defs"]["Flow"]["properties"]["steps"]["items"]["discriminator"]["mapping"]
    verb = step.get("verb") if isinstance(step, dict) else None
    if isinstance(verb, str) and verb in kinds:
        yield from _of(root, ("steps", at), kinds[verb].rpartition("/")[2], schema, step)
    elif verb is None:
        known = ", ".join(kinds)
        yield _at(root, ("steps", at), (f"缺少 verb (动作), 可选: {known}", f"has no verb; known: {known}"))
    else:
        yield _at(root, ("steps", at, "verb"), _unknown(("动作", "verb"), str(verb), kinds))


def _of(root: Node, base: Place, name: str, schema: Schema, data: Any) -> Iterator[Fault]:
    validator = jsonschema_rs.validator_for({**schema, "$ref": f"#/$defs/{name}"})
    fields = list(schema["$defs"][name]["properties"])
    for error in validator.iter_errors(data):
        yield from _told(root, base, error, fields)


def _told(root: Node, base: Place, error: jsonschema_rs.ValidationError, fields: Sequence[str]) -> Iterator[Fault]:
    kind, facts, place = error.kind.name, error.kind.as_dict(), (*base, *error.instance_path)
    if kind == "anyOf":  # a field that may be left out: what its own kind says
        for inner in min(facts["context"], key=lambda errors: any(each.kind.name == "type" for each in errors)):
            yield from _told(root, base, inner, fields)
    elif kind == "additionalProperties":
        for name in facts["unexpected"]:
            yield _at(root, (*place, name), _unknown(("字段", "field"), name, fields))
    else:
        words = _WORDS[kind](facts | {"is": error.instance}) if kind in _WORDS else (error.message, error.message)
        yield _at(root, place, words)


def _kinds(facts: Mapping[str, Any]) -> Said:
    wanted = [TYPES[each] for each in facts["types"]]
    return f"须是{' 或'.join(zh for zh, _ in wanted)}", f"must be {' or '.join(en for _, en in wanted)}"


def _chosen(facts: Mapping[str, Any]) -> Said:
    return _unknown(("取值", "value"), str(facts["is"]), map(str, facts["options"]))


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], Said]] = {
    "required": lambda facts: (f"缺少必填字段 {facts['property']}", f"lacks {facts['property']}"),
    "type": _kinds,
    "enum": _chosen,
    "minimum": lambda facts: (f"须 ≥ {facts['limit']}", f"must be ≥ {facts['limit']}"),
    "maximum": lambda facts: (f"须 ≤ {facts['limit']}", f"must be ≤ {facts['limit']}"),
    "pattern": lambda facts: (f"“{facts['is']}” 不合格式 {facts['pattern']}", f"does not match {facts['pattern']}"),
}


def _unknown(what: Said, name: str, valid: Iterable[str]) -> Said:
    known = list(valid)
    near = nearest(name, known)
    if near:
        return f"没有{what[0]} {name}, 是否指 {near}?", f"no {what[1]} {name}; did you mean {near}?"
    return f"没有{what[0]} {name}, 可选: {', '.join(known)}", f"no {what[1]} {name}; known: {', '.join(known)}"


def _at(root: Node, place: Place, said: Said) -> Fault:
    """A fault by its place, on the line of the key, or of what is nearest to it in the file."""
    node, line = root, 0
    for step in place:
        if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        elif isinstance(node, MappingNode):
            key, node = next(((key, value) for key, value in node.value if key.value == step), (node, node))
            line = key.start_mark.line
    named = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
    return Fault(line + 1, named, *said)
