"""消息服务 (PMC): pdd.pmc.user.permit and the websocket that pushes to an app what happens in its shops.

`POST /_admin/pmc` has something happen: `[{"shop": "P01", "type": "pdd_trade_TradeConfirmed", "content": {"tid": "…"},
"copies": 1}]`; it becomes a message where the shop permits messages. A line is `/message/{client_id}/{ms}/{digest}`;
heartbeats are answered. A message stays until an Ack names it in every field; it is sent once a line, `copies` times.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from duijie import codec
from sandbox.pdd_methods import Call
from sandbox.store import Record, Store

FIRST = 9_007_199_254_740_993
SKEW_MILLISECONDS = 600_000
TICK_SECONDS = 0.02
ACK = frozenset({"commandType", "id", "type", "mallID", "time", "sendTime"})


def permit(call: Call) -> Record:
    """Subscribe the token's shop; without `topics` to all."""
    topics = call.given.get("topics", "")
    call.store.put("pmc_permit", call.shop, {"topics": topics.split(",") if topics else []})
    return {"is_success": True}


def happen(store: Store, events: list[Record], now: datetime) -> int:
    """Make messages of events; returns how many shops wanted."""
    made = 0
    for event in events:
        permitted = store.get("pmc_permit", event["shop"])
        if permitted is None or (permitted["topics"] and event["type"] not in permitted["topics"]):
            continue
        mall = (store.get("shop", event["shop"]) or {})["mall_id"]
        number, at = FIRST + store.next("pmc"), int(now.timestamp() * 1000)
        content = codec.encode({"mall_id": mall, **event["content"]}).decode()
        message = {"type": event["type"], "mallID": mall, "content": content}
        frame = {"id": number, "commandType": "Common", "time": at, "sendTime": at, "message": message}
        store.put("pmc", str(number), {"frame": frame, "copies": int(event.get("copies", 1))})
        made += 1
    return made


class Lines:
    """The websocket's other end. `store` and `now` are asked anew each time: the sandbox may be reset meanwhile."""

    def __init__(self, store: Callable[[], Store], now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    async def serve(self, socket: WebSocket) -> None:
        """One line, from its handshake until the client leaves."""
        if not self._is_signed(**socket.path_params):
            await socket.close()
            return
        await socket.accept()
        sent: set[str] = set()
        heard = asyncio.ensure_future(socket.receive_text())
        try:
            while True:
                await self._push(socket, sent)
                done, _ = await asyncio.wait({heard}, timeout=TICK_SECONDS)
                if done:
                    await self._hear(socket, heard.result())
                    heard = asyncio.ensure_future(socket.receive_text())
        except WebSocketDisconnect:
            return
        finally:
            heard.cancel()

    def _is_signed(self, client_id: str, ms: str, digest: str) -> bool:
        app = self._store().get("app", client_id)
        if app is None or not ms.isdigit():
            return False
        hashed = hashlib.md5(f"{client_id}{ms}{app['secret']}".encode()).hexdigest()  # noqa: S324  vendor's
        is_alike = hmac.compare_digest(base64.b64encode(hashed.encode()), digest.encode())
        return is_alike and abs(self._now().timestamp() * 1000 - int(ms)) <= SKEW_MILLISECONDS

    async def _push(self, socket: WebSocket, sent: set[str]) -> None:
        for waiting in self._store().all("pmc"):
            number = str(waiting["frame"]["id"])
            if number not in sent:
                sent.add(number)
                for _ in range(waiting["copies"]):
                    await socket.send_text(codec.encode_ordered(waiting["frame"]).decode())

    async def _hear(self, socket: WebSocket, text: str) -> None:
        """A heartbeat is answered by one; an Ack ends its message; anything else is left."""
        try:
            frame = codec.decode(text)
        except msgspec.DecodeError:
            return
        if frame.get("commandType") == "HeartBeat":
            beat = {"commandType": "HeartBeat", "time": int(self._now().timestamp() * 1000)}
            await socket.send_text(codec.encode_ordered(beat).decode())
            return
        kept = self._store().get("pmc", str(frame.get("id")))
        if kept is None or frame.get("commandType") != "Ack" or set(frame) != ACK:
            return
        message = kept["frame"]["message"]
        if (frame["type"], frame["mallID"]) == (message["type"], message["mallID"]):
            self._store().drop("pmc", str(frame["id"]))
