"""A group robot that takes alerts: keeps every message posted to it, as an apprise `json://` channel sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.kit import Handler, Sandbox, json_response


class Robot(Sandbox):
    """`POST /notify` keeps the message; `GET /_admin/data?collection=messages` shows them."""

    name = "robot"

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """One route."""
        return [("POST", "/notify", self._notify)]

    def seed(self, data: dict[str, Any]) -> None:
        """A robot starts with nothing."""

    def expire_tokens(self) -> None:
        """A robot has no tokens."""

    async def _notify(self, request: Request) -> Response:
        number = self.store.next("message")
        self.store.put("messages", str(number), codec.decode(await request.body()))
        return json_response({"errcode": 0})


SANDBOX = Robot
