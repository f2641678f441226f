"""WooCommerce's own Python client against the address it is given; prints what each step was answered."""

from __future__ import annotations

import json
import sys
from typing import Any

import woocommerce.api
from woocommerce import API
from woocommerce.oauth import OAuth


def everything(asked: dict[str, Any]) -> dict[str, Any]:
    """Read, write, be refused, and fail to sign."""
    api = client(asked)
    window = {
        "modified_after": "2026-11-10T15:59:59",
        "modified_before": "2026-11-11T16:00:00",
        "dates_are_gmt": "true",
    }
    orders = api.get("orders", params={**window, "orderby": "modified", "order": "asc", "per_page": 2, "page": 1})
    found = api.get("products", params={"sku": "A0,B红"}).json()
    new = {"sku": "SDK-1", "name": "新品 é", "regular_price": "19.90"}
    return {
        "orders": [row["id"] for row in orders.json()],
        "lengths": [orders.headers["X-WP-Total"], orders.headers["X-WP-TotalPages"]],
        "found": sorted(row["sku"] for row in found),
        "made": api.post("products", new).json(),
        "again": api.post("products", new).json(),
        "stock": api.put("products/10", {"manage_stock": True, "stock_quantity": 42}).json()["stock_quantity"],
        "batch": api.post("products/batch", {"update": [{"id": 10, "stock_quantity": 7}, {"id": 99}]}).json(),
        "variation": api.put("products/20/variations/21", {"manage_stock": True, "stock_quantity": 3}).json(),
        "refund": api.post("orders/1001/refunds", {"amount": "1.00", "api_refund": False}).json()["amount"],
        "note": api.post("orders/1001/notes", {"note": "已发货"}).json()["note"],
        "status": api.put("orders/1001", {"status": "completed"}).json()["status"],
        "page": api.get("orders", params={"per_page": 101}).json(),
        "wrong": client({**asked, "secret": "cs_wrong"}).get("orders").json(),
    }


def calls(asked: dict[str, Any]) -> list[int]:
    """Each `[method, path, parameters, body]` with the nonce and the time that are asked for."""
    OAuth.generate_nonce = staticmethod(lambda: asked["nonce"])
    woocommerce.api.time = lambda: asked["moment"]
    api = client(asked)
    return [one_call(api, *call) for call in asked["calls"]]


def one_call(api: API, method: str, path: str, parameters: dict[str, str], body: Any) -> int:
    if method == "GET":
        return int(api.get(path, params=parameters).status_code)
    return int({"POST": api.post, "PUT": api.put}[method](path, body).status_code)


def client(asked: dict[str, Any]) -> API:
    return API(asked["url"], asked["key"], asked["secret"], wp_api=True, version="wc/v3")


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps({"everything": everything, "calls": calls}[given["do"]](given)))
