"""票通: a serial is taken once, lengths count in GBK bytes, discounts travel with their line, whole reds only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.piaotong import CONNECTOR
from connectors.piaotong.client import error_of, serial_of
from connectors.piaotong.connector import PiaoTong
from connectors.piaotong.crypto import decrypted, encrypted, is_signed, keys_of, sign, text_of
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    LoginNeeded,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Marking, Outcome, Refused, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from duijie.schemas import check
from sandbox.kit import Fault
from sandbox.piaotong import STATES, PiaoTongSandbox
from sandbox.piaotong_content import size
from sandbox.piaotong_keys import client_pair, decrypt, encrypt, new_pair, platform_key, signature
from sandbox.piaotong_keys import is_signed as theirs_is_signed
from sandbox.serve import Running
from sandbox.store import Store
from tests.contract.sites.piaotong import (
    CONTENT,
    DES,
    PUBLISHED,
    SELLER,
    made,
    piaotong_document,
    piaotong_pushed,
    piaotong_red,
    piaotong_request,
)

MAPPINGS = Path(__file__).parents[2] / "mappings" / "piaotong"
NOW = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)
PRIVATE, PUBLIC = client_pair()
Open = Callable[..., PiaoTong]


class Clock:
    """Time that moves when a test says so."""

    moment = NOW

    def __call__(self) -> datetime:
        return self.moment


CLOCK = Clock()


@pytest.fixture(scope="module")
def server() -> Iterator[PiaoTongSandbox]:
    served = PiaoTongSandbox(Store(), CLOCK)
    with Running(served) as served.url:
        yield served


@pytest.fixture
def sandbox(server: PiaoTongSandbox) -> PiaoTongSandbox:
    """The one server of this file, as new, two seconds from taking a request to issuing it."""
    CLOCK.moment = NOW
    server.__init__(Store(), CLOCK)
    server.faults = []
    server.seed({"public_key": PUBLIC, "tax_no": SELLER, "bureau": {"issue_seconds": "2"}})
    return server


@pytest.fixture
def connect(sandbox: PiaoTongSandbox, tmp_path: Path) -> Open:
    def open_it(private: str = PRIVATE, folder: str = "tokens", **extra: Any) -> PiaoTong:
        known = {"des_key": DES, "public_key": platform_key(), "platform_alias": "DEMO", "tax_no": SELLER}
        given = {**known, "seller_name": "票通测试企业", "rate": "10000/second", **extra}
        found = Connection("pt", "piaotong", host=sandbox.url, login="11111111", password=private, extra=given)
        return CONNECTOR.open(found, Services(TokenStore(tmp_path / folder)))

    return open_it


def pass_by(seconds: float = 3.0) -> None:
    CLOCK.moment += timedelta(seconds=seconds)


def write(connector: PiaoTong, payload: Record, sink: str = "invoice_request") -> Outcome:
    return connector.sinks[sink].write([payload])[0]


def read(connector: PiaoTong, stream: str, *keys: str) -> list[Record]:
    window = Window(NOW, NOW + timedelta(days=1), keys=keys)
    rows = [row for page in connector.streams[stream].read(window) for row in page.records]
    mapping = load_mapping(MAPPINGS / f"{stream}.in.yaml")
    documents = [found for row in rows for found in mapping.documents(row, StaticLookup(), {})]
    for entity, document in documents:
        check(entity, document)
    return [document for _, document in documents]


def issued(connector: PiaoTong, number: int = 1) -> Record:
    assert isinstance(write(connector, piaotong_request(number)), Done)
    pass_by()
    return read(connector, "invoice", f"DJ{number}")[0]


def test_the_mappings_keep_their_own_tests() -> None:
    paths = sorted(MAPPINGS.glob("*.yaml"))
    assert len(paths) == 4
    assert [one for path in paths for one in run_tests(load_mapping(path)) if one.differences] == []


def test_content_is_encrypted_as_the_vector_says_and_both_sides_agree() -> None:
    assert encrypted(DES.encode(), CONTENT.encode()) == PUBLISHED == encrypt(DES, CONTENT.encode())
    assert decrypted(DES.encode(), PUBLISHED) == CONTENT.encode() == decrypt(DES, PUBLISHED)


def test_what_is_signed_is_in_alphabetical_order_and_both_sides_agree() -> None:
    public = {"version": "1.0", "content": "Yw==", "format": "JSON", "platformCode": "11111111", "sign": "x", "msg": ""}
    assert text_of(public) == b"content=Yw==&format=JSON&platformCode=11111111&version=1.0"
    keys = keys_of(PRIVATE, PUBLIC, DES, "pt")
    told = {**public, "sign": sign(keys.private, public)}
    assert is_signed(keys.public, told) and theirs_is_signed(PUBLIC, told)
    assert told["sign"] == signature(PRIVATE, public)
    assert not is_signed(keys.public, {**told, "content": "ZA=="})
    assert not is_signed(keys.public, {**told, "sign": "no base64!"})


def test_keys_may_be_told_without_head_and_foot_and_a_wrong_one_is_a_credential_error() -> None:
    bare = "".join(line for line in PRIVATE.splitlines() if "-----" not in line)
    assert keys_of(bare, PUBLIC, DES, "pt").private.key_size == 1024
    for private, des in (("MIIB", DES), (PRIVATE, "short")):
        with pytest.raises(CredentialError) as raised:
            keys_of(private, PUBLIC, des, "pt")
        assert "请核对" in raised.value.zh and "MIIB" not in raised.value.zh


@pytest.mark.parametrize("number", ["DJ1", "DEMO123", "DJ123456789012345678", "HZ1234567890123456789012"])
def test_a_serial_begins_with_the_alias_and_is_always_the_same(number: str) -> None:
    serial = serial_of("DEMO", number)
    assert serial == serial_of("DEMO", number)
    assert serial.startswith("DEMO") and serial.isalnum() and len(serial) <= 20


def test_other_numbers_have_other_serials() -> None:
    assert len({serial_of("DEMO", f"DJ{number:018d}") for number in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"code": "8021", "msg": "流水号已存在"}, AlreadyThere),
        ({"code": "8040", "msg": "正在处理中"}, AnswerLost),
        ({"code": "8996", "msg": "业务异常"}, AnswerLost),
        ({"code": "9999", "msg": "系统内部异常"}, AnswerLost),
        ({"code": "9999", "msg": "验签失败"}, CredentialError),
        ({"code": "9998", "msg": "平台编码无效"}, CredentialError),
        ({"code": "8993", "msg": "授信额度不足"}, CreditExhausted),
        ({"code": "8033", "msg": "无在线终端"}, VendorBusy),
        ({"code": "6005", "msg": "该发票存在未完成的红字信息确认单"}, VendorBusy),
        ({"code": "8995", "msg": "红字确认单未完成"}, VendorBusy),
        ({"code": "8996", "msg": "该发票存在未完成的红字信息确认单"}, AnswerLost),
        ({"code": "6005", "msg": "该发票已冲红"}, VendorRejected),
        ({"code": "8995", "msg": "请登陆电子税务局"}, LoginNeeded),
        ({"code": "8993", "msg": "开票员需扫码做实名认证"}, LoginNeeded),
        ({"code": "8990", "msg": "电子税务局登录已失效"}, LoginNeeded),
        ({"code": "8016", "msg": "未登录"}, VendorRejected),
        ({"code": "8016", "msg": "单价数量金额不匹配"}, VendorRejected),
        ({}, AnswerLost),
    ],
)
def test_a_code_is_told_by_what_is_to_be_done(answer: Record, kind: type[Exception]) -> None:
    assert type(error_of(answer, "invoiceBlue")) is kind


def test_an_invoice_is_issued_while_time_passes_and_read_back(connect: Open) -> None:
    connector = connect()
    assert isinstance(write(connector, piaotong_request(1)), Done)
    waiting = read(connector, "invoice", "DJ1")[0]
    assert (waiting["status"], waiting["gross"], "number" in waiting) == ("issuing", Decimal("113.00"), False)
    pass_by()
    invoice = read(connector, "invoice", "DJ1")[0]
    assert (invoice["status"], invoice["gross"], invoice["serial"]) == ("issued", Decimal("113.00"), "DEMODJ1")
    assert (len(invoice["number"]), invoice["kind"], len(invoice["lines"])) == (20, "special", 1)


def test_it_is_an_invoicing_whose_limits_count_gbk_bytes(connect: Open) -> None:
    connector = connect(remark_bytes=450)
    assert isinstance(connector, Invoicing)
    limits = connector.ability.limits
    assert (limits.counted_in, limits.remark, limits.lines) == ("gbk", 450, 100)
    assert not connector.ability.partial_reds
    assert (size("备注"), size("ab")) == (4, 2)


def test_a_remark_of_more_than_240_gbk_bytes_is_refused(connect: Open) -> None:
    fits, long = ("备" * count for count in (120, 121))
    assert isinstance(write(connect(), made({**piaotong_document("1"), "remark": fits})), Done)
    refused = write(connect(), made({**piaotong_document("2"), "remark": long}))
    assert isinstance(refused, Refused) and "GBK" in refused.zh


def test_a_discount_travels_with_its_line_and_comes_back_as_one(sandbox: PiaoTongSandbox, connect: Open) -> None:
    line = {**piaotong_document("1")["lines"][0], "nature": "discounted"}
    off = {**line, "line_no": 2, "nature": "discount", "net": Decimal("-10.00"), "tax": Decimal("-1.30")}
    totals = {"net": Decimal("90.00"), "tax": Decimal("11.70"), "gross": Decimal("101.70")}
    payload = made({**piaotong_document("1"), **totals, "lines": [line, {**off, "gross": Decimal("-11.30")}]})
    [item] = payload["content"]["itemList"]
    assert (item["discountAmount"], item["discountTaxRateAmount"]) == ("-10.00", "-1.30")
    connector = connect()
    assert isinstance(write(connector, payload), Done)
    pass_by()
    sink: Any = connector.sinks["invoice_request"]
    found = sink.find(["DJ1"])["DJ1"]
    assert found.figures == sink.figures_of(payload)
    assert found.marks == sink.marks_of(payload)
    assert [row["nature"] for row in read(connector, "invoice", "DJ1")[0]["lines"]] == ["discounted", "discount"]


def test_a_discount_above_its_line_is_refused(connect: Open) -> None:
    payload = piaotong_request(1)
    item = {**payload["content"]["itemList"][0], "discountAmount": "-200.00", "discountTaxRateAmount": "-26.00"}
    refused = write(connect(), {**payload, "content": {**payload["content"], "itemList": [item]}})
    assert isinstance(refused, Refused) and "折扣" in refused.zh


@pytest.mark.parametrize("wait", [0, 3])
def test_a_lost_answer_is_found_with_what_was_sent_whether_issued_or_not(
    sandbox: PiaoTongSandbox, connect: Open, wait: int
) -> None:
    sandbox.faults = [Fault("lose_answer", "invoiceBlue", count=1)]
    payload = piaotong_request(1)
    assert isinstance(write(connect(), payload), Unknown)
    pass_by(wait)
    sink = connect().sinks["invoice_request"]
    assert sink.find(["DJ1"])["DJ1"].figures == sink.figures_of(payload)
    again = write(connect(), payload)
    assert isinstance(again, Unknown)
    assert len(sandbox.bureau.blues()) == 1


def test_what_another_sent_under_our_serial_is_no_success(connect: Open) -> None:
    payload = piaotong_request(1)
    assert isinstance(write(connect(folder="another"), payload), Done)
    pass_by()
    sink: Any = connect().sinks["invoice_request"]
    assert isinstance(sink, Marking)
    other = made({**piaotong_document("1"), "buyer": {"name": "另一公司", "tax_no": "91310115MA1DEMA278"}})
    assert sink.find(["DJ1"])["DJ1"].marks != sink.marks_of(other)
    assert sink.find(["DJ1"])["DJ1"].figures == sink.figures_of(other)


def test_a_request_that_cannot_be_issued_says_whether_credit_or_login_is_the_cause(
    sandbox: PiaoTongSandbox, connect: Open
) -> None:
    connector = connect()
    sandbox.bureau.settings({"credit_line": "50.00"})
    write(connector, piaotong_request(1))
    sandbox.bureau.settings({"credit_line": "5000.00", "login": "scan"})
    write(connector, piaotong_request(2))
    pass_by()
    causes = {row["key"]: (row["status"], row["cause"]) for row in read(connector, "invoice", "DJ1", "DJ2")}
    assert causes == {"DJ1": ("failed", "credit"), "DJ2": ("failed", "login")}


@pytest.mark.parametrize(("said", "status"), [("未开票", "issuing"), ("待开票员扫码登录", "waiting_login")])
def test_what_is_not_issued_yet_has_not_failed(
    connect: Open, monkeypatch: pytest.MonkeyPatch, said: str, status: str
) -> None:
    monkeypatch.setitem(STATES, "issuing", ("6666", said))
    connector = connect()
    write(connector, piaotong_request(1))
    [waiting] = read(connector, "invoice", "DJ1")
    assert (waiting["status"], waiting["gross"]) == (status, Decimal("113.00"))
    pass_by()
    assert read(connector, "invoice", "DJ1")[0]["status"] == "issued"


def test_files_are_fetched_once_there_are_any(connect: Open) -> None:
    connector = connect()
    write(connector, piaotong_request(1))
    with pytest.raises(VendorRejected, match="8041"):
        connector.fetch({"request_no": "DJ1"}, "xml")
    pass_by()
    heads = {kind: connector.fetch({"request_no": "DJ1"}, kind)[:4] for kind in connector.ability.files}
    assert heads == {"xml": b"<?xm", "ofd": b"PK\x03\x04", "pdf": b"%PDF"}


def test_a_whole_invoice_is_reversed_and_its_file_fetched(connect: Open) -> None:
    connector = connect()
    blue = issued(connector)
    red = piaotong_red("HZ1234567890123456789012", blue["number"])
    assert isinstance(write(connector, red, "red_request"), Done)
    assert read(connector, "red_invoice", red["key"])[0]["status"] == "issuing"
    pass_by()
    found = read(connector, "red_invoice", red["key"])[0]
    assert (found["status"], found["gross"], found["blue_number"]) == ("issued", Decimal("-113.00"), blue["number"])
    assert found["number"].encode() in connector.fetch(found, "xml")
    sink: Any = connector.sinks["red_request"]
    assert sink.find([red["key"]])[red["key"]].figures == sink.figures_of(red)
    twice = write(connector, piaotong_red("HZ2", blue["number"]), "red_request")
    assert isinstance(twice, Refused) and "冲红" in twice.zh


def test_a_red_of_a_booked_buyer_waits_for_the_buyer(sandbox: PiaoTongSandbox, connect: Open) -> None:
    connector = connect()
    blue = issued(connector)
    sandbox.bureau.settings({"booked_buyers": ["91330106MA2DEMK14E"]})
    write(connector, piaotong_red("HZ1", blue["number"]), "red_request")
    pass_by()
    assert read(connector, "red_invoice", "HZ1")[0]["status"] == "issuing"
    sandbox.bureau.answer(sandbox.bureau.forms()[0]["form_no"], "buyer", agrees=False)
    assert read(connector, "red_invoice", "HZ1")[0]["status"] == "failed"


def test_part_of_an_invoice_is_refused_before_anything_leaves(sandbox: PiaoTongSandbox, connect: Open) -> None:
    connector = connect()
    blue = issued(connector)
    refused = write(connector, {**piaotong_red("HZ1", blue["number"]), "lines": 1}, "red_request")
    assert isinstance(refused, Refused) and "整张" in refused.zh
    other = write(connector, piaotong_red("HZ2", blue["number"], Decimal("-11.30")), "red_request")
    assert isinstance(other, Refused) and "价税合计" in other.zh
    assert sandbox.bureau.forms() == []


def test_a_special_business_is_refused_before_anything_leaves(sandbox: PiaoTongSandbox, connect: Open) -> None:
    refused = write(connect(), made({**piaotong_document("1"), "special": {"factor": "freight"}}))
    assert isinstance(refused, Refused) and "特定业务" in refused.zh
    assert sandbox.bureau.blues() == []


def test_an_answer_that_the_platform_did_not_sign_is_believed_in_nothing(connect: Open) -> None:
    other = new_pair()[1]
    outcome = write(connect(public_key=other), piaotong_request(1))
    assert isinstance(outcome, Unknown) and "验签" in outcome.zh


def test_a_key_that_is_not_registered_is_a_credential_error(connect: Open) -> None:
    with pytest.raises(CredentialError) as raised:
        connect(private=new_pair()[0]).check()
    assert "公钥" in raised.value.zh


def test_an_alias_of_another_length_is_told(connect: Open) -> None:
    with pytest.raises(ConfigError, match="platform_alias"):
        connect(platform_alias="DEM")


def test_the_test_of_a_connection_tells_how_the_seller_stands(connect: Open) -> None:
    assert dict(connect().check()) == {"企业": "票通测试企业", "审核": "审核通过", "服务": "正常"}
    with pytest.raises(CredentialError):
        connect(seller_name="另一企业").check()


def test_an_invoice_is_sent_again_by_mail_and_a_phone_that_is_not_served_is_told(connect: Open) -> None:
    connector = connect()
    blue = issued(connector)
    connector.resend(blue, Copy(mail="a@example.com"))
    with pytest.raises(VendorRejected) as raised:
        connector.resend(blue, Copy(phone="13800000000"))
    assert "短信" in raised.value.zh


def test_what_is_not_offered_says_so(connect: Open) -> None:
    with pytest.raises(ConfigError, match="credit line"):
        connect().credit_line()
    assert connect().login().state == "unknown"
    with pytest.raises(ConfigError, match="poll step"):
        list(connect().streams["invoice"].read(Window(NOW, NOW)))


def test_a_push_points_at_our_number_and_brings_nothing_else(connect: Open) -> None:
    assert CONNECTOR.hook is not None
    extra = {"des_key": DES, "public_key": platform_key()}
    hook = CONNECTOR.hook(Connection("pt", "piaotong", login="11111111", password=PRIVATE, extra=extra))
    [pushed] = hook.verify(piaotong_pushed(NOW, None)).items
    assert (pushed.stream, pushed.key, pushed.record) == ("invoice", "DJ1", None)
    assert hook.verify(piaotong_pushed(NOW, b'{"invoiceType":"3","definedData":"DJ1"}')).items == ()


def test_the_platforms_own_push_names_the_request(sandbox: PiaoTongSandbox, connect: Open) -> None:
    blue = issued(connect())
    assert CONNECTOR.hook is not None
    extra = {"des_key": DES, "public_key": platform_key()}
    hook = CONNECTOR.hook(Connection("pt", "piaotong", login="11111111", password=PRIVATE, extra=extra))
    parcel = sandbox.push("http://127.0.0.1:9/in/pt", blue["serial"], timedelta())
    call = piaotong_pushed(NOW, None)
    [pushed] = hook.verify(type(call)("", parcel.headers, {}, parcel.body, NOW)).items
    assert pushed.key == "DJ1"
