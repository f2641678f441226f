"""The platform's signed messages: event-sign is the MD5 of app_key, the raw body and the secret.

Source: 抖店开放平台 "消息推送" (op.jinritemai.com/docs/message-docs). A message says little of a record and may come
late, so only its number is taken and the record is read again. A message that is repeated keeps its msg_id.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from connectors.doudian.shops import EXAMPLE
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push, Pushed
from duijie.connect.shops import shops_of

ORDER_TAGS = frozenset(
    {"100", "101", "102", "103", "104", "105", "106", "108", "109", "110", "111", "113", "126"}
)  # 创建, 支付, 发货, 完成, 物流变更, 收货信息变更, 取消, 部分发货, 改价, 待处理, 变更申请, 备注, 发货时效
AFTERSALE_TAGS = frozenset({str(tag) for tag in (*range(200, 210), *range(211, 219), 224, 225, 226, 227)})
REMEMBERED = timedelta(days=1)


def event_sign(app_key: str, body: bytes, secret: str) -> str:
    """Lower-case hex of MD5 over app_key, body and secret."""
    return hashlib.md5(app_key.encode() + body + secret.encode()).hexdigest()  # noqa: S324  the vendor's choice


class MessagePush:
    """Checks the messages of one app. Those of shops that the connection does not name are answered and left."""

    accepted = Answer(200, b'{"code":0,"msg":"success"}', "application/json")
    refused = Answer(401)
    media_types = frozenset({"application/json"})
    remember = REMEMBERED
    streams: tuple[str, ...] = ("order", "aftersale")

    def __init__(self, connection: Connection) -> None:
        self._app_key, self._secret = connection.login, connection.password
        self._shops = frozenset(shops_of(connection, EXAMPLE))

    def verify(self, call: Call) -> Push:
        """The numbers that the messages are about, as hints; a probe (tag 0) says nothing."""
        app, given = (call.headers.get(name, "") for name in ("app-id", "event-sign"))
        if not app or not given:
            raise Forged("推送缺少签名头 (app-id, event-sign)", en="a signature header is missing", code="missing")
        expected = event_sign(self._app_key, call.body, self._secret)
        if app != self._app_key or not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise Forged("推送签名不符", en="the signature does not hold", code="signature")
        messages = _messages(call.body)
        ids = codec.digest([str(one.get("msg_id")) for one in messages])
        return Push(tuple(dict.fromkeys(self._pointed(messages))), ids)

    def _pointed(self, messages: list[Record]) -> Iterator[Pushed]:
        for one in messages:
            tag = str(one.get("tag"))
            if tag not in ORDER_TAGS | AFTERSALE_TAGS:
                continue
            data = _data(one)
            stream, field = ("order", "p_id") if tag in ORDER_TAGS else ("aftersale", "aftersale_id")
            shop, number = str(data.get("shop_id") or ""), str(data.get(field) or "")
            if not shop or not number:
                raise MalformedMessage(
                    f"推送 {tag} 缺少 shop_id 或 {field}", en=f"message {tag} lacks shop_id or {field}"
                )
            if shop in self._shops:
                yield Pushed(stream, f"{shop}:{number}")


def _messages(body: bytes) -> list[Record]:
    given = _decoded(body)
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise MalformedMessage("推送的内容不是消息列表", en="the body is no list of messages")
    return given


def _data(message: Record) -> Record:
    """`data` of a message: an object, or JSON text of one."""
    given = message.get("data")
    found = _decoded(given) if isinstance(given, str) else given
    if not isinstance(found, dict):
        raise MalformedMessage("推送的 data 不是对象", en="the data of a message is no object")
    return found


def _decoded(text: bytes | str) -> Any:
    try:
        return codec.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage("推送的内容不是 JSON", en="the body is not JSON") from error
