"""`python -m benchmarks.connectors.server TOTAL`: a shop's list of orders, each answer after 20 ms. Prints its port.

`GET /…/orders?page=N` is a page of a hundred, encoded beforehand, with its length in the headers; `GET /_delay?ms=N`
sets the wait. Written to cost as little as Python allows, in a process of its own: its work is nobody's figure.
"""

from __future__ import annotations

import asyncio
import re
import sys

from benchmarks.connectors.orders import order
from duijie import codec

PAGE = 100
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
KEPT = 50  # pages made; later ones repeat them
ASKED = re.compile(rb"[?&]page=(\d+)")
MILLISECONDS = re.compile(rb"_delay\?ms=(\d+)")


class Shop:
    """What all connections share."""

    def __init__(self, total: int) -> None:
        self.delay = 0.02
        pages = -(-total // PAGE)
        self._head = f"{HEAD}X-WP-Total: {total}\r\nX-WP-TotalPages: {pages}\r\n".encode()
        numbers = range(min(pages, KEPT))
        self._pages = [self._page([order(page * PAGE + at, total) for at in range(PAGE)]) for page in numbers]

    def _page(self, rows: list[dict[str, object]]) -> bytes:
        body = codec.encode_ordered(rows)
        return self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def answer(self, target: bytes) -> bytes:
        """Head and body."""
        if found := MILLISECONDS.search(target):
            self.delay = int(found[1]) / 1000
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        asked = ASKED.search(target)
        return self._pages[(int(asked[1]) - 1 if asked else 0) % len(self._pages)]


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as far as these clients need it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer on it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request; none has a body."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            target = self._buffer.split(b" ", 2)[1]
            self._buffer = self._buffer[end + 4 :]
            answer = self._shop.answer(target)
            asyncio.get_running_loop().call_later(self._shop.delay, self._transport.write, answer)


async def serve(total: int) -> None:
    """For ever."""
    shop = Shop(total)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(shop), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
