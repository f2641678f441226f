"""What the channel sells: product variants as products, as listings with the figure on sale, and as stock per location.

All three read every variant whatever the window: a stock level, a tax rate or a product's name changes without the
variant's `updatedAt`. The journal drops what is as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from connectors.vendure.client import Client
from connectors.vendure.lists import pages, with_keys
from connectors.vendure.shop import Shop
from duijie.codec import Record
from duijie.connect.protocol import Page, Window

FIELDS = """id sku name enabled createdAt updatedAt currencyCode priceWithTax trackInventory taxRateApplied { value }
  options { code name group { code name } } product { id name slug enabled updatedAt }
  stockLevels { stockLocationId stockOnHand stockAllocated stockLocation { name } }"""
VARIANTS = f"""query variants($options: ProductVariantListOptions) {{ productVariants(options: $options) {{ totalItems
  items {{ {FIELDS} }} }} }}"""


class ProductStream:
    """Variants as master data, without their stock. `key` is the SKU."""

    name = "product"
    entity = "product"
    key = "sku"

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def partitions(self) -> Iterable[str]:
        """One channel per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Every variant, or those with the window's SKUs."""
        self._shop.channel  # noqa: B018  refuses a server whose amounts we would misread
        for rows in variants(self._shop.client, window.keys):
            yield Page([{name: value for name, value in row.items() if name != "stockLevels"} for row in rows])


class ListingStream:
    """Variants with the stock of the location that the connection sells from.

    Added to each: `shop`, `shop_sku` ("shop:SKU", the key) and `location`, the id of that location.
    """

    name = "stock"
    entity = "listing"
    key = "shop_sku"

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def partitions(self) -> Iterable[str]:
        """One channel per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Every variant, or those with the window's keys."""
        shop, place = self._shop, self._shop.location["id"]
        skus = [key.removeprefix(f"{shop.number}:") for key in window.keys]
        for rows in variants(shop.client, skus):
            yield Page(
                [{**row, "shop": shop.number, "shop_sku": shop.key(row["sku"]), "location": place} for row in rows]
            )


class StockLevelStream:
    """One record per variant and location. `key` is "SKU@location"; figures are whole units."""

    name = "stock_level"
    entity = "stock_level"
    key = "key"

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def partitions(self) -> Iterable[str]:
        """One channel per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Every level, or those with the window's keys."""
        skus = list(dict.fromkeys(key.rpartition("@")[0] for key in window.keys))
        for rows in variants(self._shop.client, skus):
            levels = [level for row in rows for level in _levels(row)]
            yield Page([level for level in levels if not window.keys or level["key"] in window.keys])


def variants(client: Client, skus: Sequence[str] = ()) -> Iterator[list[Record]]:
    """Pages of all variants, or those with these SKUs."""
    if skus:
        yield list(with_keys(client, VARIANTS, "productVariants", "sku", skus))
    else:
        yield from pages(client, VARIANTS, "productVariants", {})


def by_sku(client: Client, skus: Sequence[str]) -> dict[str, list[Record]]:
    """SKU → the variants that have it, oldest first: Vendure keeps no SKU unique."""
    found: dict[str, list[Record]] = {}
    for rows in variants(client, skus) if skus else ():
        for row in rows:
            found.setdefault(row["sku"], []).append(row)
    return found


def _levels(variant: Record) -> Iterator[Record]:
    for level in variant["stockLevels"]:
        place = level["stockLocation"]["name"]
        known = {name: variant[name] for name in ("id", "sku", "name")}
        yield {**known, **level, "key": f"{variant['sku']}@{place}", "location": place}
