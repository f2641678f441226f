"""Generated code reaches its record, its look-ups and the registered functions; it ends within its budget of steps."""

from __future__ import annotations

import ast
import builtins
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from duijie.connect.errors import DataError
from duijie.mapping import MappingErrors, StaticLookup, load_mapping
from duijie.mapping import mapping as mapping_module
from tests.mapping.generated import EXPRESSIONS, FILE, FORMS, as_yaml

METHODS = {"get", "append", "quantize", "documents", "counterparts", "__class__"}
BUDGET = 2_000
PER_STEP = 200
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def _names(tree: ast.AST) -> tuple[set[str], set[str]]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    stored = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    return {node.id for node in nodes} - stored, stored


def _load(write, text: str):
    try:
        return load_mapping(write(text))
    except MappingErrors:
        return None


@QUICK
@given(st.dictionaries(st.sampled_from(["p", "q"]), FORMS, min_size=1, max_size=2))
def test_generated_code_names_nothing_else_and_calls_no_other_method(write, fields):
    mapping = _load(write, f"{FILE}fields: {as_yaml(fields)}\n")
    assume(mapping is not None)
    tree = ast.parse(mapping.python)
    read, stored = _names(tree)
    assert read <= {"record", "lookup", "settings"} | set(mapping._names)
    assert not stored & set(mapping._names)
    assert {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} <= METHODS
    assert not any(isinstance(node, ast.Import | ast.Lambda | ast.While | ast.Global) for node in ast.walk(tree))


def test_nothing_generated_code_can_name_leads_outside(compiled):
    names = compiled("x: 1")._names
    dangerous = {getattr(builtins, each) for each in ("eval", "exec", "open", "getattr", "__import__", "compile")}
    assert names["__builtins__"] == {}
    assert not dangerous & {value for value in names.values() if callable(value)}
    assert not [name for name, value in names.items() if type(value) is type(ast)], "a module is in reach"


class Opcodes:
    """Counts the instructions that run in generated code."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0

    def __enter__(self) -> Opcodes:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != self.file:
            return None
        frame.f_trace_opcodes = True
        return self._count

    def _count(self, frame: Any, event: str, _: Any) -> Any:
        self.count += event == "opcode"
        return self._count


LOOPS = st.recursive(
    st.sampled_from(["1", "x", "a", "count(xs)"]),
    lambda inner: st.one_of(
        st.builds("sum({} for x in xs)".format, inner),
        st.builds("count(list({} for x in xs for y in xs))".format, inner),
        st.builds("sum(first(list({} for y in xs if {}), 1) for x in xs)".format, inner, inner),
    ),
    max_leaves=4,
)


@QUICK
@given(st.one_of(EXPRESSIONS, LOOPS), st.integers(0, 60))
def test_no_expression_runs_longer_than_its_budget(write, monkeypatch, expression, length):
    monkeypatch.setattr(mapping_module, "STEP_LIMIT", BUDGET)
    mapping = _load(
        write, f"{FILE}fields: {{x: {{value: {as_yaml(expression)}}}, l: {{each: xs, value: {as_yaml(expression)}}}}}\n"
    )
    assume(mapping is not None)
    record = {"xs": [1] * length, "a": 2, "b": "t", "o": {"k": 1}}
    with Opcodes(mapping.file) as ran:
        try:
            mapping.run(record, StaticLookup(), {})
        except DataError as error:
            assert error.zh
    assert ran.count <= (BUDGET + length + len(expression)) * PER_STEP


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_loops_in_loops_stop_at_the_budget_however_deep(compiled, depth):
    expression = "1"
    for at in range(depth):
        expression = f"sum({expression} for x{at} in xs)"
    with pytest.raises(DataError, match="steps"):
        compiled(f"x: {expression}").run({"xs": [1] * 1200}, StaticLookup(), {})
