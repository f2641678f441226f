"""高灯: what the connector promises, on both gateways and in both units, told against a platform that issues later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.gaodeng import CONNECTOR
from connectors.gaodeng.client import error_of
from connectors.gaodeng.connector import Gaodeng
from connectors.gaodeng.hook import callback_url, token_of
from connectors.gaodeng.signature import authorization, old_signature
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
from duijie.connect.protocol import Done, Incident, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox.gaodeng import GaodengSandbox
from sandbox.gaodeng_invoices import STATUS, Invoices
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store

SELLER, SECRET = "339902999999789113", "gd-demo-secret"
NOW = datetime(2026, 11, 11, 12, 0, tzinfo=UTC)
MAPPINGS = Path(__file__).parents[2] / "mappings/gaodeng"
OUT, RED_OUT, IN, RED_IN = (
    load_mapping(MAPPINGS / f"{name}.yaml")
    for name in ("invoice_request.out", "red_request.out", "invoice.in", "red_invoice.in")
)
COMPANY = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
WAYS = [("new", "fen"), ("new", "yuan"), ("old", "fen"), ("old", "yuan")]


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
def server() -> Iterator[GaodengSandbox]:
    made = GaodengSandbox(Store(), CLOCK)
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: GaodengSandbox) -> GaodengSandbox:
    """The one server of this file, as new, two seconds from taking a request to issuing it."""
    CLOCK.moment = NOW
    server.__init__(Store(), CLOCK)
    server.seed({"issue_seconds": 2})
    return server


def connection(url: str, **changes: Any) -> Connection:
    codes = {"code_normal": "SD-P", "code_special": "SD-Z"}
    extra = {"gateway": "new", "amount_unit": "fen", "tax_no": SELLER, "rate": "10000/second", **codes}
    fields = {"host": url, "login": "gd-demo", "password": SECRET, **changes}
    return Connection("gd", "gaodeng", extra=extra | fields.pop("extra", {}), **fields)


@pytest.fixture
def connect(sandbox: GaodengSandbox, tmp_path: Path) -> Callable[..., Gaodeng]:
    incidents: list[Incident] = []

    def open_it(**changes: Any) -> Gaodeng:
        services = Services(TokenStore(tmp_path / "tokens"), incidents.append, clock=CLOCK.seconds)
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


def red_payload(of: Record) -> Record:
    document = {
        "request_no": "HZ1",
        "blue_request_no": of["request_no"],
        "blue_number": "26992000000000000001",
        "lines": [],
        **{name: -of[name] for name in ("net", "tax", "gross")},
    }
    return RED_OUT.run(document, StaticLookup(), {}) or {}


def read(connector: Gaodeng, stream: str, *keys: str) -> list[Record]:
    return [row for page in connector.streams[stream].read(Window(NOW, NOW, keys=keys)) for row in page.records]


def invoice(connector: Gaodeng, key: str, stream: str = "invoice") -> Record:
    [raw] = read(connector, stream, key)
    made = (IN if stream == "invoice" else RED_IN).run(raw, StaticLookup(), {}) or {}
    check("invoice", made)
    return made


def issued(connector: Gaodeng, made: Record) -> Record:
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(seconds=2)
    return invoice(connector, made["request_no"])


def test_the_new_gateway_is_signed_over_path_and_body() -> None:
    call = ("/tax-api/invoice/blue/v1", b'{"order_id":"SO20261123-0001"}')
    made = authorization("gd_demo", SECRET, "123456", "1700000000", call)
    told = "algorithm=HMAC-SHA256,appkey=gd_demo,nonce=123456,timestamp=1700000000"
    assert made == f"{told},signature=frWUEUexQEispiAak/1jZ1EOyl6oWxXwrGH8TKZoREc="


def test_the_old_gateway_is_signed_over_its_sorted_parameters() -> None:
    items = [{"name": "示例商品", "total_price": 10000}]
    data = {"title_type": 2, "items": items, "order_id": "SO20261123-0001"}
    assert old_signature("gd_demo", SECRET, "1700000000", data) == "3E68852B2247980D56FFFF17F72C6DE6"


@pytest.mark.parametrize(("gateway", "unit"), WAYS)
def test_an_invoice_is_asked_for_issued_and_read_on_every_gateway_in_every_unit(
    connect: Callable[..., Gaodeng], sandbox: GaodengSandbox, gateway: str, unit: str
) -> None:
    sandbox.seed({"unit": unit})
    connector, made = connect(extra={"gateway": gateway, "amount_unit": unit}), request()
    assert isinstance(connector, Invoicing)
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    assert invoice(connector, "DJ7")["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    told = invoice(connector, "DJ7")
    assert (told["status"], told["number"][2:4], told["serial"]) == ("issued", "99", outcome.native_id)
    assert (told["gross"], told["net"], told["tax"]) == (Decimal("339.00"), Decimal("300.00"), Decimal("39.00"))
    assert told["issued_at"] == "2026-11-11T20:00:02+08:00"
    assert Decimal(sandbox.bureau.blues()[0]["net"]) == 300


@pytest.mark.parametrize(("theirs", "ours"), [("fen", "yuan"), ("yuan", "fen")])
def test_amounts_in_the_wrong_unit_are_refused_before_anything_is_issued(
    connect: Callable[..., Gaodeng], sandbox: GaodengSandbox, theirs: str, ours: str
) -> None:
    sandbox.seed({"unit": theirs})
    [outcome] = connect(extra={"amount_unit": ours}).sinks["invoice_request"].write([payload(request())])
    assert isinstance(outcome, Refused)
    assert sandbox.bureau.blues() == []


@pytest.mark.parametrize("name", ["gateway", "amount_unit", "code_normal", "code_special"])
def test_what_nobody_published_must_be_said_by_the_connection(connect: Callable[..., Gaodeng], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        connect(extra={name: ""})
    if name in ("gateway", "amount_unit"):
        with pytest.raises(ConfigError, match=name):
            connect(extra={name: "perhaps"})


def test_a_discount_is_taken_off_its_line_to_the_cent(connect: Callable[..., Gaodeng], sandbox: GaodengSandbox) -> None:
    discount = {**line(2, "-13.00", nature="discount", name="面条 1")}
    del discount["qty"], discount["price"]
    made = request(lines=(line(1, "113.00", nature="discounted"), discount, line(3, "11.30")))
    assert issued(connect(), made)["gross"] == Decimal("111.30")
    lines = sandbox.bureau.blues()[0]["lines"]
    assert [Decimal(one["net"]) for one in lines] == [Decimal("88.50"), Decimal("10.00")]


def test_a_number_used_already_is_looked_up_and_found_with_its_figures(connect: Callable[..., Gaodeng]) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    assert sink.safety is Safety.NATURAL_KEY
    [first], [second] = sink.write([sent]), sink.write([sent])
    assert isinstance(first, Done)
    assert isinstance(second, Unknown)
    found = sink.find([sink.key_of(sent), "DJNEVERSENT"])
    assert list(found) == [sink.key_of(sent)]
    assert dict(found[sink.key_of(sent)].figures) == dict(sink.figures_of(sent))
    assert found[sink.key_of(sent)].native_id == first.native_id


def test_a_lost_answer_leaves_the_outcome_unknown_and_exactly_one_invoice(
    connect: Callable[..., Gaodeng], sandbox: GaodengSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Unknown)
    assert list(sink.find([sink.key_of(sent)])) == [sink.key_of(sent)]
    assert len(sandbox.bureau.blues()) == 1


def test_a_failure_is_told_by_its_cause_and_carries_no_amounts_to_compare(
    connect: Callable[..., Gaodeng], sandbox: GaodengSandbox
) -> None:
    connector = connect()
    sandbox.bureau.settings({"credit_line": "100.00"})
    told = issued(connector, request(1))
    assert (told["status"], told["cause"], told["gross"]) == ("failed", "credit", 0)
    assert connector.sinks["invoice_request"].find(["DJ1"]) == {}
    sandbox.bureau.settings({"credit_line": "10000.00", "login": "sms"})
    assert issued(connector, request(2))["cause"] == "login"


@pytest.mark.parametrize("status", [2, 3])
def test_what_has_neither_a_number_nor_words_has_not_failed_and_stays_in_doubt(
    connect: Callable[..., Gaodeng], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    connector, made = connect(), request()
    sink = connector.sinks["invoice_request"]
    sink.write([payload(made)])
    monkeypatch.setitem(STATUS, "issuing", status)
    assert invoice(connector, "DJ7")["status"] == "issuing"
    assert sink.find(["DJ7"])["DJ7"].is_open
    monkeypatch.setattr(Invoices, "_amount", lambda _self, _yuan: "")
    with pytest.raises(VendorBusy, match="DJ7"):
        sink.find(["DJ7"])


def test_a_whole_invoice_is_reversed_once(connect: Callable[..., Gaodeng], sandbox: GaodengSandbox) -> None:
    connector, made = connect(), request()
    issued(connector, made)
    sink, sent = connector.sinks["red_request"], red_payload(made)
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Done)
    assert invoice(connector, "HZ1@DJ7", "red_invoice")["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    told = invoice(connector, "HZ1@DJ7", "red_invoice")
    assert (told["status"], told["gross"], told["tax"]) == ("issued", Decimal("-339.00"), Decimal("-39.00"))
    [again] = sink.write([sent])
    assert isinstance(again, Unknown)
    assert dict(sink.find(["HZ1@DJ7"])["HZ1@DJ7"].figures) == dict(sink.figures_of(sent))
    assert len(sandbox.bureau.forms()) == 1


def test_a_lost_answer_to_a_reversal_is_found_and_reversed_once(
    connect: Callable[..., Gaodeng], sandbox: GaodengSandbox
) -> None:
    connector, made = connect(), request()
    issued(connector, made)
    sandbox.faults = [Fault("lose_answer", match="/red", writes=True, count=1)]
    sink, sent = connector.sinks["red_request"], red_payload(made)
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Unknown)
    assert list(sink.find([sink.key_of(sent)])) == [sink.key_of(sent)]
    assert len(sandbox.bureau.forms()) == 1


def test_an_order_nobody_knows_cannot_be_reversed(connect: Callable[..., Gaodeng]) -> None:
    [outcome] = connect().sinks["red_request"].write([red_payload(request())])
    assert isinstance(outcome, Refused)
    assert "DJ7" in outcome.zh


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (1014, "订单号重复", AlreadyThere),
        (1, "发票已红冲. order_sn:6557136429603008662 is_red:1", AlreadyThere),
        (1015, "开票预扣授信额度失败，授信额度不足", CreditExhausted),
        (1015, "电子税务局登录已失效, 请重新登录", LoginNeeded),
        (1014, "存在未完成的红字信息确认单", VendorBusy),
        (1007, "签名错误", CredentialError),
        (1012, "接口调用次数不足", CredentialError),
        (1016, "依赖服务故障", AnswerLost),
        (500, "", AnswerLost),
        (502, "网关错误", AnswerLost),
        (1015, "调用税局超时", AnswerLost),
        (1010, "缺少 order_id", VendorRejected),
        ("", "", AnswerLost),
    ],
)
def test_what_the_platform_says_becomes_one_error_of_the_tree(code: Any, text: str, kind: type[Exception]) -> None:
    assert isinstance(error_of({"code": code, "message": text}, "x"), kind)


def test_a_wrong_secret_is_told_on_both_gateways_and_a_wrong_clock_as_such(
    connect: Callable[..., Gaodeng], sandbox: GaodengSandbox, tmp_path: Path
) -> None:
    for gateway in ("new", "old"):
        with pytest.raises(CredentialError, match="1007"):
            connect(password="wrong", extra={"gateway": gateway}).check()
    late = Services(TokenStore(tmp_path / "t"), lambda _: None, clock=lambda: CLOCK.seconds() - 600)
    with pytest.raises(CredentialError) as told:
        CONNECTOR.open(connection(sandbox.url), late).check()
    assert "时钟" in told.value.zh


def test_the_pdf_is_fetched_and_an_invoice_mailed_again(connect: Callable[..., Gaodeng]) -> None:
    connector = connect()
    blue = issued(connector, request())
    assert connector.fetch(blue, "pdf").startswith(b"%PDF")
    connector.resend(blue, Copy(mail="a@example.com"))
    with pytest.raises(ConfigError, match="xml"):
        connector.fetch(blue, "xml")
    with pytest.raises(ConfigError):
        connector.resend(blue, Copy(phone="13800000000"))
    with pytest.raises(ConfigError):
        connect(extra={"gateway": "old"}).resend(blue, Copy(mail="a@example.com"))


def test_credit_line_and_login_are_not_offered(connect: Callable[..., Gaodeng]) -> None:
    for ask in (connect().credit_line, connect().login):
        with pytest.raises(ConfigError, match="no interface"):
            ask()


def notice(kind: str, order: str, **query: str) -> Call:
    said = codec.encode({"notify_type": kind, "order_id": order, "ticket_status": "2"})
    token = {"t": token_of(connection("http://x"))}
    return Call("", {"content-type": "application/json"}, token | query, said, NOW)


def test_a_notification_is_a_hint_about_one_number_and_no_more() -> None:
    hook = CONNECTOR.hook(connection("http://x"))  # type: ignore[misc]
    assert hook.verify(notice("invoice.blue", "DJ7")).items == (Pushed("invoice", "DJ7"),)
    assert hook.verify(notice("invoice.red", "DJ7", k="HZ1@DJ7")).items == (Pushed("red_invoice", "HZ1@DJ7"),)
    assert hook.verify(notice("invoice.red", "DJ7", k="HZ1@DJ8")).items == ()
    assert hook.verify(notice("invoice.invalid", "DJ7")).items == ()
    with pytest.raises(Forged):
        hook.verify(notice("invoice.blue", "DJ7", t="0" * 32))
    with pytest.raises(MalformedMessage):
        hook.verify(Call("", {}, {"t": token_of(connection("http://x"))}, b"[]", NOW))


def test_the_address_for_notifications_goes_with_each_request_where_we_can_be_reached(
    connect: Callable[..., Gaodeng], sandbox: GaodengSandbox
) -> None:
    assert callback_url(connection("http://x")) == ""
    mine = connection("http://x", extra={"push_url": "https://duijie.example.com/"})
    assert callback_url(mine) == f"https://duijie.example.com/in/gd?t={token_of(mine)}"
    issued(connect(extra={"push_url": "https://duijie.example.com"}), request())
    parcel = sandbox.notify(callback_url(mine), "DJ7", timedelta())
    hook = CONNECTOR.hook(mine)  # type: ignore[misc]
    call = Call("", dict(parcel.headers), {"t": token_of(mine)}, parcel.body, NOW)
    assert hook.verify(call).items == (Pushed("invoice", "DJ7"),)


def test_streams_cannot_be_read_by_time(connect: Callable[..., Gaodeng]) -> None:
    with pytest.raises(ConfigError, match="numbers only"):
        read(connect(), "invoice")
