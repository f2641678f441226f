"""乐企 under contract, with a signature that is the sandbox's own. What it wrote is read by our numbers and by day."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any

from connectors.leqi import CONNECTOR, sm4
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.protocol import Connector, Plugin, Window
from duijie.connect.services import Services
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox.leqi import LeqiSandbox
from tests.contract.served import CHINA_DAY, MAPPINGS, filled, lately, served

REQUEST, RED = (load_mapping(MAPPINGS / f"leqi/{name}.out.yaml") for name in ("invoice_request", "red_request"))
SELLER, CODE = "339902999999789113", "1030299990000000000"
SHORT = StaticLookup({"tax_class_name": {CODE: "方便食品"}})
KEY = "0123456789abcdeffedcba9876543210"
ISSUED, REVERSED = 12, 5


def with_own_register(plugin: Plugin) -> Plugin:
    """The same with a register that is as new as the tokens."""

    @wraps(plugin.open)
    def opened(connection: Connection, services: Services) -> Any:
        own = {**connection.extra, "register": f"{services.tokens._folder}/leqi.db"}
        return plugin.open(replace(connection, extra=own), services)

    return replace(plugin, open=opened)


def request(number: int, gross: Decimal = Decimal("113.00")) -> Record:
    """A 专票 of one line at 13 %."""
    tax = (gross * 13 / 113).quantize(Decimal("0.01"))
    amounts = {"net": gross - tax, "tax": tax, "gross": gross}
    line = {"line_no": 1, "name": "面条", "unit": "件", "tax_class_code": CODE, **amounts}
    document = {
        "request_no": f"DJ{number}",
        "kind": "special",
        "seller_tax_no": SELLER,
        "buyer": {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"},
        "lines": [{**line, "tax_rate": Decimal("0.13"), "qty": 1, "price": amounts["net"]}],
        **amounts,
    }
    return REQUEST.run(document, SHORT, {}) or {}


def red(number: int, blue: str) -> Record:
    """All of a blue invoice taken back."""
    amounts = {"net": Decimal("-100.00"), "tax": Decimal("-13.00")}
    document = {"request_no": f"HZ{number}", "blue_number": blue, "reason": "sales_return", "lines": [], **amounts}
    return RED.run(document, StaticLookup(), {}) or {}


def first_block() -> str:
    """The standard's example: the key encrypted under itself."""
    return base64.b64decode(sm4.encrypt(bytes.fromhex(KEY), KEY))[:16].hex()


def with_field(made: Record, name: str, value: str) -> Record:
    """The payload with another field."""
    return {**made, "invoice": {**made["invoice"], name: value}}


def numbers(connector: Connector) -> list[str]:
    """The numbers of the blue invoices that are to be taken back."""
    keys = [f"DJ{number}" for number in range(1, REVERSED + 1)]
    return sorted(row.native_id for row in connector.sinks["invoice_request"].find(keys).values())


def reversed_blues(connector: Connector) -> None:
    """Issue, and begin to take back."""
    filled("invoice_request", SinkCase(request, "bureau_blue"), REVERSED)(connector)
    reds = [red(at, blue) for at, blue in enumerate(numbers(connector), 1)]
    connector.sinks["red_request"].write(reds)


def asked(*keys: str) -> Window:
    """These numbers."""
    return Window(CHINA_DAY, CHINA_DAY + timedelta(days=1), keys=keys)


def streams() -> dict[str, StreamCase]:
    """Blue invoices by our numbers, red ones by application and blue number, forms by day."""
    first = f"{datetime.now(UTC) + timedelta(hours=8):%y}995"
    reds = [f"HZ{number}@{first}{number:015d}" for number in range(1, REVERSED + 1)]
    blues = [f"DJ{number}" for number in range(1, ISSUED + 1)]
    issue: Callable[[Connector], None] = filled("invoice_request", SinkCase(request, "bureau_blue"), ISSUED)
    made = {
        "invoice": StreamCase(asked(*blues), ISSUED, empty=asked("DJ1000"), fill=issue),
        "red_invoice": StreamCase(asked(*reds), REVERSED, empty=asked("HZ1@0"), fill=reversed_blues),
        "red_form": StreamCase(lately(), REVERSED, fill=reversed_blues),
    }
    return {name: replace(case, mapping=MAPPINGS / f"leqi/{name}.in.yaml") for name, case in made.items()}


def leqi(url: str) -> Site:
    """Uploads, what becomes of them, red forms."""

    requests = SinkCase(
        request,
        "bureau_blue",
        spoil=lambda made: with_field(made, "gmfmc", ""),
        say=lambda made, text: with_field(made, "bz", text),
        cost=lambda made, amount: request(int(made["serial"][2:]), amount),
    )
    extra = {
        "user_platform": "SY-demo",
        "ability": "01",
        "signer": "sandbox",
        "signer_secret": "sandbox-secret",
        "tax_no": SELLER,
        "seller_name": "乐企测试企业",
        "drawer": "管理员",
        "region": "3301",
        "ip": "127.0.0.1",
        "mac": "00-00-00-00-00-00",
        "line_code": "00",
        "register": f"{tempfile.mkdtemp(prefix='duijie-leqi-')}/register.db",
        "rate": "10000/second",
    }
    return Site(
        with_own_register(CONNECTOR),
        url,
        "PT-demo",
        KEY,
        extra,
        seed={"issue_seconds": 0, "bureau": {"credit_line": "1000000000.00"}},
        streams=streams(),
        sinks={"invoice_request": requests},
        vectors=[
            (
                "SM4, GB/T 32907",
                first_block,
                "681edf34d206965e86b3e94f536e4246",
            ),
        ],
    )


SITE = served(LeqiSandbox, leqi)
