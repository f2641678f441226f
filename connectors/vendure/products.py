"""Puts products of the PSI system on sale: one Vendure product with one variant per SKU.

That takes two calls, and Vendure keeps no SKU unique: a SKU is looked up before it is written, and a product without
variants that an interrupted write left (known by its slug, which is made of the SKU) is taken up, not made again.
Source: docs.vendure.io, "Products".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from connectors.vendure.catalogue import FIELDS, by_sku
from connectors.vendure.client import ERRORS
from connectors.vendure.lists import pages
from connectors.vendure.outcomes import each, each_of
from connectors.vendure.shop import Shop
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety

NUMBERED = 100
PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
BY_SLUG = """query products($options: ProductListOptions) { products(options: $options) { totalItems
  items { id name slug variants { id } } } }"""
FAMILY = "query family($id: ID!) { productVariant(id: $id) { id product { id variants { id } } } }"
ADD_PRODUCT = "mutation addProduct($input: CreateProductInput!) { createProduct(input: $input) { id slug } }"
ADD_VARIANT = f"""mutation addVariant($input: [CreateProductVariantInput!]!) {{ createProductVariants(input: $input) {{
  {FIELDS} }} }}"""
CHANGE_PRODUCT = "mutation changeProduct($input: UpdateProductInput!) { updateProduct(input: $input) { id } }"
CHANGE_VARIANT = f"""mutation changeVariant($input: UpdateProductVariantInput!) {{
  updateProductVariant(input: $input) {{ {FIELDS} }} }}"""


class ProductSink:
    """Variants by SKU. A payload is {"sku", "name", "tax_rate" (percent), "price" (minor units), "enabled"}.

    Without a price the variant is made, but not put on sale: Vendure would give it away.
    """

    name = "product"
    entity = "product"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def key_of(self, payload: Record) -> str:
        """The SKU."""
        return str(payload["sku"])

    def figures_of(self, payload: Record) -> Figures:
        """The price in minor units, tax included; 0 without one."""
        return {"price": Decimal(payload.get("price") or 0)}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By SKU; of several the oldest counts, `raw.copies` says how many there are."""
        held = by_sku(self._shop.client, keys)
        return {
            sku: Found(
                str(rows[0]["id"]), sku, {"price": Decimal(rows[0]["priceWithTax"])}, {**rows[0], "copies": len(rows)}
            )
            for sku, rows in held.items()
        }

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One product with one variant each."""
        return each(self._shop.client, self._create, payloads)

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Make each variant what its payload says; a product that has no other takes the name as well."""
        return each_of(self._shop.client, self._update, payloads, native_ids)

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Take variants off sale; they are never deleted."""
        return each_of(self._shop.client, self._disable, payloads, native_ids)

    def _create(self, payload: Record, _: str) -> Done:
        variant = self._variant(payload)
        product = self._half_made(payload) or str(
            self._shop.client.write(ADD_PRODUCT, input=self._product(payload))["id"]
        )
        rows = self._shop.client.write(ADD_VARIANT, input=[{"productId": product, "sku": payload["sku"], **variant}])
        if not rows or rows[0] is None:
            raise ERRORS.error("outcome-unknown", payload["sku"], where=payload["sku"])
        return _done(rows[0])

    def _update(self, payload: Record, native_id: str) -> Done:
        client = self._shop.client
        family = client.read(FAMILY, id=native_id).get("productVariant")
        if family is None:
            raise ERRORS.error("no-such-sku", payload["sku"], where=native_id)
        if len(family["product"]["variants"]) == 1:
            names = [{"languageCode": self._language, "name": payload["name"]}]
            client.write(CHANGE_PRODUCT, input={"id": family["product"]["id"], "translations": names})
        return _done(client.write(CHANGE_VARIANT, input={"id": native_id, **self._variant(payload)}))

    def _disable(self, _: Record, native_id: str) -> Done:
        return _done(self._shop.client.write(CHANGE_VARIANT, input={"id": native_id, "enabled": False}))

    @property
    def _language(self) -> str:
        return str(self._shop.channel["defaultLanguageCode"])

    def _product(self, payload: Record) -> Record:
        names = {"name": payload["name"], "slug": slug_of(payload["sku"]), "description": ""}
        return {"enabled": True, "translations": [{"languageCode": self._language, **names}]}

    def _variant(self, payload: Record) -> Record:
        """The variant's own fields. Raises VendorRejected for a rate without a tax category, ConfigError for prices."""
        self._shop.require_yuan_with_tax()
        category = self._shop.categories.get(Decimal(payload["tax_rate"]))
        if category is None:
            raise ERRORS.error("no-tax-category", str(payload["tax_rate"]), where=payload["sku"])
        price = payload.get("price")
        return {
            "enabled": bool(payload["enabled"]) and price is not None,
            "taxCategoryId": category,
            "translations": [{"languageCode": self._language, "name": payload["name"]}],
            **({} if price is None else {"price": int(price)}),
        }

    def _half_made(self, payload: Record) -> str | None:
        """The id of the product that an interrupted write left without a variant.

        A slug is unique in the whole server: where another channel has it, Vendure has added a number.
        """
        slug = slug_of(payload["sku"])
        slugs = [slug, *(f"{slug}-{number}" for number in range(2, NUMBERED))]
        for rows in pages(self._shop.client, BY_SLUG, "products", {"slug": {"in": slugs}}):
            for row in rows:
                if not row["variants"] and row["name"] == payload["name"]:
                    return str(row["id"])
        return None


def slug_of(sku: str) -> str:
    """The SKU in lower case where it is plain, else a digest of it: Vendure would rewrite anything else."""
    plain = sku.lower()
    return plain if PLAIN.fullmatch(plain) else f"sku-{hashlib.sha256(sku.encode()).hexdigest()[:16]}"


def _done(variant: Record) -> Done:
    return Done(str(variant["id"]), str(variant["sku"]), variant)
