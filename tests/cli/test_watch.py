"""`duijie watch`: one look, an exit code for cron, JSON for programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from duijie import codec
from duijie.cli.main import app
from duijie.journal import Journal
from duijie.journal.tables import run

FLOWS = """
flow: orders
title: 订单
schedule: "* * * * *"
steps:
  - {verb: alert, name: send}
"""


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("DUIJIE_CONNECTIONS", "DUIJIE_AIRFLOW_URL", "DUIJIE_AIRFLOW_API"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "orders.yaml").write_text(FLOWS, encoding="utf-8")
    return str(tmp_path)


def test_nothing_found_is_exit_code_0(flows: str) -> None:
    done = CliRunner().invoke(app, ["watch", "--flows", flows])
    assert (done.exit_code, done.stdout.strip()) == (0, "值守: 无")


def test_a_finding_is_exit_code_1_with_its_next_step(flows: str) -> None:
    kept = Journal.open()
    with kept.writing() as tx:
        long_ago = kept.now().replace(year=kept.now().year - 1)
        tx.execute(insert(run).values(flow="orders", step="send", started_at=long_ago, ended_at=long_ago))
    done = CliRunner().invoke(app, ["watch", "--flows", flows, "--json"])
    assert done.exit_code == 1
    said = {one["规则"]: one for one in codec.decode(done.stdout)}
    assert set(said) == {"idle", "backup"}
    assert (said["idle"]["级别"], said["idle"]["对象"]) == ("紧急", "orders")
    assert "是否被暂停" in said["idle"]["下一步"]
