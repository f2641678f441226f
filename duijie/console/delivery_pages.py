"""投递: find deliveries by sink, state, number or reason; send them round again or give them up, after a look.

The page that asks shows what would be touched. What is confirmed carries how many that were: when something else has
become of them meanwhile, nothing is done and the list is shown again.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.connect.errors import ConfigError
from duijie.console.site import Site, tell
from duijie.journal import Journal, chosen, views
from duijie.journal.chosen import Choice, Wanted
from duijie.journal.tables import UNFINISHED_STATES

SHOWN = 200
FILTERS = ("id", "sink", "state", "key", "reason")
WORDS = {"retry": "重试", "cancel": "取消"}
CHANGED = "确认期间情况已变, 未做任何改动: 请再看一次"
Act = Literal["retry", "cancel"]
Asked = dict[str, str]


def router(site: Site) -> APIRouter:
    """/deliveries and what people do there."""
    routes = APIRouter()

    @routes.get("/deliveries")
    def listed(request: Request) -> Response:
        asked = _asked(request)
        try:
            wanted = _wanted(asked) if asked else Wanted(states=UNFINISHED_STATES)
            rows, count = chosen.find(site.journal, wanted, SHOWN), chosen.count(site.journal, wanted)
        except ConfigError as error:
            tell(request, error.zh, problem=True)
            return RedirectResponse("/deliveries", 303)
        shown = {"rows": rows, "count": count, "sinks": sorted(views.deliveries_by_sink(site.journal))}
        return site.page(request, "deliveries.html", asked=asked, query=urlencode(asked), **shown)

    _acting(routes, site)
    return routes


def _acting(routes: APIRouter, site: Site) -> None:
    @routes.get("/deliveries/{act}")
    def ask(request: Request, act: Act) -> Response:
        asked = _asked(request)
        try:
            choice = _choice(site.journal, act, asked)
        except ConfigError as error:
            return _back(request, asked, error.zh, problem=True)
        shown = {"act": act, "word": WORDS[act], "choice": choice, "rows": choice.rows[:SHOWN]}
        return site.page(request, "deliveries_act.html", query=urlencode(asked), **shown)

    @routes.post("/deliveries/{act}")
    def do(request: Request, act: Act, expected: Annotated[int, Form()], why: Annotated[str, Form()] = "") -> Response:
        asked = _asked(request)
        try:
            choice = _choice(site.journal, act, asked)
            if len(choice.rows) != expected:
                return _back(request, asked, CHANGED, problem=True)
            return _back(request, asked, _done(site.journal, act, choice, request.state.user.display, why))
        except ConfigError as error:
            return _back(request, asked, error.zh, problem=True)


def _asked(request: Request) -> Asked:
    return {name: given.strip() for name in FILTERS if (given := request.query_params.get(name, "")).strip()}


def _wanted(asked: Asked) -> Wanted:
    """Raises ConfigError for a number that is none."""
    number = asked.get("id", "")
    if number and not number.isdecimal():
        raise ConfigError(f"投递编号 {number} 不是数字", en=f"{number} is no delivery's number", where="id")
    ids = (int(number),) if number else ()
    states = (asked["state"],) if "state" in asked else ()
    return Wanted(ids, asked.get("key", ""), asked.get("sink", ""), states, asked.get("reason", ""))


def _choice(journal: Journal, act: Act, asked: Asked) -> Choice:
    choose = chosen.to_retry if act == "retry" else chosen.to_cancel
    return choose(journal, _wanted(asked))


def _done(journal: Journal, act: Act, choice: Choice, who: str, why: str) -> str:
    if act == "retry":
        return f"已放行 {chosen.retry(journal, choice.rows, who, why)} 笔, 由流程下次运行发送"
    return f"已取消 {chosen.cancel(journal, choice.rows, who, why)} 笔"


def _back(request: Request, asked: Asked, said: str, *, problem: bool = False) -> Response:
    tell(request, said, problem=problem)
    return RedirectResponse(f"/deliveries?{urlencode(asked)}", 303)
