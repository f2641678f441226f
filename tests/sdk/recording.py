"""A sandbox that keeps the bytes of every request, so that two clients can be compared; over TLS where one insists."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

from duijie import codec
from sandbox.kit import Sandbox
from sandbox.serve import free_ports


@dataclass(frozen=True)
class Sent:
    """One request as it came over the wire; header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """Query and form together."""
        form = self.body.decode() if "form" in self.headers.get("content-type", "") else ""
        return dict(parse_qsl(self.query) + parse_qsl(form))

    @property
    def json(self) -> Any:
        """The body."""
        return codec.decode(self.body)


@dataclass
class Recorded:
    """Where the sandbox is served, and what it was sent."""

    url: str
    sent: list[Sent] = field(default_factory=list)

    def to(self, path: str) -> list[Sent]:
        """The requests whose path holds this text."""
        return [one for one in self.sent if path in one.path]


@contextmanager
def recorded(sandbox: Sandbox, tls: tuple[Path, Path] | None = None) -> Iterator[Recorded]:
    """Serve a sandbox and record; `tls`: files of a certificate and its key."""
    [port] = free_ports(1)
    found = Recorded(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
    files = {"ssl_certfile": str(tls[0]), "ssl_keyfile": str(tls[1])} if tls else {}
    app = _listening(sandbox.app(), found.sent)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off", **files)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join(10)


def _listening(app: Any, sent: list[Sent]) -> Any:
    async def listened(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not scope["path"].startswith("/_admin"):
            sent.append(Sent(scope["method"], scope["path"], scope["query_string"].decode(), headers, body))
        replayed = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(replayed, None) or await receive()

        await app(scope, again, send)

    return listened
