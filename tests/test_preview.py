"""What a changed mapping would do, seen before it does: field by field, in money, and nothing is written."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from duijie.cli.main import app
from duijie.connect.connection import Connection
from duijie.engine import Engine
from duijie.flow import load_flow
from duijie.journal import Journal
from duijie.journal.tables import metadata

FLOW = """
flow: vouchers
title: 凭证
steps:
  - {verb: pull, name: pull, connection: files, stream: sales, mapping: demo/party.in,
     since: 2026-01-01T00:00:00+08:00, window_minutes: 1051200}
  - {verb: deliver, name: deliver, connection: files, sink: sales, entity: party, mapping: demo/party.out}
"""
IN = """\
mapping: demo/party.in
from: {system: demo, stream: sales}
to: {entity: party}
fields: {key: 'join(":", "demo", id)', name: name, kind: '"company"', role: '"customer"'}
"""
OUT = """\
mapping: demo/party.out
from: {entity: party}
to: {system: demo, sink: sales}
fields: {no: key, name: name}
"""
SETTINGS = {
    "streams": {"sales": {"entity": "party", "key": "id"}},
    "sinks": {"sales": {"entity": "party", "key": "no"}},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three customers pulled and delivered, and the mappings they went by."""
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    for folder in ("mappings/demo", "in/sales", "dags/flows"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mappings/demo/party.in.yaml").write_text(IN, encoding="utf-8")
    (tmp_path / "mappings/demo/party.out.yaml").write_text(OUT, encoding="utf-8")
    (tmp_path / "dags/flows/vouchers.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "in/sales/a.json").write_text('[{"id":"1","name":"甲"},{"id":"2","name":"乙"},{"id":"3","name":"丙"}]')
    flow = load_flow(tmp_path / "dags/flows/vouchers.yaml")
    files = Connection("files", "folder", extra={"path": str(tmp_path), **SETTINGS})
    engine = Engine(Journal.open(), lambda conn_id: files, tmp_path)
    for step in flow.steps:
        engine.run(flow, step)
    return tmp_path


def rows() -> dict[str, int]:
    with Journal.open().reading() as tx:
        return {
            one.name: tx.execute(select(func.count()).select_from(one)).scalar_one() for one in metadata.sorted_tables
        }


def preview(project: Path, *more: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(
        app, ["mapping", "preview", "vouchers", "--flows", str(project / "dags/flows"), "--json", *more]
    )
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_an_unchanged_mapping_changes_nothing(project: Path) -> None:
    pulled, delivered = preview(project)
    assert pulled["counts"] == {"messages": 3, "unchanged": 3}
    assert delivered["counts"] == {"messages": 3, "unchanged": 3}


def test_a_changed_rule_is_shown_field_by_field_and_nothing_is_written(project: Path) -> None:
    path = project / "mappings/demo/party.in.yaml"
    path.write_text(path.read_text().replace("name: name", 'name: name + fail("坏") if id == "3" else name + "!"'))
    before = rows()
    [pulled] = preview(project, "--step", "pull")
    assert pulled["counts"] == {"messages": 3, "changed": 2, "failing": 1}
    assert pulled["fields"]["name"]["count"] == 2
    assert pulled["fields"]["name"]["examples"][0] == ["demo:1", "name", "甲", "甲!"]
    assert any("坏" in reason for reason in pulled["reasons"])
    assert rows() == before


def test_a_changed_payload_is_held_against_what_was_sent(project: Path) -> None:
    path = project / "mappings/demo/party.out.yaml"
    git = ["git", "-C", str(project), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for words in (["init", "-q"], ["add", "mappings"], ["commit", "-qm", "as sent"]):
        subprocess.run([*git, *words], check=True)
    path.write_text(path.read_text().replace("name: name", "name: name, more: 1"))
    [delivered] = preview(project, "--step", "deliver")
    assert delivered["counts"] == {"messages": 3, "changed": 3}
    assert delivered["fields"]["more"]["examples"][0] == ["demo:1", "more", None, 1]


def test_only_the_newest_are_looked_at(project: Path) -> None:
    assert [one["counts"]["messages"] for one in preview(project, "--last", "2")] == [2, 2]


def test_people_read_words_and_an_unknown_flow_names_those_there_are(project: Path) -> None:
    flows = str(project / "dags/flows")
    said = CliRunner().invoke(app, ["mapping", "preview", "vouchers", "--flows", flows], env={"COLUMNS": "200"})
    assert "未写入任何内容" in said.output and "条数" in said.output
    wrong = CliRunner().invoke(app, ["mapping", "preview", "vochers", "--flows", flows])
    assert wrong.exit_code != 0
