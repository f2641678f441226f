"""WooCommerce under contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from connectors.woocommerce import CONNECTOR as WOOCOMMERCE
from connectors.woocommerce.hook import sign
from connectors.woocommerce.oauth import signature
from duijie import codec
from duijie.codec import Record
from duijie.connect.hooks import Call
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup
from sandbox.woocommerce import WooCommerceSandbox
from tests.contract.served import DAY, MAPPINGS, served

WEBHOOK = "woo-webhook-secret"
PRODUCTS = {f"A{number}": {"tax_rate": Decimal("0.13"), "unit": "件"} for number in range(6)}
LOOKUP = StaticLookup({"tax_rate": {"standard": "0.13"}}, {"product": PRODUCTS})
VECTOR = {
    "oauth_consumer_key": "ck_test",
    "oauth_timestamp": "1767323045",
    "oauth_nonce": "0123456789abcdef0123456789abcdef01234567",
    "oauth_signature_method": "HMAC-SHA256",
}


def woo_order(number: int) -> Record:
    """An order of two pieces; every tenth has a refund of one."""
    moment = f"2026-11-11T{number // 60:02}:{number % 60:02}:00"
    line = {"id": 5000 + number, "name": "面条", "product_id": 10, "sku": "A1", "quantity": 2, "price": Decimal("3.5")}
    amounts = {"subtotal": "7.00", "subtotal_tax": "0.00", "total": "7.00", "total_tax": "0.00"}
    dates = {f"date_{name}_gmt": moment for name in ("created", "modified", "paid")}
    meta = [{"id": 1, "key": "_refunded_item_id", "value": str(5000 + number)}]
    back = {**line, "id": 7000 + number, "quantity": -1, "total": "-3.50", "total_tax": "0.00", "meta_data": meta}
    refund = {"id": 3000 + number, "amount": "3.50", "line_items": [back], "date_created_gmt": moment}
    refunds = {"refund_records": [refund]} if number % 10 == 0 else {}
    return {"id": 1000 + number, "total": "7.00", "line_items": [{**line, **amounts}], **dates, **refunds}


def woo_products() -> list[Record]:
    """Three single products, and one of three variations."""
    kept = {"manage_stock": True, "stock_quantity": 5, "regular_price": "7.00"}
    single = [{"id": 10 + n, "sku": f"A{n}", "name": f"商品{n}", **kept} for n in range(3)]
    variations = [{"id": 20 + n, "sku": f"A{n}", "name": f"规格{n}", **kept} for n in range(3, 6)]
    return [*single, {"id": 20, "name": "多规格", "type": "variable", "variation_records": variations}]


def woo_pushed(_: datetime, body: bytes | None) -> Call:
    said = codec.encode({"id": 1001, "status": "processing", "refunds": [{"id": 3001}]}) if body is None else body
    headers = {
        "content-type": "application/json",
        "x-wc-webhook-topic": "order.updated",
        "x-wc-webhook-signature": sign(WEBHOOK, said),
        "x-wc-webhook-id": "7",
        "x-wc-webhook-delivery-id": "9f1c",
    }
    return Call("", headers, {}, said, _)


def woo_forged(call: Call) -> Call:
    return replace(call, headers={**call.headers, "x-wc-webhook-signature": sign("another secret", call.body)})


def shipped(number: int) -> Record:
    """One of the two pieces of an order."""
    lines = [{"oid": str(5000 + number), "qty": 1}]
    return {"order_no": str(1000 + number), "carrier": "顺丰速运", "waybill": f"SF{number:010}", "lines": lines}


def woocommerce(url: str) -> Site:
    """Orders, refunds and products of a site; stock, products and parcels written to it."""
    stock = SinkCase(
        lambda number: {"sku": f"A{number}", "quantity": 10 + number},
        "product",
        held=lambda rows: [row for row in rows if row["sku"] == "A1"],
        spoil=lambda made: {**made, "sku": "NOT-THERE"},
    )
    products = SinkCase(
        lambda number: {"sku": f"NEW{number}", "name": "新品", "regular_price": "19.90"},
        "product",
        held=lambda rows: [row for row in rows if row["sku"].startswith("NEW")],
        spoil=lambda made: {**made, "status": "nonsense"},
        say=lambda made, text: {**made, "name": text},
        cost=lambda made, amount: {**made, "regular_price": str(amount)},
    )
    shipments = SinkCase(
        shipped,
        "order",
        held=lambda rows: [row for row in rows if row["meta_data"]],
        spoil=lambda made: {**made, "order_no": "999999"},
        say=lambda made, text: {**made, "carrier": text},
    )
    extra = {"shop": "WOO", "webhook_secret": WEBHOOK, "rate": "10000/second"}
    return Site(
        WOOCOMMERCE,
        url,
        "ck_0123456789abcdef",
        "cs_fedcba9876543210",
        extra,
        seed={
            "keys": {"ck_0123456789abcdef": {"secret": "cs_fedcba9876543210"}},
            "orders": [woo_order(number) for number in range(250)],
            "products": woo_products(),
        },
        streams={
            "order": StreamCase(DAY, 250, mapping=MAPPINGS / "woocommerce/sales_order.in.yaml", lookup=LOOKUP),
            "refund": StreamCase(DAY, 25, mapping=MAPPINGS / "woocommerce/sales_refund.in.yaml", lookup=LOOKUP),
            "product": StreamCase(DAY, 6, mapping=MAPPINGS / "woocommerce/product.in.yaml", lookup=LOOKUP, whole=True),
            "listing": StreamCase(DAY, 6, mapping=MAPPINGS / "woocommerce/listing.in.yaml", whole=True),
        },
        sinks={"shop_stock": stock, "product": products, "shipment": shipments},
        hook=HookCase(woo_pushed, woo_forged),
        vectors=[
            (
                "the vendor's Python client",
                lambda: signature("GET", "http://shop.example/wp-json/wc/v3/orders", VECTOR, "cs_test"),
                "mk2gFTloarjeDbttUbxtTldj2wy3qI4PNR8P2nNme0A=",
            ),
            (
                "a webhook",
                lambda: sign("whsecret", b'{"id":1,"note":"hi"}'),
                "iQPgdVbU8f/sBrHh67IcAMPSf6Yjkk4kN7wIDRWcwNQ=",
            ),
        ],
        skewed=True,
        shifts=True,
    )


SITE = served(WooCommerceSandbox, woocommerce)
