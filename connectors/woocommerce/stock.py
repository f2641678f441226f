"""Writes sellable quantities: `manage_stock` and `stock_quantity`, the whole figure.

Sources: WooCommerce REST API docs, "Batch update products" and "Batch update product variations" (wc/v3): at most 100 a
call, each row answered by itself. A payload is {"sku", "quantity", "item" (optional: "id" or "product:variation")}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.woocommerce.catalogue import STOCK_FIELDS, Catalogue, item_of
from connectors.woocommerce.client import Client, error_for, not_begun
from connectors.woocommerce.pages import portions
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Done, Figures, Found, Outcome, Refused, Safety, Unknown
from duijie.connect.retry import outcome_of, side_by_side

A_CALL = 100
ADDRESS = re.compile(r"(?:[0-9]{1,19}:)?[0-9]{1,19}")
NO_SUCH_SKU = Refused(
    "woocommerce:no-such-sku",
    "店铺中没有该 SKU, 请在店铺商品或规格上补填 SKU 后重放",
    "the shop has nothing with this SKU; enter it on the product or variation, then replay",
)


class ShopStockSink:
    """Absolute quantities by SKU."""

    name = "shop_stock"
    entity = "shop_stock"
    safety = Safety.ABSOLUTE
    batch = 500

    def __init__(self, client: Client, catalogue: Catalogue, workers: int) -> None:
        self._client, self._catalogue, self._workers = client, catalogue, workers

    def key_of(self, payload: Record) -> str:
        """The SKU."""
        return str(payload["sku"])

    def figures_of(self, payload: Record) -> Figures:
        """The quantity."""
        return {"quantity": Decimal(payload["quantity"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the shop offers now; no figure where it does not count the stock of a SKU."""
        rows = self._catalogue.by_sku(keys, STOCK_FIELDS)
        return {key: Found(item_of(row), key, figures_of(row), row) for key, row in rows.items()}

    def write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """One outcome per payload, in order."""
        items = self._items(payloads)
        outcomes: dict[int, Outcome] = {at: found for at, found in enumerate(items) if not isinstance(found, str)}
        calls = list(_calls(items))
        for some in side_by_side(lambda call: self._call(*call, payloads), calls, self._workers):
            outcomes |= some
        return [outcomes[at] for at in range(len(payloads))]

    def _items(self, payloads: Sequence[Record]) -> list[str | Outcome]:
        """The address of each payload, or why there is none."""
        items = [str(payload.get("item") or "") for payload in payloads]
        unplaced = [str(payload["sku"]) for payload, item in zip(payloads, items, strict=True) if not _is_address(item)]
        why: Outcome = NO_SUCH_SKU
        try:
            rows = self._catalogue.by_sku(unplaced, STOCK_FIELDS)
        except DuijieError as error:
            rows, why = {}, not_begun(error)
        found = {sku: item_of(row) for sku, row in rows.items()}
        return [
            item if _is_address(item) else found.get(str(payload["sku"]), why)
            for payload, item in zip(payloads, items, strict=True)
        ]

    def _call(self, path: str, places: Mapping[int, int], payloads: Sequence[Record]) -> dict[int, Outcome]:
        """`places`: index of a payload → id of its product or variation."""
        rows = [
            {"id": number, "manage_stock": True, "stock_quantity": payloads[at]["quantity"]}
            for at, number in places.items()
        ]
        once = partial(self._client.write, "POST", path, {"update": rows})
        said = self._client.retrier.outcome(lambda: Done(path, path, once()))
        if not isinstance(said, Done):
            return dict.fromkeys(places, said)
        answered = {row.get("id"): row for row in said.raw.get("update") or []}
        return {at: _own(answered.get(number), str(payloads[at]["sku"])) for at, number in places.items()}


def figures_of(row: Record) -> Figures:
    """The quantity of a row, where the shop counts it."""
    quantity = row.get("stock_quantity")
    return {"quantity": Decimal(quantity)} if row.get("manage_stock") and quantity is not None else {}


def _calls(items: Sequence[str | Outcome]) -> Iterator[tuple[str, dict[int, int]]]:
    """Path and rows of each call: products together, variations by their product."""
    groups: dict[str, dict[int, int]] = {}
    for at, item in enumerate(items):
        if isinstance(item, str):
            parent, _, number = item.rpartition(":")
            path = f"products/{parent}/variations/batch" if parent else "products/batch"
            groups.setdefault(path, {})[at] = int(number)
    for path, places in groups.items():
        for some in portions(list(places.items()), A_CALL):
            yield path, dict(some)


def _is_address(item: str) -> bool:
    return ADDRESS.fullmatch(item) is not None


def _own(row: Record | None, sku: str) -> Outcome:
    """A row of the answer as the outcome of its payload."""
    if row is None:
        return Unknown("应答未列出该商品, 先回读再决定", "the answer does not list this product; it will be read back")
    if isinstance(row.get("error"), dict) and "code" in row["error"]:
        return outcome_of(error_for(row["error"], sku))
    return Done(str(row["id"]), sku, row)
