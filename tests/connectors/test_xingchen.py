"""金蝶AI星辰 against its sandbox: signatures as documented, tokens, orders exactly once, amounts to the cent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.xingchen import CONNECTOR
from connectors.xingchen.client import TOKEN, Client, error_of, hex64, query_line, string_to_sign
from connectors.xingchen.connector import Xingchen, stock_key
from connectors.xingchen.lists import Reading, days_of, pages
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    CredentialError,
    DuijieError,
    NotSent,
    RateLimited,
    TokenExpired,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.protocol import Done, Incident, Refused, Reversing, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from duijie.schemas import check
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.xingchen import XingchenSandbox

SECRET = "0123456789abcdef0123456789abcdef"
STAMP = {"X-Api-TimeStamp": "1655775240000", "X-Api-Nonce": "1655775240001"}
MAPPINGS = Path(__file__).parents[2] / "mappings" / "xingchen"
ALL = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
APP_SIGNATURE = "ZDljMTI3NGIyNTE1MTRkYzlkNjc1MDNhYjUzMzgzNWMyY2M4YTdjMzdmNmM3YTVlNDkxMTkzNjdiOTFjNzUyZQ=="
SEED = {
    "materials": [
        {
            "number": f"A{n}",
            "name": f"商品{n}",
            "unit": "件",
            "category": "食品",
            "tax_rate": 13,
            "tax_class_code": "1" * 19,
        }
        for n in range(250)
    ],
    "stock": [{"material_number": f"A{n}", "stock_number": "CK01", "qty": 100} for n in range(250)],
    "customers": [{"number": "S01", "name": "旗舰店"}],
    "limits": {"per_minute": 5000, "tokens_per_minute": 20},
}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[XingchenSandbox, str]]:
    made = XingchenSandbox(Store())
    with Running(made) as address:
        yield made, address


@pytest.fixture
def sandbox(server: tuple[XingchenSandbox, str]) -> XingchenSandbox:
    """The one server of this file, as new."""
    made, _ = server
    made.__init__(Store())
    made.seed(SEED)
    return made


@pytest.fixture
def url(server: tuple[XingchenSandbox, str], sandbox: XingchenSandbox) -> str:
    return server[1]


@pytest.fixture
def seen() -> list[Incident]:
    return []


def connect(url: str, folder: Path, seen: list[Incident] | None = None, **more: Any) -> Xingchen:
    given: dict[str, Any] = {"login": "205022", "password": SECRET, **more}
    extra = {"outer_instance_id": "demo-instance", "rate": "10000/second", "token_rate": "20/minute"}
    extra |= given.pop("extra", {})
    opened = Connection("xc", "xingchen", url, extra=extra, **given)
    made = CONNECTOR.open(opened, Services(TokenStore(folder), (seen if seen is not None else []).append))
    assert isinstance(made, Xingchen)
    return made


@pytest.fixture
def xingchen(url: str, tmp_path: Path, seen: list[Incident]) -> Xingchen:
    return connect(url, tmp_path, seen)


def connection(url: str, **extra: Any) -> Connection:
    more = {"outer_instance_id": "demo-instance", "rate": "10000/second", "token_rate": "20/minute", **extra}
    return Connection("xc", "xingchen", url, "205022", SECRET, extra=more)


def canonical(number: int, qty: int, gross: Decimal) -> Record:
    """A canonical order of one line."""
    price = (gross / qty).quantize(Decimal("0.000001"))
    tax = (gross * 13 / 113).quantize(Decimal("0.01"), ROUND_HALF_UP)
    line = {"sku": "A1", "unit_id": "90001", "qty": qty, "price": price, "gross": gross, "tax_rate": Decimal("0.13")}
    head = {"platform": "taobao", "shop": "S01", "order_no": f"9{number}", "business_date": "2026-11-11"}
    return {
        **head,
        "gross": gross + 8,
        "freight": Decimal("8.00"),
        "lines": [{**line, "net": gross - tax, "tax": tax, "oid": "1"}],
    }


def order(number: str, **more: Any) -> Record:
    line = {
        "material_number": "A1",
        "unit_id": "90001",
        "qty": 3,
        "tax_price": Decimal("6.633333"),
        "cess": Decimal("13.00"),
        "dis_amount": Decimal("0.00"),
        "tax_amount": "2.29",
        "amount": Decimal("17.61"),
        "all_amount": Decimal("19.90"),
        "is_free": False,
    }
    head = {"bill_no": number, "bill_date": "2026-11-11", "customer_number": "S01", "total_amount": Decimal("19.90")}
    return {**head, "material_entity": [{**line, **more}]}


class TestSignature:
    """The vendor's own vectors: its Java client's requests, recomputed."""

    def test_the_app_signature(self) -> None:
        assert hex64("abc123", "abc") == APP_SIGNATURE

    @pytest.mark.parametrize(
        ("method", "path", "query", "more", "expected"),
        [
            (
                "GET",
                "/jdyconnector/app_management/kingdee_auth_token",
                {"app_key": "abc", "app_signature": APP_SIGNATURE},
                {},
                "NGU3Y2YyNzRhMDkzZDdiNjg4MGUxOTc3ZjNlYjY2Mjc5OGQwYWJiNjE4NzNmNzcxMzU4ODBkMjNlYjQ4NWQyYQ==",
            ),
            (
                "GET",
                "/jdy/v2/bd/material",
                {},
                {},
                "ZTFmNTE5YzRiMmI0NjU1ZGQwMDlkOWUzOTI1Yjc4MjUyMGNhZjRmODczMmU4OWNmNjMxZjZjZDJhNGJlNjIyMQ==",
            ),
            (
                "GET",
                "/jdy/v2/bd/material",
                {"search": "螺丝 M6*10", "page": "1", "page_size": "100", "modify_start_time": "1655775240000"},
                {},
                "ZTVjMzY3YTI2MmI4OTFlNDE5ODE1MmE2YWU4ZDYyYzBjNzA0MWQ3ZTdiMzA2YjA4ZjQ1MzU4ZWJiMWZmMWUzNg==",
            ),
            (
                "POST",
                "/jdy/v2/scm/sal_order",
                {},
                {},
                "OTgwZTQ1Mjk5ZDM4ZGEzMTBiNGE1NjUzYzc2MjhmZGYyOWNiOWJkZDIxYjY1Y2ZlZTExYjZhODc1NGZjNTdmMw==",
            ),
            (
                "GET",
                "/jdy/v2/bd/store",
                {"page": "1"},
                {"X-GW-Router-Addr": "https://tf.jdy.com"},
                "NzM4NzQ3ZDFjYTNlNDE5ODlmNGIxNThjMWE1OGViZmRjYWE0NTUzMDFlZWM0ZWIxYzJlZDYwYTQ4NDMwN2NhZQ==",
            ),
            (
                "GET",
                "/jdy/v2/bd/store-list_x.y~z",
                {"b": "-_.~!*'()", "A": "1", "a": "2"},
                {},
                "ZWZkNjA3NTkzYzM0YWQ1YTk2NGRiNjY2ODY2ZjVhMjU0YTEwN2NkNzFjNzgyODMxMWJhMjllZjIzNTE1ZGMwYg==",
            ),
        ],
        ids=["V1", "V2", "V3", "V4", "V5", "V6"],
    )
    def test_a_request(
        self, method: str, path: str, query: dict[str, str], more: dict[str, str], expected: str
    ) -> None:
        assert hex64(SECRET, string_to_sign(method, path, query, {**STAMP, **more})) == expected

    def test_a_query_value_is_encoded_twice(self) -> None:
        assert query_line({"search": "螺丝 M6*10"}) == "search=%25E8%259E%25BA%25E4%25B8%259D%2BM6%2A10"

    def test_the_gateway_refuses_another_secret(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(CredentialError, match="4008"):
            connect(url, tmp_path, password="f" * 32).check()

    def test_the_gateway_refuses_a_clock_that_is_off(self, url: str, tmp_path: Path) -> None:
        off = Services(TokenStore(tmp_path), clock=lambda: 1_600_000_000.0)
        with pytest.raises(CredentialError, match="synchronise"):
            CONNECTOR.open(connection(url), off).check()


class TestTokens:
    def test_the_check_names_the_account(self, xingchen: Xingchen) -> None:
        assert dict(xingchen.check()) == {"账套": "禾田商贸", "域名": "https://tf.jdy.com", "商品": "250 个"}

    def test_two_workers_share_one_token(self, url: str, tmp_path: Path, sandbox: XingchenSandbox) -> None:
        for _ in range(3):
            connect(url, tmp_path).check()
        assert len(sandbox.store.all("tokens")) == 1

    def test_a_rotated_secret_in_the_middle_of_a_list_is_healed(
        self, xingchen: Xingchen, sandbox: XingchenSandbox, seen: list[Incident]
    ) -> None:
        rows = 0
        for page in xingchen.streams["inventory"].read(ALL):
            rows += len(page.records)
            if rows == 100:
                sandbox.expire_tokens()
        assert rows == 250
        assert {one.kind for one in seen} == {"TokenExpired"}

    def test_eight_workers_refresh_once(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        xingchen.check()
        sandbox.expire_tokens()
        outcomes = xingchen.sinks["sales_order"].write([order(f"TB{n}") for n in range(50)])
        assert [type(one) for one in outcomes] == [Done] * 50
        assert len(sandbox.store.all("tokens")) == 1

    def test_tokens_are_asked_for_within_their_own_budget(
        self, url: str, tmp_path: Path, sandbox: XingchenSandbox
    ) -> None:
        client = Client(connection(url, token_rate="1/second"), Services(TokenStore(tmp_path)))
        client.token()
        began = time.monotonic()
        sandbox.expire_tokens()
        client.get("/jdy/v2/bd/measure_unit", {})
        assert time.monotonic() - began > 0.5

    def test_a_signature_with_the_old_secret_is_refused_by_name(
        self, xingchen: Xingchen, sandbox: XingchenSandbox
    ) -> None:
        old = xingchen._client._account()
        sandbox.expire_tokens()
        query = {"app_key": old["appKey"], "app_signature": hex64(old["appSecret"], old["appKey"])}
        with pytest.raises(TokenExpired, match="1030002006"):
            xingchen._client._send("GET", TOKEN, query, None, {})

    def test_a_write_whose_token_cannot_be_had_was_never_sent(
        self, xingchen: Xingchen, sandbox: XingchenSandbox
    ) -> None:
        sandbox.faults = [Fault("lose_answer", match="kingdee_auth_token", rate=1.0)]
        with pytest.raises(NotSent, match="never left"):
            xingchen._client.post("/jdy/v2/scm/sal_order", order("TB1"))
        assert sandbox.store.all("sal_order") == []

    def test_of_several_accounts_the_one_in_force_is_taken(
        self, sandbox: XingchenSandbox, url: str, tmp_path: Path
    ) -> None:
        sandbox.seed({"accounts": [{"accountName": "旧账套", "serviceId": "9", "status": "0", "appKey": "x"}]})
        assert connect(url, tmp_path).check()[0] == ("账套", "禾田商贸")

    def test_a_service_id_chooses_among_accounts(self, sandbox: XingchenSandbox, url: str, tmp_path: Path) -> None:
        sandbox.seed({"accounts": [{"accountName": "另一账套", "serviceId": "9", "status": "1", "appKey": "x"}]})
        assert connect(url, tmp_path, extra={"service_id": "1001"}).check()[0] == ("账套", "禾田商贸")
        with pytest.raises(CredentialError, match="authorise again"):
            connect(url, tmp_path / "other", extra={"service_id": "5"}).check()

    def test_an_instance_without_authorisation_is_a_credential_matter(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(CredentialError, match="authorise again"):
            CONNECTOR.open(connection(url, outer_instance_id="other"), Services(TokenStore(tmp_path))).check()


class TestReading:
    def test_every_material_comes_with_its_rate(self, xingchen: Xingchen) -> None:
        found = [row for page in xingchen.streams["material"].read(ALL) for row in page.records]
        assert sorted(row["number"] for row in found) == sorted(f"A{n}" for n in range(250))
        assert {row["tax_rate"] for row in found} == {"13"}

    def test_a_limit_is_waited_for(self, xingchen: Xingchen, sandbox: XingchenSandbox, seen: list[Incident]) -> None:
        xingchen.check()
        sandbox.faults = [Fault("status", match="inventory", count=2, status=429, headers={"Retry-After": "0"})]
        assert sum(len(page.records) for page in xingchen.streams["inventory"].read(ALL)) == 250
        assert [one.kind for one in seen] == ["RateLimited", "RateLimited"]

    def test_the_sandbox_holds_to_the_vendors_limit(self, sandbox: XingchenSandbox, url: str, tmp_path: Path) -> None:
        sandbox.seed({"limits": {"per_minute": 2, "tokens_per_minute": 2}})
        client = Client(connection(url), Services(TokenStore(tmp_path)))
        client.post("/jdy/v2/sys/common_operate", {"entity_number": "sal_bill_order", "operate_type": "audit"})
        client.post("/jdy/v2/sys/common_operate", {"entity_number": "sal_bill_order", "operate_type": "audit"})
        with pytest.raises(RateLimited):
            client.post("/jdy/v2/sys/common_operate", {"entity_number": "sal_bill_order", "operate_type": "audit"})

    def test_materials_by_number_are_read_alone(self, xingchen: Xingchen) -> None:
        [page] = xingchen.streams["material"].read(Window(ALL.since, ALL.until, keys=("A7", "A3")))
        assert [row["number"] for row in page.records] == ["A7", "A3"]

    def test_materials_outside_the_window_are_not_read(self, xingchen: Xingchen) -> None:
        later = Window(datetime(2026, 1, 2, tzinfo=UTC), ALL.until)
        assert list(xingchen.streams["material"].read(later)) == []

    def test_stock_rows_have_a_key_of_their_own(self, xingchen: Xingchen) -> None:
        found = [row for page in xingchen.streams["inventory"].read(ALL) for row in page.records]
        assert len({row["key"] for row in found}) == 250
        assert stock_key({"material_number": "A1", "stock_number": "CK01", "batch_no": "B7"}) == "A1@CK01@B7"

    def test_stock_rows_by_key_are_read_alone(self, xingchen: Xingchen) -> None:
        [page] = xingchen.streams["inventory"].read(Window(ALL.since, ALL.until, keys=("A9@CK01",)))
        assert [row["key"] for row in page.records] == ["A9@CK01"]

    def test_a_row_that_leaves_a_list_hides_no_other(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        xingchen.sinks["sales_order"].write([order(f"TB{n:03d}") for n in range(120)])
        numbers: list[str] = []
        for page in xingchen.streams["sal_order"].read(ALL):
            if not numbers:
                gone = page.records[3]["id"]
                sandbox.store.drop("sal_order", gone)
            numbers += [row["bill_no"] for row in page.records]
        assert len(numbers) == len(set(numbers))
        assert {row["bill_no"] for row in sandbox.store.all("sal_order")} <= set(numbers)

    def test_a_list_that_never_comes_to_rest_is_read_again_later(self, url: str, tmp_path: Path) -> None:
        class Restless(Client):
            asked = 0

            def get(self, path: str, query: Mapping[str, str]) -> Record:
                self.asked += 1
                return {"count": self.asked + 1, "total_page": 1, "rows": [{"id": str(self.asked)}]}

        restless = Restless(connection(url), Services(TokenStore(tmp_path)))
        with pytest.raises(VendorBusy, match="kept changing"):
            list(pages(restless, "/list", {}, Reading(), lambda row: str(row["id"])))

    def test_adjoining_windows_neither_overlap_nor_gap(self) -> None:
        edge = datetime(2026, 11, 11, 12, 0, 0, 500, tzinfo=UTC)
        before = Reading().changed_in(Window(ALL.since, edge), 0.0)
        after = Reading().changed_in(Window(edge, ALL.until), 0.0)
        assert int(after["modify_start_time"]) == int(before["modify_end_time"]) + 1 == 1_794_398_400_001

    def test_with_a_lag_the_end_stays_behind_now_and_the_start_goes_back_as_far(self) -> None:
        now = 1_794_398_400
        window = Window(datetime.fromtimestamp(now - 600, UTC), datetime.fromtimestamp(now, UTC))
        asked = Reading(lag_seconds=120).changed_in(window, now)
        assert asked == {
            "modify_start_time": str((now - 720) * 1000),
            "modify_end_time": str((now - 120) * 1000 - 1),
        }

    def test_bill_days_are_chinese_days(self) -> None:
        day = Window(datetime(2026, 11, 10, 16, tzinfo=UTC), datetime(2026, 11, 11, 16, tzinfo=UTC))
        assert days_of(day) == {"start_bill_date": "2026-11-11", "end_bill_date": "2026-11-11"}


class TestOrders:
    def test_an_order_is_saved_audited_and_read_back_to_the_cent(self, xingchen: Xingchen) -> None:
        [outcome] = xingchen.sinks["sales_order"].write([order("TB1")])
        assert isinstance(outcome, Done)
        assert outcome.native_no == "TB1"
        [row] = [row for page in xingchen.streams["sal_order"].read(ALL) for row in page.records]
        assert (row["bill_status"], row["total_amount"]) == ("C", "19.90")

    def test_an_audited_order_reserves_what_is_available(self, xingchen: Xingchen) -> None:
        xingchen.sinks["sales_order"].write([order("TB1")])
        rows = {row["key"]: row for page in xingchen.streams["inventory"].read(ALL) for row in page.records}
        assert (rows["A1@CK01"]["qty"], rows["A1@CK01"]["valid_qty"]) == ("100", "97")

    def test_a_used_number_is_looked_up_not_written_again(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        sink = xingchen.sinks["sales_order"]
        sink.write([order("TB1")])
        [again] = sink.write([order("TB1")])
        assert isinstance(again, Unknown)
        found = sink.find(["TB1", "TB2"])
        assert list(found) == ["TB1"]
        assert (
            dict(found["TB1"].figures)
            == {"gross": Decimal("19.90"), "qty": 3, "audited": 1}
            == sink.figures_of(order("TB1"))
        )
        assert len(sandbox.store.all("sal_order")) == 1

    def test_a_lost_answer_leaves_an_unknown_that_find_settles(
        self, xingchen: Xingchen, sandbox: XingchenSandbox
    ) -> None:
        sandbox.faults = [Fault("lose_answer", match="sal_order", count=1, writes=True)]
        sink = xingchen.sinks["sales_order"]
        [outcome] = sink.write([order("TB1")])
        assert isinstance(outcome, Unknown)
        assert list(sink.find(["TB1"])) == ["TB1"]
        assert len(sandbox.store.all("sal_order")) == 1

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"material_number": "X9"}, "X9"),
            ({"unit_id": ""}, "unit"),
            ({"all_amount": Decimal("20.90")}, "价税合计"),
            ({"qty": 0}, "数量必须大于0"),
            ({"qty": "3"}, "不是有效的数字"),
            ({"tax_amount": "2.30"}, "tax_amount"),
            ({"unit_id": "77"}, "单位[77]不存在"),
        ],
    )
    def test_a_refusal_gives_the_vendors_reason(self, xingchen: Xingchen, change: Record, words: str) -> None:
        [outcome] = xingchen.sinks["sales_order"].write([order("TB1", **change)])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh

    def test_fifty_at_once_keep_their_order_and_three_bad_ones_stop_nothing(self, xingchen: Xingchen) -> None:
        payloads = [order(f"TB{n}", **({"material_number": "X9"} if n in (7, 20, 49) else {})) for n in range(50)]
        outcomes = xingchen.sinks["sales_order"].write(payloads)
        assert [n for n, one in enumerate(outcomes) if isinstance(one, Refused)] == [7, 20, 49]
        assert [one.native_no for one in outcomes[:3] if isinstance(one, Done)] == ["TB0", "TB1", "TB2"]

    def test_seeding_again_undoes_nothing(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        xingchen.sinks["sales_order"].write([order("TB1")])
        sandbox.seed(SEED)
        assert len(sandbox.store.all("sal_order")) == 1
        assert (sandbox.store.get("inventory", "A1@CK01") or {})["valid_qty"] == 97

    def test_orders_are_read_back_by_number(self, xingchen: Xingchen) -> None:
        xingchen.sinks["sales_order"].write([order("TB1"), order("TB2")])
        [page] = xingchen.streams["sal_order"].read(Window(ALL.since, ALL.until, keys=("TB2", "TB9")))
        assert [row["bill_no"] for row in page.records] == ["TB2"]

    def test_orders_of_another_day_are_not_read(self, xingchen: Xingchen) -> None:
        xingchen.sinks["sales_order"].write([order("TB1")])
        other = Window(datetime(2026, 11, 11, 16, tzinfo=UTC), datetime(2026, 11, 12, 16, tzinfo=UTC))
        assert list(xingchen.streams["sal_order"].read(other)) == []

    def test_what_the_mapping_makes_is_held_to_the_cent(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        mapping = load_mapping(MAPPINGS / "sales_order.out.yaml")
        made = [
            mapping.run(canonical(n, qty, Decimal(gross)), StaticLookup({"customer": {"S01": "S01"}}, {}), {})
            for n, (qty, gross) in enumerate([(3, "20.00"), (7, "0.01"), (1, "0.00"), (999, "1234.57"), (6, "99.99")])
        ]
        sink = xingchen.sinks["sales_order"]
        payloads = [payload for payload in made if payload is not None]
        assert [type(one) for one in sink.write(payloads)] == [Done] * 5
        found = sink.find([sink.key_of(payload) for payload in payloads])
        assert [dict(found[sink.key_of(one)].figures) for one in payloads] == [sink.figures_of(one) for one in payloads]
        lines = [row["material_entity"][0] for row in sandbox.store.all("sal_order")]
        assert sorted(line["all_amount"] for line in lines) == sorted(
            Decimal(gross) for gross in ("20.00", "0.01", "0.00", "1234.57", "99.99")
        )


class TestLifeOfABill:
    """What people do in the system itself: un-audit, correct, delete."""

    def operate(self, xingchen: Xingchen, operation: str) -> Record:
        body = {"entity_number": "sal_bill_order", "operate_type": operation, "numbers": ["TB1"]}
        return xingchen._client.post("/jdy/v2/sys/common_operate", body)

    def test_unaudit_gives_back_what_was_reserved(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        xingchen.sinks["sales_order"].write([order("TB1")])
        self.operate(xingchen, "unaudit")
        assert (sandbox.store.get("inventory", "A1@CK01") or {})["valid_qty"] == 100
        assert [row["bill_status"] for row in sandbox.store.all("sal_order")] == ["Z"]

    def test_an_audited_bill_is_not_deleted(self, xingchen: Xingchen) -> None:
        xingchen.sinks["sales_order"].write([order("TB1")])
        with pytest.raises(VendorRejected, match="当前状态不允许delete"):
            self.operate(xingchen, "delete")

    def test_a_deleted_bill_frees_its_number(self, xingchen: Xingchen) -> None:
        sink = xingchen.sinks["sales_order"]
        sink.write([order("TB1")])
        self.operate(xingchen, "unaudit")
        self.operate(xingchen, "delete")
        assert sink.find(["TB1"]) == {}
        assert isinstance(sink.write([order("TB1")])[0], Done)

    def test_only_an_id_makes_a_save_an_update(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        [first] = xingchen.sinks["sales_order"].write([order("TB1")])
        assert isinstance(first, Done)
        self.operate(xingchen, "unaudit")
        [second] = xingchen.sinks["sales_order"].write([{**order("TB1"), "id": first.native_id, "remark": "更正"}])
        assert isinstance(second, Done)
        assert [row["remark"] for row in sandbox.store.all("sal_order")] == ["更正"]


class TestTakingBack:
    """What its source has withdrawn is un-audited and deleted, and that may be asked for again and again."""

    def written(self, xingchen: Xingchen, number: str = "TB1") -> str:
        [outcome] = xingchen.sinks["sales_order"].write([order(number)])
        assert isinstance(outcome, Done)
        return outcome.native_id

    def reverse(self, xingchen: Xingchen, payloads: list[Record], ids: list[str]) -> list[Any]:
        sink = xingchen.sinks["sales_order"]
        assert isinstance(sink, Reversing)
        return list(sink.reverse(payloads, ids))

    @pytest.mark.parametrize("payload", [order("TB1"), {}])
    def test_an_order_is_gone_and_so_is_what_it_reserved(
        self, xingchen: Xingchen, sandbox: XingchenSandbox, payload: Record
    ) -> None:
        native_id = self.written(xingchen)
        self.written(xingchen, "TB2")
        [done] = self.reverse(xingchen, [payload], [native_id])
        assert isinstance(done, Done)
        assert (done.native_id, done.native_no) == (native_id, "TB1")
        assert [row["bill_no"] for row in sandbox.store.all("sal_order")] == ["TB2"]
        assert (sandbox.store.get("inventory", "A1@CK01") or {})["valid_qty"] == 97

    def test_again_it_changes_nothing(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        native_id = self.written(xingchen)
        outcomes = [self.reverse(xingchen, [order("TB1")], [native_id]) for _ in range(2)]
        assert [type(one) for [one] in outcomes] == [Done, Done]
        assert (sandbox.store.get("inventory", "A1@CK01") or {})["valid_qty"] == 100

    def test_another_order_under_the_number_is_left_alone(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        old = self.written(xingchen)
        self.reverse(xingchen, [order("TB1")], [old])
        self.written(xingchen)
        self.reverse(xingchen, [order("TB1")], [old])
        assert [row["bill_status"] for row in sandbox.store.all("sal_order")] == ["C"]

    @pytest.mark.parametrize("lost", [1, 2])
    def test_whichever_answer_is_lost_the_second_time_it_is_gone(
        self, xingchen: Xingchen, sandbox: XingchenSandbox, lost: int
    ) -> None:
        native_id = self.written(xingchen)
        if lost == 2:
            TestLifeOfABill().operate(xingchen, "unaudit")
        sandbox.faults = [Fault("lose_answer", match="common_operate", count=1, writes=True)]
        [first] = self.reverse(xingchen, [order("TB1")], [native_id])
        assert isinstance(first, Unknown)
        [second] = self.reverse(xingchen, [order("TB1")], [native_id])
        assert isinstance(second, Done)
        assert sandbox.store.all("sal_order") == []


class TestWhatTheVendorSays:
    @pytest.mark.parametrize(
        ("code", "text", "kind"),
        [
            (2000002000, "单据编号[TB1]组合值与其他表单重复", AlreadyThere),
            (2000002000, "参数number[X9]不存在", VendorRejected),
            (2000002000, '第2行基础资料"unit"字段不能为空', VendorRejected),
            (2000002000, "系统异常，请稍后再试", AnswerLost),
            (1030002006, "授权密钥校验失败", TokenExpired),
            (1000202001, "JWT token has expired", TokenExpired),
            (4006, "", CredentialError),
            (4008, "X-Api-Signature is invalid", CredentialError),
            (4011, "", TokenExpired),
            (4012, "", VendorRejected),  # one API that is not granted; the others go on
            (5001, "", VendorRejected),
            (5003, "", VendorBusy),
            (5004, "", AnswerLost),
            (5007, "", RateLimited),
            ("http-500", "<html>", AnswerLost),
            ("http-401", "<html>", CredentialError),
        ],
    )
    def test_has_its_place_in_the_tree(self, code: int | str, text: str, kind: type[DuijieError]) -> None:
        error = error_of({"errcode": code, "description": text}, "/jdy/v2/scm/sal_order")
        assert type(error) is kind

    @pytest.mark.parametrize("answer", [{"errcode": 0, "data": {}}, {"code": 200, "data": []}, {"errcode": "0"}])
    def test_success_has_two_spellings(self, answer: Record) -> None:
        assert error_of(answer, "") is None

    def test_an_answer_that_is_no_envelope_leaves_the_outcome_open(self) -> None:
        assert isinstance(error_of([], ""), AnswerLost)


class TestGateway:
    """The sandbox is as strict as the gateway; it takes the signatures of both of the vendor's own clients."""

    def ask(self, url: str, query: str, line: str, **changes: str) -> Record:
        stamp = {"X-Api-TimeStamp": str(int(time.time() * 1000)), "X-Api-Nonce": f"{time.monotonic_ns()}", **changes}
        signed = f"x-api-nonce:{stamp['X-Api-Nonce']}\nx-api-timestamp:{stamp['X-Api-TimeStamp']}\n"
        text = f"GET\n%2Fjdy%2Fv2%2Fbd%2Fmaterial\n{line}\n{signed}"
        headers = {
            "X-Api-ClientID": "205022",
            "X-Api-Auth-Version": "2.0",
            "X-Api-SignHeaders": "X-Api-TimeStamp,X-Api-Nonce",
            "X-Api-Signature": hex64(SECRET, text),
        }
        answer = requests.get(f"{url}/jdy/v2/bd/material?{query}", headers={**headers, **stamp}, timeout=5)
        return {"status": answer.status_code, **codec.decode(answer.content)}

    @pytest.mark.parametrize(
        ("query", "line"),
        [
            ("page=1&search=M6%20x", "page=1&search=M6%2Bx"),
            ("search=M6%20x&page=1", "search=M6%2520x&page=1"),
        ],
        ids=["java", "php"],
    )
    def test_both_encodings_are_taken(self, url: str, query: str, line: str) -> None:
        assert self.ask(url, query, line)["errcode"] == 1000202001  # signed well; only the app-token is missing

    def test_a_wrong_encoding_is_not(self, url: str) -> None:
        said = self.ask(url, "search=M6%20x&page=1", "search=M6%20x&page=1")
        assert (said["status"], said["errcode"]) == (519, 4008)

    def test_a_nonce_counts_once(self, url: str) -> None:
        nonce = {"X-Api-Nonce": "77"}
        assert self.ask(url, "", "", **nonce)["errcode"] == 1000202001
        assert self.ask(url, "", "", **nonce)["errcode"] == 4008

    def test_a_missing_token_is_told_with_a_status_of_its_own(self, url: str) -> None:
        assert self.ask(url, "", "")["status"] == 401


@pytest.mark.parametrize("name", ["product.in", "stock_level.in", "sales_order.out"])
def test_the_mapping_keeps_its_own_tests(name: str) -> None:
    assert [
        (one.name, one.differences) for one in run_tests(load_mapping(MAPPINGS / f"{name}.yaml")) if not one.passed
    ] == []


def test_what_the_system_sends_becomes_products_and_stock_levels(xingchen: Xingchen) -> None:
    for stream, mapping in (("material", "product.in"), ("inventory", "stock_level.in")):
        compiled = load_mapping(MAPPINGS / f"{mapping}.yaml")
        for page in xingchen.streams[stream].read(ALL):
            for record in page.records:
                document = compiled.run(record, StaticLookup({}, {}), {})
                assert document is not None
                check(xingchen.streams[stream].entity, document)
