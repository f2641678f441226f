"""金蝶发票云 旗舰版: what the connector promises, told against a platform that issues while time passes."""

from __future__ import annotations

import base64
import io
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.piaozone import CONNECTOR
from connectors.piaozone.client import error_of
from connectors.piaozone.connector import Piaozone
from connectors.piaozone.crypto import key_of, lock, token_sign, unlock, unwrap, wrap
from connectors.piaozone.hook import token_of
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    Forged,
    LoginNeeded,
    MalformedMessage,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.hooks import Call, Pushed
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Incident, Later, Marking, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import Token, TokenStore
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox.kit import Fault, json_response
from sandbox.piaozone import PiaozoneSandbox
from sandbox.serve import Running
from sandbox.store import Store

SELLER, PASSWORD = "339902999999789113", "sandbox-pass-01"
NOW = datetime(2026, 11, 11, 12, 0, tzinfo=UTC)
MAPPINGS = Path(__file__).parents[2] / "mappings/piaozone"
OUT, RED_OUT, IN, RED_IN = (
    load_mapping(MAPPINGS / f"{name}.yaml")
    for name in ("invoice_request.out", "red_request.out", "invoice.in", "red_invoice.in")
)
COMPANY = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}


class Clock:
    """Time that moves when a test says so; the sandbox and the connector share it."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def pass_by(self, **much: float) -> None:
        self.moment += timedelta(**much)


CLOCK = Clock()


@pytest.fixture(scope="module")
def server() -> Iterator[PiaozoneSandbox]:
    made = PiaozoneSandbox(Store(), CLOCK)
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: PiaozoneSandbox) -> PiaozoneSandbox:
    """The one server of this file, as new, encryption on, two seconds from taking a request to issuing it."""
    CLOCK.moment = NOW
    server.__init__(Store(), CLOCK)
    server.seed({"aes_password": PASSWORD, "issue_seconds": 2})
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


class FarTokens(TokenStore):
    """Keeps a token by the test's clock instead of the machine's."""

    def _keep(self, conn_id: str, token: Token) -> None:
        super()._keep(conn_id, Token(token.value, token.expires_at - CLOCK.seconds() + time.time(), token.extra))


def connection(url: str, **changes: Any) -> Connection:
    extra = {
        "account_id": "1742050739649250304",
        "user": "openapi",
        "system_code": "DJ",
        "tax_no": SELLER,
        "seller_name": "杭州某贸易有限公司",
        "drawer": "张三",
        "encryption": "aes",
        "aes_password": PASSWORD,
        "rate": "10000/second",
    }
    fields = {"host": url, "login": "FPY-demo", "password": "FPY-demo-secret", **changes}
    return Connection("fpy", "piaozone", extra=extra | fields.pop("extra", {}), **fields)


@pytest.fixture
def connect(sandbox: PiaozoneSandbox, tmp_path: Path, incidents: list[Incident]) -> Callable[..., Piaozone]:
    def open_it(**changes: Any) -> Piaozone:
        services = Services(FarTokens(tmp_path / "tokens"), incidents.append, clock=CLOCK.seconds)
        return CONNECTOR.open(connection(sandbox.url, **changes), services)

    return open_it


def line(place: int, gross: str, **changes: Any) -> Record:
    whole = Decimal(gross)
    tax = (whole * 13 / 113).quantize(Decimal("0.01"))
    head = {"line_no": place, "name": f"面条 {place}", "unit": "件", "tax_class_code": "1030299990000000000"}
    amounts = {"net": whole - tax, "tax": tax, "gross": whole, "tax_rate": Decimal("0.13")}
    return {**head, "qty": 2, "price": (whole - tax) / 2, **amounts, **changes}


def request(number: int = 7, lines: tuple[Record, ...] = (), **changes: Any) -> Record:
    lines = lines or (line(1, "113.00"), line(2, "226.00"))
    totals = {name: sum((one[name] for one in lines), Decimal(0)) for name in ("net", "tax", "gross")}
    made = {
        "key": f"DJ{number}",
        "request_no": f"DJ{number}",
        "kind": "special",
        "seller_tax_no": SELLER,
        "buyer": COMPANY,
        "order_key": f"taobao:S01:{number}",
        "ordered_at": "2026-11-11T09:00:00+08:00",
        "lines": list(lines),
        **totals,
        **changes,
    }
    check("invoice_request", made)
    return made


def payload(made: Record) -> Record:
    return OUT.run(made, StaticLookup(), {}) or {}


def red_payload(of: Record, blue: Record, *lines: Record, number: int = 1, **changes: Any) -> Record:
    """All of a blue invoice taken back, or these lines of it."""
    source = lines or ({name: -of[name] for name in ("net", "tax", "gross")},)
    totals = {name: sum((one[name] for one in source), Decimal(0)) for name in ("net", "tax", "gross")}
    document = {
        "key": f"HZ{number}",
        "request_no": f"HZ{number}",
        "reason": "sales_return",
        "blue_request_no": of["request_no"],
        "blue_number": blue["number"],
        "blue_kind": of["kind"],
        "blue_issued_at": blue["issued_at"],
        "seller_tax_no": SELLER,
        "buyer": of["buyer"],
        "lines": list(lines),
        **totals,
        **changes,
    }
    check("red_request", document)
    return RED_OUT.run(document, StaticLookup(), {}) or {}


def half(of: Record) -> Record:
    """One of two pieces of a line."""
    back = {name: -of[name] / 2 for name in ("net", "tax", "gross")}
    return {**of, **back, "qty": -1, "blue_line": of["line_no"]}


def read(connector: Piaozone, stream: str, *keys: str) -> list[Record]:
    return [row for page in connector.streams[stream].read(Window(NOW, NOW, keys=keys)) for row in page.records]


def invoice(connector: Piaozone, number: str, stream: str = "invoice") -> Record:
    [raw] = read(connector, stream, number)
    made = (IN if stream == "invoice" else RED_IN).run(raw, StaticLookup(), {}) or {}
    check("invoice", made)
    return made


def issued(connector: Piaozone, made: Record) -> Record:
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(seconds=2)
    return invoice(connector, made["request_no"])


VECTORS = [
    (
        "synthetic-key",
        "QRV4pRsmj5Vcn3z+fM22Qg==",
        bytes(range(12)),
        '{"amount":0.10,"name":"测试"}',
        "AAECAwQFBgcICQoLGuEesMoFwoz9IFDkmSlYGGeiA1vuby/hOAw8dtO2rM5e+94T5SmL/UCVK3JkYOo=",
    ),
    (
        "sandbox-pass-01",
        "OWerkNdfKkqGyrpS/kt97w==",
        bytes(range(1, 13)),
        '{"serialNo":"SO20261123-0001","amount":100.00}',
        "AQIDBAUGBwgJCgsM3rYcq8yXE/Y9FSVHJI0k8o7wgxJFOipX18ZiEydc0Qf3KxqaaFFQLV8pgBmTRJqAFcGT6zYkIv2KJ5q9emc=",
    ),
]


@pytest.mark.parametrize(("password", "key", "iv", "body", "wrapped"), VECTORS)
def test_data_is_encrypted_as_other_implementations_do(
    password: str, key: str, iv: bytes, body: str, wrapped: str
) -> None:
    assert base64.b64encode(key_of(password)).decode() == key
    assert wrap(body.encode(), password, iv) == wrapped
    assert unwrap(wrapped, password).decode() == body


def test_without_a_password_data_is_base64_alone() -> None:
    body = b'{"serialNo":"SO20261123-0001","amount":100.00}'
    assert wrap(body) == "eyJzZXJpYWxObyI6IlNPMjAyNjExMjMtMDAwMSIsImFtb3VudCI6MTAwLjAwfQ=="


def test_a_changed_or_short_text_is_no_data() -> None:
    sealed = wrap(b"{}", PASSWORD)
    for text in (sealed[:-8] + "AAAAAAA=", "AAAA", "不是"):
        with pytest.raises(ValueError):
            unwrap(text, PASSWORD)


def test_the_standard_edition_signs_and_encrypts_as_published() -> None:
    assert token_sign("CID-demo", "CS-demo-secret", "1700000000") == "e98bfed4eb7a491028aafee2b72ad6de"
    sealed = lock(b'{"serialNo":"SO20261123-0001"}', "0123456789abcdef")
    assert sealed == "7XS+ZW0qKyOGbvtCLP4CfO0R21ErT3uy35frl2ypEX0="
    assert unlock(sealed, "0123456789abcdef") == b'{"serialNo":"SO20261123-0001"}'
    with pytest.raises(ValueError, match="16"):
        lock(b"{}", "short")


def test_a_request_is_taken_at_once_and_issued_while_time_passes(connect: Callable[..., Piaozone]) -> None:
    connector, made = connect(), request()
    assert isinstance(connector, Invoicing)
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    states = []
    for _ in range(3):
        told = invoice(connector, made["request_no"])
        states.append((told["status"], told.get("number", "")[2:4]))
        CLOCK.pass_by(seconds=1)
    assert states == [("issuing", ""), ("issuing", ""), ("issued", "99")]
    told = invoice(connector, made["request_no"])
    assert (told["kind"], told["gross"], told["tax"]) == ("special", Decimal("339.00"), Decimal("39.00"))
    assert told["issued_at"] == "2026-11-11T20:00:02+08:00"
    assert [one["gross"] for one in told["lines"]] == [Decimal("113.00"), Decimal("226.00")]


def test_a_discount_and_a_policy_come_back_as_they_were_sent(connect: Callable[..., Piaozone]) -> None:
    connector = connect()
    discount = {**line(2, "-13.00", nature="discount", name="面条 1")}
    del discount["qty"], discount["price"]
    free = {**line(3, "50.00"), "tax": Decimal("0.00"), "net": Decimal("50.00"), "tax_rate": 0, "policy": "03"}
    told = issued(connector, request(lines=(line(1, "113.00", nature="discounted"), discount, {**free, "price": 25})))
    assert [one["nature"] for one in told["lines"]] == ["discounted", "discount", "normal"]
    assert told["lines"][2]["policy"] == "03"
    assert told["gross"] == Decimal("150.00")


def test_a_tenant_without_encryption_is_served_as_well(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox
) -> None:
    sandbox.seed({"aes_password": ""})
    assert issued(connect(extra={"encryption": "base64"}), request())["status"] == "issued"


def test_the_wrong_encryption_is_refused_and_nothing_is_issued(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox
) -> None:
    [outcome] = connect(extra={"encryption": "base64"}).sinks["invoice_request"].write([payload(request())])
    assert isinstance(outcome, Refused)
    assert "加密方式" in outcome.zh
    assert sandbox.bureau.blues() == []


def test_an_encryption_that_is_half_set_up_is_told_at_once(connect: Callable[..., Piaozone]) -> None:
    with pytest.raises(ConfigError, match="aes_password"):
        connect(extra={"aes_password": ""})
    with pytest.raises(ConfigError, match="encryption"):
        connect(extra={"encryption": "des"})


def test_a_number_used_already_is_looked_up_and_found_with_its_figures_and_marks(
    connect: Callable[..., Piaozone],
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    assert sink.safety is Safety.NATURAL_KEY
    assert isinstance(sink, Marking)
    [first], [second] = sink.write([sent]), sink.write([sent])
    assert isinstance(first, Done)
    assert isinstance(second, Unknown)
    found = sink.find([sink.key_of(sent), "DJNEVERSENT"])
    assert list(found) == [sink.key_of(sent)]
    there = found[sink.key_of(sent)]
    assert dict(there.figures) == dict(sink.figures_of(sent))
    assert dict(there.marks) == dict(sink.marks_of(sent))


def test_another_buyer_under_our_number_shows_in_the_marks(connect: Callable[..., Piaozone]) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    sink.write([sent])
    other = payload(request(buyer={"name": "上海某公司", "tax_no": "91310115MA1DEMA278"}))
    assert dict(sink.find([sink.key_of(other)])[sink.key_of(other)].marks) != dict(sink.marks_of(other))


def test_a_lost_answer_leaves_the_outcome_unknown_and_exactly_one_invoice(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Unknown)
    assert list(sink.find([sink.key_of(sent)])) == [sink.key_of(sent)]
    assert len(sandbox.bureau.blues()) == 1


def test_an_exhausted_credit_line_and_a_login_that_ended_are_told_by_their_causes(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox
) -> None:
    connector = connect()
    sandbox.bureau.settings({"credit_line": "100.00"})
    told = issued(connector, request(1))
    assert (told["status"], told["cause"]) == ("failed", "credit")
    assert "授信额度不足" in told["reason"]
    sandbox.bureau.settings({"credit_line": "10000.00", "login": "scan"})
    assert issued(connector, request(2))["cause"] == "login"
    sandbox.bureau.settings({"login": "in", "unknown_buyers": [COMPANY["tax_no"]]})
    assert issued(connector, request(3))["cause"] == "buyer"


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("10127", "流水号重复", AlreadyThere),
        ("30001", "", AnswerLost),
        ("9999", "开票预扣授信额度失败，授信额度不足", CreditExhausted),
        ("9999", "请先登录电子税务局", LoginNeeded),
        ("9999", "存在未完成的红字信息确认单", VendorBusy),
        ("503", "请先登录后再试", AnswerLost),
        ("9999", "系统异常, 请联系管理员", AnswerLost),
        ("9999", "第 1 行 taxRate 不是数字", VendorRejected),
        ("", "", AnswerLost),
    ],
)
def test_what_the_platform_says_becomes_one_error_of_the_tree(code: str, text: str, kind: type[Exception]) -> None:
    assert isinstance(error_of({"success": False, "errorCode": code, "message": text}, "x"), kind)


def test_an_answer_that_is_no_envelope_is_unknown_and_a_taken_one_is_no_error() -> None:
    assert isinstance(error_of({}, "x"), AnswerLost)
    assert isinstance(error_of({"errorCode": "0"}, "x"), AnswerLost)
    assert error_of({"success": True, "errorCode": "0", "data": "x"}, "x") is None


def test_an_expired_token_is_replaced_and_the_request_goes_out(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox, incidents: list[Incident]
) -> None:
    connector = connect()
    connector.check()
    sandbox.expire_tokens()
    [outcome] = connector.sinks["invoice_request"].write([payload(request())])
    assert isinstance(outcome, Done)
    assert [one.kind for one in incidents] == ["TokenExpired"]


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"login": "wrong"}, {"extra": {"user": "nobody"}}])
def test_each_step_to_a_token_is_refused_as_a_wrong_credential(
    connect: Callable[..., Piaozone], changes: Record
) -> None:
    with pytest.raises(CredentialError, match="E-AUTH"):
        connect(**changes).check()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_token_refused_by_a_status_is_a_credential_error_and_no_refused_invoice(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox, status: int
) -> None:
    sandbox.faults = [Fault("status", match="getAppToken", rate=1.0, status=status)]
    connector = connect()
    with pytest.raises(CredentialError, match=str(status)):
        connector.check()
    assert isinstance(connector.sinks["invoice_request"].write([payload(request())])[0], Later)


def test_a_whole_invoice_is_reversed_and_the_blue_says_so(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox
) -> None:
    connector, made = connect(), request()
    blue = issued(connector, made)
    sink = connector.sinks["red_request"]
    sent = red_payload(made, blue)
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Done)
    assert invoice(connector, "HZ1", "red_invoice")["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    told = invoice(connector, "HZ1", "red_invoice")
    assert (told["status"], told["gross"], told["blue_number"]) == ("issued", Decimal("-339.00"), blue["number"])
    assert told["form_state"] == "01"
    assert read(connector, "invoice", "DJ7")[0]["invoiceStatus"] == "3"
    assert invoice(connector, "DJ7")["status"] == "issued"
    found = sink.find(["HZ1"])["HZ1"]
    assert dict(found.figures) == dict(sink.figures_of(sent))
    assert isinstance(sink, Marking)
    assert dict(found.marks) == dict(sink.marks_of(sent))
    assert sandbox.bureau.credit()[1] == 0


def test_a_part_is_reversed_by_line_and_no_more_than_there_is(connect: Callable[..., Piaozone]) -> None:
    connector, made = connect(), request()
    blue = issued(connector, made)
    sink = connector.sinks["red_request"]
    for number in (1, 2):
        [outcome] = sink.write([red_payload(made, blue, half(made["lines"][1]), number=number)])
        assert isinstance(outcome, Done)
        CLOCK.pass_by(seconds=2)
        assert invoice(connector, f"HZ{number}", "red_invoice")["gross"] == Decimal("-113.00")
    [third] = sink.write([red_payload(made, blue, half(made["lines"][1]), number=3)])
    assert isinstance(third, Refused)
    assert "超过" in third.zh


def test_a_buyer_who_booked_it_must_confirm_and_after_72_hours_the_form_is_void(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox
) -> None:
    connector, made = connect(), request()
    sandbox.bureau.settings({"booked_buyers": [COMPANY["tax_no"]]})
    blue = issued(connector, made)
    connector.sinks["red_request"].write([red_payload(made, blue)])
    waiting = invoice(connector, "HZ1", "red_invoice")
    assert (waiting["status"], waiting["form_state"]) == ("waiting_confirmation", "02")
    sandbox.bureau.answer(waiting["form_no"], "buyer", True)
    CLOCK.pass_by(seconds=2)
    assert invoice(connector, "HZ1", "red_invoice")["status"] == "issued"
    other = request(8)
    connector.sinks["red_request"].write([red_payload(other, issued(connector, other), number=2)])
    CLOCK.pass_by(hours=72)
    void = invoice(connector, "HZ2", "red_invoice")
    assert (void["status"], void["form_state"]) == ("failed", "07")
    assert "72" in void["reason"]


def test_a_token_that_does_not_say_until_when_it_lasts_is_used(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_granted", lambda name, token: json_response({"data": {name: token}}))
    assert isinstance(connect().sinks["invoice_request"].write([payload(request())])[0], Done)


def test_files_are_fetched_and_the_xml_comes_in_a_zip_with_the_number(connect: Callable[..., Piaozone]) -> None:
    connector = connect()
    blue = issued(connector, request())
    assert connector.fetch(blue, "pdf").startswith(b"%PDF")
    assert connector.fetch(blue, "ofd").startswith(b"PK")
    with zipfile.ZipFile(io.BytesIO(connector.fetch(blue, "xml"))) as archive:
        [name] = archive.namelist()
        assert blue["number"].encode() in archive.read(name)


def test_no_file_is_fetched_from_a_host_that_nobody_named(connect: Callable[..., Piaozone]) -> None:
    connector = connect()
    for url in ("http://localhost:1/1.pdf", "file:///etc/passwd", "http://127.0.0.1.evil.example/1.pdf"):
        with pytest.raises(ConfigError, match="file_hosts"):
            connector.fetch({"request_no": "DJ7", "files": {"pdf": url}}, "pdf")
    with pytest.raises(VendorRejected, match="no ofd file yet"):
        connector.fetch({"request_no": "DJ7", "files": {}}, "ofd")


def test_what_the_platform_does_not_document_is_not_offered(connect: Callable[..., Piaozone]) -> None:
    connector = connect()
    for ask in (connector.credit_line, connector.login, lambda: connector.resend({}, Copy(mail="a@example.com"))):
        with pytest.raises(ConfigError, match="no interface"):
            ask()


def called_back(data: Any, interface: str = "INVOICE.OPEN", token: str = "") -> Call:
    said = codec.encode({"interfaceCode": interface, "returnCode": "0", "returnMsg": "success", "data": data})
    query = {"t": token or token_of(connection("http://x"))}
    return Call("", {"content-type": "application/json"}, query, said, NOW)


def test_a_callback_is_a_hint_about_one_number_and_no_more() -> None:
    hook = CONNECTOR.hook(connection("http://x"))  # type: ignore[misc]
    sealed = wrap(b'{"serialNo":"HZ1","invoiceNum":"26992000000000000002"}', PASSWORD)
    [told] = hook.verify(called_back(sealed, "INVOICE.RED")).items
    assert told == Pushed("red_invoice", "HZ1")
    assert hook.verify(called_back(sealed, "INVOICE.CANCEL")).items == ()
    with pytest.raises(Forged):
        hook.verify(called_back(sealed, token="0" * 32))
    with pytest.raises(MalformedMessage):
        hook.verify(called_back(wrap(b"{}", "another")))


def test_the_sandbox_calls_back_with_what_the_hook_reads(
    connect: Callable[..., Piaozone], sandbox: PiaozoneSandbox
) -> None:
    issued(connect(), request())
    parcel = sandbox.call_back("http://x/in/fpy", "DJ7", timedelta())
    call = Call("", dict(parcel.headers), {"t": token_of(connection("http://x"))}, parcel.body, NOW)
    hook = CONNECTOR.hook(connection("http://x"))  # type: ignore[misc]
    assert hook.verify(call).items == (Pushed("invoice", "DJ7"),)


def test_streams_cannot_be_read_by_time(connect: Callable[..., Piaozone]) -> None:
    with pytest.raises(ConfigError, match="serial numbers only"):
        read(connect(), "invoice")
