"""畅捷通 T+ under contract.

The sink of vouchers is left out: T+ brings no voucher back, so that nothing of what a sink promises can be looked up.
Its rules are tested in tests/connectors/test_tplus.py.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from connectors.tplus import CONNECTOR as TPLUS
from duijie.codec import Record
from duijie.contract import SinkCase, Site, StreamCase
from sandbox.tplus import DEFAULTS, TPlusSandbox
from tests.contract.served import DAY, MAPPINGS, served

CLIENT = DEFAULTS["client"]
ROWS = 25
INVENTORIES = [
    {"Code": f"A{n}", "Name": f"商品{n}", "UnitName": "件", "InventoryClass": {"Code": "01", "Name": "食品"}}
    for n in range(ROWS)
]


def tplus_bill(lines: str, number: int) -> Record:
    """A bill of one line: 3 pieces for 19.90 with 13 % tax in it."""
    head = {"VoucherDate": "2026-11-11", "ExternalCode": f"{lines}-{number}", "Memo": ""}
    partner = {"Partner": {"Code": "V001"}} if lines == "VoucherDetails" else {"Customer": {"Code": "C001"}}
    return tplus_cost({**head, **partner, "Warehouse": {"Code": "CK0"}, lines: []}, Decimal("19.90"))


def tplus_cost(made: Record, gross: Decimal) -> Record:
    lines = next(name for name in made if name.endswith("Details"))
    tax = (gross * 13 / 113).quantize(Decimal("0.01"), ROUND_HALF_UP)
    line = {
        "Inventory": {"Code": "A1"},
        "Unit": {"Name": "件"},
        "Quantity": 3,
        "TaxRate": "13.00",
        "OrigDiscountAmount": str(gross - tax),
        "OrigTax": str(tax),
        "OrigTaxAmount": str(gross),
    }
    return {**made, lines: [line]}


def tplus_sink(lines: str, collection: str) -> SinkCase:
    partner = "Partner" if lines == "VoucherDetails" else "Customer"
    return SinkCase(
        lambda number: tplus_bill(lines, number),
        collection,
        spoil=lambda made: {**made, partner: {"Code": "NOBODY"}},
        say=lambda made, text: {**made, "Memo": text},
        cost=tplus_cost,
    )


def tplus_product(number: int) -> Record:
    return {
        "Code": f"N{number}",
        "Name": f"新商品{number}",
        "InventoryClass": {"Code": "01"},
        "Unit": {"Name": "件"},
        "Disabled": False,
    }


def tplus_party(number: int) -> Record:
    kind = {"PartnerType": {"Code": "01"}, "PartnerClass": {"Code": "001"}}
    return {"Code": f"K{number}", "Name": f"客户{number}", "PartnerAbbName": f"客户{number}", **kind}


def tplus_named(made: Record, name: str) -> Record:
    return {**made, "Name": name}


def tplus_new(prefix: str, payload: Callable[[int], Record], collection: str) -> SinkCase:
    return SinkCase(
        payload,
        collection,
        held=lambda rows: [row for row in rows if row["Code"].startswith(prefix)],
        spoil=lambda made: tplus_named(made, ""),
        say=tplus_named,
        bare=True,
    )


def tplus(url: str) -> Site:
    """Base data, stock, bills."""
    settings = {"product": {"tax_rate": "0.13"}}
    mapped = {"inventory": "product", "partner": "party", "current_stock": "stock_level"}
    streams = {
        name: StreamCase(
            DAY,
            count,
            mapping=MAPPINGS / f"tplus/{mapped.get(name, name)}.in.yaml",
            settings=settings.get(mapped.get(name, ""), {}),
            whole=True,
        )
        for name, count in (
            ("inventory", ROWS),
            ("partner", ROWS),
            ("warehouse", ROWS),
            ("unit", ROWS),
            ("current_stock", ROWS),
        )
    }
    partners = [{"Code": f"C{n:03}", "PartnerType": {"Code": "01", "Name": "客户"}} for n in range(ROWS - 1)]
    return Site(
        TPLUS,
        url,
        CLIENT["app_key"],
        CLIENT["app_secret"],
        {"refresh_token": CLIENT["refresh_token"], "rate": "10000/second", "page_size": 10},
        seed={
            "client": CLIENT,
            "inventories": INVENTORIES,
            "partners": [*partners, {"Code": "V001", "PartnerType": {"Code": "00", "Name": "供应商"}}],
            "warehouses": [{"Code": f"CK{n}", "Name": f"仓库{n}"} for n in range(ROWS)],
            "units": [{"Code": f"{n:02}", "Name": f"单位{n}"} for n in range(ROWS)],
            "stock": [
                {"InventoryCode": f"A{n}", "WarehouseCode": "CK0", "ExistingQuantity": n, "Reserved": 0}
                for n in range(ROWS)
            ],
        },
        streams=streams,
        sinks={
            "sales_order": tplus_sink("SaleOrderDetails", "saleOrder"),
            "goods_issue": tplus_sink("SaleDeliveryDetails", "saleDelivery"),
            "goods_receipt": tplus_sink("VoucherDetails", "purchaseArrival"),
            "product": tplus_new("N", tplus_product, "inventory"),
            "party": tplus_new("K", tplus_party, "partner"),
        },
        token_path="refreshToken",
        shifts=True,
    )


SITE = served(TPlusSandbox, tplus)
