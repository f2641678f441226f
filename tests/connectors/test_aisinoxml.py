"""航信 eiInterface: what the connector promises over either transport, told against a platform that opens it."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.aisinoxml.client import error_of
from connectors.aisinoxml.connector import AisinoXml
from connectors.aisinoxml.envelope import Answer, Sealed, content_of, encrypt, interface, password, plain, read, request
from connectors.aisinoxml.wsdl import WSDL
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    DataError,
    LoginNeeded,
    MalformedMessage,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox.aisinoxml import AisinoXmlSandbox
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from tests.connectors import canonical_invoice as canonical

PLATFORM, KEY, SELLER = "111MFWIK", "123456789012345678901234", "91310101MA5DEMK12A"
MAPPINGS = Path(__file__).parents[2] / "mappings" / "aisinoxml"
MAPPED = {path.stem: load_mapping(path) for path in MAPPINGS.glob("*.yaml")}
STARTED = datetime.now(UTC)


class Clock:
    """Time that moves when a test says so; the sandbox and the connector share it."""

    def __init__(self) -> None:
        self.moment = STARTED

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def pass_by(self, **time: float) -> None:
        self.moment += timedelta(**time)


CLOCK = Clock()


@pytest.fixture(scope="module")
def server() -> Iterator[AisinoXmlSandbox]:
    made = AisinoXmlSandbox(Store(), CLOCK)
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: AisinoXmlSandbox) -> AisinoXmlSandbox:
    """The one server of this file, as new, two seconds from taking a request to issuing it."""
    CLOCK.moment = STARTED
    server.__init__(Store(), CLOCK)
    server.seed({"tax_no": SELLER, "bureau": {"issue_seconds": "2"}})
    return server


@pytest.fixture
def connect(sandbox: AisinoXmlSandbox, tmp_path: Path) -> Callable[..., AisinoXml]:
    def open_it(**changes: Any) -> AisinoXml:
        caller = {"authorization_code": "3100000090", "register_code": "REG-demo", "tax_no": SELLER}
        seller = {"seller_name": "航信 XML 测试企业", "drawer": "张三", "rate": "10000/second"}
        extra = {**caller, **seller, **changes.pop("extra", {})}
        fields = {"host": sandbox.url, "login": PLATFORM, "password": KEY, **changes}
        services = Services(TokenStore(tmp_path / "tokens"), lambda _: None, clock=CLOCK.seconds)
        return AisinoXml(Connection("hxx", "aisinoxml", extra=extra, **fields), services)

    return open_it


def payload(document: Record) -> Record:
    return MAPPED["invoice_request.out"].run(document, StaticLookup(), {}) or {}


def asked(number: str = "DJ1", amounts: tuple[str, ...] = ("113.00",), **changes: Any) -> Record:
    return canonical.request(number, SELLER, amounts, kind="normal", **changes)


def document(connector: AisinoXml, number: str) -> Record:
    [page] = connector.streams["invoice"].read(Window(STARTED, STARTED, keys=(number,)))
    [raw] = page.records
    found = MAPPED["invoice.in"].run(raw, StaticLookup(), {}) or {}
    check("invoice", found)
    return found


def test_the_seal_and_the_password_are_those_of_other_implementations() -> None:
    expected = "RIpD670ZujnQYb1Rg0welZqCpKVB7EcP9iC2S//tDOz6F7GwBFTkVJM1zC/HhcJr"
    assert encrypt(b'<REQUEST_FPKJXX class="REQUEST_FPKJXX"/>', KEY.encode()) == expected
    told = "1234567890Zjk2OGJhMDdhZjc3MTRjOGM3ZTNkYThiYjBhYWU3MGM="
    assert password("1234567890", "REG-demo", "hex") == told
    assert len(password("1234567890", "REG-demo", "raw")) == 34
    assert password("1234567890", "REG-demo", "empty") == ""


def test_a_request_holds_its_lines_in_order_and_escapes_what_it_must() -> None:
    made = request({"GHFMC": "甲 & <乙>"}, [{"XMMC": "一"}, {"XMMC": "二"}], {"DDH": "DJ1"}).decode()
    assert 'class="FPKJXX_XMXX;" size="2"' in made
    assert "甲 &amp; &lt;乙&gt;" in made
    assert made.index("一") < made.index("二") < made.index("DDH")


def test_content_is_opened_zipped_or_not_sealed_or_not() -> None:
    inner = b"<REQUEST_FPKJXX_FPJGXX_NEW><FP_HM>1</FP_HM></REQUEST_FPKJXX_FPJGXX_NEW>"
    zipped = plain(gzip.compress(inner))
    both = plain(gzip.compress(base64.b64decode(encrypt(inner, KEY.encode()))))
    for content, is_encrypted in ((plain(inner), False), (zipped, False), (both, True)):
        root = content_of(Answer("0000", "", content, is_encrypted), KEY.encode())
        assert root.findtext("FP_HM") == "1"


def test_content_of_another_key_is_sealed_to_us() -> None:
    with pytest.raises(Sealed):
        content_of(Answer("0000", "", encrypt(b"<a/>", b"0" * 24), True), KEY.encode())


@pytest.mark.parametrize("text", ["<html/>", "no xml", '<!DOCTYPE a [<!ENTITY b "c">]><interface>&b;</interface>'])
def test_an_answer_that_is_no_interface_message_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        read(text.encode())


def test_the_outer_message_says_how_its_content_is_sealed() -> None:
    message = interface({"interfaceCode": "X"}, "YQ==", is_encrypted=True).decode()
    assert "<encryptCode>1</encryptCode><codeType>3DES</codeType>" in message
    assert 'version="DZFP1.0"' in message


TRANSPORTS = [{"transport": "xml"}, {"transport": "soap"}, {"transport": "soap", "encryption": "none"}]


@pytest.mark.parametrize("extra", [*TRANSPORTS, {"password_form": "raw"}, {"password_form": "empty"}])
def test_a_request_is_taken_at_once_and_issued_while_time_passes(
    connect: Callable[..., AisinoXml], extra: Record
) -> None:
    connector = connect(extra=extra)
    [outcome] = connector.sinks["invoice_request"].write([payload(asked())])
    assert isinstance(outcome, Done)
    assert outcome.native_id == f"{PLATFORM}DJ1".ljust(25, "0")
    assert document(connector, "DJ1")["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    blue = document(connector, "DJ1")
    assert (blue["status"], blue["gross"], blue["tax"]) == ("issued", Decimal("113.00"), Decimal("13.00"))
    assert blue["number"][2:4] == "99"


def test_a_description_of_the_vendors_own_takes_the_place_of_ours(
    connect: Callable[..., AisinoXml], tmp_path: Path
) -> None:
    own = tmp_path / "vendor.wsdl"
    own.write_bytes(WSDL)
    connector = connect(extra={"transport": "soap", "wsdl": str(own)})
    assert isinstance(connector.sinks["invoice_request"].write([payload(asked())])[0], Done)


def test_the_drawer_and_the_seller_come_from_the_connection(
    connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox
) -> None:
    connect().sinks["invoice_request"].write([payload(asked())])
    [row] = sandbox.bureau.blues()
    assert (row["drawer"], row["seller"]["tax_no"], row["seller"]["name"]) == ("张三", SELLER, "航信 XML 测试企业")


def test_a_discount_line_follows_its_line(connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox) -> None:
    whole = asked(amounts=("113.00", "11.30"))
    first, second = whole["lines"]
    off = {name: second[name] for name in second if name not in ("qty", "price")}
    off |= {"name": first["name"], "nature": "discount", **{one: -second[one] for one in ("net", "tax", "gross")}}
    totals = {"net": Decimal("90.00"), "tax": Decimal("11.70"), "gross": Decimal("101.70")}
    made = {**whole, **totals, "lines": [{**first, "nature": "discounted"}, off]}
    assert isinstance(connect().sinks["invoice_request"].write([payload(made)])[0], Done)
    [row] = sandbox.bureau.blues()
    assert [line["nature"] for line in row["lines"]] == ["discounted", "discount"]


def test_a_number_used_already_is_looked_up_and_found(
    connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(asked())
    assert sink.safety is Safety.LOOKUP
    [first], [second] = sink.write([sent]), sink.write([sent])
    assert isinstance(first, Done)
    assert isinstance(second, Unknown)
    assert list(sink.find(["DJ1", "NEVERSENT"])) == ["DJ1"]
    assert len(sandbox.bureau.blues()) == 1


@pytest.mark.parametrize("extra", TRANSPORTS)
@pytest.mark.parametrize("kind", ["lose_answer", "malformed", "status"])
def test_an_answer_that_does_not_come_leaves_the_outcome_unknown(
    connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox, extra: Record, kind: str
) -> None:
    sink, sent = connect(extra=extra).sinks["invoice_request"], payload(asked())
    sandbox.faults = [Fault(kind, writes=True, count=1, status=502)]
    assert isinstance(sink.write([sent])[0], Unknown)
    assert len(sandbox.bureau.blues()) == (kind != "status")
    assert bool(sink.find(["DJ1"])) == (kind != "status")


@pytest.mark.parametrize(
    ("settings", "cause"),
    [({"credit_line": "50.00"}, "credit"), ({"unknown_buyers": [canonical.COMPANY["tax_no"]]}, "buyer")],
)
def test_what_fails_at_the_bureau_says_why(
    connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox, settings: Record, cause: str
) -> None:
    sandbox.bureau.settings(settings)
    connector = connect()
    connector.sinks["invoice_request"].write([payload(asked())])
    CLOCK.pass_by(seconds=2)
    blue = document(connector, "DJ1")
    assert (blue["status"], blue["cause"]) == ("failed", cause)


def answering(sandbox: AisinoXmlSandbox, code: str, text: str, inner: Record | None) -> None:
    """Every query is answered with this."""
    sandbox._interfaces["ECXML.FPXZ.CX.E_INV"] = lambda _asked: ((code, text), inner)


@pytest.mark.parametrize(
    ("code", "text", "inner"),
    [
        ("9999", "系统繁忙, 请稍后再试", None),
        ("9999", "参数校验未通过", None),
        ("0000", "处理成功", None),
        ("0000", "处理成功", {"FPQQLSH": "X", "FP_HM": "", "RETURNCODE": "0000"}),
        ("0000", "处理成功", {"RETURNCODE": "9999", "RETURNMESSAGE": "系统异常"}),
    ],
)
def test_an_answer_that_says_nothing_of_an_invoice_leaves_it_in_doubt(
    connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox, code: str, text: str, inner: Record | None
) -> None:
    answering(sandbox, code, text, inner)
    connector = connect()
    with pytest.raises(AnswerLost, match="DJ1"):
        connector.sinks["invoice_request"].find(["DJ1"])
    assert document(connector, "DJ1")["status"] == "issuing"


@pytest.mark.parametrize("inner", [{"FP_HM": "", "RETURNCODE": "2000", "RETURNMESSAGE": "授信额度不足"}, None])
def test_what_is_said_to_have_failed_is_there(
    connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox, inner: Record | None
) -> None:
    answering(sandbox, "0000" if inner else "9999", "开票失败: 授信额度不足", inner)
    connector = connect()
    assert list(connector.sinks["invoice_request"].find(["DJ1"])) == ["DJ1"]
    assert (document(connector, "DJ1")["status"], document(connector, "DJ1")["cause"]) == ("failed", "credit")


def test_a_drawer_who_is_not_logged_in_is_waited_for(
    connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox
) -> None:
    sandbox.bureau.settings({"login": "login"})
    connector = connect()
    connector.sinks["invoice_request"].write([payload(asked())])
    CLOCK.pass_by(seconds=2)
    assert document(connector, "DJ1")["status"] == "waiting_login"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("授信额度不足", CreditExhausted),
        ("请先登录电子税务局", LoginNeeded),
        ("授权码错误", CredentialError),
        ("购方名称不能为空", VendorRejected),
    ],
)
def test_the_words_of_a_refusal_say_what_to_do(text: str, kind: type[Exception]) -> None:
    assert isinstance(error_of("9999", text, "x"), kind)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"GHFMC": ""}, "购方名称"), ({"KPHJJE": "113.01"}, "KPHJJE"), ({"KPLX": "2"}, "红字确认单")],
)
def test_a_request_that_breaks_the_field_table_is_refused_in_the_platforms_words(
    connect: Callable[..., AisinoXml], change: Record, words: str
) -> None:
    sent = payload(asked())
    [outcome] = connect().sinks["invoice_request"].write([{**sent, "head": {**sent["head"], **change}}])
    assert isinstance(outcome, Refused)
    assert words in outcome.zh


@pytest.mark.parametrize("changes", [{"kind": "special"}, {"special": {"factor": "building"}}])
def test_what_the_interface_has_no_fields_for_never_leaves(changes: Record) -> None:
    with pytest.raises(DataError, match="没有公布"):
        payload({**asked(), **changes})


def test_the_pdf_is_fetched_and_nothing_else(connect: Callable[..., AisinoXml]) -> None:
    connector = connect()
    connector.sinks["invoice_request"].write([payload(asked())])
    with pytest.raises(VendorBusy, match="no PDF"):
        connector.fetch({"request_no": "DJ1"}, "pdf")
    CLOCK.pass_by(seconds=2)
    assert connector.fetch(document(connector, "DJ1"), "pdf").startswith(b"%PDF")
    with pytest.raises(ConfigError, match="documents no interface"):
        connector.fetch(document(connector, "DJ1"), "ofd")


def test_an_invoice_is_sent_again_by_mail(connect: Callable[..., AisinoXml], sandbox: AisinoXmlSandbox) -> None:
    connector = connect()
    assert isinstance(connector, Invoicing)
    connector.sinks["invoice_request"].write([payload(asked())])
    CLOCK.pass_by(seconds=2)
    blue = document(connector, "DJ1")
    connector.resend(blue, Copy(mail="a@example.com", phone="13900000000"))
    [sent] = sandbox.store.all("delivery")
    assert sent == {"number": blue["number"], "mail": "a@example.com", "phone": "13900000000"}


def test_what_the_platform_does_not_document_says_so(connect: Callable[..., AisinoXml]) -> None:
    connector = connect()
    for ask in (connector.credit_line, connector.login):
        with pytest.raises(ConfigError, match="documents no interface"):
            ask()


@pytest.mark.parametrize(
    "changes", [{"password": "0" * 24}, {"extra": {"authorization_code": "x"}}, {"extra": {"register_code": "x"}}]
)
def test_a_wrong_key_or_code_is_a_credential_error(connect: Callable[..., AisinoXml], changes: Record) -> None:
    with pytest.raises(CredentialError):
        connect(**changes).check()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "short"}, "24 characters"),
        ({"extra": {"transport": "fax"}}, "transport must be one of"),
        ({"extra": {"password_form": "x"}}, "password_form"),
    ],
)
def test_a_setting_that_cannot_work_is_told_when_the_connection_opens(
    connect: Callable[..., AisinoXml], changes: Record, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        connect(**changes)


def test_a_pull_without_numbers_is_told_to_poll(connect: Callable[..., AisinoXml]) -> None:
    with pytest.raises(ConfigError, match="poll"):
        list(connect().streams["invoice"].read(Window(STARTED, STARTED)))
