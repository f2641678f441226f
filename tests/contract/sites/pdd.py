"""拼多多 under contract."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from connectors.pdd import CONNECTOR as PDD
from connectors.pdd.client import sign
from duijie.codec import Record
from duijie.connect.protocol import Window
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup
from sandbox.pdd import PddSandbox
from tests.contract.served import CHINA_DAY, MAPPINGS, served

SECRET = "0123456789abcdef-pdd"
PERIOD = Window(CHINA_DAY, CHINA_DAY + timedelta(minutes=30), "P01")
PRODUCTS = StaticLookup({}, {"product": {"A1": {"tax_rate": Decimal("0.13"), "unit": "件"}}})
EXAMPLE = {
    "type": "pdd.order.number.list.increment.get",
    "client_id": "CLIENT01",
    "access_token": "TOKEN01",
    "timestamp": "1767323045",
    "data_type": "JSON",
    "version": "V1",
    "start_updated_at": "1767319445",
    "end_updated_at": "1767321245",
    "order_status": "5",
    "refund_status": "5",
    "is_lucky_flag": "0",
    "page": "1",
    "page_size": "100",
    "use_has_next": "true",
}


def number_of(number: int) -> str:
    """An order number."""
    return f"261111-{416_081_954_561_000 + number}"


def pdd_order(number: int, status: int = 3) -> Record:
    """An order of one line over 113 yuan, changed so many seconds after midnight."""
    moment = f"2026-11-11 00:{number // 60:02}:{number % 60:02}"
    item = {"goods_id": 601, "sku_id": 13_182_332_985, "outer_id": "A1", "goods_name": "面条", "goods_count": 1}
    return {
        "shop": "P01",
        "order_sn": number_of(number),
        "order_status": status,
        "refund_status": 1,
        "confirm_status": 1,
        "group_status": 1,
        "risk_control_status": 0,
        "created_time": moment,
        "pay_time": moment,
        "updated_at": moment,
        "goods_amount": "120.00",
        "seller_discount": "7.00",
        "platform_discount": "5.00",
        "postage": "0.00",
        "pay_amount": "108.00",
        "step_order_info": None,
        "item_list": [{**item, "goods_price": "120.00"}],
        "tracking_number": "",
    }


def pdd_refund(number: int) -> Record:
    """All of that order's money back."""
    moment = f"2026-11-11 00:{number // 60:02}:{number % 60:02}"
    return {
        "shop": "P01",
        "id": 9_007_199_254_740_993 + number,
        "order_sn": number_of(number),
        "after_sales_status": 10,
        "after_sales_type": 2,
        "refund_amount": "108.00",
        "goods_number": "1",
        "sku_id": "13182332985",
        "outer_id": "A1",
        "updated_time": moment,
    }


def pdd_shipment(number: int) -> Record:
    """The parcel of an order that waits to be shipped."""
    order_sn, waybill = number_of(900 + number), f"SF{number:010}"
    return {"shop": "P01", "order_sn": order_sn, "carrier": "顺丰快递", "waybill": waybill, "part": False}


def pdd(url: str) -> Site:
    """Orders, after-sales, goods and stock of one shop, and orders that wait to be shipped."""
    skus = [{"sku_id": 100 + n, "outer_id": f"A{n}", "sku_quantity": 5, "is_sku_onsale": 1} for n in range(6)]
    mall = {"mall_id": 1, "mall_name": "旗舰店", "access_token": "", "refresh_token": "refresh-P01-first"}
    waiting = [{**pdd_order(900 + n, status=1), "updated_at": "2026-11-10 12:00:00"} for n in range(6)]
    sent = SinkCase(
        pdd_shipment,
        "order/P01",
        held=lambda rows: [row for row in rows if row["order_status"] == 2],
        spoil=lambda made: {**made, "carrier": "无此快递"},
        bare=True,
    )
    return Site(
        PDD,
        url,
        "CLIENT01",
        SECRET,
        {"shops": {"P01": {"refresh_token": "refresh-P01-first"}}, "rate": "100000/second"},
        seed={
            "apps": {"CLIENT01": SECRET},
            "shops": {"P01": mall},
            "goods": [{"shop": "P01", "goods_id": 601, "goods_name": "面条", "is_onsale": 1, "sku_list": skus}],
            "orders": [*(pdd_order(number) for number in range(250)), *waiting],
            "refunds": [pdd_refund(number) for number in range(120)],
            "companies": [{"id": 44, "logistics_company": "顺丰快递", "code": "SF", "available": 1}],
            "limits": {"calls": 1_000_000, "seconds": 1},
        },
        streams={
            "order": StreamCase(PERIOD, 250, mapping=MAPPINGS / "pdd/sales_order.in.yaml", lookup=PRODUCTS),
            "refund": StreamCase(PERIOD, 120, mapping=MAPPINGS / "pdd/sales_refund.in.yaml", lookup=PRODUCTS),
            "stock": StreamCase(PERIOD, 6, mapping=MAPPINGS / "pdd/listing.in.yaml", whole=True),
        },
        sinks={
            "shop_stock": SinkCase(
                lambda number: {"shop": "P01", "goods_id": "601", "sku": f"A{number}", "quantity": 10 + number},
                "goods/P01",
                held=lambda rows: [sku for row in rows for sku in row["sku_list"] if sku["outer_id"] == "A1"],
                spoil=lambda made: {**made, "sku": "NOT-THERE"},
            ),
            "shipment": sent,
        },
        token_path="pop.auth.token.refresh",
        vectors=[("pdd-sdk's", lambda: sign(EXAMPLE, "SECRET01"), "2037F1D552C9FA26D5C9A29FEA86EFBC")],
        skewed=True,
        shifts=True,
    )


SITE = served(PddSandbox, pdd)
