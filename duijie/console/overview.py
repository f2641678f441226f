"""今日总览: does every flow run and keep up, what is in which system, what waits, what healed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from duijie.console.flows import readable
from duijie.console.site import Site
from duijie.console.words import CHINA
from duijie.flow import Flow, Pull, Watch
from duijie.journal import progress, views
from duijie.journal.progress import FlowState
from duijie.watch.standing import open_alerts

DAYS_BEFORE = timedelta(days=6)
WATCH_SILENT = timedelta(minutes=15)
Positions = Mapping[tuple[str, str], datetime]


def router(site: Site) -> APIRouter:
    """/."""
    routes = APIRouter()

    @routes.get("/")
    def overview(request: Request) -> Response:
        return site.page(request, "overview.html", **_overview(site))

    return routes


def _overview(site: Site) -> dict[str, Any]:
    flows, broken = readable(site.root)
    now = site.journal.now()
    day = now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    steps = {name: [step.name for step in flow.steps] for name, flow in flows.items()}
    states = progress.flow_states(site.journal, steps, day)
    positions = progress.positions(site.journal)
    return {
        "broken": broken,
        "flows": [(flow, states[name], behind(flow, positions, now)) for name, flow in flows.items()],
        "sinks": views.deliveries_by_sink(site.journal),
        "kinds": views.open_kinds(site.journal),
        "incidents": views.incidents(site.journal, day, day - DAYS_BEFORE),
        "comparisons": views.comparisons(site.journal),
        "alerts": views.count_alerts(site.journal, "pending"),
        "watch": _watch(site, flows, states, now),
    }


def _watch(site: Site, flows: Mapping[str, Flow], states: Mapping[str, FlowState], now: datetime) -> dict[str, Any]:
    """The watchdog's light: what it found and is not over, when it last looked; it must itself not fall silent."""
    mine = [name for name, flow in flows.items() if any(isinstance(step, Watch) for step in flow.steps)]
    looked = max((one for name in mine if (one := states[name].last_success)), default=None)
    found = open_alerts(site.journal)
    if looked is None or now - looked > WATCH_SILENT:
        light = ("bad", "值守没有在运行") if looked else ("", "值守尚未运行")
    else:
        light = ("bad", "发现异常") if found else ("good", "一切正常")
    return {"found": found, "looked": looked, "light": light}


def behind(flow: Flow, positions: Positions, now: datetime) -> timedelta | None:
    """How far a flow's reading is behind what it could have read; None where it has read nothing."""
    late = [
        max(min(now - timedelta(seconds=step.lag_seconds), step.until or now) - positions[key], timedelta())
        for step in flow.steps
        if isinstance(step, Pull) and (key := (step.connection, step.stream)) in positions
    ]
    return max(late, default=None)
