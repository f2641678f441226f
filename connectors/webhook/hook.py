"""The signature of Standard Webhooks, symmetric (v1): HMAC-SHA256 over `id.timestamp.body`.

Source: standardwebhooks.com, "Signature scheme". A sender that tries again keeps the id and signs anew, so that the id
is what a repeat repeats; a request older or newer than five minutes is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from connectors.webhook.streams import streams_of
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push, Pushed

PREFIX = "whsec_"
SHORTEST = 16
WINDOW = timedelta(minutes=5)
REPEATED_FOR = timedelta(days=4)  # the scheme's own schedule of repeats ends after some 76 hours
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
LONGEST_ID = 256


class StandardWebhook:
    """Checks the pushes of one sender. The topic of the path names the stream; the body is a record or a list."""

    accepted = Answer(200, b'{"ok":true}', "application/json")
    refused = Answer(401)
    media_types = frozenset({"application/json"})
    remember = REPEATED_FOR

    def __init__(self, connection: Connection) -> None:
        self._secrets = [_key(text, connection.conn_id) for text in connection.password.split()]
        self._keys = {name: one.key for name, one in streams_of(connection).items()}
        self.streams = tuple(self._keys)
        if not self._secrets:
            raise _no_secret(connection.conn_id)

    def verify(self, call: Call) -> Push:
        """Signature and time first, then the records."""
        nonce, stamp, given = (call.headers.get(name, "") for name in HEADERS)
        if not (0 < len(nonce) <= LONGEST_ID and stamp and given):
            raise Forged("推送缺少签名头", en="a signature header is missing", code="missing")
        signed = f"{nonce}.{stamp}.".encode("latin-1", "replace") + call.body
        if not any(hmac.compare_digest(sign(key, signed), one) for key in self._secrets for one in _v1(given)):
            raise Forged("推送签名不符", en="the signature does not hold", code="signature")
        if not stamp.isascii() or not stamp.isdigit() or abs(call.now.timestamp() - int(stamp[:12])) > WINDOW.seconds:
            raise Forged("推送时间与本机相差超过 5 分钟", en="the time stamp is too far from now", code="late")
        return Push(tuple(self._records(call)), nonce)

    def _records(self, call: Call) -> Iterator[Pushed]:
        field = self._keys.get(call.topic)
        if field is None:
            raise MalformedMessage(
                f"推送地址中的数据流未登记, 已登记: {', '.join(self.streams)}", en="the path names no known stream"
            )
        given = _decoded(call.body)
        for record in given if isinstance(given, list) else [given]:
            key = record.get(field) if isinstance(record, dict) else None
            if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
                raise MalformedMessage(f"推送的记录缺少主键字段 {field}", en=f"a record has no {field}")
            yield Pushed(call.topic, str(key), record)


def sign(key: bytes, signed: bytes) -> bytes:
    """The base64 text behind `v1,`."""
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def _v1(given: str) -> Iterator[bytes]:
    for one in given.split():
        version, _, signature = one.partition(",")
        if version == "v1":
            yield signature.encode("latin-1", "replace")


def _decoded(body: bytes) -> Any:
    try:
        return codec.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage("推送的内容不是 JSON", en="the body is not JSON") from error


def _key(text: str, conn_id: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < SHORTEST:
        raise _no_secret(conn_id)
    return key


def _no_secret(conn_id: str) -> ConfigError:
    return ConfigError(
        f"连接 {conn_id} 的签名密钥无效: 应为 whsec_ 加至少 {SHORTEST} 字节的 base64",
        en=f"connection {conn_id}: the secret must be whsec_ and base64 of at least {SHORTEST} bytes",
        where=f"{conn_id}.password",
    )
