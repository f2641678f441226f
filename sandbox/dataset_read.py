"""Chooses the day's baskets out of the year, exactly, in SQL.

A web order is short, so baskets of 1 to 6 lines. The stores are those with the most baskets of the year. Money is cast
to DECIMAL inside the query: no float ever reaches Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

RATE = 7  # CNY for one unit of the data's money
WEEKS = (10, 25)
MOST_LINES = 6
LONGEST = 20  # for baskets with an unlisted product: they are rare
MOST_UNITS = 20  # above it is a pump or a scale, not a parcel
GOOD = 2180
ZERO_QUANTITY = 14
NO_PRODUCT = 10
NOT_GOODS = ("FUEL", "COUPON")
NOT_GOODS_CATEGORY = "COUPON/MISC ITEMS"

_STORES = """
SELECT store_id FROM read_parquet($transactions) GROUP BY store_id
ORDER BY count(DISTINCT basket_id) DESC, store_id LIMIT $stores
"""

_LINES = """
WITH line AS (
    SELECT t.basket_id, t.store_id, t.household_id, t.product_id, t.quantity, t.week,
        CAST(t.sales_value AS DECIMAL(18, 2)) * $rate AS amount,
        CAST(t.retail_disc AS DECIMAL(18, 2)) * $rate AS saved,
        p.product_id IS NULL AS unknown,
        p.department, p.product_category, p.product_type, p.package_size, p.brand
    FROM read_parquet($transactions) t LEFT JOIN read_parquet($products) p USING (product_id)
    WHERE t.store_id IN (SELECT unnest($chosen))
), basket AS (
    SELECT basket_id, min(week) AS week,
        bool_or(quantity > $most_units OR (quantity > 0 AND amount <= 0)
            OR coalesce(department IN (SELECT unnest($not_goods)), false)
            OR coalesce(product_category = $not_category, false)) AS unfit,
        bool_or(quantity <= 0) AS zero,
        bool_or(unknown AND quantity > 0) AS unlisted,
        bool_or(quantity > 0 AND amount > 0) AS payable
    FROM line GROUP BY basket_id
    HAVING count(*) <= CASE WHEN bool_or(unknown AND quantity > 0) THEN $longest ELSE $most_lines END
), sorted AS (
    SELECT basket_id, CASE WHEN unlisted THEN 'unlisted' WHEN zero THEN 'zero' ELSE 'good' END AS kind, week
    FROM basket WHERE NOT unfit AND payable AND NOT (zero AND unlisted)
), ranked AS (
    SELECT basket_id, kind, row_number() OVER (PARTITION BY kind ORDER BY basket_id) AS place
    FROM sorted WHERE kind = 'unlisted' OR week BETWEEN $first_week AND $last_week
)
SELECT basket_id, kind, store_id, household_id, product_id, quantity, amount, saved, unknown,
    department, product_category, product_type, package_size, brand
FROM line JOIN ranked USING (basket_id)
WHERE place <= CASE kind WHEN 'good' THEN $good WHEN 'zero' THEN $zero ELSE $unlisted END
ORDER BY basket_id, product_id
"""


@dataclass(frozen=True)
class Row:
    """One basket line; `amount` (paid) and `saved` (given away on the shelf) are CNY."""

    basket_id: int
    kind: str
    store_id: int
    household_id: int
    product_id: int
    quantity: int
    amount: Decimal
    saved: Decimal
    unknown: bool
    department: str | None
    category: str | None
    type: str | None
    size: str | None
    brand: str | None

    @property
    def sku(self) -> str:
        """The product's code in shops and PSI system alike."""
        return str(self.product_id)


def draw(*parts: object) -> int:
    """A repeatable number from 0 to 9999 for these parts: the loader's only dice."""
    text = ":".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 10_000


def read_day(folder: Path, stores: int) -> tuple[Sequence[int], list[Row]]:
    """The biggest stores, biggest first, and the lines of the chosen baskets in order. Raises duckdb.Error."""
    transactions, products = str(folder / "transactions.parquet"), str(folder / "products.parquet")
    with duckdb.connect(":memory:") as database:
        found = database.execute(_STORES, {"transactions": transactions, "stores": stores}).fetchall()
        chosen = [int(store) for (store,) in found]
        asked: dict[str, Any] = {
            "transactions": transactions,
            "products": products,
            "chosen": chosen,
            "rate": RATE,
            "most_units": MOST_UNITS,
            "most_lines": MOST_LINES,
            "longest": LONGEST,
            "not_goods": list(NOT_GOODS),
            "not_category": NOT_GOODS_CATEGORY,
            "first_week": WEEKS[0],
            "last_week": WEEKS[1],
            "good": GOOD,
            "zero": ZERO_QUANTITY,
            "unlisted": NO_PRODUCT,
        }
        return chosen, [Row(*row) for row in database.execute(_LINES, asked).fetchall()]
