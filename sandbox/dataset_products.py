"""The products of the day: names, VAT classes, material list, opening stock, and the shops' items.

VAT rates follow 增值税法 第十条: 9 % for agricultural products, edible oil and salt, books, newspapers and magazines;
6 % for services (photo finishing, 冲印); 13 % for all other goods, processed food included. The 税收分类编码 have the
official form (19 digits) and chapter but are samples: the official table is not redistributed here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.dataset_read import Row, draw

CENT = Decimal("0.01")
SKUS_AN_ITEM = 20
DRIFTED = 50  # one figure of so many was changed by hand in the shop
SCARCE = 200  # of 10,000 SKUs open with less than the day's orders need


@dataclass(frozen=True)
class TaxClass:
    """A rate in percent and the 税收分类编码 that goes with it."""

    percent: int
    code: str


FRESH = TaxClass(9, "1010115990000000000")
MEAT = TaxClass(9, "1010301990000000000")
STAPLE = TaxClass(9, "1030101990000000000")
PRINT = TaxClass(9, "1060105990000000000")
FOOD = TaxClass(13, "1030299990000000000")
DRINK = TaxClass(13, "1030307990000000000")
CARE = TaxClass(13, "1070223990000000000")
GOODS = TaxClass(13, "1060599990000000000")
SERVICE = TaxClass(6, "3070699990000000000")

_BY_CATEGORY: dict[str, TaxClass] = {
    **dict.fromkeys(("IN-STORE PHOTOFINISHING", "OVERNIGHT PHOTOFINISHING"), SERVICE),
    **dict.fromkeys(("MAGAZINE", "NEWSPAPER", "BOOKSTORE"), PRINT),
    **dict.fromkeys(
        ("EGGS", "FLUID MILK PRODUCTS", "SHORTENING/OIL", "FLOUR & MEALS", "DRY BN/VEG/POTATO/RICE", "DRIED FRUIT"),
        STAPLE,
    ),
    **dict.fromkeys(("SOFT DRINKS", "BEERS/ALES", "DOMESTIC WINE", "IMPORTED WINE", "MISC WINE", "LIQUOR"), DRINK),
    **dict.fromkeys(("CANNED JUICES", "ISOTONIC DRINKS", "WATER", "COFFEE", "TEAS", "REFRGRATD JUICES/DRNKS"), DRINK),
}
_DEPARTMENTS: dict[str, tuple[str, TaxClass]] = {
    "GROCERY": ("食品杂货", FOOD),
    "FROZEN GROCERY": ("冷冻食品", FOOD),
    "NUTRITION": ("营养健康", FOOD),
    "PRODUCE": ("蔬果", FRESH),
    "SALAD BAR": ("蔬果", FRESH),
    "FLORAL": ("花卉", FRESH),
    "GARDEN CENTER": ("园艺", FRESH),
    "MEAT": ("鲜肉", MEAT),
    "MEAT-PCKGD": ("包装肉", FOOD),
    "SEAFOOD": ("水产", MEAT),
    "SEAFOOD-PCKGD": ("包装水产", FOOD),
    "DELI": ("熟食", FOOD),
    "CHEF SHOPPE": ("熟食", FOOD),
    "RESTAURANT": ("熟食", FOOD),
    "PASTRY": ("烘焙", FOOD),
    "SPIRITS": ("酒类", DRINK),
    "COSMETICS": ("美妆", CARE),
    "DRUG GM": ("日用百货", GOODS),
    "TRAVEL & LEISURE": ("文体休闲", GOODS),
}
OTHER = ("综合", GOODS)


def tax_class(row: Row) -> TaxClass:
    """The VAT class of a product: by category where one is named, else by department."""
    return _BY_CATEGORY.get(row.category or "", _DEPARTMENTS.get(row.department or "", OTHER)[1])


def department(row: Row) -> str:
    """The Chinese word for the product's department."""
    return _DEPARTMENTS.get(row.department or "", OTHER)[0]


def title(row: Row) -> str:
    """Chinese department and the data's own description; a product missing from the product table has only its code."""
    if row.unknown:
        return f"商品 {row.sku}"
    words = (row.type or row.category or "ITEM").split("(")[0].strip().title()
    return f"{department(row)} {words} {row.sku}"


def shelf_price(row: Row) -> Decimal:
    """CNY for one piece before any discount, half-up to cents."""
    return ((row.amount + row.saved) / max(row.quantity, 1)).quantize(CENT, ROUND_HALF_UP)


class Catalogue:
    """The distinct products of the chosen lines."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._products = {row.sku: row for row in rows}
        self._sold = Counter[str]()
        for row in rows:
            self._sold[row.sku] += max(row.quantity, 0)

    def rarest(self, trades: Sequence[Mapping[str, Any]]) -> str:
        """The SKU to leave out of the material list: known, sold in one finished order of several good lines."""
        orders: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for trade in trades:
            for line in trade.get("orders", {}).get("order", []):
                orders[line["outer_sku_id"]].append(trade)
        return min(sku for sku, found in orders.items() if len(found) == 1 and self._may_go(sku, found[0]))

    def _may_go(self, sku: str, trade: Mapping[str, Any]) -> bool:
        lines = trade["orders"]["order"]
        plain = all(line["num"] > 0 and line["refund_status"] == "NO_REFUND" for line in lines)
        known = not any(self._products[line["outer_sku_id"]].unknown for line in lines)
        return trade["status"] == "TRADE_FINISHED" and len(lines) > 1 and plain and known and self._sold[sku] == 1

    def materials(self, left_out: str) -> list[dict[str, Any]]:
        """The PSI system's material list: every product but those missing in the data and the one left out."""
        return [_material(row) for sku, row in sorted(self._products.items()) if sku != left_out and not row.unknown]

    def opening_stock(self, left_out: str) -> dict[str, int]:
        """Whole pieces by SKU: plenty for the day, but for a few scarce ones that are short by a piece."""
        listed = [sku for sku, row in sorted(self._products.items()) if sku != left_out and not row.unknown]
        return {sku: self._opening(sku) for sku in listed}

    def _opening(self, sku: str) -> int:
        sold, dice = self._sold[sku], draw("stock", sku)
        return max(sold - 1, 0) if dice < SCARCE else 2 * sold + 20 + dice % 80

    def items(self, shops: Mapping[int, str], rows: Sequence[Row], day: date) -> list[dict[str, Any]]:
        """Every shop's items: one per category (at most 20 SKUs each), listed before the day began."""
        grouped: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
        for row in rows:
            grouped[shops[row.store_id], row.category or row.department or "OTHER"][row.sku] = row
        shown = self._shown(grouped)
        items: list[dict[str, Any]] = []
        for (shop, category), found in sorted(grouped.items()):
            ordered = [found[sku] for sku in sorted(found)]
            for start in range(0, len(ordered), SKUS_AN_ITEM):
                chosen = [(row, shown[shop, row.sku]) for row in ordered[start : start + SKUS_AN_ITEM]]
                items.append(_item(shop, category, len(items), chosen, day))
        return items

    def _shown(self, grouped: Mapping[tuple[str, str], Mapping[str, Row]]) -> dict[tuple[str, str], int]:
        """What each shop shows in the morning: the opening stock shared out evenly, a few figures changed by hand."""
        sellers: dict[str, list[str]] = defaultdict(list)
        for (shop, _), found in sorted(grouped.items()):
            for sku, row in found.items():
                if not row.unknown:
                    sellers[sku].append(shop)
        shown: dict[tuple[str, str], int] = defaultdict(int)
        for sku, shops in sellers.items():
            share, rest = divmod(self._opening(sku), len(shops))
            for place, shop in enumerate(sorted(shops)):
                by_hand = draw("drift", shop, sku) % DRIFTED == 0
                shown[shop, sku] = share + (place < rest) + 3 * by_hand
        return shown


def num_iid(shop: str, number: int) -> int:
    """A 12-digit item id."""
    return 600_000_000_000 + int(shop[1:]) * 1_000_000_000 + number


def _item(shop: str, category: str, number: int, rows: Sequence[tuple[Row, int]], day: date) -> dict[str, Any]:
    own = num_iid(shop, number)
    listed = f"{day.replace(month=1, day=1)} {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
    skus = [
        {
            "sku_id": own * 100 + place,
            "outer_id": row.sku,
            "quantity": shown,
            "price": f"{shelf_price(row)}",
            "modified": listed,
        }
        for place, (row, shown) in enumerate(rows)
    ]
    name = f"{department(rows[0][0])} {category.title()}"
    return {"shop": shop, "num_iid": own, "title": name, "list_time": listed, "modified": listed, "skus": skus}


def _material(row: Row) -> dict[str, Any]:
    taxed = tax_class(row)
    return {
        "number": row.sku,
        "name": title(row),
        "model": row.size or "",
        "unit": "件",
        "category": department(row),
        "tax_rate": taxed.percent,
        "tax_class_code": taxed.code,
        "barcode": gtin13(row.product_id),
    }


def gtin13(product_id: int) -> str:
    """A made-up barcode: 690, nine digits of the product id, GS1 check digit."""
    body = f"690{product_id % 1_000_000_000:09d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"
