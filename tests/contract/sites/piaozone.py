"""金蝶发票云 旗舰版 under contract. Its streams are read by our numbers: a list cannot be asked for by time."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.piaozone import CONNECTOR as PIAOZONE
from connectors.piaozone.crypto import key_of, token_sign, wrap
from connectors.piaozone.hook import token_of
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.hooks import Call
from duijie.connect.protocol import Connector, Window
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox.piaozone import PiaozoneSandbox
from tests.contract.served import CHINA_DAY, MAPPINGS, filled, served

REQUEST, RED = (load_mapping(MAPPINGS / f"piaozone/{name}.out.yaml") for name in ("invoice_request", "red_request"))
SELLER = "339902999999789113"
BUYER = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
PASSWORD = "sandbox-pass-01"
ISSUED, REVERSED = 12, 5


def request(number: int, gross: Decimal = Decimal("113.00")) -> Record:
    """A 专票 of one line at 13 %."""
    tax = (gross * 13 / 113).quantize(Decimal("0.01"))
    amounts = {"net": gross - tax, "tax": tax, "gross": gross}
    line = {"line_no": 1, "name": "面条", "unit": "件", "tax_class_code": "1030299990000000000", **amounts}
    document = {
        "request_no": f"DJ{number}",
        "kind": "special",
        "seller_tax_no": SELLER,
        "buyer": BUYER,
        "lines": [{**line, "tax_rate": Decimal("0.13"), "qty": 1, "price": amounts["net"]}],
        **amounts,
    }
    return REQUEST.run(document, StaticLookup(), {}) or {}


def red(number: int, blue: Record) -> Record:
    """All of a blue invoice taken back."""
    document = {
        "request_no": f"HZ{number}",
        "reason": "sales_return",
        "blue_kind": "special",
        "blue_number": blue["invoiceNum"],
        "seller_tax_no": SELLER,
        "gross": -Decimal(str(blue["includeTaxAmount"])),
        "tax": -Decimal(str(blue["totalTaxAmount"])),
        "lines": [],
    }
    return RED.run(document, StaticLookup(), {}) or {}


def asked(*keys: str) -> Window:
    """These numbers."""
    return Window(CHINA_DAY, CHINA_DAY + timedelta(days=1), keys=keys)


def reversed_blues(connector: Connector) -> None:
    """Issue and take back."""
    filled("invoice_request", SinkCase(request, "bureau_blue"), REVERSED)(connector)
    window = asked(*(f"DJ{number}" for number in range(1, REVERSED + 1)))
    blues = [row for page in connector.streams["invoice"].read(window) for row in page.records]
    connector.sinks["red_request"].write([red(number, blue) for number, blue in enumerate(blues, 1)])


def streams() -> dict[str, StreamCase]:
    """Blue invoices and red ones by our numbers."""
    fills: dict[str, tuple[list[str], Callable[[Connector], None]]] = {
        "invoice": (
            [f"DJ{number}" for number in range(1, ISSUED + 1)],
            filled("invoice_request", SinkCase(request, "bureau_blue"), ISSUED),
        ),
        "red_invoice": ([f"HZ{number}" for number in range(1, REVERSED + 1)], reversed_blues),
    }
    return {
        name: StreamCase(
            asked(*keys),
            len(keys),
            empty=asked(f"{keys[0]}000"),
            mapping=MAPPINGS / f"piaozone/{name}.in.yaml",
            fill=fill,
        )
        for name, (keys, fill) in fills.items()
    }


def called_back(_: datetime, body: bytes | None) -> Call:
    mine = Connection("contract", "piaozone", password="FPY-demo-secret")
    data = wrap(codec.encode({"serialNo": "DJ1"}), PASSWORD)
    said = codec.encode({"interfaceCode": "INVOICE.OPEN", "returnCode": "0", "returnMsg": "success", "data": data})
    headers = {"content-type": "application/json"}
    return Call("", headers, {"t": token_of(mine)}, said if body is None else body, datetime.now(UTC))


def piaozone(url: str) -> Site:
    """Requests, reversals, what becomes of them, and the callbacks that point at them."""
    requests = SinkCase(
        request,
        "bureau_blue",
        spoil=lambda made: {**made, "buyerName": ""},
        say=lambda made, text: {**made, "remark": text},
        cost=lambda made, amount: request(int(made["serialNo"][2:]), amount),
    )
    extra = {
        "account_id": "1742050739649250304",
        "user": "openapi",
        "system_code": "DJ",
        "tax_no": SELLER,
        "seller_name": "杭州恒信嘉禾贸易有限公司",
        "drawer": "张三",
        "encryption": "aes",
        "aes_password": PASSWORD,
        "rate": "10000/second",
    }
    return Site(
        PIAOZONE,
        url,
        "FPY-demo",
        "FPY-demo-secret",
        extra,
        seed={"aes_password": PASSWORD, "issue_seconds": 0, "bureau": {"credit_line": "1000000000.00"}},
        streams=streams(),
        sinks={"invoice_request": requests},
        hook=HookCase(called_back, lambda call: replace(call, query={"t": "0" * 32}), hint=True),
        token_path="getAppToken",
        vectors=[
            (
                "AES-128-GCM",
                lambda: wrap(b'{"serialNo":"SO20261123-0001","amount":100.00}', PASSWORD, bytes(range(1, 13))),
                "AQIDBAUGBwgJCgsM3rYcq8yXE/Y9FSVHJI0k8o7wgxJFOipX18ZiEydc0Qf3KxqaaFFQLV8pgBmTRJqAFcGT6zYkIv2KJ5q9emc=",
            ),
            ("SHA1PRNG", lambda: b64encode(key_of(PASSWORD)).decode(), "OWerkNdfKkqGyrpS/kt97w=="),
            (
                "标准版",
                lambda: token_sign("CID-demo", "CS-demo-secret", "1700000000"),
                "e98bfed4eb7a491028aafee2b72ad6de",
            ),
        ],
    )


SITE = served(PiaozoneSandbox, piaozone)
