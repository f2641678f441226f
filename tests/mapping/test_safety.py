"""No expression, however odd, reaches anything but its record, hangs, or fails outside the tree of errors."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from duijie.connect.errors import DataError
from duijie.mapping import FieldError, MappingErrors, StaticLookup, load_mapping
from duijie.mapping.signatures import FUNCTIONS

ATOMS = ["a", "b", "xs", "o.k", "o.none.x", "record", "settings", "index", "_x", "o.__class__"]
ATOMS += ["1", "0", "2.5", "'s'", "''", "null", "true", "[]"]
RECORD = {"a": 3, "b": "text", "xs": [1, "2", None], "o": {"k": Decimal("1.10"), "none": None}}
BINARY = ["+", "-", "*", "/", "//", "%", "<", "==", "in", "and", "or", "**", "@", "is"]


def _wider(inner):
    name = st.sampled_from(sorted(FUNCTIONS))
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(BINARY), inner),
        st.builds("{}({})".format, name, inner),
        st.builds("{}({}, {})".format, name, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("{}({} for x in {})".format, name, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("-{}".format, inner),
    )


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("fail('')")
@given(st.recursive(st.sampled_from(ATOMS), _wider, max_leaves=8))
@example("(b * 999999999)")
@example("('%999999999d' % a)")
@example("join(b, xs, xs)")
def test_random_expressions_end_in_a_value_or_an_error_of_the_tree(write, expression):
    path = write(f"fields:\n  x: |\n    {expression}\n")
    try:
        mapping = load_mapping(path)
    except MappingErrors:
        return
    try:
        result = mapping.run(RECORD, StaticLookup(), {})
    except DataError as error:
        assert str(error) and error.zh
        return
    assert list(result) == ["x"]
    assert {"a": 3, "b": "text", "xs": [1, "2", None], "o": {"k": Decimal("1.10"), "none": None}} == RECORD


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40))
def test_random_text_is_loaded_or_refused(write, text):
    path = write("")
    path.write_text(f"fields: {text}", encoding="utf-8", errors="replace", newline="")
    with pytest.raises(MappingErrors):
        load_mapping(path)


@pytest.mark.parametrize("doubling", ["{0} + {0}", 'join("", {0}, {0})', 'replace("aa", "a", {0})'])
def test_texts_cannot_grow_without_bound(compiled, doubling):
    lets = "let:\n  a0: b\n" + "".join(f"  a{n + 1}: '{doubling.format(f'a{n}')}'\n" for n in range(40))
    with pytest.raises(FieldError):
        compiled("x: a40", lets).run({"b": "text"}, StaticLookup(), {})


@pytest.mark.parametrize(("growing", "seed"), [("{0} * {0}", 9), ("{0} + {0}", [1])])
def test_numbers_and_lists_cannot_grow_without_bound(compiled, growing, seed):
    lets = "let:\n  a0: b\n" + "".join(f"  a{n + 1}: '{growing.format(f'a{n}')}'\n" for n in range(40))
    with pytest.raises(FieldError):
        compiled("x: a40", lets).run({"b": seed}, StaticLookup(), {})


def test_a_huge_exponent_never_becomes_a_huge_text(compiled):
    record = {"n": Decimal("1E+999999999")}
    assert compiled("x: text(n)").run(record, StaticLookup(), {})["x"] == "1E+999999999"
    for expression in ("integer(n)", "money(n)", "n * n", "n // 2"):
        with pytest.raises(FieldError):
            compiled(f"x: {expression}").run(record, StaticLookup(), {})


def test_generated_code_holds_no_builtins(compiled):
    assert compiled("x: 1")._names["__builtins__"] == {}


def test_nested_loops_end_at_the_budget_and_a_long_plain_list_does_not(compiled):
    record = {"xs": list(range(1200))}
    with pytest.raises(FieldError, match="1000000 steps"):
        compiled("x: sum(sum(y for y in xs) for x in xs)").run(record, StaticLookup(), {})
    with pytest.raises(FieldError, match="1000000 steps"):
        compiled("x: {each: xs, value: {each: xs, value: 1}}").run(record, StaticLookup(), {})
    assert compiled("x: sum(y for y in xs)").run({"xs": [1] * 100_000}, StaticLookup(), {}) == {"x": 100_000}


def test_long_texts_in_a_loop_are_paid_for(compiled):
    record = {"xs": [1] * 2000, "s": "a," * 60_000}
    with pytest.raises(FieldError, match="1000000 steps"):
        compiled("x: sum(count(split(s, ',')) for x in xs)").run(record, StaticLookup(), {})
