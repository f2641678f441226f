"""红冲: choose a reason, then lines and amounts within what is left, look at what would be asked, ask for it.

Every step is an address of its own until the last, so that nothing is written before somebody confirms.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.console import invoice_facts, invoice_red, invoice_words
from duijie.console.invoice_pages import must
from duijie.console.site import Site, tell
from duijie.journal import documents
from duijie.journal.documents import Document
from duijie.schemas import check

LONGEST_WHY = 200


def router(site: Site) -> APIRouter:
    """/invoices/{no}/red."""
    routes = APIRouter()

    @routes.get("/invoices/{no}/red")
    def wizard(request: Request, no: str) -> Response:
        must(request, "ask")
        blue, invoice = _issued(site, no)
        asked = dict(request.query_params)
        reason = asked.get("reason", "")
        earlier = invoice_facts.standing_reds(site.journal, no)
        left = invoice_red.left(blue.body, earlier)
        shown: dict[str, Any] = {"blue": blue, "invoice": invoice, "left": left, "asked": asked, "earlier": earlier}
        body, problem = None, ""
        if reason in invoice_words.REASONS and asked.get("step") == "preview":
            try:
                body = _made(blue.body, invoice.body, asked, earlier)
            except ConfigError as error:
                problem = error.zh
        return site.page(
            request, "invoice_red.html", say=invoice_words, rate=invoice_words.rate, body=body, problem=problem, **shown
        )

    @routes.post("/invoices/{no}/red")
    async def submit(request: Request, no: str) -> Response:
        must(request, "ask")
        blue, invoice = _issued(site, no)
        form = {name: str(value) for name, value in (await request.form()).items()}
        why = form.get("why", "").strip()[:LONGEST_WHY]
        try:
            if not why:
                raise ConfigError("请写明红冲的说明, 审批人要看", en="say why")
            earlier = invoice_facts.standing_reds(site.journal, no)
            body = _made(blue.body, invoice.body, form, earlier)
            user = request.state.user
            invoice_facts.ask_red(site.journal, body, (user.name, user.display), why)
        except ConfigError as error:
            tell(request, error.zh, problem=True)
            return RedirectResponse(f"/invoices/{no}/red", 303)
        tell(request, f"红字申请 {body['request_no']} 已提交, 合计 {body['gross']:,} 元; 审批通过后自动发出")
        return RedirectResponse(f"/invoices/{body['request_no']}", 303)

    return routes


def _issued(site: Site, no: str) -> tuple[Document, Document]:
    """The blue request and its issued invoice."""
    blue = documents.get(site.journal, "invoice_request", no)
    invoice = documents.get(site.journal, "invoice", no)
    if blue is None:
        raise HTTPException(404, f"没有蓝字开票申请 {no[:40]}")
    if invoice is None or invoice.body["status"] != "issued":
        raise HTTPException(409, f"申请 {no} 还没有开出发票, 不能红冲; 未开出的请取消申请")
    return blue, invoice


def _made(request: Record, invoice: Record, asked: dict[str, str], earlier: list[Record]) -> Record:
    """The red request of a filled-in form. Raises ConfigError."""
    reason = asked.get("reason", "")
    if reason not in invoice_words.REASONS:
        raise ConfigError("请选择红冲原因", en="choose a reason")
    wanted: dict[int, Decimal] = {}
    for place in range(1, len(request["lines"]) + 1):
        wanted[place] = invoice_red.amount(asked.get(f"amount_{place}", ""), place)
    body = invoice_red.made(request, invoice, reason, wanted, earlier)
    check("red_request", body)
    return body
