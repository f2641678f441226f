"""A connection to the shops of one 抖店 app: what can be pulled from them and written to them."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.doudian.client import Client
from connectors.doudian.lists import AfterSales, Orders
from connectors.doudian.shipment import ShipmentSink
from connectors.doudian.stock import ShopStockSink, Skus, Stock
from duijie.connect.connection import Connection
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services


class Doudian:
    """One app with its shops."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._orders = Orders(self._client)
        self._skus = Skus(self._client)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """order, aftersale and stock."""
        return {
            "order": self._orders,
            "aftersale": AfterSales(self._client),
            "stock": Stock(self._client, self._skus),
        }

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """shop_stock and shipment."""
        return {
            "shop_stock": ShopStockSink(self._client, self._skus),
            "shipment": ShipmentSink(self._client, self._orders),
        }

    def check(self) -> list[tuple[str, str]]:
        """Lists the carriers of each shop, which proves key, secret, token and permission."""
        found = []
        for shop in self._client.shops:
            carriers = self._client.read(shop, "order.logisticsCompanyList")
            name = self._client.shop_name(shop) or "已授权"
            found.append((f"店铺 {shop}", f"{name}, 可用物流公司 {len(carriers)} 家"))
        return found
