"""Streams and sinks of 金蝶AI星辰.

Lists and saves: 金蝶开放平台 "商品列表", "商品详情", "商品库存列表", "销售订单列表", "销售订单保存". Paging counts
from 1 and ends at `total_page`; `count` may come as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.xingchen.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

PAGE = 100
MATERIALS = "/jdy/v2/bd/material"
MATERIAL = "/jdy/v2/bd/material_detail"
INVENTORY = "/jdy/v2/scm/inventory"
ORDERS = "/jdy/v2/scm/sal_order"


def pages(client: Client, path: str, query: Mapping[str, str]) -> Iterator[list[Record]]:
    """Every page of a list."""
    number, last = 1, 1
    while number <= last:
        data = client.get(path, {**query, "page": str(number), "page_size": str(PAGE)})
        rows = [dict(row) for row in data.get("rows") or []]
        if not rows:
            return
        yield rows
        last = int(data.get("total_page") or 1)
        number += 1


def changed_in(window: Window) -> dict[str, str]:
    """The window as the vendor takes it: epoch milliseconds as text."""
    return {"modify_start_time": _milliseconds(window.since), "modify_end_time": _milliseconds(window.until)}


def _milliseconds(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000))


class Materials:
    """商品: the list names what changed, the detail holds the tax rate; a raw record is the detail as sent."""

    name, entity, key = "material", "product", "number"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Details of the materials changed in the window, or of these numbers."""
        if window.keys:
            yield Page(self._details([{"number": key} for key in window.keys]))
            return
        for rows in pages(self._client, MATERIALS, changed_in(window)):
            yield Page(self._details([{"id": str(row["id"])} for row in rows]))

    def _details(self, queries: Sequence[Mapping[str, str]]) -> list[Record]:
        return side_by_side(lambda query: self._client.get(MATERIAL, query), queries)


class Inventory:
    """即时库存: all rows, whatever the window: a figure counts only as of now. `key` (material@stock) is added."""

    name, entity, key = "inventory", "stock_level", "key"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Every stock row; `as_of` is the end of the window."""
        for rows in pages(self._client, INVENTORY, {}):
            yield Page([{**row, "key": f"{row['material_number']}@{row['stock_number']}"} for row in rows])


class Orders:
    """销售订单, read back: list rows as sent."""

    name, entity, key = "sal_order", "sales_order", "bill_no"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Orders whose bill date lies in the window's days (until excluded), or those of these numbers."""
        if window.keys:
            yield Page([row for key in window.keys if (row := self.by_number(key))])
            return
        days = {"start_bill_date": f"{window.since:%Y-%m-%d}", "end_bill_date": f"{window.until:%Y-%m-%d}"}
        for rows in pages(self._client, ORDERS, days):
            yield Page(rows)

    def by_number(self, bill_no: str) -> Record | None:
        """The list row of exactly this number."""
        data = self._client.get(ORDERS, {"bill_no": bill_no, "page": "1", "page_size": str(PAGE)})
        return next((dict(row) for row in data.get("rows") or [] if row.get("bill_no") == bill_no), None)


class OrderSink:
    """销售订单保存 with `operation_key` audit: a used number is refused, so a double cannot arise."""

    name, entity = "sales_order", "sales_order"
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, orders: Orders) -> None:
        self._client = client
        self._orders = orders

    def key_of(self, payload: Record) -> str:
        """The bill number."""
        return str(payload["bill_no"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total."""
        return {"gross": payload["total_amount"]}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Orders by number, each asked for alone: the list takes one number."""
        rows = side_by_side(self._orders.by_number, keys)
        return {row["bill_no"]: _found(row) for row in rows if row}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Save and audit each order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(lambda: self._save(payload)), payloads)

    def _save(self, payload: Record) -> Done:
        data = self._client.post(ORDERS, {**payload, "operation_key": "audit"})
        native_id = str(data["ids"][0])
        return Done(native_id, str((data.get("id_number_map") or {}).get(native_id, payload["bill_no"])), data)


def _found(row: Record) -> Found:
    return Found(str(row["id"]), row["bill_no"], {"gross": row["total_amount"]}, row)


class Xingchen:
    """One authorised 账套."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._orders = Orders(self._client)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """material, inventory, sal_order."""
        known: tuple[Any, ...] = (Materials(self._client), Inventory(self._client), self._orders)
        return {one.name: one for one in known}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """sales_order."""
        return {OrderSink.name: OrderSink(self._client, self._orders)}

    def check(self) -> list[tuple[str, str]]:
        """Log in, name the 账套, count the products."""
        token = self._client.token()
        data = self._client.get(MATERIALS, {"page": "1", "page_size": "1"})
        return [
            ("账套", token.extra["account"]),
            ("域名", token.extra["domain"]),
            ("商品", f"{data.get('count', 0)} 个"),
        ]
