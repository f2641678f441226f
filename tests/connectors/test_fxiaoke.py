"""纷享销客: one token for all, buyers created once and found again, what the CRM refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.fxiaoke import CONNECTOR
from connectors.fxiaoke.connector import Fxiaoke
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError
from duijie.connect.protocol import Done, Incident, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.fxiaoke import SANDBOX, FxiaokeSandbox
from sandbox.fxiaoke_objects import CONFIG, Code
from sandbox.serve import Running
from sandbox.store import Store

MAPPING = load_mapping(Path(__file__).parents[2] / "mappings/fxiaoke/party.out.yaml")


@dataclass
class Clock:
    """Time that moves when a test says so."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """A sandbox that is being served, and connections to it."""

    url: str
    sandbox: FxiaokeSandbox
    folder: Path
    incidents: list[Incident]

    def open(self, clock: Callable[[], float] = time.time, **changes: Any) -> Fxiaoke:
        extra = {name: CONFIG[name] for name in ("permanent_code", "open_user_id")}
        extra |= {"rate": "1000/second", **changes.pop("extra", {})}
        fields = {"host": self.url, "login": CONFIG["app_id"], "password": CONFIG["app_secret"], **changes}
        connection = Connection("fx", "fxiaoke", extra=extra, **fields)
        services = Services(TokenStore(self.folder), self.incidents.append, clock=clock)
        return CONNECTOR.open(connection, services)  # type: ignore[return-value]

    def order(self, *rules: dict[str, Any]) -> None:
        requests.post(f"{self.url}/_admin/faults", data=codec.encode(list(rules)), timeout=5).raise_for_status()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return codec.decode(requests.post(f"{self.url}{path}", data=codec.encode(body), timeout=5).content)

    def call(self, path: str, **body: Any) -> Any:
        """A call as another client would make it."""
        given = {
            "appId": CONFIG["app_id"],
            "appSecret": CONFIG["app_secret"],
            "permanentCode": CONFIG["permanent_code"],
        }
        token = self.post("/cgi/corpAccessToken/get/V2", given)
        who = {"corpAccessToken": token["corpAccessToken"], "corpId": token["corpId"]}
        return self.post(path, {"currentOpenUserId": CONFIG["open_user_id"], **who, **body})

    def held(self) -> list[dict[str, Any]]:
        return self.sandbox.store.all("AccountObj")

    def tokens(self) -> int:
        return len(self.sandbox.store.all("token"))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, FxiaokeSandbox]]:
    sandbox = SANDBOX(Store())
    with Running(sandbox) as url:
        yield url, sandbox


@pytest.fixture
def site(server: tuple[str, FxiaokeSandbox], tmp_path: Path) -> Site:
    """The server, empty and without faults."""
    url, sandbox = server
    sandbox.store, sandbox.faults, sandbox.now = Store(), [], lambda: datetime.now(UTC)
    sandbox.seed({})
    return Site(url, sandbox, tmp_path / "tokens", [])


def payload(key: str, **changes: Any) -> dict[str, Any]:
    party = {"key": key, "name": f"买家 {key}", "kind": "person", "role": "customer", "source": "taobao", "shop": "S01"}
    made = MAPPING.run(party | changes, StaticLookup(), {})
    assert made is not None
    return made


def today() -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


class TestToken:
    def test_one_token_serves_every_call(self, site: Site) -> None:
        sink = site.open().sinks["party"]
        sink.write([payload("a"), payload("b")])
        sink.find(["a"])
        site.open().sinks["party"].find(["b"])
        assert site.tokens() == 1

    def test_an_expired_token_is_replaced_once_and_nothing_doubles(self, site: Site) -> None:
        sink = site.open().sinks["party"]
        sink.write([payload("a")])
        site.sandbox.expire_tokens()
        outcomes = sink.write([payload(f"k{number}") for number in range(20)])
        assert {type(one) for one in outcomes} == {Done}
        assert site.tokens() == 1
        assert len(site.held()) == 21
        assert {one.kind for one in site.incidents} == {"TokenExpired"}

    def test_tokens_may_expire_in_the_middle_of_a_batch(self, site: Site) -> None:
        site.order({"kind": "expire_tokens", "match": "data/create", "count": 1})
        outcomes = site.open().sinks["party"].write([payload(f"k{number}") for number in range(10)])
        assert {type(one) for one in outcomes} == {Done}
        assert sorted(row["duijie_key__c"] for row in site.held()) == sorted(f"k{number}" for number in range(10))

    def test_many_refusals_fetch_no_token_each(self, site: Site) -> None:
        bad = [payload(f"k{number}") for number in range(20)]
        for one in bad:
            one["object"]["name"] = ""
        outcomes = site.open().sinks["party"].write(bad)
        assert {type(one) for one in outcomes} == {Refused}
        assert site.tokens() == 1

    def test_a_refusal_of_an_older_token_is_met_once_with_a_fresh_one(self, site: Site) -> None:
        clock = Clock()
        sink = site.open(clock=clock).sinks["party"]
        sink.write([payload("a")])
        clock.now += 61
        bad = payload("b")
        bad["object"]["name"] = ""
        assert isinstance(sink.write([bad])[0], Refused)
        assert [one.kind for one in site.incidents] == ["TokenExpired"]
        assert site.tokens() == 2

    def test_reads_survive_an_expired_token(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["party"].write([payload("a")])
        site.sandbox.expire_tokens()
        assert set(connector.sinks["party"].find(["a"])) == {"a"}

    def test_a_wrong_secret_is_a_credential_error(self, site: Site) -> None:
        with pytest.raises(CredentialError, match="permanent code"):
            site.open(password="wrong").check()

    def test_a_missing_setting_is_named(self, site: Site) -> None:
        with pytest.raises(ConfigError, match="open_user_id"):
            site.open(extra={"open_user_id": ""})

    def test_check_proves_the_key_field(self, site: Site) -> None:
        assert dict(site.open().check())["来源键字段"] == "duijie_key__c 已存在"
        with pytest.raises(ConfigError, match="absent__c"):
            site.open(extra={"key_field": "absent__c"}).check()

    def test_nothing_is_written_where_the_key_would_be_lost(self, site: Site) -> None:
        [outcome] = site.open(extra={"key_field": "absent__c"}).sinks["party"].write([payload("a")])
        assert isinstance(outcome, Refused) and "absent__c" in outcome.zh
        assert site.held() == []


class TestWriting:
    def test_a_buyer_becomes_a_customer_under_our_key(self, site: Site) -> None:
        sink = site.open().sinks["party"]
        assert sink.safety is Safety.LOOKUP
        [outcome] = sink.write([payload("taobao:AAHx")])
        [held] = site.held()
        assert isinstance(outcome, Done) and outcome.native_id == held["_id"]
        assert (held["name"], held["duijie_key__c"]) == ("买家 taobao:AAHx", "taobao:AAHx")
        assert held["owner"] == [CONFIG["open_user_id"]]

    def test_the_customers_own_key_field_is_used(self, site: Site) -> None:
        site.sandbox.seed({"objects": {"AccountObj": {"fields": {"UDSSelf_key__c": "text"}}}})
        sink = site.open(extra={"key_field": "UDSSelf_key__c"}).sinks["party"]
        sink.write([payload("a")])
        assert site.held()[0]["UDSSelf_key__c"] == "a"
        assert set(sink.find(["a"])) == {"a"}

    def test_outcomes_keep_the_order_of_the_payloads(self, site: Site) -> None:
        bad = payload("bad")
        bad["object"]["unknown__c"] = "x"
        outcomes = site.open().sinks["party"].write([payload("a"), bad, payload("c")])
        assert [type(one) for one in outcomes] == [Done, Refused, Done]
        by_key = {row["duijie_key__c"]: row["_id"] for row in site.held()}
        assert [one.native_id for one in outcomes if isinstance(one, Done)] == [by_key["a"], by_key["c"]]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"unknown__c": "x"}, "字段 unknown__c 不存在"),
            ({"name": " "}, "名称) 不能为空"),
            ({"name": "长" * 201}, "长度超过 200"),
            ({"tel": 138}, "tel 应为文本"),
            ({"owner": ["FSUID_NOBODY"]}, "owner 应为已存在用户"),
            ({"_id": "1"}, "_id 只读"),
        ],
    )
    def test_the_crm_refuses(self, site: Site, change: dict[str, Any], words: str) -> None:
        made = payload("a")
        made["object"] |= change
        [outcome] = site.open().sinks["party"].write([made])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh and "重放" in outcome.zh
        assert site.held() == []

    def test_too_many_calls_are_waited_for(self, site: Site) -> None:
        site.order({"kind": "status", "match": "create", "count": 1, "status": 429, "headers": {"Retry-After": "0"}})
        [outcome] = site.open().sinks["party"].write([payload("a")])
        assert isinstance(outcome, Done)
        assert [one.kind for one in site.incidents] == ["RateLimited"]


class TestOnce:
    def test_a_lost_answer_is_unknown_and_then_found(self, site: Site) -> None:
        sink = site.open().sinks["party"]
        sent = payload("a")
        site.order({"kind": "lose_answer", "match": "data/create", "count": 1, "writes": True})
        [outcome] = sink.write([sent])
        assert isinstance(outcome, Unknown)
        found = sink.find(["a", "absent"])
        assert set(found) == {"a"}
        assert dict(found["a"].figures) == dict(sink.figures_of(sent)) == {}
        assert found["a"].native_id == site.held()[0]["_id"]
        assert len(site.held()) == 1

    def test_the_server_takes_duplicates_and_find_counts_them(self, site: Site) -> None:
        sink = site.open().sinks["party"]
        first, _ = sink.write([payload("a")])[0], sink.write([payload("a")])
        found = sink.find(["a"])["a"]
        assert isinstance(first, Done)
        assert (found.native_id, found.raw["copies"]) == (first.native_id, 2)

    def test_many_keys_are_asked_for_in_portions(self, site: Site) -> None:
        connector = site.open(extra={"page_size": 3})
        keys = [f"k{number}" for number in range(8)]
        connector.sinks["party"].write([payload(key) for key in keys])
        assert list(connector.sinks["party"].find(keys)) == keys


class TestReading:
    def fill(self, site: Site, count: int, per_instant: int = 1) -> list[str]:
        """Customers, `per_instant` of them changed in the same millisecond."""
        base = datetime.now(UTC) - timedelta(minutes=1)
        for number in range(count):
            moment = base + timedelta(milliseconds=number // per_instant)
            site.sandbox.now = lambda moment=moment: moment
            site.sandbox.seed(
                {"records": {"AccountObj": [{"_id": f"{number:03}", "name": "x", "duijie_key__c": f"k{number:03}"}]}}
            )
        site.sandbox.now = lambda: datetime.now(UTC)
        return [f"k{number:03}" for number in range(count)]

    def keys(self, connector: Fxiaoke, window: Window) -> list[str]:
        stream = connector.streams["account"]
        return [record[stream.key] for page in stream.read(window) for record in page.records]

    @pytest.mark.parametrize("per_instant", [1, 2, 3, 7, 30])
    def test_every_customer_once_however_they_fall_on_pages(self, site: Site, per_instant: int) -> None:
        expected = self.fill(site, 25, per_instant)
        connector = site.open(extra={"page_size": 4})
        assert sorted(self.keys(connector, today())) == expected

    def test_a_customer_changed_while_we_read_hides_no_other(self, site: Site) -> None:
        expected = self.fill(site, 9)
        connector = site.open(extra={"page_size": 3})
        pages = connector.streams["account"].read(today())
        got = [record["duijie_key__c"] for record in next(iter(pages)).records]
        site.call(
            "/cgi/crm/v2/data/update",
            data={"object_data": {"dataObjectApiName": "AccountObj", "_id": "000", "tel": "1"}},
        )
        got += [record["duijie_key__c"] for page in pages for record in page.records]
        assert set(got) == set(expected)

    def test_windows_adjoin_without_gap_or_overlap(self, site: Site) -> None:
        expected = self.fill(site, 10)
        start = int(site.held()[0]["last_modified_time"])
        middle = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=start + 5)
        connector = site.open()
        first = self.keys(connector, Window(middle - timedelta(hours=1), middle))
        second = self.keys(connector, Window(middle, middle + timedelta(hours=1)))
        assert (first, second) == (expected[:5], expected[5:])

    def test_customers_can_be_read_by_key(self, site: Site) -> None:
        self.fill(site, 5)
        now = datetime.now(UTC)
        assert self.keys(site.open(), Window(now, now, keys=("k003", "absent"))) == ["k003"]

    def test_customers_made_by_hand_are_left_out(self, site: Site) -> None:
        site.sandbox.seed({"records": {"AccountObj": [{"_id": "1", "name": "手工客户"}]}})
        assert self.keys(site.open(), today()) == []


class TestServer:
    """What the sandbox promises to clients other than ours."""

    @pytest.mark.parametrize(
        ("info", "code"),
        [
            ({"limit": 1001}, Code.PARAMETER),
            ({"limit": 10, "offset": 15}, Code.PARAMETER),
            ({"filters": [{"field_name": "nowhere", "field_values": ["1"], "operator": "EQ"}]}, Code.FIELD),
            ({"filters": [{"field_name": "name", "field_values": ["1"], "operator": "ALMOST"}]}, Code.PARAMETER),
            (
                {"filters": [{"field_name": "create_time", "field_values": ["1"], "operator": "BETWEEN"}]},
                Code.PARAMETER,
            ),
            ({"filters": [{"field_name": "create_time", "field_values": ["x"], "operator": "GT"}]}, Code.PARAMETER),
            ({"orders": [{"fieldName": "nowhere", "isAsc": True}]}, Code.FIELD),
        ],
    )
    def test_a_wrong_query_is_refused(self, site: Site, info: dict[str, Any], code: Code) -> None:
        data = {"dataObjectApiName": "AccountObj", "search_query_info": info}
        assert site.call("/cgi/crm/v2/data/query", data=data)["errorCode"] == code

    @pytest.mark.parametrize(
        ("operator", "values", "expected"),
        [
            ("EQ", ["乙"], ["乙"]),
            ("N", ["乙"], ["甲", "丙"]),
            ("IN", ["甲", "丙"], ["甲", "丙"]),
            ("NIN", ["甲", "丙"], ["乙"]),
            ("LIKE", ["丙"], ["丙"]),
        ],
    )
    def test_operators_on_text(self, site: Site, operator: str, values: list[str], expected: list[str]) -> None:
        rows = [{"_id": str(number), "name": name} for number, name in enumerate("甲乙丙")]
        site.sandbox.seed({"records": {"AccountObj": rows}})
        filters = [{"field_name": "name", "field_values": values, "operator": operator}]
        info = {
            "limit": 10,
            "filters": filters,
            "orders": [{"fieldName": "_id", "isAsc": True}],
            "fieldProjection": ["name"],
        }
        answer = site.call(
            "/cgi/crm/v2/data/query", data={"dataObjectApiName": "AccountObj", "search_query_info": info}
        )
        assert answer["data"]["dataList"] == [{"name": name} for name in expected]
        assert answer["data"]["total"] == len(expected)

    def test_custom_objects_have_their_own_address(self, site: Site) -> None:
        data = {"dataObjectApiName": "object_store__c", "search_query_info": {"limit": 100}}
        assert site.call("/cgi/crm/v2/data/query", data=data)["errorCode"] == Code.OBJECT
        assert site.call("/cgi/crm/custom/v2/data/query", data=data)["errorCode"] == 0

    def test_a_record_is_updated_and_got(self, site: Site) -> None:
        [done] = site.open().sinks["party"].write([payload("a")])
        assert isinstance(done, Done)
        changed = {"dataObjectApiName": "AccountObj", "_id": done.native_id, "remark": "大客户"}
        assert site.call("/cgi/crm/v2/data/update", data={"object_data": changed})["errorCode"] == 0
        asked = {"dataObjectApiName": "AccountObj", "objectDataId": done.native_id}
        assert site.call("/cgi/crm/v2/data/get", data=asked)["data"]["remark"] == "大客户"
        assert site.call("/cgi/crm/v2/data/get", data=asked | {"objectDataId": "0"})["errorCode"] == Code.RECORD

    def test_an_object_describes_its_fields_and_users_are_found_by_mobile(self, site: Site) -> None:
        answer = site.call("/cgi/crm/v2/object/describe", includeDetail=True, apiName="AccountObj")
        assert "duijie_key__c" in answer["data"]["describe"]["fields"]
        [user] = site.call("/cgi/user/getByMobile", mobile="13800000000")["empList"]
        assert user["openUserId"] == CONFIG["open_user_id"]

    def test_an_unknown_acting_user_is_refused(self, site: Site) -> None:
        data = {"dataObjectApiName": "AccountObj", "search_query_info": {"limit": 1}}
        answer = site.call("/cgi/crm/v2/data/query", data=data, currentOpenUserId="FSUID_NOBODY")
        assert answer["errorCode"] == Code.USER

    def test_the_limit_is_enforced_where_it_is_set(self, site: Site) -> None:
        site.sandbox.seed({"limits": {"calls": 2, "seconds": 1}})
        outcomes = site.open().sinks["party"].write([payload("a"), payload("b")])
        assert [type(one) for one in outcomes] == [Done, Done]
        assert "RateLimited" in {one.kind for one in site.incidents}

    def test_seeding_again_undoes_nothing(self, site: Site) -> None:
        rows = {"records": {"AccountObj": [{"_id": "1", "name": "甲"}]}}
        site.sandbox.seed(rows)
        changed = {"dataObjectApiName": "AccountObj", "_id": "1", "name": "甲公司"}
        site.call("/cgi/crm/v2/data/update", data={"object_data": changed})
        site.sandbox.seed(rows)
        site.sandbox.seed({})
        assert [row["name"] for row in site.held()] == ["甲公司"]


def test_the_mapping_passes_its_own_tests() -> None:
    results = run_tests(MAPPING)
    assert len(results) >= 3
    assert [(result.name, result.differences) for result in results if not result.passed] == []
