"""The console as one ASGI app: `create_app()`; stand-alone by `duijie console serve`, or behind any ASGI server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.templating import Jinja2Templates
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from duijie.connect.errors import JournalBusy
from duijie.console import pages, security, users, words
from duijie.journal import Journal

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SESSION_SECONDS = 12 * 3600


class Site:
    """What every page needs: the journal, the project's root, templates, users."""

    def __init__(self, journal: Journal, root: Path) -> None:
        self.journal = journal
        self.root = root
        self.users = users.default_path()
        self.attempts = security.Attempts()
        self.templates = Jinja2Templates(directory=HERE / "templates")
        self.templates.env.filters |= {
            "money": words.money,
            "amount": words.amount,
            "moment": words.moment,
            "sink": words.sink,
        }
        self.templates.env.globals |= {"words": words, "now": journal.now}

    def page(self, request: Request, name: str, **values: Any) -> Response:
        """Render a template for the person who asks."""
        shared = {
            "user": getattr(request.state, "user", None),
            "csrf": security.token_of(request),
            "path": request.url.path,
            "airflow_url": os.environ.get("DUIJIE_AIRFLOW_URL", ""),
        }
        return self.templates.TemplateResponse(request, name, {**shared, **values})


def create_app(journal_url: str | None = None, root: Path = ROOT) -> FastAPI:
    """The app over a journal (default DUIJIE_JOURNAL). Raises JournalBusy when it cannot be opened."""
    site = Site(Journal.open(journal_url), root)
    app = FastAPI(title="Duijie", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(pages.router(site))
    dist = HERE / "static" / "dist"
    app.mount("/static", StaticFiles(directory=dist, check_dir=False), name="static")
    app.add_middleware(BaseHTTPMiddleware, dispatch=security.Guard(site.users))
    app.add_middleware(SessionMiddleware, secret_key=security.secret_key(), max_age=SESSION_SECONDS, same_site="strict")
    app.add_exception_handler(JournalBusy, _busy)
    return app


async def _busy(_: Request, error: Exception) -> Response:
    said = error.zh if isinstance(error, JournalBusy) else str(error)
    return JSONResponse({"状态": "日志库不可用", "原因": said}, 503)
