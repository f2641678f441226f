"""Orders and refunds of a channel, by when anything about them last changed.

An order's own `updatedAt` does not tell: shipping, delivery and refunds leave it as it was (Vendure 3.7.3), and there
is no list of refunds or fulfilments. So the orders placed lately (setting `recheck_days`) are looked over every time,
with few fields; only what changed in the window is then read in full. Two fields are added to a record: `shop`, the
number of the connection's setting, and `changedAt`, the latest time in it. Carts and drafts are no orders: what was
never placed is not read. No name, address or e-mail of a buyer is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from connectors.vendure.lists import PAGE, between, instant, pages, with_keys
from connectors.vendure.shop import Shop
from duijie.codec import Record
from duijie.connect.protocol import Page, Window

LOOKED_OVER = 500
TIMES = """updatedAt payments { updatedAt refunds { updatedAt } }
  history(options: {take: 1, sort: {createdAt: DESC}}) { items { createdAt } }"""
CHANGES = f"""query changes($options: OrderListOptions) {{ orders(options: $options) {{ totalItems
  items {{ code {TIMES} }} }} }}"""
ORDERS = """query orders($options: OrderListOptions) { orders(options: $options) { totalItems items {
  id code type state active createdAt updatedAt orderPlacedAt currencyCode couponCodes
  customer { id }
  subTotalWithTax shippingWithTax totalWithTax
  lines { id quantity orderPlacedQuantity unitPriceWithTax proratedUnitPriceWithTax proratedLinePriceWithTax taxRate
    productVariant { id sku name } }
  surcharges { id description sku priceWithTax taxRate }
  shippingLines { discountedPriceWithTax discounts { adjustmentSource amountWithTax } shippingMethod { code } }
  payments { id createdAt updatedAt method state amount refunds { id createdAt updatedAt state total items shipping
    adjustment method reason lines { orderLineId quantity } } }
  fulfillments { id createdAt updatedAt state method trackingCode lines { orderLineId quantity } }
  history(options: {take: 1, sort: {createdAt: DESC}}) { items { createdAt } }
} } }"""


FAR = datetime(9999, 12, 31, tzinfo=UTC)


class Orders:
    """Reads orders of the channel: those that may have changed in a window, and those with given codes."""

    def __init__(self, shop: Shop, recheck_days: int) -> None:
        self.shop = shop
        self._recheck = timedelta(days=recheck_days)

    def changed(self, since: datetime, until: datetime) -> Iterator[list[Record]]:
        """Pages of whole orders whose last change was at since ≤ t < until."""
        for rows in pages(self.shop.client, CHANGES, "orders", self._suspects(since, until), LOOKED_OVER):
            codes = [row["code"] for row in rows if since <= instant(changed_at(row)) < until]
            for start in range(0, len(codes), PAGE):
                yield self.by_code(codes[start : start + PAGE])

    def by_code(self, codes: Sequence[str]) -> list[Record]:
        """The placed orders with these codes, as they are now. Raises errors of the tree."""
        self.shop.channel  # noqa: B018  refuses a server whose amounts we would misread
        rows = with_keys(self.shop.client, ORDERS, "orders", "code", codes)
        return [{**row, "shop": self.shop.number, "changedAt": changed_at(row)} for row in rows if row["orderPlacedAt"]]

    def _suspects(self, since: datetime, until: datetime) -> Record:
        """Placed, and updated in the window or placed lately. Below `_or` Vendure joins every operator by or, so that
        each alternative has one.
        """
        alternatives = [{"updatedAt": between(since, until)}, {"orderPlacedAt": between(since - self._recheck, until)}]
        return {"orderPlacedAt": {"isNull": False}, "_or": alternatives}


class OrderStream:
    """Placed orders in every state. Raw record: the order with its lines, payments, refunds and fulfilments."""

    name = "order"
    entity = "sales_order"
    key = "code"

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def partitions(self) -> Iterable[str]:
        """One channel per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Orders changed in the window, or those with the window's codes."""
        if window.keys:
            yield Page(self._orders.by_code(window.keys))
            return
        for rows in self._orders.changed(window.since, window.until):
            yield Page(rows)


class RefundStream:
    """Refunds, each with the order it belongs to. `key` is the order's code, a slash and the refund's id.

    Raw record: the refund with `shop`, `payment` (id, method) and `order` (id, code, state, placed, lines).
    """

    name = "refund"
    entity = "sales_refund"
    key = "key"

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def partitions(self) -> Iterable[str]:
        """One channel per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Refunds changed in the window, or those with the window's keys."""
        if window.keys:
            codes = dict.fromkeys(key.rpartition("/")[0] for key in window.keys)
            wanted = set(window.keys)
            yield Page([one for one in self._refunds(self._orders.by_code(list(codes))) if one["key"] in wanted])
            return
        for rows in self._orders.changed(window.since, FAR):  # an order may have changed again after its refund
            yield Page([one for one in self._refunds(rows) if window.since <= instant(one["updatedAt"]) < window.until])

    def _refunds(self, orders: Sequence[Record]) -> Iterator[Record]:
        for order in orders:
            told = {name: order[name] for name in ("id", "code", "state", "orderPlacedAt", "currencyCode", "lines")}
            for payment in order["payments"] or []:
                of = {"id": payment["id"], "method": payment["method"]}
                for refund in payment["refunds"]:
                    key = f"{order['code']}/{refund['id']}"
                    yield {**refund, "key": key, "shop": order["shop"], "order": told, "payment": of}


def changed_at(order: Record) -> str:
    """The latest time in an order: its own, its payments', its refunds' and its last event's."""
    times = [order["updatedAt"], *(one["createdAt"] for one in order["history"]["items"])]
    for payment in order["payments"] or []:
        times += [payment["updatedAt"], *(refund["updatedAt"] for refund in payment["refunds"])]
    return str(max(times, key=instant))
