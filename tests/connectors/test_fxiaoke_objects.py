"""纷享销客 beyond customers: references found and shown, lines with their order, what is 作废, mappings end to end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.fxiaoke.connector import SPEC
from duijie.codec import Record
from duijie.connect.protocol import Connector, Done, Refused, Safety, Window
from duijie.contract import Site
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from sandbox.fxiaoke import SANDBOX, FxiaokeSandbox
from sandbox.fxiaoke_query import Code
from sandbox.serve import Running
from sandbox.store import Store
from tests.contract.served import DAY, MAPPINGS
from tests.contract.sites.fxiaoke import (
    BUYER,
    IN,
    changed,
    fxiaoke,
    fxiaoke_opportunity,
    fxiaoke_order,
    fxiaoke_product,
    native,
)

LINES = "SalesOrderProductObj"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, FxiaokeSandbox]]:
    sandbox = SANDBOX(Store())
    with Running(sandbox) as url:
        yield url, sandbox


@pytest.fixture
def sandbox(server: tuple[str, FxiaokeSandbox]) -> FxiaokeSandbox:
    return server[1]


@pytest.fixture
def site(server: tuple[str, FxiaokeSandbox]) -> Site:
    """The contract's company, as new."""
    return fxiaoke(server[0]).fresh()


@pytest.fixture
def crm(site: Site) -> Connector:
    return site.open()


def done(outcomes: Any) -> Done:
    [outcome] = outcomes
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(outcomes: Any) -> Refused:
    [outcome] = outcomes
    assert isinstance(outcome, Refused), outcome
    return outcome


def records(crm: Connector, stream: str, window: Window = DAY) -> dict[str, Record]:
    return {str(row["_id"]): row for page in crm.streams[stream].read(window) for row in page.records}


def call(sandbox: FxiaokeSandbox, operation: str, api_name: str, **data: Any) -> Record:
    """A data call past the gateway."""
    path = f"/cgi/crm/v2/data/{operation}"
    return sandbox._tenant().run(path, {"dataObjectApiName": api_name, **data})


class TestReading:
    def test_every_declared_stream_and_sink_is_there(self, crm: Connector) -> None:
        read = {move.name for move in SPEC.moves if move.safety is None}
        written = {move.name: move.safety for move in SPEC.moves if move.safety is not None}
        assert read == set(crm.streams)
        assert written == dict.fromkeys(crm.sinks, Safety.LOOKUP)

    def test_an_order_brings_its_lines_with_the_codes_of_their_products(self, crm: Connector) -> None:
        orders = records(crm, "sales_order")
        assert [len(row["details"][LINES]) for row in orders.values()] == [1 + n % 3 for n in range(12)]
        [first, second] = orders[native(1)]["details"][LINES]
        assert first["order_id"] == second["order_id"] == native(1)
        assert first["linked"] == {"product_id": {"code": "A1", "name": "商品 1"}}
        assert second["linked"]["product_id"]["code"] == "A2"

    def test_stock_brings_the_codes_of_product_and_warehouse(self, crm: Connector) -> None:
        row = records(crm, "stock")[native(3)]
        assert row["linked"] == {
            "product_id": {"code": "A3", "name": "商品 3"},
            "warehouse_id": {"code": "CK0", "name": "仓库 0"},
        }

    def test_stock_is_read_whole_because_a_figure_may_move_without_a_time(self, crm: Connector) -> None:
        nothing = Window(DAY.since.replace(year=2001), DAY.until.replace(year=2001))
        assert len(records(crm, "stock", nothing)) == 12
        assert records(crm, "product", nothing) == {}

    def test_a_record_that_is_void_is_read_as_such(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        call(sandbox, "invalid", "ProductObj", object_data_id=native(1))
        lately = Window(DAY.since, DAY.until.replace(year=2099))
        assert records(crm, "product", lately)[native(1)]["life_status"] == "invalid"

    def test_the_sku_may_be_in_another_field(self, site: Site) -> None:
        crm = replace(site, extra={**site.extra, "sku_field": "name"}).open()
        assert records(crm, "stock")[native(3)]["linked"]["product_id"]["code"] == "商品 3"

    def test_ten_thousand_of_one_instant_need_no_offset(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        at = int(DAY.since.timestamp() * 1000)
        rows = [
            {"_id": f"65ac{number:020x}", "name": "批量", "create_time": at, "last_modified_time": at}
            for number in range(23)
        ]
        sandbox.seed({"records": {"SupplierObj": rows}})
        assert len(records(crm, "supplier")) == 12 + 23


class TestWriting:
    def test_an_order_goes_with_its_lines_customer_and_products_by_their_ids(
        self, crm: Connector, sandbox: FxiaokeSandbox
    ) -> None:
        order = done(crm.sinks["sales_order"].write([fxiaoke_order(1)]))
        held = sandbox.store.get("SalesOrderObj", order.native_id) or {}
        assert (held["account_id"], held["order_amount"], held["duijie_key__c"]) == (
            native(0),
            "113.00",
            "taobao:S01:1",
        )
        [line] = [row for row in sandbox.store.all(LINES) if row["order_id"] == order.native_id]
        assert (line["product_id"], line["quantity"], line["subtotal"]) == (native(0), "2", "113.00")

    def test_a_customer_or_a_product_that_is_not_there_is_named(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        stranger = refused(crm.sinks["sales_order"].write([changed(fxiaoke_order(1), account_id="taobao:NOBODY")]))
        assert "没有客户 taobao:NOBODY" in stranger.zh and "重放" in stranger.zh
        order = fxiaoke_order(1)
        order["details"][LINES][0]["product_id"] = "Z9"
        assert "没有产品 Z9 (字段 product_code)" in refused(crm.sinks["sales_order"].write([order])).zh
        assert len(sandbox.store.all("SalesOrderObj")) == 12

    def test_a_customer_that_is_void_does_not_count(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        call(sandbox, "invalid", "AccountObj", object_data_id=native(0))
        assert f"没有客户 {BUYER}" in refused(crm.sinks["opportunity"].write([fxiaoke_opportunity(1)])).zh

    def test_an_object_may_have_a_key_field_of_its_own(self, site: Site, sandbox: FxiaokeSandbox) -> None:
        sandbox.seed({"objects": {"SalesOrderObj": {"fields": {"field_4xWXT__c": "text"}}}})
        crm = replace(site, extra={**site.extra, "key_fields": {"SalesOrderObj": "field_4xWXT__c"}}).open()
        order = done(crm.sinks["sales_order"].write([fxiaoke_order(7)]))
        assert (sandbox.store.get("SalesOrderObj", order.native_id) or {})["field_4xWXT__c"] == "taobao:S01:7"
        assert set(crm.sinks["sales_order"].find(["taobao:S01:7"])) == {"taobao:S01:7"}

    def test_an_update_changes_the_record_and_leaves_its_owner(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        sink: Any = crm.sinks["opportunity"]
        written = done(sink.write([fxiaoke_opportunity(1)]))
        newer = changed(fxiaoke_opportunity(1, Decimal("9000.00")), owner=["FSUID_NOBODY"], sales_stage="s2")
        done(sink.update([newer], [written.native_id]))
        held = sandbox.store.get("NewOpportunityObj", written.native_id) or {}
        assert (held["amount"], held["sales_stage"], held["owner"]) == ("9000.00", "s2", ["FSUID_DUIJIE"])
        assert sink.find([sink.key_of(newer)])[sink.key_of(newer)].figures == {"amount": Decimal("9000.00")}

    def test_an_order_whose_lines_changed_is_not_updated(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        sink: Any = crm.sinks["sales_order"]
        written = done(sink.write([fxiaoke_order(1)]))
        outcome = refused(sink.update([fxiaoke_order(1, Decimal("56.50"))], [written.native_id]))
        assert "明细已变" in outcome.zh and "重放" in outcome.zh
        assert (sandbox.store.get("SalesOrderObj", written.native_id) or {})["order_amount"] == "113.00"
        done(sink.update([changed(fxiaoke_order(1), remark="改备注")], [written.native_id]))
        assert (sandbox.store.get("SalesOrderObj", written.native_id) or {})["remark"] == "改备注"

    def test_what_was_reversed_is_void_and_may_be_written_again(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        sink: Any = crm.sinks["product"]
        first = done(sink.write([fxiaoke_product(1)]))
        done(sink.reverse([{}], [first.native_id]))
        assert (sandbox.store.get("ProductObj", first.native_id) or {})["life_status"] == "invalid"
        assert sink.find(["N1"]) == {}
        again = done(sink.write([fxiaoke_product(1)]))
        assert sink.find(["N1"])["N1"].native_id == again.native_id != first.native_id

    def test_what_is_gone_altogether_cannot_be_reversed(self, crm: Connector) -> None:
        sink: Any = crm.sinks["product"]
        assert "不存在" in refused(sink.reverse([{}], ["65ab9"])).zh

    def test_a_token_that_expires_before_a_create_with_lines_doubles_nothing(
        self, site: Site, crm: Connector, sandbox: FxiaokeSandbox
    ) -> None:
        crm.check()
        site.order({"kind": "expire_tokens", "match": "data/create", "count": 1})
        done(crm.sinks["sales_order"].write([fxiaoke_order(1)]))
        assert [row["duijie_key__c"] for row in sandbox.store.all("SalesOrderObj") if "duijie_key__c" in row] == [
            "taobao:S01:1"
        ]


class TestServer:
    """What the sandbox holds others to."""

    @pytest.mark.parametrize(
        ("sink", "change", "words"),
        [
            ("opportunity", {"amount": 12800}, "amount 应为文本"),
            ("opportunity", {"amount": "1.005"}, "至多 2 位小数"),
            ("opportunity", {"amount": "很多"}, "至多 2 位小数"),
            ("opportunity", {"close_date": "2026-12-31"}, "close_date 应为毫秒数"),
            ("opportunity", {"sales_stage": "方案报价"}, "没有选项 方案报价"),
            ("opportunity", {"close_date": None}, "close_date 应为毫秒数"),
            ("sales_order", {"name": "SO1"}, "name 只读"),
            ("product", {"price": ""}, "price 不能为空"),
        ],
    )
    def test_values_have_their_fields_type(self, crm: Connector, sink: str, change: Record, words: str) -> None:
        made = {"opportunity": fxiaoke_opportunity, "sales_order": fxiaoke_order, "product": fxiaoke_product}[sink](1)
        assert words in refused(crm.sinks[sink].write([changed(made, **change)])).zh

    def test_a_line_is_held_to_its_own_fields(self, crm: Connector, sandbox: FxiaokeSandbox) -> None:
        order = fxiaoke_order(1)
        order["details"][LINES].append({"product_id": "A1", "quantity": ""})
        assert "quantity 不能为空" in refused(crm.sinks["sales_order"].write([order])).zh
        assert len(sandbox.store.all("SalesOrderObj")) == 12

    def test_only_what_is_void_is_deleted_or_recovered(self, sandbox: FxiaokeSandbox, site: Site) -> None:
        with pytest.raises(Exception, match="请先作废") as raised:
            call(sandbox, "delete", "SupplierObj", idList=[native(1)])
        assert raised.value.code is Code.STATE  # type: ignore[attr-defined]
        call(sandbox, "invalid", "SupplierObj", object_data_id=native(1))
        call(sandbox, "recover", "SupplierObj", idList=[native(1)])
        call(sandbox, "invalid", "SupplierObj", object_data_id=native(1))
        call(sandbox, "delete", "SupplierObj", idList=[native(1)])
        assert sandbox.store.get("SupplierObj", native(1)) is None

    def test_offsets_end_at_ten_thousand(self, sandbox: FxiaokeSandbox, site: Site) -> None:
        with pytest.raises(Exception, match="不能超过10000") as raised:
            call(sandbox, "query", "SupplierObj", search_query_info={"limit": 100, "offset": 10_100})
        assert raised.value.code == 10013  # type: ignore[attr-defined]

    def test_an_object_describes_types_options_and_what_it_refers_to(self, sandbox: FxiaokeSandbox) -> None:
        fields = sandbox._tenant().describe("ProductObj")["fields"]
        assert fields["price"]["type"] == "currency" and fields["price"]["is_required"]
        assert {"label": "辆", "value": "18"} in fields["unit"]["options"]
        assert sandbox._tenant().describe("StockObj")["fields"]["warehouse_id"]["target_api_name"] == "WarehouseObj"


@pytest.mark.parametrize(
    ("stream", "entity", "settings", "expected"),
    [
        (
            "opportunity",
            "opportunity",
            {},
            {"status": "won", "amount": Decimal("1.50"), "expected_close": "2026-11-11"},
        ),
        ("sales_order", "sales_order", {}, {"order_no": "DD0001", "gross": Decimal("226.00"), "status": "unpaid"}),
        ("product", "product", {"tax_rate": "0.13"}, {"sku": "A1", "unit": "件", "price": Decimal("61.50")}),
        ("supplier", "party", {}, {"name": "供应商 1", "role": "supplier"}),
        ("warehouse", "warehouse", {}, {"code": "CK1", "status": "disabled"}),
        ("unit", "unit", {}, {"code": "单位 1"}),
        ("stock", "stock_level", {}, {"key": "A1@CK0", "on_hand": Decimal("1.5"), "available": Decimal(1)}),
    ],
)
def test_a_record_becomes_a_valid_document(
    crm: Connector, stream: str, entity: str, settings: Record, expected: Record
) -> None:
    mapping = load_mapping(MAPPINGS / f"fxiaoke/{stream}.in.yaml")
    document = mapping.run(records(crm, stream)[native(1)], IN, settings) or {}
    check(entity, document)
    assert {name: document[name] for name in expected} == expected


def test_what_was_written_reads_back_as_the_same_order(crm: Connector) -> None:
    order = done(crm.sinks["sales_order"].write([fxiaoke_order(5)]))
    window = Window(DAY.since, DAY.until, keys=(order.native_id,))
    row = records(crm, "sales_order", window)[order.native_id]
    mapping = load_mapping(MAPPINGS / "fxiaoke/sales_order.in.yaml")
    assert mapping.run(row, IN, {}) is None, "what carries our key was written by us: no second order comes of it"
    document = mapping.run({**row, "duijie_key__c": ""}, IN, {}) or {}
    check("sales_order", document)
    assert (document["gross"], document["business_date"]) == (Decimal("113.00"), "2026-11-11")
    assert [(line["sku"], line["qty"], line["gross"]) for line in document["lines"]] == [
        ("A0", Decimal(2), Decimal("113.00"))
    ]


def test_an_opportunity_without_its_code_tables_waits() -> None:
    mapping = load_mapping(MAPPINGS / "fxiaoke/opportunity.in.yaml")
    with pytest.raises(Exception, match="o2"):
        mapping.run({"_id": "1", "name": "x", "sales_status": "o2", "last_modified_time": 1}, StaticLookup(), {})
