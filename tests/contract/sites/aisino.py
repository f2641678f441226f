"""航信 51发票 under contract. Its streams are read by our numbers; its sinks carry no figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from connectors.aisino import CONNECTOR as AISINO
from connectors.aisino.envelope import access_token, key_of, sealed, sign
from duijie.codec import Record
from duijie.connect.protocol import Connector, Window
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import Mapping, StaticLookup, load_mapping
from sandbox.aisino import AisinoSandbox
from tests.connectors import canonical_invoice as canonical
from tests.contract.served import MAPPINGS, filled, lately, served

SELLER = "91440606MA5DEMK124"
SEEDED, ISSUED, REVERSED = 12, 52, 11  # more than one page
STAMP, ORGANISATION, AUTHORISATION = "20231014180655", "101000", "b1492023dcd5368e"
ASKED = b'{"fpqqlsh":"SO202611230001","nsrsbh":"91440606MA41111111","invoiceKind":"82"}'
DATAGRAM = (
    "YTVjNjhhNTUyOGViMTM2ZWUyMGVlOTlkNTA3ZmVlOGFiNmE5MDc2YmUyYmQ1MDZlOWIzMWZmMDk1YjI3OGZmYTk3ZDQ1YzYzMGYxYWVlOGQwN2RjYz"
    "AyN2NjNzQ3YzdlNjY5ZjYxNGNmOThhZjc3Yjc0NjVlODI5MDc1OTdmMWY0NDkwNDEwN2Q3OWY3ODFkZjAwZDNkODBiMjZjZGI4MA=="
)
SIGNATURE = "3ACEF1C37CAD6518A980BE1F1625210493F7BE0752D37009E8411058211BA3B7"
OF_THE_VENDOR = "BB2DBF98C94988269586CBDF83A5AABC8F65ABBCA9A931B11DAFFDC6A3D0F625"


def envelope() -> Record:
    """The published call, sealed anew."""
    token = access_token(ORGANISATION, "91440606MA41111111", STAMP)
    key = key_of(AUTHORISATION, ORGANISATION, STAMP)
    return dict(sealed("ele.encrypt.queryResult", ASKED, token, key))


VECTORS = [
    ("密钥", lambda: key_of(AUTHORISATION, ORGANISATION, STAMP), b"19378f02fb23924c"),
    ("datagram", lambda: envelope()["datagram"], DATAGRAM),
    ("signature", lambda: envelope()["signature"], SIGNATURE),
    ("HMAC of the vendor's document", lambda: sign(("航天信息股份有限公司",), b"12345678"), OF_THE_VENDOR),
]


@cache
def mapped(name: str) -> Mapping:
    """A mapping to 航信."""
    return load_mapping(MAPPINGS / f"aisino/{name}.out.yaml")


def made(mapping: str, document: Record) -> Record:
    return mapped(mapping).run(document, StaticLookup(), {}) or {}


def aisino_request(number: int) -> Record:
    """A 专票 of one line over 113 yuan, every other one a 普票."""
    kind = "special" if number % 2 else "normal"
    return made("invoice_request", canonical.request(f"DJ{number}", SELLER, kind=kind))


def seeded(number: int) -> Record:
    """One that the sandbox holds from the beginning."""
    return made("invoice_request", canonical.request(f"SEED{number}", SELLER))


def aisino_red(number: int) -> Record:
    """All of a seeded invoice taken back: the sandbox numbers what it is seeded with from 1 on."""
    blue = {"number": f"{datetime.now(UTC):%y}992{number:015d}", "issued_at": "2026-11-11T12:00:00+08:00"}
    return made("red_request", canonical.red(f"HZ{number}", blue, canonical.request(f"SEED{number}", SELLER)))


def asked(window: Window, prefix: str, number: int) -> Window:
    """So many of our numbers."""
    return replace(window, keys=tuple(f"{prefix}{one}" for one in range(1, number + 1)))


def reversed_blues(connector: Connector) -> None:
    """Take back what was seeded."""
    connector.sinks["red_request"].write([aisino_red(number) for number in range(1, REVERSED + 1)])


def streams(requests: SinkCase) -> dict[str, StreamCase]:
    """Blue invoices and red ones by our numbers."""
    window = lately()
    cases = {
        "invoice": StreamCase(asked(window, "DJ", ISSUED), ISSUED, empty=asked(window, "NONE", 1)),
        "red_invoice": StreamCase(asked(window, "HZ", REVERSED), REVERSED, empty=asked(window, "NONE", 1)),
    }
    fills = {"invoice": filled("invoice_request", requests, ISSUED), "red_invoice": reversed_blues}
    return {
        name: replace(case, mapping=MAPPINGS / f"aisino/{name}.in.yaml", fill=fills[name])
        for name, case in cases.items()
    }


def aisino(url: str) -> Site:
    """Requests for blue and red invoices and what becomes of them."""
    requests = SinkCase(
        aisino_request,
        "bureau_blue",
        held=lambda rows: [row for row in rows if not row["serial"].startswith("SEED")],
        spoil=lambda body: {**body, "payerName": ""},
        say=lambda body, text: {**body, "bz": text},
        bare=True,
    )
    reds = SinkCase(
        aisino_red,
        "bureau_form",
        spoil=lambda body: {**body, "originInvoiceNo": "26992000000000009999"},
        bare=True,
    )
    return Site(
        AISINO,
        url,
        ORGANISATION,
        AUTHORISATION,
        {"tax_no": SELLER, "invoicer": "张三", "rate": "10000/second"},
        seed={
            "tax_no": SELLER,
            "bureau": {"issue_seconds": "0"},
            "requests": [seeded(number) for number in range(1, SEEDED + 1)],
        },
        streams=streams(requests),
        sinks={"invoice_request": requests, "red_request": reds},
        vectors=VECTORS,
    )


SITE = served(AisinoSandbox, aisino)
