"""Writes sellable quantities to shops: taobao.skus.quantity.update with type=1, the whole figure.

A payload is {"shop", "sku" (商家编码), "quantity", "num_iid" (optional)}. TOP takes up to 20 SKUs of one item a call,
so a batch (500 figures, made in the order of their items) is grouped by shop and item. Writing the same figure twice is
harmless; writing an old one over a newer one is not, which is why the sink is ABSOLUTE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from connectors.taobao.client import Client
from connectors.taobao.skus import Skus
from duijie.codec import Record
from duijie.connect.errors import DuijieError, Terminal
from duijie.connect.protocol import Done, Figures, Found, Later, Outcome, Refused, Safety, Unknown
from duijie.connect.retry import side_by_side

SKUS_A_CALL = 20
FULL = 1
NO_SUCH_SKU = Refused(
    "taobao:no-such-sku",
    "店铺中没有该商家编码的 SKU, 请在店铺商品上补填商家编码后重放",
    "the shop has no SKU with this outer id; enter it on the shop's item, then replay",
)


class ShopStockSink:
    """Absolute quantities per shop and SKU."""

    name = "shop_stock"
    entity = "shop_stock"
    safety = Safety.ABSOLUTE
    batch = 500

    def __init__(self, client: Client, skus: Skus) -> None:
        self._client = client
        self._skus = skus

    def key_of(self, payload: Record) -> str:
        """shop:商家编码."""
        return self._skus.key(payload["shop"], payload["sku"])

    def figures_of(self, payload: Record) -> Figures:
        """The quantity."""
        return {"quantity": Decimal(payload["quantity"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the shops offer now under these keys."""
        rows = side_by_side(self._skus.by_key, keys)
        return {
            key: Found(str(row["sku_id"]), key, {"quantity": Decimal(row["quantity"])}, row)
            for key, row in zip(keys, rows, strict=True)
            if row
        }

    def write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """One outcome per payload, in order. A refused call is repeated SKU by SKU: one bad code hurts no other."""
        located = side_by_side(self._locate, payloads)
        outcomes: dict[int, Outcome] = {i: found for i, found in enumerate(located) if not isinstance(found, str)}
        groups: dict[tuple[str, str], list[int]] = {}
        for index, found in enumerate(located):
            if isinstance(found, str):
                groups.setdefault((payloads[index]["shop"], found), []).append(index)
        calls = [
            (shop, item, indexes[start : start + SKUS_A_CALL])
            for (shop, item), indexes in groups.items()
            for start in range(0, len(indexes), SKUS_A_CALL)
        ]
        for found_outcomes in side_by_side(lambda call: self._write_item(*call, payloads), calls):
            outcomes |= found_outcomes
        return [outcomes[index] for index in range(len(payloads))]

    def _locate(self, payload: Record) -> str | Outcome:
        """The item of a payload, or why there is none."""
        if payload.get("num_iid"):
            return str(payload["num_iid"])
        try:
            return self._skus.item_of(self.key_of(payload)) or NO_SUCH_SKU
        except Terminal as error:
            return Refused(error.code, error.zh, error.en)
        except DuijieError as error:
            return Later(error.zh, error.en, getattr(error, "retry_after", 5.0))

    def _write_item(self, shop: str, item: str, indexes: list[int], payloads: Sequence[Record]) -> dict[int, Outcome]:
        outcome = self._call(shop, item, [payloads[index] for index in indexes])
        if isinstance(outcome, Refused) and len(indexes) > 1:
            return {i: own for index in indexes for i, own in self._write_item(shop, item, [index], payloads).items()}
        return {index: self._own(outcome, payloads[index]) for index in indexes}

    def _call(self, shop: str, item: str, rows: Sequence[Record]) -> Outcome:
        figures = ";".join(f"{row['sku']}:{row['quantity']}" for row in rows)

        def once() -> Done:
            answer = self._client.write(
                shop, "taobao.skus.quantity.update", num_iid=item, type=FULL, outerid_quantities=figures
            )
            return Done(item, item, answer["item"])

        return self._client.retrier(shop).outcome(once)

    def _own(self, outcome: Outcome, payload: Record) -> Outcome:
        """A call's outcome as one payload's: the receipt names its own SKU."""
        if not isinstance(outcome, Done):
            return outcome
        touched = outcome.raw.get("skus", {}).get("sku", [])
        mine = next((row for row in touched if row.get("outer_id") == payload["sku"]), None)
        if mine is None:
            return Unknown("应答未列出该 SKU, 先回读再决定", "the answer does not list this SKU; it will be read back")
        return Done(str(mine["sku_id"]), self.key_of(payload), mine)
