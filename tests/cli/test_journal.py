"""`duijie journal` from the shell: where everything stands, and retry and cancel, which try first."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from duijie import codec
from duijie.cli.main import app
from duijie.journal import Journal
from tests.journal.stages import SINK, brought, history, states


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    monkeypatch.setenv("COLUMNS", "200")
    return Journal.open()


def shell(*given: str) -> Result:
    return CliRunner().invoke(app, ["journal", *given])


def rows_of(*given: str) -> list[dict[str, Any]]:
    return list(codec.decode(shell(*given, "--json").stdout))


def test_status_says_how_many_how_much_and_what_is_due(kept: Journal) -> None:
    brought(kept, "a", "done")
    brought(kept, "b", "pending")
    found = {row["状态"]: row for row in rows_of("status")}
    assert (found["done"]["笔数"], found["done"]["金额"], found["done"]["最久"]) == (1, "113.00", "")
    assert (found["pending"]["含义"], found["pending"]["最久"], found["pending"]["已到期"]) == (
        "待发",
        "不到 1 分钟",
        1,
    )


def test_a_retry_is_tried_first_and_done_with_yes(kept: Journal) -> None:
    brought(kept, "a", "rejected", "科目不存在")
    tried = shell("retry", "--state", "被拒").output
    assert "加 --yes 执行" in tried
    assert "共 1 笔, 金额 113.00" in tried
    assert states(kept) == {"a": "rejected"}
    assert "已放行 1 笔" in shell("retry", "--state", "rejected", "--why", "已补", "--yes").output
    assert history(kept, "a")[-1][2:] == (getpass.getuser(), "人工重试: 已补")


def test_a_cancel_without_a_reason_is_refused_in_one_sentence(kept: Journal) -> None:
    brought(kept, "a", "pending")
    refused = shell("cancel", "--key", "a", "--yes")
    assert refused.exit_code == 1
    assert "请写明取消的原因" in refused.stderr
    assert "已取消 1 笔" in shell("cancel", "--key", "a", "--why", "客户取消", "--yes").output
    assert states(kept) == {"a": "cancelled"}


def test_what_was_sent_is_named_with_the_reason_why_it_stays(kept: Journal) -> None:
    brought(kept, "a", "sent")
    assert "不动 1 笔: 已发出, 对方可能已入账" in shell("cancel", "--sink", SINK, "--why", "x", "--yes").output
    assert states(kept) == {"a": "sent"}


def test_without_a_condition_nothing_is_touched(kept: Journal) -> None:
    refused = shell("retry", "--yes")
    assert refused.exit_code == 1
    assert "至少给出一个条件" in refused.stderr
