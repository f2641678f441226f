"""发票SDK under contract: it cannot be asked by serial; found is what was answered, or what the same bytes bring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from connectors.taxinvoice import CONNECTOR as TAXINVOICE
from connectors.taxinvoice.client import sign
from duijie.codec import Record
from duijie.connect.protocol import Connector, Window
from duijie.contract import SinkCase, Site, StreamCase
from duijie.derive import invoices
from duijie.mapping import StaticLookup, load_mapping
from sandbox.bureau import CHINA
from sandbox.taxinvoice import TaxInvoiceSandbox
from tests.contract.served import CHINA_DAY, MAPPINGS, filled, lately, served

REQUEST, RED, ISSUE = (
    load_mapping(MAPPINGS / f"taxinvoice/{name}.out.yaml") for name in ("invoice_request", "red_request", "red_issue")
)
SELLER = "339902999999789113"
BUYER = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
FORM_FIELDS = {"state": "qrdzt", "red_number": "hzfphm", "initiator": "lrfsf"}
CREDIT_FIELDS = {"total": "sxzed", "used": "yyed"}
BEGUN, ISSUED = 6, 12
SEEDED = 3  # blues that stand for red_request, as many with a form for red_issue
VECTORS = (
    ("POST", "blueTicket", "F8786906649FAE94C618BA912FB719BD185AAB17AF9E9DA33B870B5AC00AEAED"),
    ("POST", "authorization", "37852F0B8B335C0E3E3B33AF82F8C7E82830997EE1955360D5DE3B7C5B19D1A7"),
    ("GET", "getFaceImg", "C37DDE4E4076D2ABEB8D7A2289D765DBED7D89918D6E2C8780A91A07FF445240"),
)


def taxinvoice_document(number: str, gross: Decimal = Decimal("113.00")) -> Record:
    """A request for a 专票 of one line at 13 %."""
    split = invoices.split_tax(gross, Decimal("0.13"))
    line = {"line_no": 1, "name": "*谷物*面条", "tax_class_code": "1030299990000000000", "tax_rate": Decimal("0.13")}
    head = {
        "key": f"DJ{number}",
        "request_no": f"DJ{number}",
        "kind": "special",
        "seller_tax_no": SELLER,
        "buyer": BUYER,
    }
    return {**head, "remark": "订单号 7", **split._asdict(), "lines": [{**line, **split._asdict()}]}


def made(document: Record) -> Record:
    return REQUEST.run(document, StaticLookup(), {}) or {}


def taxinvoice_request(number: int) -> Record:
    """As it is sent."""
    return made(taxinvoice_document(str(number)))


def taxinvoice_red(application: str, blue_number: str, gross: Decimal = Decimal("-113.00")) -> Record:
    """All of a blue invoice taken back."""
    split = invoices.split_tax(gross, Decimal("0.13"))
    head = {"request_no": application, "reason": "sales_return", "blue_number": blue_number, "seller_tax_no": SELLER}
    return RED.run({**head, **split._asdict(), "lines": []}, StaticLookup(), {}) or {}


def taxinvoice_issue(serial: str, red: Record, form_no: str) -> Record:
    """The red invoice of a form."""
    head = {"request_no": serial, "form_no": form_no, "blue_number": red["form"]["yfphm"], "seller_tax_no": SELLER}
    amounts = {"gross": Decimal(red["gross"]), "tax": Decimal(red["tax"])}
    return ISSUE.run({**head, **amounts}, StaticLookup(), {}) or {}


def taxinvoice_begun(connector: Connector, count: int = BEGUN) -> Sequence[Record]:
    """Issue and ask for a red form of each: the red payloads."""
    blues = connector.sinks["invoice_request"].write([taxinvoice_request(number) for number in range(1, count + 1)])
    reds = [taxinvoice_red(f"HZ{number}", blue.native_no) for number, blue in enumerate(blues, 1)]  # type: ignore[union-attr]
    connector.sinks["red_request"].write(reds)
    return reds


def asked(*keys: str) -> Window:
    """These numbers."""
    return Window(CHINA_DAY, CHINA_DAY + timedelta(days=1), keys=keys)


def streams() -> dict[str, StreamCase]:
    """Blue invoices and reds by our numbers, forms by time."""
    blues, reds = (
        [f"{head}{number}" for number in range(1, count + 1)] for head, count in (("DJ", ISSUED), ("HZ", BEGUN))
    )
    mappings = {name: MAPPINGS / f"taxinvoice/{name}.in.yaml" for name in ("invoice", "red_invoice", "red_form")}
    return {
        "invoice": StreamCase(
            asked(*blues),
            ISSUED,
            empty=asked("DJ9000"),
            mapping=mappings["invoice"],
            fill=filled("invoice_request", SinkCase(taxinvoice_request, "bureau_blue"), ISSUED),
        ),
        "red_invoice": StreamCase(
            asked(*reds), BEGUN, empty=asked("HZ9000"), mapping=mappings["red_invoice"], fill=_begin
        ),
        "red_form": StreamCase(lately(), BEGUN + SEEDED, mapping=mappings["red_form"], fill=_begin),
    }


def _begin(connector: Connector) -> None:
    taxinvoice_begun(connector)


def seeded_number(place: int, channel: str = "2") -> str:
    """The number that the bureau gives to the invoice or form that is seeded at this place."""
    return f"{datetime.now(CHINA):%y}99{channel}{place:015d}"


def seeds() -> Record:
    """Six blues, and forms of the last three."""
    seller = {"xhdwmc": "发票SDK测试企业", "username": "13800000000"}
    blues = [made(taxinvoice_document(f"00{place}"))["form"] | seller for place in range(1, 2 * SEEDED + 1)]
    forms = [taxinvoice_red("", seeded_number(place))["form"] for place in range(SEEDED + 1, 2 * SEEDED + 1)]
    return {"issued": blues, "begun": forms}


def seeded_red(number: int) -> Record:
    """A red request for a seeded blue."""
    return taxinvoice_red(f"HZ{number}", seeded_number(number))


def seeded_issue(number: int) -> Record:
    """The red invoice of a seeded form."""
    red = taxinvoice_red("", seeded_number(SEEDED + number))
    return taxinvoice_issue(f"HK{number}", red, seeded_number(2 * SEEDED + number, "3"))


def _written(rows: Sequence[Record]) -> Sequence[Record]:
    return [row for row in rows if not row["serial"].startswith("DJ00")]


def _asked_for(rows: Sequence[Record]) -> Sequence[Record]:
    return [row for row in rows if row["blue_number"] in {seeded_number(place) for place in range(1, SEEDED + 1)}]


def _reversed(rows: Sequence[Record]) -> Sequence[Record]:
    return [row for row in rows if row["red_serial"]]


def taxinvoice_changed(payload: Record, **changes: object) -> Record:
    return {**payload, "form": {**payload["form"], **changes}}


def taxinvoice(url: str) -> Site:
    """Requests, forms and what becomes of them, at a vendor who has said that one serial makes one invoice."""
    requests = SinkCase(
        taxinvoice_request,
        "bureau_blue",
        _written,
        spoil=lambda payload: taxinvoice_changed(payload, ghdwmc=""),
        say=lambda payload, text: taxinvoice_changed(payload, bz=text),
        cost=lambda _, amount: made(taxinvoice_document(f"9{amount}".replace(".", ""), amount)),
    )
    extra = {
        "tax_no": SELLER,
        "seller_name": "发票SDK测试企业",
        "username": "13800000000",
        "deduplicates": True,
        "form_fields": FORM_FIELDS,
        "credit_fields": CREDIT_FIELDS,
        "rate": "10000/second",
    }
    return Site(
        TAXINVOICE,
        url,
        "AK-demo",
        "AS-demo-secret",
        extra,
        seed={
            "app_key": "AK-demo",
            "app_secret": "AS-demo-secret",
            "tax_no": SELLER,
            "deduplicates": True,
            "bureau": {"credit_line": "1000000000.00"},
            **seeds(),
        },
        streams=streams(),
        sinks={
            "invoice_request": requests,
            "red_request": SinkCase(
                seeded_red, "bureau_form", _asked_for, spoil=lambda payload: taxinvoice_changed(payload, yfphm="9" * 20)
            ),
            "red_issue": SinkCase(
                seeded_issue, "bureau_form", _reversed, spoil=lambda payload: taxinvoice_changed(payload, tzdbh="9")
            ),
        },
        token_path="authorization",
        skewed=True,
        vectors=[
            (f"{method} {path}", lambda method=method, path=path: _signed(method, path), published)
            for method, path, published in VECTORS
        ],
    )


def _signed(method: str, path: str) -> str:
    return sign("AS-demo-secret-0001", method, f"/v5/enterprise/{path}", ("A" * 20, "1700000000", "AK-demo-0001"))


SITE = served(TaxInvoiceSandbox, taxinvoice)
