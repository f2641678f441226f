"""消息服务 (TMC) over HTTP: the platform says which trade or refund changed and keeps saying it until confirmed.

Methods: taobao.tmc.user.permit, taobao.tmc.messages.consume, taobao.tmc.messages.confirm (open.taobao.com). Messages
come at least once and in no order, and are believed in nothing but "read this one again".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from connectors.taobao.client import Client
from duijie import codec
from duijie.codec import Record
from duijie.connect.hooks import Mail, Push, Pushed

PERMIT, CONSUME, CONFIRM = (f"taobao.tmc.{name}" for name in ("user.permit", "messages.consume", "messages.confirm"))
A_CALL = 100
TRADES = ("Create", "BuyerPay", "SellerShip", "PartlySellerShip", "Success", "Close", "Changed", "MemoModified")
REFUNDS = ("Created", "Success", "Closed")
TOPICS = {
    **{f"taobao_trade_Trade{name}": ("trade", "tid") for name in TRADES},
    **{f"taobao_refund_Refund{name}": ("refund", "refund_id") for name in REFUNDS},
}


class TmcMailbox:
    """The messages of one app and group; its shops are subscribed with the first look."""

    remember = timedelta(days=1)
    streams: tuple[str, ...] = ("trade", "refund")

    def __init__(self, client: Client, group: str) -> None:
        self._client = client
        self._group = group
        self._is_subscribed = False

    def collect(self) -> Iterator[Mail]:
        """Portions of at most 100 messages until there are none. Raises errors of the tree."""
        self._subscribe()
        while messages := self._messages():
            yield Mail(tuple(push_of(one) for one in messages), tuple(str(one["id"]) for one in messages))

    def confirm(self, mail: Mail) -> None:
        """The platform forgets these messages."""
        self._client.read(self._any_shop, CONFIRM, group_name=self._group, s_message_ids=",".join(mail.ids))

    @property
    def _any_shop(self) -> str:
        """Consuming is the app's own affair; the gateway gets the session of one of its shops."""
        return next(iter(self._client.shops))

    def _messages(self) -> Sequence[Record]:
        answer = self._client.read(self._any_shop, CONSUME, group_name=self._group, quantity=A_CALL)
        return [one for one in (answer.get("messages") or {}).get("tmc_message") or [] if one.get("id")]

    def _subscribe(self) -> None:
        if not self._is_subscribed:
            for shop in self._client.shops:
                self._client.read(shop, PERMIT, topics=",".join(TOPICS))
            self._is_subscribed = True


def push_of(message: Record) -> Push:
    """The record a message is about, as a hint; none for a topic that we read no stream of."""
    stream, field = TOPICS.get(str(message.get("topic")), ("", ""))
    key = _content(message.get("content")).get(field)
    named = (Pushed(stream, str(key)),) if stream and key not in (None, "") else ()
    return Push(named, f"tmc {message['id']}")


def _content(text: Any) -> Record:
    """The content is JSON in a string."""
    try:
        content = codec.decode(text) if isinstance(text, str) else text
    except msgspec.DecodeError:
        content = None
    return content if isinstance(content, dict) else {}
