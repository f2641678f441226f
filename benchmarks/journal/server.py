"""`python -m benchmarks.journal.server`: source and sink in one process, written to cost as little as Python allows.

`GET /orders?page=N&total=N` is a page of a hundred orders, encoded beforehand; `POST /documents` takes a document;
`GET /documents?no=…` says which of them are there (none is: nothing is kept); `POST /_delay?ms=N` sets what every
answer waits. Prints its port.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from urllib.parse import parse_qs, urlsplit

from benchmarks.mapping.orders import orders
from duijie import codec

PAGE = 100
MOST = 20_000


class Store:
    """What all connections share."""

    def __init__(self) -> None:
        made = [codec.encode(one) for one in orders(MOST)]
        self.pages = [b'{"orders":[' + b",".join(made[at : at + PAGE]) + b"]}" for at in range(0, MOST, PAGE)]
        self.numbers = itertools.count(1)
        self.delay = 0.0

    def answer(self, method: str, target: str) -> bytes:
        """The body for a request."""
        asked = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/_delay":
            self.delay = int(query["ms"]) / 1000
            return b"{}"
        if asked.path == "/orders":
            page = int(query["page"])
            return self.pages[page] if page * PAGE < int(query["total"]) else b'{"orders":[]}'
        return b'{"id":"D%d"}' % next(self.numbers) if method == "POST" else b'{"documents":[]}'


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as far as these clients need it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._buffer = b""
        self._due: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer on it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1")
            length = next(
                (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
            )
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            method, target, _ = head.split(" ", 2)
            self._answer(self._store.answer(method, target))

    def _answer(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        if self._store.delay:
            asyncio.get_running_loop().call_later(self._store.delay, self._transport.write, head + body)
        else:
            self._transport.write(head + body)


async def serve() -> None:
    """For ever."""
    store = Store()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(store), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
