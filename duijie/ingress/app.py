"""POST /in/CONNECTION[/TOPIC]: check, keep, answer; every other request is sent away without a word.

Nothing of a body, a header or a query is ever logged or answered back.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from duijie.connect.errors import DuijieError, Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push
from duijie.ingress.doors import Door, Doors, MissingDoor
from duijie.ingress.durable import open_durable
from duijie.ingress.house import House
from duijie.ingress.keeper import Full, Keeper
from duijie.ingress.limits import Limits, Rates
from duijie.ingress.refusals import Refusals
from duijie.journal import Journal, pushes

log = logging.getLogger(__name__)
PREFIX = "/in/"
PATH = re.compile(r"/in/(?P<connection>[A-Za-z0-9_.-]{1,80})(?:/(?P<topic>[A-Za-z0-9_.-]{1,80}))?/?")
LONGEST_KEY = 200
BAD, TOO_LARGE, TOO_SLOW, WRONG_TYPE = Answer(400), Answer(413), Answer(408), Answer(415)
WRONG_METHOD, TOO_FAST, LATER = Answer(405), Answer(429), Answer(503)
RETRY_AFTER = {429: "1", 503: "5"}
NOT_READ = "推送的内容无法读取"
Unreadable = (msgspec.DecodeError, msgspec.ValidationError, UnicodeError, RecursionError, ValueError, ArithmeticError)


class _Refuse(Exception):
    """An answer that ends a request early."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Ingress:
    """The ASGI app. `journal` is opened with the first push, in the thread that writes."""

    def __init__(
        self,
        journal: Callable[[], Journal] = open_durable,
        doors: Doors | None = None,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.limits = limits or Limits.from_environment()
        self._doors = doors or Doors()
        self._clock = clock
        self._rates = Rates(self.limits.rate)
        self._refusals = Refusals()
        self._keeper = Keeper(journal, self.limits)
        self._house = House(journal, self._refusals, self.limits)
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; other scopes than http are left alone."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._take(Request(scope, receive))
        except ClientDisconnect:
            return
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if answer.status in RETRY_AFTER:
            headers["Retry-After"] = RETRY_AFTER[answer.status]
        await Response(answer.body, answer.status, headers, answer.media_type)(scope, receive, send)

    async def _take(self, request: Request) -> Answer:
        path = PATH.fullmatch(request.url.path)
        if path is None:
            return MissingDoor
        if request.method != "POST":
            return WRONG_METHOD
        if self._at_work >= self.limits.requests:
            return LATER
        self._at_work += 1
        try:
            return await self._pass(request, self._doors.of(path["connection"]), path["topic"] or "")
        except _Refuse as refused:
            return refused.answer
        finally:
            self._at_work -= 1

    async def _pass(self, request: Request, door: Door, topic: str) -> Answer:
        body = await self._body(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        push = self._checked(door, Call(topic, headers, dict(request.query_params), body, self._clock()))
        if not push.items:
            return door.hook.accepted
        if not self._rates.allow(door.connection):
            return TOO_FAST
        if self._house.is_full(door.connection, door.hook.streams):
            return LATER
        return await self._kept(door, push)

    def _checked(self, door: Door, call: Call) -> Push:
        """What the request says; a refusal is counted where its connection exists."""
        try:
            if door.is_known and call.media_type not in door.hook.media_types:
                raise _Refuse(WRONG_TYPE)
            push = door.hook.verify(call)
            return _fitting(push, door)
        except Forged as error:
            self._note(door, error)
            raise _Refuse(door.hook.refused) from error
        except MalformedMessage as error:
            self._note(door, error)
            raise _Refuse(BAD) from error

    def _note(self, door: Door, error: DuijieError) -> None:
        if door.is_known:
            log.warning("a push to %s was refused: %s", door.connection, error.en)
            self._refusals.note(door.connection, error.zh)
            self._house.start()

    async def _kept(self, door: Door, push: Push) -> Answer:
        try:
            arrived = pushes.arrived(door.connection, push, door.hook.remember, self._clock())
        except Unreadable as error:
            self._note(door, MalformedMessage(NOT_READ, en="a record cannot be encoded"))
            raise _Refuse(BAD) from error
        try:
            async with asyncio.timeout(self.limits.seconds):
                await self._keeper.keep(arrived)
        except (Full, DuijieError, TimeoutError) as error:
            log.error("a push to %s could not be kept in time: %s", door.connection, type(error).__name__)
            return LATER
        return door.hook.accepted

    async def _body(self, request: Request) -> bytes:
        """The body, never more of it than is allowed. Raises _Refuse for one that is too large or too slow."""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:19]) > self.limits.body:
            raise _Refuse(TOO_LARGE)
        read = bytearray()
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for chunk in request.stream():
                    read += chunk
                    if len(read) > self.limits.body:
                        raise _Refuse(TOO_LARGE)
        except TimeoutError as error:
            raise _Refuse(TOO_SLOW) from error
        return bytes(read)


def _fitting(push: Push, door: Door) -> Push:
    """The push, if the journal can hold it. Raises MalformedMessage."""
    for item in push.items:
        if not (0 < len(item.key) <= LONGEST_KEY and item.key.isprintable() and item.stream in door.hook.streams):
            raise MalformedMessage("推送的主键或数据流无法入库", en="a key or stream cannot be kept")
    return push
