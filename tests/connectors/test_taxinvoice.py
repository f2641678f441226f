"""发票SDK: nothing is issued twice though it cannot be asked by serial, and what else is promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.taxinvoice import CONNECTOR
from connectors.taxinvoice.client import error_of, flat, multipart
from connectors.taxinvoice.connector import TaxInvoice
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    LoginNeeded,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Halt, Marking, Outcome, Refused, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from duijie.schemas import check
from sandbox.bureau import RedForm, RedLine
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.taxinvoice import TaxInvoiceSandbox
from tests.contract.sites.taxinvoice import (
    CREDIT_FIELDS,
    FORM_FIELDS,
    SELLER,
    made,
    taxinvoice_document,
    taxinvoice_issue,
    taxinvoice_red,
    taxinvoice_request,
)

APP, SECRET, DRAWER = "AK-demo", "AS-demo-secret", "13800000000"
MAPPINGS = Path(__file__).parents[2] / "mappings" / "taxinvoice"
WHENEVER = datetime(2026, 11, 11, tzinfo=UTC)
Open = Callable[..., TaxInvoice]


@pytest.fixture(scope="module")
def server() -> Iterator[TaxInvoiceSandbox]:
    served = TaxInvoiceSandbox(Store())
    with Running(served) as served.url:
        yield served


@pytest.fixture
def sandbox(server: TaxInvoiceSandbox) -> TaxInvoiceSandbox:
    """The one server of this file, as new; a serial that comes again makes a second invoice."""
    server.__init__(Store())
    server.faults = []
    server.seed({"app_key": APP, "app_secret": SECRET, "tax_no": SELLER, "username": DRAWER})
    return server


@pytest.fixture
def connect(sandbox: TaxInvoiceSandbox, tmp_path: Path) -> Open:
    def open_it(**extra: Any) -> TaxInvoice:
        given = {
            "tax_no": SELLER,
            "seller_name": "发票SDK测试企业",
            "username": DRAWER,
            "rate": "10000/second",
            **extra,
        }
        found = Connection("fp", "taxinvoice", host=sandbox.url, login=APP, password=SECRET, extra=given)
        return CONNECTOR.open(found, Services(TokenStore(tmp_path / "tokens")))

    return open_it


def write(connector: TaxInvoice, payload: Record, sink: str = "invoice_request") -> Outcome:
    return connector.sinks[sink].write([payload])[0]


def done(connector: TaxInvoice, payload: Record, sink: str = "invoice_request") -> str:
    outcome = write(connector, payload, sink)
    assert isinstance(outcome, Done), outcome
    return outcome.native_no


def read(connector: TaxInvoice, stream: str, *keys: str) -> list[Record]:
    window = Window(WHENEVER, WHENEVER + timedelta(days=1), keys=keys)
    return [row for page in connector.streams[stream].read(window) for row in page.records]


def canonical(stream: str, row: Record) -> Record:
    mapping = load_mapping(MAPPINGS / f"{stream}.in.yaml")
    [(entity, document)] = mapping.documents(row, StaticLookup(), {})
    check(entity, document)
    return document


def begun(connector: TaxInvoice, application: str = "HZ1", blue: str = "1") -> tuple[Record, str]:
    red = taxinvoice_red(application, done(connector, taxinvoice_request(int(blue))))
    return red, done(connector, red, "red_request")


def test_the_mappings_keep_their_own_tests() -> None:
    paths = sorted(MAPPINGS.glob("*.yaml"))
    assert len(paths) == 6
    assert [one for path in paths for one in run_tests(load_mapping(path)) if one.differences] == []


def test_nested_keys_and_equal_forms_make_equal_bytes() -> None:
    form = {"a": "1", "fyxm": [{"je": "1.00"}, {"je": "2.00"}], "list": ["x"]}
    assert list(flat(form)) == [("a", "1"), ("fyxm[0][je]", "1.00"), ("fyxm[1][je]", "2.00"), ("list[0]", "x")]
    assert multipart(form) == multipart(dict(form))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"code": 503, "msg": "服务繁忙"}, AnswerLost),
        ({"code": 500, "msg": "请求异常"}, AnswerLost),
        ({}, AnswerLost),
        ({"code": 420, "msg": "短信"}, LoginNeeded),
        ({"code": 430, "msg": "人脸"}, LoginNeeded),
        ({"code": 400, "msg": "开票预扣授信额度失败，授信额度不足，剩余可用额度：0.00"}, CreditExhausted),
        ({"code": 400, "msg": "税率无效"}, VendorRejected),
        ({"code": 400, "msg": "该发票存在未完成的红字信息确认单"}, VendorBusy),
        ({"code": 503, "msg": "该发票存在未完成的红字信息确认单"}, AnswerLost),
    ],
)
def test_an_answer_is_told_by_its_code_and_never_issued_anew(answer: Record, kind: type[Exception]) -> None:
    assert type(error_of(answer, "blueTicket")) is kind


def test_it_is_an_invoicing_whose_sink_compares_buyer_and_lines(connect: Open) -> None:
    connector = connect()
    assert isinstance(connector, Invoicing)
    assert not connector.ability.issues_reds
    sink = connector.sinks["invoice_request"]
    assert isinstance(sink, Marking)
    told = sink.marks_of(taxinvoice_request(1))
    assert told == {"购方": "杭州恒信嘉禾科技有限公司", "购方税号": "91330106MA2DEMK14E", "明细": "面条 100.00+13.00"}


def test_an_invoice_is_issued_at_once_and_read_back_with_its_files(connect: Open) -> None:
    connector = connect()
    number = done(connector, taxinvoice_request(1))
    invoice = canonical("invoice", read(connector, "invoice", "DJ1")[0])
    assert (invoice["status"], invoice["number"], invoice["gross"]) == ("issued", number, Decimal("113.00"))
    assert set(invoice["files"]) == {"pdf", "ofd", "xml"}
    assert connector.fetch(invoice, "xml").startswith(b"<?xml")
    assert connector.fetch(invoice, "pdf").startswith(b"%PDF")
    assert connector.fetch(invoice, "ofd").startswith(b"PK")
    with pytest.raises(VendorRejected, match="no xml"):
        connector.fetch({"number": "26992000000009999999"}, "xml")


def test_a_lost_answer_waits_for_a_person_and_is_sent_again_only_by_one(
    sandbox: TaxInvoiceSandbox, connect: Open
) -> None:
    sandbox.faults = [Fault("lose_answer", "blueTicket", count=1)]
    payload = taxinvoice_request(1)
    assert isinstance(write(connect(), payload), Unknown)
    other = connect()  # another worker, that settles the unknown row
    assert other.sinks["invoice_request"].find(["DJ1"]) == {}
    refused = write(other, payload)
    assert isinstance(refused, Refused)
    assert "电子税务局" in refused.zh and "DJ1" in refused.zh
    assert len(sandbox.bureau.blues()) == 1
    assert isinstance(write(connect(), payload), Done)  # a person looked and replayed it


def test_a_crash_while_a_call_is_under_way_is_as_doubtful(
    sandbox: TaxInvoiceSandbox, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, payload = connect(), taxinvoice_request(1)
    sink: Any = connector.sinks["invoice_request"]
    monkeypatch.setattr(sink._memory, "answered", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        sink.write([payload])
    assert connect().sinks["invoice_request"].find(["DJ1"]) == {}
    assert isinstance(write(connect(), payload), Refused)
    assert len(sandbox.bureau.blues()) == 1


def test_a_vendor_who_deduplicates_is_sent_the_same_bytes_and_tells_the_number(
    sandbox: TaxInvoiceSandbox, connect: Open
) -> None:
    sandbox.seed({"deduplicates": True})
    sandbox.faults = [Fault("lose_answer", "blueTicket", count=1)]
    payload = taxinvoice_request(1)
    assert isinstance(write(connect(deduplicates=True), payload), Unknown)
    sink = connect(deduplicates=True).sinks["invoice_request"]
    found = sink.find(["DJ1"])["DJ1"]
    assert found.figures == sink.figures_of(payload)
    assert [row["number"] for row in sandbox.bureau.blues()] == [found.native_no]


def test_a_refused_second_sending_leaves_the_doubt_to_a_person(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    sandbox.seed({"deduplicates": True})
    sandbox.faults = [Fault("lose_answer", "blueTicket", count=1)]
    connector, payload = connect(deduplicates=True), taxinvoice_request(1)
    assert isinstance(write(connector, payload), Unknown)
    sandbox.seed({"tax_no": "91350100M000100Y43"})  # from now on everything is refused
    assert connector.sinks["invoice_request"].find(["DJ1"]) == {}
    refused = write(connector, payload)
    assert isinstance(refused, Refused) and refused.code == "taxinvoice:doubt"
    assert "DJ1" in refused.zh and "税号未授权" in refused.zh and "可能已开出" in refused.zh
    assert len(sandbox.bureau.blues()) == 1


def test_a_refusal_of_a_red_invoice_that_is_sent_again_leaves_the_doubt_to_a_person(
    sandbox: TaxInvoiceSandbox, connect: Open
) -> None:
    connector = connect()
    red, form_no = begun(connector)
    sandbox.faults = [Fault("lose_answer", "hzfpkj", count=1)]
    payload = taxinvoice_issue("HK1", red, form_no)
    assert isinstance(write(connector, payload, "red_issue"), Unknown)
    refused = write(connector, payload, "red_issue")
    assert isinstance(refused, Refused) and refused.code == "taxinvoice:doubt"


def test_an_answered_serial_is_never_sent_again(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    number = done(connect(), taxinvoice_request(1))
    assert done(connect(), taxinvoice_request(1)) == number
    changed = made({**taxinvoice_document("1"), "remark": "另一备注"})
    refused = write(connect(), changed)
    assert isinstance(refused, Refused) and "其他内容" in refused.zh
    assert len(sandbox.bureau.blues()) == 1


def test_a_refused_request_may_be_corrected_under_its_serial(connect: Open) -> None:
    bad = made({**taxinvoice_document("1"), "buyer": {"name": "某公司"}})
    assert isinstance(write(connect(), bad), Refused)
    assert len(done(connect(), taxinvoice_request(1))) == 20


def test_a_special_business_is_refused_before_anything_leaves(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    payload = made({**taxinvoice_document("1"), "special": {"factor": "building"}})
    refused = write(connect(), payload)
    assert isinstance(refused, Refused) and "特定业务" in refused.zh
    assert sandbox.bureau.blues() == []


def test_an_exhausted_credit_line_halts_and_is_no_refusal(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    sandbox.bureau.settings({"credit_line": "50.00"})
    outcome = write(connect(), taxinvoice_request(1))
    assert isinstance(outcome, Halt) and outcome.reason == "credit"
    sandbox.bureau.settings({"credit_line": "500.00"})
    assert isinstance(write(connect(), taxinvoice_request(1)), Done)


def test_a_drawer_who_must_scan_halts_with_one_code_for_all(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    sandbox.bureau.settings({"login": "scan"})
    connector = connect()
    outcomes = [write(connector, taxinvoice_request(number)) for number in (1, 2, 3)]
    assert all(isinstance(one, Halt) and one.reason == "login" for one in outcomes)
    assert {one.qr for one in outcomes if isinstance(one, Halt)} == {"https://bureau.invalid/face/00000001"}
    asked = connector.login()
    assert (asked.state, asked.qr) == ("scan", "https://bureau.invalid/face/00000002")
    assert asked.until is not None
    sandbox.bureau.settings({"login": "in"})
    assert connector.login().state == "in"
    assert isinstance(write(connector, taxinvoice_request(1)), Done)


def test_a_drawer_who_must_log_in_by_text_message_is_told_so(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    sandbox.bureau.settings({"login": "sms"})
    assert connect().login().state == "sms"
    assert dict(connect().check())["开票员登录"].startswith("开票员需短信登录")
    outcome = write(connect(), taxinvoice_request(1))
    assert isinstance(outcome, Halt) and outcome.qr == ""


def test_an_expired_token_is_renewed_and_the_invoice_issued_once(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    connector = connect()
    done(connector, taxinvoice_request(1))
    sandbox.expire_tokens()
    done(connector, taxinvoice_request(2))
    assert len(sandbox.bureau.blues()) == 2


def test_a_wrong_secret_is_a_credential_error_that_names_what_to_check(
    sandbox: TaxInvoiceSandbox, tmp_path: Path
) -> None:
    extra = {"tax_no": SELLER, "seller_name": "某企业", "username": DRAWER}
    wrong = Connection("fp", "taxinvoice", host=sandbox.url, login=APP, password="wrong", extra=extra)
    with pytest.raises(CredentialError) as raised:
        CONNECTOR.open(wrong, Services(TokenStore(tmp_path))).check()
    assert "AppSecret" in raised.value.zh


def test_a_whole_invoice_is_reversed_in_two_steps(connect: Open) -> None:
    connector = connect(form_fields=FORM_FIELDS)
    red, form_no = begun(connector)
    waiting = canonical("red_invoice", read(connector, "red_invoice", "HZ1")[0])
    assert (waiting["status"], waiting["form_no"], waiting["form_state"]) == ("issuing", form_no, "01")
    number = done(connector, taxinvoice_issue("HK1", red, form_no), "red_issue")
    issued = canonical("red_invoice", read(connector, "red_invoice", "HZ1")[0])
    assert (issued["status"], issued["number"], issued["gross"]) == ("issued", number, Decimal("-113.00"))
    [form] = read(connector, "red_form", form_no)
    assert canonical("red_form", form)["red_number"] == number


def test_part_of_an_invoice_is_reversed_by_the_lines_of_the_blue(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    connector = connect()
    number = done(connector, taxinvoice_request(1))
    done(connector, part_of(number, "HZ1"), "red_request")
    [form] = sandbox.bureau.forms()
    assert (form["net"], form["tax"], form["lines"][0]["blue_line"]) == ("-50.00", "-6.50", 1)


def test_a_buyer_who_has_booked_must_confirm(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    sandbox.bureau.settings({"booked_buyers": ["91330106MA2DEMK14E"]})
    connector = connect(form_fields=FORM_FIELDS)
    red, form_no = begun(connector)
    assert canonical("red_invoice", read(connector, "red_invoice", "HZ1")[0])["status"] == "waiting_confirmation"
    early = write(connector, taxinvoice_issue("HK1", red, form_no), "red_issue")
    assert isinstance(early, Refused)
    sandbox.bureau.answer(form_no, "buyer", agrees=True)
    assert isinstance(write(connector, taxinvoice_issue("HK1", red, form_no), "red_issue"), Done)


def test_a_lost_answer_to_a_red_form_is_found_in_the_list_of_forms(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    connector = connect(form_fields=FORM_FIELDS)
    red = taxinvoice_red("HZ1", done(connector, taxinvoice_request(1)))
    sandbox.faults = [Fault("lose_answer", "hzxxbsq", count=1)]
    assert isinstance(write(connector, red, "red_request"), Unknown)
    [form] = sandbox.bureau.forms()
    assert connector.sinks["red_request"].find(["HZ1"])["HZ1"].native_no == form["form_no"]


def part_of(blue: str, application: str) -> Record:
    """A payload that takes back half of a blue invoice."""
    amounts = {"net": Decimal("-50.00"), "tax": Decimal("-6.50"), "gross": Decimal("-56.50")}
    head = {"request_no": application, "reason": "allowance", "blue_number": blue, "seller_tax_no": SELLER}
    mapping = load_mapping(MAPPINGS / "red_request.out.yaml")
    document = {**head, **amounts, "lines": [{"blue_line": 1, **amounts}]}
    return mapping.run(document, StaticLookup(), {}) or {}


def through(connector: TaxInvoice, red: Record) -> str:
    """Begin a form and have its red invoice issued, so that the blue is free for another: the form's number."""
    form_no = done(connector, red, "red_request")
    done(connector, taxinvoice_issue(f"HK{red['key']}", red, form_no), "red_issue")
    return form_no


def test_the_form_of_an_earlier_application_over_as_much_is_not_taken_for_ours(
    sandbox: TaxInvoiceSandbox, connect: Open
) -> None:
    connector = connect(form_fields=FORM_FIELDS)
    blue = done(connector, taxinvoice_request(1))
    earlier, second = through(connector, part_of(blue, "HZ1")), part_of(blue, "HZ2")
    sandbox.faults = [Fault("status", "hzxxbsq", count=1, status=502)]  # nothing was begun
    assert isinstance(write(connector, second, "red_request"), Unknown)
    assert connector.sinks["red_request"].find(["HZ2"]) == {}
    assert done(connector, second, "red_request") != earlier


def test_a_form_begun_later_that_another_application_has_is_not_taken_for_ours(
    sandbox: TaxInvoiceSandbox, connect: Open
) -> None:
    connector = connect(form_fields=FORM_FIELDS)
    blue = done(connector, taxinvoice_request(1))
    sandbox.faults = [Fault("status", "hzxxbsq", count=1, status=502)]
    assert isinstance(write(connector, part_of(blue, "HZ2"), "red_request"), Unknown)
    through(connector, part_of(blue, "HZ1"))
    assert connector.sinks["red_request"].find(["HZ2"]) == {}


def test_a_form_that_a_person_began_before_is_not_taken_for_ours(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    connector = connect(form_fields=FORM_FIELDS)
    blue = done(connector, taxinvoice_request(1))
    half = (RedLine(1, Decimal("-50.00"), Decimal("-6.50")),)
    by_hand = sandbox.bureau.begin(RedForm("BY-HAND", blue, "seller", "allowance", half))
    sandbox.bureau.issue_red(by_hand["form_no"], "BY-HAND")
    sandbox.faults = [Fault("status", "hzxxbsq", count=1, status=502)]
    assert isinstance(write(connector, part_of(blue, "HZ1"), "red_request"), Unknown)
    assert connector.sinks["red_request"].find(["HZ1"]) == {}


def test_without_the_names_of_the_forms_fields_a_lost_red_form_waits_for_a_person(
    sandbox: TaxInvoiceSandbox, connect: Open
) -> None:
    connector = connect()
    red = taxinvoice_red("HZ1", done(connector, taxinvoice_request(1)))
    sandbox.faults = [Fault("lose_answer", "hzxxbsq", count=1)]
    assert isinstance(write(connector, red, "red_request"), Unknown)
    assert connector.sinks["red_request"].find(["HZ1"]) == {}
    assert isinstance(write(connector, red, "red_request"), Refused)
    with pytest.raises(ConfigError, match="fields of red forms"):
        read(connector, "red_form")


def test_a_lost_answer_to_a_red_invoice_is_found_by_its_form(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    connector = connect(form_fields=FORM_FIELDS)
    red, form_no = begun(connector)
    sandbox.faults = [Fault("lose_answer", "hzfpkj", count=1)]
    payload = taxinvoice_issue("HK1", red, form_no)
    assert isinstance(write(connector, payload, "red_issue"), Unknown)
    found = connector.sinks["red_issue"].find(["HK1"])["HK1"]
    assert found.native_no == sandbox.bureau.forms()[0]["red_number"]


def test_a_form_that_may_not_be_begun_is_refused_before_it_is_asked_for(connect: Open) -> None:
    refused = write(connect(), taxinvoice_red("HZ1", "26992000000009999999"), "red_request")
    assert isinstance(refused, Refused) and "未找到" in refused.zh


def test_the_credit_line_is_read_where_its_fields_are_named(connect: Open) -> None:
    with pytest.raises(ConfigError, match="credit line"):
        connect().credit_line()
    connector = connect(credit_fields=CREDIT_FIELDS)
    done(connector, taxinvoice_request(1))
    line = connector.credit_line()
    assert (line.used, line.available) == (Decimal("100.00"), Decimal("9999900.00"))


def test_what_is_not_offered_says_so(connect: Open) -> None:
    with pytest.raises(ConfigError, match="sending an invoice again"):
        connect().resend({"number": "1"}, Copy(mail="a@example.com"))
    with pytest.raises(ConfigError, match="poll step"):
        read(connect(), "invoice")


def test_a_seller_of_another_number_is_refused(sandbox: TaxInvoiceSandbox, connect: Open) -> None:
    other = {**taxinvoice_document("1"), "seller_tax_no": "91350100M000100Y43"}
    assert isinstance(write(connect(), made(other)), Refused)
    assert sandbox.bureau.blues() == []
