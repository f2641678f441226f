"""Mappings and records out of nothing, for the property tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from duijie import codec
from duijie.mapping import StaticLookup
from duijie.mapping.signatures import FUNCTIONS

LOOKUP = StaticLookup(
    {"sku": {"A": "S1", "B": "S2", "C": "S2"}},
    {"product": {"A": {"unit": "件", "rate": Decimal("0.13"), "parts": [1]}}},
)
SETTINGS = {"shop": "S", "n": 2}
PATHS = ["a", "b", "xs", "o", "o.k", "o.deep.x", "xs[0]", 'o["k"]', "record.a", "settings.shop", "missing", "o.missing"]
ATOMS = [*PATHS, "1", "0", "2.5", "-3", "'A'", "''", "'2026-11-11 10:00:00'", "null", "true", "false", "[]", '{"k": a}']
LOCAL = ["t", "l", "e", "e.q", "e.s", "index", "nth", "parent", "parent.q", "x", "t.net"]
ONE = ["text", "money", "decimal", "integer", "trim", "upper", "abs", "count", "sum", "min", "all", "first", "json"]
ONE += ["list", "date", "parse_json", "epoch_ms", "any", "max", "nfkc", "lower", "join"]
TWO = ["split_tax", "round", "join", "left", "split", "allocate", "default", "first", "datetime", "format_date", "min"]
TWO += ["table", "xref", "ref", "codes", "xref_back"]
ANY = sorted(set(FUNCTIONS) - {"fail"})
ONE += ["floor", "ceil", "length", "rmb_words", "month_start", "month_end", "parse_xml"]
TWO += [
    "right",
    "starts",
    "ends",
    "contains",
    "match",
    "find",
    "position",
    "add_days",
    "add_months",
    "days_between",
    "xml",
]


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["+", "-", "*", "/", "//", "%", "<", "<=", "==", "!=", "in", "not in", "and", "or"]
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(operators), inner),
        st.builds("({} < {} <= {})".format, inner, inner, inner),
        st.builds("{}({})".format, st.sampled_from(ONE), inner),
        st.builds("{}({}, {})".format, st.sampled_from(TWO), inner, inner),
        st.builds("{}({})".format, st.sampled_from(["has", "present"]), st.sampled_from(PATHS + LOCAL)),
        st.builds("{}({}, {}, {})".format, st.sampled_from(ANY), inner, inner, inner),
        st.builds("{}({}, {})".format, st.sampled_from(ANY), inner, inner),
        st.builds("{}({})".format, st.sampled_from(ANY), inner),
        st.builds("table('t', {})".format, inner),
        st.builds("table('t', {}, {})".format, inner, inner),
        st.builds("xref('sku', {})".format, inner),
        st.builds("xref('sku', {}, {})".format, inner, inner),
        st.builds("ref('product', {}).{}".format, inner, st.sampled_from(["unit", "rate", "none"])),
        st.builds("split_tax({}, {}).{}".format, inner, inner, st.sampled_from(["net", "tax"])),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("sum({} for x in {})".format, inner, inner),
        st.builds("sum(e.{} for e in {})".format, st.sampled_from(["f", "g", "h"]), st.sampled_from(["t", "l"])),
        st.builds("list({} for x in {} if {} for y in {})".format, inner, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("-{}".format, inner),
    )


EXPRESSIONS = st.recursive(st.sampled_from(ATOMS + LOCAL), _wider, max_leaves=6)
SCALARS = st.one_of(EXPRESSIONS, st.sampled_from([0, 1, True, None]))


def _forms(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lets = st.dictionaries(st.sampled_from(["t", "l"]), st.one_of(SCALARS, inner), max_size=2)
    fields = st.dictionaries(st.sampled_from(["f", "g", "h"]), inner, min_size=1, max_size=3)
    maybe = st.fixed_dictionaries({}, optional={"when": EXPRESSIONS})
    each = st.fixed_dictionaries(
        {"each": st.sampled_from(["xs", "o.lines", "[o, o]", "e.more", "list(x for x in xs)"]), "as": st.just("e")},
        optional={"when": EXPRESSIONS, "let": lets},
    )
    return st.one_of(
        st.builds(lambda v, m, d: {"value": v, **m, **d}, SCALARS, maybe,
                  st.fixed_dictionaries({}, optional={"default": EXPRESSIONS})),
        st.builds(lambda v, w, e: {"value": v, "when": w, "else": e}, SCALARS, EXPRESSIONS, inner),
        st.builds(lambda f, let, m: {"fields": f, "let": let, **m}, fields, lets, maybe),
        st.builds(lambda f, w, e: {"fields": f, "when": w, "else": e}, fields, EXPRESSIONS, inner),
        st.builds(lambda e, f: {**e, "fields": f}, each, fields),
        st.builds(lambda e, v: {**e, "value": v}, each, inner),
        st.builds(lambda e, f, t: {**e, "fields": {**f, "f": "e.q"}, "settle": {"f": t}}, each, fields, EXPRESSIONS),
        st.builds(lambda e, i, v: {**e, "flat": {**i, "value": v}}, each, each, inner),
        st.lists(inner, max_size=3),
        fields,
    )  # fmt: skip


FORMS = st.recursive(SCALARS, _forms, max_leaves=6)
LEAVES = st.one_of(
    st.sampled_from(
        [None, True, False, 0, 1, -7, 10**30, "A", "B", "", "12.50", "-1", "文本", "2026-11-11T01:02:03+08:00"]
    ),
    st.decimals(-1000, 1000, places=2),
    st.text(max_size=5),
)
VALUES = st.recursive(LEAVES, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(
    st.sampled_from(["k", "deep", "x", "q", "s", "lines", "more"]), v, max_size=4)), max_leaves=6)  # fmt: skip
RECORDS = st.fixed_dictionaries({}, optional=dict.fromkeys(["a", "b", "xs", "o", "t", "e"], VALUES))
LIKELY = st.fixed_dictionaries(
    {
        "a": st.sampled_from(["A", "12.50", 3]),
        "b": st.decimals(0, 100, places=2),
        "xs": st.lists(st.fixed_dictionaries({"q": st.integers(0, 3), "s": st.sampled_from(["A", "B"])}), max_size=3),
        "o": st.fixed_dictionaries({"k": st.just("v"), "deep": VALUES, "lines": st.lists(VALUES, max_size=3)}),
        **dict.fromkeys(["t", "l", "x", "e", "index", "nth", "parent"], st.sampled_from([2, "A", {"q": 1, "s": "B"}])),
    }
)
FILE = "tables: {t: {A: 1, B: two, 3: null}}\n"


MAPPINGS = {
    "fields": st.dictionaries(st.sampled_from(["p", "q", "r"]), FORMS, min_size=1, max_size=3),
    "let": st.dictionaries(st.sampled_from(["t", "l"]), FORMS, max_size=2),
    "skip": st.one_of(st.none(), EXPRESSIONS),
}


def as_yaml(value: Any) -> str:
    """JSON is YAML."""
    return codec.encode_ordered(value).decode()
