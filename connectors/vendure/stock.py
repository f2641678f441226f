"""Writes sellable quantities: `updateProductVariants` with the whole figure for one stock location.

A payload is {"shop", "sku", "quantity"}. Vendure sells what is on hand less what is allocated to open orders, so
on-hand is written as quantity + allocated: the shop can then sell exactly `quantity`, and the orders it has taken can
be shipped. An order that comes between our reading and our writing takes from the new figure, as it should. Writing
the same figure twice is harmless; an old one over a newer one is not, which is why the sink is ABSOLUTE.
Source: docs.vendure.io, "Stock Control".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from connectors.vendure.catalogue import by_sku
from connectors.vendure.outcomes import not_sent, settled
from connectors.vendure.shop import Shop
from duijie.codec import Record
from duijie.connect.errors import DataError, DuijieError, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import outcome_of

UPDATE = """mutation setStock($input: [UpdateProductVariantInput!]!) { updateProductVariants(input: $input) {
  id sku stockLevels { stockLocationId stockOnHand stockAllocated } } }"""


class ShopStockSink:
    """Absolute sellable quantities per SKU at the connection's location."""

    name = "shop_stock"
    entity = "shop_stock"
    safety = Safety.ABSOLUTE
    batch = 100

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def key_of(self, payload: Record) -> str:
        """shop:SKU."""
        return f"{payload['shop']}:{payload['sku']}"

    def figures_of(self, payload: Record) -> Figures:
        """The quantity."""
        return {"quantity": Decimal(payload["quantity"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the shop can sell now under these keys."""
        held = by_sku(self._shop.client, [key.removeprefix(f"{self._shop.number}:") for key in keys])
        found = {self._shop.key(sku): self._found(rows[0]) for sku, rows in held.items()}
        return {key: found[key] for key in keys if key in found}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One outcome per payload, in order. A SKU that the shop lacks hurts no other."""
        try:
            held = by_sku(self._shop.client, [payload["sku"] for payload in payloads])
            self._shop.location  # noqa: B018  nothing is sent where it cannot be told
        except DuijieError as error:
            return [not_sent(error)] * len(payloads)
        known = [payload for payload in payloads if payload["sku"] in held]
        written = iter(self._write(known, held))
        return [
            next(written) if payload["sku"] in held else settled("no-such-sku", payload["sku"]) for payload in payloads
        ]

    def _write(self, payloads: Sequence[Record], held: Mapping[str, list[Record]]) -> list[Outcome]:
        """In one call, which is one transaction; when it is refused for the sake of one, in halves."""
        if not payloads:
            return []
        inputs = [self._input(payload, held[payload["sku"]][0]) for payload in payloads]
        try:
            rows = self._shop.client.write(UPDATE, input=inputs)
        except (VendorRejected, DataError) as error:
            if len(payloads) == 1:
                return [outcome_of(error)]
            half = len(payloads) // 2
            return self._write(payloads[:half], held) + self._write(payloads[half:], held)
        except DuijieError as error:
            return [outcome_of(error)] * len(payloads)
        answered = {str(row["id"]): row for row in rows if row}
        return [
            self._receipt(payload, answered.get(given["id"])) for payload, given in zip(payloads, inputs, strict=True)
        ]

    def _input(self, payload: Record, variant: Record) -> Record:
        allocated = self._level(variant).get("stockAllocated", 0)
        level = {"stockLocationId": self._shop.location["id"], "stockOnHand": int(payload["quantity"]) + allocated}
        return {"id": str(variant["id"]), "stockLevels": [level]}

    def _receipt(self, payload: Record, row: Record | None) -> Outcome:
        if row is None:
            return settled("outcome-unknown", payload["sku"])
        return Done(str(row["id"]), self.key_of(payload), row)

    def _found(self, variant: Record) -> Found:
        level = self._level(variant)
        quantity = Decimal(level.get("stockOnHand", 0)) - Decimal(level.get("stockAllocated", 0))
        return Found(str(variant["id"]), self._shop.key(variant["sku"]), {"quantity": quantity}, variant)

    def _level(self, variant: Record) -> Record:
        place = self._shop.location["id"]
        return next((level for level in variant["stockLevels"] if level["stockLocationId"] == place), {})
