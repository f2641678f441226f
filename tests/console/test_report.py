"""日报: whatever part of report.json is there is shown; a broken one is named instead of breaking the page."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from duijie import codec
from duijie.journal import Journal
from duijie.report import Mark, build


def shown(client: TestClient, path: Path, monkeypatch: pytest.MonkeyPatch, report: bytes) -> str:
    path.write_bytes(report)
    monkeypatch.setenv("DUIJIE_REPORT", str(path))
    answer = client.get("/report")
    assert answer.status_code == 200
    return answer.text


@pytest.fixture
def day(kept: Journal) -> dict[str, Any]:
    """A whole report, as the journal and the demo make it."""
    report = build(kept, {}, Mark(0, 0, 0))
    return {"seconds": Decimal("12.5"), **report, "airflow": {"dag_runs": 8, "failed": 1, "states": {}}}


def test_a_whole_report_is_shown(
    ops: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: dict[str, Any]
) -> None:
    page = shown(ops, tmp_path / "report.json", monkeypatch, codec.encode_ordered(day))
    for words in ("12.5", "8 / 1", "1,121.00", "360.01", "令牌过期后刷新"):
        assert words in page


@pytest.mark.parametrize("missing", ["airflow", "flows", "vouchers", "invoices", "reconciliation", "waiting", "healed"])
def test_a_part_that_is_missing_is_left_empty(
    ops: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: dict[str, Any], missing: str
) -> None:
    part = {name: value for name, value in day.items() if name != missing}
    page = shown(ops, tmp_path / "report.json", monkeypatch, codec.encode_ordered(part))
    assert "业务日报" in page
    assert "None" not in page


def test_nothing_but_braces_is_still_a_report(ops: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(ops, tmp_path / "report.json", monkeypatch, b'{"flows": [{}], "waiting": [{}]}')
    assert "—" in page
    assert "None" not in page


@pytest.mark.parametrize("broken", [b"", b'{"flows": [{"ti', b"[1]", b'{"flows": 3}', b"\xff\xfe"])
def test_a_report_that_is_broken_is_named(
    ops: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bytes
) -> None:
    page = shown(ops, tmp_path / "report.json", monkeypatch, broken)
    assert "report.json 不完整或已损坏" in page


def test_unequal_vouchers_are_not_shown_as_equal(
    ops: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = json.dumps({"vouchers": {"count": 1, "debit": 10, "credit": 9}}).encode()
    assert "≠" in shown(ops, tmp_path / "report.json", monkeypatch, report)
