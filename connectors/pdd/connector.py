"""What can be pulled from and written to 拼多多 shops: orders, refunds, sellable quantities, shipments.

Methods and limits: 拼多多开放平台 API 文档 (open.pinduoduo.com). Every raw record gets one field that the
platform does not send, `shop`, the shop id of the connection: it answers per access token and never says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.pdd.changes import Orders, Refunds
from connectors.pdd.client import Client
from connectors.pdd.mailbox import PmcMailbox
from connectors.pdd.shipments import ShipmentSink
from connectors.pdd.skus import ShopStockStream, Skus
from connectors.pdd.stock import ShopStockSink
from duijie.connect.connection import Connection
from duijie.connect.hooks import Mailbox
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services


class Pdd:
    """One app at POP with its shops."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._skus = Skus(self._client)
        address = str(connection.extra.get("messages") or "")
        self._mailbox = PmcMailbox(self._client, connection, address) if address else None

    @property
    def mailbox(self) -> Mailbox | None:
        """消息服务, where the connection names its address."""
        return self._mailbox

    @property
    def streams(self) -> Mapping[str, Stream]:
        """order, refund and stock."""
        return {
            "order": Orders(self._client),
            "refund": Refunds(self._client),
            "stock": ShopStockStream(self._client, self._skus),
        }

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """shop_stock and shipment."""
        return {"shop_stock": ShopStockSink(self._client, self._skus), "shipment": ShipmentSink(self._client)}

    def check(self) -> list[tuple[str, str]]:
        """The name of each shop, which proves client id, secret and authorisation."""
        found = []
        for shop in self._client.shops:
            mall = self._client.read(shop, "pdd.mall.info.get")
            found.append((f"店铺 {shop}", f"已授权: {mall.get('mall_name', '')}"))
        return found
