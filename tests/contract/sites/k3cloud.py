"""金蝶云星空 under contract."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from connectors.k3cloud import CONNECTOR as K3CLOUD
from connectors.k3cloud.forms import BILLS, GOODS_ISSUE, GOODS_RECEIPT, PURCHASE_ORDER, SALES_ORDER, Form
from connectors.k3cloud.signing import client_secret
from duijie.codec import Record
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox import k3cloud_chart
from sandbox.k3cloud import K3CloudSandbox
from tests.contract.served import MAPPINGS, filled, lately, served

VOUCHER = load_mapping(MAPPINGS / "k3cloud/voucher.out.yaml")
SETTINGS = {"org": "100", "customer_code": "C001", "supplier_code": "V001"}
CODES = StaticLookup({"unit": {"件": "Pcs"}, "tax_rate": {"SL13": "0.13"}}, {"product": {"A1": {"unit_id": "Pcs"}}})
ROWS = 25


def k3cloud_voucher(number: int) -> Record:
    """A voucher of two lines over 113 yuan."""
    return k3cloud_cost({"key": f"sale:S01:{number}"}, Decimal("113.00"))


def k3cloud_cost(made: Record, amount: Decimal) -> Record:
    return k3cloud_said(made, "销售 天猫旗舰店", amount)


def k3cloud_said(made: Record, text: str, amount: Decimal = Decimal("113.00")) -> Record:
    zero = Decimal("0.00")
    rows = [("receivable", amount, zero), ("revenue", zero, amount)]
    lines = [
        {"line_no": at, "summary": text, "account": account, "debit": debit, "credit": credit}
        | ({"aux": {"customer": "S01"}} if account == "receivable" else {})
        for at, (account, debit, credit) in enumerate(rows, 1)
    ]
    head = {"date": "2026-11-11", "period": "202611", "word": "记", "summary": text, "attachments": 2}
    voucher = {"key": made["key"], **head, "debit": amount, "credit": amount, "lines": lines}
    return VOUCHER.run(voucher, StaticLookup({"customer": {"S01": "C001"}}), {}) or {}


def k3cloud_unbalanced(made: Record) -> Record:
    first, *others = made["model"]["FEntity"]
    return {**made, "model": {**made["model"], "FEntity": [{**first, "FDEBIT": "1.00"}, *others]}}


def mapped(name: str, document: Record) -> Record:
    """What the shipped mapping makes of a document."""
    return load_mapping(MAPPINGS / f"k3cloud/{name}.out.yaml").run(document, CODES, SETTINGS) or {}


def k3cloud_bill(form: Form, number: int) -> Record:
    """A bill of two lines over 113 and 20 yuan: 2 pieces, and 3 whose price does not divide."""
    amounts = ((2, Decimal("113.00")), (3, Decimal("20.00")))
    lines: list[Record] = [
        {"line_no": at, "sku": "A1", "unit_id": "Pcs", "qty": qty, "gross": gross, "tax_rate": Decimal("0.13")}
        for at, (qty, gross) in enumerate(amounts, 1)
    ]
    head: Record = {"business_date": "2026-11-11", "key": f"psi:{form.name}:{number}", "warehouse": "CK01"}
    shop = {"platform": "taobao", "shop": "S01", "order_no": str(number), "freight": Decimal(0)}
    more = {
        SALES_ORDER.name: shop,
        PURCHASE_ORDER.name: {"order_no": str(number), "supplier": {"key": "V001"}},
        GOODS_ISSUE.name: {"issue_no": str(number), "kind": "sale", "party": {"key": "S01"}},
        GOODS_RECEIPT.name: {"receipt_no": str(number), "kind": "purchase", "party": {"key": "V001"}},
    }
    return mapped(form.name, {**head, **more[form.name], "lines": lines})


def k3cloud_bills(form: Form) -> SinkCase:
    party = next(name for name in ("FCustId", "FCustomerID", "FSupplierId") if name in k3cloud_bill(form, 1))

    def cost(made: Record, amount: Decimal) -> Record:
        return {**made, form.entry: [{**made[form.entry][0], form.quantity: 1, "FTaxPrice": amount}]}

    return SinkCase(
        lambda number: k3cloud_bill(form, number),
        form.form_id,
        spoil=lambda made: {**made, party: {"FNumber": "NOBODY"}},
        say=lambda made, text: {**made, "FNote": text},
        cost=cost,
    )


def k3cloud_new(name: str, document: Callable[[int], Record], form_id: str) -> SinkCase:
    """Base data: N1, N2 …"""
    return SinkCase(
        lambda number: mapped(name, document(number)),
        form_id,
        held=lambda rows: [row for row in rows if row["number"].startswith("N")],
        spoil=lambda made: {**made, "FName": ""},
        say=lambda made, text: {**made, "FName": text},
        bare=True,
    )


def k3cloud_product(number: int) -> Record:
    return {
        "key": f"N{number}",
        "sku": f"N{number}",
        "name": f"新物料{number}",
        "unit": "件",
        "tax_rate": Decimal("0.13"),
    }


def k3cloud_party(role: str) -> Callable[[int], Record]:
    return lambda number: {"key": f"N{number}", "name": f"往来单位{number}", "kind": "company", "role": role}


def k3cloud_seed() -> Record:
    """So much base data that every list has several pages; what the sandbox begins with counts too."""
    owned = {"FCreateOrgId": {"FNumber": "100"}, "FUseOrgId": {"FNumber": "100"}}
    material = {"SubHeadEntity": {"FBaseUnitId": {"FNumber": "Pcs"}, "FTaxRateId": {"FNumber": "SL13"}}}

    def rows(prefix: str, given: int, **more: Any) -> list[Record]:
        numbers = range(given, ROWS)
        return [{"FNumber": f"{prefix}{n:03}", "FName": f"{prefix} {n}", **owned, **more} for n in numbers]

    return {
        "materials": rows("M", 1, **material),
        "customers": rows("K", 2, FShortName="客", FTAXREGISTERCODE="91330106MA2DEMK14E"),
        "suppliers": rows("S", 1, FShortName="供"),
        "warehouses": rows("W", 1),
        "units": rows("U", 1),
        "inventory": [{"material": f"M{n:03}", "stock": "CK01", "quantity": n, "reserved": 1} for n in range(1, ROWS)]
        + [{"material": "M001", "stock": "CK01", "lot": "B1", "quantity": "2.5"}],
    }


def k3cloud(url: str) -> Site:
    """Vouchers, base data, stock, bills."""
    config = k3cloud_chart.CONFIG
    vouchers = SinkCase(k3cloud_voucher, "GL_VOUCHER", spoil=k3cloud_unbalanced, say=k3cloud_said, cost=k3cloud_cost)
    bills = {form.name: k3cloud_bills(form) for form in BILLS}
    base = {name: StreamCase(lately(), ROWS, mapping=_in(name), lookup=CODES) for name in _BASE}
    return Site(
        K3CLOUD,
        url,
        str(config["user"]),
        str(config["app_secret"]),
        {
            **{name: config[name] for name in ("acct_id", "app_id", "account_book")},
            **{"rate": "10000/second", "data_org": "100", "page_rows": 10},
        },
        seed=k3cloud_seed(),
        streams={
            "voucher": StreamCase(lately(), 12, fill=filled("voucher", vouchers, 12)),
            **base,
            "inventory": StreamCase(lately(), ROWS - 1, mapping=_in("stock_level"), whole=True),
            **{
                name: StreamCase(lately(), 12, mapping=_in(name), fill=filled(name, case, 12))
                for name, case in bills.items()
            },
        },
        sinks={
            "voucher": vouchers,
            **bills,
            "material": k3cloud_new("product", k3cloud_product, "BD_MATERIAL"),
            "customer": k3cloud_new("customer", k3cloud_party("customer"), "BD_Customer"),
            "supplier": k3cloud_new("supplier", k3cloud_party("supplier"), "BD_Supplier"),
        },
        vectors=[
            (
                "the gateway's secret",
                lambda: client_secret("0123456789abcdef0123456789abcdef"),
                "422C1/iIyuH4R+Ws526A2/yLyrX6RrOs",
            )
        ],
        shifts=True,
        skewed=True,
    )


_BASE = ("material", "customer", "supplier", "warehouse", "unit")


def _in(name: str) -> Any:
    return MAPPINGS / f"k3cloud/{ {'material': 'product'}.get(name, name) }.in.yaml"


SITE = served(K3CloudSandbox, k3cloud)
