"""Recorded traffic: streams found, alerts raised once and closed, the command as people see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from duijie.cli.main import app
from duijie.connect.errors import ConfigError
from duijie.drift import drifted, told
from duijie.journal import Journal
from duijie.journal.tables import alert
from tests.drift.conftest import Keep

SCHEMA = {"type": "object", "properties": {"tid": {"type": "integer"}, "fee": {"type": "string"}}}


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    (folder / "sources" / "acme").mkdir(parents=True)
    (folder / "sources" / "acme" / "trade.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return folder


def acme(_: str) -> str:
    return "acme"


def unknown(name: str) -> str:
    raise ConfigError(f"没有名为 {name} 的连接")


def open_titles(journal: Journal) -> list[str]:
    with journal.reading() as tx:
        return list(tx.execute(select(alert.c.title).where(alert.c.open_dedupe.is_not(None))).scalars())


def test_the_schema_of_the_connections_type_is_what_counts(journal: Journal, keep: Keep, schemas: Path) -> None:
    keep([{"tid": 1, "fee": "1"}, {"tid": 2, "fee": 2}])
    looked = drifted(journal, acme, schemas)
    assert [(one.change.kind, one.change.path, one.change.example) for one in looked.drifted] == [
        ("retyped", "fee", "2")
    ]
    assert [(count, has_schema) for _, count, has_schema in looked.streams] == [(2, True)]


def test_a_connection_that_is_gone_is_looked_at_by_its_traffic(journal: Journal, keep: Keep, schemas: Path) -> None:
    keep([{"tid": 1, "fee": 1}])
    looked = drifted(journal, unknown, schemas)
    assert looked.drifted == []
    assert [has_schema for _, _, has_schema in looked.streams] == [False]


def test_only_the_newest_count_as_now(journal: Journal, keep: Keep, schemas: Path) -> None:
    keep([{"tid": 1, "fee": 1}])
    keep([{"tid": at, "fee": "1"} for at in range(2, 7)])
    assert drifted(journal, acme, schemas, newest=5).drifted == []
    assert len(drifted(journal, acme, schemas, newest=6).drifted) == 1


def test_one_alert_a_stream_raised_once_and_closed_when_it_is_over(journal: Journal, keep: Keep, schemas: Path) -> None:
    keep([{"tid": 1, "fee": "1", "level": "VIP"}])
    assert told(journal, acme, schemas)["raised"] == 1
    assert told(journal, acme, schemas)["raised"] == 0
    assert open_titles(journal) == ["shop 的 trade 报文结构有变: 1 个字段"]
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "level": {"type": "string"}}}
    (schemas / "sources" / "acme" / "trade.json").write_text(json.dumps(schema), encoding="utf-8")
    assert told(journal, acme, schemas)["over"] == 1
    assert "shop 的 trade 报文结构有变: 1 个字段" not in open_titles(journal)


class TestCommand:
    @pytest.fixture(autouse=True)
    def _here(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DUIJIE_JOURNAL", str(journal.engine.url))
        monkeypatch.setenv("DUIJIE_CONN_SHOP", '{"conn_type": "acme"}')
        monkeypatch.setenv("COLUMNS", "160")

    def test_it_shows_each_change_and_exits_with_one(self, keep: Keep, schemas: Path) -> None:
        keep([{"tid": 1, "fee": 2}])
        said = CliRunner().invoke(app, ["connector", "drift", "--schemas", str(schemas)])
        assert said.exit_code == 1
        assert "shop/trade: 最新 1 条, 对照结构定义与以往报文" in said.output
        assert all(word in said.output for word in ("类型变化", "fee", "string", "integer"))

    def test_without_change_it_exits_with_nought(self, keep: Keep, schemas: Path) -> None:
        keep([{"tid": 1, "fee": "2"}])
        said = CliRunner().invoke(app, ["connector", "drift", "shop", "--schemas", str(schemas)])
        assert (said.exit_code, "报文结构变化: 无" in said.output) == (0, True)

    def test_it_prints_a_schema_to_start_from(self, keep: Keep) -> None:
        keep([{"tid": 1, "fee": "2"}])
        said = CliRunner().invoke(app, ["connector", "drift", "shop", "--learn", "trade"])
        assert json.loads(said.output)["$id"] == "duijie:source:acme:trade"

    def test_nothing_to_learn_from_is_told(self) -> None:
        said = CliRunner().invoke(app, ["connector", "drift", "shop", "--learn", "trade"])
        assert said.exit_code == 1
        assert "请先拉取" in said.output
