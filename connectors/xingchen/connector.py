"""Streams and sinks of 金蝶AI星辰.

Source: 金蝶开放平台 "商品列表", "商品详情", "商品库存列表", "销售订单列表", "销售订单详情", "销售订单保存",
"通用批量操作". Figures in list rows come as text, in details as numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.xingchen.client import Client
from connectors.xingchen.lists import Reading, days_of, pages
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import MalformedMessage, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

MATERIALS = "/jdy/v2/bd/material"
MATERIAL = "/jdy/v2/bd/material_detail"
INVENTORY = "/jdy/v2/scm/inventory"
ORDERS = "/jdy/v2/scm/sal_order"
ORDER = "/jdy/v2/scm/sal_order_detail"
OPERATE = "/jdy/v2/sys/common_operate"
ORDER_ENTITY = "sal_bill_order"
AUDITED = "C"
MISSING = "xingchen:missing"
ZERO = Decimal(0)


class Materials:
    """商品: the list names what changed, the detail holds the tax rate; a raw record is the detail as sent."""

    name, entity, key = "material", "product", "number"

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client = client
        self._reading = reading

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Details of the materials changed in the window, or of these numbers. Raises errors of the tree."""
        if window.keys:
            yield Page([detail for detail in side_by_side(self._by_number, window.keys) if detail])
            return
        changed = self._reading.changed_in(window, self._client.now())
        for rows in pages(self._client, MATERIALS, changed, self._reading, lambda row: str(row["id"])):
            yield Page(self._details([{"id": str(row["id"])} for row in rows]))

    def _details(self, queries: Sequence[Mapping[str, str]]) -> list[Record]:
        return side_by_side(partial(self._client.get, MATERIAL), queries)

    def _by_number(self, number: str) -> Record | None:
        """The detail of this number, None where there is no such material: the gateway refuses to look for it."""
        try:
            return self._client.get(MATERIAL, {"number": number})
        except VendorRejected as error:
            if error.code != MISSING:
                raise
            return None


class Inventory:
    """即时库存 as it is now: every row, whatever the window; the vendor does not say that a reservation is a change.

    `key` is added to a row: material@stock, then space, auxiliary property and batch where there are any.
    """

    name, entity, key = "inventory", "stock_level", "key"

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client = client
        self._reading = reading

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Every stock row, or those of the materials in the window's keys. Raises errors of the tree."""
        for query in self._queries(window.keys):
            for rows in pages(self._client, INVENTORY, query, self._reading, stock_key):
                found = [{**row, "key": stock_key(row)} for row in rows]
                yield Page([row for row in found if not window.keys or row["key"] in window.keys])

    @staticmethod
    def _queries(keys: Sequence[str]) -> list[dict[str, str]]:
        numbers = sorted({key.partition("@")[0] for key in keys})
        return [{"material_numbers": number} for number in numbers] if numbers else [{}]


def stock_key(row: Record) -> str:
    """What tells stock rows apart."""
    finer = (row.get(name) for name in ("sp_number", "aux_prop_number", "batch_no"))
    return "@".join((row["material_number"], row["stock_number"], *(str(part) for part in finer if part)))


class Orders:
    """销售订单, read back: list rows as sent, by bill date."""

    name, entity, key = "sal_order", "sales_order", "bill_no"

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client = client
        self._reading = reading

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Orders whose bill date lies on a day of the window, or those of these numbers. Raises errors of the tree."""
        if window.keys:
            yield Page([row for row in side_by_side(self.by_number, window.keys) if row])
            return
        for rows in pages(self._client, ORDERS, days_of(window), self._reading, lambda row: str(row["id"])):
            yield Page(rows)

    def by_number(self, bill_no: str) -> Record | None:
        """The list row of exactly this number, None when there is none."""
        query = {"bill_no": bill_no}
        for rows in pages(self._client, ORDERS, query, self._reading, lambda row: str(row["id"])):
            for row in rows:
                if row.get("bill_no") == bill_no:
                    return row
        return None


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
        """gross: what the order comes to, tax included, in yuan; qty: pieces over all lines."""
        return {"gross": Decimal(payload["total_amount"]), "qty": _pieces(payload)}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Orders by number, each asked for alone: the list takes one number. Quantities come from the detail."""
        found = side_by_side(self._found, keys)
        return {one.native_no: one for one in found if one}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Save and audit each order."""
        return side_by_side(self._write_one, payloads)

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Un-audit and delete each order, which gives back what it reserved; one that is gone already is done.

        The vendor refuses an order that goods were delivered of: then a person must.
        """
        return side_by_side(self._reverse_one, list(zip(payloads, native_ids, strict=True)))

    def _reverse_one(self, sent: tuple[Record, str]) -> Outcome:
        payload, native_id = sent
        return self._client.retrier.outcome(partial(self._take_back, payload, native_id))

    def _take_back(self, payload: Record, native_id: str) -> Done:
        number = str(payload.get("bill_no") or self._client.get(ORDER, {"id": native_id})["bill_no"])
        row = self._orders.by_number(number)
        if row is None or str(row["id"]) != native_id:
            return Done(native_id, number)
        if row["bill_status"] == AUDITED:
            self._operate("unaudit", native_id)
        return Done(native_id, number, self._operate("delete", native_id))

    def _operate(self, operation: str, native_id: str) -> Record:
        asked = {"entity_number": ORDER_ENTITY, "operate_type": operation, "ids": [native_id]}
        return self._client.post(OPERATE, asked)

    def _write_one(self, payload: Record) -> Outcome:
        return self._client.retrier.outcome(partial(self._save, payload))

    def _save(self, payload: Record) -> Done:
        data = self._client.post(ORDERS, {**payload, "operation_key": "audit"})
        native_id = str((data.get("ids") or [""])[0])
        return Done(native_id, str((data.get("id_number_map") or {}).get(native_id, payload["bill_no"])), data)

    def _found(self, bill_no: str) -> Found | None:
        row = self._orders.by_number(bill_no)
        if row is None:
            return None
        detail = self._client.get(ORDER, {"id": str(row["id"])})
        if detail.get("bill_no") != bill_no:
            raise MalformedMessage(
                f"订单 {bill_no} 的详情返回了另一张单据, 请在金蝶中核对该单后重放",
                en=f"the detail of order {bill_no} is another bill; check the order in the system, then replay",
                where=bill_no,
            )
        figures = {"gross": Decimal(str(row["total_amount"])), "qty": _pieces(detail)}
        return Found(str(row["id"]), bill_no, figures, row)


def _pieces(order: Record) -> Decimal:
    return sum((Decimal(str(line["qty"])) for line in order["material_entity"]), ZERO)


class Xingchen:
    """One authorised 账套."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._reading = Reading.of(connection)
        self._orders = Orders(self._client, self._reading)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """material, inventory, sal_order."""
        stock, materials = Inventory(self._client, self._reading), Materials(self._client, self._reading)
        known: tuple[Any, ...] = (materials, stock, self._orders)
        return {one.name: one for one in known}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """sales_order."""
        return {OrderSink.name: OrderSink(self._client, self._orders)}

    def check(self) -> list[tuple[str, str]]:
        """Log in, name the 账套, count the products. Raises errors of the tree."""
        token = self._client.token()
        data = self._client.get(MATERIALS, {"page": "1", "page_size": "1"})
        return [
            ("账套", token.extra["account"]),
            ("域名", token.extra["domain"]),
            ("商品", f"{data.get('count', 0)} 个"),
        ]
