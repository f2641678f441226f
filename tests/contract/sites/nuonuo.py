"""诺诺 under contract. Invoices are read by our numbers: the platform lists forms only by time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.nuonuo import CONNECTOR as NUONUO
from connectors.nuonuo.client import sign
from connectors.nuonuo.hook import token_of
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.hooks import Call
from duijie.connect.protocol import Connector, Window
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from duijie.derive import invoices
from duijie.mapping import StaticLookup, load_mapping
from sandbox.nuonuo import NuonuoSandbox
from tests.contract.served import CHINA_DAY, MAPPINGS, filled, lately, served

REQUEST, RED = (load_mapping(MAPPINGS / f"nuonuo/{name}.out.yaml") for name in ("invoice_request", "red_request"))
RULES = invoices.load_rules(MAPPINGS / "rules/invoice.yaml")
SELLER = "339902999999789113"
BUYER = "杭州恒信嘉禾科技有限公司"
PUBLISHED = (
    ("secret", "app", "a" * 32, '{"name":"中文"}', "4BzcKzrcoqxPis0W/W3X2ae0uIo="),
    (
        "AS-demo-secret-0001",
        "AK-demo-0001",
        "f" * 32,
        '{"orderNos":["SO20261123-0001"],"isOfferInvoiceDetail":"1"}',
        "hRwbU/qENeo6e1hFQwJ7yyfIZG0=",
    ),
)
ISSUED, REVERSED = 55, 12  # more than one call asks for; of each a form


def nuonuo_request(number: int) -> Record:
    """A 专票 of one line over 113 yuan."""
    return nuonuo_made(str(number), Decimal("113.00"), BUYER)


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


def nuonuo_red(number: int, blue: Record) -> Record:
    """All of a blue invoice taken back."""
    document = {
        "request_no": f"HZ{number}",
        "reason": "sales_return",
        "blue_kind": "special",
        "blue_number": blue["invoiceNo"],
        "seller_tax_no": SELLER,
        "buyer": {"name": BUYER, "tax_no": "91330106MA2DEMK14E"},
        **{name: -Decimal(blue[field]) for name, field in (("gross", "orderAmount"), ("tax", "taxAmount"))},
        "lines": [],
    }
    return RED.run(document, StaticLookup(), {}) or {}


def signed(secret: str, app: str, senid: str, body: str) -> str:
    return sign(secret, app, (senid, "12345678", "1700000000"), body.encode())


def request_no(number: int) -> str:
    return str(nuonuo_request(number)["order"]["orderNo"])


def asked(*keys: str) -> Window:
    """These numbers."""
    return Window(CHINA_DAY, CHINA_DAY + timedelta(days=1), keys=keys)


def reversed_blues(connector: Connector) -> None:
    """Issue and take back."""
    filled("invoice_request", SinkCase(nuonuo_request, "bureau_blue"), REVERSED)(connector)
    window = asked(*(request_no(number) for number in range(1, REVERSED + 1)))
    blues = [row for page in connector.streams["invoice"].read(window) for row in page.records]
    connector.sinks["red_request"].write([nuonuo_red(number, blue) for number, blue in enumerate(blues, 1)])


def streams() -> dict[str, StreamCase]:
    """Blue invoices and red ones by our numbers, red forms by time."""
    numbers = {
        "invoice": [request_no(number) for number in range(1, ISSUED + 1)],
        "red_invoice": [f"HZ{number}" for number in range(1, REVERSED + 1)],
    }
    fills = {
        "invoice": filled("invoice_request", SinkCase(nuonuo_request, "bureau_blue"), ISSUED),
        "red_invoice": reversed_blues,
    }
    forms = StreamCase(lately(), REVERSED, mapping=MAPPINGS / "nuonuo/red_form.in.yaml", fill=reversed_blues)
    return {"red_form": forms} | {
        name: StreamCase(
            asked(*keys),
            len(keys),
            empty=asked(f"{keys[0]}000"),
            mapping=MAPPINGS / f"nuonuo/{name}.in.yaml",
            fill=fills[name],
        )
        for name, keys in numbers.items()
    }


def nuonuo_changed(made: Record, **changes: object) -> Record:
    return {**made, "order": {**made["order"], **changes}}


def nuonuo_called_back(_: datetime, body: bytes | None) -> Call:
    mine = Connection("contract", "nuonuo", password="AS-demo-secret")
    said = b"operater=callback&orderno=B1" if body is None else body
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Call("", headers, {"t": token_of(mine)}, said, datetime.now(UTC))


def nuonuo(url: str) -> Site:
    """Invoice requests, what becomes of them, and the callbacks that point at them."""
    requests = SinkCase(
        nuonuo_request,
        "bureau_blue",
        spoil=lambda made: nuonuo_changed(made, buyerName=""),
        say=lambda made, text: nuonuo_changed(made, remark=text),
        cost=lambda made, amount: nuonuo_made(f"9{amount}".replace(".", ""), amount, BUYER),
    )
    extra = {"tax_no": SELLER, "clerk": "张三", "token_url": f"{url}/accessToken", "rate": "10000/second"}
    return Site(
        NUONUO,
        url,
        "AK-demo",
        "AS-demo-secret",
        extra,
        seed={"app_key": "AK-demo", "app_secret": "AS-demo-secret", "tax_no": SELLER, "issue_seconds": 0},
        streams=streams(),
        sinks={"invoice_request": requests},
        hook=HookCase(nuonuo_called_back, lambda call: replace(call, query={"t": "0" * 32}), hint=True),
        token_path="accessToken",
        vectors=[
            (body, lambda secret=secret, app=app, senid=senid, body=body: signed(secret, app, senid, body), published)
            for secret, app, senid, body, published in PUBLISHED
        ],
    )


SITE = served(NuonuoSandbox, nuonuo)
