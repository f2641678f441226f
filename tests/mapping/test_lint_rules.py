"""Each rule of the lint: what it catches and where, and the like of it that is right."""

from __future__ import annotations

import json

import pytest
from linting import ENTITY, INTO, SEEN, STREAM, Project

REQUIRED = "key: k, status: '\"paid\"'"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def into(fields: str, more: str = "") -> tuple[str, str]:
    """A mapping into the order whose required fields are right."""
    return INTO, f"{more}fields:\n  key: k\n  status: '\"paid\"'\n{fields}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fields: »{key: k}", "» DJ201 error: the required target field status is missing"),
        (
            "fields: {key: k, status: s, buyer: »{tax_no: t}}",
            "» DJ201 error: the required target field buyer.name is missing",
        ),
        (
            "fields: {key: k, status: s, lines: {each: ls, as: l, fields: »{qty: l.q}}}",
            "» DJ201 error: the required target field lines[].sku is missing",
        ),
        (
            "fields: {key: {value: k, when: »has(k)}, status: s}",
            "» DJ202 warning: the required target field key is left out where `when` is false; give `else`",
        ),
        (
            "fields: {key: {value: k, when: a, else: {value: j, when: »b}}, status: s}",
            "» DJ202 warning: the required target field key is left out where `when` is false; give `else`",
        ),
        (
            "fields: {key: k, status: s, lines: {each: ls, as: l, fields: {sku: {value: l.s, when: »l.s}}}}",
            "» DJ202 warning: the required target field lines[].sku is left out where `when` is false; give `else`",
        ),
        ("fields: {key: k, status: s, »nte: n}", "» DJ203 error: unknown target field nte; did you mean note?"),
        ("fields: {key: »1, status: s}", "» DJ204 error: target field key is string, the expression gives integer"),
        (
            "fields: {key: k, status: s, count: »money(c)}",
            "» DJ204 error: target field count is integer, the expression gives decimal",
        ),
        (
            "fields: {key: k, status: s, note: 'k if a else 1', lines: »'{}'}",
            "» DJ204 error: target field lines is array, the expression gives object",
        ),
        (
            "fields: {key: k, status: s, note: »'text(n) if a else null'}",
            "» DJ204 warning: target field note may get null; use `when` or default()",
        ),
        ("fields: {key: k, status: '»\"payed\"'}", "» DJ205 error: unknown value for status payed; did you mean paid?"),
        (
            'let: {s: \'"paid" if a else »"payed"\'}\nfields: {key: k, status: s}',
            "» DJ205 error: unknown value for status payed; did you mean paid?",
        ),
        ("fields: {key: '»\"\"', status: s}", "» DJ205 error: key does not take ''"),
        ("fields: {key: k, status: s, rate: '»13'}", "» DJ205 error: rate is < 1 and does not take 13"),
        ("fields: {key: k, status: s, rate: »-0.13}", "» DJ205 error: rate is ≥ 0 and does not take -0.13"),
        (
            "fields: {key: k, status: s, gross: »'round(g, 3)'}",
            "» DJ206 warning: the value may have 3 decimals, target field gross takes 2; round it first",
        ),
    ],
)
def test_the_target_is_held_against_its_schema(project, text, told):
    assert project.told(INTO, text) == [told]


def test_an_else_that_always_writes_keeps_a_required_field(project):
    assert (
        project.told(INTO, "fields: {key: {value: k, when: a, else: j}, status: s, remark: 'r if a else null'}") == []
    )


def test_each_document_of_emit_is_held_against_its_own_schema(project):
    ends = "from: {system: other, stream: unseen}\nto: {system: x}"
    text = (
        "emit:\n  order: {each: os, as: o, fields: »{key: o.k}}\n  »prodct: {key: p}\n  product: {key: p, »unitt: u}\n"
    )
    assert project.told(ends, text) == [
        "» DJ201 error: the required target field order[].status is missing",
        "» DJ002 error: unknown entity prodct; did you mean product?",
        "» DJ203 error: unknown target field (in product) unitt; did you mean unit?",
    ]  # fmt: skip


def test_a_row_that_the_target_refuses_is_told_at_the_row(project):
    more = "tables:\n  t:\n    A: paid\n    B: »payed\n"
    text = f"{more}fields: {{key: k, status: 'table(\"t\", s)'}}"
    assert project.told(INTO, text) == ["» DJ205 error: unknown value for status payed; did you mean paid?"]


def test_a_value_of_the_source_that_the_target_refuses_is_a_warning(project):
    ends = "from: {system: shop, stream: trade}\nto: {entity: order}"
    assert project.told(ends, "fields: {key: text(tid), status: »state}") == [
        "» DJ205 warning: the source may give NEW, which is no value for status",
        "» DJ205 warning: the source may give PAID, which is no value for status",
    ]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("upper(»5)", "» DJ301 error: argument 1 of upper() is text, here it is integer"),
        ("money(»[1])", "» DJ301 error: argument 1 of money() is number/text, here it is list"),
        ("date(»money(note))", "» DJ301 error: argument 1 of date() is text, here it is decimal"),
        ("trim(»gross)", "» DJ301 warning: argument 1 of trim() is text, here it is number"),
        ("sum(»lines)", "» DJ301 warning: what sum() adds is number, here it is object"),
        ("count(»note)", "» DJ301 warning: argument 1 of count() is list, here it is text"),
        ("sum(»l.sku for l in lines)", "» DJ301 warning: what sum() adds is number, here it is text"),
        ("sum(1 for x in »note)", "» DJ301 warning: the source of a comprehension is list, here it is text"),
        ("split_tax(»note, 0.13)", "» DJ301 warning: argument 1 of split_tax() is number, here it is text"),
        ("join('-', »[key], key)", "» DJ301 error: argument 2 of join() is boolean/number/text, here it is list"),
        ("»note * 2", "» DJ301 warning: * works on numbers, here is text; convert text with money() or decimal()"),
        ("»note + gross", "» DJ301 warning: + cannot add text and number; convert with text() or decimal() first"),
        ("»note.size", "» DJ301 warning: a text has no field size"),
        ("»gross in note", "» DJ301 warning: in cannot look for number in text"),
        ("»note == 1", "» DJ302 warning: text and integer cannot be compared; convert one, or quote the constant"),
        ("»gross > '1'", "» DJ302 warning: number and text cannot be compared; convert one, or quote the constant"),
        ("datetime(note, »'%Y-%Q')", "» DJ303 warning: the date format holds an unknown directive: %Y-%Q"),
        (
            "»money('1.2.3')",
            "» DJ303 warning: money() always fails: not a number; check the source or clean the text first",
        ),
        ("»gross / 0", "» DJ303 warning: the divisor is always zero"),
        ("split_tax(gross, »13)", "» DJ303 warning: a tax rate lies between 0 and 1, such as 0.13"),
        ("[gross, {'a': 1, »'a': 2}]", "» DJ004 error: duplicate key a"),
    ],
)
def test_kinds_that_clash_are_told_with_their_place(project, expression, told):
    assert project.told(ENTITY, f"fields:\n  a: >-\n    {expression}") == [told]


@pytest.mark.parametrize(
    "expression",
    [
        "upper(key)",
        "money(gross)",
        "join(',', list(l.sku for l in lines))",
        "join('', key, gross, true)",
        "min(1, 2)",
        "max(l.qty for l in lines)",
        "first(lines).sku",
        "gross + count",
        "note + key",
        "lines + lines",
        "'a' in note",
        "key in ['a', 'b']",
        "remark == null",
        "default(note, 0) == 0",
        "default(gross, '') != ''",
        "text(gross) == '1'",
        "datetime(note, '%Y-%m-%d')",
        "left(note, 3)",
        "json(buyer)",
        "gross // 2 % 3",
        "-gross",
    ],
)
def test_kinds_that_go_together_are_not_told(project, expression):
    assert project.told(ENTITY, f"fields:\n  a: >-\n    {expression}") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fields: {a: {value: key, when: »false}}", "» DJ401 warning: the condition of when is never true: False"),
        ("fields: {a: key if »true else note}", "» DJ401 warning: the condition of if … else is always true: true"),
        ("fields: {a: key if »1 == 2 else note}", "» DJ401 warning: the condition of if … else is never true: 1 == 2"),
        (
            "fields: {a: key if »gross > 1 or true else note}",
            "» DJ401 warning: the condition of if … else is always true: gross > 1 or true",
        ),
        (
            "skip: has(note)\nfields: {a: {value: key, when: »has(note)}}",
            "» DJ401 warning: the condition of when is never true: has(note)",
        ),
        (
            "fields: {a: {value: '1 if »has(note) else 2', when: not has(note)}}",
            "» DJ401 warning: the condition of if … else is never true: has(note)",
        ),
        (
            "fields: {a: {value: 1, when: gross > 5, else: {value: 2, when: »gross > 5}}}",
            "» DJ401 warning: the condition of when is never true: gross > 5",
        ),
        (
            "let: {big: gross > 5}\nfields: {a: {value: 1, when: big, else: {value: 2, when: »gross > 5}}}",
            "» DJ401 warning: the condition of when is never true: gross > 5",
        ),
        (
            "fields: {a: {each: lines, as: l, when: l.qty > 0, value: '1 if »l.qty > 0 else 2'}}",
            "» DJ401 warning: the condition of if … else is always true: l.qty > 0",
        ),
        (
            "fields: {a: sum(1 for l in lines if »false)}",
            "» DJ401 warning: the condition of the if of a comprehension is never true: false",
        ),
        ("fields: {a: status == »'payed'}", "» DJ402 warning: status can never be payed here; did you mean paid?"),
        ("fields: {a: status != »'payed'}", "» DJ402 warning: status can never be payed here; did you mean paid?"),
        (
            "fields: {a: \"status in ['paid', »'closd']\"}",
            "» DJ402 warning: status can never be closd here; did you mean closed?",
        ),
        (
            "fields: {a: status == 'paid' and status == »'closed'}",
            "» DJ402 warning: status can never be closed here; there are: paid",
        ),
        ("fields: {a: note == 'x' and note == »'y'}", "» DJ402 warning: note can never be y here; there are: x"),
        (
            "skip: status != 'paid'\nfields: {a: status == »'closed'}",
            "» DJ402 warning: status can never be closed here; there are: paid",
        ),
        (
            "tables: {t: {paid: p, unpaid: u, closed: c}}\nlet: {s: 'table(\"t\", status)'}\nfields: {a: s == »'z'}",
            "» DJ402 warning: s can never be z here; there are: c, p, u",
        ),
        ("let: {»a: 1, b: key}\nfields: {x: b}", "» DJ403 warning: let a is never used"),
        ("let: {»a: key, »b: a}\nfields: {x: 1}", "» DJ403 warning: let a is read only by lets that are never used: b"),
        ("fields: {x: {fields: {y: key}, let: {»z: 1}}}", "» DJ403 warning: let z is never used"),
        (
            "let: {a: »\"fail('no')\"}\nfields: {x: a}",
            "» DJ404 warning: this rule refuses every record: no rule after it counts",
        ),
        (
            "fields: {x: »\"join('', fail('no'))\", y: key}",
            "» DJ404 warning: this rule refuses every record: no rule after it counts",
        ),
        ("tables: {»t: {a: b}}\nfields: {x: key}", "» DJ405 warning: table t is never used"),
        (
            "tables: {t: {paid: 1, unpaid: 1, closed: 1, »payed: 1}}\nfields: {x: 'table(\"t\", status)'}",
            "» DJ406 warning: code payed of table t never comes; did you mean paid?",
        ),
        (
            "tables: {t: {paid: 1, closed: 1}}\nfields: {x: '»table(\"t\", status)'}",
            "» DJ304 warning: table t has no row unpaid; did you mean paid?",
        ),
        (
            "tables: {t: {Ａ: 1, »a: 1}}\nfields: {x: 'table(\"t\", key)'}",
            "» DJ407 warning: code 'a' of table t is like 'Ａ' on line 4",
        ),
    ],
)
def test_what_can_never_happen_is_told(project, text, told):
    assert told in project.told(ENTITY, text)


@pytest.mark.parametrize(
    "text",
    [
        "fields: {a: {value: key, when: has(note)}, b: {value: note, when: has(note) and note != ''}}",
        'fields: {a: \'key if status == "paid" else note\', b: \'1 if status in ["paid", "closed"] else 2\'}',
        "fields: {a: {value: 1, when: status == 'paid', else: {value: 2, when: status == 'closed', else: 3}}}",
        "let: {x: \"key if has(key) else fail('no')\"}\nfields: {a: x}",
        "fields: {a: {value: \"fail('no')\", when: has(note)}}",
        "tables: {t: {paid: 1, closed: 1}}\nfields: {x: 'table(\"t\", status, 0)'}",
        "tables: {t: {paid: 1}}\nskip: status != 'paid'\nfields: {x: 'table(\"t\", status)'}",
        "tables: {t: {a: 1, b: 2}}\nfields: {x: 'table(\"t\", key)', y: 'table(\"t\", key) == 1'}",
        "let: {a: key, b: a}\nfields: {x: b}",
        "fields: {a: \"default(status, '') == ''\", b: remark or 'none'}",
        "fields: {a: {each: lines, as: l, when: l.qty > 0, value: l.sku},\n"
        "  b: {each: lines, as: l, when: l.qty > 0, value: l.qty}}",
    ],
)
def test_what_may_happen_is_not_told(project, text):
    assert project.told(ENTITY, text) == []


def test_samples_alone_make_an_unused_row_a_note(project):
    project.put("mappings/other/samples/things.json", json.dumps([{"s": "A"}] * 50))
    text = "tables: {t: {A: 1, »B: 2}}\nfields: {x: 'table(\"t\", s)'}\ntests: [{name: t, given: {s: A}, error: x}]"
    assert project.told(SEEN, text) == ["» DJ406 note: no recorded sample has code B of table t"]
    project.put("mappings/other/samples/things.json", json.dumps([{"s": "A"}] * 48))
    assert project.told(SEEN, text) == []


@pytest.mark.parametrize(
    ("ends", "text", "told"),
    [
        (
            *into("  lines: {each: ls, as: l, fields: {sku: l.s, price: »money(l.p)}}"),
            "» DJ501 warning: money() leaves 2 decimals, target field lines[].price keeps more",
        ),
        (
            *into("  lines: {each: ls, as: l, fields: {sku: l.s, rate: »'round(l.r, 2)'}}"),
            "» DJ501 warning: round() leaves 2 decimals, target field lines[].rate keeps more",
        ),
        (
            ENTITY,
            "fields:\n  a: sum(»money(l.qty) for l in lines)",
            "» DJ501 warning: qty may have more than 2 decimals, which money() drops; use round() or decimal()",
        ),
        (
            ENTITY,
            "fields:\n  a: »integer(gross * 1.5)",
            "» DJ501 warning: the value may have 3 decimals, which integer() refuses; use round(x, 0) to round it",
        ),
        (
            *into("  placed: »date(p)"),
            "» DJ502 warning: target field placed is a datetime, the expression gives a date",
        ),
        (
            *into("  day: »datetime(p, 's')"),
            "» DJ502 warning: target field day is a date, the expression gives a datetime",
        ),
        (
            INTO,
            "fields:\n  key: »left(k, 8)\n  status: '\"paid\"'",
            "» DJ503 warning: left() cuts the identifier key: two records could become one",
        ),
        (
            "from: {system: shop, stream: trade}\nto: {entity: order}",
            "fields:\n  key: text(tid)\n  status: '\"paid\"'\n  note: »trim(long)",
            "» DJ504 warning: the text may have 50 characters, target field note takes 20",
        ),
        (
            *into("  note: »'\"123456789012345678901\"'"),
            "» DJ504 error: the text may have 21 characters, target field note takes 20",
        ),
    ],
)
def test_what_is_lost_on_the_way_is_told(project, ends, text, told):
    assert project.told(ends, text) == [told]


def test_what_loses_nothing_is_not_told(project):
    fields = """\
  placed: datetime(p, "s")
  day: date(p)
  note: left(n, 20)
  gross: money(g)
  count: integer(c)
  lines: {each: ls, as: l, fields: {sku: l.s, qty: decimal(l.q), price: 'round(l.p, 6)', rate: 'round(l.r, 4)'}}
"""
    assert project.told(*into(fields)) == []


def test_a_file_without_tests_is_told(project):
    path = project.put("mappings/demo/m.out.yaml", f"mapping: demo/m.out\n{ENTITY}\nfields: {{a: key}}\n")
    from duijie.mapping import lint  # noqa: PLC0415

    assert [(str(each.spot.line), each.rule) for each in lint([path])] == [("1", "DJ602")]


def test_the_tests_are_held_against_both_ends(project):
    text = """\
fields: {a: key, o: {b: note}, l: {each: lines, as: x, fields: {s: x.sku}},
  w: {value: 1, when: has(note), else: {z: 1}}}
tests:
  - name: t
    given: {key: k, »ntoe: n, lines: [{»skku: A}]}
    expect: {»aa: k, o: {»bb: n}, l: [{s: A, »t: B}], w: {z: 1}}
"""
    assert project.told(ENTITY, text) == [
        "» DJ604 warning: unknown source field ntoe; did you mean note?",
        "» DJ604 warning: unknown source field skku; did you mean sku?",
        "» DJ603 warning: unknown target field aa; did you mean a?",
        "» DJ603 warning: unknown target field bb; did you mean b?",
        "» DJ603 warning: unknown target field t; there are: s",
    ]


def test_a_stream_with_a_schema_gives_kinds_too(project):
    assert project.told(STREAM, "fields: {a: upper(»tid), b: state == »'PAYD', c: »fee * 2}") == [
        "» DJ301 warning: argument 1 of upper() is text, here it is integer",
        "» DJ402 warning: state can never be PAYD here; did you mean PAID?",
        "» DJ301 warning: * works on numbers, here is text; convert text with money() or decimal()",
    ]
