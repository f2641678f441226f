"""The callback of 金蝶发票云: believed in nothing but "ask again".

Source: "2.1.02 数电票回调" (open-ultimate.piaozone.com): interfaceCode, returnCode, returnMsg and `data`, wrapped as
every call is, to the address that 发票云 keeps for the business system. It is not signed, so only the serial number is
taken and the invoice is read with a query. The address carries a token made of the app secret: who does not know it
cannot even make us ask.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import msgspec

from connectors.piaozone.client import password_of
from connectors.piaozone.crypto import unwrap
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push, Pushed

STREAMS = {"INVOICE.OPEN": "invoice", "INVOICE.RED": "red_invoice"}
TOKEN_LENGTH = 32


def token_of(connection: Connection) -> str:
    """What the callback's address must carry."""
    named = f"duijie push {connection.conn_id}".encode()
    return hmac.new(connection.password.encode(), named, hashlib.sha256).hexdigest()[:TOKEN_LENGTH]


class Callback:
    """Checks the callbacks of one business system."""

    accepted = Answer(200, '{"message":"回调成功","errorCode":"0","success":true}'.encode(), "application/json")
    refused = Answer(401)
    media_types = frozenset({"application/json"})
    remember = timedelta()
    streams: tuple[str, ...] = ("invoice", "red_invoice")

    def __init__(self, connection: Connection) -> None:
        self._token = token_of(connection).encode()
        self._password = password_of(connection)

    def verify(self, call: Call) -> Push:
        """The serial number as a hint; a callback about anything else is answered and left."""
        given = call.query.get("t", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token):
            raise Forged("回调地址中的令牌不符", en="the token of the address is wrong", code="signature")
        try:
            said = codec.decode(call.body)
            stream = STREAMS.get(said["interfaceCode"])
            if stream is None:
                return Push(())
            data = said["data"]
            data = codec.decode(unwrap(data, self._password)) if isinstance(data, str) else data
            number = str(data["serialNo"])
        except (ValueError, KeyError, TypeError, RecursionError, msgspec.DecodeError) as error:
            raise MalformedMessage("回调无法读懂", en="the callback cannot be read") from error
        return Push((Pushed(stream, number),))
