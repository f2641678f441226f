"""A Vendure channel brought to life: its streams and sinks, and what a test of the connection shows."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.vendure.catalogue import ListingStream, ProductStream, StockLevelStream
from connectors.vendure.client import ME, Client
from connectors.vendure.orders import Orders, OrderStream, RefundStream
from connectors.vendure.people import CustomerStream, PartySink
from connectors.vendure.products import ProductSink
from connectors.vendure.shipments import OrderSink, ShipmentSink
from connectors.vendure.shop import PLACES, Shop
from connectors.vendure.stock import ShopStockSink
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services

RECHECK_DAYS = 30
HANDLER = "manual-fulfillment"


class Vendure:
    """One channel of one server."""

    def __init__(self, connection: Connection, services: Services) -> None:
        extra = connection.extra
        self._shop = Shop(
            Client(connection, services),
            connection.require("shop"),
            str(extra.get("stock_location") or ""),
            str(extra.get("fulfillment_handler") or HANDLER),
        )
        self._orders = Orders(self._shop, _days(connection))

    @property
    def streams(self) -> Mapping[str, Stream]:
        """order, refund, product, stock, stock_level and customer."""
        shop = self._shop
        return {
            "order": OrderStream(self._orders),
            "refund": RefundStream(self._orders),
            "product": ProductStream(shop),
            "stock": ListingStream(shop),
            "stock_level": StockLevelStream(shop),
            "customer": CustomerStream(shop),
        }

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """shop_stock, shipment, product, party and order."""
        shop = self._shop
        return {
            "shop_stock": ShopStockSink(shop),
            "shipment": ShipmentSink(shop),
            "product": ProductSink(shop),
            "party": PartySink(shop),
            "order": OrderSink(shop),
        }

    def check(self) -> list[tuple[str, str]]:
        """Who we are, the channel and its money, the stock location. Raises errors of the tree."""
        me = self._shop.client.read(ME).get("me") or {}
        channel = self._shop.channel
        tax = "含税" if channel["pricesIncludeTax"] else "不含税 (不能写入商品)"
        return [
            ("登录", str(me.get("identifier") or "API Key")),
            ("渠道", f"{channel['code']}: {channel['defaultCurrencyCode']}, 价格{tax}, 金额 {PLACES} 位小数"),
            ("库存地点", str(self._shop.location["name"])),
        ]


def _days(connection: Connection) -> int:
    given = str(connection.extra.get("recheck_days", RECHECK_DAYS))
    if not given.isdigit():
        raise ConfigError(
            f"连接 {connection.conn_id} 的 recheck_days 应为整数天数, 现为 {given}; 请更正",
            en=f"connection {connection.conn_id}: recheck_days must be a number of days, not {given!r}; correct it",
            where=f"{connection.conn_id}.recheck_days",
        )
    return int(given)
