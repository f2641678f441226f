"""The quantities that shops offer: read per item, written per SKU by 商家编码.

Methods (抖店开放平台): product.listV2 (pages from 1, at most 10,000 items a query), sku.list, sku.detail, sku.stockNum,
sku.syncStock with incremental=false, the whole figure. Writing the same figure twice is harmless, writing an old one
over a newer one is not: the sink is ABSOLUTE. With the setting out_warehouse_id it is the stock of that 区域仓.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.doudian.client import ERRORS, Client
from connectors.doudian.lists import PAGE_SIZE, asked, counted, pages
from duijie.codec import Record
from duijie.connect.errors import VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Window
from duijie.connect.retry import side_by_side

FIRST_PAGE = 1
DEPTH = 10_000
ONLINE = 0
REGIONAL = 1
NO_SUCH_SKU = frozenset({"doudian:isv.parameter-invalid:20050", "doudian:isv.parameter-invalid:20011"})


class Skus:
    """Reads what a shop holds of a SKU."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def by_key(self, key: str) -> Record | None:
        """sku.stockNum of "shop:商家编码", with `quantity`, the figure that counts here; None for a code not there."""
        shop, _, code = key.partition(":")
        row = self.ask(shop, "sku.stockNum", code=code, out_warehouse_id=self._client.warehouse or None)
        return {**row, "quantity": self.quantity(row, "stock_num_map")} if row else None

    def ask(self, shop: str, method: str, **parameters: Any) -> Record | None:
        """A method that is asked for one code; None for a code not there."""
        try:
            return dict(self._client.read(shop, method, **parameters))
        except VendorRejected as refused:
            if refused.code not in NO_SUCH_SKU:
                raise
            return None

    def quantity(self, row: Record, by_warehouse: str) -> int | None:
        """The ordinary stock, or that of the connection's 区域仓; None where the SKU has none of this kind."""
        if row.get("sku_type") != REGIONAL:
            return None if self._client.warehouse else row.get("stock_num")
        stocks: Mapping[str, int] = row.get(by_warehouse) or {}
        return stocks.get(self._client.warehouse)


class Stock:
    """What shops offer now, one record per SKU of an item on sale; each gets `shop`, `shop_sku` and `quantity`."""

    name, entity, key = "stock", "listing", "shop_sku"

    def __init__(self, client: Client, skus: Skus) -> None:
        self._client = client
        self._skus = skus

    def partitions(self) -> Sequence[str]:
        """The shop ids of the connection."""
        return list(self._client.shops)

    def read(self, window: Window) -> Iterator[Page]:
        """All SKUs on sale in the partition (the times of the window do not matter), or exactly `window.keys`."""
        for shop, codes in asked(window, self.partitions()):
            if window.keys:
                yield Page([row for code in codes if (row := self._by_code(shop, code))])
            else:
                yield from self._of(shop)

    def _of(self, shop: str) -> Iterator[Page]:
        """The SKUs of every item; an item that was met twice because the list moved is read once."""
        seen: set[str] = set()
        for rows in pages(partial(self._items, shop), 0, self._client.now + 86400, DEPTH, FIRST_PAGE):
            items = [item for row in rows if (item := str(row["product_id"])) not in seen]
            seen.update(items)
            yield Page([sku for skus in side_by_side(partial(self._skus_of, shop), items) for sku in skus])

    def _items(self, shop: str, page: int, since: int, until: int) -> tuple[Sequence[Record], int]:
        window = {"update_start_time": since - 1, "update_end_time": until}  # neither end belongs to it
        data = self._client.read(shop, "product.listV2", status=ONLINE, page=page, size=PAGE_SIZE, **window)
        return counted(data, "data", f"{shop} product.listV2")

    def _skus_of(self, shop: str, item: str) -> list[Record]:
        rows = self._client.read(shop, "sku.list", product_id=int(item))
        return [self._named(shop, row) for row in rows if row.get("code")]

    def _named(self, shop: str, row: Record) -> Record:
        key = f"{shop}:{row['code']}"
        return {**row, "shop": shop, "shop_sku": key, "quantity": self._skus.quantity(row, "stock_map")}

    def _by_code(self, shop: str, code: str) -> Record | None:
        row = self._skus.ask(shop, "sku.detail", code=code)
        return self._named(shop, row) if row else None


class ShopStockSink:
    """Absolute quantities. A payload is {"shop", "sku" (商家编码), "quantity", "product_id" (optional)}."""

    name = entity = "shop_stock"
    safety = Safety.ABSOLUTE
    batch = 100

    def __init__(self, client: Client, skus: Skus) -> None:
        self._client = client
        self._skus = skus

    def key_of(self, payload: Record) -> str:
        """shop:商家编码."""
        return f"{payload['shop']}:{payload['sku']}"

    def figures_of(self, payload: Record) -> Figures:
        """The quantity."""
        return {"quantity": Decimal(payload["quantity"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the shops offer now under these keys. Raises VendorRejected for a SKU without stock of our kind."""
        rows = side_by_side(self._skus.by_key, keys)
        return {key: _found(key, row) for key, row in zip(keys, rows, strict=True) if row}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per payload: the platform takes several only of one item, and then all or none."""
        return side_by_side(self._outcome, payloads)

    def _outcome(self, payload: Record) -> Outcome:
        return self._client.retrier(payload["shop"]).outcome(partial(self._sync, payload))

    def _sync(self, payload: Record) -> Done:
        item: Any = payload.get("product_id")
        answer = self._client.write(
            payload["shop"],
            "sku.syncStock",
            product_id=int(item) if item else None,
            code=payload["sku"],
            stock_num=payload["quantity"],
            incremental=False,
            out_warehouse_id=self._client.warehouse or None,
        )
        return Done(self.key_of(payload), self.key_of(payload), answer)


def _found(key: str, row: Record) -> Found:
    if row["quantity"] is None:
        raise ERRORS.error("regional-stock", key, where=key)
    return Found(str(row["sku_id"]), key, {"quantity": Decimal(row["quantity"])}, row)
