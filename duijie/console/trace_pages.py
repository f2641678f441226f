"""联查: any number leads to its chain; what its buttons open is in `explain_pages`."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from duijie.console.facts import facts
from duijie.console.site import Site
from duijie.journal import chain


def router(site: Site) -> APIRouter:
    """/trace."""
    routes = APIRouter()
    _chains(routes, site)
    return routes


def _chains(routes: APIRouter, site: Site) -> None:
    @routes.get("/trace")
    def trace(request: Request, q: str = "", page: int = 1) -> Response:
        page = max(page, 1)
        hits = chain.search(site.journal, q, (page - 1) * chain.PER_PAGE)
        chains = [chain.chain(site.journal, one) for one in chain.roots(site.journal, hits.documents)]
        last = max(1, -(-hits.count // chain.PER_PAGE))
        found = {"count": hits.count, "hits": {hit.id for hit in hits.documents}, "held": chain.held(site.journal, q)}
        return site.page(request, "trace.html", q=q, chains=chains, facts=facts, page=page, last=last, **found)
