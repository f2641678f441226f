"""zen-engine: one compiled expression in its own language; exact decimals inside, floats when they come out."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import zen

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.orders import CUSTOMERS, STORES
from benchmarks.mapping.peers.fen import PRODUCTS
from benchmarks.mapping.timing import each
from duijie.codec import Record


def build() -> Contender:
    """A table is converted with every call, so only the rows that an order needs are handed in."""
    evaluate = zen.compile_expression(Path(__file__).with_name("order.zen").read_text(encoding="utf-8")).evaluate

    def one(order: Record) -> Any:
        skus = [line["sku_code"] or line["item_code"] for line in order["orders"]]
        tables = {
            "customers": {order["shop"]: CUSTOMERS[order["shop"]]},
            "warehouses": {order["warehouse"]: STORES[order["warehouse"]]},
            "products": {sku: PRODUCTS[sku] for sku in skus},
        }
        return evaluate({**order, **tables})

    note = "only the table rows an order needs are passed in; every number comes out as a float; field order is lost"
    return Contender("zen", version("zen-engine"), each(one), one, note=note)
