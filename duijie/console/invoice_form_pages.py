"""购方红字确认单: forms that buyers began and we must answer within 72 hours."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from duijie.console import invoice_words
from duijie.console.invoice_pages import done, must
from duijie.console.site import Site
from duijie.invoicing import red_forms
from duijie.journal import Journal, documents
from duijie.journal.documents import Document


def router(site: Site) -> APIRouter:
    """/invoices-forms."""
    routes = APIRouter()

    @routes.get("/invoices-forms")
    def forms(request: Request) -> Response:
        shown = {"rows": waiting(site.journal), "deadline": red_forms.deadline, "say": invoice_words}
        return site.page(request, "invoice_forms.html", **shown)

    @routes.post("/invoices-forms/{form_no}")
    def answer(
        request: Request, form_no: str, verdict: Annotated[str, Form()] = "", why: Annotated[str, Form()] = ""
    ) -> Response:
        must(request, "approve")
        who = request.state.user.display

        def act() -> str:
            red_forms.answer(site.journal, form_no, agrees=verdict == "agree", why=why.strip(), who=who)
            return f"确认单 {form_no} 已{'同意' if verdict == 'agree' else '拒绝'}, 由流程下次运行发出"

        return done(request, act, "/invoices-forms")

    return routes


def waiting(journal: Journal) -> list[Document]:
    """Forms of buyers that wait for our answer, the soonest to expire first."""
    answered = {one.body["form_no"] for one in documents.current(journal, "red_answer")}
    found = [
        one
        for one in documents.current(journal, "red_form")
        if one.body["initiator"] == "buyer"
        and one.body["state"] == red_forms.FOR_SELLER
        and one.body["form_no"] not in answered
    ]
    return sorted(found, key=lambda one: str(one.body.get("began_at", "")))
