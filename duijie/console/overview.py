"""今日总览: does every flow run, what is in which system, what waits, what healed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from duijie.alerts.sending import waiting
from duijie.console.flows import readable
from duijie.console.site import Site
from duijie.console.words import CHINA
from duijie.journal import views


def router(site: Site) -> APIRouter:
    """/."""
    routes = APIRouter()

    @routes.get("/")
    def overview(request: Request) -> Response:
        return site.page(request, "overview.html", **_overview(site))

    return routes


def _overview(site: Site) -> dict[str, Any]:
    flows, broken = readable(site.root)
    day = site.journal.now().astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    open_items = views.items(site.journal)
    kinds: dict[str, tuple[int, int, int]] = {}
    for item in open_items:
        number, held, money = kinds.get(item.kind, (0, 0, 0))
        kinds[item.kind] = (number + 1, held + item.records, money + item.money)
    return {
        "broken": broken,
        "flows": [(flow, views.flow_state(site.journal, name, day)) for name, flow in flows.items()],
        "sinks": views.deliveries_by_sink(site.journal),
        "kinds": kinds,
        "items": open_items,
        "incidents": views.incidents(site.journal),
        "comparisons": views.comparisons(site.journal),
        "alerts": len(waiting(site.journal)),
    }
