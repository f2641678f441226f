"""Files of issued invoices are had, kept and compared; what cannot be had never undoes that they are issued."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem
from sqlalchemy import select

from duijie.alerts.kinds import kind_of
from duijie.connect.errors import AnswerLost, CredentialError, InvalidDocument, NotSent
from duijie.connect.invoicing import Copy
from duijie.flow import Fetch
from duijie.journal import Journal, documents
from duijie.journal.tables import alert, work_item
from duijie.originals import kept
from duijie.originals.archive import Archive
from duijie.originals.fetch import Fetching
from duijie.originals.find import issued
from duijie.originals.resend import history, resend
from duijie.originals.verify import verify
from sandbox.bureau_files import face_xml
from tests.einvoice.tampered import faces
from tests.originals.world import Platform, fetching, issue, journal_of


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return journal_of(tmp_path)


@pytest.fixture
def later(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[timedelta]]:
    """Moves the journal's clock by what is in the list."""
    moved = [timedelta()]
    now = journal.now
    monkeypatch.setattr(journal, "now", lambda: now() + moved[0], raising=False)
    yield moved


def items(journal: Journal, state: str = "open") -> list[str]:
    with journal.reading() as tx:
        return list(tx.execute(select(work_item.c.reason).where(work_item.c.state == state)).scalars())


def test_all_files_of_every_issued_invoice_are_kept_once(journal: Journal, tmp_path: Path) -> None:
    platform = Platform()
    for name in ("plain", "mixed", "free", "red"):
        issue(journal, name)
    assert fetching(journal, platform, tmp_path / "kept").run() == {"fetched": 12}
    assert fetching(journal, platform, tmp_path / "kept").run() == {}
    assert len(platform.asked) == 12
    assert items(journal) == []
    files = kept.of(journal, "invoice", "plain")
    assert {one.kind for one in files} == {"xml", "ofd", "pdf"}
    assert all((tmp_path / "kept" / one.place).stat().st_size == one.size for one in files)
    assert files[0].place.startswith("2026/11/23/")
    assert all(not verdict.wrong for verdict in verify(journal, Archive(str(tmp_path / "kept"))))


def test_what_is_not_issued_yet_and_what_another_connection_told_is_left_alone(
    journal: Journal, tmp_path: Path
) -> None:
    issue(journal, "plain", status="issuing", number="")
    issue(journal, "mixed")
    step = Fetch(name="fetch", connection="baiwang")
    platform = Platform()
    assert fetching(journal, platform, tmp_path / "kept", step).run() == {}
    assert fetching(journal, platform, tmp_path / "kept").run() == {"fetched": 3}


def test_a_failed_download_waits_longer_each_time_then_for_a_person_and_the_invoice_stays_issued(
    journal: Journal, tmp_path: Path, later: list[timedelta]
) -> None:
    issue(journal, "plain")
    platform = Platform()
    platform.broken["ofd"] = AnswerLost("应答丢失")
    work = fetching(journal, platform, tmp_path / "kept")
    assert work.run() == {"fetched": 2, "failed": 1}
    assert work.run() == {"waiting": 1}
    later[0] = timedelta(minutes=1, seconds=1)
    assert work.run() == {"failed": 1}
    later[0] += timedelta(minutes=1)
    assert work.run() == {"waiting": 1}
    later[0] += timedelta(minutes=1)
    assert work.run() == {"failed": 1}
    later[0] += timedelta(days=30)
    assert work.run() == {"waiting": 1}
    assert [number for number, kind in platform.asked if kind == "ofd"] == [faces()["plain"].number] * 3
    (reason,) = items(journal)
    assert "OFD" in reason and "3 次" in reason and "应答丢失" in reason
    still = documents.get(journal, "invoice", "plain")
    assert still is not None and still.body["status"] == "issued"


def test_a_person_asks_again_at_once_and_the_work_item_is_closed(journal: Journal, tmp_path: Path) -> None:
    invoice = issue(journal, "plain")
    platform = Platform()
    platform.broken["ofd"] = AnswerLost("应答丢失")
    work = fetching(journal, platform, tmp_path / "kept", Fetch(name="fetch", connection="nuonuo", tries=1))
    work.run()
    assert len(items(journal)) == 1
    platform.broken.clear()
    assert work.one(invoice, at_once=True) == {"fetched": 1}
    assert items(journal) == []
    assert work.run() == {}


@pytest.mark.parametrize(
    ("kind", "page"),
    [("pdf", b"<html>expired</html>"), ("xml", b"%PDF-1.4"), ("ofd", b"PK\x03\x04broken"), ("xml", b"")],
)
def test_an_answer_that_is_no_such_file_is_not_kept(journal: Journal, tmp_path: Path, kind: str, page: bytes) -> None:
    issue(journal, "plain")
    platform = Platform()
    platform.files[faces()["plain"].number, kind] = page
    assert fetching(journal, platform, tmp_path / "kept").run() == {"fetched": 2, "failed": 1}
    assert kind not in {one.kind for one in kept.of(journal, "invoice", "plain")}
    assert kept.waits(journal, "invoice", "plain")[kind].tries == 1


def test_a_file_of_another_invoice_is_kept_as_evidence_and_told_field_by_field(
    journal: Journal, tmp_path: Path
) -> None:
    issue(journal, "plain")
    platform = Platform()
    platform.files[faces()["plain"].number, "xml"] = face_xml(faces()["mixed"])
    assert fetching(journal, platform, tmp_path / "kept").run() == {"differing": 1, "fetched": 2}
    (reason,) = items(journal)
    assert "E-FILE-MISMATCH" in reason and "发票号码" in reason and faces()["mixed"].number in reason
    assert [one.kind for one in kept.of(journal, "invoice", "plain") if one.faults] == ["xml"]
    platform.files[faces()["plain"].number, "xml"] = face_xml(faces()["plain"])
    invoice, connection = issued(journal, faces()["plain"].number)
    assert connection == "nuonuo"
    assert fetching(journal, platform, tmp_path / "kept").one(invoice, at_once=True) == {"fetched": 1}
    assert items(journal) == []


def test_the_xml_and_the_ofd_of_one_invoice_must_agree(journal: Journal, tmp_path: Path) -> None:
    issue(journal, "plain")
    platform = Platform()
    step = Fetch(name="fetch", connection="nuonuo", kinds=("xml", "ofd"))
    number = faces()["plain"].number
    other = face_xml(faces()["plain"]).replace(faces()["plain"].seller.name.encode(), "杭州别家有限公司".encode())
    platform.files[number, "xml"] = other  # the request says nothing of the seller's name
    assert fetching(journal, platform, tmp_path / "kept", step).run() == {"fetched": 1, "differing": 1}
    (reason,) = items(journal)
    assert "销售方名称" in reason and "杭州别家有限公司" in reason


def test_a_name_of_ours_that_is_given_must_be_on_the_file(journal: Journal, tmp_path: Path) -> None:
    issue(journal, "plain")
    names = {faces()["plain"].seller.tax_no: "杭州别家有限公司"}
    step = Fetch(name="fetch", connection="nuonuo", kinds=("xml",), seller_names=names)
    assert fetching(journal, Platform(), tmp_path / "kept", step).run() == {"differing": 1}


def test_a_refused_key_stops_the_step_and_counts_for_no_file(journal: Journal, tmp_path: Path) -> None:
    issue(journal, "plain")
    platform = Platform()
    platform.broken["xml"] = CredentialError("密钥被拒")
    with pytest.raises(CredentialError):
        fetching(journal, platform, tmp_path / "kept").run()
    assert kept.waits(journal, "invoice", "plain") == {}


class Files(BaseHTTPRequestHandler):
    """Serves what is in `bodies`."""

    bodies: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        body = self.bodies.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_files_are_taken_from_the_addresses_a_platform_gave(journal: Journal, tmp_path: Path, address: str) -> None:
    Files.bodies = {"/a.xml": face_xml(faces()["plain"]), "/a.ofd": b" " * (10 * 1024 * 1024 + 1)}
    issue(journal, "plain", files={"xml": f"{address}/a.xml", "ofd": f"{address}/a.ofd", "pdf": f"{address}/gone.pdf"})
    assert fetching(journal, None, tmp_path / "kept").run() == {"fetched": 1, "failed": 2}
    waits = kept.waits(journal, "invoice", "plain")
    assert "10 MB" in waits["ofd"].reason and "404" in waits["pdf"].reason


class TestArchive:
    def test_a_file_is_written_once_and_read_back_as_it_was(self, tmp_path: Path) -> None:
        archive = Archive(str(tmp_path))
        place, sha256 = archive.keep(b"one", "xml", "2026-11-23")
        assert archive.keep(b"one", "xml", "2026-11-23") == (place, sha256)
        assert place == f"2026/11/23/{sha256}.xml"
        assert archive.read(place, sha256) == b"one"
        assert (tmp_path / place).stat().st_mode & 0o777 == 0o400
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{sha256}.xml"]

    def test_a_file_that_was_changed_is_never_handed_out(self, tmp_path: Path) -> None:
        archive = Archive(str(tmp_path))
        place, sha256 = archive.keep(b"one", "xml", "2026-11-23")
        (tmp_path / place).chmod(0o600)
        (tmp_path / place).write_bytes(b"two")
        with pytest.raises(InvalidDocument, match="not what was kept"):
            archive.read(place, sha256)
        archive.keep(b"one", "xml", "2026-11-23")
        assert archive.read(place, sha256) == b"one"

    def test_a_file_that_is_gone_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidDocument, match="cannot be read"):
            Archive(str(tmp_path)).read("2026/11/23/x.xml", "x")

    def test_a_disk_that_refuses_is_tried_again_later(self, tmp_path: Path) -> None:
        (tmp_path / "2026").write_bytes(b"in the way")
        with pytest.raises(NotSent, match="cannot be written"):
            Archive(str(tmp_path)).keep(b"one", "xml", "2026-11-23")


@pytest.mark.slow
def test_a_store_that_speaks_s3_keeps_files_as_well(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        settings = {"key": "test", "secret": "test", "endpoint_url": f"http://{host}:{port}"}
        S3FileSystem(**settings).mkdir("invoices")
        for name, value in settings.items():
            monkeypatch.setitem(fsspec.config.conf.setdefault("s3", {}), name, value)
        invoice = issue(journal, "plain")
        assert fetching(journal, Platform(), "s3://invoices/2026").run() == {"fetched": 3}
        archive = Archive("s3://invoices/2026")
        assert [verdict.wrong for verdict in verify(journal, archive)] == [(), (), ()]
        one = kept.of(journal, "invoice", invoice.key)[0]
        S3FileSystem(**settings).pipe_file(f"invoices/2026/{one.place}", b"changed")
        assert sum(bool(verdict.wrong) for verdict in verify(journal, archive)) == 1
    finally:
        server.stop()


class TestResend:
    def test_it_goes_through_the_platform_and_is_written_down(self, journal: Journal) -> None:
        invoice, platform = issue(journal, "plain"), Platform()
        resend(journal, invoice, platform, Copy("buyer@example.com", "13912345678"), "王会计")
        assert platform.sent == [(faces()["plain"].number, Copy("buyer@example.com", "13912345678"))]
        (row,) = history(journal, invoice)
        assert (row["mail"], row["phone"], row["who"]) == ("buyer@example.com", "13912345678", "王会计")
        assert "已交平台" in row["outcome"]

    def test_a_lost_answer_is_said_to_be_unknown(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        invoice, platform = issue(journal, "plain"), Platform()

        def lost(*_: object) -> None:
            raise AnswerLost("应答丢失")

        monkeypatch.setattr(platform, "resend", lost)
        with pytest.raises(AnswerLost):
            resend(journal, invoice, platform, Copy(mail="buyer@example.com"), "王会计")
        assert "结果未知" in history(journal, invoice)[0]["outcome"]

    @pytest.mark.parametrize("copy", [Copy(), Copy(mail="a b@c.cn"), Copy(mail="a@b.cn,c@d.cn"), Copy(phone="12")])
    def test_what_is_no_address_never_leaves(self, journal: Journal, copy: Copy) -> None:
        invoice, platform = issue(journal, "plain"), Platform()
        with pytest.raises(InvalidDocument):
            resend(journal, invoice, platform, copy, "王会计")
        assert platform.sent == [] and history(journal, invoice) == []


def test_verify_names_a_file_that_no_longer_says_what_the_journal_says(journal: Journal, tmp_path: Path) -> None:
    issue(journal, "plain")
    work: Fetching = fetching(journal, Platform(), tmp_path / "kept")
    work.run()
    with journal.writing() as tx:
        changed = documents.get(journal, "invoice_request", "plain")
        assert changed is not None
        body = {**changed.body, "buyer": {"name": "别的公司", "tax_no": ""}}
        documents.put(tx, journal, "invoice_request", body, (None, "rules/invoice"))
    wrong = [one for one in verify(journal, work.archive) if one.wrong]
    assert {one.file.kind for one in wrong} == {"xml", "ofd"}
    assert "购买方名称" in "".join(wrong[0].wrong)


def test_the_alert_tells_who_issues_invoices(journal: Journal, tmp_path: Path) -> None:
    issue(journal, "plain")
    platform = Platform()
    platform.broken["xml"] = AnswerLost("应答丢失")
    fetching(journal, platform, tmp_path / "kept", Fetch(name="f", connection="nuonuo", tries=1)).run()
    with journal.reading() as tx:
        (told,) = tx.execute(select(alert.c.title, alert.c.dedupe))
        owner = tx.execute(select(work_item.c.owner)).scalar_one()
    assert "发票文件" in told.title and owner == "开票员"
    assert kind_of(told.dedupe).name == "invoice"
