"""票单勾稽表: differences and lines of the newest run, explained by people, run again, taken away as Excel."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.connect.errors import ConfigError
from duijie.console.code_pages import EXCEL
from duijie.console.site import Site, tell
from duijie.reconcile.billing import compare_billing, explain, looking, sheet
from duijie.reconcile.billing.looking import Page, Wanted
from duijie.reconcile.billing.model import KINDS

FLOW = "billing"
PER_PAGE = 100
NAMES = ("month", "kind", "state", "words")


def router(site: Site) -> APIRouter:
    """/billing and below it."""
    routes = APIRouter()

    @routes.get("/billing")
    def table(request: Request, view: str = "differences", page: int = 1) -> Response:
        wanted = _wanted(request)
        counts = looking.counts(site.journal, wanted)
        sums = looking.line_sums(site.journal, wanted)
        number = sums.lines if view == "lines" else _number(counts, wanted)
        last = max(1, -(-number // PER_PAGE))
        page = min(max(page, 1), last)
        part = Page((page - 1) * PER_PAGE, PER_PAGE)
        rows = (looking.lines if view == "lines" else looking.differences)(site.journal, wanted, part)
        shown: dict[str, Any] = {"rows": rows, "counts": counts, "sums": sums, "count": number, "kinds": KINDS}
        shown |= {"months": looking.months(site.journal), "ran_at": looking.ran_at(site.journal)}
        shown |= {"taxes": looking.taxes(site.journal, wanted.month), "rate": sheet.rate_words}
        query = urlencode(wanted._asdict())
        return site.page(request, "billing.html", asked=wanted, view=view, page=page, last=last, query=query, **shown)

    @routes.get("/billing/excel")
    def excel(request: Request) -> Response:
        wanted = _wanted(request)
        name = "-".join(filter(None, ("billing", wanted.month or "all")))
        headers = {"Content-Disposition": f'attachment; filename="{name}.xlsx"'}
        return Response(sheet.write(site.journal, wanted), media_type=EXCEL, headers=headers)

    _acting(routes, site)
    return routes


def _wanted(request: Request) -> Wanted:
    return Wanted(**{name: request.query_params.get(name, "").strip()[:80] for name in NAMES})


def _number(counts: dict[str, tuple[int, int]], wanted: Wanted) -> int:
    """How many differences the filters leave."""
    mine = [counts.get(wanted.kind, (0, 0))] if wanted.kind else list(counts.values())
    waiting = sum(number for _, number in mine)
    return {"open": waiting, "explained": sum(all_ for all_, _ in mine) - waiting}.get(
        wanted.state, sum(all_ for all_, _ in mine)
    )


def _acting(routes: APIRouter, site: Site) -> None:
    @routes.post("/billing/run")
    def run(request: Request) -> Response:
        counts = compare_billing(site.journal, FLOW, site.root / "mappings")
        found = f"差异 {counts['differences']:,} 处, 待处理 {counts['unexplained']:,} 处"
        tell(request, f"已勾稽 {counts['orders']:,} 张订单: {found}")
        return RedirectResponse("/billing", 303)

    @routes.post("/billing/explain")
    def say_why(request: Request, key: Annotated[str, Form()], why: Annotated[str, Form()] = "") -> Response:
        try:
            explain(site.journal, key, request.state.user.display, why)
            tell(request, "已解释; 金额变化后须重新核对")
        except ConfigError as error:
            tell(request, error.zh, problem=True)
        return RedirectResponse(f"/billing?{urlencode(_wanted(request)._asdict())}", 303)
