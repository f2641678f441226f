"""店铺可售数: what each shop may sell of what the PSI system has available.

A SKU's figure is ⌊max(0, Σ available over warehouses) − safety⌋, never rounded up (rounding up oversells), split over
the shops that list it; what cannot be split evenly goes to the first shops in order, so that the shops together show
exactly what there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, Decimal

from duijie.codec import Record


def available(levels: Iterable[Record], safety: int = 0) -> dict[str, int]:
    """Whole units that may be sold by SKU; a warehouse below zero counts as empty."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for level in levels:
        totals[level["sku"]] += max(Decimal(level["available"]), Decimal(0))
    return {sku: max(0, int(total.to_integral_value(ROUND_FLOOR)) - safety) for sku, total in totals.items()}


def shop_figures(listings: Iterable[Record], levels: Iterable[Record], safety: int = 0) -> list[Record]:
    """One shop_stock document per listing, item by item; `shown` is what the shop shows now."""
    totals = available(levels, safety)
    by_sku: dict[str, list[Record]] = defaultdict(list)
    for listing in sorted(listings, key=lambda one: str(one["key"])):
        by_sku[listing["sku"]].append(listing)
    figures = [
        {
            "key": one["key"],
            "shop": one["shop"],
            "sku": sku,
            "item": one["item"],
            "quantity": quantity,
            "shown": one["quantity"],
        }
        for sku, sold_by in by_sku.items()
        for one, quantity in zip(sold_by, split(totals.get(sku, 0), len(sold_by)), strict=True)
    ]
    return sorted(figures, key=lambda one: (one["shop"], one["item"], one["sku"]))


def to_push(figures: Iterable[Record], planned: Mapping[str, int]) -> list[Record]:
    """The figures worth a call: the shop shows another one, or an older one of ours is still on its way.

    `planned`: key → quantity of our newest figure.
    """
    return [
        one
        for one in figures
        if one["quantity"] != one["shown"] or planned.get(one["key"], one["quantity"]) != one["quantity"]
    ]


def split(total: int, shops: int) -> list[int]:
    """Equal whole shares, the remainder one each to the first."""
    share, rest = divmod(total, shops)
    return [share + (position < rest) for position in range(shops)]
