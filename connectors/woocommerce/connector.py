"""What can be pulled from and written to a WooCommerce site."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.woocommerce.catalogue import PRODUCT_FIELDS, STOCK_FIELDS, Catalogue, CatalogueStream
from connectors.woocommerce.client import Client
from connectors.woocommerce.fulfillments import FulfillmentSink
from connectors.woocommerce.orders import OrderStream, RefundStream
from connectors.woocommerce.products import ProductSink
from connectors.woocommerce.shipments import NOTES, ShipmentSink
from connectors.woocommerce.stock import ShopStockSink
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services

WORKERS = 4
MOST_WORKERS = 32
SHIPMENTS: Mapping[str, type[ShipmentSink] | type[FulfillmentSink]] = {
    "order": ShipmentSink,
    "fulfillments": FulfillmentSink,
}


class WooCommerce:
    """One site, which is one shop."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._shop = str(connection.extra.get("shop") or connection.conn_id)
        self._workers = workers_of(connection)
        self._note = chosen(connection, "shipment_note", ("", *NOTES))
        self._shipments = SHIPMENTS[chosen(connection, "shipments", tuple(SHIPMENTS))]
        self._catalogue = Catalogue(self._client, self._workers)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """order, refund, product and listing."""
        return {
            "order": OrderStream(self._client, self._shop, self._workers),
            "refund": RefundStream(self._client, self._shop, self._workers),
            "product": CatalogueStream("product", PRODUCT_FIELDS, self._catalogue, self._shop),
            "listing": CatalogueStream("listing", STOCK_FIELDS, self._catalogue, self._shop),
        }

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """shop_stock, product and shipment."""
        return {
            "shop_stock": ShopStockSink(self._client, self._catalogue, self._workers),
            "product": ProductSink(self._client, self._catalogue, self._workers),
            "shipment": self._shipments(self._client, self._note),
        }

    def check(self) -> list[tuple[str, str]]:
        """How many orders and products the key may see, which proves address, key and signature."""
        asked = (("订单", "orders"), ("商品", "products"))
        return [(title, f"{self._client.page(path, per_page=1, _fields='id').total} 条") for title, path in asked]


def workers_of(connection: Connection) -> int:
    """How many calls may be under way at once. Raises ConfigError."""
    given = str(connection.extra.get("connections") or WORKERS)
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= MOST_WORKERS):
        raise ConfigError(
            f"连接 {connection.conn_id} 的 connections 无效, 请填 1 至 {MOST_WORKERS} 的整数",
            en=f"connection {connection.conn_id}: connections must be a number from 1 to {MOST_WORKERS}",
            where=f"{connection.conn_id}.connections",
        )
    return int(given)


def chosen(connection: Connection, name: str, known: tuple[str, ...]) -> str:
    """A setting that has only these values; the first where it is not given. Raises ConfigError."""
    given = str(connection.extra.get(name) or known[0])
    if given not in known:
        words = [word for word in known if word]
        raise ConfigError(
            f"连接 {connection.conn_id} 的 {name} 无效, 请填 {' 或 '.join(words)}, 或留空",
            en=f"connection {connection.conn_id}: {name} must be one of {', '.join(words)}, or empty",
            where=f"{connection.conn_id}.{name}",
        )
    return given
