"""乐企: what the connector promises, signed as the sandbox alone takes it, against uploads that are judged later."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from connectors.leqi import CONNECTOR, signer, sm4
from connectors.leqi.client import error_of
from connectors.leqi.connector import Leqi
from connectors.leqi.register import Begun, Register
from connectors.leqi.signer import Unsigned, find_signer
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Incident, Later, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox.bureau import RedForm
from sandbox.kit import Fault
from sandbox.leqi import MARK, LeqiSandbox
from sandbox.serve import Running
from sandbox.store import Store

SELLER, CODE = "339902999999789113", "1030299990000000000"
KEY = "0123456789abcdeffedcba9876543210"
NOW = datetime(2026, 11, 11, 12, 0, tzinfo=UTC)
MAPPINGS = Path(__file__).parents[2] / "mappings/leqi"
OUT, RED_OUT, ISSUE_OUT, ANSWER_OUT = (
    load_mapping(MAPPINGS / f"{name}.out.yaml")
    for name in ("invoice_request", "red_request", "red_issue", "red_answer")
)
READ = {name: load_mapping(MAPPINGS / f"{name}.in.yaml") for name in ("invoice", "red_invoice", "red_form")}
SHORT = StaticLookup({"tax_class_name": {CODE: "方便食品"}})
COMPANY = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
EXTRA = {
    "user_platform": "SY-demo",
    "ability": "01",
    "signer_secret": "sandbox-secret",
    "tax_no": SELLER,
    "seller_name": "乐企测试企业",
    "drawer": "管理员",
    "region": "3301",
    "ip": "127.0.0.1",
    "mac": "00-00-00-00-00-00",
    "line_code": "00",
    "rate": "10000/second",
    "signer": "sandbox",
}


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
def server() -> Iterator[LeqiSandbox]:
    made = LeqiSandbox(Store(), CLOCK)
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: LeqiSandbox) -> LeqiSandbox:
    """The one server of this file, as new, two seconds from taking an upload to judging it."""
    CLOCK.moment = NOW
    server.__init__(Store(), CLOCK)
    server.seed({"issue_seconds": 2})
    return server


def connection(url: str, **changes: Any) -> Connection:
    fields = {"host": url, "login": "PT-demo", "password": KEY, **changes}
    return Connection("lq", "leqi", extra=EXTRA | fields.pop("extra", {}), **fields)


@pytest.fixture
def connect(sandbox: LeqiSandbox, tmp_path: Path) -> Callable[..., Leqi]:
    incidents: list[Incident] = []

    def open_it(**changes: Any) -> Leqi:
        services = Services(TokenStore(tmp_path / "tokens"), incidents.append, clock=CLOCK.seconds)
        extra = {"register": str(tmp_path / "register.db"), **changes.pop("extra", {})}
        return CONNECTOR.open(connection(sandbox.url, extra=extra, **changes), services)

    return open_it


def line(place: int, gross: str, **changes: Any) -> Record:
    whole = Decimal(gross)
    tax = (whole * 13 / 113).quantize(Decimal("0.01"))
    head = {"line_no": place, "name": f"面条 {place}", "unit": "件", "tax_class_code": CODE}
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
    return OUT.run(made, SHORT, {}) or {}


def red_payload(blue: Record, lines: tuple[Record, ...] = (), reason: str = "sales_return", number: int = 1) -> Record:
    made = {
        "key": f"HZ{number}",
        "request_no": f"HZ{number}",
        "reason": reason,
        "blue_request_no": blue["request_no"],
        "blue_number": blue["number"],
        "blue_kind": "special",
        "blue_issued_at": "2026-11-11T12:00:00+08:00",
        "seller_tax_no": SELLER,
        "buyer": COMPANY,
        "lines": list(lines),
        **{name: sum((one[name] for one in lines), Decimal(0)) or -blue[name] for name in ("net", "tax", "gross")},
    }
    check("red_request", made)
    return RED_OUT.run(made, StaticLookup(), {}) or {}


def issue_payload(form: Record, number: int = 1) -> Record:
    copied = {name: form[name] for name in ("form_no", "form_uuid", "blue_number", "net", "tax", "gross")}
    made = {"key": f"HF{number}", "request_no": f"HF{number}", "seller_tax_no": SELLER, **copied}
    check("red_issue", made)
    return ISSUE_OUT.run(made, StaticLookup(), {}) or {}


def read(connector: Leqi, stream: str, *keys: str) -> list[Record]:
    window = Window(NOW, NOW + timedelta(days=1), keys=keys)
    raw = [row for page in connector.streams[stream].read(window) for row in page.records]
    made = [READ[stream].run(row, StaticLookup(), {}) or {} for row in raw]
    for one in made:
        check("red_form" if stream == "red_form" else "invoice", one)
    return made


def issued(connector: Leqi, made: Record) -> Record:
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(seconds=2)
    [told] = read(connector, "invoice", made["request_no"])
    return told


def test_sm4_is_that_of_the_standard() -> None:
    block = bytes.fromhex(KEY)
    assert base64.b64decode(sm4.encrypt(block, KEY))[:16].hex() == "681edf34d206965e86b3e94f536e4246"
    assert sm4.decrypt(sm4.encrypt("发票".encode(), KEY), KEY) == "发票".encode()
    with pytest.raises(ValueError, match="hex"):
        sm4.encrypt(b"", "not a key")


@pytest.mark.parametrize("name", ["", "nobody-installed-this"])
def test_without_a_signer_every_call_is_refused_and_nothing_leaves(
    sandbox: LeqiSandbox, tmp_path: Path, name: str
) -> None:
    services = Services(TokenStore(tmp_path / "tokens"), lambda _: None, clock=CLOCK.seconds)
    extra = {"register": str(tmp_path / "register.db"), "signer": name}
    sandbox.faults = [Fault("watch", rate=1)]
    connector = CONNECTOR.open(connection(sandbox.url, extra=extra), services)
    with pytest.raises(ConfigError) as told:
        connector.check()
    assert told.value.code == "LEQI-SIGNER"
    assert "access_signature" in told.value.zh
    assert name in told.value.zh
    with pytest.raises(ConfigError):
        list(connector.streams["red_form"].read(Window(NOW, NOW)))
    [outcome] = connector.sinks["invoice_request"].write([payload(request())])
    assert isinstance(outcome, Refused)
    assert sandbox.faults[0].fired == 0


def test_an_installed_signer_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = EntryPoint("ours", "sandbox.leqi:sign", signer.GROUP)
    broken = EntryPoint("broken", "sandbox.leqi:no_such_function", signer.GROUP)
    monkeypatch.setattr(signer, "entry_points", lambda group: [ours, broken] if group == signer.GROUP else [])
    with pytest.raises(ConfigError, match="broken"):
        find_signer(connection("http://x", extra={"signer": "broken"}))
    call = Unsigned("/p", {}, b"body", 1, "secret")
    assert find_signer(connection("http://x", extra={"signer": "ours"}))(call).startswith(MARK)
    with pytest.raises(ConfigError):
        find_signer(connection("http://x", extra={"signer": "theirs"}))(call)
    assert "secret" not in repr(call)


def test_an_invoice_is_numbered_here_uploaded_and_read(connect: Callable[..., Leqi], sandbox: LeqiSandbox) -> None:
    connector, made = connect(), request()
    assert isinstance(connector, Invoicing)
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    assert read(connector, "invoice", "DJ7")[0]["status"] == "issuing"
    CLOCK.pass_by(seconds=2)
    [told] = read(connector, "invoice", "DJ7", "DJNEVERSENT")
    assert (told["status"], told["number"]) == ("issued", outcome.native_id)
    assert (told["gross"], told["net"], told["tax"]) == (Decimal("339.00"), Decimal("300.00"), Decimal("39.00"))
    assert told["issued_at"] == "2026-11-11T20:00:00+08:00"
    assert sandbox.bureau.blues()[0]["serial"] == told["number"]


def test_a_number_is_given_once_and_sent_again_byte_for_byte(connect: Callable[..., Leqi], tmp_path: Path) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    assert sink.safety is Safety.NATURAL_KEY
    [first] = sink.write([sent])
    assert isinstance(first, Done)
    kept = Register(tmp_path / "register.db").of("DJ7")
    CLOCK.pass_by(minutes=10)
    [second] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(second, Unknown)
    assert Register(tmp_path / "register.db").of("DJ7") == kept
    found = sink.find([sink.key_of(sent), "DJNEVERSENT"])
    assert list(found) == [sink.key_of(sent)]
    there = found[sink.key_of(sent)]
    assert dict(there.figures) == dict(sink.figures_of(sent))
    assert dict(there.marks) == dict(sink.marks_of(sent))  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", ["lose_answer", "malformed"])
def test_a_lost_answer_leaves_exactly_one_invoice_with_one_number(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox, fault: str
) -> None:
    connector, sent = connect(), payload(request())
    sandbox.faults = [Fault(fault, match="QDFPSC", writes=True, count=2)]
    sink = connector.sinks["invoice_request"]
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Unknown)
    assert sink.find(["DJ7"]) == {}  # its receipt was lost; the same goes again
    [outcome] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(seconds=2)
    [told] = read(connector, "invoice", "DJ7")
    assert (told["status"], told["number"]) == ("issued", outcome.native_id)
    assert [row["serial"] for row in sandbox.bureau.blues()] == [outcome.native_id]


@dataclass
class Second(Fault):
    """Hits the second call alone."""

    def due(self, text: str, is_write: bool) -> bool:
        self.fired += self.match in text
        return self.match in text and self.fired == 2


def test_a_refusal_right_after_a_lost_answer_says_nothing_of_the_first_call(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox
) -> None:
    sandbox.faults = [Fault("lose_answer", match="/QDFPSC/", count=1), Second("status", match="/QDFPSC/", status=403)]
    [outcome] = connect().sinks["invoice_request"].write([payload(request())])
    assert len(sandbox.bureau.blues()) == 1
    assert isinstance(outcome, Unknown)


def test_workers_give_every_request_a_number_of_its_own(connect: Callable[..., Leqi], sandbox: LeqiSandbox) -> None:
    workers = [connect(extra={"numbers_a_call": "3"}).sinks["invoice_request"] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda at: workers[at % 4].write([payload(request(at))])[0], range(12)))
    assert all(isinstance(one, Done) for one in outcomes)
    numbers = {row["serial"] for row in sandbox.bureau.blues()}
    assert len(numbers) == 12
    assert sorted(int(one[5:]) for one in numbers) == list(range(1, 13))


def test_a_request_that_changed_gets_another_number_only_once_the_first_is_refused(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox
) -> None:
    connector = connect()
    sink = connector.sinks["invoice_request"]
    first = issued(connector, request(1))
    [changed] = sink.write([payload(request(1, (line(1, "226.00"),)))])
    assert isinstance(changed, Refused)
    assert first["number"] in changed.zh
    sandbox.bureau.settings({"unknown_buyers": [COMPANY["tax_no"]]})
    assert issued(connector, request(2))["status"] == "failed"
    assert sink.find(["DJ2"]) == {}
    told = issued(connector, request(2, buyer={"name": "张伟"}, kind="normal"))
    assert told["status"] == "issued"
    assert len(sandbox.bureau.blues()) == 3


def test_no_credit_fails_with_its_cause_and_the_same_number_goes_again(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox
) -> None:
    connector = connect()
    sandbox.bureau.settings({"credit_line": "100.00"})
    told = issued(connector, request())
    assert (told["status"], told["cause"], told["gross"]) == ("failed", "credit", Decimal("339.00"))
    sandbox.bureau.settings({"credit_line": "1000.00"})
    again = issued(connector, request())
    assert (again["status"], again["number"]) == ("issued", told["serial"])
    line_ = connector.credit_line()
    assert (line_.total, line_.used, line_.available) == (Decimal(1000), Decimal(300), Decimal(700))


def test_credit_is_downloaded_in_steps_where_the_connection_says_so(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox
) -> None:
    sandbox.seed({"needs_download": True})
    assert issued(connect(), request(1))["cause"] == "credit"
    connector = connect(extra={"credit_step": "500"})
    sandbox.faults = [Fault("watch", match="XZTHSXED", rate=1)]
    assert [issued(connector, request(at))["status"] for at in (1, 2, 3)] == ["issued"] * 3
    assert sandbox.faults[0].fired == 2
    sandbox.bureau.settings({"credit_line": "900.00"})
    [outcome] = connector.sinks["invoice_request"].write([payload(request(4))])
    assert not isinstance(outcome, Done)


def test_a_whole_invoice_is_reversed_in_two_steps(connect: Callable[..., Leqi], sandbox: LeqiSandbox) -> None:
    connector = connect()
    blue = issued(connector, request())
    sink, sent = connector.sinks["red_request"], red_payload(blue, reason="wrong_invoice")
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Done)
    key = f"HZ1@{blue['number']}"
    assert read(connector, "red_invoice", key)[0]["status"] == "issuing"
    assert dict(sink.find([key])[key].figures) == dict(sink.figures_of(sent))
    [form] = read(connector, "red_form")
    assert (form["key"], form["initiator"], form["state"]) == (outcome.native_id, "seller", "01")
    issue = connector.sinks["red_issue"]
    [outcome] = issue.write([issue_payload(form)])
    assert isinstance(outcome, Done)
    [again] = issue.write([issue_payload(form)])
    assert isinstance(again, Unknown)
    assert dict(issue.find(["HF1"])["HF1"].figures) == dict(issue.figures_of(issue_payload(form)))
    CLOCK.pass_by(seconds=2)
    for name in (key, "HF1"):
        [told] = read(connector, "red_invoice", name)
        assert (told["status"], told["number"]) == ("issued", outcome.native_id)
        assert (told["gross"], told["blue_number"]) == (Decimal("-339.00"), blue["number"])
    assert read(connector, "red_form")[0]["red_number"] == outcome.native_id
    [other] = issue.write([issue_payload(form, 2)])
    assert isinstance(other, Refused)
    assert len(sandbox.bureau.forms()) == 1


def test_a_part_is_taken_back_by_the_lines_of_the_blue_one(connect: Callable[..., Leqi], sandbox: LeqiSandbox) -> None:
    connector = connect()
    discount = {**line(2, "-13.00", nature="discount", name="面条 1")}
    del discount["qty"], discount["price"]
    blue = issued(connector, request(lines=(line(1, "113.00", nature="discounted"), discount, line(3, "226.00"))))
    assert blue["gross"] == Decimal("326.00")
    amounts = {"net": Decimal("-100.00"), "tax": Decimal("-13.00"), "gross": Decimal("-113.00")}
    part = {**line(1, "113.00"), **amounts, "qty": -1, "price": 100, "blue_line": 3}
    [outcome] = connector.sinks["red_request"].write([red_payload(blue, (part,))])
    assert isinstance(outcome, Done)
    [form] = sandbox.bureau.forms()
    assert (form["lines"][0]["blue_line"], form["net"], form["lines"][0]["qty"]) == (2, "-100.00", "-1")
    [done] = connector.sinks["red_issue"].write([issue_payload(read(connector, "red_form")[0])])
    assert isinstance(done, Done)
    [refused] = connector.sinks["red_request"].write([red_payload(blue, ({**part, "blue_line": 9},), number=2)])
    assert isinstance(refused, Refused)
    assert "第 9 行" in refused.zh


def test_a_lost_answer_to_a_form_is_found_and_begun_once(connect: Callable[..., Leqi], sandbox: LeqiSandbox) -> None:
    connector = connect()
    blue = issued(connector, request())
    sink, sent = connector.sinks["red_request"], red_payload(blue)
    key = sink.key_of(sent)
    assert sink.find([key]) == {}
    sandbox.faults = [Fault("lose_answer", match="QDHZQRDSQ", writes=True, count=1)]
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Unknown)
    assert sink.find([key])[key].native_id == sandbox.bureau.forms()[0]["uuid"]
    [again] = sink.write([sent])
    assert isinstance(again, Unknown)
    assert len(sandbox.bureau.forms()) == 1


def test_what_this_connection_did_not_issue_is_not_reversed(connect: Callable[..., Leqi]) -> None:
    blue = {"request_no": "DJ9", "number": "26995000000000000009", "net": 1, "tax": 0, "gross": 1}
    blue = {name: Decimal(value) if isinstance(value, int) else value for name, value in blue.items()}
    [outcome] = connect().sinks["red_request"].write([red_payload(blue)])
    assert isinstance(outcome, Refused)
    assert blue["number"] in outcome.zh


def test_the_buyer_must_confirm_first_and_a_red_invoice_waits_for_it(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox
) -> None:
    sandbox.bureau.settings({"booked_buyers": [COMPANY["tax_no"]]})
    connector = connect()
    blue = issued(connector, request())
    connector.sinks["red_request"].write([red_payload(blue)])
    key = f"HZ1@{blue['number']}"
    assert read(connector, "red_invoice", key)[0]["status"] == "waiting_confirmation"
    [form] = read(connector, "red_form")
    [refused] = connector.sinks["red_issue"].write([issue_payload(form)])
    assert isinstance(refused, Refused)
    CLOCK.pass_by(hours=73)
    [told] = read(connector, "red_invoice", key)
    assert (told["status"], told["reason"]) == ("failed", "红字确认单超过 72 小时未确认")


@pytest.mark.parametrize(("agrees", "state"), [(True, "04"), (False, "06")])
def test_a_form_of_the_buyer_is_read_and_answered(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox, agrees: bool, state: str
) -> None:
    connector = connect()
    blue = issued(connector, request())
    sandbox.bureau.begin(RedForm("B1", sandbox.bureau.blues()[0]["number"], "buyer", "sales_return"))
    [form] = read(connector, "red_form")
    assert (form["initiator"], form["state"], form["blue_number"]) == ("buyer", "03", blue["number"])
    answer = {"key": form["key"], "form_no": form["form_no"], "form_uuid": form["form_uuid"], "agrees": agrees}
    check("red_answer", answer)
    sink, sent = connector.sinks["red_answer"], ANSWER_OUT.run(answer, StaticLookup(), {}) or {}
    assert sink.find([sink.key_of(sent)]) == {}
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Done)
    found = sink.find([sink.key_of(sent)])[sink.key_of(sent)]
    assert dict(found.marks) == dict(sink.marks_of(sent))  # type: ignore[attr-defined]
    assert read(connector, "red_form", form["key"])[0]["state"] == state


def test_forms_are_read_page_by_page(connect: Callable[..., Leqi], sandbox: LeqiSandbox) -> None:
    connector = connect()
    made = [payload(request(at, (line(1, "113.00"),))) for at in range(51)]
    sink = connector.sinks["invoice_request"]
    sink.write(made[:50])
    sink.write(made[50:])
    CLOCK.pass_by(seconds=2)
    for at, row in enumerate(sandbox.bureau.blues()):
        sandbox.bureau.begin(RedForm(f"B{at}", row["number"], "buyer", "sales_return"))
    assert len({row["key"] for row in read(connector, "red_form")}) == 51


def test_streams_of_invoices_cannot_be_read_by_time(connect: Callable[..., Leqi]) -> None:
    for name in ("invoice", "red_invoice"):
        with pytest.raises(ConfigError, match="numbers only"):
            read(connect(), name)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("01", "未查询到数据", VendorRejected),
        ("99", "授信额度不足", CreditExhausted),
        ("99", "该发票存在未完成的红字信息确认单", VendorBusy),
        ("99", "系统繁忙, 请稍后再试", AnswerLost),
        ("500", "", AnswerLost),
        ("99", "服务调用超时", AnswerLost),
        ("GW02", "验签失败", CredentialError),
        ("GW01", "能力编码未授权", CredentialError),
        ("", "", AnswerLost),
        ("99", "xmmc 超长", VendorRejected),
    ],
)
def test_what_the_platform_says_becomes_one_error_of_the_tree(code: str, text: str, kind: type[Exception]) -> None:
    assert isinstance(error_of(code, text, "x"), kind)


def test_wrong_keys_and_rights_are_told(connect: Callable[..., Leqi]) -> None:
    for changes in ({"password": "0" * 32}, {"login": "PT-other"}, {"extra": {"signer_secret": "wrong"}}):
        with pytest.raises(CredentialError, match="GW"):
            connect(**changes).check()
    with pytest.raises(ConfigError, match="32 hex"):
        connect(password="short")
    for name in ("line_code", "region", "mac", "drawer"):
        with pytest.raises(ConfigError, match=name):
            connect(extra={name: ""})


def test_a_server_that_is_down_costs_no_number(
    connect: Callable[..., Leqi], sandbox: LeqiSandbox, tmp_path: Path
) -> None:
    connector, sent = connect(), payload(request())
    sandbox.faults = [Fault("status", match="QDFPSC", rate=1, status=503)]
    [outcome] = connector.sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Later | Unknown)
    kept = Register(tmp_path / "register.db").of("DJ7")
    sandbox.faults = []
    [outcome] = connector.sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Done)
    assert kept is not None
    assert kept.number == outcome.native_id


def test_what_nobody_published_is_not_offered(connect: Callable[..., Leqi]) -> None:
    connector = connect()
    assert connector.login().state == "in"
    blue = issued(connector, request())
    for kind in ("pdf", "ofd", "xml"):
        with pytest.raises(ConfigError, match="no interface"):
            connector.fetch(blue, kind)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no interface"):
        connector.resend(blue, Copy(mail="a@example.com"))


def test_the_register_survives_a_failing_build_and_keeps_what_was_begun(tmp_path: Path) -> None:
    register = Register(tmp_path / "deep/register.db")
    assert (tmp_path / "deep/register.db").stat().st_mode & 0o777 == 0o600
    asked: list[int] = []

    def refill() -> tuple[str, str]:
        asked.append(1)
        return f"{len(asked):020d}", f"{len(asked):020d}"

    def broken(_: str) -> str:
        raise KeyError("spfwjc")

    with pytest.raises(KeyError):
        register.give("DJ1", "d", broken, refill)
    made = register.give("DJ2", "d", lambda number: f'"{number}"', refill)
    assert (made.number, made.body, len(asked)) == (f"{1:020d}", f'"{1:020d}"', 1)
    assert register.by_number(made.number) == made
    register.begin(Begun("K", "B", "-9.00", "-1.17", ""))
    begun = register.begin(Begun("K", "B", "-1.00", "-0.13", ""))
    assert begun.net == "-1.00"
    register.claim("K", "uuid")
    assert register.begin(Begun("K", "B", "-5.00", "-0.65", "")) == Begun("K", "B", "-1.00", "-0.13", "uuid")
    assert register.claimed("B") == {"uuid"}


def test_a_register_that_cannot_be_used_is_told_before_anything_is_sent(
    connect: Callable[..., Leqi], tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("this is a letter and no register, " * 20)
    for path in (tmp_path / "letter.txt", tmp_path / "letter.txt/register.db"):
        with pytest.raises(ConfigError, match="register"):
            connect(extra={"register": str(path)})
    assert (tmp_path / "letter.txt").read_text().startswith("this is a letter")
