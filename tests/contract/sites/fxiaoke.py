"""纷享销客 under contract: customers, opportunities, orders and products both ways, base data and stock out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from connectors.fxiaoke import CONNECTOR as FXIAOKE
from duijie.codec import Record
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import Mapping, StaticLookup, load_mapping
from sandbox import fxiaoke_objects
from sandbox.fxiaoke import FxiaokeSandbox
from tests.contract.served import CHINA_DAY, DAY, MAPPINGS, filled, lately, served

PARTY, OPPORTUNITY, ORDER, PRODUCT = (
    load_mapping(MAPPINGS / f"fxiaoke/{name}.out.yaml") for name in ("party", "opportunity", "sales_order", "product")
)
ROWS = 12
BUYER, GOODS = "company:K0", "A0"
START = int(CHINA_DAY.timestamp() * 1000)
OUT = StaticLookup(xrefs={"opportunity_stage": {"open": "s1"}, "unit": {"件": "16"}})
IN = StaticLookup(
    xrefs={"opportunity_status": {"o1": "open", "o2": "won", "o3": "lost"}},
    refs={"product": {f"A{n}": {"tax_rate": Decimal("0.13"), "unit": "件"} for n in range(ROWS)}},
)


def made(mapping: Mapping, document: Record, settings: Record) -> Record:
    return mapping.run(document, OUT, settings) or {}


def fxiaoke_party(number: int) -> Record:
    """A buyer."""
    return fxiaoke_named({"key": f"taobao:{number}"}, f"买家 {number}")


def fxiaoke_named(given: Record, name: str) -> Record:
    kinds = {"kind": "person", "role": "customer"}
    return made(PARTY, {"key": given["key"], "name": name, **kinds, "source": "taobao", "shop": "S01"}, {})


def fxiaoke_opportunity(number: int, amount: Decimal = Decimal("12800.50")) -> Record:
    """An opportunity of a customer that the CRM holds."""
    told = {"number": str(number), "name": f"门店改造 {number}", "status": "open", "expected_close": "2026-12-31"}
    document = {"key": f"odoo:{number}", **told, "party": {"key": BUYER}, "amount": amount}
    return made(OPPORTUNITY, document, {"sales_process_id": "5f0a"})


def fxiaoke_order(number: int, gross: Decimal = Decimal("113.00")) -> Record:
    """An order of a customer and for a product that the CRM holds."""
    told = {"platform": "taobao", "shop": "S01", "order_no": str(number), "ordered_at": "2026-11-11T12:00:00+08:00"}
    line = {"sku": GOODS, "qty": 2, "gross": gross}
    amounts = {"freight": Decimal("0.00"), "gross": gross, "lines": [line]}
    return made(ORDER, {"key": f"taobao:S01:{number}", **told, "buyer": {"key": BUYER}, **amounts}, {})


def fxiaoke_product(number: int) -> Record:
    """A product."""
    document = {"key": f"N{number}", "sku": f"N{number}", "name": f"新品 {number}", "unit": "件"}
    return made(PRODUCT, {**document, "price": Decimal("61.50")}, {})


def changed(payload: Record, **fields: Any) -> Record:
    """A payload with other fields of its object."""
    return {**payload, "object": {**payload["object"], **fields}}


def costing(payload: Callable[[int, Decimal], Record]) -> Callable[[Record, Decimal], Record]:
    """The payload for an amount, under a key of its own."""
    return lambda given, amount: {**payload(1, amount), "key": given["key"]}


def sinks() -> dict[str, SinkCase]:
    """What is written; records of the seed are not counted."""
    ours = {"held": lambda rows: [row for row in rows if "duijie_key__c" in row]}
    return {
        "party": SinkCase(
            fxiaoke_party,
            "AccountObj",
            held=lambda rows: [row for row in rows if row["duijie_key__c"].startswith("taobao:")],
            spoil=lambda payload: changed(payload, name=""),
            say=fxiaoke_named,
            bare=True,
        ),
        "opportunity": SinkCase(
            fxiaoke_opportunity,
            "NewOpportunityObj",
            spoil=lambda payload: changed(payload, account_id="company:NOBODY"),
            say=lambda payload, text: changed(payload, name=text),
            cost=costing(fxiaoke_opportunity),
            **ours,
        ),
        "sales_order": SinkCase(
            fxiaoke_order,
            "SalesOrderObj",
            spoil=lambda payload: changed(payload, order_time="2026-11-11"),
            say=lambda payload, text: changed(payload, remark=text),
            cost=costing(fxiaoke_order),
            **ours,
        ),
        "product": SinkCase(
            fxiaoke_product,
            "ProductObj",
            spoil=lambda payload: changed(payload, unit="99"),
            say=lambda payload, text: changed(payload, name=text),
            bare=True,
            **ours,
        ),
    }


def native(number: int) -> str:
    return f"65ab{number:020x}"


def rows(make: Callable[[int], Record]) -> list[Record]:
    """Records a minute apart, two of them in the same millisecond."""
    moments = [START + 60_000 * max(number, 1) for number in range(ROWS)]
    times = [{"last_modified_time": moment, "create_time": moment} for moment in moments]
    return [{"_id": native(number), **times[number], **make(number)} for number in range(ROWS)]


def opportunity(number: int) -> Record:
    stage = {"sales_process_id": "5f0a", "sales_stage": "s1", "sales_status": f"o{1 + number % 3}", "probability": "60"}
    return {"name": f"商机 {number}", "account_id": native(0), "amount": f"{number}.50", "close_date": START, **stage}


def order(number: int) -> Record:
    told = {"name": f"DD{number:04}", "account_id": native(0), "order_time": START}
    return {**told, "remark": "" if number % 2 else "加急", "order_amount": f"{113 * (1 + number % 3)}.00"}


def line(number: int, at: int) -> Record:
    """A line of an order; the order `number` has one to three."""
    of = {"_id": f"75ab{number:018x}{at:02}", "order_id": native(number), "product_id": native((number + at) % ROWS)}
    return {**of, "quantity": "2", "sales_price": "56.50", "product_price": "56.50", "subtotal": "113.00"}


def product(number: int) -> Record:
    told = {"name": f"商品 {number}", "product_code": f"A{number}", "product_spec": "500g"}
    return {**told, "unit": "16", "price": "61.50"}


def stock(number: int) -> Record:
    figures = {"real_stock": f"{number}.5", "blocked_stock": "0.5", "available_stock": str(number)}
    return {"product_id": native(number), "warehouse_id": native(0), **figures}


def seed() -> dict[str, Any]:
    """Twelve of each, and a customer."""
    records = {
        "AccountObj": [{"_id": native(0), "name": "福州测试贸易有限公司", "duijie_key__c": BUYER}],
        "NewOpportunityObj": rows(opportunity),
        "SalesOrderObj": rows(order),
        "SalesOrderProductObj": [line(number, at) for number in range(ROWS) for at in range(1 + number % 3)],
        "ProductObj": rows(product),
        "SupplierObj": rows(lambda n: {"name": f"供应商 {n}"}),
        "WarehouseObj": rows(lambda n: {"name": f"仓库 {n}", "number": f"CK{n}", "is_enable": str(1 + n % 2)}),
        "UnitInfoObj": rows(lambda n: {"name": f"单位 {n}"}),
        "StockObj": rows(stock),
    }
    return {"records": records}


def streams() -> dict[str, StreamCase]:
    """Ours by our key, all others by `_id`."""
    settings = {"product": {"tax_rate": "0.13"}}
    cases = {
        name: StreamCase(
            DAY,
            ROWS,
            mapping=MAPPINGS / f"fxiaoke/{name}.in.yaml",
            lookup=IN,
            settings=settings.get(name, {}),
            whole=name == "stock",
        )
        for name in ("opportunity", "sales_order", "product", "supplier", "warehouse", "unit", "stock")
    }
    return {"account": StreamCase(lately(), ROWS + 1, fill=filled("party", sinks()["party"], ROWS)), **cases}


def fxiaoke(url: str) -> Site:
    """One company."""
    config = fxiaoke_objects.CONFIG
    return Site(
        FXIAOKE,
        url,
        str(config["app_id"]),
        str(config["app_secret"]),
        {
            **{name: config[name] for name in ("permanent_code", "open_user_id")},
            "rate": "10000/second",
            "page_size": 5,
        },
        seed=seed(),
        streams=streams(),
        sinks=sinks(),
        token_path="corpAccessToken/get",
        shifts=True,
    )


SITE = served(FxiaokeSandbox, fxiaoke)
