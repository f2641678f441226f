"""The ingress as a server of its own."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from duijie.ingress.app import Ingress
from duijie.ingress.collect import Collector


def server(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    """A server for an app: no access log (addresses may carry a token), no word about what serves."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=16_384,
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)


def serve(host: str, port: int) -> None:
    """Serve and empty mailboxes until SIGTERM or Ctrl-C. Raises ConfigError for a bound that is none, JournalBusy."""
    app = Ingress()
    Collector().start()
    server(app, host, port).run()
