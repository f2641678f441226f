"""The notification of 高灯: believed in nothing but "ask again".

Source: "开票结果异步通知" (docs.gc365.com): JSON with notify_type invoice.blue or invoice.red and order_id, sent up to
ten times until the answer's code is 0. The platform signs nothing, and its pages disagree on what ticket_status 2 and 3
mean. So only the number is taken and the invoice is read with a signed query. The address, which every request carries,
holds a token made of the app secret, and for a red invoice the key under which it was asked for.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from urllib.parse import urlencode

import msgspec

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push, Pushed

TOKEN_LENGTH = 32


def token_of(connection: Connection) -> str:
    """What the notification's address must carry."""
    named = f"duijie push {connection.conn_id}".encode()
    return hmac.new(connection.password.encode(), named, hashlib.sha256).hexdigest()[:TOKEN_LENGTH]


def callback_url(connection: Connection) -> str:
    """The address to give to the platform; "" where `push_url` does not say how we are reached."""
    base = str(connection.extra.get("push_url") or "").rstrip("/")
    return f"{base}/in/{connection.conn_id}?{urlencode({'t': token_of(connection)})}" if base else ""


class Notice:
    """Checks the notifications of one application."""

    accepted = Answer(200, b'{"code":0,"message":"success"}', "application/json")
    refused = Answer(401)
    media_types = frozenset({"application/json"})
    remember = timedelta()
    streams: tuple[str, ...] = ("invoice", "red_invoice")

    def __init__(self, connection: Connection) -> None:
        self._token = token_of(connection).encode()

    def verify(self, call: Call) -> Push:
        """The order number as a hint; a notification about anything else is answered and left."""
        given = call.query.get("t", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            raise Forged("通知地址中的令牌不符", en="the token of the address is wrong", code="signature")
        try:
            said = codec.decode(call.body)
            kind, order = str(said["notify_type"]), str(said["order_id"])
        except (ValueError, KeyError, TypeError, RecursionError, msgspec.DecodeError) as error:
            raise MalformedMessage("通知无法读懂", en="the notification cannot be read") from error
        if kind == "invoice.blue":
            return Push((Pushed("invoice", order),))
        key = call.query.get("k", "")
        is_ours = kind == "invoice.red" and key.partition("@")[2] == order
        return Push((Pushed("red_invoice", key),) if is_ours else ())
