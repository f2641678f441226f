"""拼多多 POP: what the connector promises, told against a sandbox that is as strict as the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.pdd import CONNECTOR
from connectors.pdd.changes import CHINA, pieces
from connectors.pdd.client import ERRORS, error_of, listed, response_key, sign, total_of, wire
from connectors.pdd.connector import Pdd
from duijie import codec, schemas
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, CredentialError, RateLimited, VendorBusy, VendorRejected
from duijie.connect.protocol import Done, Incident, Later, Refused, Safety, Unknown, Window, traits_of
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.pdd import PddSandbox
from sandbox.serve import Running
from sandbox.store import Store

APP, SECRET = "CLIENT01", "SECRET-of-the-app"
NIGHT = datetime(2026, 11, 11, tzinfo=CHINA)
HALF_HOUR = Window(NIGHT, NIGHT + timedelta(minutes=30), "P01")
MAPPINGS = Path(__file__).parents[2] / "mappings" / "pdd"
PRODUCTS = StaticLookup({}, {"product": {"A0": {"tax_rate": Decimal("0.13"), "unit": "件"}}})
BIG = 9_007_199_254_740_993


def number_of(number: int) -> str:
    return f"261111-{416_081_954_561_000 + number}"


def order(number: int, **changes: Any) -> dict[str, Any]:
    moment = f"{NIGHT + timedelta(seconds=number):%Y-%m-%d %H:%M:%S}"
    item = {
        "goods_id": 601,
        "sku_id": BIG,
        "outer_id": "A0",
        "goods_name": "面条",
        "goods_price": 120.0,
        "goods_count": 1,
    }
    states = {"order_status": 1, "refund_status": 1, "confirm_status": 1, "group_status": 1, "risk_control_status": 0}
    times = {"created_time": moment, "pay_time": moment, "updated_at": moment, "shipping_time": ""}
    money = {"goods_amount": 120, "seller_discount": 7, "platform_discount": 5, "postage": 8.1, "pay_amount": 116.1}
    receiver = {"receiver_name": "~AgAAAA~0~", "receiver_name_mask": "张*"}
    made = {"shop": "P01", "order_sn": number_of(number), "item_list": [item], "step_order_info": None}
    return {**made, **states, **times, **money, **receiver, "tracking_number": "", **changes}


def refund(number: int, **changes: Any) -> dict[str, Any]:
    moment = f"{NIGHT + timedelta(seconds=number):%Y-%m-%d %H:%M:%S}"
    made = {"shop": "P01", "id": BIG + number, "order_sn": number_of(number), "updated_time": moment}
    kind = {"after_sales_status": 10, "after_sales_type": 3, "refund_amount": "116.10", "goods_number": "1"}
    return {**made, **kind, "sku_id": str(BIG), "outer_id": "A0", "after_sale_reason": "不想要了", **changes}


def seed(orders: int = 3, **more: Any) -> dict[str, Any]:
    skus = [{"sku_id": 100 + n, "outer_id": f"A{n}", "sku_quantity": 5, "is_sku_onsale": 1} for n in range(3)]
    goods = {"shop": "P01", "goods_name": "面条", "is_onsale": 1}
    nameless = {"sku_id": 300, "outer_id": "", "sku_quantity": 1, "is_sku_onsale": 1}
    shops = {
        shop: {
            "mall_id": 1,
            "mall_name": f"{shop}旗舰店",
            "access_token": f"access-{shop}",
            "refresh_token": f"refresh-{shop}",
        }
        for shop in ("P01", "P02")
    }
    return {
        "apps": {APP: SECRET},
        "shops": shops,
        "goods": [
            {**goods, "goods_id": 601, "sku_list": skus},
            {**goods, "goods_id": 602, "sku_list": [{**skus[0], "sku_id": 200}, nameless]},
            {**goods, "goods_id": 603, "is_onsale": 0, "sku_list": [{**skus[0], "sku_id": 400}]},
        ],
        "orders": [order(number) for number in range(orders)],
        "companies": [
            {"id": 44, "logistics_company": "顺丰快递", "code": "SF", "available": 1},
            {"id": 3, "logistics_company": "百世快递", "code": "HT", "available": 0},
        ],
        "limits": {"calls": 100_000, "seconds": 1},
        **more,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[PddSandbox]:
    made = PddSandbox(Store())
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: PddSandbox) -> PddSandbox:
    """The one server of this file, as new."""
    server.__init__(Store())
    server.seed(seed())
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


@pytest.fixture
def connect(sandbox: PddSandbox, tmp_path: Path, incidents: list[Incident]) -> Callable[..., Pdd]:
    def open_it(clock: Callable[[], float] = time.time, **changes: Any) -> Pdd:
        shops = {
            shop: {"access_token": f"access-{shop}", "refresh_token": f"refresh-{shop}"} for shop in ("P01", "P02")
        }
        fields = {"host": sandbox.url, "login": APP, "password": SECRET, **changes}
        extra = {"shops": shops, "rate": "100000/second"} | fields.pop("extra", {})
        services = Services(TokenStore(tmp_path / "tokens"), incidents.append, clock=clock)
        return CONNECTOR.open(Connection("pdd", "pdd", extra=extra, **fields), services)

    return open_it


def records(connector: Pdd, stream: str, window: Window = HALF_HOUR) -> list[dict[str, Any]]:
    return [record for page in connector.streams[stream].read(window) for record in page.records]


def keyed(*keys: str) -> Window:
    return Window(NIGHT, NIGHT, "P01", keys)


def fault(sandbox: PddSandbox, **rule: Any) -> None:
    requests.post(f"{sandbox.url}/_admin/faults", data=codec.encode([{"match": "", "count": 1, **rule}]), timeout=5)


COMMON = {"client_id": "CLIENT01", "access_token": "TOKEN01", "timestamp": "1767323045", "data_type": "JSON"}
PERIOD = {"start_updated_at": "1767319445", "end_updated_at": "1767321245", "is_lucky_flag": "0"}
PAGE = {"order_status": "5", "refund_status": "5", "page": "1", "page_size": "100", "use_has_next": "true"}
ENCRYPTED = [{"data_tag": "260101-123456", "encrypted_data": "~AgAAAA~0~"}]


@pytest.mark.parametrize(
    ("given", "secret", "expected"),
    [
        (
            {"type": "pdd.order.number.list.increment.get", "version": "V1", **COMMON, **PERIOD, **PAGE},
            "SECRET01",
            "2037F1D552C9FA26D5C9A29FEA86EFBC",
        ),
        (
            {"type": "pdd.open.decrypt.batch", **COMMON, "data_list": wire(ENCRYPTED)},
            "SECRET01",
            "3B062C2661888D5A268452E7F08A00C6",
        ),
        (
            {
                "type": "pdd.order.number.list.get",
                "client_id": "1",
                "access_token": "asd78172s8ds9a921j9qqwda12312w1w21211",
                "data_type": "XML",
                "order_status": "1",
                "page": "1",
                "page_size": "10",
                "timestamp": "1480411125",
            },
            "testSecret",
            "E4DE3ED21002510DED352819E7AE6775",
        ),
    ],
    ids=["pdd-sdk", "a list inside", "the vendor's own example"],
)
def test_signature_agrees_with_known_vectors(given: dict[str, str], secret: str, expected: str) -> None:
    assert sign(given, secret) == expected
    assert sign({**given, "sign": "X"}, secret) == expected


def test_values_are_signed_as_the_gateway_reads_them() -> None:
    assert [wire(value) for value in (True, False, 5, "中", ENCRYPTED)] == [
        "true",
        "false",
        "5",
        "中",
        '[{"data_tag":"260101-123456","encrypted_data":"~AgAAAA~0~"}]',
    ]


def test_answers_are_looked_for_under_the_names_the_vendor_gives_them() -> None:
    assert response_key("pdd.order.number.list.increment.get") == "order_sn_increment_get_response"
    assert response_key("pdd.order.information.get") == "order_info_get_response"
    assert response_key("pdd.goods.quantity.update") == "goods_quantity_update_response"


def test_a_window_is_asked_in_pieces_of_half_an_hour_without_a_gap() -> None:
    since = datetime(2026, 11, 10, 16, tzinfo=UTC)
    found = list(pieces(since, since + timedelta(minutes=70, microseconds=5)))
    minutes = [((start - since) / timedelta(minutes=1), (end - start).total_seconds()) for start, end in found]
    assert minutes == [(0, 1800), (30, 1800), (60, 601)]
    assert list(pieces(since, since)) == []


def test_an_answer_without_its_list_or_count_is_never_taken_for_an_empty_one() -> None:
    assert listed({"total_count": 0}, "refund_list", "P01") == []
    assert listed({"has_next": False}, "order_sn_list", "P01") == []
    for answer in ({"total_count": 5}, {"total_count": "5", "order_sn_list": None}, {"order_sn_list": "x"}):
        with pytest.raises(AnswerLost):
            listed(answer, "order_sn_list", "P01")
    for answer in ({}, {"total_count": None}, {"total_count": "many"}):
        with pytest.raises(AnswerLost):
            total_of(answer, "P01")


def test_an_order_that_is_answered_empty_is_not_taken_for_gone(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    sandbox.store.put("order/P01", number_of(1), {})
    with pytest.raises(AnswerLost, match="order_info"):
        records(connect(), "order", keyed(number_of(1)))


def test_pull_is_told_how_long_a_window_may_be(connect: Callable[..., Pdd]) -> None:
    connector = connect()
    assert {traits_of(connector.streams[name]).longest for name in ("order", "refund")} == {timedelta(minutes=30)}
    assert traits_of(connector.streams["stock"]).longest is None


def test_every_order_of_the_window_comes_once_with_its_shop(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sandbox.seed(seed(orders=250))
    found = records(connect(), "order")
    assert sorted(row["order_sn"] for row in found) == [number_of(number) for number in range(250)]
    assert {row["shop"] for row in found} == {"P01"}
    assert {type(row["pay_amount"]) for row in found} == {Decimal}
    assert {row["item_list"][0]["sku_id"] for row in found} == {BIG}


def test_the_end_of_a_window_is_left_to_the_next_one(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sandbox.seed({"orders": [order(1800)]})
    assert number_of(1800) not in {row["order_sn"] for row in records(connect(), "order")}
    later = Window(HALF_HOUR.until, HALF_HOUR.until + timedelta(minutes=1), "P01")
    assert [row["order_sn"] for row in records(connect(), "order", later)] == [number_of(1800)]


def test_nothing_is_read_that_is_younger_than_three_minutes_and_the_cursor_is_told(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    now = datetime.now(CHINA).replace(microsecond=0)
    fresh, settled = (f"{now - timedelta(seconds=age):%Y-%m-%d %H:%M:%S}" for age in (60, 600))
    sandbox.seed({"orders": [order(7, updated_at=fresh), order(8, updated_at=settled)]})
    stream = connect(clock=now.timestamp).streams["order"]
    pages = list(stream.read(Window(now - timedelta(minutes=20), now, "P01")))
    assert [row["order_sn"] for page in pages for row in page.records] == [number_of(8)]
    assert {page.server_time for page in pages} == {now - timedelta(minutes=3)}
    ahead = list(stream.read(Window(now - timedelta(minutes=1), now, "P01")))
    assert [(page.records, page.server_time) for page in ahead] == [([], now - timedelta(minutes=3))]


def test_orders_that_change_while_pages_are_read_make_no_other_order_vanish(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    sandbox.seed(seed(orders=350))
    pages = connect().streams["order"].read(HALF_HOUR)
    seen = {row["order_sn"] for row in next(iter(pages)).records}
    moved = {number_of(number) for number in (5, 120, 340)}  # already read, in the middle, still to come
    for number in (5, 120, 340):
        sandbox.store.put("order/P01", number_of(number), order(number, updated_at="2026-11-11 01:00:00"))
    seen |= {row["order_sn"] for page in pages for row in page.records}
    assert {number_of(number) for number in range(350)} - moved <= seen
    after = Window(NIGHT + timedelta(hours=1), NIGHT + timedelta(minutes=61), "P01")
    assert {row["order_sn"] for row in records(connect(), "order", after)} == moved


def test_named_orders_are_read_one_by_one_and_unknown_ones_are_absent(connect: Callable[..., Pdd]) -> None:
    found = records(connect(), "order", keyed(number_of(1), "261111-999"))
    assert [row["order_sn"] for row in found] == [number_of(1)]


def test_ciphertext_and_masks_are_kept_as_sent_and_reach_no_document(connect: Callable[..., Pdd]) -> None:
    (found,) = records(connect(), "order", keyed(number_of(1)))
    assert (found["receiver_name"], found["receiver_name_mask"]) == ("~AgAAAA~0~", "张*")
    made = load_mapping(MAPPINGS / "sales_order.in.yaml").run(found, PRODUCTS, {}) or {}
    schemas.check("sales_order", made)
    assert "~AgAAAA~0~" not in str(made)
    assert "张*" not in str(made)
    assert made["buyer"]["key"] == f"pdd:{number_of(1)}"


def test_an_order_keeps_its_cents_from_the_answer_to_the_document(connect: Callable[..., Pdd]) -> None:
    (found,) = records(connect(), "order", keyed(number_of(1)))
    made = load_mapping(MAPPINGS / "sales_order.in.yaml").run(found, PRODUCTS, {}) or {}
    assert (made["gross"], made["freight"], made["platform_discount"]) == (
        Decimal("121.10"),
        Decimal("8.10"),
        Decimal("5.00"),
    )
    (line,) = made["lines"]
    assert (line["gross"], line["net"], line["tax"], line["oid"]) == (113, 100, 13, str(BIG))


def test_refunds_come_with_their_order_and_the_platforms_share(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    sandbox.seed({"orders": [order(1, order_status=3)], "refunds": [refund(1), refund(99)]})
    found = {row["refund_key"]: row for row in records(connect(), "refund")}
    assert sorted(found) == [f"{number_of(number)}:{BIG + number}" for number in (1, 99)]
    whole, orphan = (found[f"{number_of(number)}:{BIG + number}"] for number in (1, 99))
    assert whole["order"] == {"order_status": 3, "pay_amount": Decimal("116.1"), "platform_discount": 5}
    assert orphan["order"] is None
    mapping = load_mapping(MAPPINGS / "sales_refund.in.yaml")
    for row, amount in ((whole, "121.10"), (orphan, "116.10")):
        made = mapping.run(row, PRODUCTS, {}) or {}
        schemas.check("sales_refund", made)
        assert (made["amount"], made["refund_no"]) == (Decimal(amount), str(row["id"]))


def test_a_refund_is_found_by_its_order_and_number(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sandbox.seed({"refunds": [refund(1), refund(1, id=7)]})
    key = f"{number_of(1)}:7"
    assert [row["refund_key"] for row in records(connect(), "refund", keyed(key, f"{number_of(1)}:8"))] == [key]


def test_the_same_code_in_two_goods_is_two_listings(connect: Callable[..., Pdd]) -> None:
    found = {row["shop_sku"]: row for row in records(connect(), "stock")}
    assert sorted(found) == ["P01:601:A0", "P01:601:A1", "P01:601:A2", "P01:602:#300", "P01:602:A0"]
    mapping = load_mapping(MAPPINGS / "listing.in.yaml")
    made = mapping.run(found["P01:602:A0"], PRODUCTS, {}) or {}
    schemas.check("listing", made)
    assert (made["key"], made["item"], made["quantity"]) == ("pdd:P01:602:A0", "602", 5)
    assert mapping.run(found["P01:602:#300"], PRODUCTS, {}) is None
    assert [row["sku_id"] for row in records(connect(), "stock", keyed("P01:602:A0", "P01:602:ZZ"))] == [200]


def test_goods_of_more_than_one_page_come_whole(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sku = {"sku_id": 1, "outer_id": "B", "sku_quantity": 1}
    sandbox.seed(
        {"goods": [{"shop": "P01", "goods_id": 1000 + n, "is_onsale": 1, "sku_list": [sku]} for n in range(205)]}
    )
    assert len({row["shop_sku"] for row in records(connect(), "stock")}) == 5 + 205
    assert len(records(connect(), "stock", keyed("P01:1000:B"))) == 1


def test_a_token_that_ends_is_renewed_and_kept_for_the_next_worker(
    sandbox: PddSandbox, connect: Callable[..., Pdd], incidents: list[Incident]
) -> None:
    sandbox.expire_tokens()
    assert len(records(connect(), "order")) == 3
    assert len(records(connect(), "order")) == 3
    assert [incident.kind for incident in incidents] == ["TokenExpired"]


def test_the_refresh_token_that_comes_with_a_new_token_is_used_the_next_time(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    for _ in range(3):
        sandbox.expire_tokens()
        assert connect().check()[0] == ("店铺 P01", "已授权: P01旗舰店")
    assert (sandbox.store.get("shop", "P01") or {})["refresh_token"] != "refresh-P01"


def test_a_refresh_token_that_is_entered_anew_is_used_at_once(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sandbox.expire_tokens()
    connect().check()
    shop = sandbox.store.get("shop", "P01") or {}
    sandbox.store.put("shop", "P01", {**shop, "refresh_token": "refresh-anew"})
    sandbox.expire_tokens()
    assert connect(extra={"shops": {"P01": {"refresh_token": "refresh-anew"}}}).check()


def test_an_authorisation_that_ended_names_the_shop_and_the_next_step(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    sandbox.expire_tokens()
    connector = connect(extra={"shops": {"P02": {"access_token": "gone", "refresh_token": "gone"}}})
    with pytest.raises(CredentialError, match=r"P02.*authorise again") as caught:
        connector.check()
    assert "重新授权" in caught.value.zh


def test_renewing_that_brings_the_ended_token_again_is_told_instead_of_tried_for_ever(
    sandbox: PddSandbox, connect: Callable[..., Pdd], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.expire_tokens()
    same = {"access_token": "access-P01", "refresh_token": "refresh-P01", "expires_in": 60}
    monkeypatch.setattr(sandbox, "_refresh", lambda _: same)
    with pytest.raises(CredentialError, match="authorisation has ended"):
        connect().check()


def test_a_wrong_secret_is_a_credential_error(connect: Callable[..., Pdd]) -> None:
    with pytest.raises(CredentialError, match="check client_secret"):
        connect(password="wrong").check()


@pytest.mark.parametrize("shops", ["{", None, ["P01"]])
def test_a_connection_without_shops_says_how_to_write_them(connect: Callable[..., Pdd], shops: Any) -> None:
    with pytest.raises(ConfigError, match=r"extra\.shops"):
        connect(extra={"shops": shops})


def test_a_shop_that_is_not_authorised_here_is_named(connect: Callable[..., Pdd]) -> None:
    with pytest.raises(ConfigError, match="P09"):
        records(connect(), "order", Window(NIGHT, HALF_HOUR.until, "P09"))


def test_no_address_carries_the_token(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    fault(sandbox, kind="status", status=400, count=9)
    with pytest.raises(VendorRejected) as caught:
        connect().check()
    assert "access-P01" not in f"{caught.value} {caught.value.__cause__!r}"


def test_too_many_calls_are_waited_out(
    sandbox: PddSandbox, connect: Callable[..., Pdd], incidents: list[Incident]
) -> None:
    sandbox.seed(seed(limits={"calls": 1, "seconds": 1}))
    connector = connect()
    assert len(records(connector, "order")) == 3
    connector.check()
    assert {incident.kind for incident in incidents} == {"RateLimited"}


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ({"error_code": 50001, "sub_code": "45001", "sub_msg": "订单不存在"}, VendorRejected, "pdd:50001.45001"),
        (
            {"error_code": 50001, "sub_code": None, "sub_msg": "订单不属于当前店铺或订单不存在"},
            VendorRejected,
            "pdd:50001.45001",
        ),
        ({"error_code": 50001, "sub_code": "10019", "sub_msg": "参数错误"}, VendorRejected, "pdd:50001.10019"),
        ({"error_code": 50001, "sub_code": None, "error_msg": "业务服务错误"}, VendorBusy, "pdd:50001"),
        ({"error_code": 70031, "sub_code": "70031"}, RateLimited, "pdd:70031"),
        ({"error_code": 70032, "sub_code": "70032"}, CredentialError, "pdd:70032"),
        ({"error_code": 20034, "sub_code": "20034"}, VendorRejected, "pdd:20034"),
        ({"error_code": 99999}, VendorRejected, "pdd:99999"),
    ],
)
def test_a_code_says_who_must_act(said: dict[str, Any], kind: type[Exception], code: str) -> None:
    error = error_of(said, "P01")
    assert (type(error), error.code) == (kind, code)


def test_every_sentence_of_the_error_table_ends_with_what_to_do() -> None:
    for code, row in ERRORS.codes.items():
        assert any(word in row.zh for word in ("请", "自动", "先")), code


def figure(sku: str, quantity: int, goods: str = "601") -> dict[str, Any]:
    return {"shop": "P01", "goods_id": goods, "sku": sku, "quantity": quantity}


def test_quantities_are_written_per_goods_and_read_back(connect: Callable[..., Pdd]) -> None:
    sink = connect().sinks["shop_stock"]
    payloads = [figure("A0", 1), figure("A0", 2, "602"), figure("A2", 0)]
    assert [type(outcome) for outcome in sink.write(payloads)] == [Done] * 3
    found = sink.find([*map(sink.key_of, payloads), "P01:601:NONE"])
    assert {key: one.figures for key, one in found.items()} == {
        sink.key_of(payload): sink.figures_of(payload) for payload in payloads
    }
    assert sink.safety is Safety.ABSOLUTE


def test_one_unknown_code_and_one_promoted_goods_hurt_no_other(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    goods = sandbox.store.get("goods/P01", "602") or {}
    sandbox.store.put("goods/P01", "602", {**goods, "promoted": True})
    outcomes = connect().sinks["shop_stock"].write([figure("A0", 1), figure("ZZ", 9), figure("A0", 1, "602")])
    assert [type(outcome) for outcome in outcomes] == [Done, Refused, Refused]
    assert "资源位" in outcomes[2].zh


def test_a_failure_inside_the_platform_leaves_a_write_unknown_and_repeats_a_read(
    sandbox: PddSandbox, connect: Callable[..., Pdd], incidents: list[Incident]
) -> None:
    sandbox.seed({"trouble": {"pdd.goods.quantity.update": 1, "pdd.goods.list.get": 1}})
    sink = connect().sinks["shop_stock"]
    (outcome,) = sink.write([figure("A0", 42)])
    assert isinstance(outcome, Unknown)
    assert sink.find(["P01:601:A0"])["P01:601:A0"].figures == {"quantity": Decimal(42)}
    assert [incident.kind for incident in incidents] == ["VendorBusy"]


def parcel(number: int, waybill: str = "SF1", **changes: Any) -> dict[str, Any]:
    made = {"shop": "P01", "order_sn": number_of(number), "carrier": "顺丰快递", "waybill": waybill, "part": False}
    return {**made, **changes}


def shipped(sandbox: PddSandbox, number: int) -> dict[str, Any]:
    return sandbox.store.get("order/P01", number_of(number)) or {}


@pytest.mark.parametrize("carrier", ["顺丰快递", "sf", "44"])
def test_an_order_is_shipped_once_and_found_by_its_waybill(
    sandbox: PddSandbox, connect: Callable[..., Pdd], carrier: str
) -> None:
    sink = connect().sinks["shipment"]
    payload = parcel(1, carrier=carrier)
    assert sink.find([sink.key_of(payload)]) == {}
    assert [type(one) for one in (*sink.write([payload]), *sink.write([payload]))] == [Done, Done]
    held = shipped(sandbox, 1)
    assert (held["order_status"], held["logistics_id"], held["tracking_number"]) == (2, 44, "SF1")
    assert sink.find([sink.key_of(payload)])[sink.key_of(payload)].native_no == "SF1"
    assert sink.safety is Safety.LOOKUP


def test_what_is_kept_of_a_shipment_names_no_receiver(connect: Callable[..., Pdd]) -> None:
    sink = connect().sinks["shipment"]
    sink.write([parcel(1)])
    (again,) = sink.write([parcel(1)])
    assert isinstance(again, Done)
    assert not any(name.startswith("receiver") for name in again.raw)


def test_an_order_that_left_with_another_waybill_is_refused_and_left_alone(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    sandbox.seed({"orders": [order(1, order_status=2, tracking_number="YT9", logistics_id=85)]})
    (outcome,) = connect().sinks["shipment"].write([parcel(1)])
    assert isinstance(outcome, Refused)
    assert "YT9" in outcome.zh
    assert shipped(sandbox, 1)["tracking_number"] == "YT9"


def test_parcels_of_one_order_follow_each_other(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sink = connect().sinks["shipment"]
    parcels = [parcel(1, f"SF{n}", part=True) for n in range(3)]
    assert [type(outcome) for outcome in sink.write(parcels)] == [Done] * 3
    held = shipped(sandbox, 1)
    assert held["tracking_number"] == "SF0"
    assert [one["tracking_number"] for one in held["extra_delivery_list"]] == ["SF1", "SF2"]
    assert set(sink.find([sink.key_of(one) for one in parcels])) == {sink.key_of(one) for one in parcels}


@pytest.mark.parametrize(
    "hold",
    [{"risk_control_status": 1}, {"order_tag_list": [{"name": "ship_hold", "value": 1}]}],
    ids=["review", "hold"],
)
def test_what_must_not_leave_yet_waits(sandbox: PddSandbox, connect: Callable[..., Pdd], hold: dict[str, Any]) -> None:
    sandbox.seed({"orders": [order(1, **hold)]})
    (outcome,) = connect().sinks["shipment"].write([parcel(1)])
    assert isinstance(outcome, Later)
    assert outcome.after >= 600
    assert shipped(sandbox, 1)["order_status"] == 1


@pytest.mark.parametrize("refund_status", [2, 3, 4])
def test_what_is_being_refunded_is_not_shipped(
    sandbox: PddSandbox, connect: Callable[..., Pdd], refund_status: int
) -> None:
    sandbox.seed({"orders": [order(1, refund_status=refund_status)]})
    (outcome,) = connect().sinks["shipment"].write([parcel(1)])
    assert isinstance(outcome, Refused)
    assert outcome.code == "pdd:refund"  # before the platform has to say so
    assert shipped(sandbox, 1)["order_status"] == 1


@pytest.mark.parametrize("carrier", ["百世快递", "无此快递"])
def test_a_carrier_that_the_platform_does_not_take_is_named(connect: Callable[..., Pdd], carrier: str) -> None:
    (outcome,) = connect().sinks["shipment"].write([parcel(1, carrier=carrier)])
    assert isinstance(outcome, Refused)
    assert carrier in outcome.zh


def test_an_order_the_shop_does_not_have_is_refused(connect: Callable[..., Pdd]) -> None:
    (outcome,) = connect().sinks["shipment"].write([parcel(77)])
    assert isinstance(outcome, Refused)
    assert "三个月" in outcome.zh


def test_a_lost_answer_to_a_shipment_is_unknown_until_it_is_found(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    sink = connect().sinks["shipment"]
    fault(sandbox, kind="lose_answer", writes=True)
    (outcome,) = sink.write([parcel(1)])
    assert isinstance(outcome, Unknown)
    assert sink.find([sink.key_of(parcel(1))])


def test_a_lost_answer_before_anything_was_written_is_no_unknown(
    sandbox: PddSandbox, connect: Callable[..., Pdd]
) -> None:
    fault(sandbox, kind="lose_answer", match="order.information.get", count=9)
    (outcome,) = connect().sinks["shipment"].write([parcel(1)])
    assert isinstance(outcome, Later)


def test_receivers_are_told_only_of_orders_that_may_leave(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sandbox.seed({"orders": [order(1, risk_control_status=1), order(2, order_status=3)]})
    found = {row["order_sn"]: row["receiver_name"] for row in records(connect(), "order")}
    assert found == {number_of(0): "~AgAAAA~0~", number_of(1): "", number_of(2): ""}


def test_seeding_again_undoes_nothing(sandbox: PddSandbox, connect: Callable[..., Pdd]) -> None:
    sink = connect().sinks["shop_stock"]
    sink.write([figure("A0", 42)])
    sandbox.seed(seed())
    assert sink.find(["P01:601:A0"])["P01:601:A0"].figures == {"quantity": Decimal(42)}


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_mappings_keep_their_own_promises(path: Path) -> None:
    results = run_tests(load_mapping(path))
    assert results
    assert [(result.name, result.differences) for result in results if result.differences] == []
