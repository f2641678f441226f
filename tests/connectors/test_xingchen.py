"""金蝶AI星辰 against its sandbox: signatures as documented, tokens, orders exactly once, amounts to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.xingchen import CONNECTOR
from connectors.xingchen.client import hex64, query_line, string_to_sign
from connectors.xingchen.connector import Xingchen
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import CredentialError
from duijie.connect.protocol import Done, Incident, Refused, Unknown, Window
from duijie.connect.services import Services, TokenStore
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.xingchen import XingchenSandbox

SECRET = "0123456789abcdef0123456789abcdef"
STAMP = {"X-Api-TimeStamp": "1655775240000", "X-Api-Nonce": "1655775240001"}
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


@pytest.fixture
def sandbox() -> XingchenSandbox:
    made = XingchenSandbox(Store())
    made.seed(SEED)
    return made


@pytest.fixture
def url(sandbox: XingchenSandbox) -> Iterator[str]:
    with Running(sandbox) as address:
        yield address


@pytest.fixture
def seen() -> list[Incident]:
    return []


def connect(url: str, folder: Path, seen: list[Incident] | None = None, **more: Any) -> Xingchen:
    given: dict[str, Any] = {"login": "205022", "password": SECRET, **more}
    extra = {"outer_instance_id": "demo-instance", "rate": "10000/second"}
    connection = Connection("xc", "xingchen", url, extra=extra, **given)
    made = CONNECTOR.open(connection, Services(TokenStore(folder), (seen if seen is not None else []).append))
    assert isinstance(made, Xingchen)
    return made


@pytest.fixture
def xingchen(url: str, tmp_path: Path, seen: list[Incident]) -> Xingchen:
    return connect(url, tmp_path, seen)


def order(number: str, **more: Any) -> Record:
    line = {
        "material_number": "A1",
        "unit_id": "90001",
        "qty": 3,
        "tax_price": Decimal("6.633333"),
        "cess": Decimal("13.00"),
        "dis_amount": Decimal("0.00"),
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
        connection = Connection("xc", "xingchen", url, "205022", SECRET, extra={"outer_instance_id": "demo-instance"})
        off = Services(TokenStore(tmp_path), clock=lambda: 1_600_000_000.0)
        with pytest.raises(CredentialError, match="synchronise"):
            CONNECTOR.open(connection, off).check()


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

    def test_an_instance_without_authorisation_is_a_credential_matter(self, url: str, tmp_path: Path) -> None:
        connection = Connection("xc", "xingchen", url, "205022", SECRET, extra={"outer_instance_id": "other"})
        with pytest.raises(CredentialError, match="authorise again"):
            CONNECTOR.open(connection, Services(TokenStore(tmp_path))).check()


class TestReading:
    def test_every_material_comes_with_its_rate(self, xingchen: Xingchen) -> None:
        found = [row for page in xingchen.streams["material"].read(ALL) for row in page.records]
        assert sorted(row["number"] for row in found) == sorted(f"A{n}" for n in range(250))
        assert {row["tax_rate"] for row in found} == {13}

    def test_a_limit_is_waited_for(self, xingchen: Xingchen, sandbox: XingchenSandbox, seen: list[Incident]) -> None:
        xingchen.check()
        sandbox.faults = [Fault("status", match="inventory", count=2, status=429, headers={"Retry-After": "0"})]
        assert sum(len(page.records) for page in xingchen.streams["inventory"].read(ALL)) == 250
        assert [one.kind for one in seen] == ["RateLimited", "RateLimited"]

    def test_the_sandbox_holds_to_the_vendors_limit(self, sandbox: XingchenSandbox, url: str, tmp_path: Path) -> None:
        sandbox.seed({"limits": {"per_minute": 2, "tokens_per_minute": 2}})
        client = connect(url, tmp_path)._client
        answers = [client._http.send("GET", f"{url}/_admin/health").status_code]
        client.get("/jdy/v2/bd/measure_unit", {})
        client.get("/jdy/v2/bd/measure_unit", {})
        from duijie.connect.errors import RateLimited  # noqa: PLC0415

        with pytest.raises(RateLimited):
            client._business("GET", "/jdy/v2/bd/measure_unit", {}, None)
        assert answers == [200]


class TestOrders:
    def test_an_order_is_saved_audited_and_read_back_to_the_cent(self, xingchen: Xingchen) -> None:
        [outcome] = xingchen.sinks["sales_order"].write([order("TB1")])
        assert isinstance(outcome, Done)
        assert outcome.native_no == "TB1"
        [row] = [row for page in xingchen.streams["sal_order"].read(ALL) for row in page.records]
        assert (row["bill_status"], row["total_amount"]) == ("C", Decimal("19.90"))

    def test_an_audited_order_reserves_what_is_available(self, xingchen: Xingchen) -> None:
        xingchen.sinks["sales_order"].write([order("TB1")])
        rows = {row["key"]: row for page in xingchen.streams["inventory"].read(ALL) for row in page.records}
        assert (rows["A1@CK01"]["qty"], rows["A1@CK01"]["valid_qty"]) == (100, 97)

    def test_a_used_number_is_looked_up_not_written_again(self, xingchen: Xingchen, sandbox: XingchenSandbox) -> None:
        sink = xingchen.sinks["sales_order"]
        sink.write([order("TB1")])
        [again] = sink.write([order("TB1")])
        assert isinstance(again, Unknown)
        assert dict(sink.find(["TB1", "TB2"])["TB1"].figures) == dict(sink.figures_of(order("TB1")))
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
