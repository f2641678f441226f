"""What is refused when a file is loaded: everything at once, at its place, with the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.connect.errors import MappingError
from duijie.mapping import MappingErrors, load_mapping
from duijie.mapping import lint as whole_lint


def lint(paths):
    """These files carry no tests, and are not about that."""
    return [each for each in whole_lint(paths) if each.rule != "DJ602"]


@pytest.fixture
def errors(write):
    """(line, column, en) of every error of a mapping file."""

    def found(text: str):
        with pytest.raises(MappingErrors) as caught:
            load_mapping(write(text))
        return [(each.spot.line, each.spot.column, each.en) for each in caught.value.findings]

    return found


def test_all_errors_are_told_at_once_in_file_order(errors):
    found = errors("fields:\n  a: mony(x)\n  b: table('t', 1)\n  c: money()\n  a: 1\n  d: x +\n")
    assert [place[:2] for place in found] == [(5, 6), (6, 12), (7, 6), (8, 3), (9, 6)]
    words = [
        "did you mean money?",
        "unknown table t",
        "takes 1 arguments, got 0",
        "duplicate key a",
        "not an expression",
    ]
    assert all(word in each[2] for word, each in zip(words, found, strict=True))


def test_the_error_names_its_first_place_and_speaks_both_languages(write):
    with pytest.raises(MappingError) as caught:
        load_mapping(write("fields:\n  a: mony(x)\n"))
    assert caught.value.where == "thing.in.yaml:5:6"
    assert "是否指 money" in caught.value.zh and "did you mean money?" in caught.value.en


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("a.__class__", "underscore"),
        ("_a", "underscore"),
        ("().__class__.__bases__[0]", "underscore"),
        ("__import__('os')", "unknown function"),
        ("open('f')", "unknown function"),
        ("eval('1')", "unknown function"),
        ("a.upper()", "registered functions"),
        ("(lambda: 1)()", "registered functions"),
        ("lambda: 1", "Lambda"),
        ("f'{a}'", "JoinedStr"),
        ("2 ** 9999", "Pow"),
        ("1 << 9", "LShift"),
        ("~a", "Invert"),
        ("a is None", "== null"),
        ("[x for x in a if (y := x)]", "NamedExpr"),
        ("{1, 2}", "Set"),
        ("{x: 1 for x in a}", "DictComp"),
        ("{**a}", "unpacking"),
        ("join(*a)", "unpacking"),
        ("money(**a)", "argument"),
        ("a[1:2]", "slices"),
        ("b'x'", "literal"),
        ("1j", "literal"),
        ("...", "literal"),
        ("1" * 50, "too large"),
        ("text(x for x in a)", "comprehension"),
        ("(x for x in a)", "comprehension"),
        ("sum(x for x, y in a)", "plain name"),
        ("sum(1 for x in a for y in a for z in a)", "two levels"),
        ("await a", "Await"),
        ("'a' * b + 1", "numbers"),
        ("'a' + 1", "numbers"),
        ("'a' < 1", "compared"),
        ("money(a).net", "no field"),
        ("split_tax(a, b).nett", "did you mean net?"),
        ("has(a + b)", "path"),
        ("table(a, b)", "quoted table name"),
        ("datetime(a, 's', zone='UTC')", "unknown argument"),
        ("", "empty"),
        ("a\n# note\n", "comment"),
        ("a) + (b", "not an expression"),
        ("a b", "not an expression"),
        ("not " * 200 + "a", "nested"),
        ("(" * 300 + "a" + ")" * 300, "not an expression"),
        ("a + " * 2000 + "a", "too long"),
    ],
)
def test_what_is_not_on_the_list_is_refused(errors, expression, word):
    text = "".join(f"    {line}\n" for line in expression.splitlines()) or "    \n"
    found = errors(f"fields:\n  x: |\n{text}")
    assert any(word in each[2] for each in found), found


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("fields:\n  a: {value: 1, wen: b}\n", (5, 17), "did you mean when?"),
        ("fields:\n  a: {when: b}\n", (5, 6), "when goes with"),
        ("fields:\n  a: {each: b}\n", (5, 6), "needs fields or value"),
        ("let: {a-b: 1}\nfields: {a: 1}\n", (4, 7), "cannot be used as a name"),
        ("let: {record: 1}\nfields: {a: 1}\n", (4, 7), "cannot be used as a name"),
        ("let: {a: {value: 1, when: b}}\nfields: {a: 1}\n", (4, 7), "always has a value"),
        ("let: [a]\nfields: {a: 1}\n", (4, 6), "name: expression"),
        ("fields: 3\n", (4, 9), "name: expression"),
        ("field: {a: 1}\n", (4, 1), "did you mean fields?"),
        ("tables: {t: 3}\nfields: {a: 1}\n", (4, 10), "code: value"),
        ("fields: {a: 1}\ntests: [{name: x, given: {}}]\n", (5, 9), "either expect or error"),
        ("fields: {a: 1}\ntests: [{name: x, gven: {}, expect: {}}]\n", (5, 19), "did you mean given?"),
        ("fields: {a: &x 1, b: *x}\n", (4, 22), "aliases"),
        ("fields: {a: [}\n", (4, 14), "not valid YAML"),
        ("fields: {a: 1}\nfields: {b: 1}\n", (5, 1), "duplicate key fields"),
    ],
)
def test_the_shape_of_the_file_is_checked(errors, text, place, word):
    assert (*place, True) in [(line, column, word in en) for line, column, en in errors(text)]


def test_a_file_that_cannot_be_read_is_a_mapping_error(tmp_path):
    with pytest.raises(MappingError, match=r"there is no mapping file .*none\.in\.yaml"):
        load_mapping(tmp_path / "none.in.yaml")
    (tmp_path / "empty.in.yaml").write_text("")
    with pytest.raises(MappingErrors, match="empty"):
        load_mapping(tmp_path / "empty.in.yaml")


PARTY = """\
mapping: demo/party.in
from: {system: demo, stream: people}
to: {entity: party}
fields:
"""


def party(folder: Path, fields: str) -> list[str]:
    path = folder / "mappings/demo/party.in.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PARTY + fields, encoding="utf-8")
    return [f"{each.spot.line}:{each.spot.column} {each.en}" for each in lint([folder / "mappings"])]


def test_a_target_entity_is_held_against_its_schema(tmp_path):
    good = "  key: k\n  name: text(n)\n  kind: '\"person\"'\n  role: '\"customer\"'\n"
    assert party(tmp_path, good) == []
    found = party(tmp_path, "  key: 1 + 1\n  nam: n\n  kind: '\"persn\"'\n  role: {a: 1}\n  source: money(s)\n")
    assert [line.split(";")[0] for line in found] == [
        "5:3 the required target field name is missing",
        "5:8 target field key is string, the expression gives integer",
        "6:3 unknown target field nam",
        "7:10 unknown value for kind persn",
        "8:3 target field role is enum, here it is object",
        "9:11 target field source is string, the expression gives decimal",
    ]
    assert any("did you mean name?" in line for line in found)
    assert any("did you mean person?" in line for line in found)


def test_nested_lists_are_held_against_the_schema_too(tmp_path):
    path = tmp_path / "v.in.yaml"
    path.write_text(
        "mapping: demo/v.in\nfrom: {system: demo, stream: s}\nto: {entity: voucher}\nfields:\n"
        + "".join(
            f"  {name}: x\n" for name in ["key", "date", "period", "word", "summary", "attachments", "debit", "credit"]
        )
        + "  lines: {each: l, as: e, fields: {line_no: '\"1\"', summary: e.s, acount: e.a, debit: e.d, credit: 0}}\n"
    )
    found = [each.en for each in lint([path])]
    assert found == [
        "the required target field lines[].account is missing",
        "target field lines[].line_no is integer, the expression gives text",
        "unknown target field (in lines[]) acount; did you mean account?",
    ]


def test_an_unknown_entity_names_the_nearest(tmp_path):
    path = tmp_path / "p.in.yaml"
    path.write_text(PARTY.replace("entity: party", "entity: partys") + "  a: 1\n")
    assert [each.en for each in lint([path])] == ["unknown entity partys; did you mean party?"]


def test_an_out_mapping_is_warned_of_source_fields_its_entity_does_not_have(tmp_path):
    path = tmp_path / "p.out.yaml"
    path.write_text(
        "mapping: demo/p.out\nfrom: {entity: sales_order}\nto: {system: demo, sink: s}\n"
        "fields: {a: ordr_no, b: {each: lines, as: l, value: l.sku}, c: buyer.nme, d: order_no, e: record.gros}\n"
    )
    load_mapping(path)
    found = [(each.severity, each.en) for each in lint([path])]
    assert found == [
        ("warning", "unknown source field ordr_no; did you mean order_no?"),
        ("warning", "unknown source field nme; did you mean name?"),
        ("warning", "unknown source field gros; did you mean gross?"),
    ]


def test_dead_and_mistyped_names_are_warnings_that_do_not_keep_a_mapping_from_loading(write):
    path = write(
        "tables: {t: {a: b}}\nlet: {gross: money(p), dead: 1}\nfields: {x: grosss, y: gross}\n"
        "tests: [{name: t, given: {p: 1}, error: grosss}]\n"
    )
    load_mapping(path)
    assert [each.en for each in lint([path])] == [
        "table t is never used",
        "let dead is never used",
        "unknown name grosss; did you mean the let gross?",
    ]


def test_a_mapping_below_mappings_carries_its_own_path(tmp_path):
    path = tmp_path / "mappings/demo/other.in.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mapping: demo/thing.in\nfrom: {system: a}\nto: {system: b}\nfields: {a: 1}\n")
    assert [(str(each.spot), each.en) for each in lint([path])] == [
        ("mappings/demo/other.in.yaml:1:10", "mapping should be demo/other.in, its own path")
    ]


def test_rules_are_not_mappings(tmp_path):
    rules = tmp_path / "mappings/rules"
    rules.mkdir(parents=True)
    (rules / "posting.in.yaml").write_text("not: a mapping\n")
    assert lint([tmp_path / "mappings"]) == []
