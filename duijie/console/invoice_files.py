"""The archived files of an invoice: what there is, what is waited for, one to take away, an XML as a table."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from duijie.connect.errors import DuijieError
from duijie.console import invoice_words
from duijie.console.site import Site
from duijie.journal import Journal
from duijie.originals import compare, kept
from duijie.originals.archive import Archive
from duijie.originals.kept import Kept

TYPES = {"xml": "application/xml", "ofd": "application/octet-stream", "pdf": "application/pdf"}
ENTITY = "invoice"


@dataclass(frozen=True)
class File:
    """One file, kept or waited for."""

    kind: str
    words: str
    colour: str
    size: int = 0
    sha256: str = ""

    @property
    def kept(self) -> bool:
        """Whether it can be had."""
        return bool(self.sha256)


def files(journal: Journal, no: str) -> list[File]:
    """The newest of each kind, then what is waited for."""
    newest = {one.kind: one for one in kept.of(journal, ENTITY, no)}
    found = [_kept(one) for one in newest.values()]
    waits = kept.waits(journal, ENTITY, no)
    found += [
        File(kind, f"第 {wait.tries} 次未取到: {wait.reason}", "busy")
        for kind, wait in waits.items()
        if kind not in newest
    ]
    return found


def _kept(one: Kept) -> File:
    told = f"与开票不符: {one.faults}" if one.faults else "已归档" if one.kind == "pdf" else "已归档, 与开票一致"
    return File(one.kind, told, "bad" if one.faults else "good", one.size, one.sha256)


def router(site: Site) -> APIRouter:
    """/invoices/{no}/files/{kind} and /invoices/{no}/xml."""
    routes = APIRouter()

    @routes.get("/invoices/{no}/files/{kind}")
    def download(request: Request, no: str, kind: str) -> Response:
        one = _newest(site.journal, no, kind)
        headers = {"Content-Disposition": f'attachment; filename="{one.number or no}.{kind}"'}
        return Response(_read(one), media_type=TYPES.get(kind, "application/octet-stream"), headers=headers)

    @routes.get("/invoices/{no}/xml")
    def preview(request: Request, no: str) -> Response:
        data = _read(_newest(site.journal, no, "xml"))
        try:
            original = compare.read(data)
        except DuijieError as error:
            raise HTTPException(422, error.zh) from error
        shown = {"no": no, "one": original, "rate": invoice_words.rate, "plain": invoice_words.plain}
        return site.page(request, "invoice_xml.html", **shown)

    return routes


def _newest(journal: Journal, no: str, kind: str) -> Kept:
    found = [one for one in kept.of(journal, ENTITY, no) if one.kind == kind]
    if not found:
        raise HTTPException(404, f"{no[:40]} 没有归档的 {kind[:8].upper()} 文件")
    return found[-1]


def _read(one: Kept) -> bytes:
    try:
        return Archive.open().read(one.place, one.sha256)
    except DuijieError as error:
        raise HTTPException(503, error.zh) from error
