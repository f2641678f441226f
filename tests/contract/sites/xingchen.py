"""金蝶AI星辰 under contract."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from connectors.xingchen import CONNECTOR as XINGCHEN
from connectors.xingchen.client import hex64
from duijie.codec import Record
from duijie.connect.protocol import Window
from duijie.contract import SinkCase, Site, StreamCase
from sandbox.xingchen import XingchenSandbox
from tests.contract.served import DAY, MAPPINGS, filled, served


def xingchen_order(number: int) -> Record:
    """An order of one line: 3 pieces for 19.90 with 13 % tax in it."""
    return xingchen_cost(
        {"bill_no": f"SO{number}", "bill_date": "2026-11-11", "customer_number": "S01", "material_entity": []},
        Decimal("19.90"),
    )


def xingchen_cost(made: Record, gross: Decimal) -> Record:
    tax = (gross * 13 / 113).quantize(Decimal("0.01"), ROUND_HALF_UP)
    line = {
        "material_number": "A1",
        "unit_id": "90001",
        "qty": 1,
        "tax_price": gross,
        "cess": Decimal("13.00"),
        "dis_amount": Decimal("0.00"),
        "tax_amount": tax,
        "amount": gross - tax,
        "all_amount": gross,
        "is_free": False,
    }
    return {**made, "total_amount": gross, "material_entity": [line]}


def xingchen(url: str) -> Site:
    """Products, stock, orders."""
    orders = SinkCase(
        xingchen_order,
        "sal_order",
        spoil=lambda made: {**made, "customer_number": "NOBODY"},
        say=lambda made, text: {**made, "remark": text},
        cost=xingchen_cost,
    )
    items = [
        {"number": f"A{n}", "name": f"商品{n}", "unit": "件", "category": "食品", "tax_rate": 13,
         "tax_class_code": "1" * 19}
        for n in range(25)
    ]  # fmt: skip
    everything = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    return Site(
        XINGCHEN,
        url,
        "205022",
        "0123456789abcdef0123456789abcdef",
        {
            "outer_instance_id": "demo-instance",
            "rate": "10000/second",
            "token_rate": "1000/minute",
            "page_size": 10,
        },
        seed={
            "materials": items,
            "stock": [{"material_number": f"A{n}", "stock_number": "CK01", "qty": 100} for n in range(25)],
            "customers": [{"number": "S01", "name": "旗舰店"}],
            "limits": {"per_minute": 100_000, "tokens_per_minute": 1000},
        },
        streams={
            "material": StreamCase(everything, 25, mapping=MAPPINGS / "xingchen/product.in.yaml"),
            "inventory": StreamCase(everything, 25, mapping=MAPPINGS / "xingchen/stock_level.in.yaml", whole=True),
            "sal_order": StreamCase(DAY, 12, fill=filled("sales_order", orders, 12)),
        },
        sinks={"sales_order": orders},
        token_path="kingdee_auth_token",
        vectors=[
            (
                "app_signature",
                lambda: hex64("abc123", "abc"),
                "ZDljMTI3NGIyNTE1MTRkYzlkNjc1MDNhYjUzMzgzNWMyY2M4YTdjMzdmNmM3YTVlNDkxMTkzNjdiOTFjNzUyZQ==",
            )
        ],
        skewed=True,
        shifts=True,
    )


SITE = served(XingchenSandbox, xingchen)
