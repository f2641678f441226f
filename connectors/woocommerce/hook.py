"""WooCommerce's webhooks: base64 HMAC-SHA256 of the body with the webhook's secret.

Source: WooCommerce REST API docs, "Webhooks". Of a delivery only the number of the record is believed, so that it is
read again: deliveries are late, doubled and out of order, the payload has the shape that the webhook's own version of
the API gives it, and it holds the buyer's address. When a webhook is saved the site sends `webhook_id=N`, unsigned, and
wants 200.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, Forged, MalformedMessage
from duijie.connect.hooks import Answer, Call, Push, Pushed

SIGNATURE, TOPIC, WEBHOOK, DELIVERY = (f"x-wc-webhook-{name}" for name in ("signature", "topic", "id", "delivery-id"))
PING = re.compile(rb"webhook_id=[0-9]{1,20}")
LONGEST_NONCE = 128


class WooHook:
    """Checks the deliveries of one site."""

    accepted = Answer(200)
    refused = Answer(401)
    media_types = frozenset({"application/json", "application/x-www-form-urlencoded"})
    remember = timedelta(days=1)
    streams: tuple[str, ...] = ("order", "refund", "product", "listing")

    def __init__(self, connection: Connection) -> None:
        self._secret = str(connection.extra.get("webhook_secret") or "")
        if not self._secret:
            raise ConfigError(
                f"连接 {connection.conn_id} 缺少 webhook_secret, 请填写店铺 Webhook 的密钥",
                en=f"connection {connection.conn_id} lacks webhook_secret; enter the secret of the shop's webhooks",
                where=f"{connection.conn_id}.webhook_secret",
            )

    def verify(self, call: Call) -> Push:
        """What changed. Raises Forged, or MalformedMessage for a genuine body that is no JSON object."""
        given = call.headers.get(SIGNATURE, "")
        if not given and PING.fullmatch(call.body.strip()):
            return Push(())
        if not given:
            raise Forged("推送缺少签名头", en="the signature header is missing", code="missing")
        if not hmac.compare_digest(sign(self._secret, call.body).encode(), given.encode("utf-8", "replace")):
            raise Forged("推送签名不符", en="the signature does not hold", code="signature")
        record = _decoded(call.body)
        items = tuple(_items(call.headers.get(TOPIC, "").partition(".")[0], record))
        return Push(items, _nonce(call))


def sign(secret: str, body: bytes) -> str:
    """The text of X-WC-Webhook-Signature."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def _nonce(call: Call) -> str:
    delivery = call.headers.get(DELIVERY, "")
    return f"{call.headers.get(WEBHOOK, '')} {delivery}"[:LONGEST_NONCE] if delivery else ""


def _items(resource: str, record: Record) -> Iterator[Pushed]:
    """An order and its refunds, or a product; a deleted product is known by no SKU and left to the pull."""
    number, sku = record.get("id"), record.get("sku")
    if resource == "order" and _is_id(number):
        yield Pushed("order", str(number))
        refunds = record.get("refunds")
        for one in refunds if isinstance(refunds, list) else []:
            if isinstance(one, dict) and _is_id(one.get("id")):
                yield Pushed("refund", f"{number}:{one['id']}")
    if resource == "product" and isinstance(sku, str) and sku:
        yield from (Pushed("product", sku), Pushed("listing", sku))


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _decoded(body: bytes) -> Record:
    try:
        record = codec.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage("推送的内容不是 JSON", en="the body is not JSON") from error
    if not isinstance(record, dict):
        raise MalformedMessage("推送的内容不是一条记录", en="the body is not a record")
    return record
