"""The console as one ASGI app: `create_app()`; stand-alone by `duijie console serve`, or behind any ASGI server."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from duijie.console import (
    alert_pages,
    billing_pages,
    code_pages,
    delivery_pages,
    door,
    explain_pages,
    faults,
    invoice_files,
    invoice_form_pages,
    invoice_pages,
    invoice_preview_pages,
    invoice_red_pages,
    lab,
    metrics_page,
    overview,
    pages,
    push_pages,
    replay_pages,
    report_pages,
    security,
    trace_pages,
    work_pages,
)
from duijie.console.site import HERE, Site
from duijie.ingress import Ingress
from duijie.ingress.app import PREFIX
from duijie.ingress.durable import open_durable
from duijie.journal import Journal

ROOT = HERE.parent.parent
SESSION_SECONDS = 12 * 3600
MODULES = (
    alert_pages,
    door,
    overview,
    trace_pages,
    explain_pages,
    work_pages,
    delivery_pages,
    code_pages,
    replay_pages,
    invoice_preview_pages,
    invoice_form_pages,
    invoice_red_pages,
    invoice_files,
    invoice_pages,
    billing_pages,
    pages,
    push_pages,
    report_pages,
    lab,
    metrics_page,
)


def create_app(journal_url: str | None = None, root: Path = ROOT) -> FastAPI:
    """The app over a journal (default DUIJIE_JOURNAL).

    Raises JournalBusy when it cannot be opened, ConfigError when the session's secret is no secret.
    """
    site = Site(Journal.open(journal_url), root)
    app = FastAPI(title="Duijie", docs_url=None, redoc_url=None, openapi_url=None)
    for module in MODULES:
        app.include_router(module.router(site))
    dist = HERE / "static" / "dist"
    app.mount("/static", StaticFiles(directory=dist, check_dir=False), name="static")
    faults.add(app, site)
    _protect(app, site, journal_url)
    return app


class Beside:
    """Lets what goes to /in/ reach the ingress: it has its own checks, and neither session nor form."""

    def __init__(self, app: ASGIApp, ingress: Ingress) -> None:
        self._app, self._ingress = app, ingress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """By path."""
        pushed = scope["type"] == "http" and str(scope["path"]).startswith(PREFIX)
        await (self._ingress if pushed else self._app)(scope, receive, send)


def _protect(app: FastAPI, site: Site, url: str | None) -> None:
    """The door, the session below it, the ingress beside both and, where one is named, the proxy in front.

    The last added is met first.

    Same-site "lax": with "strict", a link from a chat robot's alert would arrive without the session.
    """
    guard = security.Guard(site.users, partial(faults.refuse, site))
    app.add_middleware(BaseHTTPMiddleware, dispatch=guard)
    app.add_middleware(SessionMiddleware, secret_key=security.secret_key(), max_age=SESSION_SECONDS, same_site="lax")
    app.add_middleware(Beside, ingress=Ingress(partial(open_durable, url)))
    if proxies := os.environ.get("DUIJIE_TRUSTED_PROXY"):
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
