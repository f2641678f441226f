"""诺诺 under contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from connectors.nuonuo import CONNECTOR as NUONUO
from connectors.nuonuo.hook import token_of
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.hooks import Call
from duijie.contract import HookCase, SinkCase, Site
from duijie.derive import invoices
from duijie.mapping import StaticLookup, load_mapping
from sandbox.nuonuo import NuonuoSandbox
from tests.contract.served import MAPPINGS, served

REQUEST = load_mapping(MAPPINGS / "nuonuo/invoice_request.out.yaml")
RULES = invoices.load_rules(MAPPINGS / "rules/invoice.yaml")
SELLER = "339902999999789113"


def nuonuo_request(number: int) -> Record:
    """A 专票 of one line over 113 yuan."""
    return nuonuo_made(str(number), Decimal("113.00"), "杭州恒信嘉禾科技有限公司")


def nuonuo_made(number: str, gross: Decimal, title: str) -> Record:
    split = invoices.split_tax(gross, Decimal("0.13"))
    taxed = {"tax_class_code": "1030299990000000000", "qty": 1, "tax_rate": Decimal("0.13"), **split._asdict()}
    order = {
        "key": f"taobao:S01:{number}",
        "order_no": number,
        "ordered_at": "2026-11-11T09:00:00+08:00",
        "freight": Decimal("0.00"),
        "gross": gross,
        "invoice_wish": {"title": title, "tax_no": "91330106MA2DEMK14E", "kind": "special"},
        "lines": [{"line_no": 1, "oid": f"{number}1", "sku": "A1", "name": "面条", "unit": "件", **taxed}],
    }
    return REQUEST.run(invoices.blue_request(order, RULES), StaticLookup(), {}) or {}


def nuonuo_changed(made: Record, **changes: object) -> Record:
    return {**made, "order": {**made["order"], **changes}}


def nuonuo_called_back(_: datetime, body: bytes | None) -> Call:
    asked = Connection("contract", "nuonuo", password="AS-demo-secret")
    said = b"operater=callback&orderno=B1" if body is None else body
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Call("", headers, {"t": token_of(asked)}, said, datetime.now(UTC))


def nuonuo(url: str) -> Site:
    """Invoice requests, and the callbacks that point at them."""
    requests = SinkCase(
        nuonuo_request,
        "invoice",
        spoil=lambda made: nuonuo_changed(made, buyerName=""),
        say=lambda made, text: nuonuo_changed(made, remark=text),
        cost=lambda made, amount: nuonuo_made(f"9{amount}".replace(".", ""), amount, "杭州恒信嘉禾科技有限公司"),
    )
    extra = {"tax_no": SELLER, "clerk": "张三", "token_url": f"{url}/accessToken", "rate": "10000/second"}
    return Site(
        NUONUO,
        url,
        "AK-demo",
        "AS-demo-secret",
        extra,
        seed={"app_key": "AK-demo", "app_secret": "AS-demo-secret", "tax_no": SELLER, "issue_seconds": 0},
        streams={},
        sinks={"invoice_request": requests},
        hook=HookCase(nuonuo_called_back, lambda call: replace(call, query={"t": "0" * 32}), hint=True),
        token_path="accessToken",
    )


SITE = served(NuonuoSandbox, nuonuo)
