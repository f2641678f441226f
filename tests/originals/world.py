"""A journal with issued invoices of one platform, and a platform that gives out their files."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from duijie.connect.errors import DuijieError
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login
from duijie.flow import Fetch
from duijie.journal import Journal, documents, inbox
from duijie.journal.documents import Document
from duijie.journal.inbox import Source
from duijie.originals.archive import Archive
from duijie.originals.fetch import Fetching
from sandbox.bureau_files import Face, face_ofd, face_pdf, face_xml
from tests.einvoice.tampered import faces, wanted

Record = dict[str, Any]
STEP = Fetch(name="fetch", connection="nuonuo", tries=3)


class Platform:
    """Gives out files of faces; `broken` raises instead, `sends` records what is sent again."""

    ability = Ability(Limits(), files=("xml", "ofd", "pdf"))

    def __init__(self) -> None:
        made: dict[FileKind, Callable[[Face], bytes]] = {"xml": face_xml, "ofd": face_ofd, "pdf": face_pdf}
        self.files = {(face.number, kind): make(face) for face in faces().values() for kind, make in made.items()}
        self.broken: dict[FileKind, DuijieError] = {}
        self.asked: list[tuple[str, str]] = []
        self.sent: list[tuple[str, Copy]] = []

    def credit_line(self) -> CreditLine:
        return CreditLine(Decimal(1), Decimal(0), Decimal(1))

    def login(self) -> Login:
        return Login("张三", "in")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        self.asked.append((invoice["number"], kind))
        if kind in self.broken:
            raise self.broken[kind]
        return self.files[invoice["number"], kind]

    def resend(self, invoice: Record, copy: Copy) -> None:
        self.sent.append((invoice["number"], copy))


def journal_of(folder: Path) -> Journal:
    """An empty journal in a folder."""
    return Journal.open(f"sqlite:///{folder / 'journal.db'}")


def issue(journal: Journal, name: str, **changed: Any) -> Document:
    """Put the invoice of a face into the journal, as a poll of its platform does, with its request."""
    face = faces()[name]
    asked = wanted(face)
    fields = ("number", "issued_at", "colour", "kind", "net", "tax", "gross", "buyer_name", "form_no", "blue_number")
    body = {field: asked[field] for field in fields} | {"key": name, "request_no": name, "status": "issued", **changed}
    inbox.store(journal, Source("nuonuo", "invoice"), "key", [{"key": name}])
    message = len(list(documents.current(journal, "invoice"))) + 1
    entity = "red_request" if face.colour == "red" else "invoice_request"
    buyer = {"name": asked["buyer_name"], "tax_no": asked["buyer_tax_no"]}
    request = {key: asked[key] for key in ("net", "tax", "gross", "lines", "seller_tax_no")} | {"buyer": buyer}
    request |= {"key": name, "kind": face.kind, "blue_number": face.blue_number}
    with journal.writing() as tx:
        documents.put(tx, journal, entity, request, (None, "rules/invoice"))
        documents.put(tx, journal, "invoice", body, (message, "nuonuo/invoice.in"))
    found = documents.get(journal, "invoice", name)
    assert found is not None
    return found


def fetching(journal: Journal, platform: Any, place: Path | str, step: Fetch = STEP) -> Fetching:
    """The step at work."""
    return Fetching(journal, "invoice_files", step, platform, Archive(str(place)))
