"""Forms, errors while running, and what a mapping is."""

from __future__ import annotations

import ast
from decimal import Decimal

import pytest

from duijie.connect.errors import DataError, NotSent, UnmappedCode
from duijie.mapping import FieldError, StaticLookup, explain, load_mapping

D = Decimal
NOTHING = StaticLookup()


def test_fields_come_in_the_order_written_even_around_those_left_out(compiled):
    mapping = compiled("z: 1\nb: {value: 2, when: has(b)}\na: {c: 3, b: 4}\nl: [5]\ny: 6")
    assert list(mapping.run({"b": 0}, NOTHING, {})) == ["z", "b", "a", "l", "y"]
    assert mapping.run({}, NOTHING, {}) == {"z": 1, "a": {"c": 3, "b": 4}, "l": [5], "y": 6}


def test_yaml_scalars_are_themselves_and_never_floats(compiled):
    result = compiled("a: 0.1\nb: true\nc: null\nd: 7\ne: 1.10").run({}, NOTHING, {})
    assert result == {"a": D("0.1"), "b": True, "c": None, "d": 7, "e": D("1.10")}
    assert str(result["e"]) == "1.10"


def test_default_stands_in_for_a_missing_path_but_not_for_null(compiled):
    mapping = compiled("x: {value: a.b, default: '\"none\"'}\ny: {value: 'a.b + \"!\"', default: text(z)}")
    assert mapping.run({"a": {}, "z": 1}, NOTHING, {}) == {"x": "none", "y": "1"}
    assert mapping.run({"a": {"b": "v"}}, NOTHING, {}) == {"x": "v", "y": "v!"}
    assert compiled("x: {value: a, default: 1}").run({"a": None}, NOTHING, {}) == {"x": None}


def test_default_does_not_hide_other_errors(compiled):
    mapping = compiled("x: {value: 'a + table(\"t\", b)', default: text(z)}", "tables: {t: {k: v}}\n")
    with pytest.raises(FieldError, match="no row"):
        mapping.run({"a": "1", "b": "q", "z": 1}, NOTHING, {})
    with pytest.raises(FieldError, match="adds two numbers"):
        mapping.run({"a": 1, "b": "k", "z": 1}, NOTHING, {})


def test_each_walks_nested_lists_with_their_own_names(compiled):
    mapping = compiled(
        "all:\n"
        "  each: orders\n"
        "  as: order\n"
        "  let: {rate: order.rate}\n"
        "  fields:\n"
        "    no: index\n"
        "    lines:\n"
        "      each: order.lines\n"
        "      as: line\n"
        "      when: line.qty > 0\n"
        "      let: {rate: line.rate}\n"
        "      fields: {at: index, rate: rate}\n"
        "    rate: rate\n",
    )
    orders = [{"rate": 1, "lines": [{"qty": 0, "rate": 2}, {"qty": 1, "rate": 3}]}, {"rate": 4, "lines": None}]
    assert mapping.run({"orders": orders}, NOTHING, {})["all"] == [
        {"no": 0, "lines": [{"at": 1, "rate": 3}], "rate": 1},
        {"no": 1, "lines": [], "rate": 4},
    ]
    assert mapping.run({}, NOTHING, {}) == {"all": []}


def test_each_may_give_plain_values_and_a_written_list_may_drop_elements(compiled):
    mapping = compiled("a: {each: xs, value: item * 2}\nb: [{value: 1, when: has(xs)}, {fields: {c: 2}, when: false}]")
    assert mapping.run({"xs": [1, 2]}, NOTHING, {}) == {"a": [2, 4], "b": [1]}


def test_a_let_may_carry_the_name_of_the_field_or_function_it_is_made_of(compiled):
    mapping = compiled("x: date", "let: {date: date(date)}\n")
    assert mapping.run({"date": "2026-11-11T10:00:00+08:00"}, NOTHING, {}) == {"x": "2026-11-11"}


def test_a_line_left_out_is_not_asked_for_its_master_record(compiled):
    mapping = compiled(
        "l: {each: xs, as: x, let: {keep: x.n > 0, p: 'ref(\"product\", x.sku)'}, when: keep, fields: {u: p.unit}}"
    )
    lookup = StaticLookup({}, {"product": {"A": {"unit": "件"}}})
    assert mapping.run({"xs": [{"n": 0}, {"n": 1, "sku": "A"}]}, lookup, {}) == {"l": [{"u": "件"}]}


def test_skip_yields_no_document_before_anything_else_can_fail(compiled):
    mapping = compiled("x: m", 'let: {m: money(amount)}\nskip: state == "draft"\n')
    assert mapping.run({"state": "draft"}, NOTHING, {}) is None
    assert mapping.run({"state": "done", "amount": "1"}, NOTHING, {}) == {"x": D("1.00")}


def test_table_rows_are_found_by_number_and_by_text(compiled):
    mapping = compiled(
        'x: table("t", a)\ny: table("t", b, "other")', 'tables: {t: {1: one, "2": two, NO: no, 010: ten}}\n'
    )
    for given, expected in [(1, "one"), ("1", "one"), (2, "two"), ("NO", "no"), ("010", "ten")]:
        assert mapping.run({"a": given, "b": "?"}, NOTHING, {}) == {"x": expected, "y": "other"}


def test_an_unknown_table_row_names_the_code_and_the_table(compiled):
    with pytest.raises(FieldError) as caught:
        compiled('x: table("state", s)', "tables: {state: {A: a}}\n").run({"s": "B"}, NOTHING, {})
    error = caught.value
    assert (error.value, error.code, error.spot.line, error.spot.column) == ("B", "NO_ROW", 6, 6)
    assert "state" in error.zh and "'B'" in error.zh


def test_a_missing_path_names_field_place_path_and_what_was_there(compiled):
    mapping = compiled("l:\n  each: lines\n  as: line\n  fields:\n    a: money(line.detail.price) + 1")
    with pytest.raises(DataError) as caught:
        mapping.run({"lines": [{"detail": {"price": 1}}, {"detail": {"cost": 2}}]}, NOTHING, {})
    error = caught.value
    assert error.where == "l[1].a thing.in.yaml:9:16"
    assert "line.detail.price" in error.en and "line.detail.price" in error.zh
    assert error.value == {"cost": 2}


@pytest.mark.parametrize("style", ["x: '{}'", 'x: "{}"', "x: >-\n  {}", "x: |\n  {}", "x: {{value: '{}'}}"])
def test_the_column_is_exact_in_every_yaml_style(compiled, style):
    text = style.format("money(a) + money(b.c) * 2")
    mapping = compiled(text)
    with pytest.raises(FieldError) as caught:
        mapping.run({"a": 1, "b": {}}, NOTHING, {})
    lines = mapping.path.read_text(encoding="utf-8").splitlines()
    spot = caught.value.spot
    assert lines[spot.line - 1][spot.column - 1 :].startswith("b.c")


def test_columns_survive_folding_and_chinese(compiled):
    mapping = compiled("x: '\"金额\" +\n     text(缺失)'")
    with pytest.raises(FieldError) as caught:
        mapping.run({}, NOTHING, {})
    assert (caught.value.spot.line, caught.value.spot.column) == (6, 13)


def test_an_operator_error_shows_both_values(compiled):
    with pytest.raises(FieldError, match=r"thing\.in\.yaml:5:6") as caught:
        compiled("x: a + b").run({"a": "1", "b": D("2.50")}, NOTHING, {})
    assert caught.value.value == ["1", D("2.50")]
    assert "'1'" in str(caught.value) and "2.50" in str(caught.value)


def test_an_unmapped_code_passes_with_field_and_place(compiled):
    with pytest.raises(UnmappedCode) as caught:
        compiled("l: {each: xs, as: x, fields: {sku: 'xref(\"sku\", x)'}}").run({"xs": [7]}, NOTHING, {})
    assert (caught.value.kind, caught.value.key) == ("sku", "7")
    assert caught.value.where == "sku:7 l[0].sku thing.in.yaml:5:39"


def test_what_the_lookup_raises_passes_through(compiled):
    class Broken(StaticLookup):
        def xref(self, kind, code):
            raise {"sku": NotSent("断网"), "shop": KeyError("bug")}[kind]

    mapping = compiled("a: 'xref(kind, \"1\")'")
    with pytest.raises(NotSent):
        mapping.run({"kind": "sku"}, Broken(), {})
    with pytest.raises(KeyError, match="bug"):
        mapping.run({"kind": "shop"}, Broken(), {})


def test_the_record_is_not_changed(compiled):
    record = {"xs": [1], "o": {"a": 1}}
    compiled("l: list(xs)\no: {p: o.a}").run(record, NOTHING, {})["l"].append(2)
    assert record == {"xs": [1], "o": {"a": 1}}


def test_generated_source_is_python_with_a_line_for_each_field(compiled):
    mapping = compiled("a: money(p)\nb: {c: q, d: {value: r, when: has(r)}}\ne: {each: xs, value: item}")
    ast.parse(mapping.python)
    lines = [line.strip() for line in mapping.python.splitlines()]
    assert "'a': _money[record['p']]," in lines
    assert "'c': record['q']," in lines
    assert "_o_2['d'] = record['r']" in lines


def test_loading_is_cached_by_content(write):
    path = write("fields: {a: 1}\n")
    first = load_mapping(path)
    assert load_mapping(path) is first
    path.write_text(path.read_text() + "version: 2\n")
    second = load_mapping(path)
    assert second is not first and second.version != first.version
    assert (second.name, second.source, second.target["sink"], second.path) == (
        "demo/thing.in", {"system": "demo", "stream": "things"}, "things", path,
    )  # fmt: skip


def test_explain_gives_rule_place_and_inputs_through_lets(compiled):
    mapping = compiled(
        "l:\n  each: xs\n  as: x\n  let: {rate: x.r}\n  fields: {net: 'split_tax(money(x.p), rate).net'}\nt: total",
        "let: {total: money(sum) + 1}\n",
    )
    record = {"sum": "2", "xs": [{"r": D("0.13"), "p": "113"}, {"r": D("0.13"), "p": "226"}]}
    trail = {each.field: each for each in explain(mapping, record, NOTHING, {})}
    assert trail["l[1].net"].value == D("200.00")
    assert trail["l[1].net"].inputs == {"x.p": "226", "rate": D("0.13"), "x.r": D("0.13")}
    assert trail["t"].inputs == {"total": D("3.00"), "sum": "2"}
    assert (trail["t"].rule, trail["t"].spot.line, trail["let total"].role) == ("total", 11, "let")


def test_explain_fails_as_the_run_does(compiled):
    with pytest.raises(FieldError, match=r"thing\.in\.yaml:5:6"):
        explain(compiled("x: missing"), {}, NOTHING, {})


ORDER = {"no": "7", "buyer": {"id": "B1"}, "parcels": [{"id": 1, "skus": ["A", "B"]}, {"id": 2, "skus": ["C"]}]}


def test_else_gives_another_value_or_object_where_when_does_not_hold(compiled):
    mapping = compiled(
        "a: {value: x, when: has(x), else: '\"none\"'}\n"
        "b: {fields: {c: x}, when: has(x), else: {d: {value: 1, when: has(y)}}}\n"
        "e: [{value: x, when: has(x), else: {value: y, when: has(y), else: 0}}]\nz: 1",
    )
    assert mapping.run({"x": 5}, NOTHING, {}) == {"a": 5, "b": {"c": 5}, "e": [5], "z": 1}
    assert mapping.run({"y": 6}, NOTHING, {}) == {"a": "none", "b": {"d": 1}, "e": [6], "z": 1}
    assert mapping.run({}, NOTHING, {}) == {"a": "none", "b": {}, "e": [0], "z": 1}
    chain = compiled("a: {value: x, when: has(x), else: {value: y, when: has(y)}}\nz: 1")
    assert [chain.run(each, NOTHING, {}) for each in ({"y": 2}, {})] == [{"a": 2, "z": 1}, {"z": 1}]


def test_flat_puts_inner_lines_into_one_list_counted_through(compiled):
    mapping = compiled(
        'lines:\n  each: parcels\n  as: parcel\n  flat:\n    each: parcel.skus\n    as: sku\n    when: sku != "B"\n'
        "    fields: {no: nth, parcel: parent.id, sku: sku, at: index}"
    )
    assert mapping.run(ORDER, NOTHING, {})["lines"] == [
        {"no": 1, "parcel": 1, "sku": "A", "at": 0},
        {"no": 2, "parcel": 2, "sku": "C", "at": 0},
    ]


def test_parent_is_the_element_around_and_at_the_top_the_record(compiled):
    mapping = compiled("l: {each: parcels, value: {o: parent.no, s: {each: item.skus, value: parent.id}}}")
    assert mapping.run(ORDER, NOTHING, {})["l"] == [{"o": "7", "s": [1, 1]}, {"o": "7", "s": [2]}]


def test_one_record_may_become_many_documents(write):
    text = (
        "emit:\n  party: {key: buyer.id, name: '\"b\"', kind: '\"person\"', role: '\"customer\"'}\n"
        "  product: {each: parcels, as: p, fields: {key: text(p.id), sku: no, name: no, unit: no, tax_rate: 0.13}}\n"
    )
    mapping = load_mapping(write(text))
    assert [(entity, one["key"]) for entity, one in mapping.documents(ORDER, NOTHING, {})] == [
        ("party", "B1"),
        ("product", "1"),
        ("product", "2"),
    ]


def test_present_tells_null_from_missing(compiled):
    mapping = compiled("x: present(a)\ny: present(a.b)\nz: has(a)")
    assert mapping.run({"a": None}, NOTHING, {}) == {"x": True, "y": False, "z": False}
    assert mapping.run({"a": {"b": None}}, NOTHING, {}) == {"x": True, "y": True, "z": True}


def test_a_code_may_be_unmatched_matched_or_several(compiled):
    lookup = StaticLookup({"sku": {"A": "S1", "B": "S2", "C": "S2"}})
    mapping = compiled("n: count(codes('sku', c))\nf: xref('sku', c, 'none')")
    assert [mapping.run({"c": c}, lookup, {}) for c in ("S1", "S2", "A")] == [
        {"n": 1, "f": "none"},
        {"n": 2, "f": "none"},
        {"n": 0, "f": "S1"},
    ]
    back = compiled("x: xref_back('sku', c)")
    assert back.run({"c": "S1"}, lookup, {}) == {"x": "A"}
    with pytest.raises(FieldError, match="several codes of sku stand for this: B, C"):
        back.run({"c": "S2"}, lookup, {})
    with pytest.raises(UnmappedCode):
        back.run({"c": "S3"}, lookup, {})


def test_explain_tells_full_paths_rows_and_conditions(compiled):
    mapping = compiled(
        "l:\n  each: o.lines\n  as: x\n  when: x.n > 0\n  let: {p: 'ref(\"product\", x.sku)'}\n"
        "  fields: {s: 'table(\"t\", x.st)', u: p.unit}",
        "tables:\n  t:\n    A: one\n",
    )
    record = {"o": {"lines": [{"n": 0}, {"n": 1, "sku": "K", "st": "A"}]}}
    trail = {
        each.field: each for each in explain(mapping, record, StaticLookup({}, {"product": {"K": {"unit": "件"}}}), {})
    }
    status, unit = trail["l[0].s"], trail["l[0].u"]
    assert status.reads == {"o.lines[1].st": "A"}
    assert [(row.kind, row.name, row.code, row.answer, row.spot.line) for row in status.rows] == [
        ("table", "t", "A", "one", 6)
    ]
    assert (unit.inputs["p.unit"], unit.reads) == ("件", {"o.lines[1].sku": "K"})
    assert [(row.kind, row.name, row.code) for row in unit.rows] == [("ref", "product", "K")]
    assert [(each.field, each.value) for each in trail.values() if each.role == "when"] == [("l[0] when", True)]


def test_a_let_may_be_a_list_or_an_object_whose_totals_stand_before_it(compiled):
    mapping = compiled(
        "total: sum(l.net for l in made)\nbuyer: who.name\nlines: made",
        "let:\n  made: {each: xs, as: x, fields: {net: money(x.p), extra: {value: 1, when: has(x.e)}}}\n"
        "  who: {fields: {name: trim(n)}}\n",
    )
    assert mapping.run({"xs": [{"p": "1"}, {"p": "2.5", "e": 1}], "n": " a "}, NOTHING, {}) == {
        "total": D("3.50"),
        "buyer": "a",
        "lines": [{"net": D("1.00")}, {"net": D("2.50"), "extra": 1}],
    }


@pytest.mark.parametrize("price", ["1.10", True, None, "x"])
def test_totals_of_a_made_list_are_those_of_its_lines(compiled, price):
    mapping = compiled(
        "all: [sum(l.net for l in made), sum(l.n for l in made), sum(l.n for l in made) + 1, sum(l.e for l in made)]",
        "let:\n  made:\n    each: xs\n    as: x\n    when: x.n != 0\n"
        "    fields: {net: money(x.p), n: x.n, w: {value: 1, when: has(x.w)}, e: 2}\n",
    )
    assert "total_1_ = total_1_ +" in mapping.python
    record = {"xs": [{"p": "1", "n": 1, "w": 1}, {"p": "2.5", "n": 0}, {"p": price, "n": 3}]}
    if price == "1.10":
        assert mapping.run(record, NOTHING, {}) == {"all": [D("2.10"), 4, 5, 4]}
        assert mapping.run({"xs": []}, NOTHING, {}) == {"all": [0, 0, 1, 0]}
        with pytest.raises(FieldError, match="adds numbers only"):
            mapping.run({"xs": [{"p": "1", "n": True}]}, NOTHING, {})
    else:
        with pytest.raises(FieldError):
            mapping.run(record, NOTHING, {})


SETTLED = """\
goods: {value: taxed.tax}
lines:
  each: xs
  as: x
  let: {part: 'split_tax(money(x), 0.13)'}
  fields: {tax: part.tax, net: part.net, big: {value: true, when: part.gross > 100}}
  settle: {tax: taxed.tax, net: taxed.net}
all: {value: 'sum(1 for x in xs)'}
"""


def test_lines_settle_to_their_total_and_one_takes_the_cents(compiled):
    mapping = compiled(SETTLED, "let: {taxed: 'split_tax(sum(money(x) for x in xs), 0.13)'}\n")
    made = mapping.run({"xs": ["3.50", "200.00", "3.50", "3.50"]}, NOTHING, {})
    assert [line["tax"] for line in made["lines"]] == [D("0.40"), D("23.01"), D("0.40"), D("0.41")]
    assert [line["net"] for line in made["lines"]] == [D("3.10"), D("176.99"), D("3.10"), D("3.09")]
    assert sum(line["tax"] for line in made["lines"]) == made["goods"]
    assert mapping.run({"xs": []}, NOTHING, {})["lines"] == []


def test_the_largest_line_may_take_the_cents(compiled):
    mapping = compiled("l: {each: xs, as: x, fields: {n: money(x)}, settle: {n: {total: 6.01, to: largest}}}")
    assert mapping.run({"xs": ["1", "3", "2"]}, NOTHING, {})["l"] == [{"n": D(1)}, {"n": D("3.01")}, {"n": D(2)}]


def test_what_lines_miss_by_more_than_a_cent_each_is_no_rounding(compiled):
    mapping = compiled("lines: {each: xs, as: x, fields: {n: money(x)}, settle: {n: money(total)}}")
    with pytest.raises(FieldError, match=r"miss their total by 0\.03, more than a cent a line") as caught:
        mapping.run({"xs": ["1", "2"], "total": "3.03"}, NOTHING, {})
    assert caught.value.field == "lines settle n"
    with pytest.raises(FieldError, match="miss their total"):
        mapping.run({"xs": [], "total": "0.01"}, NOTHING, {})


def test_explain_tells_which_line_took_the_cents_and_why(compiled):
    mapping = compiled("lines: {each: xs, as: x, fields: {n: money(x)}, settle: {n: money(total)}}")
    trail = {one.field: one for one in explain(mapping, {"xs": ["1", "2"], "total": "3.01"}, NOTHING, {})}
    assert (trail["lines[1].n"].value, trail["lines[1].n"].rule) == (D("2.01"), "settle n: money(total)")
    assert trail["lines[1].n"].reads == {"total": "3.01"}


def test_totals_taken_after_settling_are_the_settled_ones(compiled):
    lets = "let:\n  made: {each: xs, as: x, fields: {n: money(x)}, settle: {n: money(total)}}\n"
    mapping = compiled("sum: sum(l.n for l in made)\nlines: made", lets)
    assert mapping.run({"xs": ["1", "2"], "total": "3.01"}, NOTHING, {})["sum"] == D("3.01")


def test_an_object_in_a_let_has_lets_of_its_own(compiled):
    mapping = compiled("x: o.f", "let: {o: {let: {t: a + 1}, fields: {f: t}}}\n")
    assert mapping.run({"a": 1}, NOTHING, {}) == {"x": 2}
    assert explain(mapping, {"a": 1}, NOTHING, {})[-1].value == 2
