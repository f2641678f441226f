"""推送: which connections take pushes, what came, what was refused and why, what is still to be read again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from duijie.codec import Record
from duijie.connect.connection import list_connections
from duijie.connect.errors import ConfigError
from duijie.connect.registry import plugin
from duijie.console.site import Site
from duijie.journal import pushes

LATELY = timedelta(hours=24)
NEVER: Record = {"count": 0, "last_at": None, "detail": ""}


def router(site: Site) -> APIRouter:
    """/pushes."""
    routes = APIRouter()

    @routes.get("/pushes")
    def show(request: Request) -> Response:
        counted = {one["connection"]: one for one in pushes.standing(site.journal)}
        named = sorted({*_able(), *counted})
        rows = [_row(site, name, counted.get(name, {})) for name in named]
        return site.page(request, "pushes.html", rows=rows)

    return routes


def _able() -> list[str]:
    """Connections whose connector checks pushes; none where the connections cannot be read here."""
    try:
        return [one.conn_id for one in list_connections() if plugin(one.conn_type).hook]
    except ConfigError:
        return []


def _row(site: Site, connection: str, said: Record) -> dict[str, Any]:
    accepted, repeated, refused = (said.get(name, NEVER) for name in ("accepted", "repeated", "refused"))
    return {
        "connection": connection,
        "accepted": accepted,
        "repeated": repeated["count"],
        "refused": refused,
        "hints": said.get("hints", 0),
        "since": said.get("since"),
        "light": _light(site, accepted, refused),
    }


def _light(site: Site, accepted: Record, refused: Record) -> tuple[str, str]:
    """Red while the last word of a day was a refusal."""
    is_recent = bool(refused["last_at"]) and site.journal.now() - refused["last_at"] < LATELY
    if is_recent and (not accepted["last_at"] or accepted["last_at"] < refused["last_at"]):
        return "bad", "最近的推送被拒"
    return ("good", "正常") if accepted["last_at"] else ("", "还没有推送")
