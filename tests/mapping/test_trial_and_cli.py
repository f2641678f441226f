"""Tests inside mapping files, the specification's own example, and the commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from duijie.mapping import load_mapping, run_tests
from duijie.mapping.cli import app

ROOT = Path(__file__).parents[2]
GOOD = """\
mapping: demo/order.in
from: {system: demo, stream: orders}
to: {system: demo, sink: orders}
let: {gross: money(price) * qty}
fields:
  no: text(id)
  gross: gross
tests:
  - {name: right, given: {id: 1, price: "19.90", qty: 3}, expect: {gross: 59.70}}
  - {name: no price, given: {id: 1, qty: 1}, error: price}
"""


def examples(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if block.startswith("mapping:")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project folder with one good mapping, which is the current folder."""
    (tmp_path / "mappings/demo").mkdir(parents=True)
    (tmp_path / "mappings/demo/order.in.yaml").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("test", "difference"),
    [
        ("expect: {a: 1.0, l: [{n: 1}], o: {}}", None),
        ("expect: {a: 2}", "a: expected 2, got 1"),
        ('expect: {a: "1"}', "a: expected '1', got 1"),
        ("expect: {t: 1}", "t: expected 1, got '1'"),
        ("expect: {b: 1}", "b: missing"),
        ("expect: {l: []}", "l: expected [], got [{n, m}]"),
        ("expect: {l: [{m: 3}]}", "l[0].m: expected 3, got 2"),
        ("expect: null", "result: expected null, got {a, t, l, o}"),
        ("error: x", "expected an error holding 'x', got {a, t, l, o}"),
        ("given: {skip: true}, expect: null", None),
        ("given: {skip: true}, expect: {a: 1}", "result: expected {a}, got null"),
        ("given: {skip: 1, x: 2}, expect: {a: 1}", "result: expected {a}, got null"),
    ],
)
def test_expectations_are_compared_exactly(compiled, test, difference):
    fields = "a: 1\nt: '\"1\"'\nl: [{n: 1, m: 2}]\no: {p: 1}"
    mapping = compiled(fields, f"skip: default(skip, false)\ntests: [{{name: it, {test}}}]\n")
    (result,) = run_tests(mapping)
    assert result.differences == ((difference,) if difference else ())


def test_tests_answer_lookups_and_settings(compiled):
    more = (
        "tests:\n  - name: known\n    given: {s: A}\n    xref: {sku: {A: S1}}\n    ref: {product: {A: {unit: 件}}}\n"
        "    settings: {shop: X}\n    expect: {a: S1, b: 件, c: X}\n"
        "  - {name: unknown, given: {s: B}, error: 对照缺失}\n"
    )
    mapping = compiled("a: 'xref(\"sku\", s)'\nb: 'ref(\"product\", s).unit'\nc: settings.shop", more)
    assert [result.passed for result in run_tests(mapping)] == [True, True]


@pytest.mark.parametrize("page", ["specs/mapping.md", "tutorial-mapping.md"])
def test_the_examples_of_the_documentation_hold(page, tmp_path):
    found = examples(page)
    assert found
    for text in found:
        name = re.match(r"mapping: (\S+)", text)[1]
        path = tmp_path / "mappings" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        mapping = load_mapping(path)
        assert mapping.warnings == []
        assert [(result.name, result.differences) for result in run_tests(mapping) if not result.passed] == []
        assert mapping.tests


def test_the_editors_schema_takes_the_examples_and_refuses_a_mistyped_key():
    schema = json.loads((ROOT / "schemas/mapping.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for text in [GOOD, *examples("specs/mapping.md"), *examples("tutorial-mapping.md")]:
        assert list(validator.iter_errors(yaml.safe_load(text))) == []
    assert list(validator.iter_errors(yaml.safe_load(GOOD.replace("fields:", "field:"))))
    assert list(validator.iter_errors(yaml.safe_load(GOOD.replace("no: text(id)", "no: {value: id, wen: x}"))))


def test_lint_passes_and_fails(folder):
    assert run("lint").exit_code == 0
    (folder / "mappings/demo/bad.in.yaml").write_text(GOOD.replace("order.in", "bad.in").replace("text(id)", "txt(id)"))
    failed = run("lint")
    assert failed.exit_code == 1
    assert "mappings/demo/bad.in.yaml:6:7" in failed.output and "did you mean text?" in failed.output
    (finding,) = json.loads(run("lint", "mappings/demo", "--json").output)
    assert (finding["line"], finding["column"], finding["severity"]) == (6, 7, "error")


def test_test_passes_and_fails(folder):
    passed = run("test")
    assert (passed.exit_code, "测试 tests: 2, 失败 failed: 0" in passed.output) == (0, True)
    path = folder / "mappings/demo/order.in.yaml"
    path.write_text(GOOD.replace("59.70", "59.71"))
    failed = run("test", str(path), "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.output)[0]["differences"] == ["gross: expected 59.71, got 59.70"]


def test_a_file_that_does_not_load_fails_its_tests(folder):
    (folder / "mappings/demo/order.in.yaml").write_text("fields: {a: mony(1)}\n")
    failed = run("test")
    assert failed.exit_code == 1 and "did you mean money?" in failed.output


def test_show_prints_the_generated_python(folder):
    shown = run("show", "mappings/demo/order.in.yaml", "--python")
    assert shown.output.startswith("def run(record, lookup, settings):")
    assert "'gross': gross," in shown.output
    assert json.loads(run("show", "mappings/demo/order.in.yaml", "--json").output)["name"] == "demo/order.in"


def test_explain_shows_where_a_value_came_from(folder):
    (folder / "o.json").write_text('{"id": 7, "price": "0.10", "qty": 3}')
    told = run("explain", "mappings/demo/order.in.yaml", "--sample", "o.json", "--field", "gross", "--json")
    (entry,) = json.loads(told.output)
    assert (entry["value"], entry["rule"], entry["place"]) == (0.3, "gross", "mappings/demo/order.in.yaml:7:3")
    assert entry["inputs"] == {"gross": 0.3, "price": "0.10", "qty": 3}
    assert '"value":0.30' in told.output
    table = run("explain", "mappings/demo/order.in.yaml", "--sample", "o.json").output
    assert "price = '0.10'" in table and "money(price) * qty" in table


def test_explain_tells_an_error_and_an_unknown_field(folder):
    (folder / "o.json").write_text('{"id": 7}')
    failed = run("explain", "mappings/demo/order.in.yaml", "--sample", "o.json")
    assert failed.exit_code == 1 and "price" in failed.output
    assert run("explain", "mappings/demo/order.in.yaml", "--test", "right", "--field", "grss").exit_code == 2


def test_no_mapping_files_is_a_usage_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("lint").exit_code == 2
