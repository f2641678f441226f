"""What can be pulled from and written to a WooCommerce site."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.woocommerce.catalogue import PRODUCT_FIELDS, STOCK_FIELDS, Catalogue, CatalogueStream
from connectors.woocommerce.client import Client
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


class WooCommerce:
    """One site, which is one shop."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._shop = str(connection.extra.get("shop") or connection.conn_id)
        self._workers = workers_of(connection)
        self._note = note_of(connection)
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
            "shipment": ShipmentSink(self._client, self._note),
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


def note_of(connection: Connection) -> str:
    """Whether shipping leaves a note, and who may read it. Raises ConfigError."""
    given = str(connection.extra.get("shipment_note") or "")
    if given and given not in NOTES:
        raise ConfigError(
            f"连接 {connection.conn_id} 的 shipment_note 无效, 请填 {' 或 '.join(NOTES)}, 不需要备注则留空",
            en=f"connection {connection.conn_id}: shipment_note must be one of {', '.join(NOTES)}, or empty",
            where=f"{connection.conn_id}.shipment_note",
        )
    return given
