"""Tryton 8.2 and 6.0 on PostgreSQL, the real servers: goods, stock, orders, shipments, opportunities and vouchers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.tryton.connector import Tryton
from connectors.tryton.kinds import KINDS, PRODUCT
from connectors.tryton.values import Quantity, pack
from duijie.codec import Record
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.protocol import Done, Outcome, Refused, Unknown, Window
from duijie.mapping import Mapping, StaticLookup, load_mapping, run_tests
from duijie.schemas import check
from sandbox.tryton import Planner, TrytonServer
from sandbox.tryton_trade import trade_plan, trade_plan_60
from tests.connectors.tryton_site import Site, Wire, by_key

ROOT = Path(__file__).parents[2]
MAPPINGS = sorted((ROOT / "mappings/tryton").glob("*.yaml"))
SERIES: dict[str, tuple[str, Planner]] = {
    "8.2": (".venv-tryton", trade_plan),
    "6.0": (".venv-tryton60", trade_plan_60),
}
D = Decimal


def marked(series: str) -> Any:
    marks = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.real_system(f"tryton {series}")]
    return pytest.param(series, marks=[*marks, pytest.mark.long] if series == "6.0" else marks)


@pytest.fixture(scope="session", params=[marked("8.2"), marked("6.0")])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    folder, planner = SERIES[request.param]
    if not (ROOT / folder / "bin/trytond").exists():
        pytest.skip(f"Tryton {request.param} is not installed: make {folder}/.ready")
    uri = request.getfixturevalue("postgres_server").uri(f"trade{request.param.replace('.', '')}")
    one = TrytonServer(tmp_path_factory.mktemp("trade"), ROOT / folder, postgres=uri, planner=planner)
    with one:
        yield one


@pytest.fixture
def site(server: TrytonServer) -> Iterator[Site]:
    wire = Wire(server.url)
    yield Site(server, wire, server.home)  # one session for all tests: Tryton takes its time to check a password
    wire.close()


@pytest.fixture
def tryton(site: Site) -> Tryton:
    return site.open()


@pytest.fixture
def sku(tryton: Tryton) -> str:
    """A product that is in Tryton."""
    payload = product()
    done(write(tryton, "product", payload))
    return str(payload["key"])


def product(**changes: Any) -> Record:
    prices = {"list_price": D("10.00"), "cost_price": D("6.00"), "tax_rate": D("0.13")}
    return {"key": f"P{uuid4().hex[:8]}", "name": "面条 500g", "unit": "件", **prices, **changes}


def order(sku: str, qty: str = "3", net: str = "26.55", gross: str = "30.00", **changes: Any) -> Record:
    line = {"sku": sku, "qty": D(qty), "net": D(net), "tax_rate": D("0.13"), "description": "面条"}
    head = {"key": f"psi:{uuid4().hex[:10]}", "date": "2026-11-11", "party": {"code": "S01", "name": "天猫旗舰店"}}
    return {**head, "warehouse": "WH", "gross": D(gross), "lines": [line], **changes}


def goods(of: Record, qty: str, **changes: Any) -> Record:
    lines = [{"sku": of["lines"][0]["sku"], "qty": D(qty)}]
    return {"key": f"G{uuid4().hex[:8]}", "date": "2026-11-20", "order": of["key"], "lines": lines, **changes}


def opportunity(**changes: Any) -> Record:
    head = {"key": f"OP{uuid4().hex[:8]}", "name": "双十二备货", "state": "opportunity", "amount": D("1000.50")}
    party = {"code": "C01", "name": "杭州客户"}
    return {**head, "party": party, "probability": D("0.3"), "expected_close": "2026-12-31", **changes}


def figure(sku: str, quantity: str, warehouse: str = "WH") -> Record:
    return {"key": f"{sku}@{warehouse}", "sku": sku, "warehouse": warehouse, "quantity": D(quantity)}


def write(tryton: Tryton, sink: str, *payloads: Record) -> list[Outcome]:
    return list(tryton.sinks[sink].write(payloads))


def done(outcomes: list[Outcome]) -> Done:
    [outcome] = outcomes
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(outcomes: list[Outcome], code: str) -> Refused:
    [outcome] = outcomes
    assert isinstance(outcome, Refused), outcome
    assert outcome.code == f"tryton:{code}"
    return outcome


def update(tryton: Tryton, sink: str, payload: Record, native_id: str) -> list[Outcome]:
    return list(tryton.sinks[sink].update([payload], [native_id]))  # type: ignore[attr-defined]


def reverse(tryton: Tryton, sink: str, native_id: str) -> list[Outcome]:
    return list(tryton.sinks[sink].reverse([{}], [native_id]))  # type: ignore[attr-defined]


def held(tryton: Tryton, stream: str, *keys: str) -> list[Record]:
    return [record for page in tryton.streams[stream].read(by_key(*keys)) for record in page.records]


@cache
def mapping(name: str) -> Mapping:
    return load_mapping(ROOT / f"mappings/tryton/{name}.yaml")


def document(stream: str, record: Record, **settings: Any) -> Record:
    """The canonical document of a raw record, checked against its schema."""
    made = mapping(f"{stream}.in").run(record, StaticLookup(), settings)
    assert made is not None
    check(stream, made)
    return made


def find(tryton: Tryton, sink: str, payload: Record) -> Any:
    return tryton.sinks[sink].find([payload["key"]]).get(payload["key"])


def lost(site: Site, sink: str, cut_at: bytes, payload: Record) -> None:
    """The answer to this call is lost on its way back."""
    site.wire.cut_at = cut_at
    [outcome] = write(site.open(), sink, payload)
    assert isinstance(outcome, Unknown), outcome


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.name.removesuffix(".yaml"))
def test_the_mappings_pass_their_own_tests(path: Path) -> None:
    results = run_tests(load_mapping(path))
    assert results
    assert [one for one in results if not one.passed] == []


class TestProduct:
    def test_what_is_entered_is_read_and_is_a_canonical_product(self, tryton: Tryton) -> None:
        payload = product(category="商品", description="500g", barcode="6901234567892")
        outcome = done(write(tryton, "product", payload))
        [record] = held(tryton, "product", payload["key"])
        made = document("product", record)
        assert made["native_id"] == outcome.native_id
        expected = {"sku": payload["key"], "name": "面条 500g", "unit": "件", "tax_rate": D("0.13"), "spec": "500g"}
        assert {name: made[name] for name in expected} == expected
        assert (made["price"], made["cost"], made["barcode"]) == (D("10.00"), D("6.00"), "6901234567892")

    def test_a_change_is_written_and_a_withdrawn_one_archived(self, tryton: Tryton) -> None:
        payload = product()
        first = done(write(tryton, "product", payload))
        changed = {**payload, "name": "挂面 500g", "list_price": D("11.1234")}
        done(update(tryton, "product", changed, first.native_id))
        [record] = held(tryton, "product", payload["key"])
        assert (document("product", record)["name"], record["list_price_used"]) == ("挂面 500g", D("11.1234"))
        for _ in range(2):
            done(reverse(tryton, "product", first.native_id))
        assert find(tryton, "product", payload) is None
        assert document("product", held(tryton, "product", payload["key"])[0])["status"] == "disabled"

    def test_a_second_one_of_the_code_is_not_made(self, tryton: Tryton, sku: str) -> None:
        [outcome] = write(tryton, "product", product(key=sku))
        assert isinstance(outcome, Unknown)
        with pytest.raises(VendorRejected):  # and Tryton itself would refuse it, on PostgreSQL
            tryton.books.create("product.product", {"template": 1, "suffix_code": sku})
        assert len(held(tryton, "product", sku)) == 1

    def test_what_is_wrong_is_named_and_the_others_go(self, tryton: Tryton) -> None:
        good, bad, odd = product(), product(unit="麻袋"), product(tax_rate=D("0.06"))
        outcomes = write(tryton, "product", good, bad, odd, product())
        assert [type(one) for one in outcomes] == [Done, Refused, Refused, Done]
        assert "麻袋" in outcomes[1].zh
        assert "税率 0.06: 无" in outcomes[2].zh

    def test_a_lost_answer_is_found_exactly_once(self, site: Site) -> None:
        payload = product()
        lost(site, "product", b"product.template.create", payload)
        found = find(site.open(), "product", payload)
        assert dict(found.figures) == {"list_price": D("10.00")}
        assert found.raw["copies"] == 1


class TestParty:
    def test_what_is_entered_is_read_changed_and_archived(self, tryton: Tryton) -> None:
        key = f"C{uuid4().hex[:8]}"
        contact = {"tax_no": "91350100M000100Y43", "phone": "0571-88888888", "street": "文三路 1 号"}
        first = done(write(tryton, "party", {"key": key, "name": "杭州客户有限公司", **contact}))
        made = document("party", held(tryton, "party", key)[0])
        assert (made["code"], made["name"], made["tax_no"]) == (key, "杭州客户有限公司", "91350100M000100Y43")
        assert (made["phone"], made["address"]) == ("0571-88888888", "文三路 1 号")
        done(update(tryton, "party", {"key": key, "name": "新名", "street": "文三路 2 号"}, first.native_id))
        made = document("party", held(tryton, "party", key)[0])
        assert (made["name"], made["address"], made["tax_no"]) == ("新名", "文三路 2 号", "91350100M000100Y43")
        done(reverse(tryton, "party", first.native_id))
        assert document("party", held(tryton, "party", key)[0])["status"] == "disabled"

    def test_the_code_is_unique_whoever_writes_first(self, site: Site) -> None:
        payload = {"key": f"C{uuid4().hex[:8]}", "name": "杭州客户"}
        lost(site, "party", b"party.party.create", payload)
        assert find(site.open(), "party", payload).raw["copies"] == 1
        [again] = write(site.open(), "party", payload)
        assert isinstance(again, Unknown)
        with pytest.raises(VendorRejected):
            site.open().books.create("party.party", {"code": payload["key"], "name": "另一家"})

    def test_a_wrong_tax_number_is_refused_in_words(self, tryton: Tryton) -> None:
        payload = {"key": f"C{uuid4().hex[:8]}", "name": "杭州客户", "tax_no": "91350100M000100Y44"}
        assert "91350100M000100Y44" in refused(write(tryton, "party", payload), "UserError").zh
        assert held(tryton, "party", payload["key"]) == []


class TestUnitsAndWarehouses:
    def test_they_are_read_as_canonical_master_data(self, tryton: Tryton) -> None:
        long_ago = Window(datetime.now(UTC) - timedelta(days=900), datetime.now(UTC) + timedelta(seconds=5))
        for stream, keys in (("unit", {"件", "kg"}), ("warehouse", {"WH", "W02"})):
            records = [record for page in tryton.streams[stream].read(long_ago) for record in page.records]
            documents = {record["key"]: document(stream, record) for record in records}
            assert keys <= documents.keys()
            assert len(documents) == len(records)
        assert document("warehouse", held(tryton, "warehouse", "W02")[0])["name"] == "杭州二仓"


class TestStock:
    def test_a_figure_is_set_whatever_was_there_and_repeating_it_enters_nothing(self, tryton: Tryton, sku: str) -> None:
        for quantity in ("100", "40", "40", "0"):
            done(write(tryton, "stock_level", figure(sku, quantity)))
            made = document("stock_level", held(tryton, "stock_level", f"{sku}@WH")[0])
            assert (made["on_hand"], made["available"]) == (D(quantity), D(quantity))
        entered = tryton.books.all("stock.inventory.line", [["product.code", "=", sku]], ("quantity",))
        assert [line["quantity"] for line in entered] == [100, 40, 0]
        assert held(tryton, "stock_level", f"{sku}@W02")[0]["on_hand"] == 0

    def test_a_lost_answer_leaves_the_figure_and_no_second_count(self, site: Site, sku: str) -> None:
        payload = figure(sku, "7", "W02")
        lost(site, "stock_level", b"stock.inventory.confirm", payload)
        assert dict(find(site.open(), "stock_level", payload).figures) == {"on_hand": D(7)}
        done(write(site.open(), "stock_level", payload))
        entered = site.open().books.all("stock.inventory.line", [["product.code", "=", sku]], ("quantity",))
        assert [line["quantity"] for line in entered] == [7]

    def test_what_is_wrong_is_named_and_the_others_go(self, tryton: Tryton, sku: str) -> None:
        payloads = figure("NOSUCH", "1"), figure(sku, "1", "W99"), figure(sku, "1.5"), figure(sku, "5")
        outcomes = write(tryton, "stock_level", *payloads)
        assert [type(one) for one in outcomes] == [Refused, Refused, Refused, Done]
        assert [word in one.zh for word, one in zip(("NOSUCH", "W99", "1.5"), outcomes, strict=False)] == [True] * 3

    def test_a_partition_is_a_warehouse_and_holds_all_goods(self, tryton: Tryton, sku: str) -> None:
        done(write(tryton, "stock_level", figure(sku, "12")))
        stream = tryton.streams["stock_level"]
        assert list(stream.partitions()) == ["WH", "W02"]
        now = datetime.now(UTC)
        tryton.books.page = 3
        records = [one for page in stream.read(Window(now, now, "WH")) for one in page.records]
        assert len({one["key"] for one in records}) == len(records)
        assert [one["on_hand"] for one in records if one["sku"] == sku] == [12]

    def test_what_is_sold_is_no_longer_available_and_what_is_bought_not_yet(self, tryton: Tryton, sku: str) -> None:
        done(write(tryton, "stock_level", figure(sku, "12")))
        done(write(tryton, "sales_order", order(sku)))
        done(write(tryton, "purchase_order", order(sku, "20", "100.00", "113.00")))
        [record] = held(tryton, "stock_level", f"{sku}@WH")
        made = document("stock_level", record)
        assert (made["on_hand"], made["reserved"], made["available"]) == (D(12), D(3), D(9))
        assert record["forecast"] == D(29)


class TestSalesOrder:
    def test_a_confirmed_order_is_read_back_equal_to_the_cent(self, tryton: Tryton, sku: str) -> None:
        payload = order(sku)
        outcome = done(write(tryton, "sales_order", payload))
        made = document("sales_order", held(tryton, "sales_order", payload["key"])[0], shop="S01")
        assert (made["key"], made["native_id"]) == (payload["key"], outcome.native_id)
        assert (made["approval"], made["status"], made["gross"]) == ("approved", "unpaid", D("30.00"))
        [line] = made["lines"]
        assert (line["sku"], line["qty"], line["net"], line["tax"]) == (sku, D(3), D("26.55"), D("3.45"))
        assert dict(find(tryton, "sales_order", payload).figures) == {"gross": D("30.00"), "qty": D(3)}

    def test_what_rounding_makes_differ_is_a_line_of_its_own(self, tryton: Tryton, sku: str) -> None:
        cents = {"sku": sku, "qty": D(1), "net": D("8.84"), "tax_rate": D("0.13"), "description": "面条"}
        payload = order(sku, gross="29.97", lines=[cents] * 3)  # 3 × 9.99; Tryton's tax on 26.52 is 3.45, ours 3 × 1.15
        payload["gross"] = D("29.96")
        done(write(tryton, "sales_order", payload))
        [record] = held(tryton, "sales_order", payload["key"])
        assert record["total_amount"] == D("29.96")
        assert [(line["description"], line["amount"]) for line in record["lines"][3:]] == [("尾差", D("-0.01"))]
        made = document("sales_order", record)
        assert sum(line["gross"] for line in made["lines"]) == made["gross"] == D("29.96")

    def test_what_is_no_rounding_is_refused(self, tryton: Tryton, sku: str) -> None:
        outcome = refused(write(tryton, "sales_order", order(sku, gross="33.00")), "total")
        assert "30.00 ≠ 33.00" in outcome.zh

    def test_an_order_is_changed_and_cancelled_while_it_is_a_quotation(self, site: Site, sku: str) -> None:
        tryton, payload = site.open(extra={"order_state": "quotation"}), order(sku)
        first = done(write(tryton, "sales_order", payload))
        more = order(sku, "6", "53.10", "60.00", key=payload["key"])
        for _ in range(2):
            assert done(update(tryton, "sales_order", more, first.native_id)).raw["state"] == "quotation"
        [record] = held(tryton, "sales_order", payload["key"])
        assert (record["total_amount"], len(record["lines"])) == (D("60.00"), 1)
        for _ in range(2):
            done(reverse(tryton, "sales_order", first.native_id))
        assert find(tryton, "sales_order", payload) is None
        made = document("sales_order", held(tryton, "sales_order", payload["key"])[0])
        assert (made["approval"], made["status"]) == ("void", "cancelled")

    def test_one_that_is_being_processed_is_for_a_person(self, tryton: Tryton, sku: str) -> None:
        payload = order(sku)
        first = done(write(tryton, "sales_order", payload))
        done(update(tryton, "sales_order", payload, first.native_id))  # it says so already
        more = order(sku, "6", "53.10", "60.00", key=payload["key"])
        assert "processing" in refused(update(tryton, "sales_order", more, first.native_id), "locked").zh
        assert "退货" in refused(reverse(tryton, "sales_order", first.native_id), "not_reversible").zh

    @pytest.mark.parametrize("cut_at", [b"sale.sale.create", b"sale.sale.confirm"])
    def test_a_lost_answer_never_makes_a_second_order(self, site: Site, sku: str, cut_at: bytes) -> None:
        payload = order(sku)
        lost(site, "sales_order", cut_at, payload)
        if find(site.open(), "sales_order", payload) is None:  # it is short of what was asked for
            done(write(site.open(), "sales_order", payload))
        assert dict(find(site.open(), "sales_order", payload).figures) == {"gross": D("30.00"), "qty": D(3)}
        [record] = held(site.open(), "sales_order", payload["key"])
        assert record["state"] == "processing"

    def test_one_bad_among_good_ones_is_named_and_enters_nothing(self, tryton: Tryton, sku: str) -> None:
        payloads = [order(sku), order("NOSUCH"), order(sku, lines=[{**order(sku)["lines"][0], "tax_rate": D("0.06")}])]
        outcomes = write(tryton, "sales_order", *payloads, order(sku))
        assert [type(one) for one in outcomes] == [Done, Refused, Refused, Done]
        assert "NOSUCH" in outcomes[1].zh
        assert "sale 0.06: 无" in outcomes[2].zh
        assert held(tryton, "sales_order", payloads[1]["key"], payloads[2]["key"]) == []


class TestPurchaseOrder:
    def test_it_is_entered_read_changed_and_cancelled(self, site: Site, sku: str) -> None:
        tryton, payload = (
            site.open(extra={"order_state": "quotation"}),
            order(sku, party={"code": "V01", "name": "供应商"}),
        )
        first = done(write(tryton, "purchase_order", payload))
        made = document("purchase_order", held(tryton, "purchase_order", payload["key"])[0])
        assert (made["supplier"], made["gross"], made["approval"]) == (
            {"key": "V01", "name": "供应商"},
            D("30.00"),
            "draft",
        )
        more = order(sku, "6", "53.10", "60.00", key=payload["key"], party=payload["party"])
        done(update(tryton, "purchase_order", more, first.native_id))
        assert find(tryton, "purchase_order", payload).figures["qty"] == 6
        done(reverse(tryton, "purchase_order", first.native_id))
        assert find(tryton, "purchase_order", payload) is None

    def test_a_lost_answer_never_makes_a_second_order(self, site: Site, sku: str) -> None:
        payload = order(sku)
        lost(site, "purchase_order", b"purchase.purchase.create", payload)
        assert find(site.open(), "purchase_order", payload) is None
        done(write(site.open(), "purchase_order", payload))
        assert find(site.open(), "purchase_order", payload).raw["copies"] == 1


class TestGoods:
    def test_the_goods_of_an_order_leave_in_parts_and_stock_falls(self, tryton: Tryton, sku: str) -> None:
        done(write(tryton, "stock_level", figure(sku, "10")))
        sold = order(sku)
        done(write(tryton, "sales_order", sold))
        first, second = goods(sold, "2"), goods(sold, "1")
        assert done(write(tryton, "goods_issue", first)).raw["state"] == "done"
        assert held(tryton, "stock_level", f"{sku}@WH")[0]["on_hand"] == 8
        done(write(tryton, "goods_issue", second))
        made = [document("goods_issue", one) for one in held(tryton, "goods_issue", first["key"], second["key"])]
        assert [(one["approval"], one["lines"][0]["qty"]) for one in made] == [("approved", 2), ("approved", 1)]
        assert {(one["business_date"], one["lines"][0]["order_no"]) for one in made} == {("2026-11-20", sold["key"])}
        [figures] = held(tryton, "stock_level", f"{sku}@WH")
        assert (figures["on_hand"], figures["reserved"]) == (7, 0)
        refused(write(tryton, "goods_issue", goods(sold, "1")), "nothing_open")

    def test_an_order_may_name_a_product_twice(self, tryton: Tryton, sku: str) -> None:
        done(write(tryton, "stock_level", figure(sku, "10")))
        [line] = order(sku)["lines"]
        sold = order(sku, gross="60.00", lines=[line, line])
        done(write(tryton, "sales_order", sold))
        for quantity, left in (("4", 6), ("2", 4)):
            done(write(tryton, "goods_issue", goods(sold, quantity)))
            assert held(tryton, "stock_level", f"{sku}@WH")[0]["on_hand"] == left

    def test_one_product_of_an_order_may_leave_before_the_other(self, tryton: Tryton, sku: str) -> None:
        other = product()
        done(write(tryton, "product", other))
        done(write(tryton, "stock_level", figure(sku, "10")))
        done(write(tryton, "stock_level", figure(other["key"], "10")))
        [line] = order(sku)["lines"]
        both = order(sku, gross="60.00", lines=[line, {**line, "sku": other["key"]}])
        done(write(tryton, "sales_order", both))
        for one in (other["key"], sku):
            done(write(tryton, "goods_issue", goods(both, "3", lines=[{"sku": one, "qty": D(3)}])))
        levels = held(tryton, "stock_level", f"{sku}@WH", f"{other['key']}@WH")
        assert [level["on_hand"] for level in levels] == [7, 7]

    def test_what_is_not_in_stock_waits_and_goes_when_it_is(self, tryton: Tryton, sku: str) -> None:
        done(write(tryton, "stock_level", figure(sku, "1")))
        sold = order(sku)
        done(write(tryton, "sales_order", sold))
        issue = goods(sold, "3")
        refused(write(tryton, "goods_issue", issue), "not_in_stock")
        assert find(tryton, "goods_issue", issue) is None
        done(write(tryton, "stock_level", figure(sku, "5")))
        done(write(tryton, "goods_issue", issue))
        assert len(held(tryton, "goods_issue", issue["key"])) == 1
        assert held(tryton, "stock_level", f"{sku}@WH")[0]["on_hand"] == 2

    def test_more_than_was_ordered_or_without_an_order_is_refused(self, tryton: Tryton, sku: str) -> None:
        sold = order(sku)
        done(write(tryton, "sales_order", sold))
        refused(write(tryton, "goods_issue", goods(sold, "4")), "not_planned")
        refused(write(tryton, "goods_issue", goods(sold, "1", order="nobody's")), "no_order")

    @pytest.mark.parametrize("cut_at", [b"out.wait", b"out.do"])
    def test_a_lost_answer_never_issues_twice(self, site: Site, sku: str, cut_at: bytes) -> None:
        done(write(site.open(), "stock_level", figure(sku, "10")))
        sold = order(sku)
        done(write(site.open(), "sales_order", sold))
        issue = goods(sold, "3")
        lost(site, "goods_issue", cut_at, issue)
        if find(site.open(), "goods_issue", issue) is None:
            done(write(site.open(), "goods_issue", issue))
        assert dict(find(site.open(), "goods_issue", issue).figures) == {"qty": D(3)}
        assert len(held(site.open(), "goods_issue", issue["key"])) == 1
        assert held(site.open(), "stock_level", f"{sku}@WH")[0]["on_hand"] == 7

    def test_the_goods_of_a_purchase_come_in_parts(self, tryton: Tryton, sku: str) -> None:
        bought = order(sku, party={"code": "V01", "name": "供应商"})
        done(write(tryton, "purchase_order", bought))
        refused(write(tryton, "goods_receipt", goods(bought, "4")), "not_planned")
        receipts = [goods(bought, "2"), goods(bought, "1")]
        for receipt in receipts:
            assert done(write(tryton, "goods_receipt", receipt)).raw["state"] == "done"
        made = [document("goods_receipt", one) for one in held(tryton, "goods_receipt", receipts[0]["key"])]
        assert [(one["party"]["key"], one["lines"][0]["qty"], one["lines"][0]["order_no"]) for one in made] == [
            ("V01", 2, bought["key"])
        ]
        assert held(tryton, "stock_level", f"{sku}@WH")[0]["on_hand"] == 3

    @pytest.mark.parametrize("cut_at", [b"shipment.in.create", b"shipment.in.do"])
    def test_a_lost_answer_never_receives_twice(self, site: Site, sku: str, cut_at: bytes) -> None:
        bought = order(sku)
        done(write(site.open(), "purchase_order", bought))
        receipt = goods(bought, "3")
        lost(site, "goods_receipt", cut_at, receipt)
        if find(site.open(), "goods_receipt", receipt) is None:
            done(write(site.open(), "goods_receipt", receipt))
        assert find(site.open(), "goods_receipt", receipt).raw["copies"] == 1
        assert held(site.open(), "stock_level", f"{sku}@WH")[0]["on_hand"] == 3


class TestOpportunity:
    def test_it_is_entered_read_lost_and_cancelled(self, tryton: Tryton, sku: str) -> None:
        payload = opportunity(lines=[{"sku": sku, "qty": D(5)}])
        first = done(write(tryton, "opportunity", payload))
        made = document("opportunity", held(tryton, "opportunity", payload["key"])[0])
        assert (made["status"], made["amount"], made["probability"]) == ("open", D("1000.50"), D("0.3"))
        assert (made["party"]["key"], made["owner"], made["lines"][0]["sku"]) == ("C01", "王销售", sku)
        assert made["expected_close"] == "2026-12-31"
        for _ in range(2):
            lost_one = {**payload, "state": "lost", "lost_reason": "价格", "amount": D("900.00")}
            done(update(tryton, "opportunity", lost_one, first.native_id))
        made = document("opportunity", held(tryton, "opportunity", payload["key"])[0])
        assert (made["status"], made["lost_reason"], made["amount"]) == ("lost", "价格", D("900.00"))
        for _ in range(2):
            done(reverse(tryton, "opportunity", first.native_id))
        assert find(tryton, "opportunity", payload) is None
        assert document("opportunity", held(tryton, "opportunity", payload["key"])[0])["status"] == "cancelled"

    @pytest.mark.parametrize(
        ("state", "cut_at"),
        [
            ("lead", b"sale.opportunity.create"),
            ("opportunity", b"sale.opportunity.create"),
            ("opportunity", b"sale.opportunity.opportunity"),
            ("lost", b"sale.opportunity.lost"),
        ],
    )
    def test_a_lost_answer_never_makes_a_second_one(self, site: Site, state: str, cut_at: bytes) -> None:
        payload = opportunity(state=state)
        lost(site, "opportunity", cut_at, payload)
        if find(site.open(), "opportunity", payload) is None:
            done(write(site.open(), "opportunity", payload))
        assert [record["state"] for record in held(site.open(), "opportunity", payload["key"])] == [state]

    def test_one_bad_among_good_ones_is_named(self, tryton: Tryton) -> None:
        bad = opportunity(lines=[{"sku": "NOSUCH", "qty": D(5)}])
        outcomes = write(tryton, "opportunity", opportunity(), bad, opportunity())
        assert [type(one) for one in outcomes] == [Done, Refused, Done]
        assert "NOSUCH" in outcomes[1].zh


class TestVoucher:
    def test_it_is_posted_and_read_back_as_a_canonical_voucher(self, tryton: Tryton) -> None:
        payload = voucher()
        outcome = done(write(tryton, "voucher", payload))
        assert outcome.native_no.startswith("记-202611-")
        made = document("voucher", held(tryton, "voucher", payload["key"])[0])
        assert (made["approval"], made["debit"], made["credit"]) == ("approved", D("113.00"), D("113.00"))
        assert [line["account"] for line in made["lines"]] == ["receivable", "revenue", "output_vat"]
        assert made["lines"][0]["aux"] == {"customer": "S01"}

    def test_a_draft_is_taken_back_and_a_posted_one_is_for_a_person(self, site: Site) -> None:
        draft, posted = voucher(), voucher()
        first = done(write(site.drafts(), "voucher", draft))
        for _ in range(2):
            done(reverse(site.open(), "voucher", first.native_id))
        assert site.held(draft["key"]) == []
        second = done(write(site.open(), "voucher", posted))
        assert second.native_no in refused(reverse(site.open(), "voucher", second.native_id), "posted").zh
        assert len(site.held(posted["key"])) == 1

    @pytest.mark.parametrize("cut_at", [b"account.move.create", b"account.move.post"])
    def test_a_lost_answer_is_posted_exactly_once(self, site: Site, cut_at: bytes) -> None:
        payload = voucher()
        lost(site, "voucher", cut_at, payload)
        if find(site.open(), "voucher", payload) is None:
            done(write(site.open(), "voucher", payload))
        assert [record["state"] for record in site.held(payload["key"])] == ["posted"]


def voucher() -> Record:
    rows = [("1122", "113.00", "0.00"), ("6001", "0.00", "100.00"), ("2221.01.05", "0.00", "13.00")]
    lines: list[Record] = [
        {"account": account, "debit": D(debit), "credit": D(credit), "description": "销售 11-11 2单"}
        for account, debit, credit in rows
    ]
    lines[0]["party"] = {"code": "S01", "name": "天猫旗舰店"}
    head = {"key": f"sale:S01:{uuid4().hex[:12]}", "date": "2026-11-11", "description": "销售 11-11 2单"}
    return {**head, "lines": lines}


class TestReading:
    def test_a_window_holds_what_was_changed_in_it_and_nothing_else(self, tryton: Tryton) -> None:
        since = datetime.now(UTC)
        time.sleep(0.01)
        payload, bought, deal = product(), {"key": f"C{uuid4().hex[:8]}", "name": "x"}, opportunity()
        for sink, one in (("product", payload), ("party", bought), ("opportunity", deal)):
            done(write(tryton, sink, one))
        sold = order(payload["key"])
        done(write(tryton, "sales_order", sold))
        window = Window(since, datetime.now(UTC) + timedelta(seconds=1))
        before = Window(since - timedelta(days=400), since - timedelta(days=399))
        for stream, key in (
            ("product", payload["key"]),
            ("party", bought["key"]),
            ("opportunity", deal["key"]),
            ("sales_order", sold["key"]),
        ):
            read = tryton.streams[stream].read
            assert key in [record["key"] for page in read(window) for record in page.records], stream
            assert [record for page in read(before) for record in page.records] == [], stream

    def test_a_change_of_a_line_or_a_template_by_hand_is_a_change_of_the_record(self, site: Site, sku: str) -> None:
        tryton, payload = site.open(extra={"order_state": "draft"}), order(sku)
        done(write(tryton, "sales_order", payload))
        [record] = held(tryton, "sales_order", payload["key"])
        [sold] = held(tryton, "product", sku)
        time.sleep(0.01)
        since = datetime.now(UTC)
        tryton.books.write("sale.line", int(record["lines"][0]["id"]), {"description": "改过"})
        tryton.books.write("product.template", int(sold["template"]["id"]), {"name": "改名"})
        window = Window(since, datetime.now(UTC) + timedelta(seconds=1))
        for stream, key in (("sales_order", payload["key"]), ("product", sku)):
            records = [record for page in tryton.streams[stream].read(window) for record in page.records]
            assert key in [record["key"] for record in records], stream

    def test_what_was_typed_by_hand_has_its_own_number_for_a_key(self, tryton: Tryton) -> None:
        made = tryton.books.create(
            "product.template", {"name": "手工", "type": "goods", "default_uom": tryton.books.unit("件")}
        )
        variant = tryton.books.create("product.product", {"template": made})
        [record] = held(tryton, "product", f"#{variant}")
        assert document("product", record)["key"] == f"#{variant}"

    def test_pages_are_whole_whatever_their_size(self, tryton: Tryton) -> None:
        payloads = [product() for _ in range(5)]
        write(tryton, "product", *payloads)
        tryton.books.page = 2
        pages = list(PRODUCT.by_key(tryton.books, [one["key"] for one in payloads]))
        assert [len(page) for page in pages] == [2, 2, 1]

    def test_quantities_travel_exactly(self, tryton: Tryton) -> None:
        payload = product(unit="kg")
        done(write(tryton, "product", payload))
        done(write(tryton, "stock_level", figure(payload["key"], "0.3")))
        done(write(tryton, "stock_level", figure(payload["key"], "1234567.89")))
        assert held(tryton, "stock_level", payload["key"] + "@WH")[0]["on_hand"] == D("1234567.89")


class TestCopied:
    """What is read becomes a canonical document, that a payload, that a record again which reads the same."""

    OWN = (
        "key",
        "sku",
        "code",
        "native_id",
        "modified_at",
        "unit_id",
        "as_of",
        "order_no",
        "number",
        "issue_no",
        "receipt_no",
    )

    def alike(self, tryton: Tryton, name: str, key: str, changes: Record, **settings: Any) -> Record:
        """Copies the record of a key under the changes; returns the copy's document."""
        before = document(name, held(tryton, name, key)[0], **settings)
        payload = mapping(f"{name}.out").run({**before, **changes}, StaticLookup(), settings)
        assert payload is not None
        done(write(tryton, name, payload))
        after = document(name, held(tryton, name, str(payload["key"]))[0], **settings)
        assert self.told(after) == self.told(before)
        return after

    def told(self, made: Record) -> Record:
        lines = [
            {name: line[name] for name in line if name not in ("oid", "order_no", "price")}
            for line in made.get("lines", [])
        ]
        return {**{name: made[name] for name in made if name not in (*self.OWN, "warehouse")}, "lines": lines}

    def test_master_data_and_stock(self, tryton: Tryton, sku: str) -> None:
        new, party = f"N{uuid4().hex[:8]}", f"C{uuid4().hex[:8]}"
        done(write(tryton, "stock_level", figure(sku, "12")))
        contact = {"tax_no": "91350100M000100Y43", "phone": "0571-88888888", "street": "文三路 1 号"}
        done(write(tryton, "party", {"key": party, "name": "杭州客户", **contact}))
        self.alike(tryton, "product", sku, {"key": new, "sku": new})
        self.alike(tryton, "party", party, {"key": f"{party}x", "code": f"{party}x"})
        level = self.alike(tryton, "stock_level", f"{sku}@WH", {"sku": new, "warehouse": "W02"})
        assert (level["sku"], level["warehouse"]) == (new, "W02")

    def test_orders_and_their_goods(self, tryton: Tryton, sku: str) -> None:
        done(write(tryton, "stock_level", figure(sku, "10")))
        for orders, shipments in (("sales_order", "goods_issue"), ("purchase_order", "goods_receipt")):
            first = order(sku, description="加急")
            done(write(tryton, orders, first))
            copy = self.alike(tryton, orders, first["key"], {"key": f"{first['key']}x"}, customer="buyer")
            moved = goods(first, "2")
            done(write(tryton, shipments, moved))
            lines = [{"line_no": 1, "sku": sku, "qty": D(2), "order_no": copy["key"]}]
            self.alike(tryton, shipments, moved["key"], {"key": f"{moved['key']}x", "lines": lines})

    def test_opportunities_and_vouchers(self, tryton: Tryton, sku: str) -> None:
        deal, entered = opportunity(lines=[{"sku": sku, "qty": D(5)}]), voucher()
        done(write(tryton, "opportunity", deal))
        done(write(tryton, "voucher", entered))
        self.alike(tryton, "opportunity", deal["key"], {"key": f"{deal['key']}x"})
        self.alike(tryton, "voucher", entered["key"], {"key": f"{entered['key']}x"})


class TestServer:
    def test_the_check_names_the_warehouses_and_how_far_orders_go(self, tryton: Tryton) -> None:
        rows = tryton.check()
        assert [name for name, _ in rows] == ["登录", "科目表", "凭证簿", "进销存"]
        assert rows[-1][1] == "仓库 WH, W02; 订单写到 confirmed"

    def test_a_goal_that_is_none_is_named(self, site: Site) -> None:
        with pytest.raises(ConfigError, match="order_state cannot be shipped"):
            site.open(extra={"order_state": "shipped"})

    def test_every_kind_can_be_read_on_this_series(self, tryton: Tryton) -> None:
        for kind in KINDS:
            assert held(tryton, kind.name, "nobody's") == []


def test_a_quantity_travels_as_a_number_and_an_amount_as_a_tagged_decimal() -> None:
    assert pack([Quantity("0.30"), D("0.30"), date(2026, 11, 11)]) == [
        D("0.30"),
        {"__class__": "Decimal", "decimal": "0.30"},
        {"__class__": "date", "year": 2026, "month": 11, "day": 11},
    ]
