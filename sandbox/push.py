"""How a sandbox pushes: the vendor's own request, sent as often, as late and as wrongly as ordered.

`POST /_admin/push`::

    {"url": "http://…/in/CONNECTION", "items": […], "copies": 1, "reverse": false, "drop": 0,
     "late_seconds": 0, "forge": "" | "signature" | "body", "again": false}

`items` is what each sandbox's docstring says; `drop` leaves out every n-th push; `late_seconds` signs as of so long
ago; `forge` spoils the signature, or changes the body after signing; `again` first sends what was sent last time, byte
for byte. Answered with one `{"status": …, "body": …}` per request that left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import requests
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.kit import Handler, json_response

PATIENCE = 10


@dataclass(frozen=True)
class Parcel:
    """One request as the vendor sends it. `secret` names the header or query field that proves its origin."""

    url: str
    headers: dict[str, str]
    body: bytes
    secret: str


Packing = Callable[[str, Any, timedelta], Parcel]


class Pusher:
    """Sends what `pack(url, item, age)` makes of each ordered item."""

    def __init__(self, pack: Packing) -> None:
        self._pack = pack
        self._last: list[Parcel] = []

    def route(self) -> tuple[str, str, Handler]:
        """The admin route."""
        return ("POST", "/_admin/push", self._order)

    async def _order(self, request: Request) -> Response:
        order = codec.decode(await request.body())
        parcels = [*(self._last if order.get("again") else ()), *self._parcels(order)]
        self._last = parcels
        return json_response([await asyncio.to_thread(send, one) for one in parcels])

    def _parcels(self, order: dict[str, Any]) -> list[Parcel]:
        age = timedelta(seconds=int(order.get("late_seconds", 0)))
        drop = int(order.get("drop", 0))
        items = [one for number, one in enumerate(order.get("items", []), 1) if not drop or number % drop]
        made = [_spoilt(self._pack(order["url"], one, age), order.get("forge", "")) for one in items]
        made = [one for one in made for _ in range(int(order.get("copies", 1)))]
        return made[::-1] if order.get("reverse") else made


def send(parcel: Parcel) -> dict[str, Any]:
    """Send it once; status 0 where nobody answered."""
    try:
        got = requests.post(parcel.url, data=parcel.body, headers=parcel.headers, timeout=PATIENCE)
    except requests.RequestException as error:
        return {"status": 0, "body": type(error).__name__}
    return {"status": got.status_code, "body": got.text}


def _spoilt(parcel: Parcel, forge: str) -> Parcel:
    if forge == "body":
        return replace(parcel, body=parcel.body + b" ")
    if forge == "signature" and parcel.secret in parcel.headers:
        good = parcel.headers[parcel.secret]
        return replace(parcel, headers={**parcel.headers, parcel.secret: good[:-6] + good[-6:].swapcase()[::-1]})
    return replace(parcel, url=parcel.url.replace("t=", "t=0")) if forge == "signature" else parcel


__all__: Sequence[str] = ("Parcel", "Pusher", "send")
