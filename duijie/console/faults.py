"""What people see when a page cannot be shown: a page that says why, in place of JSON or a bare line."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from duijie.connect.errors import ConfigError, DuijieError
from duijie.connect.errors import JournalBusy as Busy
from duijie.console import security
from duijie.console.site import Site

NO_PAGE = "没有这个页面, 请从菜单进入"
OWN_WORDS = {"Not Found": NO_PAGE, "Method Not Allowed": NO_PAGE}


def refuse(site: Site, request: Request, status: int, reason: str) -> Response:
    """A whole page with the reason; a fragment gets the bare sentence, which console.js puts in its place."""
    if security.is_fragment(request):
        return PlainTextResponse(reason, status)
    page = site.page(request, "error.html", reason=reason)
    page.status_code = status
    return page


def add(app: FastAPI, site: Site) -> None:
    """Answer errors of routes with such a page, and /healthz with JSON."""

    async def busy(request: Request, error: Exception) -> Response:
        said = error.zh if isinstance(error, DuijieError) else str(error)
        if request.url.path == "/healthz":
            return JSONResponse({"journal": "down", "reason": said}, 503)
        return refuse(site, request, 503, said)

    async def missing(request: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError):
            return refuse(site, request, *_invalid(error))
        if isinstance(error, HTTPException):
            return refuse(site, request, error.status_code, OWN_WORDS.get(error.detail, error.detail))
        return refuse(site, request, 500, str(error))

    app.add_exception_handler(Busy, busy)
    app.add_exception_handler(ConfigError, busy)
    app.add_exception_handler(HTTPException, missing)
    app.add_exception_handler(RequestValidationError, missing)


def _invalid(error: RequestValidationError) -> tuple[int, str]:
    """A wrong address is a page that is not there; a wrong field is named."""
    places = [found["loc"] for found in error.errors()]
    if any(place[0] == "path" for place in places):
        return 404, NO_PAGE
    return 422, f"参数 {', '.join(str(place[-1]) for place in places)} 有误, 请返回更正"
