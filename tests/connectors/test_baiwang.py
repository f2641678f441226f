"""百望云: what the connector promises, told against a platform that issues while time passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.baiwang.client import error_of, hashed, sign
from connectors.baiwang.connector import Baiwang
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    LoginNeeded,
    MalformedMessage,
    TokenExpired,
    VendorBusy,
)
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Incident, Later, Marking, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox.baiwang import BaiwangSandbox
from sandbox.bureau import RedForm
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from tests.connectors import canonical_invoice as canonical

KEY, SECRET, SELLER = "1000001", "bw-demo-secret", "91440101MA5DEMK12X"
USER = {"username": "admin_demo", "user_password": "demo-password", "user_salt": "demo-salt"}
MAPPINGS = Path(__file__).parents[2] / "mappings" / "baiwang"
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
def server() -> Iterator[BaiwangSandbox]:
    made = BaiwangSandbox(Store(), CLOCK)
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: BaiwangSandbox) -> BaiwangSandbox:
    """The one server of this file, as new, two seconds from taking a request to issuing it."""
    CLOCK.moment = STARTED
    server.__init__(Store(), CLOCK)
    server.seed({"tax_no": SELLER, "bureau": {"issue_seconds": "2"}})
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


@pytest.fixture
def connect(sandbox: BaiwangSandbox, tmp_path: Path, incidents: list[Incident]) -> Callable[..., Baiwang]:
    def open_it(**changes: Any) -> Baiwang:
        extra = {"tax_no": SELLER, "drawer": "张三", "rate": "10000/second", **USER, **changes.pop("extra", {})}
        fields = {"host": sandbox.url, "login": KEY, "password": SECRET, **changes}
        kept = TokenStore(tmp_path / "tokens")
        services = Services(kept, incidents.append, clock=CLOCK.seconds)
        return Baiwang(Connection("bw", "baiwang", extra=extra, **fields), services)

    return open_it


def made(name: str, document: Record) -> Record:
    return MAPPED[name].run(document, StaticLookup(), {}) or {}


def payload(document: Record) -> Record:
    return made("invoice_request.out", document)


def read(connector: Baiwang, stream: str, *keys: str) -> list[Record]:
    window = Window(CLOCK() - timedelta(hours=1), CLOCK() + timedelta(hours=1), keys=keys)
    return [record for page in connector.streams[stream].read(window) for record in page.records]


def document(connector: Baiwang, stream: str, *keys: str) -> Record:
    [raw] = read(connector, stream, *keys)
    found = made(f"{stream}.in", raw)
    check(connector.streams[stream].entity, found)
    return found


def issued(connector: Baiwang, asked: Record) -> Record:
    """Request it, let the time pass, read it back."""
    [outcome] = connector.sinks["invoice_request"].write([payload(asked)])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(seconds=2)
    return document(connector, "invoice", asked["request_no"])


def reversing(connector: Baiwang, asked: Record, *back: tuple[int, str], number: str = "HZ1", **changes: Any) -> Record:
    blue = document(connector, "invoice", asked["request_no"])
    return made("red_request.out", canonical.red(number, blue, asked, back, **changes))


def test_the_signature_is_the_one_other_implementations_make() -> None:
    call = {
        "method": "baiwang.s.outputinvoice.invoice",
        "appKey": "1000001",
        "token": "token-demo-0001",
        "timestamp": "1700000000000",
        "version": "6.0",
        "format": "json",
        "type": "sync",
        "requestId": "11111111-2222-3333-4444-555555555555",
    }
    body = '{"taxNo":"91330106MA2TEST01X","orderNo":"SO20261123-0001","buyerName":"示例采购有限公司"}'
    assert sign("bw-demo-secret", call, body.encode()) == "6923CC8062D4D15BBE0B1312EFB40BBB"
    assert sign("bw-demo-secret", {**call, "unset": ""}, body.encode()) == "6923CC8062D4D15BBE0B1312EFB40BBB"


def test_the_password_is_hashed_as_the_version_of_the_token_wants() -> None:
    assert hashed("pass", "salt", "6.0") == "f498eeea9ac798b1383e06e3bae9b3c1eed50816"
    assert hashed("pass", "salt", "7.0") == "c8b2505b76926abdc733523caa9f439142f66aa7293a7baaac0aed41a191eef6"


@pytest.mark.parametrize("version", ["6.0", "7.0"])
def test_a_token_is_given_to_either_version(connect: Callable[..., Baiwang], version: str) -> None:
    told = connect(extra={"token_version": version}).check()
    assert ("销方税号", SELLER) in told


def test_a_request_is_taken_at_once_and_issued_while_time_passes(connect: Callable[..., Baiwang]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    [outcome] = connector.sinks["invoice_request"].write([payload(asked)])
    assert isinstance(outcome, Done)
    assert outcome.native_id.isdigit()
    assert document(connector, "invoice", "DJ1")["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    blue = document(connector, "invoice", "DJ1")
    assert (blue["status"], blue["kind"], blue["gross"], blue["tax"]) == (
        "issued",
        "special",
        Decimal("113.00"),
        Decimal("13.00"),
    )
    assert (blue["number"][2:4], blue["serial"], set(blue["files"])) == ("99", outcome.native_id, {"xml", "ofd", "pdf"})
    assert [(line["name"], line["gross"]) for line in blue["lines"]] == [("面条 1", Decimal("113.00"))]


def test_discounts_and_lines_free_of_tax_reach_the_bureau_as_such(connect: Callable[..., Baiwang]) -> None:
    whole = canonical.request("DJ1", SELLER, ("113.00", "11.30"), kind="normal")
    first, second = whole["lines"]
    bare = {name: second[name] for name in second if name not in ("qty", "price")}
    off = {
        **bare,
        "name": first["name"],
        "nature": "discount",
        **{one: -second[one] for one in ("net", "tax", "gross")},
    }
    free = {
        **bare,
        "line_no": 3,
        "tax_rate": Decimal(0),
        "policy": "03",
        "net": Decimal("5.00"),
        "tax": Decimal("0.00"),
    }
    free["gross"] = Decimal("5.00")
    blue = issued(connect(), {**whole, "lines": [{**first, "nature": "discounted"}, off, free]})
    assert (blue["status"], blue["gross"]) == ("issued", Decimal("106.70"))


def test_a_number_used_already_is_looked_up_and_found_with_figures_and_marks(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(canonical.request("DJ1", SELLER, ("113.00", "33.33")))
    assert sink.safety is Safety.LOOKUP
    assert isinstance(sink, Marking)
    [first], [second] = sink.write([sent]), sink.write([sent])
    assert isinstance(first, Done)
    assert isinstance(second, Unknown)
    assert "DJ1" in second.zh
    found = sink.find(["DJ1", "NEVERSENT"])
    assert list(found) == ["DJ1"]
    assert (found["DJ1"].native_id, dict(found["DJ1"].figures)) == (first.native_id, dict(sink.figures_of(sent)))
    assert found["DJ1"].marks == sink.marks_of(sent)
    assert len(sandbox.bureau.blues()) == 1


def test_another_buyer_under_our_number_shows_in_the_marks(connect: Callable[..., Baiwang]) -> None:
    sink = connect().sinks["invoice_request"]
    ours = payload(canonical.request("DJ1", SELLER))
    sink.write([payload(canonical.request("DJ1", SELLER, buyer={"name": "别家公司", "tax_no": "91310115MA1DEMA278"}))])
    found = sink.find(["DJ1"])["DJ1"]
    assert dict(found.figures) == dict(sink.figures_of(ours))
    assert isinstance(sink, Marking)
    assert found.marks != sink.marks_of(ours)


def test_a_lost_answer_leaves_the_outcome_unknown_and_exactly_one_invoice(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(canonical.request("DJ1", SELLER))
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    assert isinstance(sink.write([sent])[0], Unknown)
    assert list(sink.find(["DJ1"])) == ["DJ1"]
    assert len(sandbox.bureau.blues()) == 1


@pytest.mark.parametrize(
    "fault", [Fault("status", writes=True, count=1, status=502), Fault("malformed", writes=True, count=1)]
)
def test_an_error_page_in_answer_to_a_request_is_never_a_refusal(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox, fault: Fault
) -> None:
    sandbox.faults = [fault]
    assert isinstance(connect().sinks["invoice_request"].write([payload(canonical.request("DJ1", SELLER))])[0], Unknown)


def test_an_answer_that_says_neither_leaves_the_outcome_unknown() -> None:
    assert isinstance(error_of({"method": "x"}, "x"), AnswerLost)
    assert error_of({"success": True}, "x") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("开票预扣授信额度失败，授信额度不足", CreditExhausted),
        ("电子税务局登录已失效", LoginNeeded),
        ("需要实名认证, 请扫码", LoginNeeded),
        ("系统异常, 请稍后再试", AnswerLost),
    ],
)
def test_words_of_credit_login_and_failure_never_refuse(text: str, kind: type[Exception]) -> None:
    assert isinstance(error_of({"success": False, "errorResponse": {"code": 90009, "message": text}}, "x"), kind)


def test_a_failure_of_the_service_leaves_the_outcome_unknown() -> None:
    said = {"code": 500, "message": "请重新登录"}
    assert isinstance(error_of({"success": False, "errorResponse": said}, "x"), AnswerLost)


def test_the_words_of_a_code_that_is_known_do_not_count() -> None:
    said = {"code": 100002, "message": "token 已过期, 请重新登录"}
    assert isinstance(error_of({"success": False, "errorResponse": said}, "x"), TokenExpired)


@pytest.mark.parametrize(
    ("settings", "cause"),
    [({"credit_line": "50.00"}, "credit"), ({"login": "scan"}, "login"), ({"login": "login"}, "login")],
)
def test_what_fails_at_the_bureau_says_why(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox, settings: Record, cause: str
) -> None:
    sandbox.bureau.settings(settings)
    blue = issued(connect(), canonical.request("DJ1", SELLER))
    assert (blue["status"], blue["cause"]) == ("failed", cause)
    assert blue["reason"]


def test_an_unknown_buyer_fails_with_the_reason(connect: Callable[..., Baiwang], sandbox: BaiwangSandbox) -> None:
    sandbox.bureau.settings({"unknown_buyers": [canonical.COMPANY["tax_no"]]})
    blue = issued(connect(), canonical.request("DJ1", SELLER))
    assert (blue["status"], blue["cause"]) == ("failed", "buyer")


def test_a_full_red_reverses_the_blue_with_its_own_number(connect: Callable[..., Baiwang]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    blue = issued(connector, asked)
    sent = reversing(connector, asked, reason="wrong_invoice")
    assert sent["form"]["details"] == []
    [outcome] = connector.sinks["red_request"].write([sent])
    assert isinstance(outcome, Done)
    assert document(connector, "red_invoice", "HZ1")["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    red = document(connector, "red_invoice", "HZ1")
    assert (red["status"], red["colour"], red["gross"], red["blue_number"]) == (
        "issued",
        "red",
        Decimal("-113.00"),
        blue["number"],
    )
    assert red["number"] not in ("", blue["number"])


def test_a_partial_red_names_its_line_and_amount(connect: Callable[..., Baiwang]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER, ("113.00", "33.33"))
    issued(connector, asked)
    sent = reversing(connector, asked, (2, "10.01"), reason="allowance")
    assert isinstance(connector.sinks["red_request"].write([sent])[0], Done)
    CLOCK.pass_by(seconds=2)
    red = document(connector, "red_invoice", "HZ1")
    assert (red["status"], red["gross"]) == ("issued", Decimal("-10.01"))


def test_a_red_waits_for_a_buyer_who_has_booked_the_blue(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    sandbox.bureau.settings({"booked_buyers": [canonical.COMPANY["tax_no"]]})
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    sink, sent = connector.sinks["red_request"], reversing(connector, asked)
    assert isinstance(sink.write([sent])[0], Done)
    red = document(connector, "red_invoice", "HZ1")
    assert (red["status"], red["form_state"]) == ("waiting_confirmation", "02")
    assert dict(sink.find(["HZ1"])["HZ1"].figures) == dict(sink.figures_of(sent))
    sandbox.bureau.answer(red["form_no"], "buyer", agrees=True)
    CLOCK.pass_by(seconds=2)
    assert document(connector, "red_invoice", "HZ1")["status"] == "issued"


def test_a_form_nobody_answers_is_void_after_72_hours(connect: Callable[..., Baiwang], sandbox: BaiwangSandbox) -> None:
    sandbox.bureau.settings({"booked_buyers": [canonical.COMPANY["tax_no"]]})
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    connector.sinks["red_request"].write([reversing(connector, asked)])
    CLOCK.pass_by(hours=72)
    red = document(connector, "red_invoice", "HZ1")
    assert (red["status"], red["reason"]) == ("failed", "超过 72 小时未确认")


def test_forms_of_both_sides_are_listed_with_their_state(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    connector = connect()
    for number in range(1, 24):
        connector.sinks["invoice_request"].write([payload(canonical.request(f"DJ{number}", SELLER))])
    CLOCK.pass_by(seconds=2)
    blues = {row["serial"]: row["number"] for row in sandbox.bureau.blues()}
    for number in range(1, 24):
        sandbox.bureau.begin(RedForm(f"B{number}", blues[f"DJ{number}"], "buyer", "sales_return"))
    rows = read(connector, "red_form")
    assert len(rows) == 23
    form = made("red_form.in", rows[0])
    check("red_form", form)
    assert (form["initiator"], form["state"], form["blue_number"]) == ("buyer", "03", blues["DJ1"])
    assert [row["redConfirmNo"] for row in read(connector, "red_form", form["form_no"])] == [form["form_no"]]


def test_a_second_form_waits_until_the_first_is_through(connect: Callable[..., Baiwang]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    sink = connector.sinks["red_request"]
    first, second = (reversing(connector, asked, (1, "20.00"), number=number) for number in ("HZ1", "HZ2"))
    assert isinstance(sink.write([first])[0], Done)
    waiting = sink.write([second])[0]
    assert isinstance(waiting, Later)
    CLOCK.pass_by(seconds=2)
    assert isinstance(sink.write([second])[0], Done)


def test_reds_never_exceed_their_blue(connect: Callable[..., Baiwang]) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    sink = connector.sinks["red_request"]
    assert isinstance(sink.write([reversing(connector, asked, (1, "100.00"))])[0], Done)
    CLOCK.pass_by(seconds=2)
    assert isinstance(sink.write([reversing(connector, asked, (1, "13.01"), number="HZ2")])[0], Refused)
    assert isinstance(sink.write([reversing(connector, asked, (1, "13.00"), number="HZ3")])[0], Done)


def test_a_lost_answer_to_a_red_is_found_by_its_number(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    connector, asked = connect(), canonical.request("DJ1", SELLER)
    issued(connector, asked)
    sink, sent = connector.sinks["red_request"], reversing(connector, asked, (1, "20.00"))
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    assert isinstance(sink.write([sent])[0], Unknown)
    assert isinstance(sink, Marking)
    found = sink.find(["HZ1", "NEVERSENT"])
    assert {key: (dict(one.figures), one.marks) for key, one in found.items()} == {
        "HZ1": (dict(sink.figures_of(sent)), sink.marks_of(sent))
    }
    assert isinstance(sink.write([sent])[0], Unknown)
    assert len(sandbox.bureau.forms()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"buyerName": ""}, "buyerName"),
        ({"remarks": "长" * 231}, "230"),
        ({"invoiceTypeCode": "026"}, "invoiceTypeCode"),
        ({"buyerTaxNo": ""}, "专票购方税号"),
        ({"taxNo": "91330106MA2DEMK14E"}, "taxNo"),
        ({"invoiceDetailList": []}, "invoiceDetailList"),
    ],
)
def test_a_request_that_breaks_the_field_table_is_refused_in_the_platforms_words(
    connect: Callable[..., Baiwang], change: Record, words: str
) -> None:
    sent = {**payload(canonical.request("DJ1", SELLER)), **change}
    [outcome] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Refused)
    assert words in outcome.zh


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"goodsTotalTax": "13.07", "goodsTotalPriceTax": "113.07"}, "0.06"),
        ({"goodsTotalPriceTax": "113.01"}, "不等于含税金额"),
        ({"goodsCode": "1"}, "税收分类编码"),
        ({"goodsPrice": "1.12345678901234"}, "13 位小数"),
        ({"goodsQuantity": ""}, "同时"),
        ({"goodsTotalPrice": Decimal("100.00")}, "goodsTotalPrice"),
    ],
)
def test_a_line_that_does_not_add_up_is_refused(connect: Callable[..., Baiwang], change: Record, words: str) -> None:
    sent = payload(canonical.request("DJ1", SELLER))
    sent["invoiceDetailList"][0].update(change)
    [outcome] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Refused)
    assert words in outcome.zh


def test_a_longer_remark_passes_over_the_other_channel(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    sandbox.seed({"channel": "leqi"})
    connector = connect(extra={"channel": "leqi", "max_lines": "100"})
    assert (connector.ability.limits.remark, connector.ability.limits.lines) == (450, 100)
    blue = issued(connector, canonical.request("DJ1", SELLER, remark="长" * 450))
    assert blue["status"] == "issued"


def test_an_unknown_channel_is_told_when_the_connection_opens(connect: Callable[..., Baiwang]) -> None:
    with pytest.raises(ConfigError, match="web or leqi"):
        connect(extra={"channel": "fax"})


@pytest.mark.parametrize("kind", ["xml", "ofd", "pdf"])
def test_each_file_of_an_issued_invoice_is_fetched(connect: Callable[..., Baiwang], kind: Any) -> None:
    connector = connect()
    blue = issued(connector, canonical.request("DJ1", SELLER))
    starts = {"xml": b"<?xml", "ofd": b"PK", "pdf": b"%PDF"}
    assert connector.fetch(blue, kind).startswith(starts[kind])


def test_a_file_that_is_not_there_yet_is_asked_for_again(connect: Callable[..., Baiwang]) -> None:
    connector = connect()
    connector.sinks["invoice_request"].write([payload(canonical.request("DJ1", SELLER))])
    with pytest.raises(VendorBusy, match="no address"):
        connector.fetch({"request_no": "DJ1"}, "pdf")


def test_what_the_platform_does_not_document_says_so(connect: Callable[..., Baiwang]) -> None:
    connector = connect()
    assert isinstance(connector, Invoicing)
    for ask in (connector.credit_line, connector.login, lambda: connector.resend({}, Copy(mail="a@example.com"))):
        with pytest.raises(ConfigError, match="documents no interface"):
            ask()


def test_a_wrong_user_is_a_credential_error_and_no_invoice(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    connector = connect(extra={"user_password": "wrong-password"})
    with pytest.raises(CredentialError, match="no token"):
        connector.check()
    assert isinstance(connector.sinks["invoice_request"].write([payload(canonical.request("DJ1", SELLER))])[0], Later)
    assert sandbox.bureau.blues() == []


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_token_refused_by_a_status_is_a_credential_error_and_no_refused_invoice(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox, status: int
) -> None:
    sandbox.faults = [Fault("status", rate=1.0, status=status)]
    connector = connect()
    with pytest.raises(CredentialError, match=str(status)):
        connector.check()
    assert isinstance(connector.sinks["invoice_request"].write([payload(canonical.request("DJ1", SELLER))])[0], Later)


def test_a_token_that_ended_is_replaced_in_the_middle_of_writing(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox, incidents: list[Incident]
) -> None:
    sink = connect().sinks["invoice_request"]
    sink.write([payload(canonical.request("DJ1", SELLER))])
    sandbox.expire_tokens()
    assert isinstance(sink.write([payload(canonical.request("DJ2", SELLER))])[0], Done)
    assert [incident.kind for incident in incidents] == ["TokenExpired"]


def test_a_pull_without_numbers_is_told_to_poll(connect: Callable[..., Baiwang]) -> None:
    with pytest.raises(ConfigError, match="poll"):
        read(connect(), "invoice")


@pytest.mark.parametrize("listed", [[], None, {}, {"list": []}, {"list": None}])
def test_a_list_of_nothing_is_nothing(connect: Callable[..., Baiwang], sandbox: BaiwangSandbox, listed: object) -> None:
    sandbox._methods = {**sandbox._methods, "baiwang.s.outputinvoice.query": lambda _body, _base: listed}
    assert read(connect(), "invoice", "DJ1") == []


def test_a_row_that_does_not_tell_its_amounts_yet_is_asked_for_again(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox
) -> None:
    row = {"orderNo": "DJ1", "serialNo": "1", "status": "00", "invoiceTotalTax": ""}
    sandbox._methods = {**sandbox._methods, "baiwang.s.outputinvoice.query": lambda _body, _base: [row]}
    with pytest.raises(VendorBusy, match="asked for again"):
        connect().sinks["invoice_request"].find(["DJ1"])


@pytest.mark.parametrize("said", ["busy", ["busy"], None, {}])
def test_an_error_that_is_no_error_leaves_the_outcome_unknown(said: object) -> None:
    assert isinstance(error_of({"success": False, "errorResponse": said}, "x"), AnswerLost)


def test_lines_that_are_not_told_whole_are_no_mark(connect: Callable[..., Baiwang], sandbox: BaiwangSandbox) -> None:
    row = {"orderNo": "DJ1", "invoiceTotalPriceTax": "1.13", "invoiceTotalTax": "0.13", "buyerName": "张伟"}
    half = {**row, "invoiceDetailList": [{"goodsName": "面条", "goodsTotalPrice": None}]}
    sandbox._methods = {**sandbox._methods, "baiwang.s.outputinvoice.query": lambda _body, _base: [half]}
    found = connect().sinks["invoice_request"].find(["DJ1"])
    assert found["DJ1"].marks == {"购方": "张伟", "购方税号": ""}


@pytest.mark.parametrize("told", ["系统升级", ["系统升级"], {"rows": []}, {"list": "系统升级"}])
def test_an_answer_without_a_list_is_not_taken_for_none(
    connect: Callable[..., Baiwang], sandbox: BaiwangSandbox, told: object
) -> None:
    sandbox._methods = {**sandbox._methods, "baiwang.s.outputinvoice.query": lambda _body, _base: told}
    with pytest.raises(MalformedMessage, match="without a list"):
        read(connect(), "invoice", "DJ1")
