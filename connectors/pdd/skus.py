"""What a shop's SKUs offer now, found by goods and 商家编码 (outer id), because those are the codes we write stock by.

Method: pdd.goods.list.get (拼多多开放平台 API 文档), goods with their SKUs inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.pdd.client import Client, listed, total_of
from duijie.codec import Record
from duijie.connect.protocol import Page, Window

GOODS = "pdd.goods.list.get"
PAGE_SIZE = 100
ON_SALE = 1


class Skus:
    """Reads goods and hands out their SKUs, each with `shop`, its goods and `shop_sku` ("shop:goods_id:商家编码")."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @staticmethod
    def key(shop: str, goods_id: str, sku: str) -> str:
        """shop:goods_id:商家编码. A code may stand in several goods, and often does."""
        return f"{shop}:{goods_id}:{sku}"

    def on_sale(self, shop: str) -> Iterator[list[Record]]:
        """The SKUs of all goods on sale, a page of goods at a time."""
        return self._pages(shop, is_onsale=ON_SALE)

    def by_key(self, key: str) -> Record | None:
        """The SKU as the shop has it now, or None."""
        shop, _, sku = key.split(":", 2)
        found = (row for rows in self._pages(shop, outer_id=sku) for row in rows)
        return next((row for row in found if row["shop_sku"] == key), None) if sku else None

    def _pages(self, shop: str, **asked: str | int) -> Iterator[list[Record]]:
        page, total = 1, 1
        while (page - 1) * PAGE_SIZE < total:
            answer = self._client.read(shop, GOODS, **asked, page=page, page_size=PAGE_SIZE)
            page, total = page + 1, total_of(answer, f"{shop} {GOODS}")
            yield [row for goods in listed(answer, "goods_list", f"{shop} {GOODS}") for row in self._rows(shop, goods)]

    def _rows(self, shop: str, goods: Record) -> Iterator[Record]:
        """A SKU without 商家编码 goes by its own number, so that it overwrites no other."""
        head = {name: goods.get(name) for name in ("goods_id", "goods_name", "is_onsale")}
        for sku in goods.get("sku_list") or []:
            code = str(sku.get("outer_id") or f"#{sku.get('sku_id')}")
            yield {**sku, **head, "shop": shop, "shop_sku": self.key(shop, str(head["goods_id"]), code)}


class ShopStockStream:
    """The quantity each shop offers now, one record per SKU of the goods on sale."""

    name = "stock"
    entity = "listing"
    key = "shop_sku"

    def __init__(self, client: Client, skus: Skus) -> None:
        self._client = client
        self._skus = skus

    def partitions(self) -> Sequence[str]:
        """The shop ids of the connection."""
        return list(self._client.shops)

    def read(self, window: Window) -> Iterator[Page]:
        """All SKUs on sale in the partition (the times of the window do not matter), or exactly `window.keys`."""
        if window.keys:
            yield Page([row for key in window.keys if (row := self._skus.by_key(key))])
            return
        for shop in [window.partition] if window.partition else self.partitions():
            yield from map(Page, self._skus.on_sale(shop))
