"""消息服务 (PMC) over a websocket: the platform says which order or after-sale changed, until it is confirmed.

Method pdd.pmc.user.permit and the topics: 拼多多开放平台 "消息推送使用文档" (open.pinduoduo.com). Handshake and frames
are those of the vendor's Java SDK, as niltor/open-pdd-net-sdk and whalesky-labs/pdd-sdk-php (GitHub) have them.
Messages are believed in nothing but "read this one again": their amounts are in fen, and what is read is newer.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from connectors.pdd.client import Client
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import CredentialError, DuijieError, NotSent
from duijie.connect.hooks import Mail, Push, Pushed

PERMIT = "pdd.pmc.user.permit"
A_PORTION = 100
QUIET_SECONDS = 1.0
SILENT_SECONDS = 60.0
OPEN_SECONDS = 10
REFUSED = (401, 403)
silent = logging.getLogger(f"{__name__}.line")  # the address of a line holds its digest
silent.setLevel(logging.CRITICAL + 1)


def digest(client_id: str, milliseconds: int, secret: str) -> str:
    """What the address of a line ends with: base64 of the lower-case hex MD5, quoted."""
    hashed = hashlib.md5(f"{client_id}{milliseconds}{secret}".encode()).hexdigest()  # noqa: S324  the vendor's choice
    return quote(base64.b64encode(hashed.encode()), safe="")


class PmcMailbox:
    """The messages of one app; its shops are subscribed to the app's topics with the first look.

    The line stays open between two looks, each of which is the heartbeat that the platform wants every few seconds.
    """

    remember = timedelta(days=7)
    streams: tuple[str, ...] = ("order", "refund")

    def __init__(self, client: Client, connection: Connection, address: str) -> None:
        self._client = client
        self._connection = connection
        self._address = address.rstrip("/")
        self._line: ClientConnection | None = None
        self._holding = ExitStack()
        self._heard_at = 0.0
        self._is_subscribed = False
        self._frames: dict[str, Record] = {}

    def collect(self) -> Iterator[Mail]:
        """Portions of at most 100 messages until none has come for a second. Raises errors of the tree."""
        self._subscribe()
        if time.monotonic() - self._heard_at > SILENT_SECONDS:  # heartbeats are answered: nobody is there any more
            self._hang_up()
        self._say({"commandType": "HeartBeat", "time": self._milliseconds})
        while frames := self._waiting():
            self._frames |= {str(frame["id"]): frame for frame in frames}
            yield Mail(tuple(map(push_of, frames)), tuple(str(frame["id"]) for frame in frames))

    def confirm(self, mail: Mail) -> None:
        """The platform forgets these messages. Raises errors of the tree; it then sends them again."""
        for number in mail.ids:
            frame = self._frames.pop(number)
            said = {"type": frame["message"].get("type"), "mallID": frame["message"].get("mallID")}
            moments = {"time": self._milliseconds, "sendTime": frame.get("sendTime")}
            self._say({"commandType": "Ack", "id": frame["id"], **said, **moments})

    @property
    def _milliseconds(self) -> int:
        return int(self._client.now * 1000)

    def _subscribe(self) -> None:
        if not self._is_subscribed:
            for shop in self._client.shops:
                self._client.read(shop, PERMIT)
            self._is_subscribed = True

    def _say(self, frame: Record) -> None:
        with self._open() as line:
            line.send(codec.encode_ordered(frame).decode())

    def _waiting(self) -> list[Record]:
        found: dict[Any, Record] = {}
        with self._open() as line:
            while len(found) < A_PORTION:
                try:
                    frame = _decoded(line.recv(timeout=QUIET_SECONDS))
                except TimeoutError:
                    break
                self._heard_at = time.monotonic()
                if frame.get("commandType") == "Common" and isinstance(frame.get("message"), dict) and frame.get("id"):
                    found[frame["id"]] = frame
        return list(found.values())

    @contextmanager
    def _open(self) -> Iterator[ClientConnection]:
        """The line, a new one where there is none. Raises NotSent or CredentialError, and the next look opens anew."""
        try:
            self._line = self._line or self._dial()
            yield self._line
        except (OSError, WebSocketException) as error:
            self._hang_up()
            raise self._broken(error) from None

    def _hang_up(self) -> None:
        self._line, self._frames = None, {}
        self._holding.close()

    def _dial(self) -> ClientConnection:
        app, now = self._connection.login, self._milliseconds
        address = f"{self._address}/message/{app}/{now}/{digest(app, now, self._connection.password)}"
        trust = _trusted() if address.startswith("wss:") else None
        line = connect(address, ssl=trust, open_timeout=OPEN_SECONDS, ping_interval=None, logger=silent)
        self._heard_at = time.monotonic()
        return self._holding.enter_context(line)

    def _broken(self, error: Exception) -> DuijieError:
        if isinstance(error, InvalidStatus) and error.response.status_code in REFUSED:
            return CredentialError(
                "拼多多消息服务拒绝了连接, 请核对 Client ID 与 Client Secret, 并在开放平台控制台订阅消息",
                en="the message service refuses the line; check client id, secret and the subscription in the console",
                code=f"pdd:pmc-{error.response.status_code}",
                where=self._address,
            )
        return NotSent(
            "拼多多消息服务的连接中断, 将自动重连; 若持续请检查网络与消息服务地址",
            en=f"the line to the message service broke ({type(error).__name__}); it is opened again",
            code="pdd:pmc",
            where=self._address,
        )


def push_of(frame: Record) -> Push:
    """The record a message is about, as a hint; none for a topic that we read no stream of."""
    message = frame["message"]
    content, topic = _decoded(message.get("content")), str(message.get("type") or "")
    order_sn, number = (str(content.get(name) or "") for name in ("tid", "refund_id"))
    nonce = f"pmc {frame['id']}"
    if topic.startswith("pdd_trade_") and order_sn:
        return Push((Pushed("order", order_sn),), nonce)
    if topic.startswith("pdd_refund_") and order_sn and number:
        return Push((Pushed("refund", f"{order_sn}:{number}"),), nonce)
    return Push((), nonce)


def _trusted() -> ssl.SSLContext:
    """The certificates that calls over HTTP trust."""
    return ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)


def _decoded(text: Any) -> Record:
    """An object in JSON; empty for anything else."""
    try:
        found = codec.decode(text) if isinstance(text, str | bytes) else text
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    return found if isinstance(found, dict) else {}
