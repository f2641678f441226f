"""How findings reach people, editors and hooks; how one that is right as it is is suppressed; what lint costs."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from linting import ENTITY, INTO, Project
from typer.testing import CliRunner

from duijie.mapping import checks, lint, mapping_files
from duijie.mapping.cli import app
from duijie.mapping.mapping import examine_text

ROOT = Path(__file__).parents[2]
NONE = "there is no DJ101 here to suppress; delete the comment"
NEEDED = "lint: ok needs the id of a rule, such as lint: ok DJ101 why"
TYPO = "fields: {a: buyer.nme}\ntests: [{name: t, given: {}, error: x}]\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_the_table_names_place_rule_and_both_languages(project):
    project.mapping(ENTITY, TYPO)
    shown = run("lint")
    assert shown.exit_code == 1
    assert "mappings/demo/m.out.yaml:4:19" in shown.output and "DJ101" in shown.output
    assert "未知的来源字段 nme; 是否指 name?" in shown.output and "文件 files: 1, 问题 findings: 1" in shown.output


def test_json_carries_everything(project):
    project.mapping(ENTITY, TYPO)
    for arguments in (("--json",), ("--format", "json")):
        (found,) = json.loads(run("lint", *arguments).output)
        assert found == {
            "file": "mappings/demo/m.out.yaml",
            "line": 4,
            "column": 19,
            "severity": "warning",
            "rule": "DJ101",
            "zh": "未知的来源字段 nme; 是否指 name?",
            "en": "unknown source field nme; did you mean name?",
        }


def test_gcc_is_one_line_a_finding_with_the_path_as_given_here(project):
    path = project.put("vendor/mappings/demo/m.out.yaml", f"mapping: demo/m.out\n{ENTITY}\n{TYPO}")
    assert run("lint", str(path), "--format", "gcc").output == (
        "vendor/mappings/demo/m.out.yaml:4:19: warning: 未知的来源字段 nme; 是否指 name? / "
        "unknown source field nme; did you mean name? [DJ101]\n"
    )


def test_sarif_has_the_rules_and_the_places(project):
    project.mapping(ENTITY, TYPO)
    log = json.loads(run("lint", "--format", "sarif").output)
    (only,) = log["runs"]
    assert (log["version"], only["columnKind"]) == ("2.1.0", "unicodeCodePoints")
    rules = only["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in checks.RULES]
    (result,) = only["results"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "DJ101"
    assert (result["level"], rules[result["ruleIndex"]]["defaultConfiguration"]) == ("warning", {"level": "warning"})
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "mappings/demo/m.out.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 4, "startColumn": 19},
            }
        }
    ]


def test_sarif_of_a_file_elsewhere_is_a_whole_address(project, tmp_path_factory):
    path = tmp_path_factory.mktemp("外") / "m.out.yaml"
    path.write_text(f"mapping: demo/m.out\n{ENTITY}\n{TYPO}")
    log = json.loads(run("lint", str(path), "--format", "sarif").output)
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": path.as_uri()
    }


def test_a_clean_file_is_an_empty_log(project):
    project.mapping(ENTITY, "fields: {a: key}")
    clean = run("lint", "--format", "sarif")
    assert (clean.exit_code, json.loads(clean.output)["runs"][0]["results"]) == (0, [])
    assert run("lint", "--format", "gcc").output == ""


def test_a_note_is_shown_and_fails_nothing(project):
    project.put("mappings/other/samples/unseen.json", json.dumps([{"s": "A", "k": 1}] * 50))
    project.mapping(
        INTO, "tables: {t: {A: a, B: b}}\nfields: {key: text(k), status: '\"paid\"', note: 'table(\"t\", s)'}"
    )
    shown = run("lint", "--format", "gcc")
    assert shown.exit_code == 0 and ":4:20: note: " in shown.output


def test_rules_are_explained_on_the_command_line():
    assert "unknown-source-field" in run("rules", "dj101").output
    every = run("rules").output
    assert all(rule.id in every for rule in checks.RULES)
    assert run("rules", "DJ999").exit_code == 2


def test_the_page_is_made_of_the_table():
    assert (ROOT / "docs/lint.md").read_text(encoding="utf-8") == checks.page()
    assert [rule.id for rule in checks.RULES] == sorted({rule.id for rule in checks.RULES})


class TestSuppression:
    """`# lint: ok DJ101 reason`."""

    @pytest.mark.parametrize(
        "text",
        [
            "fields:\n  a: buyer.nme  # lint: ok DJ101 the shop adds it\n",
            "fields:\n  # lint: ok DJ101 the shop adds it\n  a: buyer.nme\n",
            "fields:\n  # lint: ok DJ101 the shop adds it\n  # and will go on to\n  a: buyer.nme\n",
            "fields:\n  a: buyer.nme if status == 'payed' else key  # lint: ok DJ101,DJ402 both\n",
        ],
    )
    def test_silences_its_rule_on_its_line(self, project, text):
        assert project.told(ENTITY, text) == []

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("fields:\n  a: buyer.name  »# lint: ok DJ101 why\n", NONE),
            ("fields:\n  a: buyer.name  »# lint: ok DJ1O1 why\n", NEEDED),
            ("fields:\n  a: buyer.name  »# lint: ok DJ111 why\n", "unknown rule DJ111; did you mean DJ101?"),
            ("fields:\n  a: buyer.name  »# lint: ok\n", NEEDED),
            ("fields:\n  a: buyer.nme  »# lint: ok DJ101\n", "lint: ok needs a reason"),
            ("»# lint: ok DJ101 another line\nskip: has(note)\nfields: {a: key}", NONE),
        ],
    )
    def test_that_does_nothing_is_a_finding(self, project, text, told):
        assert project.told(ENTITY, text) == [f"» DJ006 warning: {told}"]

    def test_never_hides_an_error(self, project):
        told = project.told(INTO, "fields: {key: k, status: s, »nte: n}  »# lint: ok DJ203 no")
        assert [line.split(":")[0] for line in told] == ["» DJ203 error", "» DJ006 warning"]

    def test_in_a_text_is_a_text(self, project):
        assert project.told(ENTITY, "fields:\n  a: '\"#lint: ok DJ101 why\"'\n") == []


class TestAsAHook:
    """What other repositories run before a commit."""

    def hook(self):
        (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
        return hook

    def test_the_manifest_picks_mapping_files(self):
        hook = self.hook()
        picked = [
            path
            for path in ("mappings/a/b.in.yaml", "x/mappings/b.out.yaml", "mappings/rules/voucher.yaml",
                         "mappings/rules/v.in.yaml", "other/b.in.yaml", "mappings/a/samples/b.json")
            if re.search(hook["files"], path) and not re.search(hook["exclude"], path)
        ]  # fmt: skip
        assert picked == ["mappings/a/b.in.yaml", "x/mappings/b.out.yaml"]

    def test_its_command_refuses_a_bad_file_and_takes_a_good_one(self, project):
        assert self.hook()["entry"] == "duijie mapping lint"
        command = [sys.executable, "-m", "duijie.cli.main", "mapping", "lint"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        bad = str(project.mapping(ENTITY, TYPO))
        refused = subprocess.run([*command, bad], capture_output=True, text=True, env=environment, check=False)
        good = str(project.mapping(ENTITY, "fields: {a: key}"))
        taken = subprocess.run([*command, good], capture_output=True, text=True, env=environment, check=False)
        assert (refused.returncode, taken.returncode) == (1, 0), (refused.stderr, taken.stderr)
        assert "DJ101" in refused.stdout

    def test_the_projects_own_commits_are_linted(self):
        hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
        assert any("mapping lint" in hook["entry"] for hook in hooks)


def test_the_shipped_mappings_have_no_finding():
    assert [str(each) for each in lint([ROOT / "mappings"])] == []


def _names(text: str, path: Path):
    """(line, column, name) of every name and field that the expressions of a mapping read."""
    mapping, _ = examine_text(text, path)
    for scalar in mapping.parts.scalars():
        for node in ast.walk(mapping.parts.tree(scalar)):
            if isinstance(node, ast.Attribute):
                yield node.end_lineno, node.end_col_offset - len(node.attr), node.attr
            elif isinstance(node, ast.Name):
                yield node.lineno, node.col_offset, node.id


def test_nearly_every_mistyped_name_in_the_shipped_mappings_is_told():
    """Of every seventeenth name, misspelt alone; settings are free, and objects that take any field cannot tell."""
    told, untold = 0, []
    for path in mapping_files([ROOT / "mappings"]):
        text = path.read_text(encoding="utf-8")
        for line, column, name in sorted(set(_names(text, path)))[::17]:
            lines = text.split("\n")
            before, after = lines[line - 1][:column], lines[line - 1][column:]
            if len(name) < 3 or before.endswith("settings.") or not after.startswith(name):
                continue
            lines[line - 1] = f"{before}{name[:-2]}{name[-1]}{name[-2]}x{after[len(name) :]}"
            findings = examine_text("\n".join(lines), path)[1]
            told += bool(findings)
            untold += [] if findings else [f"{path.name}:{line}:{column + 1} {name}"]
    assert told > 25 and len(untold) <= told * 0.05, untold
