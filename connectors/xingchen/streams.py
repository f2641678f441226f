"""Streams of 金蝶AI星辰: what changed in a window, or what goes by these numbers.

A list names what changed, the detail tells the rest. Figures in list rows come as text, in details as numbers.
Source: 金蝶开放平台, list and detail of each kind; "商品库存列表".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from connectors.xingchen.catalogue import SALES_ORDER, SCM, Kind
from connectors.xingchen.client import Client
from connectors.xingchen.lists import Reading, by_id, days_of, first, pages
from duijie.codec import Record
from duijie.connect.errors import MalformedMessage, VendorRejected
from duijie.connect.protocol import Page, Window
from duijie.connect.retry import side_by_side

INVENTORY = SCM + "inventory"
MISSING = "xingchen:missing"


def if_there(ask: Callable[[], Record]) -> Record | None:
    """What is asked for; None where the gateway refuses because there is no such thing, or answers with nothing."""
    try:
        found = ask()
        return found if found.get("id") else None
    except VendorRejected as error:
        if error.code != MISSING:
            raise
        return None


class Shelf:
    """Records of one kind, found by number or by id."""

    def __init__(self, client: Client, reading: Reading, kind: Kind) -> None:
        self.client = client
        self.reading = reading
        self.kind = kind

    def row(self, number: str) -> Record | None:
        """The list row of exactly this bill number, None when there is none."""
        return first(self.client, self.kind.path, {self.kind.number: number}, self.reading, self.kind.number)

    def whole(self, number: str) -> Record | None:
        """All there is under a number, None when there is nothing. Raises errors of the tree."""
        if not self.kind.is_bill:
            return if_there(lambda: self.client.get(self.kind.detail, {"number": number}))
        row = self.row(number)
        return self.completed(row) if row else None

    def completed(self, row: Record) -> Record | None:
        """A list row with its detail, None when it has gone meanwhile. Raises MalformedMessage for another's detail."""
        if not self.kind.detail:
            return row
        detail = if_there(lambda: self.client.get(self.kind.detail, {"id": by_id(row)}))
        if detail is None or not self.kind.is_bill:
            return detail
        number = str(row[self.kind.number])
        if detail.get(self.kind.number) != number:
            raise MalformedMessage(
                f"单据 {number} 的详情返回了另一张单据, 请在金蝶中核对该单后重放",
                en=f"the detail of bill {number} is another bill; check it in the system, then replay",
                where=number,
            )
        return {**row, **detail}


class Records:
    """A stream over one kind: by modify time, each record in full."""

    def __init__(self, name: str, entity: str, shelf: Shelf) -> None:
        self.name = name
        self.entity = entity
        self.key = shelf.kind.number
        self._shelf = shelf

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Records changed in the window, or those of these numbers. Raises errors of the tree."""
        if window.keys:
            yield Page([record for record in self._numbered(window.keys) if record])
            return
        shelf = self._shelf
        changed = shelf.reading.changed_in(window, shelf.client.now())
        for rows in pages(shelf.client, shelf.kind.path, changed, shelf.reading, by_id):
            yield Page([record for record in side_by_side(shelf.completed, rows) if record])

    def _numbered(self, numbers: Sequence[str]) -> Sequence[Record | None]:
        """By number; of kinds without a detail (units, warehouses: few) the whole list is read."""
        shelf = self._shelf
        if shelf.kind.detail:
            return side_by_side(shelf.whole, numbers)
        every = (row for rows in pages(shelf.client, shelf.kind.path, {}, shelf.reading, by_id) for row in rows)
        return [row for row in every if str(row[self.key]) in numbers]


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
    """销售订单, read back for 对账: list rows as sent, by bill date, one call for many orders."""

    name, entity, key = "sal_order", "sales_order", "bill_no"

    def __init__(self, client: Client, reading: Reading) -> None:
        self._shelf = Shelf(client, reading, SALES_ORDER)

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Orders whose bill date lies on a day of the window, or those of these numbers. Raises errors of the tree."""
        shelf = self._shelf
        if window.keys:
            yield Page([row for row in side_by_side(shelf.row, window.keys) if row])
            return
        for rows in pages(shelf.client, shelf.kind.path, days_of(window), shelf.reading, by_id):
            yield Page(rows)
