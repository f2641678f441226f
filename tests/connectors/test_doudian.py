"""抖店: what the connector promises, told against a sandbox that is as strict as the gateway."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.doudian import CONNECTOR
from connectors.doudian.client import data_of, error_of, sign
from connectors.doudian.connector import Doudian
from connectors.doudian.hook import MessagePush, event_sign
from connectors.doudian.lists import counted, pages
from connectors.doudian.shops import RENEW_SECONDS
from duijie import codec, schemas
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AnswerLost,
    ConfigError,
    CredentialError,
    Forged,
    MalformedMessage,
    NotSent,
    RateLimited,
    TokenExpired,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.hooks import Call, Pushed
from duijie.connect.protocol import Done, Incident, Later, Refused, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.doudian import DoudianSandbox
from sandbox.serve import Running
from sandbox.store import Store

APP, TOOL_APP, SECRET = "7000000000000000001", "7000000000000000002", "secret-0001"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = NOW.replace(hour=0, minute=0, second=0) - timedelta(days=2)
WHOLE_DAY = Window(DAY, DAY + timedelta(days=1), "1001")
ORDER, LINE = 6_920_000_000_000_000_000, 6_921_000_000_000_000_000
MAPPINGS = Path(__file__).parents[2] / "mappings" / "doudian"
PRODUCTS = StaticLookup(refs={"product": {"A0": {"tax_rate": Decimal("0.13"), "unit": "件"}}})


def order(number: int, **changes: Any) -> dict[str, Any]:
    """A paid order of one line, two pieces, over 113 yuan with 8 yuan of freight in it."""
    moment = int(DAY.timestamp()) + 60 * number
    line = {
        "order_id": str(LINE + number),
        "order_status": 2,
        "code": "A0",
        "product_name": "面条",
        "item_num": 2,
        "sum_amount": 11300,
        "pay_amount": 12100,
        "post_amount": 800,
    }
    head = {"shop": "1001", "order_id": str(ORDER + number), "order_status": 2, "doudian_open_id": "1@#abc"}
    times = {"create_time": moment, "pay_time": moment, "update_time": moment}
    receiver = {"encrypt_post_receiver": "#ab#cd#1#1#", "mask_post_receiver": "张*"}
    amounts = {"pay_amount": 12100, "post_amount": 800}
    return {**head, **times, **amounts, **receiver, "sku_order_list": [line], **changes}


def aftersale(number: int, **changes: Any) -> dict[str, Any]:
    info = {
        "aftersale_id": str(7_200_000_000_000_000_000 + number),
        "aftersale_type": 1,
        "aftersale_status": 12,
        "refund_status": 3,
        "refund_amount": 11300,
        "update_time": int(DAY.timestamp()) + 60 * number,
    }
    line = {"sku_order_id": str(LINE + number), "order_status": 3, "shop_sku_code": "A0", "aftersale_item_num": 2}
    related = [{**line, "aftersale_pay_amount": 11300}]
    head = {"shop_order_id": str(ORDER + number), "related_order_info": related}
    return {"shop": "1001", "aftersale_info": {**info, **changes}, "order_info": head}


def seed(orders: int = 3, **more: Any) -> dict[str, Any]:
    skus = [{"id": 10 + n, "code": f"A{n}", "sku_type": 0, "stock_num": 5} for n in range(3)]
    regional = {"id": 20, "code": "R0", "sku_type": 1, "stock_num": 0, "stock_map": {"WH1": 7, "WH2": 8}}
    item = {"shop": "1001", "product_id": 3_620_000_000_000_000_000, "status": 0, "update_time": 1_767_225_600}
    return {
        "apps": {APP: {"secret": SECRET, "kind": "self"}, TOOL_APP: {"secret": SECRET, "kind": "tool"}},
        "shops": {
            "1001": {"name": "旗舰店", "code": "code-1001", "refresh_token": "refresh-1001"},
            "1002": {"name": "分店"},
        },
        "orders": [order(number) for number in range(orders)],
        "products": [{**item, "skus": skus}, {**item, "product_id": 3_620_000_000_000_000_001, "skus": [regional]}],
        "limits": {"calls": 100_000, "seconds": 1},
        **more,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[DoudianSandbox]:
    made = DoudianSandbox(Store())
    with Running(made) as made.url:
        yield made


@pytest.fixture
def later() -> list[float]:
    """Seconds by which the clocks of this test are ahead."""
    return [0.0]


@pytest.fixture
def sandbox(server: DoudianSandbox, later: list[float]) -> DoudianSandbox:
    """The one server of this file, as new."""
    server.__init__(Store(), lambda: datetime.now(UTC) + timedelta(seconds=later[0]))
    server.seed(seed())
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


@pytest.fixture
def connect(
    sandbox: DoudianSandbox, tmp_path: Path, incidents: list[Incident], later: list[float]
) -> Callable[..., Doudian]:
    def open_it(**changes: Any) -> Doudian:
        fields = {"host": sandbox.url, "login": APP, "password": SECRET, **changes}
        extra = {"shops": {"1001": {}, "1002": {}}, "rate": "10000/second"} | fields.pop("extra", {})
        clock = lambda: datetime.now(UTC).timestamp() + later[0]  # noqa: E731
        services = Services(TokenStore(tmp_path / "tokens"), incidents.append, clock=clock)
        return CONNECTOR.open(Connection("dd", "doudian", extra=extra, **fields), services)

    return open_it


def tool(connect: Callable[..., Doudian], **granted: str) -> Doudian:
    return connect(login=TOOL_APP, extra={"shops": {"1001": granted}})


def records(connector: Doudian, stream: str, window: Window = WHOLE_DAY) -> list[dict[str, Any]]:
    return [record for page in connector.streams[stream].read(window) for record in page.records]


def ask(sandbox: DoudianSandbox, method: str, body: str = "{}", headers: Any = None, **changes: str) -> dict[str, Any]:
    """One raw call with a token of its own; the body of the answer."""
    sandbox.store.put("access", "mine", {"shop": "1001", "until": 2**40})
    stamp = changes.pop("timestamp", str(int(datetime.now(UTC).timestamp())))
    how = changes.get("sign_method", "hmac-sha256")
    query = {"app_key": APP, "method": method, "timestamp": stamp, "v": "2", "access_token": "mine"} | changes
    query.setdefault("sign", sign(query["app_key"], SECRET, query["method"], body, stamp, how))
    url = f"{sandbox.url}/{method.replace('.', '/')}"
    return codec.decode(requests.post(url, params=query, data=body.encode(), headers=headers, timeout=5).content)


def fault(sandbox: DoudianSandbox, **rule: Any) -> None:
    requests.post(f"{sandbox.url}/_admin/faults", data=codec.encode([rule]), timeout=5)


P = (
    '{"order_asc":true,"order_by":"update_time","page":0,"size":10,'
    '"update_time_end":1767312000,"update_time_start":1767225600}'
)
TEXT_TIME = "2026-01-02 03:04:05"


class TestSignature:
    @pytest.mark.parametrize(
        ("method", "param_json", "stamp", "expected"),
        [
            (
                "token.create",
                '{"code":"CODE","grant_type":"authorization_code"}',
                TEXT_TIME,
                "63f0c63e411136b852bf25db0fa2a8b03fae3edc6d9ddb5637ac516404de6cd8",
            ),
            (
                "order.searchList",
                P,
                TEXT_TIME,
                "47f1eb511327b247d8ded02f361b7c91bef2f1245b9d4efc8b786adc6ed98a52",
            ),
            (
                "order.searchList",
                '{"page":0,"size":10}',
                TEXT_TIME,
                "91264efd6b2fc226c0095dcc8f9bc3c91ff19d5dfcf87bac3f5f7198361e5c5b",
            ),
            (
                "order.searchList",
                '{"name":"测试<&>","size":10}',
                "1767323045",
                "dc8f9ba163e6f741a2d3b1dcd2043dae583acd742029eb76f82ea217c9ca5f59",
            ),
        ],
    )
    def test_agrees_with_known_vectors(self, method: str, param_json: str, stamp: str, expected: str) -> None:
        assert sign(APP, SECRET, method, param_json, stamp) == expected

    def test_the_body_is_sorted_compact_and_unescaped(self) -> None:
        assert codec.encode({"size": 10, "name": "测试<&>"}).decode() == '{"name":"测试<&>","size":10}'
        assert codec.encode({"b": {"z": 1, "a": [1, 2]}, "a": True}) == b'{"a":true,"b":{"a":[1,2],"z":1}}'

    @pytest.mark.parametrize("how", ["hmac-sha256", "md5"])
    @pytest.mark.parametrize("stamp", ["seconds", "text"])
    def test_the_gateway_takes_both_digests_and_both_times(self, sandbox: DoudianSandbox, how: str, stamp: str) -> None:
        china = datetime.now(UTC) + timedelta(hours=8)
        given = {"timestamp": f"{china:%Y-%m-%d %H:%M:%S}"} if stamp == "text" else {}
        assert ask(sandbox, "order.logisticsCompanyList", sign_method=how, **given)["code"] == 10000


class TestGateway:
    @pytest.mark.parametrize(
        ("changes", "sub_code"),
        [
            ({"sign": "0" * 64}, "isv.signature-invalid"),
            ({"sign": ""}, "isv.signature-missing"),
            ({"app_key": ""}, "isv.app-id-missing"),
            ({"app_key": "7"}, "isv.app-id-invalid"),
            ({"timestamp": "1767323045"}, "isv.timestamp-invalid"),
            ({"timestamp": "noon"}, "isv.timestamp-format-error"),
            ({"access_token": ""}, "isv.access-token-missing"),
            ({"access_token": "nobody's"}, "isv.access-token-no-existed"),
        ],
    )
    def test_refuses_what_is_wrong_with_the_call(
        self, sandbox: DoudianSandbox, changes: dict[str, str], sub_code: str
    ) -> None:
        assert ask(sandbox, "order.logisticsCompanyList", **changes)["sub_code"] == sub_code

    def test_refuses_a_body_that_was_changed_after_signing(self, sandbox: DoudianSandbox) -> None:
        stamp = str(int(datetime.now(UTC).timestamp()))
        signed = sign(APP, SECRET, "order.searchList", '{"page":0}', stamp)
        answer = ask(sandbox, "order.searchList", '{"page": 0}', timestamp=stamp, sign=signed)
        assert answer["sub_code"] == "isv.signature-invalid"

    @pytest.mark.parametrize(
        ("given", "sub_code"),
        [
            ({"page": 0, "size": 101, "update_time_start": 1}, "isv.parameter-invalid:20008"),
            ({"page": -1, "size": 10, "update_time_start": 1}, "isv.parameter-invalid:10035"),
            ({"page": 500, "size": 100, "update_time_start": 1}, "isv.parameter-invalid:20013"),
            ({"page": 0, "size": 10}, "isv.parameter-invalid:20011"),
            ({"page": 0, "size": 10, "create_time_start": 1}, "isv.parameter-invalid:20022"),
            ({"size": 10, "update_time_start": 1}, "isv.missing-parameter:page"),
        ],
    )
    def test_holds_to_pages_depth_and_windows(
        self, sandbox: DoudianSandbox, given: dict[str, Any], sub_code: str
    ) -> None:
        assert ask(sandbox, "order.searchList", codec.encode(given).decode())["sub_code"] == sub_code

    def test_answers_in_the_old_way_too_unless_told_otherwise(self, sandbox: DoudianSandbox) -> None:
        old = ask(sandbox, "order.logisticsCompanyList")
        new = ask(sandbox, "order.logisticsCompanyList", headers={"x-open-no-old-err-code": "1"})
        assert (old["err_no"], old["message"], old["code"]) == (0, "success", 10000)
        assert "err_no" not in new

    def test_shows_no_order_of_more_than_90_days_ago(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        old = int((NOW - timedelta(days=91)).timestamp())
        sandbox.seed({"orders": [order(50, create_time=old)]})
        assert len(records(connect(), "order")) == 3
        window = Window(DAY, DAY, "1001", (f"1001:{ORDER + 50}",))
        assert [row["order_id"] for row in records(connect(), "order", window)] == [str(ORDER + 50)]


class TestOrders:
    def test_every_order_of_the_window_comes_once_with_its_shop_and_as_it_was_sent(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        sandbox.seed(seed(orders=250))
        found = records(connect(), "order")
        assert sorted(row["shop_order"] for row in found) == sorted(f"1001:{ORDER + n}" for n in range(250))
        sent = {name: value for name, value in order(7).items() if name != "shop"}
        received = next(row for row in found if row["order_id"] == str(ORDER + 7))
        assert received == {**sent, "shop": "1001", "shop_order": f"1001:{ORDER + 7}"}

    def test_a_small_window_takes_one_call(self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]) -> None:
        connector = connect()
        connector.check()
        fault(sandbox, kind="watch", match="order/searchList", rate=1)
        records(connector, "order")
        assert sum(one.fired for one in sandbox.faults) == 1

    def test_the_end_of_a_window_is_left_to_the_next_one(self, connect: Callable[..., Doudian]) -> None:
        minute = timedelta(minutes=1)
        first = records(connect(), "order", Window(DAY, DAY + minute, "1001"))
        second = records(connect(), "order", Window(DAY + minute, DAY + 2 * minute, "1001"))
        assert [int(row["order_id"]) - ORDER for row in first + second] == [0, 1]

    def test_a_list_deeper_than_the_platform_pages_is_read_in_halves(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.doudian.lists.DEPTH", 100)
        sandbox.seed(seed(orders=350, limits={"calls": 100_000, "seconds": 1, "depth": 100}))
        assert {row["order_id"] for row in records(connect(), "order")} == {str(ORDER + n) for n in range(350)}

    def test_a_second_that_is_too_deep_is_told_and_not_cut_short(self) -> None:
        with pytest.raises(VendorRejected, match="one second holds more"):
            list(pages(lambda *_: ([], 200), 0, 1, depth=100))

    def test_named_orders_are_read_in_their_own_shop(self, connect: Callable[..., Doudian]) -> None:
        keys = (f"1001:{ORDER + 1}", f"1001:{ORDER + 9}", f"1002:{ORDER + 2}")
        assert [row["shop_order"] for row in records(connect(), "order", Window(DAY, DAY, "", keys))] == [keys[0]]
        assert records(connect(), "order", Window(DAY, DAY, "1002", keys[:1])) == []

    def test_an_answer_without_a_total_is_no_empty_list(self) -> None:
        with pytest.raises(AnswerLost):
            counted({"shop_order_list": []}, "shop_order_list", "1001")


class TestAfterSales:
    def test_come_by_time_of_change_and_by_number(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        old = int((NOW - timedelta(days=300)).timestamp())
        sandbox.seed({"aftersales": [*(aftersale(n) for n in range(130)), aftersale(200, update_time=old)]})
        found = records(connect(), "aftersale")
        assert len({row["shop_aftersale"] for row in found}) == 130
        key = f"1001:{7_200_000_000_000_000_200}"
        window = Window(DAY, DAY, "1001", (key, "1001:42"))
        assert [row["shop_aftersale"] for row in records(connect(), "aftersale", window)] == [key]

    def test_a_refund_that_has_succeeded_tells_its_day_and_nobodys_name(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        told = {"refund_time": 1_794_283_200, "platform_discount_return_amount": 500}
        sandbox.seed({"aftersales": [{**aftersale(0), "detail": told}, aftersale(1, refund_status=2)]})
        done, open_one = sorted(records(connect(), "aftersale"), key=lambda row: row["shop_aftersale"])
        assert told.items() <= done["detail"].items()
        assert not [name for name in done["detail"] if "receiver" in name]
        assert "detail" not in open_one


class TestTokens:
    def test_a_self_built_app_asks_by_its_shop_ids_alone(self, connect: Callable[..., Doudian]) -> None:
        assert connect().check() == [
            ("店铺 1001", "旗舰店, 可用物流公司 8 家"),
            ("店铺 1002", "分店, 可用物流公司 8 家"),
        ]

    def test_a_token_that_ends_between_pages_is_replaced_once(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], incidents: list[Incident]
    ) -> None:
        sandbox.seed(seed(orders=250))
        listed = connect().streams["order"].read(WHOLE_DAY)
        seen = {row["order_id"] for row in next(iter(listed)).records}
        sandbox.expire_tokens()
        seen |= {row["order_id"] for page in listed for row in page.records}
        assert len(seen) == 250
        assert [incident.kind for incident in incidents] == ["TokenExpired"]

    def test_a_code_is_used_once_and_what_it_gave_is_kept(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], incidents: list[Incident]
    ) -> None:
        for _ in range(2):
            assert len(records(tool(connect, code="code-1001"), "order")) == 3
        sandbox.expire_tokens()
        assert len(records(tool(connect, code="code-1001"), "order")) == 3
        assert [incident.kind for incident in incidents] == ["TokenExpired"]

    def test_a_changed_refresh_token_outlives_the_one_in_the_connection(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        for _ in range(3):  # each expiry ends the refresh token that was given before
            sandbox.expire_tokens()
            assert len(records(tool(connect, refresh_token="refresh-1001"), "order")) == 3
        assert sandbox.store.get("refresh", "refresh-1001") is None

    def test_a_pair_is_renewed_before_it_ends_while_the_old_one_still_works(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], later: list[float], incidents: list[Incident]
    ) -> None:
        connector = tool(connect, refresh_token="refresh-1001")
        records(connector, "order")
        (first,) = sandbox.store.keys("access")
        later[0] = 7 * 86400 - RENEW_SECONDS + 60
        assert len(records(connector, "order")) == 3
        assert len(list(sandbox.store.keys("access"))) == 2
        assert sandbox.store.get("access", first) is not None
        assert incidents == []

    def test_a_new_authorisation_in_the_connection_replaces_a_dead_one(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], later: list[float]
    ) -> None:
        records(tool(connect, refresh_token="refresh-1001"), "order")
        later[0] = 15 * 86400
        sandbox.seed({"shops": {"1001": {"name": "旗舰店", "refresh_token": "refresh-again"}}, "orders": [order(1)]})
        later_day = Window(DAY, DAY + timedelta(days=1), "1001")
        assert len(records(tool(connect, refresh_token="refresh-again"), "order", later_day)) == 3

    def test_a_shop_whose_authorisation_ended_is_named(self, connect: Callable[..., Doudian]) -> None:
        with pytest.raises(CredentialError) as caught:
            records(tool(connect, refresh_token="gone"), "order")
        assert "店铺 1001" in caught.value.zh
        assert "重新授权" in caught.value.zh

    def test_a_grant_of_another_kind_of_app_is_told(self, connect: Callable[..., Doudian]) -> None:
        with pytest.raises(CredentialError, match="grant does not fit"):
            tool(connect).check()

    def test_an_error_on_the_line_does_not_show_the_token(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        connect().check()
        with pytest.raises(NotSent) as caught:
            connect(host="http://127.0.0.1:9")._client.write("1001", "order.logisticsCompanyList")
        told = "".join(traceback.format_exception(caught.value))
        assert [token for token in sandbox.store.keys("access") if token in told] == []

    def test_a_wrong_secret_is_a_credential_error(self, connect: Callable[..., Doudian]) -> None:
        with pytest.raises(CredentialError, match="check app_secret"):
            connect(password="wrong").check()

    @pytest.mark.parametrize("shops", ["{", None, ["1001"]])
    def test_a_connection_without_shops_says_how_to_write_them(
        self, connect: Callable[..., Doudian], shops: Any
    ) -> None:
        with pytest.raises(ConfigError, match=r"extra\.shops"):
            connect(extra={"shops": shops})

    def test_a_shop_that_is_not_in_the_connection_is_told(self, connect: Callable[..., Doudian]) -> None:
        with pytest.raises(ConfigError, match="no authorisation of shop 9"):
            records(connect(), "order", Window(DAY, DAY + timedelta(days=1), "9"))


def figure(sku: str, quantity: int, item: int = 3_620_000_000_000_000_000, shop: str = "1001") -> dict[str, Any]:
    return {"shop": shop, "sku": sku, "quantity": quantity, "product_id": str(item)}


class TestStock:
    def test_figures_are_written_whole_and_read_back(self, connect: Callable[..., Doudian]) -> None:
        connector = connect()
        sink, payloads = connector.sinks["shop_stock"], [figure("A0", 0), figure("A1", 42)]
        assert [outcome.native_no for outcome in sink.write(payloads)] == ["1001:A0", "1001:A1"]
        found = sink.find([sink.key_of(payload) for payload in payloads] + ["1001:NONE"])
        assert {key: one.figures["quantity"] for key, one in found.items()} == {"1001:A0": 0, "1001:A1": 42}
        shown = {row["shop_sku"]: row["quantity"] for row in records(connector, "stock")}
        assert shown == {"1001:A0": 0, "1001:A1": 42, "1001:A2": 5, "1001:R0": None}

    def test_one_unknown_code_hurts_no_other(self, connect: Callable[..., Doudian]) -> None:
        outcomes = connect().sinks["shop_stock"].write([figure("A0", 1), figure("ZZ", 9), figure("A1", 3)])
        assert [type(outcome) for outcome in outcomes] == [Done, Refused, Done]
        assert outcomes[1].code == "doudian:isv.parameter-invalid:5"

    def test_the_platforms_own_fault_leaves_a_write_unknown_and_repeats_a_read(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], incidents: list[Incident]
    ) -> None:
        sandbox.seed({"trouble": {"sku.syncStock": 1, "sku.stockNum": 1}})
        sink = connect().sinks["shop_stock"]
        (outcome,) = sink.write([figure("A0", 42)])
        assert isinstance(outcome, Unknown)
        assert sink.find(["1001:A0"])["1001:A0"].figures == {"quantity": Decimal(42)}
        assert [incident.kind for incident in incidents] == ["VendorBusy"]

    def test_a_regional_warehouse_has_figures_of_its_own(self, connect: Callable[..., Doudian]) -> None:
        connector = connect(extra={"out_warehouse_id": "WH1"})
        sink = connector.sinks["shop_stock"]
        (outcome,) = sink.write([figure("R0", 70, 3_620_000_000_000_000_001)])
        assert isinstance(outcome, Done)
        assert sink.find(["1001:R0"])["1001:R0"].figures == {"quantity": Decimal(70)}
        assert {row["shop_sku"]: row["quantity"] for row in records(connector, "stock")}["1001:R0"] == 70

    def test_a_sku_of_the_other_kind_of_stock_is_told(self, connect: Callable[..., Doudian]) -> None:
        with pytest.raises(VendorRejected) as caught:
            connect().sinks["shop_stock"].find(["1001:R0"])
        assert "out_warehouse_id" in caught.value.zh

    def test_many_items_come_once_each(self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]) -> None:
        item = {"shop": "1002", "status": 0, "update_time": 1_767_225_600}
        sku = {"sku_type": 0, "stock_num": 1}
        many = [{**item, "product_id": n, "skus": [{"id": n, "code": f"M{n}", **sku}]} for n in range(1, 151)]
        off_sale = {**item, "product_id": 999, "status": 1, "skus": [{"id": 999, "code": "OFF", **sku}]}
        sandbox.seed({"products": [*many, off_sale]})
        found = records(connect(), "stock", Window(DAY, DAY, "1002"))
        assert sorted(row["shop_sku"] for row in found) == sorted(f"1002:M{n}" for n in range(1, 151))


def parcel(number: int, waybill: str, lines: list[tuple[int, int]] = (), **more: Any) -> dict[str, Any]:
    made = {"shop": "1001", "order_id": str(ORDER + number), "company_code": "shunfeng", "logistics_code": waybill}
    parts = [{"shipped_order_id": str(LINE + line), "shipped_num": count} for line, count in lines]
    return made | ({"lines": parts} if parts else {}) | more


def status_of(sandbox: DoudianSandbox, number: int) -> int:
    return sandbox.store.get("order/1001", str(ORDER + number))["order_status"]


class TestShipments:
    def test_a_whole_order_leaves_in_one_parcel(self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]) -> None:
        sink = connect().sinks["shipment"]
        (outcome,) = sink.write([parcel(0, "SF0000000001")])
        key = f"1001:{ORDER}:SF0000000001"
        assert isinstance(outcome, Done)
        assert list(sink.find([key, f"1001:{ORDER}:OTHER0000"])) == [key]
        assert status_of(sandbox, 0) == 3

    def test_parts_of_an_order_leave_in_several(self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]) -> None:
        sink = connect().sinks["shipment"]
        first, second = parcel(0, "SF0000000001", [(0, 1)]), parcel(0, "SF0000000002", [(0, 1)])
        assert isinstance(sink.write([first])[0], Done)
        assert status_of(sandbox, 0) == 101
        assert isinstance(sink.write([second])[0], Done)
        assert status_of(sandbox, 0) == 3

    def test_a_part_that_is_sent_again_is_known_by_its_request_id(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        sink, part = connect().sinks["shipment"], parcel(0, "SF0000000001", [(0, 1)])
        first, again = sink.write([part])[0], sink.write([part])[0]
        assert first.native_id == again.native_id
        assert len(sandbox.store.get("order/1001", str(ORDER))["logistics_info"]) == 1

    def test_a_lost_answer_is_found_by_the_waybill_on_the_order(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        connector = connect()
        connector.check()
        fault(sandbox, kind="lose_answer", count=1, writes=True)
        sink = connector.sinks["shipment"]
        (outcome,) = sink.write([parcel(0, "SF0000000001")])
        assert isinstance(outcome, Unknown)
        assert sink.find([f"1001:{ORDER}:SF0000000001"])

    @pytest.mark.parametrize(
        ("changes", "code", "word"),
        [
            ({"order_status": 105}, "60109", "风控"),
            ({"order_status": 1}, "60137", "未支付"),
            ({"order_status": 3}, "60110", "核对运单号"),
            ({"order_status": 4}, "60021", "已取消"),
        ],
    )
    def test_an_order_that_may_not_be_shipped_is_refused_with_the_reason(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], changes: dict[str, Any], code: str, word: str
    ) -> None:
        sandbox.seed({"orders": [order(5, **changes)]})
        (outcome,) = connect().sinks["shipment"].write([parcel(5, "SF0000000001")])
        assert isinstance(outcome, Refused)
        assert outcome.code == f"doudian:isv.business-failed:{code}"
        assert word in outcome.zh

    def test_an_open_refund_request_is_never_rejected_by_shipping(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        asked = order(5)
        asked["sku_order_list"][0]["after_sale_info"] = {"after_sale_status": 6, "refund_status": 1}
        sandbox.seed({"orders": [asked]})
        (outcome,) = connect().sinks["shipment"].write([parcel(5, "SF0000000001")])
        assert (type(outcome), outcome.code) == (Refused, "doudian:isv.business-failed:60040")

    def test_a_list_of_carriers_that_cannot_be_read_puts_the_parcel_off(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        sink = connect().sinks["shipment"]
        fault(sandbox, kind="malformed", match="logisticsCompanyList", rate=1)
        (outcome,) = sink.write([parcel(0, "SF0000000001")])
        assert isinstance(outcome, Later)
        assert status_of(sandbox, 0) == 2

    def test_a_wrong_carrier_or_waybill_stops_no_other_parcel(self, connect: Callable[..., Doudian]) -> None:
        made = [
            parcel(0, "SF0000000001", company_code="nobody"),
            parcel(1, "快递单号"),
            parcel(2, "SF0000000003"),
            parcel(9, "SF0000000004"),
        ]
        outcomes = connect().sinks["shipment"].write(made)
        assert [type(outcome) for outcome in outcomes] == [Refused, Refused, Done, Refused]
        assert "对照表 carrier" in outcomes[0].zh


def answer(code: int, sub_code: str = "", sub_msg: str = "") -> dict[str, Any]:
    return {"code": code, "msg": "…", "sub_code": sub_code, "sub_msg": sub_msg, "log_id": "2026-LOG"}


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "sub_code", "kind"),
        [
            (40003, "isv.access-token-expired", TokenExpired),
            (40003, "isv.access-token-no-existed", TokenExpired),
            (40003, "isv.signature-invalid", CredentialError),
            (40003, "isv.timestamp-invalid", VendorRejected),
            (30001, "isv.app-permissions-insufficient", CredentialError),
            (30001, "dop.authorization-closed", CredentialError),
            (30002, "", CredentialError),
            (50001, "dop.token-generate-failed:token-expired", CredentialError),
            (20000, "isp.service-error:10002", VendorBusy),
            (50002, "isv.business-failed:20004", VendorBusy),
            (60000, "isv.traffic-limited", RateLimited),
            (50002, "isv.business-failed:2010401", RateLimited),
            (40004, "isv.parameter-invalid:20008", VendorRejected),
            (50002, "isv.business-failed:60113", VendorRejected),
            (10001, "", AnswerLost),
            (99999, "", VendorRejected),
        ],
    )
    def test_every_code_has_its_kind_and_names_the_log(self, code: int, sub_code: str, kind: type[Exception]) -> None:
        error = error_of(answer(code, sub_code, "原因"), "1001 order.searchList")
        assert type(error) is kind
        assert error.code == f"doudian:{sub_code or code}"
        if kind not in (TokenExpired, RateLimited):
            assert "2026-LOG" in error.zh or "2026-LOG" in error.en

    def test_too_many_calls_are_waited_out(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian], incidents: list[Incident]
    ) -> None:
        connector = connect()
        connector.check()
        sandbox.seed({"limits": {"calls": 5, "seconds": 1}})
        sandbox._calls.clear()
        for _ in range(6):
            records(connector, "order")
        assert {incident.kind for incident in incidents} == {"RateLimited"}

    def test_a_success_without_data_is_no_answer(self) -> None:
        with pytest.raises(AnswerLost):
            data_of({"code": 10000, "data": None}, "1001 order.searchList")

    def test_a_method_that_is_gone_asks_for_an_upgrade(self, connect: Callable[..., Doudian]) -> None:
        with pytest.raises(VendorRejected, match="does not exist any more; upgrade"):
            connect()._client.read("1001", "order.nothing")


def pushed(messages: Any, secret: str = SECRET, **headers: str) -> Call:
    body = messages if isinstance(messages, bytes) else codec.encode_ordered(messages)
    given = {"content-type": "application/json", "app-id": APP, "event-sign": event_sign(APP, body, secret)}
    return Call("", {**given, **headers}, {}, body, NOW)


@pytest.fixture
def hook() -> MessagePush:
    return MessagePush(Connection("dd", "doudian", login=APP, password=SECRET, extra={"shops": {"1001": {}}}))


class TestMessages:
    def test_the_signature_agrees_with_a_known_vector(self) -> None:
        body = b'[{"tag":"100","msg_id":"1","data":{"p_id":1}}]'
        assert event_sign(APP, body, SECRET) == "88f34c25442f03d3f12cd68933a30882"

    def test_orders_and_aftersales_become_hints_whatever_form_data_has(self, hook: MessagePush) -> None:
        data = codec.encode({"aftersale_id": 72, "p_id": 5, "shop_id": 1001}).decode()
        push = hook.verify(
            pushed(
                [
                    {"tag": "101", "msg_id": "a", "data": {"p_id": ORDER + 1, "shop_id": 1001}},
                    {"tag": "102", "msg_id": "b", "data": {"p_id": ORDER + 1, "shop_id": 1001}},
                    {"tag": "206", "msg_id": "c", "data": data},
                ]
            )
        )
        assert push.items == (Pushed("order", f"1001:{ORDER + 1}"), Pushed("aftersale", "1001:72"))

    def test_a_repeat_has_the_same_nonce_and_another_message_another(self, hook: MessagePush) -> None:
        def nonce(msg_id: str) -> str:
            return hook.verify(pushed([{"tag": "101", "msg_id": msg_id, "data": {"p_id": 1, "shop_id": 1001}}])).nonce

        assert nonce("a") == nonce("a") != nonce("b")

    @pytest.mark.parametrize(
        "message",
        [
            {"tag": "0", "msg_id": "0", "data": "probe"},
            {"tag": "400", "msg_id": "1", "data": {"product_id": 1, "shop_id": 1001}},
            {"tag": "101", "msg_id": "2", "data": {"p_id": 1, "shop_id": 9}},
        ],
    )
    def test_probes_items_and_strange_shops_are_answered_and_left(self, hook: MessagePush, message: Any) -> None:
        assert hook.verify(pushed([message])).items == ()
        assert hook.accepted.body == b'{"code":0,"msg":"success"}'

    def test_what_another_secret_or_app_signed_is_forged(self, hook: MessagePush) -> None:
        for call in (pushed([], secret="other"), pushed([], **{"app-id": "7"}), pushed([], **{"event-sign": ""})):
            with pytest.raises(Forged):
                hook.verify(call)

    @pytest.mark.parametrize("body", [b"{}", b"[1]", b'[{"tag":"101","data":"{"}]', b'[{"tag":"101","data":{}}]'])
    def test_what_is_signed_and_cannot_be_read_is_malformed(self, hook: MessagePush, body: bytes) -> None:
        with pytest.raises(MalformedMessage):
            hook.verify(pushed(body))

    def test_a_hint_leads_to_the_record(self, hook: MessagePush, connect: Callable[..., Doudian]) -> None:
        (item,) = hook.verify(pushed([{"tag": "101", "msg_id": "1", "data": {"p_id": ORDER, "shop_id": 1001}}])).items
        (found,) = records(connect(), item.stream, Window(DAY, DAY, "1001", (item.key,)))
        assert found["shop_order"] == item.key


class TestMappings:
    @pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.name)
    def test_keep_their_own_promises(self, path: Path) -> None:
        results = run_tests(load_mapping(path))
        assert results
        assert [(result.name, result.differences) for result in results if result.differences] == []

    def test_an_order_becomes_a_valid_document_without_receiver(self, connect: Callable[..., Doudian]) -> None:
        raw = records(connect(), "order")[0]
        [(entity, made)] = load_mapping(MAPPINGS / "sales_order.in.yaml").documents(raw, PRODUCTS, {})
        schemas.check(entity, made)
        assert made["gross"] == made["freight"] + sum(line["gross"] for line in made["lines"]) == Decimal("121.00")
        assert (made["lines"][0]["net"], made["lines"][0]["tax"]) == (Decimal("100.00"), Decimal("13.00"))
        assert "张" not in str(made)
        assert "#ab#" not in str(made)

    def test_a_refund_becomes_a_valid_document_that_points_at_its_order(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        sandbox.seed({"aftersales": [aftersale(0)]})
        (raw,) = records(connect(), "aftersale")
        [(entity, made)] = load_mapping(MAPPINGS / "sales_refund.in.yaml").documents(raw, PRODUCTS, {})
        schemas.check(entity, made)
        order_raw = records(connect(), "order")[0]
        [(_, ordered)] = load_mapping(MAPPINGS / "sales_order.in.yaml").documents(order_raw, PRODUCTS, {})
        assert (made["order_key"], made["oid"]) == (ordered["key"], ordered["lines"][0]["oid"])
        assert (made["status"], made["amount"]) == ("success", Decimal("113.00"))

    def test_a_canonical_shipment_reaches_the_order(
        self, sandbox: DoudianSandbox, connect: Callable[..., Doudian]
    ) -> None:
        document = {
            "key": "SH1",
            "shop": "1001",
            "order_no": str(ORDER),
            "carrier": "顺丰速运",
            "waybill": "SF0000000009",
            "lines": [{"oid": str(LINE), "qty": Decimal("2")}],
        }
        schemas.check("shipment", document)
        payload = load_mapping(MAPPINGS / "shipment.out.yaml").run(document, StaticLookup(), {})
        (outcome,) = connect().sinks["shipment"].write([payload])
        assert isinstance(outcome, Done)
        assert status_of(sandbox, 0) == 3

    def test_a_listing_leads_back_to_a_figure_that_can_be_written(self, connect: Callable[..., Doudian]) -> None:
        connector = connect()
        raw = next(row for row in records(connector, "stock") if row["code"] == "A1")
        listed = load_mapping(MAPPINGS / "listing.in.yaml").run(raw, PRODUCTS, {})
        schemas.check("listing", listed)
        (again,) = records(connector, "stock", Window(DAY, DAY, "", ("1001:A1",)))
        assert load_mapping(MAPPINGS / "listing.in.yaml").run(again, PRODUCTS, {}) == listed
        payload = load_mapping(MAPPINGS / "shop_stock.out.yaml").run({**listed, "quantity": 3}, PRODUCTS, {})
        assert isinstance(connector.sinks["shop_stock"].write([payload])[0], Done)
        assert connector.sinks["shop_stock"].find(["1001:A1"])["1001:A1"].figures == {"quantity": Decimal(3)}
