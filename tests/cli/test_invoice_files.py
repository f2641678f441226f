"""`duijie invoice …`: the files of invoices from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from duijie.cli.invoice_files import app
from duijie.engine import Engine
from duijie.journal import Journal, documents
from duijie.originals import kept
from duijie.originals.xbrl import read as read_xbrl
from sandbox.bureau_files import face_ofd, face_xml
from tests.einvoice.tampered import BUYER, faces
from tests.originals.world import Platform, issue

runner = CliRunner()
PLAIN = faces()["plain"]
OURS = f"{BUYER.tax_no}={BUYER.name}"


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    monkeypatch.setenv("DUIJIE_ARCHIVE", str(tmp_path / "kept"))
    return Journal.open()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    monkeypatch.setattr(Engine, "connector", lambda self, conn_id: made)
    return made


def asked(*words: str, code: int = 0) -> Any:
    result = runner.invoke(app, [*words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.output)


def test_fetch_runs_the_flow_and_one_number_at_once(journal: Journal, platform: Platform) -> None:
    issue(journal, "plain")
    assert asked("fetch") == [{"流程": "invoice_files", "已取得": 3}]
    issue(journal, "mixed")
    assert asked("fetch", faces()["mixed"].number) == [{"发票": faces()["mixed"].number, "已取得": 3}]
    assert asked("verify") == []
    unknown = runner.invoke(app, ["fetch", "1" * 20])
    assert (unknown.exit_code, "没有号码为" in unknown.stderr) == (1, True)


def test_a_file_downloaded_by_hand_is_taken_and_compared(journal: Journal, platform: Platform, tmp_path: Path) -> None:
    issue(journal, "plain")
    right, wrong = tmp_path / "right.xml", tmp_path / "wrong.xml"
    right.write_bytes(face_xml(PLAIN))
    wrong.write_bytes(face_xml(faces()["mixed"]))
    assert asked("fetch", PLAIN.number, "--file", str(right)) == []
    rows = asked("fetch", PLAIN.number, "--file", str(wrong), code=1)
    assert {"字段": "发票号码", "我方": PLAIN.number, "文件": faces()["mixed"].number}.items() <= rows[0].items()


def test_verify_ends_with_one_when_a_kept_file_was_changed(
    journal: Journal, platform: Platform, tmp_path: Path
) -> None:
    issue(journal, "plain")
    asked("fetch")
    place = kept.of(journal, "invoice", "plain")[0].place
    (tmp_path / "kept" / place).chmod(0o600)
    (tmp_path / "kept" / place).write_bytes(b"changed")
    (row,) = asked("verify", code=1)
    assert row["位置"] == place and "指纹不符" in row["原因"]


def test_resend_keeps_a_record(journal: Journal, platform: Platform) -> None:
    issue(journal, "plain")
    (row,) = asked("resend", PLAIN.number, "--mail", "buyer@example.com")
    assert row["邮箱"] == "buyer@example.com" and "已交平台" in row["结果"]
    assert platform.sent[0][0] == PLAIN.number
    assert runner.invoke(app, ["resend", PLAIN.number]).exit_code == 1


def test_receive_takes_a_folder_and_needs_to_know_who_we_are(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ofd").write_bytes(face_ofd(PLAIN))
    (tmp_path / "in" / "b.xml").write_bytes(b"junk")
    rows = asked("receive", str(tmp_path / "in"), "--company", OURS, code=1)
    assert [(row["文件"], row["结果"], row["发票"]) for row in rows] == [
        ("a.ofd", "新收", PLAIN.number),
        ("b.xml", "拒收", ""),
    ]
    nobody = runner.invoke(app, ["receive", str(tmp_path / "in")])
    assert (nobody.exit_code, "--company" in nobody.stderr) == (1, True)


def test_render_draws_a_pdf(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(face_xml(PLAIN))
    assert runner.invoke(app, ["render", str(tmp_path / "a.xml"), "--out", str(tmp_path / "a.pdf")]).exit_code == 0
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")


def test_xbrl_is_archived_beside_the_voucher_of_that_amount(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(face_xml(PLAIN))
    asked("receive", str(tmp_path / "a.xml"), "--company", OURS)
    line = {"summary": "购货", "account": "inventory", "debit": PLAIN.gross, "credit": 0}
    lines = [{"line_no": 1, **line}, {"line_no": 2, **line, "account": "payable", "debit": 0, "credit": PLAIN.gross}]
    head = {"date": "2026-11-30", "period": "202611", "word": "记", "summary": "购货", "attachments": 1}
    for key, total in (("V1", PLAIN.gross), ("V2", PLAIN.net)):
        with journal.writing() as tx:
            body = {"key": key, **head, "debit": total, "credit": total, "lines": lines}
            documents.put(tx, journal, "voucher", body, (None, "test"))
    out = tmp_path / "a.xbrl"
    given = ["xbrl", PLAIN.number, "--no", "记-0001", "--out", str(out), "--voucher"]
    assert runner.invoke(app, [*given, "V1"]).exit_code == 0
    assert read_xbrl(out.read_bytes()).entries[0].amount == PLAIN.gross
    assert [one.kind for one in kept.of(journal, "purchase_invoice", PLAIN.number)] == ["xml", "xbrl"]
    assert runner.invoke(app, [*given, "V2"]).exit_code == runner.invoke(app, [*given, "V3"]).exit_code == 1
    assert asked("verify") == []
