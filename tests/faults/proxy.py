"""A bad network: an HTTP proxy that drops, delays, truncates and repeats what passes through it.

Whether and how a request is hit depends on the seed, on what the request says and on how often it has been said, not on
when it comes: the same seed gives the same day again, whatever the threads do.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

PAGE = b"<!doctype html><title>Sign in to the network</title><p>please wait"
LATE_SECONDS = 1.0
DRIBBLE = 0.004


class Exchange:
    """One request on its way, and the two ends."""

    def __init__(self, raw: bytes, writer: asyncio.StreamWriter, upstream: tuple[str, int]) -> None:
        self.raw = raw
        self.writer = writer
        self._upstream = upstream

    async def act(self) -> bytes:
        """Have the target do it; its whole answer."""
        reader, writer = await asyncio.open_connection(*self._upstream)
        head, _, body = self.raw.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer

    async def say(self, answer: bytes) -> None:
        """To the caller."""
        self.writer.write(answer)
        await self.writer.drain()

    def hang_up(self) -> None:
        """Close the caller's connection."""
        self.writer.close()

    def reset(self) -> None:
        """Close it with RST."""
        caller: socket.socket = self.writer.get_extra_info("socket")
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def _answer(status: str, body: bytes, kind: str = "text/html") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def whole(x: Exchange) -> None:
    """Nothing happens to it."""
    await x.say(await x.act())
    x.hang_up()


async def dropped(x: Exchange) -> None:
    """It never arrives."""
    x.hang_up()


async def delayed(x: Exchange) -> None:
    """The answer takes its time."""
    await asyncio.sleep(0.05)
    await whole(x)


async def lost(x: Exchange) -> None:
    """The answer is lost after the commit."""
    await x.act()
    x.hang_up()


async def truncated(x: Exchange) -> None:
    """The answer ends in the middle."""
    answer = await x.act()
    await x.say(answer[: len(answer) - 9])
    x.hang_up()


async def reset_in_body(x: Exchange) -> None:
    """The connection is reset in the body of the answer."""
    answer = await x.act()
    await x.say(answer[: len(answer) - 9])
    await asyncio.sleep(0.005)
    x.reset()


async def page_after(x: Exchange) -> None:
    """It is done, and answered 200 with an HTML page."""
    await x.act()
    await x.say(_answer("200 OK", PAGE))
    x.hang_up()


async def page_instead(x: Exchange) -> None:
    """It is not done, and answered 200 with an HTML page."""
    await x.say(_answer("200 OK", PAGE))
    x.hang_up()


async def empty_after(x: Exchange) -> None:
    """It is done, and answered 200 with nothing."""
    await x.act()
    await x.say(_answer("200 OK", b"", "application/json"))
    x.hang_up()


async def gateway_after(x: Exchange) -> None:
    """It is done, and answered 502."""
    await x.act()
    await x.say(_answer("502 Bad Gateway", PAGE))
    x.hang_up()


async def gateway_instead(x: Exchange) -> None:
    """It is not done, and answered 503."""
    await x.say(_answer("503 Service Unavailable", PAGE))
    x.hang_up()


async def dribbled(x: Exchange) -> None:
    """The answer comes in drops."""
    answer = await x.act()
    for start in range(0, len(answer), 16):
        await x.say(answer[start : start + 16])
        await asyncio.sleep(DRIBBLE)
    x.hang_up()


async def late(x: Exchange) -> None:
    """The caller is cut off, and then it arrives."""
    x.hang_up()
    await asyncio.sleep(LATE_SECONDS)
    await x.act()


async def twice(x: Exchange) -> None:
    """It arrives twice; the second answer is the one that is heard."""
    await x.act()
    await whole(x)


Fault = Callable[[Exchange], Awaitable[None]]
FAULTS: tuple[Fault, ...] = (
    dropped,
    delayed,
    lost,
    truncated,
    reset_in_body,
    page_after,
    page_instead,
    empty_after,
    gateway_after,
    gateway_instead,
    dribbled,
    late,
    twice,
)


class Proxy:
    """`with Proxy(url, seed, rate) as proxy:` in a thread of this process. `faults` names what may happen."""

    def __init__(self, upstream: str, seed: int, rate: float, faults: Sequence[Fault] = FAULTS) -> None:
        place = urlsplit(upstream)
        self._upstream = (str(place.hostname), int(place.port or 80))
        self._seed, self._rate, self._faults = seed, rate, faults
        self._said: Counter[bytes] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self.injected: Counter[str] = Counter()
        self.passed = 0
        self.url = ""

    def __enter__(self) -> Proxy:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = starting.result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(others, timeout=LATE_SECONDS + 1) if others else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            raw = await _request(reader)
            self.passed += 1
            fault = self._fault(raw)
            if fault is not whole:
                self.injected[fault.__name__] += 1
            await fault(Exchange(raw, writer, self._upstream))

    def _fault(self, raw: bytes) -> Fault:
        """What happens to this request, this time."""
        line, _, rest = raw.partition(b"\r\n")
        said = hashlib.sha256(line + rest.partition(b"\r\n\r\n")[2]).digest()
        self._said[said] += 1
        dice = random.Random(f"{self._seed}:{said.hex()}:{self._said[said]}")  # noqa: S311  repeatable, no secret
        return dice.choice(self._faults) if dice.random() < self._rate else whole


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = (line.split(b":", 1) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    length = next((int(value) for _, value in fields), 0)
    return head + (await reader.readexactly(length) if length else b"")
