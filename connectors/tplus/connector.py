"""A connection to one T+ 账套: what can be read of it and written into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.tplus.archives import ArchiveSink
from connectors.tplus.bills import ARRIVAL, DELIVERY, ORDER, BillSink, VoucherSink
from connectors.tplus.client import Client
from connectors.tplus.lists import ARCHIVE_FIELDS, Archive, Reading, Stock, rows_of
from duijie.connect.connection import Connection
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services


class TPlus:
    """One authorised 账套."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._reading = Reading.of(connection)
        self._products = self._archive("inventory", "product", "inventory/Query", self._reading.inventory_fields)
        self._partners = self._archive("partner", "party", "partner/Query", self._reading.partner_fields)

    def _archive(self, name: str, entity: str, service: str, fields: str) -> Archive:
        return Archive(self._client, name, entity, service, fields, self._reading.page_size)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """inventory, partner, warehouse, unit, current_stock."""
        known: tuple[Any, ...] = (
            self._products,
            self._partners,
            self._archive("warehouse", "warehouse", "warehouse/Query", ARCHIVE_FIELDS),
            self._archive("unit", "unit", "Unit/Query", ARCHIVE_FIELDS),
            Stock(self._client, self._reading.page_size),
        )
        return {one.name: one for one in known}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """sales_order, goods_issue, goods_receipt, voucher, product, party."""
        known: tuple[Any, ...] = (
            *(BillSink(self._client, kind) for kind in (ORDER, DELIVERY, ARRIVAL)),
            VoucherSink(self._client),
            ArchiveSink(self._client, self._products, "product", "inventory/Create"),
            ArchiveSink(self._client, self._partners, "party", "partner/Create"),
        )
        return {one.name: one for one in known}

    def check(self) -> list[tuple[str, str]]:
        """Renews nothing that lasts, names the company, reads one page of warehouses. Raises errors of the tree."""
        token = self._client.token()
        service = "warehouse/Query"
        rows = rows_of(self._client.read(service, {"param": {"SelectFields": ARCHIVE_FIELDS}}), service)
        return [
            ("授权", f"openToken 有效, 企业 {token.extra.get('org_id') or '未告知'}"),
            ("仓库", f"{len(rows)} 个可读"),
        ]
