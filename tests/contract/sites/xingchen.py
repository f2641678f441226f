"""金蝶AI星辰 under contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

from connectors.xingchen import CONNECTOR as XINGCHEN
from connectors.xingchen.client import hex64
from duijie.codec import Record
from duijie.connect.protocol import Window
from duijie.contract import SinkCase, Site, StreamCase
from sandbox.xingchen import XingchenSandbox
from tests.contract.served import DAY, MAPPINGS, filled, lately, served

SECRET = "0123456789abcdef0123456789abcdef"
APP_SIGNATURE = "ZDljMTI3NGIyNTE1MTRkYzlkNjc1MDNhYjUzMzgzNWMyY2M4YTdjMzdmNmM3YTVlNDkxMTkzNjdiOTFjNzUyZQ=="
SEED: Record = {
    "materials": [
        {
            "number": f"A{n}",
            "name": f"商品{n}",
            "unit": "件",
            "category": "食品",
            "tax_rate": 13,
            "tax_class_code": "1" * 19,
        }
        for n in range(25)
    ],
    "units": [f"箱{n}" for n in range(12)],
    "stores": [{"number": f"CK{n:02d}", "name": f"仓库{n}"} for n in range(1, 14)],
    "stock": [{"material_number": f"A{n}", "stock_number": "CK01", "qty": 100} for n in range(25)],
    "customers": [{"number": f"S{n:02d}", "name": f"客户{n}"} for n in range(1, 14)],
    "suppliers": [{"number": f"G{n:02d}", "name": f"供应商{n}"} for n in range(1, 14)],
    "ledger": {"closed_until": "202609"},
    "limits": {"per_minute": 100_000, "tokens_per_minute": 1000},
}


def line(gross: Decimal, **more: Any) -> Record:
    """One piece with 13 % tax in its price."""
    tax = (gross * 13 / 113).quantize(Decimal("0.01"), ROUND_HALF_UP)
    amounts = {"tax_price": gross, "dis_amount": Decimal("0.00"), "tax_amount": tax, "amount": gross - tax}
    return {"material_number": "A1", "qty": 1, "cess": Decimal("13.00"), **amounts, "all_amount": gross, **more}


def sales_order(made: Record, gross: Decimal) -> Record:
    return {**made, "total_amount": gross, "material_entity": [line(gross, unit_id="90013", is_free=False)]}


def purchase_order(made: Record, gross: Decimal) -> Record:
    bought = line(gross, unit_name="件", stock_number="CK01")
    texts = {name: str(value) for name, value in bought.items()}
    return {**made, "material_entity": [texts]}


def goods(made: Record, gross: Decimal) -> Record:
    return {**made, "material_entity": [line(gross, unit_name="件", stock_number="CK01")]}


def voucher(made: Record, amount: Decimal) -> Record:
    both = {"amount_for": str(amount), "currency_name": "人民币", "explanation": "货款"}
    owed = {"assist_list": [{"type": "bd_customer", "number": "S01"}]}
    entries = [
        {"account_number": "1122", "dc": 1, "debit_amount": str(amount), **both, **owed},
        {"account_number": "6001", "dc": -1, "credit_amount": str(amount), **both},
    ]
    return {**made, "entry_list": entries}


def bill(party: str, cost: Callable[[Record, Decimal], Record], collection: str) -> SinkCase:
    """Bills of one line for 19.90; spoilt by a party that is not there."""
    code = "S01" if party == "customer_number" else "G01"
    return SinkCase(
        lambda number: cost({"bill_no": f"B{number}", "bill_date": "2026-11-11", party: code}, Decimal("19.90")),
        collection,
        spoil=lambda made: {**made, party: "NOBODY"},
        say=lambda made, text: {**made, "remark": text},
        cost=cost,
    )


def base(made: Callable[[int], Record], collection: str, wrong: Record, *, bare: bool) -> SinkCase:
    """Base data beside what is seeded."""

    def held(rows: Sequence[Record]) -> Sequence[Record]:
        return [row for row in rows if str(row["number"]).startswith("NEW")]

    return SinkCase(
        made,
        collection,
        held,
        spoil=lambda payload: {**payload, **wrong},
        say=lambda payload, text: {**payload, "name": text},
        bare=bare,
    )


def product(number: int) -> Record:
    return {"number": f"NEW{number}", "name": "新品", "base_unit_name": "件", "tax_rate": "13.00"}


def party(number: int) -> Record:
    return {"number": f"NEW{number}", "name": "新客", "taxpayer_no": "91350100M000100Y43"}


SINKS = {
    "product": base(product, "material", {"base_unit_name": "无此单位"}, bare=False),
    "customer": base(party, "customer", {"name": ""}, bare=True),
    "supplier": base(party, "supplier", {"name": ""}, bare=True),
    "sales_order": bill("customer_number", sales_order, "sal_order"),
    "purchase_order": bill("supplier_number", purchase_order, "pur_order"),
    "goods_issue": bill("customer_number", goods, "sal_out_bound"),
    "goods_receipt": bill("supplier_number", goods, "pur_inbound"),
    "voucher": SinkCase(
        lambda number: voucher(
            {"source_bill_no": f"sale:{number}", "date": "2026-11-11", "group_name": "记"}, Decimal("19.90")
        ),
        "voucher",
        spoil=lambda made: {**made, "entry_list": made["entry_list"][:1]},
        say=lambda made, text: {**made, "entry_list": [{**one, "explanation": text} for one in made["entry_list"]]},
        cost=voucher,
    ),
}


def xingchen(url: str) -> Site:
    """Base data, stock, bills, vouchers."""
    seeded = partial(StreamCase, Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
    extra = {"outer_instance_id": "demo-instance", "rate": "10000/second", "token_rate": "1000/minute"}
    return Site(
        XINGCHEN,
        url,
        "205022",
        SECRET,
        {**extra, "page_size": 10},
        seed=SEED,
        streams={
            "material": seeded(25, mapping=MAPPINGS / "xingchen/product.in.yaml"),
            "unit": seeded(13, mapping=MAPPINGS / "xingchen/unit.in.yaml"),
            "store": seeded(13, mapping=MAPPINGS / "xingchen/warehouse.in.yaml"),
            "customer": seeded(13, mapping=MAPPINGS / "xingchen/customer.in.yaml"),
            "supplier": seeded(13, mapping=MAPPINGS / "xingchen/supplier.in.yaml"),
            "inventory": seeded(25, mapping=MAPPINGS / "xingchen/stock_level.in.yaml", whole=True),
            "sal_order": StreamCase(DAY, 12, fill=filled("sales_order", SINKS["sales_order"], 12)),
            "sal_order_detail": written("sales_order", "sales_order"),
            "pur_order": written("purchase_order", "purchase_order"),
            "sal_out_bound": written("goods_issue", "goods_issue"),
            "pur_inbound": written("goods_receipt", "goods_receipt"),
            "voucher": written("voucher", "voucher"),
        },
        sinks=SINKS,
        token_path="kingdee_auth_token",
        vectors=[("app_signature", lambda: hex64("abc123", "abc"), APP_SIGNATURE)],
        skewed=True,
        shifts=True,
    )


def written(sink: str, mapping: str) -> StreamCase:
    """Twelve documents that the sandbox was given just now."""
    shop = {"shop": "批发"}
    path = MAPPINGS / f"xingchen/{mapping}.in.yaml"
    return StreamCase(lately(), 12, mapping=path, settings=shop, fill=filled(sink, SINKS[sink], 12))


SITE = served(XingchenSandbox, xingchen)
