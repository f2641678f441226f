"""Finds a shop's SKU by 商家编码 (outer id), because stock is written per item and we only know our own codes."""

from __future__ import annotations

from connectors.taobao.client import Client
from duijie.codec import Record

SKU_FIELDS = "num_iid,sku_id,outer_id,quantity,price,modified"


class Skus:
    """Reads SKUs and remembers which item each belongs to."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._item: dict[str, str] = {}

    @staticmethod
    def key(shop: str, sku: str) -> str:
        """shop:商家编码."""
        return f"{shop}:{sku}"

    def keyed(self, shop: str, row: Record) -> Record:
        """The row with `shop` and `shop_sku` ("#sku_id" where it has no 商家编码); its item is remembered."""
        key = self.key(shop, str(row.get("outer_id") or f"#{row['sku_id']}"))
        self._item[key] = str(row["num_iid"])
        return {**row, "shop": shop, "shop_sku": key}

    def by_key(self, key: str) -> Record | None:
        """The SKU as the shop has it now (taobao.skus.custom.get), or None."""
        shop, _, sku = key.partition(":")
        answer = self._client.read(shop, "taobao.skus.custom.get", fields=SKU_FIELDS, outer_id=sku)
        rows = answer.get("skus", {}).get("sku", [])
        return self.keyed(shop, rows[0]) if rows else None

    def item_of(self, key: str) -> str | None:
        """The num_iid that a SKU belongs to, asked once; None when the shop has no such SKU."""
        if key not in self._item:
            self.by_key(key)
        return self._item.get(key)
