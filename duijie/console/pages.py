"""The pages: 今日总览, 联查, 待处理, 对账, 日报, 告警, and the login in front of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from duijie import codec
from duijie.alerts.sending import waiting
from duijie.connect.secrets import mask_record
from duijie.console import security, users, work_pages
from duijie.console.flows import readable
from duijie.console.words import CHINA
from duijie.journal import views

if TYPE_CHECKING:
    from duijie.console.app import Site

CHAINS_SHOWN = 5


def router(site: Site) -> APIRouter:
    """Every route."""
    routes = APIRouter()
    _door(routes, site)
    _reading(routes, site)
    _fragments(routes, site)
    work_pages.add(routes, site)
    return routes


def _door(routes: APIRouter, site: Site) -> None:
    @routes.get("/healthz")
    def healthz() -> Response:
        with site.journal.reading() as tx:
            tx.exec_driver_sql("SELECT 1")
        return JSONResponse({"journal": "ok"})

    @routes.get("/login")
    def ask(request: Request) -> Response:
        return site.page(request, "login.html", problem="")

    @routes.post("/login")
    async def enter(request: Request) -> Response:
        is_ours = await security.has_token(request)
        form = await request.form()
        name = str(form.get("name", ""))
        problem = await run_in_threadpool(_refusal, site, form, name) if is_ours else "页面已过期, 请重试"
        if problem:
            return site.page(request, "login.html", problem=problem)
        request.session.clear()
        request.session["user"] = name
        return RedirectResponse("/", 303)

    @routes.post("/logout")
    def leave(request: Request) -> Response:
        request.session.clear()
        return RedirectResponse("/login", 303)


def _refusal(site: Site, form: Any, name: str) -> str:
    if site.attempts.blocked(name):
        return "密码错误次数过多, 请一分钟后再试"
    if users.verify(site.users, name, str(form.get("password", ""))) is None:
        site.attempts.failed(name)
        return "用户名或密码不正确"
    site.attempts.succeeded(name)
    return ""


def _reading(routes: APIRouter, site: Site) -> None:
    @routes.get("/")
    def overview(request: Request) -> Response:
        return site.page(request, "overview.html", **_overview(site))

    @routes.get("/trace")
    def trace(request: Request, q: str = "") -> Response:
        hits = views.search(site.journal, q)
        roots = {one.id: one for one in (views.root(site.journal, hit) for hit in hits)}
        found = [views.node(site.journal, one, "") for one in list(roots.values())[:CHAINS_SHOWN]]
        chains = [(one, *views.neighbours(site.journal, one.document)) for one in found]
        shown = {"hits": {hit.id for hit in hits}, "held": views.held(site.journal, q)}
        return site.page(request, "trace.html", q=q, chains=chains, more=len(roots) - len(found), **shown)

    @routes.get("/reconcile")
    def reconcile(request: Request) -> Response:
        return site.page(request, "reconcile.html", rows=views.comparisons(site.journal))

    @routes.get("/report")
    def report(request: Request) -> Response:
        path = Path(os.environ.get("DUIJIE_REPORT", ""))
        found = codec.decode(path.read_bytes()) if path.is_file() else None
        return site.page(request, "report.html", report=found)

    @routes.get("/alerts")
    def alert_list(request: Request) -> Response:
        return site.page(request, "alerts.html", alerts=views.alerts(site.journal))


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


def _fragments(routes: APIRouter, site: Site) -> None:
    @routes.get("/document/{document_id}")
    def document(request: Request, document_id: int) -> Response:
        if (detail := views.detail(site.journal, document_id)) is None:
            return PlainTextResponse("没有这张单据", 404)
        found, raw, mapping = detail
        shown = _shown(mask_record(found.body)), _shown(mask_record(raw)) if raw else ""
        return site.page(request, "document.html", body=shown[0], raw=shown[1], mapping=mapping)

    @routes.get("/delivery/{delivery_id}")
    def delivery(request: Request, delivery_id: int) -> Response:
        if (story := views.history(site.journal, delivery_id)) is None:
            return PlainTextResponse("没有这次投递", 404)
        row, events = story
        receipt = _shown(mask_record(codec.decode(row.receipt))) if row.receipt else ""
        return site.page(request, "delivery.html", row=row, events=events, receipt=receipt)

    @routes.get("/message/{message_id}")
    def message(request: Request, message_id: int) -> Response:
        if (raw := views.raw(site.journal, message_id)) is None:
            return PlainTextResponse("没有这条报文", 404)
        return site.page(request, "message.html", raw=_shown(mask_record(raw)))

    @routes.get("/reconcile/{comparison_id}")
    def differences(request: Request, comparison_id: int) -> Response:
        return site.page(request, "differences.html", rows=views.differences(site.journal, comparison_id))


def _shown(value: Any) -> str:
    from msgspec import json  # noqa: PLC0415

    return json.format(codec.encode_ordered(value), indent=2).decode()
