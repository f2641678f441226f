"""金蝶AI星辰: base data, bills and vouchers written and read back; ids behind names; a secret that rotates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.xingchen import CONNECTOR
from connectors.xingchen.client import hex64
from connectors.xingchen.connector import Xingchen
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import TokenExpired
from duijie.connect.protocol import Done, Incident, Later, Outcome, Refused, Reversing, Unknown, Updating, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from duijie.schemas import check
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.xingchen import XingchenSandbox
from sandbox.xingchen_lists import Refused as LedgerRefusal
from tests.contract.served import MAPPINGS, lately
from tests.contract.sites.xingchen import SECRET, SEED, SINKS, line, voucher

FOLDER = MAPPINGS / "xingchen"
ALL = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
GROSS = Decimal("113.00")


@dataclass
class World:
    """The sandbox, seeded, and a connection to it."""

    sandbox: XingchenSandbox
    opened: Xingchen
    seen: list[Incident]

    def write(self, sink: str, *payloads: Record) -> Sequence[Outcome]:
        return self.opened.sinks[sink].write(list(payloads))

    def done(self, sink: str, payload: Record) -> str:
        [outcome] = self.write(sink, payload)
        assert isinstance(outcome, Done), outcome
        return outcome.native_id

    def update(self, sink: str, payload: Record, native_id: str) -> Outcome:
        target = self.opened.sinks[sink]
        assert isinstance(target, Updating)
        [outcome] = target.update([payload], [native_id])
        return outcome

    def reverse(self, sink: str, payload: Record, native_id: str) -> Outcome:
        target = self.opened.sinks[sink]
        assert isinstance(target, Reversing)
        [outcome] = target.reverse([payload], [native_id])
        return outcome

    def read(self, stream: str, window: Window | None = None) -> list[Record]:
        return [row for page in self.opened.streams[stream].read(window or lately()) for row in page.records]

    def operate(self, entity: str, operation: str, native_id: str) -> Record:
        asked = {"entity_number": entity, "operate_type": operation, "ids": [native_id]}
        return self.opened._client.post("/jdy/v2/sys/common_operate", asked)

    def stock(self, key: str = "A1@CK01") -> tuple[Decimal, Decimal]:
        """现存量 and 可用量."""
        row = self.sandbox.store.get("inventory", key) or {}
        return row["qty"], row["valid_qty"]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[XingchenSandbox, str]]:
    made = XingchenSandbox(Store())
    with Running(made) as address:
        yield made, address


@pytest.fixture
def world(server: tuple[XingchenSandbox, str], tmp_path: Path) -> World:
    sandbox, url = server
    sandbox.__init__(Store())  # type: ignore[misc]
    sandbox.seed(SEED)
    extra = {"outer_instance_id": "demo-instance", "rate": "10000/second", "token_rate": "100/minute"}
    seen: list[Incident] = []
    opened = CONNECTOR.open(
        Connection("xc", "xingchen", url, "205022", SECRET, extra=extra), Services(TokenStore(tmp_path), seen.append)
    )
    assert isinstance(opened, Xingchen)
    return World(sandbox, opened, seen)


def goods(number: str, qty: int = 2, **more: Any) -> Record:
    """A bill that moves A1 in or out of CK01."""
    amounts = {"qty": qty, "tax_price": Decimal("56.5"), "unit_name": "件", "stock_number": "CK01"}
    total = (amounts["tax_price"] * qty).quantize(Decimal("0.01"))
    moved = {**line(total), **amounts, **more}
    return {"bill_no": number, "bill_date": "2026-11-11", "trans_type": "2", "material_entity": [moved]}


def issue(number: str, qty: int = 2, **more: Any) -> Record:
    return {**goods(number, qty, **more), "customer_number": "S01"}


def receipt(number: str, qty: int = 2, **more: Any) -> Record:
    return {**goods(number, qty, **more), "supplier_number": "G01"}


def purchase(number: str, qty: int = 10) -> Record:
    bought = goods(number, qty)["material_entity"][0]
    texts = {name: str(value) for name, value in bought.items()}
    return {"bill_no": number, "bill_date": "2026-11-11", "supplier_number": "G01", "material_entity": [texts]}


def sale(number: str, qty: int = 2) -> Record:
    sold = {**goods(number, qty)["material_entity"][0], "unit_id": "90013", "is_free": False}
    sold = {name: value for name, value in sold.items() if name not in ("unit_name", "stock_number")}
    head = {"bill_no": number, "bill_date": "2026-11-11", "customer_number": "S01", "total_amount": sold["all_amount"]}
    return {**head, "material_entity": [sold]}


def posted(key: str, amount: Decimal = GROSS) -> Record:
    return voucher({"source_bill_no": key, "date": "2026-11-11", "group_name": "记"}, amount)


class TestBaseData:
    def test_a_product_is_made_with_the_unit_its_name_stands_for(self, world: World) -> None:
        native_id = world.done("product", {"number": "N1", "name": "新品", "base_unit_name": "箱3", "tax_rate": "9.00"})
        [found] = world.read("material", Window(ALL.since, ALL.until, keys=("N1",)))
        assert (found["id"], found["base_unit_name"], found["tax_rate"]) == (native_id, "箱3", "9.00")

    def test_a_unit_that_is_not_there_is_named(self, world: World) -> None:
        [outcome] = world.write("product", {"number": "N1", "name": "新品", "base_unit_name": "桶", "tax_rate": "9"})
        assert isinstance(outcome, Refused)
        assert "没有计量单位 “桶”, 请先在金蝶建立" in outcome.zh

    @pytest.mark.parametrize(("sink", "number"), [("product", "A1"), ("customer", "S01"), ("supplier", "G01")])
    def test_a_used_number_is_looked_up(self, world: World, sink: str, number: str) -> None:
        payload = {**SINKS[sink].payload(1), "number": number}
        [outcome] = world.write(sink, payload)
        assert isinstance(outcome, Unknown)
        assert list(world.opened.sinks[sink].find([number])) == [number]

    def test_a_refusal_in_words_nobody_knows_is_told_from_a_used_number_by_looking(self, world: World) -> None:
        """The vendor's words for a number that is used vary; what is there does not."""
        payload = {**SINKS["customer"].payload(1), "number": "S01", "name": ""}
        [there, not_there] = world.write("customer", payload, {**payload, "number": "S99"})
        assert isinstance(there, Unknown)
        assert isinstance(not_there, Refused)

    def test_an_update_changes_what_is_there_and_leaves_the_rest(self, world: World) -> None:
        native_id = world.done("customer", {"number": "N1", "name": "旧名", "taxpayer_no": "91350100M000100Y43"})
        assert isinstance(world.update("customer", {"number": "N1", "name": "新名"}, native_id), Done)
        [found] = world.read("customer", Window(ALL.since, ALL.until, keys=("N1",)))
        assert (found["id"], found["name"], found["taxpayer_no"]) == (native_id, "新名", "91350100M000100Y43")

    def test_what_is_in_use_is_not_deleted(self, world: World) -> None:
        world.done("sales_order", sale("XS1"))
        native_id = (world.sandbox.store.get("customer", "S01") or {})["id"]
        outcome = world.reverse("customer", {"number": "S01", "name": "客户1"}, native_id)
        assert isinstance(outcome, Refused)
        assert "已被引用" in outcome.zh

    def test_bank_accounts_come_back_encrypted_and_stay_behind(self, world: World) -> None:
        world.done("customer", {"number": "N1", "name": "禾田", "bank": "工商银行", "bank_account": "6222020200001234"})
        [found] = world.read("customer", Window(ALL.since, ALL.until, keys=("N1",)))
        document = load_mapping(FOLDER / "customer.in.yaml").run(found, StaticLookup(), {})
        assert "6222020200001234" not in str(found)
        assert document is not None
        assert document["bank"] == "工商银行"
        assert "bank_account" not in document

    def test_an_answer_that_holds_nothing_is_nothing_found(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(world.opened._client, "get", lambda path, query: {})
        assert world.opened.sinks["product"].find(["N1"]) == {}
        assert world.read("customer", Window(ALL.since, ALL.until, keys=("N1",))) == []

    @pytest.mark.parametrize(("stream", "key", "count"), [("unit", "件", 13), ("store", "CK07", 13)])
    def test_units_and_warehouses_are_read_whole_and_by_number(
        self, world: World, stream: str, key: str, count: int
    ) -> None:
        assert len(world.read(stream, ALL)) == count
        assert [row["number"] for row in world.read(stream, Window(ALL.since, ALL.until, keys=(key, "none")))] == [key]


class TestPurchaseOrders:
    def test_numbers_become_ids_and_the_order_is_audited(self, world: World) -> None:
        world.done("purchase_order", purchase("CG1"))
        [row] = world.read("pur_order")
        assert (row["bill_status"], row["supplier_number"], row["bill_close_state"]) == ("C", "G01", "")
        assert row["material_entity"][0]["stock_number"] == "CK01"

    def test_its_figures_are_texts_and_numbers_are_refused(self, world: World) -> None:
        wrong = purchase("CG1")
        wrong["material_entity"][0]["tax_price"] = Decimal("56.5")
        [outcome] = world.write("purchase_order", wrong)
        assert isinstance(outcome, Refused)
        assert "invalid value for string type" in outcome.zh

    @pytest.mark.parametrize(
        ("name", "value"), [("supplier_number", "G99"), ("material_number", "X9"), ("stock_number", "CK99")]
    )
    def test_what_is_not_there_is_named_before_anything_is_sent(self, world: World, name: str, value: str) -> None:
        payload = purchase("CG1")
        (payload if name in payload else payload["material_entity"][0])[name] = value
        [outcome] = world.write("purchase_order", payload)
        assert isinstance(outcome, Refused)
        assert value in outcome.zh
        assert outcome.code == "xingchen:missing"
        assert world.sandbox.store.all("pur_order") == []

    def test_an_update_unaudits_changes_and_audits(self, world: World) -> None:
        native_id = world.done("purchase_order", purchase("CG1", 10))
        assert isinstance(world.update("purchase_order", purchase("CG1", 4), native_id), Done)
        [row] = world.read("pur_order")
        assert (row["bill_status"], [one["qty"] for one in row["material_entity"]]) == ("C", [4])

    def test_an_update_with_fewer_lines_leaves_none_behind(self, world: World) -> None:
        two = purchase("CG1")
        two["material_entity"] = [two["material_entity"][0], {**two["material_entity"][0], "material_number": "A2"}]
        native_id = world.done("purchase_order", two)
        before = [one["id"] for one in world.sandbox.store.all("pur_order")[0]["material_entity"]]
        assert isinstance(world.update("purchase_order", purchase("CG1"), native_id), Done)
        assert [one["id"] for one in world.sandbox.store.all("pur_order")[0]["material_entity"]] == before[:1]

    def test_an_update_whose_result_is_other_than_sent_is_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the vendor does with lines that are left out is not documented: here it keeps them."""
        native_id = world.done("purchase_order", purchase("CG1"))
        book = world.sandbox.books._bills["pur_order"]
        kept = book._head

        def head(body: Record, own: str, created: int) -> Record:
            made = kept(body, own, created)
            return {**made, "material_entity": [*made["material_entity"], *made["material_entity"]]}

        monkeypatch.setattr(book, "_head", head)
        outcome = world.update("purchase_order", purchase("CG1", 4), native_id)
        assert isinstance(outcome, Refused)
        assert "与所发不符" in outcome.zh

    def test_an_update_whose_answer_was_lost_may_be_repeated(self, world: World) -> None:
        native_id = world.done("purchase_order", purchase("CG1"))
        world.sandbox.faults = [Fault("lose_answer", match="common_operate", count=1, writes=True)]
        assert isinstance(world.update("purchase_order", purchase("CG1", 4), native_id), Unknown)
        assert isinstance(world.update("purchase_order", purchase("CG1", 4), native_id), Done)
        assert [one["bill_status"] for one in world.sandbox.store.all("pur_order")] == ["C"]

    def test_a_write_whose_names_cannot_be_looked_up_was_never_sent(self, world: World) -> None:
        world.opened.check()
        world.sandbox.faults = [Fault("lose_answer", match="supplier_detail", rate=1.0)]
        [outcome] = world.write("purchase_order", purchase("CG1"))
        assert isinstance(outcome, Later)
        assert world.sandbox.store.all("pur_order") == []


class TestGoods:
    def test_goods_that_leave_lower_the_stock_and_come_back_when_taken_back(self, world: World) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        assert world.stock() == (70, 70)
        assert isinstance(world.reverse("goods_issue", issue("CK1", 30), native_id), Done)
        assert world.stock() == (100, 100)
        assert world.sandbox.store.all("sal_out_bound") == []

    def test_goods_that_come_raise_it(self, world: World) -> None:
        world.done("goods_receipt", receipt("RK1", 30, stock_number="CK02"))
        assert world.stock("A1@CK02") == (30, 30)

    def test_no_more_leaves_than_there_is(self, world: World) -> None:
        [outcome] = world.write("goods_issue", issue("CK1", 101))
        assert isinstance(outcome, Refused)
        assert "库存不足" in outcome.zh
        assert world.sandbox.store.all("sal_out_bound") == []

    def test_what_has_been_sold_on_is_not_taken_back(self, world: World) -> None:
        native_id = world.done("goods_receipt", receipt("RK1", 5, stock_number="CK02"))
        world.done("goods_issue", issue("CK1", 5, stock_number="CK02"))
        assert isinstance(world.reverse("goods_receipt", receipt("RK1", 5), native_id), Refused)
        assert world.stock("A1@CK02") == (0, 0)

    @pytest.mark.parametrize(
        ("change", "words"),
        [({"stock_number": ""}, "stock"), ({"unit_name": "箱3"}, "不存在"), ({"tax_amount": 1}, "tax_amount")],
    )
    def test_a_refusal_gives_the_vendors_reason(self, world: World, change: Record, words: str) -> None:
        [outcome] = world.write("goods_issue", issue("CK1", 2, **change))
        assert isinstance(outcome, Refused)
        assert words in outcome.zh

    def test_an_update_of_goods_moves_the_difference(self, world: World) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        assert isinstance(world.update("goods_issue", issue("CK1", 10), native_id), Done)
        assert world.stock() == (90, 90)

    def test_an_update_that_is_refused_leaves_the_old_one_audited(self, world: World) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        outcome = world.update("goods_issue", issue("CK1", 101), native_id)
        assert isinstance(outcome, Refused)
        assert world.stock() == (70, 70)
        assert [row["bill_status"] for row in world.sandbox.store.all("sal_out_bound")] == ["C"]

    @pytest.mark.parametrize("fault", [Fault("expire_tokens", count=1), Fault("status", status=429, count=1)])
    def test_so_it_does_where_the_save_had_to_be_tried_twice(self, world: World, fault: Fault) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        world.sandbox.faults = [replace(fault, match="operation_key", headers={"Retry-After": "0"})]
        assert isinstance(world.update("goods_issue", issue("CK1", 101), native_id), Refused)
        assert [one.kind for one in world.seen] == [{"status": "RateLimited"}.get(fault.kind, "TokenExpired")]
        assert [row["bill_status"] for row in world.sandbox.store.all("sal_out_bound")] == ["C"]

    def test_where_the_old_one_cannot_be_audited_either_the_first_reason_stands(self, world: World) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        world.sandbox.faults = [Fault("lose_answer", match='"audit","ids"', count=1)]
        outcome = world.update("goods_issue", issue("CK1", 101), native_id)
        assert isinstance(outcome, Refused) and "库存不足" in outcome.zh
        assert world.sandbox.faults[0].fired == 1

    def test_what_is_gone_already_is_taken_back_even_where_nobody_knows_its_number(self, world: World) -> None:
        native_id = world.done("goods_issue", issue("CK1"))
        for _ in range(2):
            assert isinstance(world.reverse("goods_issue", {}, native_id), Done)
        assert world.stock() == (100, 100)

    def test_a_save_that_is_answered_without_an_id_is_unknown(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(world.opened._client, "post", lambda path, body: {"ids": []})
        [outcome] = world.write("goods_issue", issue("CK1"))
        assert isinstance(outcome, Unknown)


class TestSavedAndNotAudited:
    """A bill that the system kept although it could not audit it is not what we meant to write."""

    @pytest.fixture(autouse=True)
    def keeps(self, world: World) -> None:
        world.sandbox.seed({"rules": {"keeps_unaudited": True, "sells_what_is_there": True}})

    @pytest.mark.parametrize(("sink", "sent"), [("sales_order", sale("XS1", 101)), ("goods_issue", issue("CK1", 101))])
    def test_it_agrees_only_once_somebody_audited_it(self, world: World, sink: str, sent: Record) -> None:
        [outcome] = world.write(sink, sent)
        assert isinstance(outcome, Unknown) and "不足" in outcome.zh
        target = world.opened.sinks[sink]
        [found] = target.find([sent["bill_no"]]).values()
        assert dict(found.figures) == {**target.figures_of(sent), "audited": 0}
        world.sandbox.books._stock.move("A1", "CK01", Decimal(9), 1)
        entity = {"sales_order": "sal_bill_order", "goods_issue": "sal_bill_outbound"}[sink]
        world.operate(entity, "audit", found.native_id)
        [found] = target.find([sent["bill_no"]]).values()
        assert dict(found.figures) == dict(target.figures_of(sent))

    def test_a_change_that_is_saved_and_not_audited_is_told_with_the_vendors_reason(self, world: World) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        outcome = world.update("goods_issue", issue("CK1", 101), native_id)
        assert isinstance(outcome, Refused) and "库存不足" in outcome.zh
        assert world.stock() == (100, 100)

    def test_a_change_after_which_nothing_is_audited_is_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        monkeypatch.setattr(world.sandbox.books._bills["sal_out_bound"], "_audit", lambda bill, now: None)
        outcome = world.update("goods_issue", issue("CK1", 10), native_id)
        assert isinstance(outcome, Refused) and "audited 0" in outcome.zh


class TestLinks:
    """Goods tied to the order they come of."""

    def test_goods_of_a_sales_order_give_back_what_it_reserved(self, world: World) -> None:
        world.done("sales_order", sale("XS1", 10))
        assert world.stock() == (100, 90)
        world.done("goods_issue", issue("CK1", 10, src_bill_no="XS1", src_seq=1))
        assert world.stock() == (90, 90)
        [order] = world.read("sal_order_detail")
        assert order["io_status"] == "C"

    def test_goods_of_a_purchase_order_count_as_received(self, world: World) -> None:
        native_id = world.done("purchase_order", purchase("CG1", 10))
        came = receipt("RK1", 4, src_bill_no="CG1", src_seq=1)
        first = world.done("goods_receipt", came)
        [order] = world.read("pur_order")
        assert (order["io_status"], order["material_entity"][0]["in_qty"]) == ("B", 4)
        assert isinstance(world.reverse("purchase_order", purchase("CG1"), native_id), Refused)
        world.reverse("goods_receipt", came, first)
        assert isinstance(world.reverse("purchase_order", purchase("CG1"), native_id), Done)

    def test_the_goods_tell_their_order_when_they_are_read(self, world: World) -> None:
        world.done("purchase_order", purchase("CG1", 10))
        world.done("goods_receipt", receipt("RK1", 4, src_bill_no="CG1", src_seq=1))
        [row] = world.read("pur_inbound")
        assert (row["material_entity"][0]["src_bill_no"], row["material_entity"][0]["src_seq"]) == ("CG1", 1)

    @pytest.mark.parametrize(("number", "seq", "words"), [("CG9", 1, "源单"), ("CG1", 7, "源单分录")])
    def test_an_order_or_line_that_is_not_there_is_named(self, world: World, number: str, seq: int, words: str) -> None:
        world.done("purchase_order", purchase("CG1"))
        [outcome] = world.write("goods_receipt", receipt("RK1", 1, src_bill_no=number, src_seq=seq))
        assert isinstance(outcome, Refused)
        assert f"没有{words} “{number}" in outcome.zh

    def test_an_order_that_is_not_audited_takes_no_goods(self, world: World) -> None:
        native_id = world.done("purchase_order", purchase("CG1"))
        world.operate("pur_bill_order", "unaudit", native_id)
        [outcome] = world.write("goods_receipt", receipt("RK1", 1, src_bill_no="CG1", src_seq=1))
        assert isinstance(outcome, Refused)
        assert "已被删除" in outcome.zh


class TestVouchers:
    def test_a_voucher_is_saved_for_an_accountant_to_audit(self, world: World) -> None:
        world.done("voucher", posted("sale:1"))
        [row] = world.read("voucher")
        assert (row["bill_status"], row["voucher_no"], row["source_bill_no"]) == ("B", "记-1", "sale:1")
        assert row["entry_list"][0]["assist"][0]["number"] == "S01"

    def test_a_second_one_of_the_same_source_is_looked_up_whatever_the_refusal_says(self, world: World) -> None:
        world.done("voucher", posted("sale:1"))
        [again] = world.write("voucher", posted("sale:1"))
        assert isinstance(again, Unknown)
        found = world.opened.sinks["voucher"].find(["sale:1", "sale:2"])
        assert {key: dict(one.figures) for key, one in found.items()} == {"sale:1": {"debit": GROSS, "credit": GROSS}}
        assert len(world.sandbox.store.all("voucher")) == 1

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"date": "2026-09-30"}, "会计期间202609已结账"),
            ({"group_name": "银"}, "凭证字"),
            ({"date": "2026-13-01"}, "日期"),
        ],
    )
    def test_a_refusal_of_the_head_gives_the_reason(self, world: World, change: Record, words: str) -> None:
        [outcome] = world.write("voucher", {**posted("sale:1"), **change})
        assert isinstance(outcome, Refused)
        assert words in outcome.zh

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"debit_amount": "1.00", "amount_for": "1.00"}, "借贷不平衡"),
            ({"account_number": "2221"}, "不是明细科目"),
            ({"account_number": "9999"}, "9999"),
            ({"assist_list": []}, "bd_customer"),
            ({"explanation": ""}, "摘要"),
            ({"credit_amount": "5.00"}, "一方"),
            ({"currency_name": "美元"}, "币别"),
            ({"amount_for": "1.00"}, "原币"),
        ],
    )
    def test_a_refusal_of_an_entry_gives_the_reason(self, world: World, change: Record, words: str) -> None:
        payload = posted("sale:1")
        payload["entry_list"][0] |= change
        [outcome] = world.write("voucher", payload)
        assert isinstance(outcome, Refused)
        assert words in outcome.zh
        assert world.sandbox.store.all("voucher") == []

    def test_what_nobody_audited_is_deleted_when_taken_back(self, world: World) -> None:
        native_id = world.done("voucher", posted("sale:1"))
        for _ in range(2):
            assert isinstance(world.reverse("voucher", posted("sale:1"), native_id), Done)
        assert world.sandbox.store.all("voucher") == []

    @pytest.mark.parametrize("payload", [posted("sale:1"), {}])
    def test_an_audited_voucher_gets_one_red_one(self, world: World, payload: Record) -> None:
        native_id = world.done("voucher", posted("sale:1"))
        world.operate("gl_voucher", "audit", native_id)
        for _ in range(2):
            assert isinstance(world.reverse("voucher", payload, native_id), Done)
        totals = [(row["debit_total"], row["is_reverse"]) for row in world.sandbox.store.all("voucher")]
        assert sorted(totals) == [("-113.00", True), ("113.00", False)]

    @pytest.mark.parametrize("words", ["已生成凭证", "来源单据重复"])
    def test_a_voucher_that_was_reversed_is_not_there_and_its_number_is_used_up(
        self, world: World, monkeypatch: pytest.MonkeyPatch, words: str
    ) -> None:
        native_id = world.done("voucher", posted("sale:1"))
        world.operate("gl_voucher", "audit", native_id)
        assert isinstance(world.reverse("voucher", posted("sale:1"), native_id), Done)
        assert world.opened.sinks["voucher"].find(["sale:1"]) == {}
        ledger, kept = world.sandbox.books._ledger, world.sandbox.books._ledger._save

        def said(item: Record, now: int) -> str:
            try:
                return kept(item, now)
            except LedgerRefusal as refused:
                raise LedgerRefusal(str(refused).replace("已生成凭证", words)) from refused

        monkeypatch.setattr(ledger, "_save", said)
        [outcome] = world.write("voucher", posted("sale:1"))
        assert isinstance(outcome, Refused)
        assert (outcome.code, "手工补录" in outcome.zh, words in outcome.zh) == ("xingchen:reversed", True, True)
        assert len(world.sandbox.store.all("voucher")) == 2

    def test_an_audited_voucher_is_not_changed(self, world: World) -> None:
        native_id = world.done("voucher", posted("sale:1"))
        assert isinstance(world.update("voucher", posted("sale:1", Decimal("5.00")), native_id), Done)
        world.operate("gl_voucher", "audit", native_id)
        outcome = world.update("voucher", posted("sale:1"), native_id)
        assert isinstance(outcome, Refused)
        assert "已审核" in outcome.zh
        assert [row["debit_total"] for row in world.sandbox.store.all("voucher")] == ["5.00"]


class TestSecrets:
    """The appSecret of a 账套 rotates about daily, and whenever the customer authorises anew."""

    def test_a_token_of_the_old_secret_is_refused_as_such_and_the_whole_chain_begins_again(self, world: World) -> None:
        world.opened.check()
        old = world.opened._client._account()
        world.sandbox.expire_tokens()
        world.done("goods_receipt", receipt("RK1"))
        assert "1030002006" in world.seen[0].detail
        assert world.opened._client._account()["appSecret"] != old["appSecret"]
        assert len(world.sandbox.store.all("tokens")) == 1

    def test_a_token_that_ran_out_is_told_from_one_that_was_revoked(self, world: World) -> None:
        world.opened.check()
        for token in list(world.sandbox.store.keys("tokens")):
            world.sandbox.store.put("tokens", token, {"expires": 0})
        world.done("goods_receipt", receipt("RK1"))
        assert "1000202001" in world.seen[0].detail

    def test_a_secret_that_rotates_between_authorisation_and_token_is_asked_for_again(self, world: World) -> None:
        world.sandbox.faults = [Fault("expire_tokens", match="kingdee_auth_token", count=1)]
        assert dict(world.opened.check())["账套"] == "禾田商贸"
        assert [one.kind for one in world.seen] == ["TokenExpired"]

    def test_the_old_secret_signs_nothing(self, world: World) -> None:
        client = world.opened._client
        old = client._account()
        world.sandbox.expire_tokens()
        query = {"app_key": old["appKey"], "app_signature": hex64(old["appSecret"], old["appKey"])}
        with pytest.raises(TokenExpired, match="1030002006"):
            client._send("GET", "/jdyconnector/app_management/kingdee_auth_token", query, None, {})

    def test_a_secret_that_rotates_in_the_middle_of_an_update_leaves_it_done_once(self, world: World) -> None:
        native_id = world.done("goods_issue", issue("CK1", 30))
        world.sandbox.faults = [Fault("expire_tokens", match=word, count=1) for word in ("unaudit", "operation_key")]
        assert isinstance(world.update("goods_issue", issue("CK1", 10), native_id), Done)
        assert [one.kind for one in world.seen] == ["TokenExpired", "TokenExpired"]
        assert world.stock() == (90, 90)


STREAMS = {
    "unit": "unit",
    "store": "warehouse",
    "customer": "customer",
    "supplier": "supplier",
    "sal_order_detail": "sales_order",
    "pur_order": "purchase_order",
    "sal_out_bound": "goods_issue",
    "pur_inbound": "goods_receipt",
    "voucher": "voucher",
}
OUT = ("product", "customer", "supplier", "purchase_order", "goods_issue", "goods_receipt", "voucher")


class TestMappings:
    @pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
    def test_each_keeps_its_own_tests(self, path: Path) -> None:
        results = run_tests(load_mapping(path))
        assert results
        assert [(one.name, one.differences) for one in results if not one.passed] == []

    @pytest.mark.parametrize(("stream", "mapping"), STREAMS.items())
    def test_what_is_read_becomes_valid_documents(self, world: World, stream: str, mapping: str) -> None:
        for sink in ("sales_order", "purchase_order", "goods_issue", "goods_receipt", "voucher"):
            world.done(sink, SINKS[sink].payload(1))
        compiled = load_mapping(FOLDER / f"{mapping}.in.yaml")
        records = world.read(stream, ALL)
        assert records
        for record in records:
            for entity, document in compiled.documents(record, StaticLookup(), {"shop": "批发"}):
                check(entity, document)

    @pytest.mark.parametrize("entity", ["purchase_order", "goods_issue", "goods_receipt"])
    def test_a_bill_that_goes_out_comes_back_the_same(self, world: World, entity: str) -> None:
        """Canonical → payload → the system → raw → canonical: nothing of it is lost on the way."""
        document = BILLS[entity]
        out = load_mapping(FOLDER / f"{entity}.out.yaml").run(document, PRODUCTS, {"same_codes": True})
        assert out is not None
        world.done(entity, out)
        stream = next(name for name, made in STREAMS.items() if made == entity)
        back = load_mapping(FOLDER / f"{entity}.in.yaml").run(world.read(stream)[0], StaticLookup(), {})
        assert back is not None
        assert {name: back[name] for name in document if name not in ("lines", "status")} == {
            name: value for name, value in document.items() if name not in ("lines", "status")
        }
        for sent, there in zip(document["lines"], back["lines"], strict=True):
            assert {name: there[name] for name in sent} == sent

    def test_a_voucher_of_the_rules_is_accepted_to_the_cent(self, world: World) -> None:
        mapping = load_mapping(FOLDER / "voucher.out.yaml")
        payload = mapping.run(SALE, StaticLookup({"customer": {"S01": "S01"}}), {})
        assert payload is not None
        world.done("voucher", payload)
        back = load_mapping(FOLDER / "voucher.in.yaml").run(world.read("voucher")[0], StaticLookup(), {})
        assert back is not None
        check("voucher", back)
        assert (back["key"], back["debit"], back["credit"]) == (SALE["key"], GROSS, GROSS)
        assert [(one["account"], one["debit"], one["credit"]) for one in back["lines"]] == [
            ("1122", GROSS, 0),
            ("6001", 0, Decimal("100.00")),
            ("22210105", 0, Decimal("13.00")),
        ]

    def test_products_and_parties_that_go_out_come_back_the_same(self, world: World) -> None:
        for entity, document in PARTIES.items():
            payload = load_mapping(FOLDER / f"{entity}.out.yaml").run(document, StaticLookup(), {})
            assert payload is not None
            world.done(entity, payload)
            stream = "material" if entity == "product" else entity
            [raw] = world.read(stream, Window(ALL.since, ALL.until, keys=("N1",)))
            back = load_mapping(FOLDER / f"{entity}.in.yaml").run(raw, StaticLookup(), {})
            assert back is not None
            assert {name: back[name] for name in document} == document


PRODUCTS = StaticLookup({}, {"product": {"A1": {"unit": "件", "tax_rate": Decimal("0.13")}}})
LINE = {
    "line_no": 1,
    "sku": "A1",
    "qty": 3,
    "gross": Decimal("20.00"),
    "tax_rate": Decimal("0.13"),
    "warehouse": "CK01",
}
BILLS: dict[str, Record] = {
    "purchase_order": {
        "key": "CG1",
        "order_no": "CG1",
        "status": "open",
        "business_date": "2026-11-11",
        "supplier": {"key": "G01", "name": "供应商1"},
        "gross": Decimal("20.00"),
        "remark": "𠮷野家",
        "lines": [LINE],
    },
    "goods_issue": {
        "key": "CK1",
        "issue_no": "CK1",
        "kind": "sale",
        "business_date": "2026-11-11",
        "party": {"key": "S01", "name": "客户1"},
        "gross": Decimal("20.00"),
        "lines": [{**LINE, "batch": "P7"}],
    },
    "goods_receipt": {
        "key": "RK1",
        "receipt_no": "RK1",
        "kind": "purchase",
        "business_date": "2026-11-11",
        "party": {"key": "G01", "name": "供应商1"},
        "gross": Decimal("20.00"),
        "lines": [LINE],
    },
}
TAXED: Record = {
    "key": "N1",
    "name": "禾田商贸有限公司",
    "kind": "company",
    "tax_no": "91350100M000100Y43",
    "bank": "工商银行",
}
PARTIES: dict[str, Record] = {
    "product": {"key": "N1", "sku": "N1", "name": "面条", "spec": "500g", "unit": "件", "tax_rate": Decimal("0.13")},
    "customer": {**TAXED, "role": "customer"},
    "supplier": {**TAXED, "role": "supplier"},
}
SALE: Record = {
    "key": "sale:S01:2026-11-11",
    "date": "2026-11-11",
    "period": "202611",
    "word": "记",
    "summary": "销售",
    "attachments": 0,
    "debit": GROSS,
    "credit": GROSS,
    "lines": [
        {
            "line_no": 1,
            "summary": "销售",
            "account": "receivable",
            "aux": {"customer": "S01"},
            "debit": GROSS,
            "credit": 0,
        },
        {"line_no": 2, "summary": "销售", "account": "revenue", "debit": 0, "credit": Decimal("100.00")},
        {"line_no": 3, "summary": "销售", "account": "output_vat", "debit": 0, "credit": Decimal("13.00")},
    ],
}
