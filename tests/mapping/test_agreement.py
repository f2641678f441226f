"""The generated function and the interpreter agree: whatever the one gives, the other gives, digit for digit."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duijie.connect.errors import DataError
from duijie.mapping import Mapping, MappingErrors, StaticLookup, load_mapping, mapping_files
from duijie.mapping.faults import RAISED
from duijie.mapping.interpret import interpret
from tests.mapping.generated import FILE, LIKELY, LOOKUP, MAPPINGS, RECORDS, SETTINGS, as_yaml


def _same(left: Any, right: Any) -> bool:
    """Equal, of the same kinds, in the same order."""
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and left == right and str(left) == str(right)


ROOT = Path(__file__).parents[2]
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(QUICK, max_examples=3000)


def _loaded(write, fields: Any, let: Any = None, skip: Any = None) -> Mapping | None:
    text = FILE + f"let: {as_yaml(let)}\nskip: {as_yaml(skip)}\nfields: {as_yaml(fields)}\n"
    try:
        return load_mapping(write(text.replace("skip: null\n", "").replace("let: null\n", "")))
    except MappingErrors:
        return None


def _agrees(mapping: Mapping, record: Any) -> None:
    try:
        fast = mapping.limited(lambda: mapping.fast(record, LOOKUP, SETTINGS))
    except RAISED:
        return
    slow = mapping.limited(lambda: interpret(mapping.parts, record, LOOKUP, SETTINGS))
    assert _same(fast, slow), f"{fast} is not {slow}\n{mapping.python}"


def _fails_alike(mapping: Mapping, record: Any) -> None:
    """What stops the fast way stops the slow one, but for soft paths (has, default, each) that lead through a text or
    a list, or whose own key is missing: the slow way knows them as absent."""
    try:
        mapping.limited(lambda: mapping.fast(record, LOOKUP, SETTINGS))
    except RAISED as error:
        soft = isinstance(error, AttributeError) or re.search(r"_(default|has|exists)\(", mapping.python)
        try:
            mapping.run(record, LOOKUP, SETTINGS)
        except DataError as told:
            assert told.zh and told.where
        else:
            assert soft, f"the fast way raised {error!r}\n{mapping.python}"


@pytest.mark.parametrize(
    ("value", "record"),
    [
        ("money(b) * a", {"b": Decimal(2), "a": True}),
        ("a[true]", {"a": [1, 2]}),
        ("xs[0][0]", {"xs": ["text"]}),
        ("table('t', a)", {"a": True}),
        ("-a", {"a": True}),
        ("a - b", {"a": True, "b": 1}),
        ("join(a, b, b)", {"a": [], "b": "x"}),
        ({"value": "ref('product', a).none", "default": 1}, {"a": "A"}),
    ],
)
def test_both_ways_agree_on_what_looks_like_something_else(write, value, record):
    mapping = _loaded(write, {"p": value})
    _agrees(mapping, record)
    _fails_alike(mapping, record)


@QUICK
@given(st.fixed_dictionaries(MAPPINGS), st.one_of(RECORDS, LIKELY))
def test_both_ways_of_running_a_mapping_agree(write, text, record):
    if mapping := _loaded(write, **text):
        _agrees(mapping, record)


@QUICK
@given(MAPPINGS["fields"], LIKELY)
def test_what_stops_the_fast_way_is_an_error_in_the_slow_one(write, fields, record):
    """Otherwise good records would be run twice."""
    if mapping := _loaded(write, fields):
        _fails_alike(mapping, record)


@pytest.mark.long
@pytest.mark.slow
@THOROUGH
@given(st.fixed_dictionaries(MAPPINGS), st.one_of(RECORDS, LIKELY))
def test_both_ways_agree_over_thousands_of_mappings(write, text, record):
    if mapping := _loaded(write, **text):
        _agrees(mapping, record)
        _fails_alike(mapping, record)


def _good() -> list[Any]:
    files = mapping_files([ROOT / "mappings", ROOT / "benchmarks/mapping/order.in.yaml"])
    loaded = [load_mapping(path) for path in files]
    return [(mapping, test) for mapping in loaded for test in mapping.tests if "expect" in test]


@pytest.mark.parametrize(("mapping", "test"), _good(), ids=lambda each: getattr(each, "name", None))
def test_no_good_record_of_a_shipped_mapping_leaves_the_fast_way(mapping, test):
    lookup = StaticLookup(test.get("xref") or {}, test.get("ref") or {})
    given = (test["given"], lookup, test.get("settings") or {})
    assert _same(mapping.fast(*given), mapping.run(*given))
