"""诺诺: what the connector promises, told against a platform that issues while time passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.nuonuo import CONNECTOR
from connectors.nuonuo.client import error_of, sign
from connectors.nuonuo.connector import Nuonuo
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AlreadyThere, AnswerLost, ConfigError, CredentialError, NotSent, VendorRejected
from duijie.connect.protocol import Done, Incident, Later, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.derive import invoices, reds
from duijie.mapping import StaticLookup, load_mapping, run_tests
from duijie.schemas import check
from sandbox.kit import Fault, json_response
from sandbox.nuonuo import NuonuoSandbox
from sandbox.nuonuo import Refused as NuonuoRefused
from sandbox.serve import Running
from sandbox.store import Store

APP, SECRET, SELLER = "AK-demo", "AS-demo", "339902999999789113"
NOW = datetime(2026, 11, 11, 12, 0, tzinfo=UTC)
MAPPINGS = Path(__file__).parents[2] / "mappings"
OUT, RED_OUT, IN, RED_IN = (
    load_mapping(MAPPINGS / "nuonuo" / f"{name}.yaml")
    for name in ("invoice_request.out", "red_request.out", "invoice.in", "red_invoice.in")
)
RULES = invoices.load_rules(MAPPINGS / "rules" / "invoice.yaml")
COMPANY = {"title": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E", "kind": "special"}


class Clock:
    """Time that moves when a test says so; the sandbox and the connector share it."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def pass_by(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


CLOCK = Clock()


@pytest.fixture(scope="module")
def server() -> Iterator[NuonuoSandbox]:
    made = NuonuoSandbox(Store(), CLOCK)
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: NuonuoSandbox) -> NuonuoSandbox:
    """The one server of this file, as new, two seconds from taking a request to issuing it."""
    CLOCK.moment = NOW
    server.__init__(Store(), CLOCK)
    server.seed({"app_key": APP, "app_secret": SECRET, "tax_no": SELLER, "issue_seconds": 2})
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


@pytest.fixture
def connect(sandbox: NuonuoSandbox, tmp_path: Path, incidents: list[Incident]) -> Callable[..., Nuonuo]:
    def open_it(**changes: Any) -> Nuonuo:
        return CONNECTOR.open(connection(sandbox, **changes), services(tmp_path, incidents))

    return open_it


def connection(sandbox: NuonuoSandbox, **changes: Any) -> Connection:
    token_url = f"{sandbox.url}/accessToken"
    extra = {"tax_no": SELLER, "clerk": "张三", "token_url": token_url, "rate": "10000/second"}
    fields = {"host": sandbox.url, "login": APP, "password": SECRET, **changes}
    return Connection("nn", "nuonuo", extra=extra | fields.pop("extra", {}), **fields)


def services(tmp_path: Path, incidents: list[Incident]) -> Services:
    return Services(FarTokens(tmp_path / "tokens"), incidents.append, clock=CLOCK.seconds)


class FarTokens(TokenStore):
    """Keeps a token by the test's clock instead of the machine's."""

    def _keep(self, conn_id: str, token: Any) -> None:
        super()._keep(conn_id, type(token)(token.value, token.expires_at - CLOCK.seconds() + time.time(), token.extra))


def order(number: int = 7, wish: Record | None = None, amounts: tuple[str, ...] = ("113.00",)) -> Record:
    """A finished order; every line two pieces at 13 %."""
    lines = []
    for place, amount in enumerate(amounts, 1):
        split = invoices.split_tax(Decimal(amount), Decimal("0.13"))
        head = {"line_no": place, "oid": f"{number}{place}", "sku": f"A{place}", "name": f"面条 {place}", "unit": "件"}
        taxed = {"tax_class_code": "1030299990000000000", "qty": 2, "tax_rate": Decimal("0.13")}
        lines.append({**head, **taxed, **split._asdict()})
    return {
        "key": f"taobao:S01:{number}",
        "order_no": str(number),
        "ordered_at": "2026-11-11T09:00:00+08:00",
        "freight": Decimal("0.00"),
        "gross": sum((line["gross"] for line in lines), Decimal("0.00")),
        "invoice_wish": wish or COMPANY,
        "lines": lines,
    }


def request(number: int = 7, **more: Any) -> Record:
    made = invoices.blue_request(order(number, **more), RULES)
    check("invoice_request", made)
    return made


def payload(made: Record) -> Record:
    return OUT.run(made, StaticLookup({}, {}), {}) or {}


def read(connector: Nuonuo, stream: str, *keys: str) -> list[Record]:
    window = Window(NOW, NOW, keys=keys)
    return [record for page in connector.streams[stream].read(window) for record in page.records]


def invoice(connector: Nuonuo, number: str) -> Record:
    [raw] = read(connector, "invoice", number)
    made = IN.run(raw, StaticLookup({}, {}), {}) or {}
    check("invoice", made)
    return made


def red_invoice(connector: Nuonuo, number: str) -> Record:
    [raw] = read(connector, "red_invoice", number)
    made = RED_IN.run(raw, StaticLookup({}, {}), {}) or {}
    check("invoice", made)
    return made


def issued(connector: Nuonuo, made: Record) -> Record:
    """Request it, let the time pass, read it back."""
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(2)
    return invoice(connector, made["request_no"])


def refund(of: Record, amount: str, number: int = 1, place: int = 0, **changes: Any) -> Record:
    line = of["lines"][place]
    head = {"key": f"taobao:S01:R{number}", "order_key": of["key"], "kind": "goods_and_money", "status": "success"}
    return {**head, "oid": line["oid"], "sku": line["sku"], "qty": 1, "amount": Decimal(amount), **changes}


def red_payload(of: Record, back: Record, blue: Record, made: Record) -> Record:
    red = reds.red_request(back, of, blue, made, RULES)
    check("red_request", red)
    return RED_OUT.run(red, StaticLookup({}, {}), {}) or {}


V2 = (
    '{"order":{"buyerName":"示例采购有限公司","buyerTaxNum":"91330106MA2TEST01X","salerTaxNum":"339902999999789113",'
    '"salerTel":"0571-00000000","salerAddress":"示例路1号",'
    '"orderNo":"SO20261123-0001","invoiceDate":"2026-11-23 10:00:00",'
    '"clerk":"张三","pushMode":"-1","buyerPhone":"","email":"","invoiceType":"1","invoiceLine":"pc","invoiceDetail":'
    '[{"goodsName":"示例商品","goodsCode":"1090511030000000000","withTaxFlag":"1","price":"113","num":"1","taxRate":"0.13",'
    '"tax":"13.00","taxExcludedAmount":"100.00","taxIncludedAmount":"113.00","invoiceLineProperty":"0"}]}}'
)
V3 = '{"orderNos":["SO20261123-0001"],"isOfferInvoiceDetail":"1"}'
STAMP = "1700000000"


@pytest.mark.parametrize(
    ("secret", "app", "senid", "body", "expected"),
    [
        ("secret", "app", "a" * 32, '{"name":"中文"}', "4BzcKzrcoqxPis0W/W3X2ae0uIo="),
        ("AS-demo-secret-0001", "AK-demo-0001", "0123456789abcdef" * 2, V2, "p0P5FQgP2nPobuQseCe4AiVU5wU="),
        ("AS-demo-secret-0001", "AK-demo-0001", "f" * 32, V3, "hRwbU/qENeo6e1hFQwJ7yyfIZG0="),
    ],
)
def test_a_signature_is_the_one_other_implementations_make(
    secret: str, app: str, senid: str, body: str, expected: str
) -> None:
    assert sign(secret, app, (senid, "12345678", STAMP), body.encode()) == expected


def test_a_request_is_taken_at_once_and_issued_while_time_passes(connect: Callable[..., Nuonuo]) -> None:
    connector, made = connect(), request()
    [outcome] = connector.sinks["invoice_request"].write([payload(made)])
    assert isinstance(outcome, Done)
    assert len(outcome.native_id) == 20
    assert outcome.native_id.isdigit()
    states = []
    for _ in range(3):
        [raw] = read(connector, "invoice", made["request_no"])
        states.append((raw["status"], raw["invoiceNo"][2:4], raw["orderAmount"]))
        CLOCK.pass_by(1.5)
    assert states == [("20", "", "113.00"), ("21", "99", "113.00"), ("2", "99", "113.00")]
    made_of_it = invoice(connector, made["request_no"])
    assert (made_of_it["status"], made_of_it["kind"], made_of_it["gross"]) == ("issued", "special", Decimal("113.00"))
    assert made_of_it["issued_at"] == "2026-11-11T20:00:02+08:00"


def test_sixty_requests_come_back_in_two_calls_and_an_unknown_number_is_simply_absent(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    connector = connect()
    made = [request(number) for number in range(60)]
    outcomes = connector.sinks["invoice_request"].write([payload(one) for one in made])
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    asked = counted(sandbox, "queryInvoiceResult")
    rows = read(connector, "invoice", *[one["request_no"] for one in made], "DJUNKNOWN")
    assert [row["orderNo"] for row in rows] == [one["request_no"] for one in made]
    assert asked() == 2


def test_a_number_used_already_is_looked_up_and_found_with_its_figures(connect: Callable[..., Nuonuo]) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    assert sink.safety is Safety.NATURAL_KEY
    [first] = sink.write([sent])
    [second] = sink.write([sent])
    assert isinstance(first, Done)
    assert isinstance(second, Unknown)
    found = sink.find([sink.key_of(sent), "DJNEVERSENT"])
    assert list(found) == [sink.key_of(sent)]
    there = found[sink.key_of(sent)]
    assert (there.native_id, dict(there.figures)) == (first.native_id, dict(sink.figures_of(sent)))


def test_the_error_of_a_used_number_says_already_there(connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox) -> None:
    connector = connect()
    connector.sinks["invoice_request"].write([payload(request())])
    body = payload(request())
    body["order"]["clerk"] = "张三"
    with pytest.raises(AlreadyThere, match="E9106"):
        connector._client.call("requestBillingNew", body)


def test_a_number_the_platform_never_got_is_absent_although_it_answers_with_an_error(
    connect: Callable[..., Nuonuo],
) -> None:
    connector = connect()
    with pytest.raises(VendorRejected, match="E9500"):
        connector._client.read("queryInvoiceResult", {"orderNos": ["DJNEVERSENT"]})
    assert connector.sinks["invoice_request"].find(["DJNEVERSENT"]) == {}
    assert read(connector, "invoice", "DJNEVERSENT") == []


def test_a_platform_that_computed_another_tax_shows_in_the_figures(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    sink.write([sent])
    number = sink.key_of(sent)
    row = sandbox.store.get("bureau_blue", number) or {}
    sandbox.store.put("bureau_blue", number, {**row, "net": "100.01", "tax": "12.99"})
    assert dict(sink.find([number])[number].figures) != dict(sink.figures_of(sent))


def test_a_lost_answer_leaves_the_outcome_unknown_and_exactly_one_invoice(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sink, sent = connect().sinks["invoice_request"], payload(request())
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    [outcome] = sink.write([sent])
    assert isinstance(outcome, Unknown)
    assert list(sink.find([sink.key_of(sent)])) == [sink.key_of(sent)]
    assert len(sandbox.bureau.blues()) == 1


@pytest.mark.parametrize("result", [None, {}, "ok"])
def test_a_success_without_a_number_leaves_the_outcome_unknown(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    monkeypatch.setitem(sandbox._methods, "requestBillingNew", lambda _: result)
    [outcome] = connect().sinks["invoice_request"].write([payload(request())])
    assert isinstance(outcome, Unknown)


def test_faults_for_writes_leave_queries_alone(connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox) -> None:
    connector = connect()
    sandbox.faults = [Fault("lose_answer", writes=True, rate=1.0)]
    assert read(connector, "invoice", "DJ1") == []
    assert read(connector, "red_invoice", "HZ1") == []


@pytest.mark.parametrize(("code", "text"), [("500", "系统繁忙"), ("503", ""), ("E9999", "调用税局超时")])
def test_a_failure_inside_leaves_the_outcome_unknown(code: str, text: str) -> None:
    assert isinstance(error_of({"code": code, "describe": text}, "requestBillingNew"), AnswerLost)


def test_an_answer_without_a_code_leaves_the_outcome_unknown() -> None:
    assert isinstance(error_of({"describe": "系统繁忙"}, "requestBillingNew"), AnswerLost)


def test_a_buyer_the_bureau_does_not_know_fails_with_the_reason(connect: Callable[..., Nuonuo]) -> None:
    made = issued(connect(), request(wish={**COMPANY, "tax_no": "91330106MA2DEMK14A"}))
    assert made["status"] == "failed"
    assert "购方税号" in made["reason"]


@pytest.mark.parametrize("tax_no", ["330106749468903", "11010519491231002X"])
def test_buyers_with_other_kinds_of_tax_numbers_are_issued_to(connect: Callable[..., Nuonuo], tax_no: str) -> None:
    assert issued(connect(), request(wish={**COMPANY, "tax_no": tax_no}))["status"] == "issued"


def test_a_used_up_credit_line_fails_the_request_and_counts_amounts_without_tax(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.seed({"credit_line": "150.00"})
    connector = connect()
    assert issued(connector, request(1))["status"] == "issued"
    failed = issued(connector, request(2))
    assert failed["status"] == "failed"
    assert "授信额度不足，剩余可用额度：50.00" in failed["reason"]
    assert issued(connector, request(3, amounts=("56.50",)))["status"] == "issued"


def test_a_red_of_the_same_month_gives_credit_back_and_a_new_month_starts_afresh(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.seed({"credit_line": "100.00"})
    connector, of, made = connect(), order(), request()
    blue = issued(connector, made)
    connector.sinks["red_request"].write([red_payload(of, refund(of, "113.00"), blue, made)])
    assert issued(connector, request(7000))["status"] == "failed"
    assert issued(connector, request(8))["status"] == "issued"
    CLOCK.pass_by(30 * 86400)
    assert issued(connector, request(9))["status"] == "issued"


def test_a_full_red_reverses_the_blue_with_its_own_number(connect: Callable[..., Nuonuo]) -> None:
    connector, of, made = connect(), order(amounts=("113.00",)), request()
    blue = issued(connector, made)
    sent = red_payload(of, refund(of, "113.00", qty=2), blue, made)
    assert sent["form"]["detail"] == []
    [outcome] = connector.sinks["red_request"].write([sent])
    assert isinstance(outcome, Done)
    number = sent["form"]["billId"]
    assert red_invoice(connector, number)["status"] == "issuing"
    CLOCK.pass_by(2)
    red = red_invoice(connector, number)
    assert (red["status"], red["gross"], red["blue_number"]) == ("issued", Decimal("-113.00"), blue["number"])
    assert red["number"] not in ("", blue["number"])


@pytest.mark.parametrize(("kind", "reason"), [("goods_and_money", "1"), ("money_only", "4")])
def test_a_partial_red_names_its_line_and_amount(connect: Callable[..., Nuonuo], kind: str, reason: str) -> None:
    amounts = ("113.00", "33.33")
    connector, of, made = connect(), order(amounts=amounts), request(amounts=amounts)
    blue = issued(connector, made)
    sent = red_payload(of, refund(of, "10.01", place=1, kind=kind), blue, made)
    [row] = sent["form"]["detail"]
    assert (row["blueDetailIndex"], sent["form"]["redReason"], "num" in row) == ("2", reason, kind != "money_only")
    [outcome] = connector.sinks["red_request"].write([sent])
    assert isinstance(outcome, Done)
    CLOCK.pass_by(2)
    assert red_invoice(connector, sent["form"]["billId"])["gross"] == Decimal("-10.01")


def test_a_second_form_waits_until_the_first_is_through(
    connect: Callable[..., Nuonuo], incidents: list[Incident]
) -> None:
    connector, of, made = connect(), order(), request()
    blue = issued(connector, made)
    first, second = (red_payload(of, refund(of, "20.00", number), blue, made) for number in (1, 2))
    sink = connector.sinks["red_request"]
    assert isinstance(sink.write([first])[0], Done)
    outcome = sink.write([second])[0]
    assert isinstance(outcome, Later)
    assert "未完成的红字" in outcome.zh
    CLOCK.pass_by(2)
    assert isinstance(sink.write([second])[0], Done)


def test_reds_never_exceed_their_blue(connect: Callable[..., Nuonuo]) -> None:
    connector, of, made = connect(), order(), request()
    blue = issued(connector, made)
    sink = connector.sinks["red_request"]
    assert isinstance(sink.write([red_payload(of, refund(of, "100.00", 1), blue, made)])[0], Done)
    CLOCK.pass_by(2)
    outcome = sink.write([red_payload(of, refund(of, "13.01", 2), blue, made)])[0]
    assert isinstance(outcome, Refused)
    assert outcome.code == "nuonuo:E9103"
    assert isinstance(sink.write([red_payload(of, refund(of, "13.00", 3), blue, made)])[0], Done)


def test_a_lost_answer_to_a_red_form_is_found_by_its_number(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    connector, of, made = connect(), order(), request()
    blue = issued(connector, made)
    sink, sent = connector.sinks["red_request"], red_payload(of, refund(of, "20.00"), blue, made)
    sandbox.faults = [Fault("lose_answer", writes=True, count=1)]
    assert isinstance(sink.write([sent])[0], Unknown)
    found = sink.find([sink.key_of(sent), "HZNEVERSENT"])
    assert {key: dict(one.figures) for key, one in found.items()} == {sink.key_of(sent): dict(sink.figures_of(sent))}
    assert isinstance(sink.write([sent])[0], Unknown)
    assert len(sandbox.bureau.forms()) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"redReason": "2"}, "nuonuo:E9301"),
        ({"billId": "H" * 25}, "nuonuo:E9512"),
        ({"blueElecInvoiceNumber": "26992000000000009999"}, "nuonuo:E9500"),
        ({"buyerName": "别人"}, "nuonuo:E9301"),
        ({"applySource": None}, "nuonuo:E9301"),
    ],
)
def test_a_form_that_does_not_fit_its_blue_is_refused(
    connect: Callable[..., Nuonuo], change: Record, code: str
) -> None:
    amounts = ("113.00", "11.30")
    connector, of, made = connect(), order(amounts=amounts), request(amounts=amounts)
    blue = issued(connector, made)
    sent = red_payload(of, refund(of, "20.00"), blue, made)
    sent["form"].update(change)
    [outcome] = connector.sinks["red_request"].write([sent])
    assert isinstance(outcome, Refused)
    assert outcome.code == code


def test_a_red_invoice_cannot_be_reversed(connect: Callable[..., Nuonuo]) -> None:
    connector, of, made = connect(), order(), request()
    blue = issued(connector, made)
    sent = red_payload(of, refund(of, "20.00"), blue, made)
    connector.sinks["red_request"].write([sent])
    CLOCK.pass_by(2)
    red = red_invoice(connector, sent["form"]["billId"])
    again = red_payload(of, refund(of, "5.00", 2), {**blue, "number": red["number"]}, made)
    [outcome] = connector.sinks["red_request"].write([again])
    assert isinstance(outcome, Refused)
    assert outcome.code == "nuonuo:E9522"


@pytest.mark.parametrize(
    ("where", "change", "words"),
    [
        ("head", {"buyerName": ""}, "buyerName"),
        ("head", {"remark": "长" * 201}, "remark"),
        ("head", {"orderNo": "D" * 21}, "orderNo"),
        ("head", {"buyerTaxNum": ""}, "购方税号"),
        ("head", {"salerTaxNum": "91330106MA2DEMK14E"}, "salerTaxNum"),
        ("head", {"pushMode": "0"}, "email"),
        ("head", {"invoiceDate": "2026-11-11"}, "invoiceDate"),
        ("head", {"invoiceDetail": []}, "invoiceDetail"),
        ("line", {"tax": "13.07", "taxIncludedAmount": "113.07"}, "0.06"),
        ("line", {"taxIncludedAmount": "113.01"}, "不等于含税金额"),
        ("line", {"price": "51"}, "单价×数量"),
        ("line", {"num": ""}, "同时"),
        ("line", {"goodsCode": "1"}, "goodsCode"),
        ("line", {"taxRate": "0.12"}, "taxRate"),
        ("line", {"tax": "abc"}, "tax"),
        ("line", {"invoiceLineProperty": "2"}, "折扣行"),
    ],
)
def test_a_request_that_breaks_the_field_table_is_refused(
    connect: Callable[..., Nuonuo], where: str, change: Record, words: str
) -> None:
    sent = payload(request())
    (sent["order"] if where == "head" else sent["order"]["invoiceDetail"][0]).update(change)
    [outcome] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Refused)
    assert words in outcome.zh


def test_amounts_that_are_numbers_instead_of_texts_are_refused(connect: Callable[..., Nuonuo]) -> None:
    sent = payload(request())
    sent["order"]["invoiceDetail"][0]["tax"] = Decimal("13.00")
    [outcome] = connect().sinks["invoice_request"].write([sent])
    assert isinstance(outcome, Refused)
    assert "tax 类型错误" in outcome.zh


def counted(sandbox: NuonuoSandbox, match: str) -> Callable[[], int]:
    """Counts requests that hold `match`, by a fault that delays them by nothing."""
    sandbox._methods = {name: call for name, call in sandbox._methods.items()}
    calls: list[int] = []
    real = sandbox._methods[match]

    def method(given: Record) -> Any:
        calls.append(1)
        return real(given)

    sandbox._methods[match] = method
    return lambda: len(calls)


def tokens_asked(sandbox: NuonuoSandbox) -> int:
    return len((sandbox.store.get("token_calls", "at") or {"at": []})["at"])


def test_one_token_serves_two_connectors_and_many_threads(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    connectors = [connect(), connect()]
    threads = [threading.Thread(target=read, args=(one, "invoice", "DJ1")) for one in connectors * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert tokens_asked(sandbox) == 1


def test_an_expired_token_is_renewed_once_and_the_write_goes_through(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, incidents: list[Incident]
) -> None:
    connector = connect()
    connector.check()
    sandbox.expire_tokens()
    [outcome] = connector.sinks["invoice_request"].write([payload(request())])
    assert isinstance(outcome, Done)
    assert tokens_asked(sandbox) == 2
    assert [one.kind for one in incidents] == ["TokenExpired"]


def test_the_token_quota_is_a_credential_error_that_names_it(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.seed({"limits": {"tokens": 1}})
    connector = connect()
    connector.check()
    sandbox.expire_tokens()
    with pytest.raises(CredentialError, match="070306"):
        connector.check()
    CLOCK.pass_by(31 * 86400)
    assert connector.check()[0] == ("签名与 token", "有效")


def test_a_token_that_cannot_be_had_means_the_call_did_not_leave(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.faults = [Fault("status", match="/accessToken", rate=1.0, status=502)]
    with pytest.raises(NotSent, match=r"nothing was sent|not sent"):
        connect()._client.call("queryInvoiceResult", {"orderNos": ["DJ1"]})


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"password": "wrong"}, "nuonuo:070304"), ({"login": "AK-other"}, "nuonuo:070304")],
)
def test_wrong_credentials_are_named(connect: Callable[..., Nuonuo], changes: dict[str, str], code: str) -> None:
    with pytest.raises(CredentialError) as caught:
        connect(**changes).check()
    assert caught.value.code == code


@pytest.mark.parametrize("status", [400, 401, 200])
def test_a_token_refused_with_a_code_nobody_listed_is_no_fault_of_the_invoice(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    refused = json_response({"error": "invalid_client", "error_description": "no such client"}, status)
    monkeypatch.setattr(sandbox, "_issue_token", lambda: refused)
    connector = connect()
    with pytest.raises(CredentialError, match="invalid_client") as caught:
        connector.check()
    assert "App Secret" in caught.value.zh
    assert isinstance(connector.sinks["invoice_request"].write([payload(request())])[0], Later)


def test_a_token_that_does_not_say_how_long_it_lasts_is_used(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = codec.decode(sandbox._issue_token().body)
    del told["expires_in"]
    monkeypatch.setattr(sandbox, "_issue_token", lambda: json_response(told))
    assert isinstance(connect().sinks["invoice_request"].write([payload(request())])[0], Done)


def test_a_token_refused_by_a_status_is_no_fault_of_the_invoice(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox
) -> None:
    sandbox.faults = [Fault("status", match="/accessToken", rate=1.0, status=403)]
    connector = connect()
    with pytest.raises(CredentialError, match="403"):
        connector.check()
    assert isinstance(connector.sinks["invoice_request"].write([payload(request())])[0], Later)


def test_a_form_that_the_platform_says_it_has_not_found_is_absent(
    connect: Callable[..., Nuonuo], sandbox: NuonuoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise NuonuoRefused("E9500", "未查询到数据")

    connector = connect()
    monkeypatch.setitem(sandbox._methods, "queryInvoiceRedConfirm", refuse)
    assert read(connector, "red_invoice", "HZ1") == []
    assert read(connector, "red_form", "26990000000000000001") == []
    assert connector.sinks["red_request"].find(["HZ1"]) == {}


def test_missing_settings_are_named(connect: Callable[..., Nuonuo]) -> None:
    for name in ("tax_no", "clerk"):
        with pytest.raises(ConfigError, match=name):
            connect(extra={name: ""})


def test_reading_without_numbers_is_a_configuration_error(connect: Callable[..., Nuonuo]) -> None:
    for stream in ("invoice", "red_invoice"):
        with pytest.raises(ConfigError, match="poll"):
            read(connect(), stream)


def raw_call(sandbox: NuonuoSandbox, token: str, body: bytes, signed: bytes | None = None, **query: str) -> str:
    """One call by hand, signed over `signed` or the body; the code it is answered with."""
    asked = {"senid": "b" * 32, "nonce": "12345678", "timestamp": str(int(CLOCK.seconds())), "appkey": APP} | query
    call = (asked["senid"], asked["nonce"], asked["timestamp"])
    headers = {
        "Content-Type": "application/json",
        "accessToken": token,
        "userTax": SELLER,
        "method": "nuonuo.OpeMplatform.queryInvoiceResult",
        "X-Nuonuo-Sign": sign(SECRET, asked["appkey"], call, signed or body),
    }
    url = f"{sandbox.url}/open/v1/services"
    return str(codec.decode(requests.post(url, params=asked, data=body, headers=headers, timeout=5).content)["code"])


def test_the_gateway_checks_the_bytes_the_clock_the_token_and_that_a_senid_is_new(sandbox: NuonuoSandbox) -> None:
    form = {"client_id": APP, "client_secret": SECRET, "grant_type": "client_credentials"}
    token = requests.post(f"{sandbox.url}/accessToken", data=form, timeout=5).json()["access_token"]
    body, same_meaning = b'{"orderNos": ["DJ1"]}', b'{"orderNos":["DJ1"]}'
    assert raw_call(sandbox, token, body) == "E9500"
    assert raw_call(sandbox, token, body) == "070601"
    assert raw_call(sandbox, token, body, same_meaning, senid="c" * 32) == "070601"
    late = str(int(CLOCK.seconds()) - 601)
    assert raw_call(sandbox, token, body, senid="d" * 32, timestamp=late) == "070601"
    assert raw_call(sandbox, "none", body, senid="e" * 32) == "070302"
    assert raw_call(sandbox, token, body, senid="f" * 32, appkey="AK-other") == "070101"
    assert raw_call(sandbox, token, b"{}", senid="1" * 32) == "E9611"
    many = codec.encode({"orderNos": [f"DJ{n}" for n in range(51)]})
    assert raw_call(sandbox, token, many, senid="2" * 32) == "E9301"


def test_the_query_of_forms_must_say_on_whose_side_it_asks(connect: Callable[..., Nuonuo]) -> None:
    with pytest.raises(VendorRejected, match="identity"):
        connect()._client.read("queryInvoiceRedConfirm", {"billId": "HZ1"})


def test_what_was_issued_survives_a_restart_and_seeding_again(tmp_path: Path) -> None:
    CLOCK.moment = NOW
    first = NuonuoSandbox(Store(tmp_path / "nn.db"), CLOCK)
    sent = payload(request())
    sent["order"]["clerk"] = "张三"
    first.billing.submit(sent)
    CLOCK.pass_by(2)
    [before] = first.billing.query({"orderNos": [sent["order"]["orderNo"]]})
    second = NuonuoSandbox(Store(tmp_path / "nn.db"), CLOCK)
    second.seed({"tax_no": SELLER})
    [after] = second.billing.query({"serialNos": [before["serialNo"]]})
    assert (after["status"], after["invoiceNo"]) == ("2", before["invoiceNo"])
    assert second.billing.credit({"queryType": "1"})["usedCreditLine"] == "100.00"


@pytest.mark.parametrize("mapping", [OUT, RED_OUT, IN, RED_IN], ids=lambda one: one.name)
def test_the_mappings_own_tests_pass(mapping: Any) -> None:
    results = run_tests(mapping)
    assert results
    assert [one for one in results if not one.passed] == []
