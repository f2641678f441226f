"""The pages of 待处理: the list, one item, and what people do with it: claim, close, replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.alerts import standing
from duijie.connect.errors import ConfigError
from duijie.console.flows import readable
from duijie.console.site import Site, tell
from duijie.journal import lines, views, work
from duijie.replay import Released, Routes, preview_item, replay_item

PER_PAGE = 50


def router(site: Site) -> APIRouter:
    """/work and everything below it."""
    routes = APIRouter()
    _reading(routes, site)
    _acting(routes, site)
    return routes


def known(site: Site) -> Routes:
    """The streams of every flow whose file can be read."""
    return Routes(readable(site.root)[0], site.root)


def _reading(routes: APIRouter, site: Site) -> None:
    @routes.get("/work")
    def work_list(request: Request, kind: str = "", state: str = "open", owner: str = "", page: int = 1) -> Response:
        asked = {"state": state, "kind": kind, "owner": owner}
        count = views.count_items(site.journal, state=state, kind=kind, owner=owner)
        last = max(1, -(-count // PER_PAGE))
        page = min(max(page, 1), last)
        start = (page - 1) * PER_PAGE
        found = views.items(site.journal, state=state, kind=kind, owner=owner, start=start, most=PER_PAGE)
        owners = views.owners(site.journal, state=state)
        who = {name: standing.people_of(name) for name in owners}
        shown = {"items": found, "count": count, "page": page, "last": last, "owners": owners, "who": who}
        return site.page(request, "work.html", asked=asked, **shown)

    @routes.get("/work/{item_id}")
    def work_page(request: Request, item_id: int) -> Response:
        found = views.items(site.journal, item_id=item_id)
        if not found:
            raise HTTPException(404, "没有这个待处理")
        records = views.records(site.journal, item_id)
        shown: dict[str, Any] = {"item": found[0], "records": records, "reasons": views.reasons(site.journal, records)}
        who = standing.people_of(found[0].owner)
        return site.page(request, "work_item.html", **shown, who=who, preview=_preview(site, found[0]))


def _preview(site: Site, item: views.Item) -> str:
    """What 重放 would do, in words."""
    if item.state == "closed":
        return ""
    try:
        return _will(preview_item(site.journal, item.id, known(site)))
    except ConfigError as error:
        return f"暂不能重放: {error.zh}"


def _will(released: Released) -> str:
    if not any(released.words.values()):
        return "重放: 没有等待放行的报文或单据; 若原因已排除, 该流程下次运行时自动处理"
    return f"重放将放行: {_counted(released)}, 由该流程下次运行处理"


def _counted(released: Released) -> str:
    return ", ".join(f"{name} {number}" for name, number in released.words.items() if number) or "无"


def _acting(routes: APIRouter, site: Site) -> None:
    @routes.post("/work/{item_id}/claim")
    def claim(request: Request, item_id: int) -> Response:
        who = request.state.user.display
        return _done(request, item_id, lambda: work.claim(site.journal, item_id, who), "已认领")

    @routes.post("/work/{item_id}/close")
    def close(request: Request, item_id: int, note: Annotated[str, Form()] = "") -> Response:
        who = request.state.user.display
        return _done(request, item_id, lambda: work.close(site.journal, item_id, who, note), "已关闭")

    @routes.post("/work/{item_id}/enable")
    def enable(request: Request, item_id: int) -> Response:
        who = request.state.user.display

        def act() -> str:
            work.must_be_open(site.journal, item_id)
            [item] = views.items(site.journal, item_id=item_id)
            lines.enable(site.journal, item.subject, who)
            return f"连接 {item.subject} 已恢复使用, 等待的单据自动继续"

        return _done(request, item_id, act, "")

    @routes.post("/work/{item_id}/replay")
    def replay(request: Request, item_id: int) -> Response:
        who = request.state.user.display

        def act() -> str:
            released = replay_item(site.journal, item_id, who, known(site))
            return f"已重放: {_counted(released)}, 由该流程下次运行处理"

        return _done(request, item_id, act, "")


def _done(request: Request, item_id: int, act: Callable[[], str | None], words: str) -> Response:
    """Act, then show the item with what happened, or with why nothing did."""
    try:
        tell(request, act() or words)
    except ConfigError as error:
        tell(request, error.zh, problem=True)
    return RedirectResponse(f"/work/{item_id}", 303)
