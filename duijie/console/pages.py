"""The pages: 今日总览, 联查, 待处理, 对账, 日报, 告警, and the login in front of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form
from sqlalchemy import update
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from duijie import codec
from duijie.alerts.sending import waiting
from duijie.connect.errors import ConfigError
from duijie.connect.secrets import mask_record
from duijie.console import security, users
from duijie.console.words import CHINA
from duijie.flow import Flow, load_flow
from duijie.journal import views, work
from duijie.journal.tables import work_item
from duijie.replay import replay_item

if TYPE_CHECKING:
    from duijie.console.app import Site

CHAINS_SHOWN = 5


def router(site: Site) -> APIRouter:
    """Every route."""
    routes = APIRouter()
    _door(routes, site)
    _reading(routes, site)
    _fragments(routes, site)
    _acting(routes, site)
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

    @routes.get("/work")
    def work_list(request: Request, kind: str = "", state: str = "open") -> Response:
        found = views.items(site.journal, state=state, kind=kind)
        return site.page(request, "work.html", items=found, kind=kind, state=state)

    @routes.get("/work/{item_id}")
    def work_page(request: Request, item_id: int, done: str = "") -> Response:
        found = views.items(site.journal, item_id=item_id)
        if not found:
            return PlainTextResponse("没有这个待处理", 404)
        held = views.records(site.journal, item_id)
        return site.page(request, "work_item.html", item=found[0], records=held, done=done)

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
    flows, broken = _flows(site.root / "dags" / "flows")
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


def _flows(folder: Path) -> tuple[dict[str, Flow], list[str]]:
    """The flows that can be read, and why the others cannot: one wrong file hides no other."""
    flows: dict[str, Flow] = {}
    broken: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            flow = load_flow(path)
            flows[flow.flow] = flow
        except ConfigError as error:
            broken.append(error.zh)
    return flows, broken


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


def _acting(routes: APIRouter, site: Site) -> None:
    @routes.post("/work/{item_id}/claim")
    def claim(request: Request, item_id: int) -> Response:
        name = request.state.user.display
        with site.journal.writing() as tx:
            mine = update(work_item).where(work_item.c.id == item_id, work_item.c.state == "open")
            tx.execute(mine.values(state="claimed", owner=name))
        return RedirectResponse(f"/work/{item_id}?done=已认领", 303)

    @routes.post("/work/{item_id}/close")
    def close(request: Request, item_id: int, note: Annotated[str, Form()]) -> Response:
        if not note.strip():
            return RedirectResponse(f"/work/{item_id}?done=请先写明处理说明", 303)
        with site.journal.writing() as tx:
            work.close_items(tx, site.journal, [item_id], request.state.user.display, note.strip())
        return RedirectResponse(f"/work/{item_id}?done=已关闭", 303)

    @routes.post("/work/{item_id}/replay")
    def replay(request: Request, item_id: int) -> Response:
        try:
            counts = replay_item(site.journal, item_id, request.state.user.display)
        except ConfigError as error:
            return PlainTextResponse(error.zh, 404)
        said = ", ".join(f"{name} {number}" for name, number in counts.items())
        return RedirectResponse(f"/work/{item_id}?done=已重放: {said}, 下次运行该流程时重新处理", 303)
