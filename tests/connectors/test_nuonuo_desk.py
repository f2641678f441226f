"""诺诺 beside the blue invoice: credit line, login, files, delivery, and red forms from both sides."""
# ruff: noqa: F811

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.nuonuo.client import error_of
from connectors.nuonuo.connector import Nuonuo
from duijie.codec import Record
from duijie.connect.errors import CreditExhausted, LoginNeeded, VendorRejected
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Marking, Refused, Unknown, Window
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox.bureau import RedForm, RedLine
from sandbox.kit import Fault
from sandbox.nuonuo import NuonuoSandbox
from tests.connectors.test_nuonuo import (  # noqa: F401  fixtures
    CLOCK,
    MAPPINGS,
    connect,
    incidents,
    invoice,
    issued,
    order,
    payload,
    red_invoice,
    red_payload,
    refund,
    request,
    sandbox,
    server,
)

FORM_IN, ANSWER_OUT = (load_mapping(MAPPINGS / "nuonuo" / f"{name}.yaml") for name in ("red_form.in", "red_answer.out"))
BUYER = "杭州恒信嘉禾科技有限公司"
DAY = timedelta(days=1)


def forms(connector: Nuonuo, *keys: str, since: datetime | None = None) -> list[list[Record]]:
    window = Window(since or CLOCK() - DAY, CLOCK() + timedelta(seconds=1), keys=keys)
    return [list(page.records) for page in connector.streams["red_form"].read(window)]


def answer(form_no: str, agrees: bool, why: str = "") -> Record:
    document = {"key": f"QR{form_no}", "form_no": form_no, "agrees": agrees, **({"reason": why} if why else {})}
    check("red_answer", document)
    return ANSWER_OUT.run(document, StaticLookup({}, {}), {}) or {}


def began_by_buyer(sandbox: NuonuoSandbox, number: str, net: str = "-10.00", tax: str = "-1.30", no: str = "B1") -> str:
    line = RedLine(1, Decimal(net), Decimal(tax))
    return str(sandbox.bureau.begin(RedForm(no, number, "buyer", "allowance", (line,)))["form_no"])


def test_a_connection_offers_what_people_at_the_desk_need(connect: Callable[..., Nuonuo]) -> None:
    connector = connect()
    assert isinstance(connector, Invoicing)
    assert all(isinstance(connector.sinks[name], Marking) for name in ("invoice_request", "red_request"))
    assert (connector.ability.limits.lines, connector.ability.answers_forms) == (2000, True)


def test_the_credit_line_is_the_bureaus_although_it_may_be_asked_only_now_and_then(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.seed({"credit_line": "1000.00"})
    connector = connect()
    issued(connector, request())
    for _ in range(3):
        line = connector.credit_line()
        assert (line.total, line.used, line.available) == (Decimal("1000.00"), Decimal("100.00"), Decimal("900.00"))
        assert line.at == CLOCK()


def test_a_drawer_who_is_logged_in_has_nothing_to_scan(connect: Callable[..., Nuonuo]) -> None:
    drawer = connect().login()
    assert (drawer.drawer, drawer.state, drawer.qr) == ("张三", "in", "")


@pytest.mark.parametrize(("state", "shown"), [("login", "login"), ("scan", "scan")])
def test_a_drawer_who_must_scan_gets_a_code_that_is_not_asked_for_twice_a_minute(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, state: str, shown: str
) -> None:
    sandbox.seed({"login": state})
    connector = connect()
    first = connector.login()
    assert (first.state, first.until) == (shown, CLOCK() + timedelta(minutes=5))
    assert first.qr.startswith("qrcode_id=")
    assert "张三" in first.zh
    CLOCK.pass_by(20)
    assert connector.login().qr == first.qr
    CLOCK.pass_by(290)
    assert connector.login().qr not in ("", first.qr)


def test_a_login_by_text_message_says_so(connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox) -> None:
    sandbox.seed({"login": "sms"})
    assert connect().login().state == "sms"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("开票预扣授信额度失败，授信额度不足，剩余可用额度：0.00", CreditExhausted),
        ("登录已失效，请重新登录", LoginNeeded),
    ],
)
def test_what_stops_all_invoices_is_told_from_what_stops_one(text: str, kind: type[Exception]) -> None:
    assert isinstance(error_of({"code": "E9301", "describe": text}, "requestBillingNew"), kind)
    assert isinstance(error_of({"code": "E9301", "describe": "备注过长"}, "requestBillingNew"), VendorRejected)


@pytest.mark.parametrize(
    ("seed", "cause"),
    [
        ({"login": "scan"}, "login"),
        ({"credit_line": "1.00"}, "credit"),
        ({"unknown_buyers": ["91330106MA2DEMK14E"]}, "buyer"),
    ],
)
def test_a_failed_invoice_tells_its_cause_and_is_begun_again_under_its_number(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, seed: Record, cause: str
) -> None:
    sandbox.seed(seed)
    connector, made = connect(), request()
    failed = issued(connector, made)
    assert (failed["status"], failed["cause"]) == ("failed", cause)
    sandbox.seed({"login": "in", "credit_line": "100000.00", "unknown_buyers": []})
    [outcome] = connector.sinks["invoice_request"].resubmit([payload(made)], [failed["serial"]])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(2)
    again = invoice(connector, made["request_no"])
    assert (again["status"], again["serial"]) == ("issued", failed["serial"])
    [outcome] = connector.sinks["invoice_request"].resubmit([payload(made)], [failed["serial"]])
    assert isinstance(outcome, Done)
    assert invoice(connector, made["request_no"]) == again
    assert len(sandbox.bureau.blues()) == 1


def test_a_request_is_begun_again_twenty_times_a_day_at_most(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.seed({"credit_line": "1.00"})
    connector, made = connect(), request()
    failed = issued(connector, made)
    sink, given = connector.sinks["invoice_request"], ([payload(made)], [failed["serial"]])
    for _ in range(20):
        assert isinstance(sink.resubmit(*given)[0], Done)
        CLOCK.pass_by(2)
    outcome = sink.resubmit(*given)[0]
    assert isinstance(outcome, Refused)
    assert "20" in outcome.zh


def test_what_is_found_bears_the_marks_of_what_was_sent(connect: Callable[..., Nuonuo]) -> None:
    connector, of, made = connect(), order(), request()
    sink, sent = connector.sinks["invoice_request"], payload(made)
    blue = issued(connector, made)
    assert isinstance(sink, Marking)
    assert sink.find([made["request_no"]])[made["request_no"]].marks == sink.marks_of(sent)
    reds, red = connector.sinks["red_request"], red_payload(of, refund(of, "20.00"), blue, made)
    reds.write([red])
    assert isinstance(reds, Marking)
    assert reds.find([reds.key_of(red)])[reds.key_of(red)].marks == reds.marks_of(red)


@pytest.mark.parametrize(("kind", "magic"), [("xml", b"<?xml"), ("ofd", b"PK"), ("pdf", b"%PDF")])
def test_files_are_fetched_although_the_address_told_before_has_expired(
    connect: Callable[..., Nuonuo], kind: Any, magic: bytes
) -> None:
    connector, of, made = connect(), order(), request()
    blue = issued(connector, made)
    sent = red_payload(of, refund(of, "113.00", qty=2), blue, made)
    connector.sinks["red_request"].write([sent])
    CLOCK.pass_by(3 * 3600)
    assert connector.fetch(blue, kind).startswith(magic)
    assert connector.fetch(red_invoice(connector, sent["form"]["billId"]), kind).startswith(magic)
    with pytest.raises(VendorRejected):
        connector._client.download(blue["files"][kind])


def test_an_invoice_without_a_file_says_which(connect: Callable[..., Nuonuo]) -> None:
    connector, made = connect(), request()
    connector.sinks["invoice_request"].write([payload(made)])
    with pytest.raises(VendorRejected, match=made["request_no"]):
        connector.fetch(invoice(connector, made["request_no"]), "xml")


def test_an_invoice_is_sent_again(connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox) -> None:
    connector = connect()
    blue = issued(connector, request())
    connector.resend(blue, Copy(mail="a@example.com"))
    [delivered] = sandbox.store.all("delivered")
    assert (delivered["invoiceNum"], delivered["mail"], "phone" in delivered) == (
        blue["number"],
        "a@example.com",
        False,
    )


def test_forms_of_both_sides_come_in_pages_of_fifty(connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox) -> None:
    connector = connect()
    blue = issued(connector, request(7))
    for number in range(51):
        form_no = began_by_buyer(sandbox, blue["number"], no=f"B{number}")
        sandbox.bureau.withdraw(form_no, "buyer")
    of, made = order(8), request(8)
    connector.sinks["red_request"].write([red_payload(of, refund(of, "20.00"), issued(connector, made), made)])
    pages = forms(connector)
    assert [len(page) for page in pages] == [50, 2]
    made_of = [FORM_IN.run(raw, StaticLookup({}, {}), {}) or {} for page in pages for raw in page]
    for one in made_of:
        check("red_form", one)
    assert [one["initiator"] for one in made_of] == ["buyer"] * 51 + ["seller"]
    assert {one["state"] for one in made_of} == {"08", "01"}
    assert forms(connector, made_of[0]["form_no"])[0][0]["billNo"] == made_of[0]["form_no"]
    assert forms(connector, since=CLOCK() + DAY) == [[]]


@pytest.mark.parametrize(("agrees", "state"), [(True, "04"), (False, "06")])
def test_a_buyers_form_is_answered_once(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, agrees: bool, state: str
) -> None:
    connector = connect()
    form_no = began_by_buyer(sandbox, issued(connector, request())["number"])
    sink = connector.sinks["red_answer"]
    assert sink.find([form_no]) == {}
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    assert isinstance(sink.write([answer(form_no, agrees, "金额不符")])[0], Unknown)
    [found] = sink.find([form_no]).values()
    assert dict(found.figures) == dict(sink.figures_of(answer(form_no, agrees)))
    assert sandbox.bureau.forms(form_no=form_no)[0]["state"] == state
    assert isinstance(sink.write([answer(form_no, not agrees)])[0], Refused)


def test_an_answer_that_comes_too_late_is_refused_with_the_state(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    connector = connect()
    form_no = began_by_buyer(sandbox, issued(connector, request())["number"])
    CLOCK.pass_by(72 * 3600)
    outcome = connector.sinks["red_answer"].write([answer(form_no, True)])[0]
    assert isinstance(outcome, Refused)
    assert "07" in outcome.zh
    assert connector.sinks["red_answer"].find([form_no]) == {}


def test_a_form_that_the_buyer_must_confirm_shows_until_when(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.seed({"booked_buyers": [BUYER]})
    connector, of, made = connect(), order(), request()
    sent = red_payload(of, refund(of, "113.00", qty=2), issued(connector, made), made)
    assert isinstance(connector.sinks["red_request"].write([sent])[0], Done)
    waiting = red_invoice(connector, sent["form"]["billId"])
    assert (waiting["status"], waiting["form_state"]) == ("waiting_confirmation", "02")
    assert datetime.fromisoformat(waiting["form_expires_at"]).astimezone(UTC) == CLOCK() + 3 * DAY
    CLOCK.pass_by(72 * 3600)
    assert red_invoice(connector, sent["form"]["billId"])["form_state"] == "07"


@pytest.mark.parametrize(
    "special",
    [
        {"factor": "building", "place": "浙江省杭州市西湖区", "project": "宇宙城", "cross_city": False},
        {
            "factor": "property_sale",
            "place": "浙江省杭州市",
            "address": "文一路1号",
            "certificate": "浙001",
            "area_unit": "2",
        },
        {"factor": "property_lease", "address": "杭州市文一路1号", "from": "2026-01-01", "to": "2026-12-31"},
        {
            "factor": "freight",
            "transports": [{"tool": "2", "plate": "浙A1", "from": "上海", "to": "北京", "goods": "面"}],
        },
        {"factor": "passenger", "travellers": []},
    ],
    ids=lambda one: one["factor"],
)
def test_special_businesses_are_taken_with_what_they_must_say(connect: Callable[..., Nuonuo], special: Record) -> None:
    made = {**request(), "special": special}
    for line in made["lines"]:
        for name in ("unit", "qty", "price", "spec"):
            line.pop(name, None)
    check("invoice_request", made)
    assert isinstance(connect().sinks["invoice_request"].write([payload(made)])[0], Done)
    sent = payload(made)
    for name in [
        name for name in sent["order"] if name.startswith(("realProperty", "invoiceBuilding", "invoiceGoods"))
    ]:
        del sent["order"][name]
        sent["order"]["orderNo"] = "DJWITHOUT"
        assert isinstance(connect().sinks["invoice_request"].write([sent])[0], Refused)


def test_a_discount_is_issued_as_a_line_of_its_own(connect: Callable[..., Nuonuo]) -> None:
    made = request()
    line = made["lines"][0]
    less = {name: line[name] for name in ("name", "tax_class_code", "tax_rate")}
    less |= {
        "line_no": 2,
        "nature": "discount",
        "net": Decimal("-10.00"),
        "tax": Decimal("-1.30"),
        "gross": Decimal("-11.30"),
    }
    made |= {"lines": [{**line, "nature": "discounted"}, less], "net": Decimal("90.00"), "tax": Decimal("11.70")}
    blue = issued(connect(), {**made, "gross": Decimal("101.70")})
    assert [(one["nature"], one["net"]) for one in blue["lines"]] == [
        ("discounted", Decimal("100.00")),
        ("discount", Decimal("-10.00")),
    ]
