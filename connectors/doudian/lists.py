"""Lists by time that are paged by number: complete whatever moves, and never deeper than the platform answers.

Methods (抖店开放平台): order.searchList, order.orderDetail, afterSale.List, afterSale.Detail. Lists count pages from 0.
Neither says for certain whether the ends of a window belong to it: it is asked a second wider at both ends, and what
lies outside is dropped. Every raw record gets two fields that the platform does not send: `shop`, the id of the shop,
and the key of the stream, "shop:number".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connectors.doudian.client import ERRORS, Client
from duijie.codec import Record
from duijie.connect.errors import VendorRejected
from duijie.connect.protocol import Page, Traits, Window
from duijie.connect.retry import side_by_side

PAGE_SIZE = 100
DEPTH = 50_000
BEGINNING = 1_577_808_000  # 2020, before the platform's first after-sale
LONGEST = Traits(longest=timedelta(days=90))
NO_SUCH_ORDER = frozenset(  # not there, or another shop's
    f"doudian:isv.{code}" for code in ("parameter-invalid:20001", "parameter-invalid:20014", "business-failed:20015")
)
OF_MONEY = frozenset({"refund_status", "refund_total_amount", "real_refund_amount", "refund_time"}) | {
    "platform_discount_return_amount",
    "kol_discount_return_amount",
}
SUCCEEDED, REFUNDED = 12, 3  # aftersale_status, refund_status
NO_SUCH_AFTERSALE = frozenset({"doudian:isv.parameter-invalid:11003"})
Ask = Callable[[int, int, int], tuple[Sequence[Record], int]]  # page, since, until → rows, how many in all


def pages(ask: Ask, since: int, until: int, depth: int, first: int = 0) -> Iterator[Sequence[Record]]:
    """The rows between two seconds, page by page, the last page first.

    A record that changes meanwhile leaves the window and those behind it move up one place: read backwards they are met
    twice, never missed. What would lie deeper than `depth` is asked in halves. Raises VendorRejected where a single
    second holds more.
    """
    rows, total = ask(first, since, until)
    if total > depth:
        if until - since <= 1:
            raise ERRORS.error("too-deep", f"{total} records between {since} and {until}")
        middle = (since + until) // 2
        for half in ((since, middle), (middle, until)):
            yield from pages(ask, *half, depth, first)
    elif total <= PAGE_SIZE:
        yield rows
    else:
        for page in range(-(-total // PAGE_SIZE) - 1, -1, -1):
            yield ask(first + page, since, until)[0]


def counted(data: Record, name: str, where: str) -> tuple[Sequence[Record], int]:
    """The rows under `name` and the total. Raises AnswerLost without one: nothing may be taken for an empty list."""
    if data.get("total") is None:
        raise ERRORS.error("outcome-unknown", "no total", where=where)
    return data.get(name) or [], int(data["total"])


def asked(window: Window, shops: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The shops that a window concerns, each with the numbers of `window.keys` ("shop:number") that are its own."""
    for shop in [window.partition] if window.partition else shops:
        yield shop, [key.partition(":")[2] for key in window.keys if key.partition(":")[0] == shop]


class _Changed(ABC):
    """Records by time of change. Subclasses ask for a page, for one number, and say where number and time stand."""

    name: str
    entity: str
    key: str
    traits = LONGEST

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Sequence[str]:
        """The shop ids of the connection."""
        return list(self._client.shops)

    def read(self, window: Window) -> Iterator[Page]:
        """Pages of the window, or exactly the records of `window.keys`; partition "" reads every shop.

        Raises errors of the tree.
        """
        for shop, numbers in asked(window, self.partitions()):
            if window.keys:
                found = [row for number in numbers if (row := self.by_number(shop, number))]
                yield Page(self._told(shop, found))
            else:
                yield from self._changed(shop, window.since, window.until)

    def _changed(self, shop: str, since: datetime, until: datetime) -> Iterator[Page]:
        ask = partial(self._page, shop)
        for rows in pages(ask, int(since.timestamp()), int(until.timestamp()) + 1, DEPTH):
            inside = [row for row in rows if since.timestamp() <= self._changed_at(row) < until.timestamp()]
            yield Page(self._told(shop, inside))

    def _told(self, shop: str, rows: Sequence[Record]) -> Sequence[Record]:
        return [self._named(shop, row) for row in rows]

    def _named(self, shop: str, row: Record) -> Record:
        return {**row, "shop": shop, self.key: f"{shop}:{self._number(row)}"}

    @abstractmethod
    def by_number(self, shop: str, number: str) -> Record | None:
        """The record as the shop has it now, as sent; None where the shop has no such number."""

    @abstractmethod
    def _page(self, shop: str, page: int, since: int, until: int) -> tuple[Sequence[Record], int]:
        """One page of the list by time of change, and how many it holds."""

    @abstractmethod
    def _number(self, row: Record) -> Any:
        """The platform's number."""

    @abstractmethod
    def _changed_at(self, row: Record) -> int:
        """Unix seconds."""


class Orders(_Changed):
    """Orders of shops. The platform lists those that were placed in the last 90 days; older ones are read by number."""

    name, entity, key = "order", "sales_order", "shop_order"

    def by_number(self, shop: str, number: str) -> Record | None:
        """order.orderDetail."""
        try:
            data = self._client.read(shop, "order.orderDetail", shop_order_id=number)
        except VendorRejected as refused:
            if refused.code not in NO_SUCH_ORDER:
                raise
            return None
        if not data.get("shop_order_detail"):
            raise ERRORS.error("outcome-unknown", "no shop_order_detail", where=f"{shop} {number}")
        return dict(data["shop_order_detail"])

    def _page(self, shop: str, page: int, since: int, until: int) -> tuple[Sequence[Record], int]:
        window = {"update_time_start": since - 1, "update_time_end": until}  # whether ends belong to it is not told
        data = self._client.read(
            shop, "order.searchList", page=page, size=PAGE_SIZE, order_by="update_time", order_asc=True, **window
        )
        return counted(data, "shop_order_list", f"{shop} order.searchList")

    def _number(self, row: Record) -> Any:
        return row["order_id"]

    def _changed_at(self, row: Record) -> int:
        return int(row["update_time"])


class AfterSales(_Changed):
    """After-sales (售后单) of shops. One whose refund has succeeded gets `detail`: the list does not tell its day.

    Only what afterSale.Detail says of the money is taken: it names the receiver of an exchange too.
    """

    name, entity, key = "aftersale", "sales_refund", "shop_aftersale"

    def _told(self, shop: str, rows: Sequence[Record]) -> Sequence[Record]:
        return side_by_side(partial(self._named, shop), rows)

    def _named(self, shop: str, row: Record) -> Record:
        named = super()._named(shop, row)
        return {**named, "detail": self._detail(shop, row)} if _has_succeeded(row["aftersale_info"]) else named

    def _detail(self, shop: str, row: Record) -> Record:
        number = str(self._number(row))
        process = self._client.read(shop, "afterSale.Detail", after_sale_id=number).get("process_info") or {}
        if not process.get("after_sale_info"):
            raise ERRORS.error("outcome-unknown", "no after_sale_info", where=f"{shop} {number}")
        return {name: value for name, value in process["after_sale_info"].items() if name in OF_MONEY}

    def by_number(self, shop: str, number: str) -> Record | None:
        """afterSale.List by aftersale_id; without a time of application it would know half a year only."""
        applied = {"start_time": BEGINNING, "end_time": self._client.now + 86400}
        try:
            data = self._client.read(shop, "afterSale.List", page=0, size=PAGE_SIZE, aftersale_id=number, **applied)
        except VendorRejected as refused:
            if refused.code not in NO_SUCH_AFTERSALE:
                raise
            return None
        rows, _ = counted(data, "items", f"{shop} afterSale.List")
        return next((dict(row) for row in rows if str(self._number(row)) == number), None)

    def _page(self, shop: str, page: int, since: int, until: int) -> tuple[Sequence[Record], int]:
        window = {"update_start_time": since - 1, "update_end_time": until}
        data = self._client.read(
            shop, "afterSale.List", page=page, size=PAGE_SIZE, order_by=["update_time asc"], **window
        )
        return counted(data, "items", f"{shop} afterSale.List")

    def _number(self, row: Record) -> Any:
        return row["aftersale_info"]["aftersale_id"]

    def _changed_at(self, row: Record) -> int:
        return int(row["aftersale_info"]["update_time"])


def _has_succeeded(info: Record) -> bool:
    return info.get("aftersale_status") == SUCCEEDED and info.get("refund_status") == REFUNDED
