"""The platform's callback: a form without a signature, so that it is believed in nothing but "ask again".

Source: 诺诺开放平台, "开票结果回传" (callBackUrl): operater, orderno, content. Its status words conflict between the
vendor's own pages, therefore only the request number is taken and the invoice is read with a signed query. The address
carries a token made of the app secret: who does not know it cannot even make us ask.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from urllib.parse import parse_qs, urlencode

from duijie.connect.connection import Connection
from duijie.connect.errors import Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push, Pushed

BLUE = frozenset({"callback", "invoiceInvalid"})  # what the red ones carry in orderno is not known
TOKEN_LENGTH = 32
MOST_FIELDS = 50


def token_of(connection: Connection) -> str:
    """What the callback's address must carry."""
    named = f"duijie push {connection.conn_id}".encode()
    return hmac.new(connection.password.encode(), named, hashlib.sha256).hexdigest()[:TOKEN_LENGTH]


def callback_url(connection: Connection) -> str:
    """The address to give to the platform; "" where `push_url` does not say how we are reached."""
    base = str(connection.extra.get("push_url") or "").rstrip("/")
    return f"{base}/in/{connection.conn_id}?{urlencode({'t': token_of(connection)})}" if base else ""


class Callback:
    """Checks the callbacks of one application."""

    accepted = Answer(200, '{"status":"0000","message":"同步成功"}'.encode(), "application/json")
    refused = Answer(401)
    media_types = frozenset({"application/x-www-form-urlencoded"})
    remember = timedelta()
    streams: tuple[str, ...] = ("invoice",)

    def __init__(self, connection: Connection) -> None:
        self._token = token_of(connection).encode()

    def verify(self, call: Call) -> Push:
        """The request number as a hint; a callback about anything else is answered and left."""
        given = call.query.get("t", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            raise Forged("回调地址中的令牌不符", en="the token of the address is wrong", code="signature")
        try:
            form = parse_qs(call.body.decode(), max_num_fields=MOST_FIELDS)
        except ValueError as error:
            raise MalformedMessage("回调不是表单", en="the callback is no form") from error
        kind, number = (form.get(name, [""])[0] for name in ("operater", "orderno"))
        if kind not in BLUE:
            return Push(())
        if not number:
            raise MalformedMessage("回调缺少 orderno", en="the callback names no orderno")
        return Push((Pushed("invoice", number),))
