"""Invoices of suppliers come in by folder and by mail, each number once, and only those that are ours and right."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from email.message import EmailMessage
from imaplib import IMAP4
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, NotSent
from duijie.engine import Engine
from duijie.flow import Receive, load_flow
from duijie.journal import Journal, documents
from duijie.journal.tables import work_item
from duijie.originals import kept
from duijie.originals.archive import Archive
from duijie.originals.inbox import counted, receive_mail, receive_path
from duijie.originals.received import ENTITY, Receiving
from sandbox.bureau_files import Face, face_ofd, face_pdf, face_xml
from tests.einvoice.tampered import BUYER, faces
from tests.originals.world import journal_of
from tests.servers import free_port

STEP = Receive(name="receive", companies={BUYER.tax_no: BUYER.name})
PLAIN = faces()["plain"]


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return journal_of(tmp_path)


@pytest.fixture
def receiving(journal: Journal, tmp_path: Path) -> Receiving:
    return Receiving(journal, "purchase_invoices", STEP, Archive(str(tmp_path / "kept")))


def items(journal: Journal) -> list[str]:
    with journal.reading() as tx:
        return list(tx.execute(select(work_item.c.reason)).scalars())


def fate(receiving: Receiving, data: bytes) -> str:
    return receiving.take("f", data, "test").fate


def body(journal: Journal, face: Face = PLAIN) -> dict[str, Any]:
    found = documents.get(journal, ENTITY, face.number)
    assert found is not None
    return found.body


def test_a_file_becomes_a_purchase_invoice_with_its_lines(receiving: Receiving, journal: Journal) -> None:
    assert fate(receiving, face_xml(PLAIN)) == "new"
    made = body(journal)
    assert (made["number"], made["gross"], made["seller"]["name"]) == (
        PLAIN.number,
        Decimal("113.00"),
        PLAIN.seller.name,
    )
    (line,) = made["lines"]
    assert (line["qty"], line["price"], line["tax_rate"], line["unit"]) == (2, 50, Decimal("0.13"), "只")
    assert items(journal) == []


def test_a_number_comes_in_once_however_often_and_in_whatever_form(receiving: Receiving, journal: Journal) -> None:
    assert fate(receiving, face_ofd(PLAIN)) == "new"
    assert body(journal)["lines"] == []
    assert fate(receiving, face_xml(PLAIN)) == "more"
    assert len(body(journal)["lines"]) == 1
    assert fate(receiving, face_xml(PLAIN)) == fate(receiving, face_ofd(PLAIN)) == "again"
    assert fate(receiving, face_xml(PLAIN) + b"<!-- mailed again -->") == "more"
    assert documents.count(journal) == {ENTITY: 1}
    assert len(kept.of(journal, ENTITY, PLAIN.number)) == 3


def test_a_known_number_that_says_something_else_is_refused_and_told(receiving: Receiving, journal: Journal) -> None:
    fate(receiving, face_xml(PLAIN))
    dearer = replace(
        PLAIN, lines=tuple(replace(one, net=one.net * 2, tax=one.tax * 2, qty=Decimal(4)) for one in PLAIN.lines)
    )
    assert fate(receiving, face_xml(dearer)) == "refused"
    assert body(journal)["gross"] == Decimal("113.00")
    (reason,) = items(journal)
    assert "E-DUPLICATE" in reason and "226.00" in reason and "查验平台" in reason


@pytest.mark.parametrize(
    ("buyer", "field"),
    [
        (replace(BUYER, tax_no="91440305MA5DEMN35X"), "购买方税号"),
        (replace(BUYER, name="上海示例（采购）"), "购买方名称"),
    ],
)
def test_what_is_not_made_out_to_us_is_kept_and_refused(
    receiving: Receiving, journal: Journal, buyer: Any, field: str
) -> None:
    assert fate(receiving, face_xml(replace(PLAIN, buyer=buyer))) == "refused"
    assert documents.get(journal, ENTITY, PLAIN.number) is None
    assert field in items(journal)[0] and "退回供应商" in items(journal)[0]
    (file,) = kept.of(journal, ENTITY, PLAIN.number)
    assert "E-BUYER" in file.faults


def test_arithmetic_is_checked_and_a_cent_in_the_header_is_let_pass(receiving: Receiving, journal: Journal) -> None:
    total = f"<TotalTaxAm>{PLAIN.tax}".encode()
    assert fate(receiving, face_xml(PLAIN).replace(total, b"<TotalTaxAm>13.02")) == "refused"
    assert "E-HEADER-SUM" in items(journal)[0]
    assert fate(receiving, face_xml(PLAIN).replace(total, b"<TotalTaxAm>13.01")) == "new"


def test_what_is_no_invoice_is_refused_and_a_pdf_passed_over(receiving: Receiving, journal: Journal) -> None:
    assert fate(receiving, b"<html/>") == "refused"
    assert fate(receiving, b"<?xml version='1.0'?><!DOCTYPE x><x/>") == "refused"
    assert fate(receiving, face_pdf(PLAIN)) == "passed"
    assert len(items(journal)) == 2 and "E-FILE-DTD" in items(journal)[1]


def mail(**attached: bytes) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "发票", "a@example.com", "b@example.com"
    message.set_content("见附件 http://127.0.0.1/invoice.xml")
    for name, data in attached.items():
        file = name.replace("_", ".")
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=f"电子发票{file}")
    return message.as_bytes()


def test_a_folder_is_emptied_into_what_was_taken_and_what_was_refused(receiving: Receiving, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.xml").write_bytes(face_xml(PLAIN))
    (folder / "b.eml").write_bytes(mail(b_xml=face_xml(faces()["mixed"]), b_pdf=face_pdf(PLAIN)))
    (folder / "c.xml").write_bytes(b"junk")
    (folder / "big.ofd").write_bytes(b"PK\x03\x04" + bytes(10 * 1024 * 1024))
    (folder / "notes.txt").write_text("no invoice")
    assert counted(receive_path(receiving, folder)) == {"new": 2, "passed": 1, "refused": 2}
    assert counted(receive_path(receiving, folder, tidy=True)) == {"again": 2, "passed": 1, "refused": 2}
    assert sorted(path.name for path in (folder / "已收").iterdir()) == ["a.xml", "b.eml"]
    assert sorted(path.name for path in (folder / "拒收").iterdir()) == ["big.ofd", "c.xml"]
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["notes.txt"]
    with pytest.raises(ConfigError, match="no "):
        receive_path(receiving, tmp_path / "gone")


def test_a_flow_takes_what_lies_in_its_folder(journal: Journal, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.xml").write_bytes(face_xml(PLAIN))
    file = tmp_path / "flow.yaml"
    step = f"{{verb: receive, name: take, folder: {folder}, companies: {{{BUYER.tax_no}: {BUYER.name}}}}}"
    file.write_text(f"flow: purchase\ntitle: 进项\nsteps:\n  - {step}\n", encoding="utf-8")
    flow = load_flow(file)
    assert Engine(journal).run(flow, flow.steps[0]) == {"new": 1}
    assert Engine(journal).run(flow, flow.steps[0]) == {}


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A real IMAP server (pymap) with an empty mailbox."""
    home, port = tmp_path_factory.mktemp("mail"), free_port()
    where = [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-tls",
        "--no-service",
        "admin",
        "--no-service",
        "managesieve",
    ]
    command = [str(Path(sys.executable).with_name("pymap")), *where, "dict"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield Connection("post", "imap", f"imap://127.0.0.1:{port}", "demouser", "demopass")
        finally:
            server.terminate()


def connected(mailbox: Connection) -> IMAP4:
    for _ in range(100):
        try:
            box = IMAP4("127.0.0.1", int(mailbox.host.rpartition(":")[2]))
            box.login(mailbox.login, mailbox.password)
            return box
        except OSError:
            time.sleep(0.1)
    raise AssertionError("no IMAP server")


@pytest.mark.slow
def test_unread_mails_of_a_real_imap_server_are_taken_once(
    receiving: Receiving, journal: Journal, mailbox: Connection
) -> None:
    box = connected(mailbox)
    receive_mail(receiving, mailbox)  # what the server brings with it
    for message in (mail(a_xml=face_xml(PLAIN), a_ofd=face_ofd(PLAIN)), mail(b_xml=b"junk"), mail()):
        assert box.append("INBOX", "", "", message)[0] == "OK"
    assert counted(receive_mail(receiving, mailbox)) == {"new": 1, "more": 1, "refused": 1}
    assert receive_mail(receiving, mailbox) == []
    assert body(journal)["number"] == PLAIN.number
    box.append("INBOX", "", "", mail(a_xml=face_xml(PLAIN)))
    assert counted(receive_mail(receiving, mailbox)) == {"again": 1}
    with pytest.raises(CredentialError):
        receive_mail(receiving, replace(mailbox, password="wrong"))


def test_a_mailbox_that_is_not_there_is_tried_again_and_one_in_the_clear_is_refused(receiving: Receiving) -> None:
    with pytest.raises(NotSent):
        receive_mail(receiving, Connection("post", "imap", f"imap://127.0.0.1:{free_port()}", "a", "b"))
    with pytest.raises(ConfigError, match="imaps"):
        receive_mail(receiving, Connection("post", "imap", "imap://mail.example.com", "a", "b"))
