"""The frame of every sandbox: routes, faults to order, an admin route, a page that shows what it holds.

Faults are ordered over `POST /_admin/faults` with a JSON list of rules::

    {"kind": "lose_answer", "match": "sal_order", "rate": 0.05, "seed": 7}     work is done, the answer is cut off
    {"kind": "status", "match": "", "rate": 0.02, "status": 429, "headers": {"Retry-After": "1"}}
    {"kind": "delay", "match": "", "count": 3, "seconds": 0.2}
    {"kind": "expire_tokens", "match": "", "count": 1}
    {"kind": "malformed", "match": "", "count": 1}      work is done, the answer is a page of HTML
    {"kind": "late_status", "match": "", "count": 1, "status": 502}    work is done, the answer is that status
    {"kind": "shift_pages", "match": "", "count": 1}    before the request is answered, a listed record leaves its place
    {"kind": "watch", "match": "token", "rate": 1}      nothing happens, it is counted
    {"kind": "drop_push" | "duplicate_webhook", "match": "", "count": 1}   where the vendor pushes by itself

`match` is looked for in the request's path, query and (first 4 kB of the) body; `rate` draws from a seeded generator,
`count` fires that many times; `writes` (default false) limits a rule to requests the sandbox calls writes.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from duijie import codec
from sandbox.page import page
from sandbox.store import Store

Handler = Callable[[Request], Awaitable[Response]]
MAINTENANCE = "<html><body><h1>系统维护中</h1></body></html>"
OF_PUSHES = ("drop_push", "duplicate_webhook")  # faults of what a sandbox sends by itself, not of what it answers


@dataclass
class Fault:
    """One ordered fault."""

    kind: str
    match: str = ""
    rate: float = 0.0
    count: int = 0
    status: int = 500
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    writes: bool = False
    seed: int = 1
    fired: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  repeatable faults, not cryptography

    def due(self, text: str, is_write: bool) -> bool:
        """Whether this request is hit; counts it when it is."""
        if self.match not in text or (self.writes and not is_write):
            return False
        hit = self.fired < self.count if self.count else self._random.random() < self.rate
        self.fired += hit
        return hit


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer with exact decimals, keys in the order given."""
    return Response(codec.encode_ordered(value), status, media_type="application/json")


class Sandbox(ABC):
    """One vendor's server. Subclasses give `name`, `routes`, `seed` and the two hooks for faults."""

    name: str

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        self.store = store
        self.now = clock or (lambda: datetime.now(UTC))
        self.faults: list[Fault] = []

    @abstractmethod
    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """(method, path, handler) of the vendor's own protocol."""

    @abstractmethod
    def seed(self, data: dict[str, Any]) -> None:
        """Load the vendor's starting data (shape: each sandbox's docstring)."""

    @abstractmethod
    def expire_tokens(self) -> None:
        """Make every issued token invalid now."""

    def shift_pages(self) -> None:
        """The record listed first is changed now and leaves its place; sandboxes that can do so override this."""
        raise NotImplementedError

    def is_write(self, request: Request, body: bytes) -> bool:
        """Whether the request changes something; sandboxes whose reads are POSTs too override this."""
        return request.method not in ("GET", "HEAD")

    def app(self) -> Starlette:
        """The ASGI application."""
        own = [Route(path, self._faulty(handler), methods=[method]) for method, path, handler in self.routes()]
        admin = [
            Route("/_admin/faults", self._order_faults, methods=["POST"]),
            Route("/_admin/faults", self._show_faults, methods=["GET"]),
            Route("/_admin/seed", self._seed, methods=["POST"]),
            Route("/_admin/reset", self._reset, methods=["POST"]),
            Route("/_admin/data", self._data, methods=["GET"]),
            Route("/_admin/health", self._health, methods=["GET"]),
            Route("/_admin", self._page, methods=["GET"]),
        ]
        return Starlette(routes=[*admin, *own])

    def _faulty(self, handler: Handler) -> Handler:
        async def wrapped(request: Request) -> Response:
            if not self.faults:
                return await handler(request)
            body = await request.body()
            text = f"{request.url.path}?{request.url.query} {body[:4096].decode('utf-8', 'replace')}"
            write = self.is_write(request, body)
            due = [fault for fault in self.faults if fault.kind not in OF_PUSHES and fault.due(text, write)]
            return await self._apply(due, handler, request)

        return wrapped

    async def _apply(self, due: list[Fault], handler: Handler, request: Request) -> Response:
        for fault in due:
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            if fault.kind == "expire_tokens":
                self.expire_tokens()
            if fault.kind == "shift_pages":
                self.shift_pages()
        for fault in due:
            if fault.kind == "status":
                return Response(b"", fault.status, headers=fault.headers)
        kinds = {fault.kind for fault in due}
        response = await handler(request)
        if late := next((fault for fault in due if fault.kind == "late_status"), None):
            return Response(b"", late.status, headers=late.headers)
        if "malformed" in kinds:
            return HTMLResponse(MAINTENANCE)
        return _cut_off() if "lose_answer" in kinds else response

    async def _order_faults(self, request: Request) -> Response:
        self.faults = [Fault(**_plain(rule)) for rule in codec.decode(await request.body())]
        return json_response({"ordered": len(self.faults)})

    async def _show_faults(self, _: Request) -> Response:
        return json_response([{"kind": f.kind, "match": f.match, "fired": f.fired} for f in self.faults])

    async def _seed(self, request: Request) -> Response:
        self.seed(codec.decode(await request.body()))
        return json_response(self.store.counts())

    async def _reset(self, request: Request) -> Response:
        data = codec.decode(await request.body())
        type(self).__init__(self, Store(), self.now)
        self.seed(data)
        return json_response(self.store.counts())

    async def _data(self, request: Request) -> Response:
        return json_response(self.store.all(request.query_params["collection"]))

    async def _health(self, _: Request) -> Response:
        return json_response({"name": self.name, "holds": self.store.counts()})

    async def _page(self, request: Request) -> Response:
        wanted = request.query_params.get("collection", "")
        return HTMLResponse(page(self.name, self.store.counts(), wanted, self.store.all(wanted), self.faults))


def _plain(rule: dict[str, Any]) -> dict[str, Any]:
    """Chances and seconds are plain floats: they are not money."""
    return {**rule, **{name: float(rule[name]) for name in ("rate", "seconds") if name in rule}}


def _cut_off() -> Response:
    async def nothing() -> Any:
        yield b"{"

    return StreamingResponse(nothing(), headers={"content-length": "4096", "content-type": "application/json"})
