"""The pages that only read one thing: 对账, 日报, 告警."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from duijie.console.site import Site
from duijie.journal import views


def router(site: Site) -> APIRouter:
    """/reconcile, /report, /alerts."""
    routes = APIRouter()

    @routes.get("/reconcile")
    def reconcile(request: Request) -> Response:
        return site.page(request, "reconcile.html", rows=views.comparisons(site.journal))

    @routes.get("/reconcile/{comparison_id}")
    def differences(request: Request, comparison_id: int) -> Response:
        return site.page(request, "differences.html", rows=views.differences(site.journal, comparison_id))

    @routes.get("/report")
    def report(request: Request) -> Response:
        path = Path(os.environ.get("DUIJIE_REPORT", ""))
        found = codec.decode(path.read_bytes()) if path.is_file() else None
        return site.page(request, "report.html", report=found)

    @routes.get("/alerts")
    def alert_list(request: Request) -> Response:
        return site.page(request, "alerts.html", alerts=views.alerts(site.journal))

    return routes
