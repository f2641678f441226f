"""告警: the channels and how they do, open alerts and what comes next of each; claim, mute, a test message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.alerts import sending, standing
from duijie.connect.errors import ConfigError
from duijie.console.site import Site, tell
from duijie.console.words import SEND_STATES
from duijie.journal import alarms, work

TESTERS = ("ops",)
SHOWS = {"open": "未恢复", "waiting": "待发", "recovered": "已恢复", "all": "全部"}
HOURS = {1: "1 小时", 4: "4 小时", 12: "12 小时", 24: "1 天", 72: "3 天", 168: "7 天"}


def router(site: Site) -> APIRouter:
    """/alerts and everything below it."""
    routes = APIRouter()
    _reading(routes, site)
    _acting(routes, site)
    _muting(routes, site)
    return routes


def _reading(routes: APIRouter, site: Site) -> None:
    @routes.get("/alerts")
    def listed(request: Request, show: str = "open") -> Response:
        which = show if show in SHOWS else "open"
        alerting, problem = standing.known()
        shown: dict[str, Any] = {
            "alerts": standing.alerts(site.journal, alerting, which),
            "count": standing.count(site.journal, which),
            "channels": standing.channels(site.journal, alerting),
            "messages": standing.messages(site.journal),
            "mutes": alarms.mutes(site.journal),
            "may_test": request.state.user.role in TESTERS,
        }
        return site.page(request, "alerts.html", show=which, shows=SHOWS, problem=problem, **shown, **_words())

    @routes.get("/alerts/{alert_id}")
    def one(request: Request, alert_id: int) -> Response:
        found = standing.one_alert(site.journal, standing.known()[0], alert_id)
        if found is None:
            raise HTTPException(404, "没有这条告警")
        shown = {"one": found, "sends": standing.sends(site.journal, alert_id), "hours": HOURS}
        return site.page(request, "alert.html", rule=found.row.dedupe.partition("|")[0], **shown, **_words())


def _words() -> dict[str, Any]:
    return {"purposes": sending.PURPOSES, "send_states": SEND_STATES}


def _acting(routes: APIRouter, site: Site) -> None:
    @routes.post("/alerts/{alert_id}/claim")
    def claim(request: Request, alert_id: int) -> Response:
        def act() -> None:
            work.claim_alert(site.journal, alert_id, request.state.user.display)

        return _done(request, f"/alerts/{alert_id}", act, "已认领, 不再升级")

    @routes.post("/alerts/test")
    def test(request: Request, channel: Annotated[str, Form()]) -> Response:
        if request.state.user.role not in TESTERS:
            raise HTTPException(403, "只有运维可以发送测试消息")
        alerting, problem = standing.known()
        if channel not in alerting.channels:
            raise HTTPException(404, problem or "没有这个渠道")
        found = sending.test(site.journal, alerting, channel)
        failed = any(said != sending.SENT for _, said in found)
        tell(request, "; ".join(f"{robot}: {said}" for robot, said in found), problem=failed)
        return RedirectResponse("/alerts", 303)


def _muting(routes: APIRouter, site: Site) -> None:
    @routes.post("/alerts/{alert_id}/mute")
    def mute(
        request: Request,
        alert_id: int,
        hours: Annotated[int, Form()],
        scope: Annotated[str, Form()],
        reason: Annotated[str, Form()] = "",
    ) -> Response:
        def act() -> None:
            found = standing.one_alert(site.journal, standing.known()[0], alert_id)
            dedupe = found.row.dedupe if found else ""
            of = dedupe if scope == "object" else dedupe.partition("|")[0]
            until = site.journal.now() + timedelta(hours=hours)
            alarms.mute(site.journal, of, until, request.state.user.display, reason)

        return _done(request, f"/alerts/{alert_id}", act, "已静音: 照常记录, 到期再发")

    @routes.post("/alerts/mutes/{mute_id}/end")
    def unmute(request: Request, mute_id: int) -> Response:
        return _done(request, "/alerts", lambda: alarms.unmute(site.journal, mute_id), "已解除静音")


def _done(request: Request, back: str, act: Callable[[], None], words: str) -> Response:
    """Act, then show the page with what happened, or with why nothing did."""
    try:
        act()
        tell(request, words)
    except ConfigError as error:
        tell(request, error.zh, problem=True)
    return RedirectResponse(back, 303)
