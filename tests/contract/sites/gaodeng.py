"""高灯 under contract, on its new gateway with amounts in 分. Its streams are read by our numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.gaodeng import CONNECTOR as GAODENG
from connectors.gaodeng.hook import token_of
from connectors.gaodeng.signature import authorization, old_signature
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.hooks import Call
from duijie.connect.protocol import Connector, Window
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox.gaodeng import GaodengSandbox
from tests.contract.served import CHINA_DAY, MAPPINGS, filled, served

REQUEST, RED = (load_mapping(MAPPINGS / f"gaodeng/{name}.out.yaml") for name in ("invoice_request", "red_request"))
SELLER = "339902999999789113"
ISSUED, REVERSED = 12, 5
OLD = {"order_id": "SO20261123-0001", "title_type": 2, "items": [{"name": "示例商品", "total_price": 10000}]}


def request(number: int, gross: Decimal = Decimal("113.00")) -> Record:
    """A 专票 of one line at 13 %."""
    tax = (gross * 13 / 113).quantize(Decimal("0.01"))
    amounts = {"net": gross - tax, "tax": tax, "gross": gross}
    line = {"line_no": 1, "name": "面条", "unit": "件", "tax_class_code": "1030299990000000000", **amounts}
    document = {
        "request_no": f"DJ{number}",
        "kind": "special",
        "seller_tax_no": SELLER,
        "buyer": {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"},
        "lines": [{**line, "tax_rate": Decimal("0.13"), "qty": 1, "price": amounts["net"]}],
        **amounts,
    }
    return REQUEST.run(document, StaticLookup(), {}) or {}


def red(number: int) -> Record:
    """All of a blue invoice taken back."""
    amounts = {"gross": Decimal("-113.00"), "tax": Decimal("-13.00")}
    document = {"request_no": f"HZ{number}", "blue_request_no": f"DJ{number}", "lines": [], **amounts}
    return RED.run(document, StaticLookup(), {}) or {}


def asked(*keys: str) -> Window:
    """These numbers."""
    return Window(CHINA_DAY, CHINA_DAY + timedelta(days=1), keys=keys)


def reversed_blues(connector: Connector) -> None:
    """Issue and take back."""
    filled("invoice_request", SinkCase(request, "bureau_blue"), REVERSED)(connector)
    connector.sinks["red_request"].write([red(number) for number in range(1, REVERSED + 1)])


def streams() -> dict[str, StreamCase]:
    """Blue invoices by our numbers, red ones by application and order."""
    fills: dict[str, tuple[list[str], Callable[[Connector], None]]] = {
        "invoice": (
            [f"DJ{number}" for number in range(1, ISSUED + 1)],
            filled("invoice_request", SinkCase(request, "bureau_blue"), ISSUED),
        ),
        "red_invoice": ([f"HZ{number}@DJ{number}" for number in range(1, REVERSED + 1)], reversed_blues),
    }
    return {
        name: StreamCase(
            asked(*keys),
            len(keys),
            empty=asked(f"{keys[0]}000"),
            mapping=MAPPINGS / f"gaodeng/{name}.in.yaml",
            fill=fill,
        )
        for name, (keys, fill) in fills.items()
    }


def notified(_: datetime, body: bytes | None) -> Call:
    mine = Connection("contract", "gaodeng", password="gd-demo-secret")
    said = codec.encode({"notify_type": "invoice.blue", "order_id": "DJ1", "ticket_status": "2"})
    headers = {"content-type": "application/json"}
    return Call("", headers, {"t": token_of(mine)}, said if body is None else body, datetime.now(UTC))


def gaodeng(url: str) -> Site:
    """Requests, what becomes of them, and the notifications that point at them."""
    requests = SinkCase(
        request,
        "bureau_blue",
        spoil=lambda made: {**made, "order": {**made["order"], "buyer_title": ""}},
        say=lambda made, text: {**made, "order": {**made["order"], "remark": text}},
        cost=lambda made, amount: request(int(made["order"]["order_id"][2:]), amount),
    )
    extra = {
        "gateway": "new",
        "amount_unit": "fen",
        "code_normal": "SD-P",
        "code_special": "SD-Z",
        "tax_no": SELLER,
        "rate": "10000/second",
    }
    call = ("/tax-api/invoice/blue/v1", b'{"order_id":"SO20261123-0001"}')
    made = "frWUEUexQEispiAak/1jZ1EOyl6oWxXwrGH8TKZoREc="
    return Site(
        GAODENG,
        url,
        "gd-demo",
        "gd-demo-secret",
        extra,
        seed={"issue_seconds": 0, "bureau": {"credit_line": "1000000000.00"}},
        streams=streams(),
        sinks={"invoice_request": requests},
        hook=HookCase(notified, lambda call: replace(call, query={"t": "0" * 32}), hint=True),
        skewed=True,
        vectors=[
            (
                "new gateway",
                lambda: authorization("gd_demo", "gd-demo-secret", "123456", "1700000000", call).split("signature=")[1],
                made,
            ),
            (
                "old gateway",
                lambda: old_signature("gd_demo", "gd-demo-secret", "1700000000", OLD),
                "3E68852B2247980D56FFFF17F72C6DE6",
            ),
        ],
    )


SITE = served(GaodengSandbox, gaodeng)
