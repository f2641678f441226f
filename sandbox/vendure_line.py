"""A line to a real Vendure on which faults can be ordered, with the routes that every sandbox has (sandbox.kit).

What is asked goes to the real server and what it answers comes back; only ordered faults come between. A reset opens a
channel of its own, so that nothing written before is seen: {"products": 3, "orders": 3} puts products P1… on sale
and has as many buyers order three pieces of P1. The channel is named in a header that callers need not know of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any, ClassVar

import requests
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store
from sandbox.vendure import VendureServer
from sandbox.vendure_people import SECONDS, Buyer, Manager

HOP = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding", "content-encoding", "keep-alive"}
FIRST_HALVES = (b"mutation login", b"mutation ship", b"mutation addProduct")
PIECES = 100
CENTS = 1130
HELD = {
    "orders": "{ orders(options: {sort: {id: ASC}}) { items { id code state lines { id quantity } } } }",
    "customers": "{ customers { items { id emailAddress firstName } } }",
    "variants": "{ productVariants { items { id sku name enabled stockLevels { stockOnHand stockAllocated } } } }",
    "fulfillments": """{ orders { items { id code fulfillments { id state trackingCode method
      lines { orderLineId quantity } } } } }""",
}


class VendureLine(Sandbox):
    """The kit's frame around one server; made by `line_to`."""

    name = "vendure"
    server: ClassVar[VendureServer]
    numbers: ClassVar[count[int]] = count(1)
    channel: ClassVar[str] = ""
    seeded: ClassVar[dict[str, Any] | None] = None
    _manager: ClassVar[Manager | None] = None

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._tokens: set[str] = set()

    @classmethod
    def manager(cls) -> Manager:
        """The administrator, in the line's channel; logged in once, for that takes a quarter of a second."""
        if cls._manager is None:
            cls._manager = Manager(cls.server.url, cls.server.password)
        cls._manager.enter(cls.channel)
        return cls._manager

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Everything that is not the kit's own."""
        return [("POST", "/{path:path}", self._pass)]

    def seed(self, data: dict[str, Any]) -> None:
        """Open a new channel with products and orders, unless the one there is has the same and nothing was changed."""
        own = type(self)
        if own.seeded == data:
            return
        own.channel = ""
        own.channel = own.manager().channel(f"line-{next(own.numbers)}")
        manager = own.manager()
        manager.location(f"{own.channel} 仓")
        variants = [manager.product(f"P{number + 1}", CENTS, PIECES) for number in range(data.get("products", 0))]
        for number in range(data.get("orders", 0)):
            Buyer(own.server.url, f"buyer{number + 1}@example.com", own.channel).order({variants[0]: 3})
        own.seeded = data

    def expire_tokens(self) -> None:
        """Log out every session that was seen; Vendure ends all sessions of a user at once, the manager's too."""
        type(self)._manager = None
        for token in self._tokens:
            headers = {"Authorization": token}
            body = {"query": "mutation { logout { success } }"}
            requests.post(f"{self.server.url}/admin-api", json=body, headers=headers, timeout=SECONDS)
        self._tokens.clear()

    def is_write(self, request: Request, body: bytes) -> bool:
        """The call that makes the document: of a document that takes two calls, the second."""
        return b"mutation" in body[:100] and not any(half in body[:100] for half in FIRST_HALVES)

    async def _pass(self, request: Request) -> Response:
        body = await request.body()
        if b"mutation" in body[:100] and b"mutation login" not in body[:100]:
            type(self).seeded = None
        if token := request.headers.get("authorization"):
            self._tokens.add(token)
        return await run_in_threadpool(self._forward, request, body)

    def _forward(self, request: Request, body: bytes) -> Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        query = f"?{request.url.query}" if request.url.query else ""
        answer = requests.post(
            f"{self.server.url}{request.url.path}{query}",
            body,
            headers={"vendure-token": self.channel, **headers},
            timeout=SECONDS,
        )
        told = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        return Response(answer.content, answer.status_code, headers=told)

    async def _data(self, request: Request) -> Response:
        name = request.query_params["collection"]
        return json_response(await run_in_threadpool(self._held, name))

    def _held(self, name: str) -> list[Any]:
        """What the real server says it holds in the channel."""
        [told] = self.manager().ask(HELD[name]).values()
        rows: list[Any] = told["items"]
        return [one for row in rows for one in row["fulfillments"] or []] if name == "fulfillments" else rows


def line_to(server: VendureServer) -> VendureLine:
    """A line to that server, to be served like a sandbox."""

    class LineToOne(VendureLine):
        pass

    LineToOne.server = server
    return LineToOne(Store())
