"""The way in and out: login, logout, and the health page that watchers may read without either."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from duijie.console import security, users
from duijie.console.site import Site
from duijie.console.words import CHINA
from duijie.journal import work
from duijie.journal.tables import document

HASHED_AT_ONCE = 2  # argon2 takes 64 MB for each on purpose


def router(site: Site) -> APIRouter:
    """/login, /logout, /healthz."""
    routes = APIRouter()
    _health(routes, site)
    hashing = CapacityLimiter(HASHED_AT_ONCE)

    @routes.get("/login")
    def ask(request: Request) -> Response:
        return site.page(request, "login.html", problem="")

    @routes.post("/login")
    async def enter(request: Request) -> Response:
        if not await security.has_token(request):
            return site.page(request, "login.html", problem="页面已过期, 请重试")
        form = await request.form()
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        found = await to_thread.run_sync(_known, site, name, password, _address(request), limiter=hashing)
        if isinstance(found, str):
            return site.page(request, "login.html", problem=found, given=name)
        return RedirectResponse(security.enter(request, found), 303)

    @routes.post("/logout")
    def leave(request: Request) -> Response:
        request.session.clear()
        return RedirectResponse("/login", 303)

    return routes


def _health(routes: APIRouter, site: Site) -> None:
    @routes.get("/healthz")
    def healthz() -> Response:
        with site.journal.reading() as tx:
            tx.execute(select(document.c.id).limit(1)).all()
        return JSONResponse({"journal": "ok"})


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _known(site: Site, name: str, password: str, address: str) -> users.User | str:
    """The person, or why they may not come in."""
    if not site.attempts.may_try(name, address):
        return "密码错误次数过多, 请一分钟后再试"
    user = users.verify(site.users, name, password)
    if user is not None:
        site.attempts.succeeded(name, address)
        return user
    if site.attempts.is_noteworthy(name) and users.find(site.users, name):
        _tell_people(site, name, address)
    return "用户名或密码不正确"


def _tell_people(site: Site, name: str, address: str) -> None:
    """Nobody is shut out by name alone, so that people must know when somebody tries many times."""
    today = site.journal.now().astimezone(CHINA).date()
    title = f"用户 {name} 一分钟内多次密码错误, 最近来自 {address}"
    body = "若不是本人忘记密码, 请在防火墙拦截来源地址, 并更换该用户密码"
    with site.journal.writing() as tx:
        work.raise_alert(tx, site.journal, f"login|{name}|{today}", "重要", title, body)
