"""淘宝 TOP: what the connector promises, told against a sandbox that is as strict as the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from connectors.taobao import CONNECTOR
from connectors.taobao.client import CHINA, Client, sign
from connectors.taobao.connector import Taobao, days_of
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, RateLimited
from duijie.connect.protocol import Done, Incident, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import load_mapping, run_tests
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.taobao import TaobaoSandbox

APP, SECRET = "12345678", "helloworld"
DAY = datetime(2026, 11, 11, tzinfo=CHINA)
WHOLE_DAY = Window(DAY, DAY + timedelta(days=1), "S01")
FIRST_TID = 3_204_086_667_211_110_000
MAPPINGS = Path(__file__).parents[2] / "mappings" / "taobao"


def trade(number: int, **changes: Any) -> dict[str, Any]:
    moment = f"{DAY + timedelta(minutes=number):%Y-%m-%d %H:%M:%S}"
    line = {"oid": FIRST_TID + number, "outer_sku_id": "A1", "num": 1, "divide_order_fee": "7.00"}
    made = {"shop": "S01", "tid": FIRST_TID + number, "status": "TRADE_FINISHED", "created": moment, "modified": moment}
    return {**made, "payment": "7.00", "secret_note": "never asked for", "orders": {"order": [line]}, **changes}


def seed(trades: int = 3, **more: Any) -> dict[str, Any]:
    skus = [{"sku_id": 100 + n, "outer_id": f"A{n}", "quantity": 5, "price": "7.00"} for n in range(3)]
    item = {"num_iid": 601, "title": "面条", "list_time": "2026-01-01 00:00:00", "modified": "2026-01-01 00:00:00"}
    other = {**item, "num_iid": 602, "skus": [{"sku_id": 200, "outer_id": "B0", "quantity": 9, "price": "8.00"}]}
    shops = {
        shop: {"nick": f"{shop}旗舰店", "user_id": 1, "session": f"sess-{shop}", "refresh_token": f"refresh-{shop}"}
        for shop in ("S01", "S02")
    }
    return {
        "apps": {APP: SECRET},
        "shops": shops,
        "items": [{"shop": "S01", **item, "skus": skus}, {"shop": "S01", **other}],
        "trades": [trade(number) for number in range(trades)],
        "limits": {"calls": 10_000, "seconds": 1, "ban_seconds": 1},
        **more,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[TaobaoSandbox]:
    made = TaobaoSandbox(Store())
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: TaobaoSandbox) -> TaobaoSandbox:
    """The one server of this file, as new."""
    server.__init__(Store())
    server.seed(seed())
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


@pytest.fixture
def connect(sandbox: TaobaoSandbox, tmp_path: Path, incidents: list[Incident]) -> Callable[..., Taobao]:
    def open_it(**changes: Any) -> Taobao:
        shops = {shop: {"session": f"sess-{shop}", "refresh_token": f"refresh-{shop}"} for shop in ("S01", "S02")}
        fields = {"host": sandbox.url, "login": APP, "password": SECRET, **changes}
        extra = {"shops": shops, "rate": "10000/second"} | fields.pop("extra", {})
        services = Services(TokenStore(tmp_path / "tokens"), incidents.append)
        return CONNECTOR.open(Connection("tb", "taobao", extra=extra, **fields), services)

    return open_it


def records(connector: Taobao, stream: str, window: Window = WHOLE_DAY) -> list[dict[str, Any]]:
    return [record for page in connector.streams[stream].read(window) for record in page.records]


def ask(sandbox: TaobaoSandbox, secret: str = SECRET, **changes: str) -> dict[str, Any]:
    """One raw call, signed with `secret`; the body of the answer."""
    parameters = {
        "method": "taobao.trades.sold.increment.get",
        "app_key": APP,
        "session": "sess-S01",
        "timestamp": f"{datetime.now(CHINA):%Y-%m-%d %H:%M:%S}",
        "format": "json",
        "v": "2.0",
        "sign_method": "md5",
        "fields": "tid",
        "start_modified": "2026-11-11 00:00:00",
        "end_modified": "2026-11-11 23:59:59",
    }
    parameters = {name: value for name, value in (parameters | changes).items() if value}
    parameters["sign"] = sign(parameters, secret, parameters["sign_method"])
    query = {name: parameters.pop(name) for name in ("method", "session", "sign") if name in parameters}
    answer = requests.post(f"{sandbox.url}/router/rest?{urlencode(query)}", data=parameters, timeout=5)
    return codec.decode(answer.content)


def refusal(sandbox: TaobaoSandbox, **changes: str) -> tuple[int, str]:
    said = ask(sandbox, **changes)["error_response"]
    return said["code"], said.get("sub_code", "")


VECTOR = {
    "method": "taobao.trades.sold.increment.get",
    "app_key": "12345678",
    "session": "sess-0001",
    "timestamp": "2026-01-02 03:04:05",
    "format": "json",
    "v": "2.0",
    "fields": "tid,status,payment",
    "start_modified": "2026-01-01 00:00:00",
    "end_modified": "2026-01-02 00:00:00",
    "page_no": "1",
    "page_size": "40",
    "use_has_next": "true",
}


@pytest.mark.parametrize(
    ("method", "more", "expected"),
    [
        ("md5", {}, "FA48E6259D0FCED9BF5FBE6B10FE37C8"),
        ("md5", {"memo": "测试备注"}, "DDB0D1CDE9915D415A98DD4E370AA8D9"),
        ("hmac-sha256", {}, "ACAE4730FF4C75AB94DB4FB1C71298DF66FD437A8D05864EBE983DDA5595928D"),
    ],
)
def test_signature_agrees_with_known_vectors(method: str, more: dict[str, str], expected: str) -> None:
    given = {**VECTOR, "sign_method": method, **more}
    assert sign(given, SECRET, method) == expected
    assert sign({**given, "empty": "", "sign": "X"}, SECRET, method) == expected


def test_signature_of_the_vendors_own_example() -> None:
    given = {"method": "taobao.item.seller.get", "app_key": "12345678", "session": "test", "sign_method": "md5"}
    given |= {"timestamp": "2016-01-01 12:00:00", "format": "json", "v": "2.0"}
    given |= {"fields": "num_iid,title,nick,price,num", "num_iid": "11223344"}
    assert sign(given, SECRET, "md5") == "66987CB115214E59E6EC978214934FB8"


def test_windows_are_split_into_closed_days_without_gap_or_overlap() -> None:
    since = datetime(2026, 11, 10, 8, 0, tzinfo=UTC)
    assert list(days_of(since, since + timedelta(days=2, microseconds=1))) == [
        ("2026-11-10 16:00:00", "2026-11-11 15:59:59"),
        ("2026-11-11 16:00:00", "2026-11-12 15:59:59"),
        ("2026-11-12 16:00:00", "2026-11-12 16:00:00"),
    ]
    assert list(days_of(since, since)) == []


def test_every_order_of_the_window_comes_once_with_its_shop_and_exact_id(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao]
) -> None:
    sandbox.seed(seed(trades=250))
    found = records(connect(), "trade")
    assert sorted(row["tid"] for row in found) == [FIRST_TID + number for number in range(250)]
    assert {row["shop"] for row in found} == {"S01"}
    assert FIRST_TID > 2**53


def test_the_end_of_a_window_is_left_to_the_next_one(connect: Callable[..., Taobao]) -> None:
    minute = timedelta(minutes=1)
    first = records(connect(), "trade", Window(DAY, DAY + minute, "S01"))
    second = records(connect(), "trade", Window(DAY + minute, DAY + 2 * minute, "S01"))
    assert [row["tid"] - FIRST_TID for row in first + second] == [0, 1]


def test_only_the_fields_asked_for_are_answered(connect: Callable[..., Taobao]) -> None:
    found = records(connect(), "trade")
    assert found
    assert all("secret_note" not in row for row in found)
    assert found[0]["orders"]["order"][0]["outer_sku_id"] == "A1"


def test_orders_of_every_type_come_not_only_the_default_ones(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao]
) -> None:
    sandbox.seed({"trades": [trade(9, type="fixed")]})
    assert FIRST_TID + 9 in {row["tid"] for row in records(connect(), "trade")}
    assert all(
        row["tid"] != FIRST_TID + 9 for row in ask(sandbox)["trades_sold_increment_get_response"]["trades"]["trade"]
    )


def test_orders_that_change_while_pages_are_read_make_no_other_order_vanish(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao]
) -> None:
    sandbox.seed(seed(trades=350))
    pages = connect().streams["trade"].read(WHOLE_DAY)
    seen = {row["tid"] for row in next(iter(pages)).records}
    for number in (5, 120, 340):  # already read, in the middle, still to come: all leave the closed window
        moved = trade(number, modified="2026-11-12 00:00:01")
        sandbox.store.put("trade/S01", str(moved["tid"]), moved)
    seen |= {row["tid"] for page in pages for row in page.records}
    stayed = {FIRST_TID + number for number in range(350)} - {FIRST_TID + number for number in (5, 120, 340)}
    assert stayed <= seen
    after = records(connect(), "trade", Window(DAY + timedelta(days=1), DAY + timedelta(days=2), "S01"))
    assert {row["tid"] - FIRST_TID for row in after} == {5, 120, 340}


def test_named_orders_are_read_one_by_one_and_unknown_ones_are_absent(connect: Callable[..., Taobao]) -> None:
    window = Window(DAY, DAY, "S01", keys=(str(FIRST_TID + 1), "42"))
    assert [row["tid"] for row in records(connect(), "trade", window)] == [FIRST_TID + 1]


def test_refunds_come_by_time_of_change(sandbox: TaobaoSandbox, connect: Callable[..., Taobao]) -> None:
    refund = {"shop": "S01", "refund_id": FIRST_TID + 50, "tid": FIRST_TID, "status": "SUCCESS", "refund_fee": "7.00"}
    sandbox.seed({"refunds": [{**refund, "modified": "2026-11-11 12:00:00"}]})
    (found,) = records(connect(), "refund")
    assert (found["refund_id"], found["shop"], found["refund_fee"]) == (FIRST_TID + 50, "S01", "7.00")


def test_a_session_that_ends_between_pages_is_renewed_and_nothing_is_lost(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao], incidents: list[Incident]
) -> None:
    sandbox.seed(seed(trades=250))
    pages = connect().streams["trade"].read(WHOLE_DAY)
    seen = {row["tid"] for row in next(iter(pages)).records}
    sandbox.expire_tokens()
    seen |= {row["tid"] for page in pages for row in page.records}
    assert len(seen) == 250
    assert [incident.kind for incident in incidents] == ["TokenExpired"]


def test_the_renewed_session_is_kept_for_the_next_worker(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao], incidents: list[Incident]
) -> None:
    sandbox.expire_tokens()
    records(connect(), "trade")
    records(connect(), "trade")
    assert len(incidents) == 1


def test_a_refresh_token_alone_is_enough(connect: Callable[..., Taobao]) -> None:
    shops = codec.encode({"S01": {"refresh_token": "refresh-S01"}}).decode()
    connector = connect(extra={"shops": shops})
    assert connector.check() == [("店铺 S01", "已授权: S01旗舰店")]


def test_a_shop_whose_authorisation_ended_is_named(sandbox: TaobaoSandbox, connect: Callable[..., Taobao]) -> None:
    sandbox.expire_tokens()
    connector = connect(extra={"shops": {"S02": {"session": "gone", "refresh_token": "gone"}}})
    with pytest.raises(CredentialError, match=r"S02.*authorise again"):
        records(connector, "trade", Window(DAY, DAY + timedelta(days=1), "S02"))


def test_a_wrong_secret_is_a_credential_error(connect: Callable[..., Taobao]) -> None:
    with pytest.raises(CredentialError, match="check app_secret"):
        connect(password="wrong").check()


def test_an_unknown_app_is_a_credential_error(connect: Callable[..., Taobao]) -> None:
    with pytest.raises(CredentialError, match="app key does not exist"):
        connect(login="999").check()


@pytest.mark.parametrize("shops", ["{", None, ["S01"]])
def test_a_connection_without_shops_says_how_to_write_them(connect: Callable[..., Taobao], shops: Any) -> None:
    with pytest.raises(ConfigError, match=r"extra\.shops"):
        connect(extra={"shops": shops})


def test_a_call_ban_is_waited_out(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao], incidents: list[Incident]
) -> None:
    sandbox.seed(seed(limits={"calls": 2, "seconds": 1, "ban_seconds": 1}))
    connector = connect()
    began = time.monotonic()
    assert len(records(connector, "trade")) == 3
    connector.check()
    assert time.monotonic() - began > 0.9
    assert {incident.kind for incident in incidents} == {"RateLimited"}


def test_the_length_of_a_ban_is_read_from_the_vendors_words(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao]
) -> None:
    sandbox.seed(seed(limits={"calls": 0, "seconds": 1, "ban_seconds": 37}))
    client: Client = connect()._client
    with pytest.raises(RateLimited) as caught:
        client.write("S01", "taobao.skus.quantity.update", num_iid=601, outerid_quantities="A0:1")
    assert caught.value.retry_after == 37.0


def figure(sku: str, quantity: int, **more: Any) -> dict[str, Any]:
    return {"shop": "S01", "sku": sku, "quantity": quantity, **more}


def test_quantities_are_written_per_item_and_read_back(sandbox: TaobaoSandbox, connect: Callable[..., Taobao]) -> None:
    sink = connect().sinks["shop_stock"]
    payloads = [figure("A0", 1), figure("B0", 2, num_iid="602"), figure("A2", 0)]
    outcomes = sink.write(payloads)
    assert [outcome.native_no for outcome in outcomes] == ["S01:A0", "S01:B0", "S01:A2"]
    found = sink.find([sink.key_of(payload) for payload in payloads] + ["S01:NONE"])
    assert {key: one.figures for key, one in found.items()} == {
        sink.key_of(payload): sink.figures_of(payload) for payload in payloads
    }
    assert sink.safety is Safety.ABSOLUTE
    shown = {row["shop_sku"]: row["quantity"] for row in records(connect(), "stock")}
    assert shown == {"S01:A0": 1, "S01:A1": 5, "S01:A2": 0, "S01:B0": 2}


def test_one_unknown_code_hurts_no_other(sandbox: TaobaoSandbox, connect: Callable[..., Taobao]) -> None:
    outcomes = (
        connect()
        .sinks["shop_stock"]
        .write([figure("A0", 1, num_iid="601"), figure("ZZ", 9, num_iid="601"), figure("QQ", 9), figure("A1", 3)])
    )
    assert [type(outcome) for outcome in outcomes] == [Done, Refused, Refused, Done]
    assert outcomes[1].code == "taobao:isv.invalid-parameter:outerid_quantities"
    assert "商家编码" in outcomes[2].zh


def test_a_lost_answer_is_unknown_until_the_figure_is_read_back(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao]
) -> None:
    sink = connect().sinks["shop_stock"]
    order = [{"kind": "lose_answer", "match": "", "count": 1, "writes": True}]
    requests.post(f"{sandbox.url}/_admin/faults", data=codec.encode(order), timeout=5)
    (outcome,) = sink.write([figure("A0", 42)])
    assert isinstance(outcome, Unknown)
    assert sink.find(["S01:A0"])["S01:A0"].figures == {"quantity": Decimal(42)}


def test_an_overloaded_gateway_is_asked_again_because_it_did_nothing(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao], incidents: list[Incident]
) -> None:
    order = [{"kind": "status", "match": "", "count": 1, "status": 429}]
    requests.post(f"{sandbox.url}/_admin/faults", data=codec.encode(order), timeout=5)
    (outcome,) = connect().sinks["shop_stock"].write([figure("A0", 42, num_iid="601")])
    assert isinstance(outcome, Done)
    assert [incident.kind for incident in incidents] == ["RateLimited"]


def test_only_updates_count_as_writes_for_ordered_faults(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao], incidents: list[Incident]
) -> None:
    order = [{"kind": "lose_answer", "match": "", "rate": 1.0, "writes": True}]
    requests.post(f"{sandbox.url}/_admin/faults", data=codec.encode(order), timeout=5)
    assert len(records(connect(), "trade")) == 3
    assert incidents == []


def test_the_platforms_own_fault_leaves_a_write_unknown_and_repeats_a_read(
    sandbox: TaobaoSandbox, connect: Callable[..., Taobao], incidents: list[Incident]
) -> None:
    sandbox.seed({"trouble": {"taobao.skus.quantity.update": 1, "taobao.skus.custom.get": 1}})
    sink = connect().sinks["shop_stock"]
    (outcome,) = sink.write([figure("A0", 42, num_iid="601")])
    assert isinstance(outcome, Unknown)
    assert sink.find(["S01:A0"])["S01:A0"].figures == {"quantity": Decimal(42)}
    assert [incident.kind for incident in incidents] == ["VendorBusy"]


def test_the_gateway_refuses_a_bad_signature_clock_and_version(sandbox: TaobaoSandbox) -> None:
    early = f"{datetime.now(CHINA) - timedelta(minutes=11):%Y-%m-%d %H:%M:%S}"
    assert refusal(sandbox, secret="wrong")[0] == 25
    assert refusal(sandbox, timestamp=early)[0] == 31
    assert refusal(sandbox, timestamp="11.11.2026")[0] == 31
    assert refusal(sandbox, v="1.0")[0] == 33
    assert refusal(sandbox, format="")[0] == 23
    assert refusal(sandbox, session="")[0] == 26
    assert refusal(sandbox, session="nobody") == (27, "invalid-sessionkey")
    assert refusal(sandbox, app_key="1")[0] == 29
    assert refusal(sandbox, method="taobao.nothing.get")[0] == 22


@pytest.mark.parametrize("method", ["md5", "hmac", "hmac-sha256"])
def test_the_gateway_takes_every_signature_method_and_epoch_milliseconds(sandbox: TaobaoSandbox, method: str) -> None:
    answer = ask(sandbox, sign_method=method, timestamp=str(int(time.time() * 1000)))
    assert answer["trades_sold_increment_get_response"]["total_results"] == 3


def test_the_gateway_holds_to_window_page_and_fields(sandbox: TaobaoSandbox) -> None:
    assert refusal(sandbox, end_modified="2026-11-12 00:00:01") == (41, "isv.invalid-parameter:end_modified")
    assert refusal(sandbox, page_size="101") == (41, "isv.invalid-parameter:page_size")
    assert refusal(sandbox, fields="") == (40, "isv.missing-parameter:fields")
    assert refusal(sandbox, start_modified="yesterday") == (41, "isv.invalid-parameter:start_modified")


def test_the_gateway_sorts_newest_first_and_counts_only_when_asked(sandbox: TaobaoSandbox) -> None:
    answer = ask(sandbox, use_has_next="true", page_size="2")["trades_sold_increment_get_response"]
    assert [row["tid"] - FIRST_TID for row in answer["trades"]["trade"]] == [2, 1]
    assert answer["has_next"] is True
    assert "total_results" not in answer
    assert "trades" not in ask(sandbox, status="WAIT_BUYER_PAY")["trades_sold_increment_get_response"]


def test_a_stock_delta_never_goes_below_zero(sandbox: TaobaoSandbox) -> None:
    more = {"method": "taobao.skus.quantity.update", "num_iid": "601", "type": "2", "outerid_quantities": "A0:-9;A1:4"}
    skus = ask(sandbox, **more)["skus_quantity_update_response"]["item"]["skus"]["sku"]
    assert [(sku["outer_id"], sku["quantity"]) for sku in skus] == [("A0", 0), ("A1", 9)]
    many = ";".join(f"A{number}:1" for number in range(21))
    assert refusal(sandbox, **{**more, "outerid_quantities": many}) == (41, "isv.invalid-parameter:outerid_quantities")


def test_seeding_again_undoes_nothing(sandbox: TaobaoSandbox, connect: Callable[..., Taobao]) -> None:
    sink = connect().sinks["shop_stock"]
    sink.write([figure("A0", 42)])
    sandbox.seed(seed())
    assert sink.find(["S01:A0"])["S01:A0"].figures == {"quantity": Decimal(42)}


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_mappings_keep_their_own_promises(path: Path) -> None:
    results = run_tests(load_mapping(path))
    assert results
    assert [(result.name, result.differences) for result in results if result.differences] == []
