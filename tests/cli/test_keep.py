"""`duijie journal backup`, `verify`, `restore` as ops see them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from duijie import codec
from duijie.cli.main import app
from duijie.journal import Journal
from tests.journal.stages import brought


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    monkeypatch.setenv("COLUMNS", "200")
    return Journal.open()


def shell(*given: object) -> Result:
    return CliRunner().invoke(app, ["journal", *map(str, given)])


def test_from_backup_to_a_restored_journal(kept: Journal, tmp_path: Path) -> None:
    brought(kept, "a", "done")
    brought(kept, "b", "sent")
    [made] = codec.decode(shell("backup", tmp_path / "backups", "--json").stdout)
    proof = shell("verify", made["备份"])
    assert proof.exit_code == 0
    assert "逐行哈希与清单一致" in proof.stdout
    assert made["指纹"] in proof.stdout
    target = tmp_path / "restored.db"
    assert "1 笔未完成的投递将先查询对方再决定" in shell("restore", made["备份"], "--to", f"sqlite:///{target}").stdout
    refused = shell("restore", made["备份"], "--to", f"sqlite:///{target}")
    assert (refused.exit_code, "不是空的" in refused.stderr) == (1, True)


def test_a_folder_that_is_no_backup_is_one_sentence(kept: Journal, tmp_path: Path) -> None:
    refused = shell("verify", tmp_path)
    assert (refused.exit_code, "不是备份" in refused.stderr) == (1, True)


def test_a_purge_is_tried_first(kept: Journal, tmp_path: Path) -> None:
    given = ("purge", "--older-than", "400d", "--archive", tmp_path / "archive", "--days", "runs=90")
    assert "加 --yes 执行" in shell(*given).stdout
    assert not (tmp_path / "archive").exists()
    assert "已归档到" in shell(*given, "--yes").stdout
    refused = shell("purge", "--older-than", "1y", "--archive", tmp_path)
    assert (refused.exit_code, "如 400d" in refused.stderr) == (1, True)
