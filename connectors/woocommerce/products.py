"""Writes products by SKU; the shop refuses a second one with the same SKU.

Source: WooCommerce REST API docs, "Create a product", "Update a product" (wc/v3). A payload is {"sku", "name",
"regular_price" (text), "status" (optional)}. A new product is a draft with no stock until a person adds pictures and
publishes it; an update touches only what the payload names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from connectors.woocommerce.catalogue import PRODUCT_FIELDS, Catalogue, item_of
from connectors.woocommerce.client import Client
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

NEW: Record = {"type": "simple", "status": "draft", "manage_stock": True, "stock_quantity": 0}


class ProductSink:
    """Products by SKU."""

    name = "product"
    entity = "product"
    safety = Safety.NATURAL_KEY
    batch = 20

    def __init__(self, client: Client, catalogue: Catalogue, workers: int) -> None:
        self._client, self._catalogue, self._workers = client, catalogue, workers

    def key_of(self, payload: Record) -> str:
        """The SKU."""
        return str(payload["sku"])

    def figures_of(self, payload: Record) -> Figures:
        """The regular price; none counts as 0."""
        return {"price": Decimal(payload.get("regular_price") or 0)}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Products and variations under these SKUs."""
        rows = self._catalogue.by_sku(keys, PRODUCT_FIELDS)
        return {key: Found(item_of(row), key, self.figures_of(row), row) for key, row in rows.items()}

    def write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """Create each; one outcome per payload, in order."""
        return side_by_side(lambda made: self._send("POST", "products", {**NEW, **made}), payloads, self._workers)

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> list[Outcome]:
        """Name, price and status of what is there; a variation has no name of its own."""
        calls = list(zip(payloads, native_ids, strict=True))
        return side_by_side(lambda call: self._update(*call), calls, self._workers)

    def _update(self, payload: Record, native_id: str) -> Outcome:
        parent, _, number = native_id.rpartition(":")
        if not parent:
            return self._send("PUT", f"products/{number}", payload)
        own = {name: value for name, value in payload.items() if name != "name"}
        return self._send("PUT", f"products/{parent}/variations/{number}", own)

    def _send(self, method: str, path: str, payload: Record) -> Outcome:
        sku = self.key_of(payload)

        def once() -> Done:
            row = self._client.write(method, path, payload)
            return Done(_address(path, row), sku, row)

        return self._client.retrier.outcome(once)


def _address(path: str, row: Record) -> str:
    """How to reach it again; a variation's own answer need not name its product."""
    parts = path.split("/")
    return f"{parts[1]}:{row['id']}" if "variations" in parts else str(row["id"])
