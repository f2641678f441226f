"""票通 under contract. Its streams are read by our numbers; keys are made for each tree, none is part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.piaotong import CONNECTOR as PIAOTONG
from connectors.piaotong.crypto import encrypted
from duijie import codec
from duijie.codec import Record
from duijie.connect.hooks import Call
from duijie.connect.protocol import Connector, Window
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from duijie.derive import invoices
from duijie.mapping import StaticLookup, load_mapping
from sandbox.bureau import CHINA
from sandbox.piaotong import PiaoTongSandbox
from sandbox.piaotong_keys import client_pair, platform_key
from sandbox.store import Store
from tests.contract.served import CHINA_DAY, MAPPINGS, filled, served

REQUEST, RED = (load_mapping(MAPPINGS / f"piaotong/{name}.out.yaml") for name in ("invoice_request", "red_request"))
SELLER = "339902999999789113"
BUYER = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
DES = "123456789012345678901234"
CONTENT = '{"taxpayerNum":"500102201007206608","invoiceReqSerialNo":"DEMO2026112300001"}'
PUBLISHED = (
    "f1HTIIkZCGwuc82bm5jNpktFGkweFnsSfDMMMacqPEG3Ds2v39jG3pow0rMcj8XcjR7HcTPwEROIXbCNzKoC7ZG7Pd1kZcbcncD3FzhP4po="
)
ISSUED, REVERSED = 12, 6
SEEDED = 3  # blues that stand for red_request


def piaotong_document(number: str, gross: Decimal = Decimal("113.00")) -> Record:
    """A request for a 专票 of one line at 13 %."""
    split = invoices.split_tax(gross, Decimal("0.13"))
    line = {"line_no": 1, "name": "面条", "tax_class_code": "1030299990000000000", "tax_rate": Decimal("0.13")}
    named = {"key": f"DJ{number}", "request_no": f"DJ{number}"}
    head = {**named, "kind": "special", "seller_tax_no": SELLER, "buyer": BUYER}
    return {**head, "remark": "订单号 7", **split._asdict(), "lines": [{**line, **split._asdict()}]}


def made(document: Record) -> Record:
    return REQUEST.run(document, StaticLookup(), {}) or {}


def piaotong_request(number: int) -> Record:
    """As it is sent."""
    return made(piaotong_document(str(number)))


def piaotong_red(application: str, blue_number: str, gross: Decimal = Decimal("-113.00")) -> Record:
    """All of a blue invoice taken back."""
    split = invoices.split_tax(gross, Decimal("0.13"))
    head = {"request_no": application, "reason": "sales_return", "blue_number": blue_number, "seller_tax_no": SELLER}
    return RED.run({**head, **split._asdict(), "lines": []}, StaticLookup(), {}) or {}


def asked(*keys: str) -> Window:
    """These numbers."""
    return Window(CHINA_DAY, CHINA_DAY + timedelta(days=1), keys=keys)


def _reversed(connector: Connector) -> None:
    connector.sinks["invoice_request"].write([piaotong_request(number) for number in range(1, REVERSED + 1)])
    window = asked(*(f"DJ{number}" for number in range(1, REVERSED + 1)))
    blues = [row["allEleInvNo"] for page in connector.streams["invoice"].read(window) for row in page.records]
    connector.sinks["red_request"].write([piaotong_red(f"HZ{number}", blue) for number, blue in enumerate(blues, 1)])


def streams() -> dict[str, StreamCase]:
    """Blue invoices and reds by our numbers."""
    blues = asked(*(f"DJ{number}" for number in range(1, ISSUED + 1)))
    reds = asked(*(f"HZ{number}" for number in range(1, REVERSED + 1)))
    mapping = {name: MAPPINGS / f"piaotong/{name}.in.yaml" for name in ("invoice", "red_invoice")}
    fill = filled("invoice_request", SinkCase(piaotong_request, "bureau_blue"), ISSUED)
    return {
        "invoice": StreamCase(blues, ISSUED, asked("DJ9000"), mapping["invoice"], fill=fill),
        "red_invoice": StreamCase(reds, REVERSED, asked("HZ9000"), mapping["red_invoice"], fill=_reversed),
    }


def seeds() -> list[Record]:
    """Blues that stand."""
    contents = [made(piaotong_document(f"00{place}"))["content"] for place in range(1, SEEDED + 1)]
    return [{**one, "invoiceReqSerialNo": f"DEMOSEED{place}"} for place, one in enumerate(contents, 1)]


def seeded_red(number: int) -> Record:
    """A red request for a seeded blue, by the number that the bureau gave to it."""
    return piaotong_red(f"HZ{number}", f"{datetime.now(CHINA):%y}992{number:015d}")


def _written(rows: Sequence[Record]) -> Sequence[Record]:
    return [row for row in rows if not row["serial"].startswith("DEMOSEED")]


def piaotong_changed(payload: Record, **changes: object) -> Record:
    return {**payload, "content": {**payload["content"], **changes}}


def piaotong_pushed(now: datetime, body: bytes | None) -> Call:
    content = {"invoiceType": "1", "code": "0000", "invoiceReqSerialNo": "DEMODJ1", "definedData": "DJ1"}
    there = PiaoTongSandbox(Store(), lambda: now.astimezone(UTC))
    told = there.signed(codec.encode_ordered(content) if body is None else body)
    return Call("", {"content-type": "application/json"}, {}, told, now)


def _forged(call: Call) -> Call:
    told = codec.decode(call.body)
    return replace(call, body=codec.encode_ordered({**told, "sign": told["sign"][::-1]}))


def piaotong(url: str) -> Site:
    """Requests, whole reds and what becomes of them, and the pushes that point at them."""
    requests = SinkCase(
        piaotong_request,
        "bureau_blue",
        _written,
        spoil=lambda payload: piaotong_changed(payload, buyerName=""),
        say=lambda payload, text: piaotong_changed(payload, remark=text),
        cost=lambda _, amount: made(piaotong_document(f"9{amount}".replace(".", ""), amount)),
    )
    private, public = client_pair()
    extra = {
        "des_key": DES,
        "public_key": platform_key(),
        "platform_alias": "DEMO",
        "tax_no": SELLER,
        "seller_name": "票通测试企业",
        "rate": "10000/second",
    }
    return Site(
        PIAOTONG,
        url,
        "11111111",
        private,
        extra,
        seed={
            "public_key": public,
            "tax_no": SELLER,
            "bureau": {"issue_seconds": "0", "credit_line": "1000000000.00"},
            "issued": seeds(),
        },
        streams=streams(),
        sinks={
            "invoice_request": requests,
            "red_request": SinkCase(
                seeded_red, "bureau_form", spoil=lambda payload: piaotong_changed(payload, blueAllEleInvNo="9" * 20)
            ),
        },
        hook=HookCase(piaotong_pushed, _forged),
        vectors=[("content", lambda: encrypted(DES.encode(), CONTENT.encode()), PUBLISHED)],
    )


SITE = served(PiaoTongSandbox, piaotong)
