"""A local server of files that counts who asked: what is promised about addresses is that no call was made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class _Files(BaseHTTPRequestHandler):
    """/to?there=URL redirects, /round to itself, /big has too many bytes, everything else is the file %PDF."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        there = parse_qs(parts.query).get("there", ["/round" if parts.path == "/round" else ""])[0]
        body = b"" if there else b"%PDF" * (3 * 1024 * 1024 if parts.path == "/big" else 1)
        self.send_response(302 if there else 200)
        if there:
            self.send_header("Location", there)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


class FileSite:
    """Reached as 127.0.0.1 (`url`) or, which is another host to whoever compares names, as localhost (`alias`)."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.asked: list[str] = server.asked  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.alias = f"http://localhost:{server.server_port}"


@contextmanager
def file_site() -> Iterator[FileSite]:
    """One that runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield FileSite(server)
    finally:
        server.shutdown()
        server.server_close()
