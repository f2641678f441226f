"""开票工作台: the queue by state, one request with everything that happened to it, approvals, lights, sending again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.connect.errors import DuijieError
from duijie.connect.invoicing import Copy
from duijie.console import invoice_acts, invoice_facts, invoice_words
from duijie.console.invoice_board import Board, Row
from duijie.console.invoice_files import files
from duijie.console.invoice_lights import lights
from duijie.console.site import Site, tell
from duijie.reconcile.billing import looking

PER_PAGE = 50
FILTERS = ("state", "q", "sink", "page")


def router(site: Site) -> APIRouter:
    """/invoices and everything below it but the red wizard."""
    routes = APIRouter()
    board = Board(site.journal, invoice_acts.overlay)
    _reading(routes, site, board)
    _approving(routes, site)
    _issuing(routes, site)
    return routes


def must(request: Request, duty: str) -> None:
    """Only who has the duty goes on. Raises HTTPException 403 that says who may."""
    if not request.state.user.may(duty):
        raise HTTPException(403, f"{invoice_words.MAY[duty]}; 职责由管理员用 duijie console user add --duty 设置")


def done(request: Request, act: Callable[[], str], path: str) -> Response:
    """Act, then show the page with what happened, or with why nothing did."""
    try:
        tell(request, act())
    except DuijieError as error:
        tell(request, error.zh, problem=True)
    return RedirectResponse(path, 303)


def _reading(routes: APIRouter, site: Site, board: Board) -> None:
    @routes.get("/invoices")
    def queue(request: Request, state: str = "", q: str = "", sink: str = "", page: int = 1) -> Response:
        rows = board.rows()
        mine = [row for row in rows if _matches(row, q.strip(), sink)]
        counts = Counter(row.state for row in mine)
        shown = [row for row in mine if not state or row.state == state]
        last = max(1, -(-len(shown) // PER_PAGE))
        page = min(max(page, 1), last)
        part = shown[(page - 1) * PER_PAGE : page * PER_PAGE]
        asked = {"state": state, "q": q.strip(), "sink": sink}
        values: dict[str, Any] = {
            "rows": part,
            "count": len(shown),
            "money": sum(row.amount for row in shown),
            "counts": counts,
            "all": len(mine),
            "sinks": sorted({row.sink for row in rows if row.sink}),
            "lights": lights(site),
            "asks": _asks(site, part),
        }
        values |= {"page": page, "last": last, "say": invoice_words}
        return site.page(request, "invoices.html", asked=asked, **values)

    @routes.get("/invoices/{no}")
    def request_page(request: Request, no: str) -> Response:
        found = _found(site, no)
        keys = found.request.body.get("order_keys") or [found.request.body.get("order_key", "")]
        row = next((row for row in board.rows() if row.no == no), None)
        shown: dict[str, Any] = {"one": found, "row": row, "files": files(site.journal, no)}
        shown |= {"say": invoice_words, "rate": invoice_words.rate, "plain": invoice_words.plain}
        return site.page(
            request, "invoice.html", **shown, order_lines=looking.of_order(site.journal, keys), left=_left(site, found)
        )


def _matches(row: Row, words: str, sink: str) -> bool:
    if sink and row.sink != sink:
        return False
    if not words:
        return True
    texts = (row.no, row.number, row.buyer, *row.orders)
    return any(words in text for text in texts)


def _asks(site: Site, rows: Sequence[Row]) -> dict[str, invoice_facts.Asked]:
    """Who asked for which of them, and why."""
    return invoice_facts.asked_by(site.journal, "red_request", [row.no for row in rows if row.kind == "red"])


def _found(site: Site, no: str) -> invoice_facts.One:
    found = invoice_facts.one(site.journal, no)
    if found is None:
        raise HTTPException(404, f"没有开票申请 {no[:40]}")
    return found


def _left(site: Site, found: invoice_facts.One) -> bool:
    """Whether anything of an issued blue can still be reversed."""
    if found.is_red or found.invoice is None or found.invoice.body["status"] != "issued":
        return False
    earlier = invoice_facts.standing_reds(site.journal, found.request.key)
    taken = sum((red["gross"] for red in earlier), found.request.body["gross"] * 0)
    return bool(-taken < found.request.body["gross"])


def _approving(routes: APIRouter, site: Site) -> None:
    @routes.post("/invoices/approve")
    async def approve(request: Request) -> Response:
        must(request, "approve")
        form = await request.form()
        keys = [str(key) for key in form.getlist("key")]
        user = request.state.user
        verdict = str(form.get("verdict", ""))
        why = str(form.get("why", "")).strip()
        return done(request, lambda: invoice_acts.decide(site.journal, verdict, keys, user, why), _back(form))


def _back(form: Any) -> str:
    """The list that was looked at, whatever a form says."""
    back = {name: str(form.get(name, "")) for name in FILTERS if form.get(name)}
    return f"/invoices?{urlencode(back)}" if back else "/invoices"


def _issuing(routes: APIRouter, site: Site) -> None:
    @routes.post("/invoices/{no}/resend")
    def resend(
        request: Request, no: str, mail: Annotated[str, Form()] = "", phone: Annotated[str, Form()] = ""
    ) -> Response:
        must(request, "issue")
        found, who, copy = _found(site, no), request.state.user.display, Copy(mail.strip(), phone.strip())
        return done(request, lambda: invoice_acts.resend(site, found, copy, who), f"/invoices/{no}")

    @routes.post("/invoices/{no}/again")
    def again(request: Request, no: str, why: Annotated[str, Form()] = "") -> Response:
        must(request, "issue")
        found, who = _found(site, no), request.state.user.display
        return done(request, lambda: invoice_acts.again(site, found, who, why.strip()), f"/invoices/{no}")

    @routes.post("/invoices/lights/{connection}")
    def refresh(request: Request, connection: str) -> Response:
        must(request, "issue")
        return done(request, lambda: invoice_acts.refresh(site, connection), "/invoices")

    @routes.post("/invoices/resume/{connection}")
    def resume(request: Request, connection: str) -> Response:
        must(request, "issue")
        who = request.state.user.display
        return done(request, lambda: invoice_acts.resume(site.journal, connection, who), "/invoices")
