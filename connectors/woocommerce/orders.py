"""Orders and refunds of a site, by time of change.

Sources: WooCommerce REST API docs, "Orders" and "Refunds" (wc/v3); WordPress REST API handbook, "Global parameters"
(`_fields`). `modified_after` and `modified_before` both leave their own second out. They are given without a zone and
with `dates_are_gmt`: WordPress would move a time with a zone into the site's own. Addresses, phones and mails of buyers
are not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connectors.woocommerce.client import Client
from connectors.woocommerce.pages import PAGE_SIZE, ahead, backward, forward, portions
from duijie.codec import Record
from duijie.connect.protocol import Page, Window

SECOND = timedelta(seconds=1)
ORDER_FIELDS = (
    "id,number,status,currency,prices_include_tax,date_created_gmt,date_modified_gmt,date_paid_gmt,date_completed_gmt,"
    "discount_total,discount_tax,shipping_total,shipping_tax,cart_tax,total,total_tax,customer_id,payment_method,"
    "transaction_id,line_items,shipping_lines,fee_lines,coupon_lines,refunds"
)
HEAD_FIELDS = "id,currency,date_completed_gmt,refunds"


def changed(window: Window) -> Mapping[str, str]:
    """The parameters of a list of since ≤ modified < until, oldest first."""
    return {
        "modified_after": _gmt(window.since - SECOND),
        "modified_before": _gmt(window.until),
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
    }


def _gmt(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


class OrderStream:
    """Orders, each with the added field `shop`."""

    name = "order"
    entity = "sales_order"
    key = "id"

    def __init__(self, client: Client, shop: str, workers: int) -> None:
        self._client, self._shop, self._workers = client, shop, workers

    def partitions(self) -> Sequence[str]:
        """One site is one shop."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Pages of the window with their totals, or exactly the orders of `window.keys`. Raises errors of the tree."""
        if window.keys:
            yield from (Page(self._of_shop(rows)) for rows in by_ids(self._client, window.keys, ORDER_FIELDS))
            return
        for answer in forward(self._client, "orders", self._workers, **changed(window), _fields=ORDER_FIELDS):
            yield Page(self._of_shop(answer.rows), total=answer.total)

    def _of_shop(self, rows: list[Record]) -> list[Record]:
        for row in rows:
            row["shop"] = self._shop
        return rows


class RefundStream:
    """Refunds of the orders that changed in the window: making one changes its order.

    A refund knows neither its order nor when that was completed. Added are `shop`, `order_id`, `currency`,
    `order_completed_gmt`, and its key `refund_key` ("order:refund"), by which it can be read again.
    """

    name = "refund"
    entity = "sales_refund"
    key = "refund_key"

    def __init__(self, client: Client, shop: str, workers: int) -> None:
        self._client, self._shop, self._workers = client, shop, workers

    def partitions(self) -> Sequence[str]:
        """One site is one shop."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """A page per list of orders, or exactly the refunds of `window.keys`. Raises errors of the tree."""
        if window.keys:
            wanted = set(window.keys)
            ids = list(dict.fromkeys(key.partition(":")[0] for key in window.keys))
            for heads in by_ids(self._client, ids, HEAD_FIELDS):
                yield Page([row for row in self._of_orders(heads) if row[self.key] in wanted])
            return
        for answer in backward(self._client, "orders", **changed(window), _fields=HEAD_FIELDS):
            yield Page(list(self._of_orders(answer.rows)))

    def _of_orders(self, heads: Sequence[Record]) -> Iterator[Record]:
        refunded = [head for head in heads if head.get("refunds")]
        for rows in ahead(self._of_order, refunded, self._workers):
            yield from rows

    def _of_order(self, head: Record) -> list[Record]:
        pages = backward(self._client, f"orders/{head['id']}/refunds", orderby="id", order="asc")
        found = {row["id"]: row for answer in pages for row in answer.rows}
        return [self._keyed(head, row) for row in found.values()]

    def _keyed(self, head: Record, row: Record) -> Record:
        return {
            **row,
            "shop": self._shop,
            "order_id": head["id"],
            "currency": head["currency"],
            "order_completed_gmt": head["date_completed_gmt"],
            self.key: f"{head['id']}:{row['id']}",
        }


def by_ids(client: Client, ids: Sequence[str], fields: str) -> Iterator[list[Record]]:
    """The orders of these ids that are there, in portions; what is no number is the id of none."""
    for some in portions([one for one in ids if one.isascii() and one.isdigit()]):
        yield client.page("orders", include=",".join(some), per_page=PAGE_SIZE, _fields=fields).rows
