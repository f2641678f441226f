"""What lint knows of the source: through lets, loops and look-ups, from a schema or from the records that were seen."""

from __future__ import annotations

import json

import pytest
from linting import ENTITY, SEEN, STREAM, Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fields: {a: buyer.»nme}", "» DJ101 warning: unknown source field nme; did you mean name?"),
        ("fields: {a: 'record.buyer[»\"nme\"]'}", "» DJ101 warning: unknown source field nme; did you mean name?"),
        ("let: {b: buyer}\nfields: {a: b.»nme}", "» DJ101 warning: unknown source field nme; did you mean name?"),
        (
            "fields: {a: {each: lines, as: l, value: l.»skku}}",
            "» DJ101 warning: unknown source field skku; did you mean sku?",
        ),
        (
            "fields: {a: {each: »linse, as: l, value: l.sku}}",
            "» DJ101 warning: unknown source field linse; did you mean lines?",
        ),
        (
            "fields: {a: {each: lines, value: item.»skku}}",
            "» DJ101 warning: unknown source field skku; did you mean sku?",
        ),
        (
            "fields: {a: {each: lines, as: l, value: parent.»keyy}}",
            "» DJ101 warning: unknown source field keyy; did you mean key?",
        ),
        (
            "fields: {a: sum(l.»prise for l in lines)}",
            "» DJ101 warning: unknown source field prise; did you mean price?",
        ),
        ("fields: {a: 'lines[0].»skku'}", "» DJ101 warning: unknown source field skku; did you mean sku?"),
        ("fields: {a: 'first(lines).»skku'}", "» DJ101 warning: unknown source field skku; did you mean sku?"),
        ("fields: {a: '(lines + lines)[0].»skku'}", "» DJ101 warning: unknown source field skku; did you mean sku?"),
        (
            "fields: {a: '(buyer if has(note) else buyer).»nme'}",
            "» DJ101 warning: unknown source field nme; did you mean name?",
        ),
        (
            "fields: {a: 'ref(\"product\", key).»unitt'}",
            "» DJ101 warning: unknown source field unitt; did you mean unit?",
        ),
        (
            "let: {p: 'ref(\"product\", key)'}\nfields: {a: p.»unitt}",
            "» DJ101 warning: unknown source field unitt; did you mean unit?",
        ),
        ("fields: {a: 'ref(»\"prodct\", key)'}", "» DJ101 warning: unknown entity prodct; did you mean product?"),
        ("fields: {a: has(»ntoe)}", "» DJ101 warning: unknown source field ntoe; did you mean note?"),
        (
            "fields: {a: 'default(buyer.»fax, null)'}",
            "» DJ101 warning: unknown source field fax; there are: name, tax_no",
        ),
        (
            "fields: {a: {each: lines, as: l, flat: {each: l.»parts, as: p, value: p}}}",
            "» DJ101 warning: unknown source field parts; there are: price, qty, rate, sku",
        ),
        (
            "fields: {a: key, b: {value: remark, when: has(note), else: {c: buyer.»nme}}}",
            "» DJ101 warning: unknown source field nme; did you mean name?",
        ),
        (
            "fields: {a: {fields: {b: x.»nme}, let: {x: buyer}}}",
            "» DJ101 warning: unknown source field nme; did you mean name?",
        ),
        ("fields: {a: '{\"k\": key}.»kk'}", "» DJ101 warning: unknown field kk; did you mean k?"),
        (
            "let: {rows: {each: lines, as: l, fields: {s: l.sku}}}\nfields: {a: {each: rows, as: r, value: r.»sku}}",
            "» DJ101 warning: unknown field sku; there are: s",
        ),
        (
            "let: {o: {s: buyer.»nme}}\nfields: {a: o.s}",
            "» DJ101 warning: unknown source field nme; did you mean name?",
        ),
    ],
)
def test_an_unknown_field_of_an_entity_is_found_wherever_it_is_read(project, text, told):
    assert project.told(ENTITY, text) == [told]


@pytest.mark.parametrize(
    "text",
    [
        "fields: {a: key, b: buyer.tax_no, c: record.note}",
        "fields: {a: {each: lines, as: l, fields: {s: l.sku, n: index, m: nth, k: parent.key}}}",
        "fields: {a: settings.anything.at.all}",
        "fields: {a: 'parse_json(note).anything'}",
        "fields: {a: 'list(x for x in [l.sku for l in lines] if x != \"\")'}",
        'let: {extra: \'[{"sku": key, "colour": key}] if has(note) else []\'}\n'
        "fields: {a: {each: lines + extra, as: l, value: l.sku}}",
        "let: {t: 'split_tax(gross, 0.13)'}\nfields: {a: t.net, b: t.tax, c: t.gross}",
    ],
)
def test_what_there_is_is_not_told(project, text):
    assert project.told(ENTITY, text) == []


def test_a_vendors_stream_is_held_against_its_schema(project):
    text = "fields: {a: »tidd, b: {each: orders, as: o, value: o.»nmu}, c: extra.size, d: extra.»color}"
    assert project.told(STREAM, text) == [
        "» DJ101 warning: unknown source field tidd; did you mean tid?",
        "» DJ101 warning: unknown source field nmu; did you mean num?",
        "» DJ101 warning: unknown source field color; did you mean colour?",
    ]


class TestWithoutASchema:
    """The records that were seen say which fields there are."""

    TEXT = """\
fields: {a: no, b: buyer.nick, c: buyer.»mail, d: {each: rows, as: r, value: r.»qyt},
  e: 'default(memo, "")', f: 'default(»noo, "")'}
tests:
  - {name: one, given: {no: 1, buyer: {nick: x}, rows: [{qty: 1}, {sku: A}]}, error: x}
  - {name: two, given: {no: 2, buyer: null, rows: []}, error: x}
"""

    def test_the_files_own_tests_count(self, project):
        assert project.told(SEEN, self.TEXT) == [
            "» DJ101 warning: no sample and no test has the source field mail; there are: nick",
            "» DJ101 warning: no sample and no test has the source field qyt; did you mean qty?",
            "» DJ101 warning: no sample and no test has the source field noo; did you mean no?",
        ]

    def test_recorded_samples_count_too(self, project):
        project.put("mappings/other/samples/things.json", json.dumps([{"buyer": {"mail": "m"}}]))
        project.put("mappings/other/samples/things.masked.json", json.dumps({"noo": 1, "rows": [{"qyt": 1}]}))
        assert project.told(SEEN, self.TEXT) == []

    def test_without_any_record_nothing_is_told(self, project):
        assert project.told(SEEN, "fields: {a: anything.at.all}") == []

    def test_a_list_or_object_that_was_only_seen_empty_says_nothing(self, project):
        text = "fields: {a: {each: rows, as: r, value: r.x}, b: o.x}\n"
        text += "tests: [{name: t, given: {rows: [], o: {}}, error: x}]"
        assert project.told(SEEN, text) == []

    def test_a_field_asked_for_by_has_may_be_absent_everywhere(self, project):
        text = "fields: {a: {value: o.memo, when: has(o.memo)}, b: {value: p.q, default: 1}}\n"
        assert project.told(SEEN, text + "tests: [{name: t, given: {o: {x: 1}, p: {y: 1}}, error: x}]") == []

    def test_a_name_like_a_let_is_most_likely_that_let(self, project):
        text = "let: {gross: money(no)}\nfields: {a: »grosss, b: gross}\ntests: [{name: t, given: {no: 1}, error: x}]"
        assert project.told(SEEN, text) == ["» DJ102 warning: unknown name grosss; did you mean the let gross?"]

    def test_a_new_sample_is_seen_at_once(self, project):
        assert len(project.told(SEEN, self.TEXT)) == 3
        project.put("mappings/other/samples/things.json", json.dumps([{"buyer": {"mail": "m"}}]))
        assert len(project.told(SEEN, self.TEXT)) == 2

    def test_a_sample_that_is_no_json_is_passed_over(self, project):
        project.put("mappings/other/samples/things.json", "{")
        assert len(project.told(SEEN, self.TEXT)) == 3
