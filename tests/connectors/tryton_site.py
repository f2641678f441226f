"""A real Tryton that is being served, and connections to it over a wire that can be cut."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.tryton import CONNECTOR
from connectors.tryton.client import Client
from connectors.tryton.connector import Tryton
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.protocol import Incident, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.tryton import TrytonServer
from sandbox.tryton_plan import LOGIN


def by_key(*keys: str) -> Window:
    """A window of exactly these keys."""
    return Window(datetime.now(UTC), datetime.now(UTC), keys=keys)


class Wire:
    """A wire to the server that can be cut after the server has done the work and before its answer comes back."""

    def __init__(self, upstream: str) -> None:
        self.cut_at: bytes | None = None
        wire, place = self, urlsplit(upstream).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server = http.client.HTTPConnection(place, timeout=30)
                server.request("POST", self.path, body, dict(self.headers))
                answer = server.getresponse()
                content = answer.read()
                if wire.cut_at is not None and wire.cut_at in body:
                    wire.cut_at = None
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Encoding"):
                    if answer.headers[name]:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Site:
    """A ledger that is being served, and connections to it."""

    server: TrytonServer
    wire: Wire
    folder: Path
    incidents: list[Incident] = field(default_factory=list)

    def open(self, **changes: Any) -> Tryton:
        extra = {"rate": "1000/second", "post": True, "rpc_path": self.server.rpc_path, **changes.pop("extra", {})}
        fields = {"host": self.wire.url, "schema": self.server.database, "login": LOGIN, **changes}
        fields.setdefault("password", self.server.password)
        connection = Connection("tr", "tryton", extra=extra, **fields)
        return CONNECTOR.open(connection, self.services())  # type: ignore[return-value]

    def services(self) -> Services:
        return Services(TokenStore(self.folder), self.incidents.append)

    def drafts(self) -> Tryton:
        return self.open(extra={"post": False})

    def administrator(self) -> Client:
        password = (self.server.home / "admin-password").read_text().strip()
        fields = {"host": self.server.url, "login": "admin", "password": password, "schema": self.server.database}
        connection = Connection("admin", "tryton", **fields, extra={"rpc_path": self.server.rpc_path})
        return Client(connection, self.services(), "1000/second")

    def held(self, *keys: str) -> list[Record]:
        """What the ledger itself says, drafts included."""
        return [record for page in self.drafts().streams["voucher"].read(by_key(*keys)) for record in page.records]
