"""The pages that only read one thing: 对账."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from duijie.console.site import Site
from duijie.journal import views


def router(site: Site) -> APIRouter:
    """/reconcile."""
    routes = APIRouter()

    @routes.get("/reconcile")
    def reconcile(request: Request) -> Response:
        return site.page(request, "reconcile.html", rows=views.comparisons(site.journal))

    @routes.get("/reconcile/{comparison_id}")
    def differences(request: Request, comparison_id: int) -> Response:
        head = views.comparison_of(site.journal, comparison_id)
        if head is None:
            raise HTTPException(404, "没有这次对账")
        return site.page(request, "differences.html", head=head, rows=views.differences(site.journal, comparison_id))

    return routes
