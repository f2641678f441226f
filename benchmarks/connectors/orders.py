"""Orders as a WooCommerce site shows them when asked for the connector's fields: two lines, a coupon, freight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

FIRST = datetime(2026, 11, 10, 16, tzinfo=UTC)
WEEK = 7 * 86400


def order(number: int, total: int) -> dict[str, Any]:
    """One of `total`, spread over a week."""
    made = f"{FIRST + timedelta(seconds=number * WEEK // total):%Y-%m-%dT%H:%M:%S}"
    lines = [line(number, at) for at in range(2)]
    return {
        "id": 100_000 + number,
        "number": str(100_000 + number),
        "status": ("processing", "completed", "on-hold")[number % 3],
        "currency": "CNY",
        "prices_include_tax": True,
        **{f"date_{name}_gmt": made for name in ("created", "modified", "paid")},
        "date_completed_gmt": made if number % 3 == 1 else None,
        "discount_total": "10.00",
        "discount_tax": "1.30",
        "shipping_total": "8.00",
        "shipping_tax": "0.72",
        "cart_tax": "23.14",
        "total": "209.86",
        "total_tax": "23.86",
        "customer_id": number % 5000,
        "payment_method": "alipay",
        "transaction_id": f"20261111220014{number:014}",
        "line_items": lines,
        "shipping_lines": [{"id": number * 10 + 5, "method_title": "快递", "method_id": "flat_rate", "total": "8.00",
                            "total_tax": "0.72", "taxes": [], "meta_data": []}],
        "fee_lines": [],
        "coupon_lines": [{"id": number * 10 + 6, "code": "双十一", "discount": "10.00", "discount_tax": "1.30"}],
        "refunds": [],
    }  # fmt: skip


def line(number: int, at: int) -> dict[str, Any]:
    """One line; its price is a number, as the site sends it."""
    return {
        "id": number * 10 + at,
        "name": f"有机荞麦面条 {at}号",
        "product_id": 93 + at,
        "variation_id": 0,
        "quantity": 2,
        "tax_class": "",
        "subtotal": "94.00",
        "subtotal_tax": "12.22",
        "total": "89.00",
        "total_tax": "11.57",
        "taxes": [{"id": 75, "total": "11.57", "subtotal": "12.22"}],
        "meta_data": [],
        "sku": f"SKU-{number % 997:04}",
        "price": 44.5,
    }
