"""航信 51发票: what the connector promises, told against a gateway that opens only what is sealed with its key."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.aisino.client import error_of
from connectors.aisino.connector import Aisino
from connectors.aisino.envelope import Unreadable, access_token, key_of, seal, sealed, sign, stamp_of, unseal
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    DataError,
    LoginNeeded,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Halt, Incident, Later, Marking, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox import aisino as aisino_sandbox
from sandbox.aisino import AisinoSandbox
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from tests.connectors import canonical_invoice as canonical

ORGANISATION, AUTHORISATION, SELLER = "101000", "b1492023dcd5368e", "91440606MA5DEMK124"
STAMP = "20231014180655"
KEY = key_of(AUTHORISATION, ORGANISATION, STAMP)
MAPPINGS = Path(__file__).parents[2] / "mappings" / "aisino"
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
def server() -> Iterator[AisinoSandbox]:
    made = AisinoSandbox(Store(), CLOCK)
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: AisinoSandbox) -> AisinoSandbox:
    """The one server of this file, as new, two seconds from taking a request to issuing it."""
    CLOCK.moment = STARTED
    server.__init__(Store(), CLOCK)
    server.seed({"tax_no": SELLER, "bureau": {"issue_seconds": "2"}})
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


@pytest.fixture
def connect(sandbox: AisinoSandbox, tmp_path: Path, incidents: list[Incident]) -> Callable[..., Aisino]:
    def open_it(**changes: Any) -> Aisino:
        extra = {"tax_no": SELLER, "invoicer": "张三", "rate": "10000/second", **changes.pop("extra", {})}
        fields = {"host": sandbox.url, "login": ORGANISATION, "password": AUTHORISATION, **changes}
        services = Services(TokenStore(tmp_path / "tokens"), incidents.append, clock=CLOCK.seconds)
        return Aisino(Connection("hx", "aisino", extra=extra, **fields), services)

    return open_it


def made(name: str, document: Record) -> Record:
    return MAPPED[name].run(document, StaticLookup(), {}) or {}


def payload(document: Record) -> Record:
    return made("invoice_request.out", document)


def document(connector: Aisino, stream: str, number: str) -> Record:
    window = Window(STARTED, STARTED, keys=(number,))
    [raw] = [record for page in connector.streams[stream].read(window) for record in page.records]
    found = made(f"{stream}.in", raw)
    check("invoice", found)
    return found


def issued(connector: Aisino, asked: Record) -> Record:
    """Request it, let the time pass, read it back."""
    [outcome] = connector.sinks["invoice_request"].write([payload(asked)])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(seconds=2)
    return document(connector, "invoice", asked["request_no"])


def reversing(connector: Aisino, asked: Record, number: str = "HZ1", **changes: Any) -> Record:
    blue = document(connector, "invoice", asked["request_no"])
    return made("red_request.out", canonical.red(number, blue, asked, **changes))


def test_sm4_is_the_standards() -> None:
    block = bytes.fromhex("0123456789abcdeffedcba9876543210")
    assert base64.b64decode(seal(block, block))[:32] == b"681edf34d206965e86b3e94f536e4246"


def test_the_envelope_is_the_one_other_implementations_make() -> None:
    token = access_token(ORGANISATION, "91440606MA41111111", STAMP)
    plain = b'{"fpqqlsh":"SO202611230001","nsrsbh":"91440606MA41111111","invoiceKind":"82"}'
    envelope = sealed("ele.encrypt.queryResult", plain, token, KEY)
    assert KEY == b"19378f02fb23924c"
    assert token == "MTAxMDAwOTE0NDA2MDZNQTQxMTExMTExMjAyMzEwMTQxODA2NTU="
    assert envelope["signature"] == "3ACEF1C37CAD6518A980BE1F1625210493F7BE0752D37009E8411058211BA3B7"
    assert (stamp_of(token), unseal(envelope["datagram"], KEY)) == (STAMP, plain)


def test_the_hmac_is_the_vendors() -> None:
    expected = "BB2DBF98C94988269586CBDF83A5AABC8F65ABBCA9A931B11DAFFDC6A3D0F625"
    assert sign(("航天信息", "股份有限公司"), b"12345678") == expected


def test_answers_are_opened_wherever_they_were_zipped() -> None:
    plain = '{"message":"开票成功"}'.encode()
    before = seal(gzip.compress(plain), KEY)
    after = base64.b64encode(gzip.compress(base64.b64decode(seal(plain, KEY)))).decode()
    assert unseal(before, KEY) == unseal(after, KEY) == plain


@pytest.mark.parametrize("datagram", ["", "no base64!", base64.b64encode(b"xyz").decode(), seal(b"{}", b"0" * 16)])
def test_what_is_no_datagram_of_ours_is_unreadable(datagram: str) -> None:
    with pytest.raises(Unreadable):
        unseal(datagram, KEY)


@pytest.mark.parametrize("token", ["", "非 ASCII", "YWJj", base64.b64encode("税号20231014180655x".encode()).decode()])
def test_a_token_that_names_no_second_is_unreadable(token: str) -> None:
    with pytest.raises(Unreadable):
        stamp_of(token)


def test_a_zipped_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.aisino.envelope.UNZIPPED", 1000)
    with pytest.raises(Unreadable, match="datagram"):
        unseal(seal(gzip.compress(b"0" * 100_000), KEY), KEY)


@pytest.mark.parametrize("kind", ["special", "normal"])
def test_a_request_is_taken_at_once_and_issued_while_time_passes(connect: Callable[..., Aisino], kind: str) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER, kind=kind)
    [outcome] = connector.sinks["invoice_request"].write([payload(asked)])
    assert isinstance(outcome, Done)
    waiting = document(connector, "invoice", "DJ1")
    assert (waiting["status"], waiting["kind"]) == ("issuing", kind)
    CLOCK.pass_by(seconds=2)
    blue = document(connector, "invoice", "DJ1")
    assert (blue["status"], blue["gross"], blue["tax"]) == ("issued", Decimal("113.00"), Decimal("13.00"))
    assert blue["number"][2:4] == "99"


def test_the_drawer_and_the_buyers_bank_reach_the_bureau(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    buyer = {**canonical.COMPANY, "address": "示例路1号", "phone": "0571-1", "bank": "某银行", "account": "62"}
    issued(connect(), canonical.request("DJ1", SELLER, buyer=buyer))
    row = sandbox.bureau.blue("DJ1") or {}
    assert (row["drawer"], row["buyer"]["account"], row["remark"]) == ("张三", "62", "订单号 DJ1")


def test_discounts_keep_the_total(connect: Callable[..., Aisino]) -> None:
    whole = canonical.request("DJ1", SELLER, ("113.00", "11.30"))
    first, second = whole["lines"]
    off = {name: second[name] for name in second if name not in ("qty", "price")}
    off |= {"name": first["name"], "nature": "discount", **{one: -second[one] for one in ("net", "tax", "gross")}}
    asked = {**whole, "gross": Decimal("101.70"), "lines": [{**first, "nature": "discounted"}, off]}
    assert issued(connect(), asked)["gross"] == Decimal("101.70")


def test_a_number_used_already_is_looked_up_and_found(connect: Callable[..., Aisino], sandbox: AisinoSandbox) -> None:
    connector = connect()
    sink, sent = connector.sinks["invoice_request"], payload(canonical.request("DJ1", SELLER))
    assert sink.safety is Safety.NATURAL_KEY
    [first], [second] = sink.write([sent]), sink.write([sent])
    assert isinstance(first, Done)
    assert isinstance(second, Unknown)
    with pytest.raises(AlreadyThere, match="9994"):
        connector._client.call("ele.encrypt.simpleInvoiceIssue", sent)
    found = sink.find(["DJ1", "NEVERSENT"])
    assert list(found) == ["DJ1"]
    assert isinstance(sink, Marking)
    assert found["DJ1"].marks == sink.marks_of(sent)
    assert len(sandbox.bureau.blues()) == 1


def test_a_lost_answer_leaves_the_outcome_unknown_and_exactly_one_invoice(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(canonical.request("DJ1", SELLER))
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    assert isinstance(sink.write([sent])[0], Unknown)
    assert list(sink.find(["DJ1"])) == ["DJ1"]
    assert isinstance(sink.write([sent])[0], Unknown)
    assert len(sandbox.bureau.blues()) == 1


@pytest.mark.parametrize(
    "fault", [Fault("status", writes=True, count=1, status=502), Fault("malformed", writes=True, count=1)]
)
def test_an_error_page_in_answer_to_a_request_is_never_a_refusal(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox, fault: Fault
) -> None:
    sandbox.faults = [fault]
    sink = connect().sinks["invoice_request"]
    assert isinstance(sink.write([payload(canonical.request("DJ1", SELLER))])[0], Unknown)


def test_an_answer_that_our_key_does_not_open_leaves_the_outcome_unknown(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.aisino.sealed", lambda plain, _token, _config: seal(plain, b"0" * 16))
    sink = connect().sinks["invoice_request"]
    assert isinstance(sink.write([payload(canonical.request("DJ1", SELLER))])[0], Unknown)
    assert len(sandbox.bureau.blues()) == 1


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("9994", "流水号已使用", AlreadyThere),
        ("9996", "其他异常", AnswerLost),
        ("1001", "加解密失败", CredentialError),
        ("1101", "需重新登录", LoginNeeded),
        ("1102", "需扫码", LoginNeeded),
        ("3203", "已被挤下线", LoginNeeded),
        ("2001", "授信额度不足", CreditExhausted),
        ("2001", "该发票存在未完成的红字信息确认单", VendorBusy),
        ("9996", "该发票存在未完成的红字信息确认单", AnswerLost),
        ("2001", "该发票已全额红冲", VendorRejected),
        ("", "", AnswerLost),
    ],
)
def test_each_code_says_what_to_do(code: str, text: str, kind: type[Exception]) -> None:
    assert isinstance(error_of(code, text, "x"), kind)


@pytest.mark.parametrize("login", ["login", "scan"])
def test_a_drawer_who_is_not_logged_in_halts_the_queue(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox, login: str
) -> None:
    sandbox.bureau.settings({"login": login})
    [outcome] = connect().sinks["invoice_request"].write([payload(canonical.request("DJ1", SELLER))])
    assert isinstance(outcome, Halt)
    assert outcome.reason == "login"
    assert sandbox.bureau.blues() == []


def test_nothing_is_taken_for_there_while_the_platform_cannot_say(
    connect: Callable[..., Aisino], monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    monkeypatch.setattr(connector._blues, "_asked", lambda _asked: {"code": "1101", "message": "需重新登录"})
    assert document(connector, "invoice", "DJ1")["status"] == "waiting_login"
    with pytest.raises(LoginNeeded, match="1101"):
        connector.sinks["invoice_request"].find(["DJ1"])


def reworded(monkeypatch: pytest.MonkeyPatch, code: str, text: str) -> None:
    """The platform says of a number that it has not, or not under this kind, something else."""
    told = aisino_sandbox._told
    words = {"未查询到该发票请求流水号": (code, text)}
    monkeypatch.setattr(aisino_sandbox, "_told", lambda code, said: told(*words.get(said, (code, said))))


def test_whatever_the_other_kind_is_answered_with_an_invoice_is_found_under_its_own(
    connect: Callable[..., Aisino], monkeypatch: pytest.MonkeyPatch
) -> None:
    reworded(monkeypatch, "2001", "开票失败")
    connector = connect()
    assert issued(connector, canonical.request("DJ1", SELLER))["status"] == "issued"
    assert connector.sinks["invoice_request"].find(["DJ1"])["DJ1"].native_no


def test_an_answer_that_says_nothing_of_an_invoice_leaves_it_in_doubt(
    connect: Callable[..., Aisino], monkeypatch: pytest.MonkeyPatch
) -> None:
    reworded(monkeypatch, "9999", "查询异常")
    with pytest.raises(AnswerLost, match="DJ1"):
        connect().sinks["invoice_request"].find(["DJ1"])


def test_what_failed_is_there_whatever_the_reason_says_is_missing(
    connect: Callable[..., Aisino], monkeypatch: pytest.MonkeyPatch
) -> None:
    reworded(monkeypatch, "2001", "开票失败: 发票的商品编码不存在")
    assert list(connect().sinks["invoice_request"].find(["DJ1"])) == ["DJ1"]


def test_a_used_up_credit_line_fails_the_request_with_its_cause(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    sandbox.bureau.settings({"credit_line": "150.00"})
    connector = connect()
    assert issued(connector, canonical.request("DJ1", SELLER))["status"] == "issued"
    line = connector.credit_line()
    assert (line.total, line.used, line.available) == (Decimal("150.00"), Decimal("100.00"), Decimal("50.00"))
    failed = issued(connector, canonical.request("DJ2", SELLER))
    assert (failed["status"], failed["cause"]) == ("failed", "credit")


def test_an_unknown_buyer_fails_and_is_not_taken_for_an_unknown_number(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    sandbox.bureau.settings({"unknown_buyers": [canonical.COMPANY["tax_no"]]})
    failed = issued(connect(), canonical.request("DJ1", SELLER))
    assert (failed["status"], failed["cause"]) == ("failed", "buyer")


def test_the_login_is_in_while_the_credit_line_can_be_read(connect: Callable[..., Aisino]) -> None:
    connector = connect()
    assert isinstance(connector, Invoicing)
    assert (connector.login().state, connector.login().drawer) == ("in", "张三")


def test_a_login_by_scan_shows_one_code_until_it_is_scanned(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    sandbox.bureau.settings({"login": "login"})
    connector = connect(extra={"etax_username": "demo_user", "etax_password": "demo-password"})
    first = connector.login()
    assert (first.state, first.qr[:22]) == ("scan", "data:image/png;base64,")
    assert first.until == CLOCK.moment.replace(microsecond=first.until.microsecond) + timedelta(seconds=300)
    assert connector.login().qr == first.qr
    sandbox.bureau.settings({"login": "in"})
    assert connector.login().state == "in"


def test_a_code_that_ended_is_asked_for_anew(connect: Callable[..., Aisino], sandbox: AisinoSandbox) -> None:
    sandbox.bureau.settings({"login": "login"})
    connector = connect(extra={"etax_username": "demo_user"})
    first = connector.login()
    CLOCK.pass_by(minutes=6)
    second = connector.login()
    assert second.state == "scan"
    assert first.until is not None
    assert second.until is not None
    assert second.until > first.until


@pytest.mark.parametrize(
    ("extra", "login", "state", "words"),
    [
        ({}, "login", "login", "用户名"),
        ({"etax_username": "demo_user"}, "sms", "sms", "短信"),
        ({"etax_username": "nobody"}, "login", "login", "用户名不存在"),
        ({"etax_username": "demo_user", "etax_password": "wrong"}, "login", "login", "密码错误"),
        ({"etax_username": "demo_user"}, "scan", "scan", "认证"),
    ],
)
def test_what_a_person_must_do_is_said(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox, extra: Record, login: str, state: str, words: str
) -> None:
    sandbox.bureau.settings({"login": login})
    told = connect(extra=extra).login()
    assert told.state == state
    assert words in told.zh


def test_a_failed_login_is_not_tried_again_within_minutes(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    sandbox.bureau.settings({"login": "login"})
    connector = connect(extra={"etax_username": "demo_user", "etax_password": "wrong"})
    connector.login()
    sandbox.faults = [Fault("watch", match="eleLogin", rate=1.0)]
    assert connector.login().state == "login"
    assert sandbox.faults[0].fired == 0
    CLOCK.pass_by(minutes=6)
    connector.login()
    assert sandbox.faults[0].fired == 1


def test_a_full_red_is_one_call_and_answers_with_the_red_invoice(connect: Callable[..., Aisino]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    blue = issued(connector, asked)
    sent = reversing(connector, asked, reason="wrong_invoice")
    assert set(sent) & {"invoiceAmount", "invoiceItems"} == set()
    assert isinstance(connector.sinks["red_request"].write([sent])[0], Done)
    assert document(connector, "red_invoice", "HZ1")["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    red = document(connector, "red_invoice", "HZ1")
    assert (red["status"], red["gross"]) == ("issued", Decimal("-113.00"))
    assert red["number"] not in ("", blue["number"])


def test_a_long_application_number_is_found_under_its_own_name(connect: Callable[..., Aisino]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    number = "HZ0123456789ABCDEFGHIJKL"
    sent = reversing(connector, asked, number)
    connector.sinks["red_request"].write([sent])
    CLOCK.pass_by(seconds=2)
    assert document(connector, "red_invoice", number)["key"] == number
    sink = connector.sinks["red_request"]
    assert (sink.key_of(sent), list(sink.find([number]))) == (number, [number])


def test_a_red_of_part_of_an_invoice_never_leaves(connect: Callable[..., Aisino]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    blue = issued(connector, asked)
    assert not connector.ability.partial_reds
    with pytest.raises(DataError, match="全额红冲"):
        made("red_request.out", canonical.red("HZ1", blue, asked, [(1, "10.00")]))


def test_a_second_red_of_a_blue_is_refused(connect: Callable[..., Aisino]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    sink = connector.sinks["red_request"]
    sink.write([reversing(connector, asked)])
    CLOCK.pass_by(seconds=2)
    outcome = sink.write([reversing(connector, asked, "HZ2")])[0]
    assert isinstance(outcome, Refused)
    assert "不能再红冲" in outcome.zh


def test_a_lost_answer_to_a_red_is_found_by_its_number(connect: Callable[..., Aisino], sandbox: AisinoSandbox) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    sink, sent = connector.sinks["red_request"], reversing(connector, asked)
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    assert isinstance(sink.write([sent])[0], Unknown)
    assert list(sink.find(["HZ1", "NEVERSENT"])) == ["HZ1"]
    assert isinstance(sink.write([sent])[0], Unknown)
    assert len(sandbox.bureau.forms()) == 1


def test_a_red_that_the_buyer_must_confirm_is_issuing_until_it_is_void(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    sandbox.bureau.settings({"booked_buyers": [canonical.COMPANY["tax_no"]]})
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    connector.sinks["red_request"].write([reversing(connector, asked)])
    assert document(connector, "red_invoice", "HZ1")["status"] == "issuing"
    CLOCK.pass_by(hours=72)
    red = document(connector, "red_invoice", "HZ1")
    assert (red["status"], "72" in red["reason"]) == ("failed", True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"payerName": ""}, "购方名称"),
        ({"fpqqlsh": "D" * 21}, "fpqqlsh"),
        ({"invoiceKind": "51"}, "invoiceKind"),
        ({"invoiceAmount": "113.01"}, "合计"),
        ({"payerRegisterNo": ""}, "payerRegisterNo"),
        ({"nsrsbh": "91330106MA2DEMK14E"}, "nsrsbh"),
        ({"invoiceItems": []}, "invoiceItems"),
    ],
)
def test_a_request_that_breaks_the_field_table_is_refused_in_the_platforms_words(
    connect: Callable[..., Aisino], change: Record, words: str
) -> None:
    sent = {**payload(canonical.request("DJ1", SELLER)), **change}
    [outcome] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Refused)
    assert words in outcome.zh


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"taxRate": "0.015"}, "taxRate"),
        ({"itemNo": "1"}, "itemNo"),
        ({"quantity": "1.12345678901234"}, "quantity"),
        ({"amount": "113"}, "amount"),
    ],
)
def test_a_line_that_the_platform_does_not_accept_is_refused(
    connect: Callable[..., Aisino], change: Record, words: str
) -> None:
    sent = payload(canonical.request("DJ1", SELLER))
    sent["invoiceItems"][0].update(change)
    [outcome] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Refused)
    assert words in outcome.zh


@pytest.mark.parametrize(("kind", "start"), [("ofd", b"PK"), ("pdf", b"%PDF")])
def test_each_file_of_an_issued_invoice_is_fetched(connect: Callable[..., Aisino], kind: Any, start: bytes) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    blue = issued(connector, asked)
    assert connector.fetch(blue, kind).startswith(start)
    connector.sinks["red_request"].write([reversing(connector, asked)])
    CLOCK.pass_by(seconds=2)
    assert connector.fetch(document(connector, "red_invoice", "HZ1"), kind).startswith(start)


def test_a_file_that_is_not_there_yet_is_asked_for_again(connect: Callable[..., Aisino]) -> None:
    connector = connect()
    connector.sinks["invoice_request"].write([payload(canonical.request("DJ1", SELLER))])
    with pytest.raises(VendorBusy, match="no pdf file"):
        connector.fetch({"request_no": "DJ1", "kind": "special"}, "pdf")


def test_what_the_platform_does_not_document_says_so(connect: Callable[..., Aisino]) -> None:
    connector = connect()
    with pytest.raises(ConfigError, match="documents no interface"):
        connector.fetch({"request_no": "DJ1", "kind": "special"}, "xml")
    with pytest.raises(ConfigError, match="documents no interface"):
        connector.resend({}, Copy(mail="a@example.com"))


def test_a_wrong_authorisation_is_a_credential_error_and_no_invoice(
    connect: Callable[..., Aisino], sandbox: AisinoSandbox
) -> None:
    connector = connect(password="0000000000000000")
    with pytest.raises(CredentialError, match="1001"):
        connector.check()
    assert isinstance(connector.sinks["invoice_request"].write([payload(canonical.request("DJ1", SELLER))])[0], Later)
    assert sandbox.bureau.blues() == []


def test_a_pull_without_numbers_is_told_to_poll(connect: Callable[..., Aisino]) -> None:
    with pytest.raises(ConfigError, match="poll"):
        list(connect().streams["invoice"].read(Window(STARTED, STARTED)))
