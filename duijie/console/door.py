"""The way in and out: login, logout, and the health page that watchers may read without either."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from duijie.console import security, users
from duijie.console.site import Site


def router(site: Site) -> APIRouter:
    """/login, /logout, /healthz."""
    routes = APIRouter()

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

    return routes


def _refusal(site: Site, form: Any, name: str) -> str:
    if site.attempts.blocked(name):
        return "密码错误次数过多, 请一分钟后再试"
    if users.verify(site.users, name, str(form.get("password", ""))) is None:
        site.attempts.failed(name)
        return "用户名或密码不正确"
    site.attempts.succeeded(name)
    return ""
