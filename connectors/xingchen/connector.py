"""A connection to 金蝶AI星辰 brought to life: its streams, its sinks, and what a test of it tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.xingchen.catalogue import MATERIAL, ORDERS, SAVES, STREAMS
from connectors.xingchen.client import Client
from connectors.xingchen.lists import Reading
from connectors.xingchen.sinks import Changeable, Documents
from connectors.xingchen.streams import Inventory, Orders, Records, Shelf, stock_key
from connectors.xingchen.vouchers import Vouchers, VoucherSink
from duijie.connect.connection import Connection
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services

__all__ = ["Xingchen", "stock_key"]


class Xingchen:
    """One authorised 账套."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._reading = Reading.of(connection)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Base data, 即时库存, bills and vouchers."""
        client, reading = self._client, self._reading
        materials, *others = (Records(one.name, one.entity, Shelf(client, reading, one.kind)) for one in STREAMS)
        known: list[Any] = [materials, Inventory(client, reading), Orders(client, reading), *others]
        known.append(Vouchers(client, reading))
        return {one.name: one for one in known}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """Base data, bills and vouchers. A 销售订单 is never changed: a person decides what becomes of it."""
        client, reading = self._client, self._reading
        known: list[Any] = [Documents(ORDERS, client, reading)]
        known += [Changeable(save, client, reading) for save in SAVES]
        known.append(VoucherSink(client, reading))
        return {one.name: one for one in known}

    def check(self) -> list[tuple[str, str]]:
        """Log in, name the 账套, count the products. Raises errors of the tree."""
        token = self._client.token()
        data = self._client.get(MATERIAL.path, {"page": "1", "page_size": "1"})
        return [
            ("账套", token.extra["account"]),
            ("域名", token.extra["domain"]),
            ("商品", f"{data.get('count', 0)} 个"),
        ]
