"""推送发票: the result of an invoice, signed by the platform; a hint upon which the invoice is read by a query.

Source: 票通电子发票开票接口文档 v3.5.1, 2.6: the public part as in a call, the content encrypted, our own data
(definedData, which holds our number) as it was given with the request.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from connectors.piaotong.crypto import decrypted, is_signed, keys_of
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push, Pushed

STREAMS = {"1": "invoice", "2": "red_invoice"}


class Result:
    """Checks the pushes to one platform account."""

    accepted = Answer(200, '{"code":"0000","msg":"成功"}'.encode(), "application/json")
    refused = Answer(401)
    media_types = frozenset({"application/json"})
    remember = timedelta()
    streams: tuple[str, ...] = ("invoice", "red_invoice")

    def __init__(self, connection: Connection) -> None:
        require = connection.require
        self._keys = keys_of(connection.password, require("public_key"), require("des_key"), connection.conn_id)
        self._platform_code = connection.login

    def verify(self, call: Call) -> Push:
        """Our number, as a hint; what concerns neither a blue nor a red invoice is answered and left."""
        try:
            told = codec.decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            told = None
        is_message = isinstance(told, dict) and call.media_type in self.media_types
        if not is_message or not is_signed(self._keys.public, told):
            raise Forged("推送验签失败", en="the push is not signed by the platform", code="signature")
        if told.get("platformCode") != self._platform_code:
            raise Forged("推送的平台编码不符", en="the push is for another platform code", code="signature")
        content = self._content(str(told.get("content") or ""))
        stream, number = STREAMS.get(str(content.get("invoiceType"))), str(content.get("definedData") or "")
        return Push((Pushed(stream, number),) if stream and number else ())

    def _content(self, content: str) -> dict[str, object]:
        try:
            told = codec.decode(decrypted(self._keys.des, content))
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            raise MalformedMessage("推送内容无法解密", en="the content of the push cannot be read") from error
        if not isinstance(told, dict):
            raise MalformedMessage("推送内容不是对象", en="the content of the push is no object")
        return told
