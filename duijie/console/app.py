"""The console as one ASGI app: `create_app()`; stand-alone by `duijie console serve`, or behind any ASGI server."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from duijie.connect.errors import JournalBusy
from duijie.console import door, overview, pages, security, trace_pages, work_pages
from duijie.console.site import HERE, Site
from duijie.journal import Journal

ROOT = HERE.parent.parent
SESSION_SECONDS = 12 * 3600
MODULES = (door, overview, trace_pages, work_pages, pages)


def create_app(journal_url: str | None = None, root: Path = ROOT) -> FastAPI:
    """The app over a journal (default DUIJIE_JOURNAL). Raises JournalBusy when it cannot be opened."""
    site = Site(Journal.open(journal_url), root)
    app = FastAPI(title="Duijie", docs_url=None, redoc_url=None, openapi_url=None)
    for module in MODULES:
        app.include_router(module.router(site))
    dist = HERE / "static" / "dist"
    app.mount("/static", StaticFiles(directory=dist, check_dir=False), name="static")
    app.add_middleware(BaseHTTPMiddleware, dispatch=security.Guard(site.users))
    app.add_middleware(SessionMiddleware, secret_key=security.secret_key(), max_age=SESSION_SECONDS, same_site="strict")
    app.add_exception_handler(JournalBusy, _busy)
    return app


async def _busy(_: Request, error: Exception) -> Response:
    said = error.zh if isinstance(error, JournalBusy) else str(error)
    return JSONResponse({"状态": "日志库不可用", "原因": said}, 503)
