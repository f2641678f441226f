"""抖店 under contract. The platform lists orders of the last 90 days only: the seeded day lies two days back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.doudian import CONNECTOR as DOUDIAN
from connectors.doudian.client import sign
from connectors.doudian.hook import event_sign
from duijie import codec
from duijie.codec import Record
from duijie.connect.hooks import Call
from duijie.connect.protocol import Window
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup
from sandbox.doudian import DoudianSandbox
from tests.contract.served import MAPPINGS, served

APP, SECRET = "7000000000000000001", "secret-0001-contract"
SHOP = "1001"
FIRST_ORDER = 6_920_000_000_000_000_000
FIRST_AFTERSALE = 7_200_000_000_000_000_000
ITEM = 3_620_000_000_000_000_000
SINCE = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
DAY = Window(SINCE, SINCE + timedelta(days=1), SHOP)
PRODUCTS = StaticLookup(refs={"product": {f"A{n}": {"tax_rate": Decimal("0.13"), "unit": "件"} for n in range(6)}})
SEARCH = (
    '{"order_asc":true,"order_by":"update_time","page":0,"size":10,'
    '"update_time_end":1767312000,"update_time_start":1767225600}'
)


def doudian_order(number: int) -> Record:
    """A paid order of one line over 113 yuan, one a minute."""
    moment = int(SINCE.timestamp()) + 60 * number
    line = {"order_id": str(FIRST_ORDER + 10**6 + number), "order_status": 2, "code": "A1", "product_name": "面条"}
    amounts = {"item_num": 1, "sum_amount": 11300, "pay_amount": 11300, "post_amount": 0}
    head = {"shop": SHOP, "order_id": str(FIRST_ORDER + number), "shop_id": int(SHOP), "order_status": 2}
    times = {"create_time": moment, "pay_time": moment, "update_time": moment}
    return {**head, **times, "pay_amount": 11300, "post_amount": 0, "sku_order_list": [{**line, **amounts}]}


def doudian_aftersale(number: int) -> Record:
    """A refund of one line; every tenth has succeeded."""
    info = {
        "aftersale_id": str(FIRST_AFTERSALE + number),
        "aftersale_type": 1,
        "aftersale_status": 12,
        "refund_status": 2 if number % 10 else 3,
        "refund_amount": 11300,
        "refund_post_amount": 0,
        "update_time": int(SINCE.timestamp()) + 60 * number,
    }
    line = {"sku_order_id": str(FIRST_ORDER + 10**6 + number), "order_status": 3, "shop_sku_code": "A1"}
    amounts = {"aftersale_pay_amount": 11300, "aftersale_post_amount": 0, "aftersale_item_num": 1}
    order = {"shop_order_id": str(FIRST_ORDER + number), "related_order_info": [{**line, **amounts}]}
    return {"shop": SHOP, "aftersale_info": info, "order_info": order}


def doudian_shipment(number: int) -> Record:
    order = str(FIRST_ORDER + number)
    return {"shop": SHOP, "order_id": order, "company_code": "shunfeng", "logistics_code": f"SF{10**9 + number}"}


def doudian_message(_: datetime, body: bytes | None) -> Call:
    said = [{"tag": "101", "msg_id": "1", "data": {"p_id": FIRST_ORDER + 1, "shop_id": int(SHOP)}}]
    given = codec.encode(said) if body is None else body
    headers = {"content-type": "application/json", "app-id": APP, "event-sign": event_sign(APP, given, SECRET)}
    return Call("", headers, {}, given, datetime.now(UTC))


def doudian_seed() -> Record:
    skus = [{"id": 1720 + n, "code": f"A{n}", "sku_type": 0, "stock_num": 5} for n in range(6)]
    return {
        "apps": {APP: {"secret": SECRET, "kind": "self"}},
        "shops": {SHOP: {"name": "旗舰店"}},
        "orders": [doudian_order(number) for number in range(250)],
        "aftersales": [doudian_aftersale(number) for number in range(130)],
        "products": [{"shop": SHOP, "product_id": ITEM, "status": 0, "update_time": 1767225600, "skus": skus}],
        "limits": {"calls": 100_000, "seconds": 1},
    }


def doudian(url: str) -> Site:
    """Orders, after-sales, stock and parcels of one shop of a self-built app."""
    return Site(
        DOUDIAN,
        url,
        APP,
        SECRET,
        {"shops": {SHOP: {}}, "rate": "10000/second"},
        seed=doudian_seed(),
        streams={
            "order": StreamCase(DAY, 250, mapping=MAPPINGS / "doudian/sales_order.in.yaml", lookup=PRODUCTS),
            "aftersale": StreamCase(DAY, 130, mapping=MAPPINGS / "doudian/sales_refund.in.yaml", lookup=PRODUCTS),
            "stock": StreamCase(DAY, 6, mapping=MAPPINGS / "doudian/listing.in.yaml", whole=True),
        },
        sinks={
            "shop_stock": SinkCase(
                lambda number: {"shop": SHOP, "sku": f"A{number}", "quantity": 10 + number, "product_id": str(ITEM)},
                f"product/{SHOP}",
                held=lambda rows: [sku for row in rows for sku in row["skus"] if sku["code"] == "A1"],
                spoil=lambda made: {**made, "sku": "NOT-THERE"},
            ),
            "shipment": SinkCase(
                doudian_shipment,
                f"order/{SHOP}",
                held=lambda rows: [parcel for row in rows for parcel in row.get("logistics_info", [])],
                spoil=lambda made: {**made, "company_code": "nobody"},
                bare=True,
            ),
        },
        hook=HookCase(doudian_message, lambda call: replace(call, headers={**call.headers, "event-sign": "0" * 32})),
        token_path="/token/",
        vectors=[
            (
                "order.searchList",
                lambda: sign(APP, "secret-0001", "order.searchList", SEARCH, "2026-01-02 03:04:05"),
                "47f1eb511327b247d8ded02f361b7c91bef2f1245b9d4efc8b786adc6ed98a52",
            ),
            (
                "message",
                lambda: event_sign(APP, b'[{"tag":"100","msg_id":"1","data":{"p_id":1}}]', "secret-0001"),
                "88f34c25442f03d3f12cd68933a30882",
            ),
        ],
        skewed=True,
        shifts=True,
    )


SITE = served(DoudianSandbox, doudian)
