"""用友 U8 EAI under contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from connectors.u8eai import CONNECTOR as U8EAI
from duijie.codec import Record
from duijie.connect.protocol import Window
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox.u8eai import CONFIG, U8Sandbox
from tests.contract.served import MAPPINGS, proven, served

U8 = MAPPINGS / "u8eai"
VOUCHER, CUSTOMER, VENDOR, INVENTORY, WAREHOUSE = (
    load_mapping(U8 / f"{name}.out.yaml") for name in ("voucher", "customer", "vendor", "inventory", "warehouse")
)
EVER = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def u8_voucher(number: int) -> Record:
    """A voucher of two lines over 113 yuan."""
    return u8_said({"key": f"sale:S01:{number}"}, "销售 天猫旗舰店")


def u8_cost(made: Record, amount: Decimal) -> Record:
    return u8_said(made, "销售 天猫旗舰店", amount)


def u8_said(made: Record, text: str, amount: Decimal = Decimal("113.00")) -> Record:
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


def u8_unbalanced(made: Record) -> Record:
    first, *others = made["entries"]
    return {**made, "entries": [{**first, "natural_debit_currency": Decimal("1.00")}, *others]}


def u8_customer(number: int) -> Record:
    return CUSTOMER.run(u8_party(number, "customer"), StaticLookup(), {}) or {}


def u8_vendor(number: int) -> Record:
    return VENDOR.run(u8_party(number, "supplier"), StaticLookup(), {}) or {}


def u8_inventory(number: int) -> Record:
    product = {
        "key": f"P{number}",
        "sku": f"P{number}",
        "name": f"商品{number}",
        "unit": "件",
        "tax_rate": Decimal("0.13"),
    }
    return INVENTORY.run(product, StaticLookup({"unit": {"件": "01"}}), {}) or {}


def u8_warehouse(number: int) -> Record:
    return WAREHOUSE.run({"key": f"P{number}", "code": f"P{number}", "name": f"仓{number}"}, StaticLookup(), {}) or {}


def u8_party(number: int, role: str) -> Record:
    return {"key": f"P{number}", "code": f"P{number}", "name": f"公司{number}", "kind": "company", "role": role}


def u8_archive(payload: Callable[[int], Record], collection: str, wrong: Record) -> SinkCase:
    """A sink of an archive: what is written has codes that begin with P."""
    return SinkCase(
        payload,
        collection,
        held=written,
        spoil=lambda made: {**made, **wrong},
        say=lambda made, text: {**made, "name": text},
        bare=True,
    )


def written(rows: Sequence[Record]) -> Sequence[Record]:
    """What was written, not what was seeded."""
    return [row for row in rows if row["code"].startswith("P")]


def u8_kept(name: str, number: int) -> list[Record]:
    return [{"code": f"{name}{at}", "name": f"名称{at}", "abbrname": f"简称{at}"} for at in range(1, number + 1)]


def u8eai(url: str) -> Site:
    """Vouchers, customers and vendors; archives."""
    goods = [{**one, "main_measure": "01", "tax_rate": "13.000000"} for one in u8_kept("A", 25)]
    counts = {"customer": 12, "vendor": 12, "inventory": 25, "warehouse": 3}
    return Site(
        proven(U8EAI),
        url,
        "",
        CONFIG["senders"][0],
        {"maker": CONFIG["operators"][0], "voucher_query": CONFIG["voucher_filter"], "rate": "10000/second"},
        seed={
            "customer": [{"code": "C001", "name": "天猫旗舰店"}, *u8_kept("K", 11)],
            "vendor": u8_kept("V", 12),
            "inventory": goods,
            "warehouse": u8_kept("W", 3),
        },
        streams={
            name: StreamCase(EVER, count, mapping=U8 / f"{name}.in.yaml", whole=True) for name, count in counts.items()
        },
        sinks={
            "voucher": SinkCase(u8_voucher, "voucher", spoil=u8_unbalanced, say=u8_said, cost=u8_cost),
            "customer": u8_archive(u8_customer, "customer", {"sort_code": "99"}),
            "vendor": u8_archive(u8_vendor, "vendor", {"bvencargo": "0"}),
            "inventory": u8_archive(u8_inventory, "inventory", {"main_measure": "99"}),
            "warehouse": u8_archive(u8_warehouse, "warehouse", {"valuestyle": ""}),
        },
    )


SITE = served(U8Sandbox, u8eai)
