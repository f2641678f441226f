"""Reading what T+ keeps as base data, and the stock, completely: all of it each time, page by page.

Source: T+Cloud API "存货查询", "往来单位查询", "仓库查询", "计量单位查询", "现存量查询": `{"param": …}` in, a list out.
No filter by time of change is documented well enough to be trusted, so a window is not passed on. A list has no cursor
and, but for the stock, no total: a page that is full is followed by the next, and one that brings nothing new although
it is full means that this T+ does not page, which is told and never taken for the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from connectors.tplus.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import MalformedMessage
from duijie.connect.protocol import Page, Traits, Window

PAGE_SIZE = 500
INVENTORY_FIELDS = (
    "ID,Code,Name,Shorthand,Specification,DefaultBarCode,InventoryClass.Code,InventoryClass.Name,"
    "UnitName,BaseUnitName,Disabled,IsSale,Ts"
)
PARTNER_FIELDS = (
    "ID,Code,Name,ShortHand,PartnerAbbName,PartnerType.Code,PartnerType.Name,PartnerClass.Code,PartnerClass.Name,"
    "TaxRegcode,Disabled,Ts"
)
ARCHIVE_FIELDS = "ID,Code,Name,Disabled"
GROUPS = {"Warehouse": True, "Inventory": True, "InvProperty": False}
FINER = ("InvLocationCode", "Batch", "SkuCode")

Identity = Callable[[Record], str]


@dataclass(frozen=True)
class Reading:
    """How this connection reads: rows a page, and the fields it asks for of products and partners."""

    page_size: int = PAGE_SIZE
    inventory_fields: str = INVENTORY_FIELDS
    partner_fields: str = PARTNER_FIELDS

    @classmethod
    def of(cls, connection: Connection) -> Reading:
        """From the settings of the connection."""
        extra = connection.extra
        return cls(
            int(extra.get("page_size") or PAGE_SIZE),
            str(extra.get("inventory_fields") or INVENTORY_FIELDS),
            str(extra.get("partner_fields") or PARTNER_FIELDS),
        )


def rows_of(answer: Any, service: str) -> list[Record]:
    """The rows of a query: the answer itself, or its `Data`. Raises MalformedMessage for anything else."""
    found = answer.get("Data", answer.get("data")) if isinstance(answer, dict) else answer
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise MalformedMessage(
            f"{service} 的应答不是列表, 请核对 T+ 版本后重试",
            en=f"the answer of {service} is no list; check the version of T+",
            where=service,
        )
    return found


def pages(client: Client, service: str, param: Record, size: int, identity: Identity) -> Iterator[list[Record]]:
    """Every row once. Raises MalformedMessage where a full page brings nothing new."""
    seen: set[str] = set()
    for number in count(1):
        rows = rows_of(client.read(service, {"param": {**param, "PageIndex": number, "PageSize": size}}), service)
        fresh = {identity(row): row for row in rows if identity(row) not in seen}
        seen.update(fresh)
        if fresh:
            yield list(fresh.values())
        if len(rows) < size:
            return
        if not fresh:
            raise _does_not_page(service, number, size)


def _does_not_page(service: str, number: int, size: int) -> MalformedMessage:
    return MalformedMessage(
        f"{service} 第 {number} 页与前页相同 (每页 {size} 行): 该 T+ 版本未按 PageIndex 翻页; "
        "请调大连接的 page_size (至多 1000) 后重试",
        en=f"{service} does not turn pages (page {number} of {size} rows is an old one); set a larger page_size",
        where=service,
    )


class Archive:
    """A 档案 by its Code: 存货, 往来单位, 仓库 or 计量单位. Rows as sent."""

    key = "Code"
    traits = Traits(shifts=True)

    def __init__(self, client: Client, name: str, entity: str, service: str, fields: str, size: int) -> None:
        self._client = client
        self.name = name
        self.entity = entity
        self._service = service
        self._fields = fields
        self._size = size

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """All of it, whatever the window, or what has these codes. Raises errors of the tree."""
        for code in window.keys:
            if row := self.by_code(code):
                yield Page([row])
        if not window.keys:
            for rows in self._pages({}):
                yield Page(rows)

    def by_code(self, code: str) -> Record | None:
        """The row of exactly this code, None where there is none."""
        return next((row for rows in self._pages({"Code": code}) for row in rows if str(row["Code"]) == code), None)

    def _pages(self, param: Record) -> Iterator[list[Record]]:
        asked = {**param, "SelectFields": self._fields}
        return pages(self._client, self._service, asked, self._size, lambda row: str(row["Code"]))


class Stock:
    """现存量 as it is now, one row a product and warehouse; `key` is added to a row: product@warehouse.

    `IsIncludeZero` asks for products that are sold out too: left out, their last figure would stand for ever.
    """

    name, entity, key = "current_stock", "stock_level", "key"
    traits = Traits(shifts=True)
    service = "currentStock/Query"

    def __init__(self, client: Client, size: int) -> None:
        self._client = client
        self._size = size

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Every stock row, or those of the window's keys. Raises errors of the tree."""
        for param in _asked(window.keys):
            for rows in pages(self._client, self.service, param, self._size, stock_key):
                found = [{**row, "key": stock_key(row)} for row in rows]
                yield Page([row for row in found if not window.keys or row["key"] in window.keys])


def _asked(keys: Iterable[str]) -> list[Record]:
    """The queries that bring these keys; one for all without keys."""
    whole: Record = {"GroupInfo": GROUPS, "IsIncludeZero": True}
    codes = sorted({key.partition("@")[0] for key in keys})
    return [{"Inventory": [{"Code": code}], **whole} for code in codes] or [whole]


def stock_key(row: Record) -> str:
    """What tells stock rows apart."""
    finer = (row.get(name) for name in FINER)
    return "@".join((str(row["InventoryCode"]), str(row["WarehouseCode"]), *(str(part) for part in finer if part)))
