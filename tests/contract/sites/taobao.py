"""淘宝 / 天猫 under contract."""

from __future__ import annotations

from decimal import Decimal

from connectors.taobao import CONNECTOR as TAOBAO
from connectors.taobao.client import sign
from duijie.codec import Record
from duijie.connect.protocol import Window
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup
from sandbox.taobao import TaobaoSandbox
from tests.contract.served import DAY, MAPPINGS, served

OF_SHOP = Window(DAY.since, DAY.until, "S01")
SOLD = StaticLookup({}, {"product": {"A1": {"tax_rate": Decimal("0.13"), "unit": "件"}}})
FIRST_TID = 3_204_086_667_211_110_000
EXAMPLE = {
    "method": "taobao.item.seller.get",
    "app_key": "12345678",
    "session": "test",
    "sign_method": "md5",
    "timestamp": "2016-01-01 12:00:00",
    "format": "json",
    "v": "2.0",
    "fields": "num_iid,title,nick,price,num",
    "num_iid": "11223344",
}


def moment(number: int) -> str:
    """A minute of the day for each."""
    return f"2026-11-11 {number // 60:02}:{number % 60:02}:00"


def taobao_trade(number: int) -> Record:
    """An order of one line; those from 240 on wait for their parcels."""
    priced = {"num": 1, "total_fee": "7.00", "discount_fee": "0.00", "divide_order_fee": "7.00"}
    line = {"oid": FIRST_TID + number, "outer_sku_id": "A1", "title": "面条", **priced}
    head = {"shop": "S01", "tid": FIRST_TID + number, "created": moment(number), "modified": moment(number)}
    status = "WAIT_SELLER_SEND_GOODS" if number >= 240 else "TRADE_FINISHED"
    paid = {"status": status, "payment": "15.00", "post_fee": "8.00", "buyer_open_uid": f"AAG{number}"}
    masked = {"receiver_name": "张**", "receiver_mobile": "138****1234", "oaid": f"oaid-{number}"}
    return {**head, **paid, **masked, "orders": {"order": [line]}}


def taobao_refund(number: int) -> Record:
    """A refund of the line of an order."""
    of = {"tid": FIRST_TID + number, "oid": FIRST_TID + number, "outer_id": "A1", "num": 1, "refund_fee": "7.00"}
    state = {
        "status": "SUCCESS",
        "refund_phase": "aftersale",
        "has_good_return": number % 2 == 0,
        "reason": "七天无理由",
    }
    times = {"created": moment(number), "modified": moment(number), "end_time": moment(number)}
    return {"shop": "S01", "refund_id": FIRST_TID + 50_000 + number, **of, **state, **times}


def taobao_parcel(number: int) -> Record:
    """A parcel for an order that waits for one."""
    return {"shop": "S01", "tid": FIRST_TID + 240 + number, "out_sid": f"SF{number}", "company_code": "SF"}


def taobao(url: str) -> Site:
    """Orders and stock of one shop."""
    skus = [{"sku_id": 100 + n, "outer_id": f"A{n}", "quantity": 5, "price": "7.00"} for n in range(6)]
    item = {"num_iid": 601, "title": "面条", "list_time": "2026-01-01 00:00:00", "modified": "2026-01-01 00:00:00"}
    seller = {"nick": "旗舰店", "user_id": 1, "session": "sess-S01-first", "refresh_token": "refresh-S01-first"}
    return Site(
        TAOBAO,
        url,
        "12345678",
        "helloworld-secret",
        {"shops": {"S01": {"refresh_token": "refresh-S01-first"}}, "rate": "10000/second"},
        seed={
            "apps": {"12345678": "helloworld-secret"},
            "shops": {"S01": seller},
            "items": [{"shop": "S01", **item, "skus": skus}],
            "trades": [taobao_trade(number) for number in range(250)],
            "refunds": [taobao_refund(number) for number in range(120)],
            "limits": {"calls": 100_000, "seconds": 1, "ban_seconds": 1},
        },
        streams={
            "trade": StreamCase(OF_SHOP, 250, mapping=MAPPINGS / "taobao/sales_order.in.yaml", lookup=SOLD),
            "refund": StreamCase(OF_SHOP, 120, mapping=MAPPINGS / "taobao/sales_refund.in.yaml", lookup=SOLD),
            "stock": StreamCase(OF_SHOP, 6, mapping=MAPPINGS / "taobao/listing.in.yaml", whole=True),
        },
        sinks={
            "shop_stock": SinkCase(
                lambda number: {"shop": "S01", "sku": f"A{number}", "quantity": 10 + number},
                "item/S01",
                held=lambda rows: [sku for row in rows for sku in row["skus"] if sku["outer_id"] == "A1"],
                spoil=lambda made: {**made, "sku": "NOT-THERE"},
            ),
            "shipment": SinkCase(
                taobao_parcel,
                "trade/S01",
                held=lambda rows: [row for row in rows if row["orders"]["order"][0].get("invoice_no")],
                spoil=lambda made: {**made, "company_code": "NOBODY"},
                bare=True,
            ),
        },
        token_path="/token",
        vectors=[("the vendor's", lambda: sign(EXAMPLE, "helloworld", "md5"), "66987CB115214E59E6EC978214934FB8")],
        skewed=True,
        shifts=True,
    )


SITE = served(TaobaoSandbox, taobao)
