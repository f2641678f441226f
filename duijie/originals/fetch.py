"""Fetches the files of issued invoices, keeps them and holds them against what was asked for.

An invoice is issued whether its files can be had or not: a download that fails is tried again, ever more rarely, and
after so many tries a person is told. A file that is not the invoice's is kept as evidence and reported, never handed
on silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection as Transaction
from sqlalchemy import select

from duijie.codec import Record
from duijie.connect.budget import Limits, RateBudget
from duijie.connect.errors import CredentialError, DuijieError, JournalBusy, LineDown, VendorRejected
from duijie.connect.http import Http
from duijie.connect.invoicing import FileKind, Invoicing
from duijie.flow import Fetch
from duijie.journal import Journal, documents, work
from duijie.journal.documents import Document
from duijie.journal.tables import derived, document, message
from duijie.journal.work import Finding
from duijie.originals import kept
from duijie.originals.archive import Archive
from duijie.originals.checks import faults as faults_of
from duijie.originals.compare import between, differences, expected, read
from duijie.originals.guard import MOST_BYTES, kind_of
from duijie.originals.kept import Kept, Wait
from duijie.originals.model import BadFile, Fault, Original

Counts = Counter[str]
Ask = Callable[[Record, FileKind], bytes]
DATA: tuple[FileKind, ...] = ("xml", "ofd")
SHOWN = 10


@dataclass(frozen=True)
class Fetching:
    """One fetch step at work, or one invoice that a person asked for."""

    journal: Journal
    flow: str
    step: Fetch
    invoicing: Invoicing | None
    archive: Archive

    def run(self) -> Counts:
        """The files of every issued invoice of the connection that is not complete, `batch` invoices at most.

        Raises what stops the whole connection: LineDown, Disabled, CredentialError, JournalBusy.
        """
        counts: Counts = Counter()
        for one in self._incomplete():
            counts += self.one(one)
            if sum(counts[name] for name in ("fetched", "failed")) >= self.step.batch:
                break
        return counts

    def one(self, invoice: Document, *, at_once: bool = False) -> Counts:
        """The files of one invoice; `at_once` asks also for what is to be asked later, or was given up."""
        counts: Counts = Counter()
        files = kept.of(self.journal, invoice.entity, invoice.key)
        have = {one.kind for one in files if not (at_once and one.faults)}
        waiting = {} if at_once else kept.waits(self.journal, invoice.entity, invoice.key)
        for kind in self.step.kinds:
            ask, wait = self._way(invoice.body, kind), waiting.get(kind)
            if ask is None or kind in have or not self._is_due(wait):
                if wait is not None and kind not in have:
                    counts["waiting"] += 1
                continue
            counts[self._get(invoice, kind, ask, wait)] += 1
        if not counts["failed"] and not counts["waiting"]:
            self._complete(invoice)
        return counts

    def take(self, invoice: Document, data: bytes, source: str) -> list[Fault]:
        """Keep a file of an invoice and say what is wrong with it. Raises BadFile for what is none, NotSent."""
        kind = kind_of(data)
        faults = [] if kind == "pdf" else self._faults(invoice, read(data))
        day = str(invoice.body.get("issued_at") or f"{self.journal.now():%Y-%m-%d}")[:10]
        place, sha256 = self.archive.keep(data, kind, day)
        told = "\n".join(map(str, faults[:SHOWN]))
        number = str(invoice.body["number"])
        row = Kept(invoice.entity, invoice.key, kind, sha256, len(data), place, source, number, told)
        self._note(invoice, row, faults)
        return faults

    def _incomplete(self) -> list[Document]:
        """Issued invoices that the connection told of and whose files are not all there."""
        done = select(derived.c.key).where(derived.c.rule == self._rule, derived.c.entity == self.step.entity)
        columns = [document.c[name] for name in ("id", "entity", "key", "version", "body")]
        query = select(*columns).join(message, message.c.id == document.c.message_id)
        query = query.where(message.c.connection == self.step.connection, document.c.entity == self.step.entity)
        query = query.where(document.c.current, document.c.key.not_in(done)).order_by(document.c.id)
        with self.journal.reading() as tx:
            found = [Document.of(row) for row in tx.execute(query)]
        return [one for one in found if one.body["status"] == "issued" and one.body["number"]]

    @property
    def _rule(self) -> str:
        return f"files:{self.step.connection}"[:80]

    def _way(self, invoice: Record, kind: FileKind) -> Ask | None:
        """How a file of that kind is to be had: of the platform, or from the address that it gave."""
        if self.invoicing is not None and kind in self.invoicing.ability.files:
            return self.invoicing.fetch
        return download if invoice.get("files", {}).get(kind) else None

    def _is_due(self, wait: Wait | None) -> bool:
        return wait is None or (wait.tries < self.step.tries and wait.due_at <= self.journal.now())

    def _get(self, invoice: Document, kind: FileKind, ask: Ask, wait: Wait | None) -> str:
        """Ask for one file; returns what became of it."""
        try:
            data = ask(invoice.body, kind)
            if (found := kind_of(data)) != kind:
                raise BadFile("E-FILE-KIND", f"要的是 {kind.upper()}, 得到的是 {found.upper()}", f"{found}, not {kind}")
            faults = self.take(invoice, data, self.step.connection)
        except (LineDown, CredentialError, JournalBusy):
            raise
        except DuijieError as error:
            return self._failed(invoice, kind, wait, error)
        return "differing" if faults else "fetched"

    def _failed(self, invoice: Document, kind: FileKind, wait: Wait | None, error: DuijieError) -> str:
        with self.journal.writing() as tx:
            tries = kept.put_off(tx, self.journal, invoice.entity, invoice.key, kind, wait, error.zh)
            if tries >= self.step.tries:
                reason = f"发票 {invoice.body['number']} 的 {kind.upper()} 试了 {tries} 次仍未取得: {error.zh}"
                self._tell(tx, invoice, f"{invoice.body['number']}:{kind}", reason)
        return "failed"

    def _note(self, invoice: Document, row: Kept, faults: Sequence[Fault]) -> None:
        subject = f"{row.number}:{row.kind}"
        with self.journal.writing() as tx:
            kept.note(tx, self.journal, row)
            if faults:
                head = f"发票 {row.number} 的 {row.kind.upper()} 文件有 {len(faults)} 处不符: "
                self._tell(tx, invoice, subject, head + "; ".join(map(str, faults[:SHOWN])))
            else:
                work.close_subject(tx, self.journal, "file", subject, "文件已取得并核对无误")

    def _tell(self, tx: Transaction, invoice: Document, subject: str, reason: str) -> None:
        held = [(invoice.entity, invoice.key, documents.amount_of(invoice.body))]
        work.open_item(tx, self.journal, self.flow, Finding("file", subject, reason), held)

    def _complete(self, invoice: Document) -> None:
        have = {one.kind for one in kept.of(self.journal, invoice.entity, invoice.key)}
        if all(kind in have for kind in self.step.kinds if self._way(invoice.body, kind)):
            with self.journal.writing() as tx:
                row = {"rule": self._rule, "entity": invoice.entity, "key": invoice.key}
                values = {**row, "document_id": invoice.id, "result_key": invoice.key}
                tx.execute(self.journal.insert_new(derived).values(**values))

    def _faults(self, invoice: Document, mine: Original) -> list[Fault]:
        """What is wrong with a file: in itself, beside what was asked for, beside the invoice's other form."""
        found = [*faults_of(mine), *differences(mine, wanted(self.journal, invoice, self.step.seller_names))]
        return found or [
            fault
            for one in kept.of(self.journal, invoice.entity, invoice.key)
            if one.kind in DATA and one.kind != mine.form and not one.faults
            for fault in between(read(self.archive.read(one.place, one.sha256)), mine)
        ]


def wanted(journal: Journal, invoice: Document, seller_names: Mapping[str, str]) -> Record:
    """What the files of an invoice must say, by itself and by its request."""
    entity = "red_request" if invoice.body["colour"] == "red" else "invoice_request"
    request = documents.get(journal, entity, str(invoice.body["request_no"]))
    found = expected(invoice.body, request.body if request else None)
    return {**found, "seller_name": seller_names.get(str(found["seller_tax_no"]), "")}


def download(invoice: Record, kind: FileKind) -> bytes:
    """The file at the address that the platform gave. Raises errors of the tree."""
    address = str(invoice["files"][kind])
    data = Http(RateBudget("invoice-files", "20/second", Limits())).send("GET", address).content
    if len(data) > MOST_BYTES:
        raise VendorRejected(
            f"发票文件有 {len(data)} 字节, 超过 10 MB, 未保存", en="the file is larger than 10 MB", code="E-FILE-SIZE"
        )
    return data
