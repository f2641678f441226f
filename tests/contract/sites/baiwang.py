"""百望云 under contract. Invoices are read by our numbers, red forms in a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from connectors.baiwang import CONNECTOR as BAIWANG
from connectors.baiwang.client import hashed, sign
from duijie.codec import Record
from duijie.connect.protocol import Connector, Window
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox.baiwang import BaiwangSandbox
from tests.connectors import canonical_invoice as canonical
from tests.contract.served import MAPPINGS, filled, lately, served

SELLER = "91440101MA5DEMK12X"
SEEDED, ISSUED, REVERSED = 25, 45, 23  # more than one call asks for, more than one page of forms
CALL = {
    "method": "baiwang.s.outputinvoice.invoice",
    "appKey": "1000001",
    "token": "token-demo-0001",
    "timestamp": "1700000000000",
    "version": "6.0",
    "format": "json",
    "type": "sync",
    "requestId": "11111111-2222-3333-4444-555555555555",
}
BODY = '{"taxNo":"91330106MA2TEST01X","orderNo":"SO20261123-0001","buyerName":"示例采购有限公司"}'
VECTORS = [
    ("签名", lambda: sign("bw-demo-secret", CALL, BODY.encode()), "6923CC8062D4D15BBE0B1312EFB40BBB"),
    ("密码", lambda: hashed("pass", "salt", "6.0"), "f498eeea9ac798b1383e06e3bae9b3c1eed50816"),
]


@cache
def mapped(name: str) -> object:
    """A mapping to 百望云."""
    return load_mapping(MAPPINGS / f"baiwang/{name}.out.yaml")


def made(mapping: str, document: Record) -> Record:
    found: Record = mapped(mapping).run(document, StaticLookup(), {}) or {}  # type: ignore[attr-defined]
    return found


def baiwang_request(number: int) -> Record:
    """A 专票 of one line over 113 yuan."""
    return made("invoice_request", canonical.request(f"DJ{number}", SELLER))


def seeded(number: int) -> Record:
    """One that the sandbox holds from the beginning."""
    return made("invoice_request", canonical.request(f"SEED{number}", SELLER))


def baiwang_red(number: int) -> Record:
    """All of a seeded invoice taken back: the sandbox numbers what it is seeded with from 1 on."""
    blue = {"number": f"{datetime.now(UTC):%y}992{number:015d}", "issued_at": "2026-11-11T12:00:00+08:00"}
    return made("red_request", canonical.red(f"HZ{number}", blue, canonical.request(f"SEED{number}", SELLER)))


def costing(_: Record, amount: Decimal) -> Record:
    """A request over one piece at this price with tax."""
    line = {**canonical.split(amount), "qty": Decimal(1)}
    whole = canonical.request(f"C{amount}".replace(".", ""), SELLER, (str(amount),))
    of = {name: line[name] for name in ("net", "tax", "gross")}
    single = {**whole["lines"][0], "qty": Decimal(1), "price": of["net"]}
    return made("invoice_request", {**whole, "lines": [single]})


def asked(window: Window, prefix: str, number: int) -> Window:
    """So many of our numbers."""
    return replace(window, keys=tuple(f"{prefix}{one}" for one in range(1, number + 1)))


def reversed_blues(connector: Connector) -> None:
    """Take back what was seeded."""
    connector.sinks["red_request"].write([baiwang_red(number) for number in range(1, REVERSED + 1)])


def streams(requests: SinkCase) -> dict[str, StreamCase]:
    """Blue invoices and red ones by our numbers, forms of the last hour."""
    window = lately()
    cases = {
        "invoice": StreamCase(asked(window, "DJ", ISSUED), ISSUED, empty=asked(window, "NONE", 1)),
        "red_invoice": StreamCase(asked(window, "HZ", REVERSED), REVERSED, empty=asked(window, "NONE", 1)),
        "red_form": StreamCase(window, REVERSED),
    }
    fills = {
        "invoice": filled("invoice_request", requests, ISSUED),
        "red_invoice": reversed_blues,
        "red_form": reversed_blues,
    }
    return {
        name: replace(case, mapping=MAPPINGS / f"baiwang/{name}.in.yaml", fill=fills[name])
        for name, case in cases.items()
    }


def baiwang(url: str) -> Site:
    """Requests for blue and red invoices and what becomes of them."""
    requests = SinkCase(
        baiwang_request,
        "bureau_blue",
        held=lambda rows: [row for row in rows if not row["serial"].startswith("SEED")],
        spoil=lambda body: {**body, "buyerName": ""},
        say=lambda body, text: {**body, "remarks": text},
        cost=costing,
    )
    reds = SinkCase(
        baiwang_red,
        "bureau_form",
        spoil=lambda body: {**body, "form": {**body["form"], "originalDigitInvoiceNo": "26992000000000009999"}},
    )
    user = {"username": "admin_demo", "user_password": "demo-password", "user_salt": "demo-salt"}
    return Site(
        BAIWANG,
        url,
        "1000001",
        "bw-demo-secret",
        {"tax_no": SELLER, "drawer": "张三", "rate": "10000/second", **user},
        seed={
            "tax_no": SELLER,
            "bureau": {"issue_seconds": "0", "credit_line": "1000000000.00"},
            "requests": [seeded(number) for number in range(1, SEEDED + 1)],
        },
        streams=streams(requests),
        sinks={"invoice_request": requests, "red_request": reds},
        token_path="baiwang.oauth.token",
        vectors=VECTORS,
    )


SITE = served(BaiwangSandbox, baiwang)
