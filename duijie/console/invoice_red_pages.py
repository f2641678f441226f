"""红冲: choose a reason, then lines and amounts within what is left, look at what would be asked, ask for it.

开票有误 takes the whole invoice back and names the right buyer, for whom it is issued anew once the red is issued.
Every step but the last is an address of its own, so that nothing is written before somebody confirms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.codec import Record
from duijie.connect.errors import ConfigError, DuijieError
from duijie.console import invoice_facts, invoice_red, invoice_words
from duijie.console.flows import readable
from duijie.console.invoice_pages import must
from duijie.console.invoice_red import Choice
from duijie.console.site import Site, tell
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.invoices import load_rules
from duijie.flow import Deliver
from duijie.invoicing import corrections
from duijie.journal import documents
from duijie.journal.documents import Document
from duijie.schemas import check

LONGEST = 200
BUYER = ("name", "tax_no", "email")
Form = Mapping[str, str]


@dataclass(frozen=True)
class Blue:
    """An issued blue with what stands against it: our reds, and what forms of its buyer take (positive).

    `made`: how many reds there have been of it, those that came to nothing as well.
    """

    request: Document
    invoice: Document
    earlier: list[Record]
    taken: Decimal
    made: int


def router(site: Site) -> APIRouter:
    """/invoices/{no}/red."""
    routes = APIRouter()

    @routes.get("/invoices/{no}/red")
    def wizard(request: Request, no: str) -> Response:
        must(request, "ask")
        blue = _issued(site, no)
        asked = dict(request.query_params)
        body, problem = None, ""
        if asked.get("reason") in invoice_words.REASONS and asked.get("step") == "preview":
            try:
                body = _made(site, blue, asked)
            except DuijieError as error:
                problem = error.zh
        left = invoice_red.left(blue.request.body, blue.earlier)
        shown: dict[str, Any] = {"blue": blue.request, "invoice": blue.invoice, "earlier": blue.earlier, "left": left}
        shown |= {"asked": asked, "body": body, "problem": problem, "taken": blue.taken, "number": blue.made + 1}
        return site.page(request, "invoice_red.html", say=invoice_words, rate=invoice_words.rate, **shown)

    @routes.post("/invoices/{no}/red")
    async def submit(request: Request, no: str) -> Response:
        must(request, "ask")
        form = {name: str(value) for name, value in (await request.form()).items()}
        blue = _issued(site, no)
        try:
            body = _ask(site, blue, form, request.state.user)
        except DuijieError as error:
            tell(request, error.zh, problem=True)
            return RedirectResponse(f"/invoices/{no}/red", 303)
        tell(request, f"红字申请 {body['request_no']} 已提交, 合计 {body['gross']:,} 元; 审批通过后自动发出")
        return RedirectResponse(f"/invoices/{body['request_no']}", 303)

    return routes


def _issued(site: Site, no: str) -> Blue:
    """Raises HTTPException where there is no such request or nothing is issued."""
    request = documents.get(site.journal, "invoice_request", no)
    invoice = documents.get(site.journal, "invoice", no)
    if request is None:
        raise HTTPException(404, f"没有蓝字开票申请 {no[:40]}")
    if invoice is None or invoice.body["status"] != "issued":
        raise HTTPException(409, f"申请 {no} 还没有开出发票, 不能红冲; 未开出的请取消申请")
    earlier = invoice_facts.standing_reds(site.journal, no)
    forms = invoice_facts.buyer_forms(site.journal, invoice.body["number"])
    taken = -sum((form["gross"] for form in forms), Decimal(0))
    return Blue(request, invoice, earlier, taken, len(invoice_facts.reds_of(site.journal, no)))


def _made(site: Site, blue: Blue, asked: Form) -> Record:
    """The red request of a filled-in form. Raises errors of the tree."""
    reason = asked.get("reason", "")
    if reason not in invoice_words.REASONS:
        raise ConfigError("请选择红冲原因", en="choose a reason")
    request = blue.request.body
    places = range(1, len(request["lines"]) + 1)
    wanted = {place: invoice_red.amount(asked.get(f"amount_{place}", ""), place) for place in places}
    choice = Choice(reason, wanted, _number(asked, blue))
    body = invoice_red.made(request, blue.invoice.body, choice, _rules(site), blue.earlier, blue.taken)
    check("red_request", body)
    return body


def _rules(site: Site) -> InvoiceRules:
    return load_rules(site.root / "mappings" / "rules" / "invoice.yaml")


def _number(asked: Form, blue: Blue) -> int:
    """Which red of its blue a form is about: as it was when the form was shown."""
    given = asked.get("number", "")
    return int(given) if given.isdecimal() and 0 < int(given) <= blue.made + 1 else blue.made + 1


def _there(site: Site, blue: Blue, form: Form) -> Record | None:
    """The request that this form has become already. Raises ConfigError where another has taken its place."""
    no = invoice_red.application_no(blue.request.body, _number(form, blue), _rules(site))
    found = documents.get(site.journal, "red_request", no)
    if found is None:
        return None
    asked = {place: form.get(f"amount_{place}", "") for place in range(1, len(blue.request.body["lines"]) + 1)}
    wanted = {place: value for place, text in asked.items() if (value := invoice_red.amount(text, place))}
    mine = {line["blue_line"]: -line["gross"] for line in found.body["lines"]}
    if found.body["reason"] != form.get("reason") or (mine and mine != wanted):
        raise ConfigError(f"刚有另一笔红冲 {no} 提交, 请重新填写", en=f"another red {no} was asked for meanwhile")
    return found.body


def _ask(site: Site, blue: Blue, form: Form, user: Any) -> Record:
    """Keep what is asked for, so that somebody else decides it."""
    why = form.get("why", "").strip()[:LONGEST]
    if not why:
        raise ConfigError("请写明红冲的说明, 审批人要看", en="say why")
    if there := _there(site, blue, form):
        return there
    body = _made(site, blue, form)
    buyer = {name: given for name in BUYER if (given := form.get(f"buyer_{name}", "").strip()[:LONGEST])}
    asked = invoice_facts.Asked(user.name, user.display, why, site.journal.now())
    if body["reason"] != invoice_red.FULL_ONLY or not buyer:
        invoice_facts.ask_red(site.journal, body, asked, _route(site))
        return body
    if not buyer.get("name"):
        raise ConfigError("请填写正确的购方名称, 或全部留空 (只红冲不重开)", en="name the right buyer")
    made = corrections.correct(site.journal, _rules(site), blue.request.key, buyer, who=user.display, why=why)
    invoice_facts.hold(site.journal, made, asked, _route(site))
    return made


def _route(site: Site) -> tuple[str, str]:
    """(flow, sink) that red requests go by."""
    for flow in readable(site.root)[0].values():
        for step in flow.steps:
            if isinstance(step, Deliver) and step.entity == "red_request":
                return flow.flow, f"{step.connection}/{step.sink}"
    raise ConfigError("没有发送红字申请的流程, 请检查 dags/flows", en="no flow delivers red requests")
