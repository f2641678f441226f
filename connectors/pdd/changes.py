"""Orders and refunds by time of change, in windows as short and as late as the platform wants them.

Methods: pdd.order.number.list.increment.get, pdd.order.information.get, pdd.refund.list.increment.get
(拼多多开放平台 API 文档). The platform answers at most 30 minutes, is complete only up to three minutes ago, and wants
pages read from the last to the first: what changes while we read leaves the window and is met twice rather than missed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

from connectors.pdd.client import ERRORS, NO_SUCH_ORDER, Client, listed, total_of
from duijie.codec import Record
from duijie.connect.errors import VendorRejected
from duijie.connect.protocol import Page, Traits, Window
from duijie.connect.retry import side_by_side

CHINA = timezone(timedelta(hours=8))
LONGEST = timedelta(minutes=30)
SETTLED = timedelta(minutes=3)
PAGE_SIZE = 100
TIME = "%Y-%m-%d %H:%M:%S"
ORDER, ORDERS, REFUNDS = (
    "pdd.order.information.get",
    "pdd.order.number.list.increment.get",
    "pdd.refund.list.increment.get",
)
ALL = 5  # every state, of orders and of their refunds
OF_THE_ORDER = ("order_status", "pay_amount", "platform_discount")


def order_of(client: Client, shop: str, order_sn: str) -> Record | None:
    """The order as it is now; None where the shop has none of this number, or none of the last three months."""
    try:
        info = client.read(shop, ORDER, order_sn=order_sn).get("order_info")
    except VendorRejected as error:
        if error.code != f"pdd:{NO_SUCH_ORDER}":
            raise
        return None
    if not isinstance(info, dict) or not info:
        raise ERRORS.error("outcome-unknown", "no order_info", where=f"{shop} {order_sn}")
    return info


def pieces(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Whole-second intervals of at most half an hour that cover since ≤ changed < until."""
    start = since.replace(microsecond=0)
    while start < until:
        end = min(start + LONGEST, until)
        yield start, end if not end.microsecond else end.replace(microsecond=0) + timedelta(seconds=1)
        start = end


class Changed(ABC):
    """A list that is asked by time of change. Subclasses name it and ask for single records."""

    name: str
    entity: str
    key: str
    traits = Traits(longest=LONGEST, answers_keys=False)  # what is older than three months is not answered either
    method: str
    rows: str  # the field of the answer that holds the records
    changed: str  # the field of a record that says when it changed
    asked: Mapping[str, int]
    uncounted: Mapping[str, bool] = MappingProxyType({})  # asks for a page without the total, which is faster

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Sequence[str]:
        """The shop ids of the connection."""
        return list(self._client.shops)

    def read(self, window: Window) -> Iterator[Page]:
        """Pages of the window, or exactly the records of `window.keys`; partition "" reads every shop.

        Each page says up to where the platform is complete, so that no cursor passes it. Raises errors of the tree.
        """
        for shop in [window.partition] if window.partition else self.partitions():
            if window.keys:
                yield Page([row for key in window.keys for row in self.by_key(shop, key)])
                continue
            settled = self._settled()
            for since, until in pieces(window.since, min(window.until, settled)):
                for rows in self._piece(shop, since, until):
                    yield Page(self.completed(shop, rows), server_time=settled)
            if window.until > settled:
                yield Page([], server_time=settled)

    def _settled(self) -> datetime:
        return datetime.fromtimestamp(int(self._client.now), UTC) - SETTLED

    def _piece(self, shop: str, since: datetime, until: datetime) -> Iterator[list[Record]]:
        """Whether the end belongs to a period is not documented: it is left to the next one."""
        end = until.astimezone(CHINA).strftime(TIME)
        first = self._ask(shop, since, until, 1)
        pages = -(-total_of(first, f"{shop} {self.method}") // PAGE_SIZE)
        for page in range(pages, 0, -1):
            answer = first if pages == 1 else self._ask(shop, since, until, page, **self.uncounted)
            rows = listed(answer, self.rows, f"{shop} {self.method}")
            yield [row for row in rows if str(row.get(self.changed) or "") < end]

    def _ask(self, shop: str, since: datetime, until: datetime, page: int, **more: Any) -> Record:
        period = {"start_updated_at": int(since.timestamp()), "end_updated_at": int(until.timestamp())}
        return self._client.read(shop, self.method, **period, **self.asked, page=page, page_size=PAGE_SIZE, **more)

    def completed(self, shop: str, rows: Sequence[Record]) -> list[Record]:
        """The listed records with what the list lacks."""
        return [{**row, "shop": shop} for row in rows]

    @abstractmethod
    def by_key(self, shop: str, key: str) -> list[Record]:
        """The record of this key, if there is one."""


class Orders(Changed):
    """Orders that a group has been formed for and that are paid; the platform lists no others."""

    name, entity, key = "order", "sales_order", "order_sn"
    method, rows, changed = ORDERS, "order_sn_list", "updated_at"
    asked = MappingProxyType({"is_lucky_flag": 0, "order_status": ALL, "refund_status": ALL})
    uncounted = MappingProxyType({"use_has_next": True})

    def by_key(self, shop: str, key: str) -> list[Record]:
        """The order of this number."""
        found = order_of(self._client, shop, key)
        return self.completed(shop, [found] if found else [])


class Refunds(Changed):
    """After-sales of every kind. `refund_key` ("order_sn:id") is added: the platform finds none by its id alone."""

    name, entity, key = "refund", "sales_refund", "refund_key"
    method, rows, changed = REFUNDS, "refund_list", "updated_time"
    asked = MappingProxyType({"after_sales_type": 1, "after_sales_status": 1})

    def completed(self, shop: str, rows: Sequence[Record]) -> list[Record]:
        """With `refund_key`, and as `order` how far the order is and what the platform paid of it (null: too old)."""
        orders = side_by_side(lambda row: order_of(self._client, shop, str(row["order_sn"])), rows)
        return [
            {
                **row,
                "shop": shop,
                "refund_key": f"{row['order_sn']}:{row['id']}",
                "order": {name: order.get(name) for name in OF_THE_ORDER} if order else None,
            }
            for row, order in zip(rows, orders, strict=True)
        ]

    def by_key(self, shop: str, key: str) -> list[Record]:
        """The after-sale, looked for among those of its order."""
        order_sn, _, number = key.partition(":")
        end = self._settled()  # a period is asked for, and of no effect beside an order number
        answer = self._ask(shop, end - LONGEST, end, 1, order_sn=order_sn)
        where = f"{shop} {self.method}"
        total_of(answer, where)
        return self.completed(shop, [row for row in listed(answer, self.rows, where) if str(row.get("id")) == number])
