"""What the site sells, SKU by SKU: single products, and the variations of variable ones.

Sources: WooCommerce REST API docs, "Products" and "Product variations" (wc/v3). A change of a variation does not always
change its product, so the whole catalogue is read every time; `duijie.pull` keeps what differs. The parameter `sku`
finds products and variations alike and takes several, parted by commas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from connectors.woocommerce.client import Client
from connectors.woocommerce.pages import PAGE_SIZE, ahead, backward, portions
from duijie.codec import Record
from duijie.connect.protocol import Page, Window

STOCK_FIELDS = "id,type,parent_id,sku,manage_stock,stock_quantity,stock_status"
PRODUCT_FIELDS = (
    "id,type,parent_id,name,status,sku,global_unique_id,price,regular_price,tax_class,categories,date_modified_gmt"
)
PARENT_FIELDS = ("id", "name", "status", "tax_class", "categories")
OF_VARIATIONS = ("variable", "variable-subscription")
NOT_SOLD = (*OF_VARIATIONS, "grouped", "external")


class Catalogue:
    """Finds SKUs in the site."""

    def __init__(self, client: Client, workers: int) -> None:
        self._client, self._workers = client, workers

    def pages(self, fields: str) -> Iterator[list[Record]]:
        """Everything that is sold, with the parent's part of it where it is a variation."""
        for answer in backward(self._client, "products", orderby="id", order="asc", _fields=_with_parents(fields)):
            families = [row for row in answer.rows if row["type"] in OF_VARIATIONS]
            rows = [row for row in answer.rows if row["type"] not in NOT_SOLD]
            for some in ahead(lambda parent: self._variations(parent, fields), families, self._workers):
                rows += some
            yield rows

    def by_sku(self, skus: Sequence[str], fields: str) -> dict[str, Record]:
        """What the site has under these SKUs; it does not tell capitals from small letters."""
        found: dict[str, Record] = {}
        single = [sku for sku in skus if "," in sku]
        several = [sku for sku in skus if sku and "," not in sku]
        for some in (*portions(several), *([sku] for sku in single)):
            answer = self._client.page(
                "products", sku=",".join(some), per_page=PAGE_SIZE, _fields=_with_parents(fields)
            )
            found |= {row["sku"].casefold(): row for row in answer.rows if row["type"] not in NOT_SOLD}
        return {sku: found[sku.casefold()] for sku in skus if sku.casefold() in found}

    def with_parents(self, rows: Sequence[Record]) -> list[Record]:
        """The rows, the variations among them with their parents' part."""
        ids = sorted({str(row["parent_id"]) for row in rows if row["type"] == "variation"})
        asked = ",".join(PARENT_FIELDS)
        lists = (
            self._client.page("products", include=",".join(some), per_page=PAGE_SIZE, _fields=asked).rows
            for some in portions(ids)
        )
        parents = {row["id"]: row for some in lists for row in some}
        return [_of_parent(row, parents.get(row["parent_id"])) for row in rows]

    def _variations(self, parent: Record, fields: str) -> list[Record]:
        pages = backward(self._client, f"products/{parent['id']}/variations", orderby="id", order="asc", _fields=fields)
        found = {row["id"]: row for answer in pages for row in answer.rows}
        return [_of_parent({"type": "variation", **row, "parent_id": parent["id"]}, parent) for row in found.values()]


def item_of(row: Record) -> str:
    """How a product or a variation is addressed: its id, or "product:variation"."""
    return f"{row['parent_id']}:{row['id']}" if row["type"] == "variation" else str(row["id"])


def _with_parents(fields: str) -> str:
    return ",".join(dict.fromkeys((*fields.split(","), *PARENT_FIELDS)))


def _of_parent(row: Record, parent: Mapping[str, object] | None) -> Record:
    return {**row, "parent": {name: parent.get(name) for name in PARENT_FIELDS}} if parent else row


class CatalogueStream:
    """One record per SKU with the added fields `shop`, `item` (its address) and, of a variation, `parent`."""

    key = "sku"

    def __init__(self, name: str, fields: str, catalogue: Catalogue, shop: str) -> None:
        self.name = self.entity = name
        self._fields, self._catalogue, self._shop = fields, catalogue, shop

    def partitions(self) -> Sequence[str]:
        """One site is one shop."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """All there is (the times of the window do not matter), or exactly `window.keys`. Raises errors of the tree."""
        if not window.keys:
            yield from (Page(self._of_shop(rows)) for rows in self._catalogue.pages(self._fields))
            return
        found = self._catalogue.by_sku(window.keys, self._fields)
        exact = [row for key, row in found.items() if row["sku"] == key and row["type"] not in NOT_SOLD]
        yield Page(self._of_shop(self._catalogue.with_parents(exact)))

    def _of_shop(self, rows: Sequence[Record]) -> list[Record]:
        return [{**row, "shop": self._shop, "item": item_of(row)} for row in rows]
