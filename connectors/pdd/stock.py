"""Writes sellable quantities to shops: pdd.goods.quantity.update with update_type=1, the whole figure of one SKU.

A payload is {"shop", "goods_id", "sku" (商家编码), "quantity"}. Writing the same figure twice is harmless; writing an
old one over a newer one is not, which is why the sink is ABSOLUTE. The platform refuses to lower the figure of goods
that stand in a promotion (拼多多开放平台 API 文档).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from connectors.pdd.client import ERRORS, Client
from connectors.pdd.skus import Skus
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

UPDATE = "pdd.goods.quantity.update"
FULL = 1


class ShopStockSink:
    """Absolute quantities per shop, goods and SKU."""

    name = "shop_stock"
    entity = "shop_stock"
    safety = Safety.ABSOLUTE
    batch = 100

    def __init__(self, client: Client, skus: Skus) -> None:
        self._client = client
        self._skus = skus

    def key_of(self, payload: Record) -> str:
        """shop:goods_id:商家编码."""
        return self._skus.key(payload["shop"], payload["goods_id"], payload["sku"])

    def figures_of(self, payload: Record) -> Figures:
        """The quantity."""
        return {"quantity": Decimal(payload["quantity"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the shops offer now under these keys."""
        rows = side_by_side(self._skus.by_key, keys)
        return {
            key: Found(str(row["sku_id"]), key, {"quantity": Decimal(row["sku_quantity"])}, row)
            for key, row in zip(keys, rows, strict=True)
            if row
        }

    def write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """One outcome per payload, in order; each is a call of its own."""
        return side_by_side(self._write, payloads)

    def _write(self, payload: Record) -> Outcome:
        shop, goods_id, sku = payload["shop"], payload["goods_id"], payload["sku"]

        def once() -> Done:
            answer = self._client.write(
                shop, UPDATE, goods_id=goods_id, outer_id=sku, quantity=payload["quantity"], update_type=FULL
            )
            if answer.get("is_success") is not True:
                raise ERRORS.error("outcome-unknown", "no is_success", where=f"{shop} {UPDATE}")
            return Done(goods_id, self.key_of(payload), answer)

        return self._client.retrier(shop).outcome(once)
