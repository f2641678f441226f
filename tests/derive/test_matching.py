"""三单匹配: what fits is settled to the cent, what does not is told by its line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive.making import make
from duijie.derive.matching import Limits, load_limits, ordered_lines, settled_by, settlement
from duijie.engine import ROOT
from duijie.flow import Derive
from duijie.journal import Journal, documents
from duijie.journal.tables import work_item
from duijie.schemas import check

D = Decimal
Record = dict[str, Any]
SUPPLIER = {"name": "杭州示例供应有限公司", "tax_no": "91330106MA2DEMK14E"}
LIMITS = Limits()


def invoice(*lines: Record, number: str = "26991000000000000001", **more: Any) -> Record:
    made = list(lines or [row()])
    total = {name: sum((line[name] for line in made), D("0.00")) for name in ("net", "tax", "gross")}
    head = {"key": number, "number": number, "form": "xml", "colour": "blue", "issued_at": "2026-11-23T10:00:03+08:00"}
    return {**head, "seller": SUPPLIER, "buyer": {"name": "我方"}, **total, "lines": made, **more}


def row(name: str = "*计算机外部设备*鼠标", qty: int = 10, net: str = "1000.00", at: int = 1, **more: Any) -> Record:
    value = D(net)
    tax = (value * D("0.13")).quantize(D("0.01"))
    line = {"line_no": at, "name": name, "qty": D(qty), "tax_rate": D("0.13"), "net": value, "tax": tax}
    return {**line, "gross": value + tax, **more}


def order(no: str = "PO1", sku: str = "A1", name: str = "鼠标", qty: int = 10, net: str = "1000.00") -> Record:
    value = D(net)
    line = {"line_no": 1, "sku": sku, "name": name, "qty": qty, "tax_rate": D("0.13"), "net": value}
    line["gross"] = (value * D("1.13")).quantize(D("0.01"))
    supplier = {"key": "P1", "name": SUPPLIER["name"]}
    head = {"key": no, "order_no": no, "status": "open", "business_date": "2026-11-01", "supplier": supplier}
    return {**head, "gross": line["gross"], "lines": [line]}


def receipt(no: str = "R1", qty: int = 10, of: str = "PO1", date: str = "2026-11-10") -> Record:
    line = {"line_no": 1, "sku": "A1", "qty": qty, "order_no": of, "order_line": 1}
    return {"key": no, "receipt_no": no, "kind": "purchase", "business_date": date, "lines": [line]}


def match(
    one: Record, orders: list[Record], receipts: list[Record], limits: Limits = LIMITS, before: Any = ()
) -> Record:
    made = settlement(one, ordered_lines(orders, receipts, settled_by(before)), limits)
    check("purchase_settlement", made)
    return made


def off(*given: Any, **more: Any) -> str:
    with pytest.raises(InvalidDocument) as caught:
        match(*given, **more)
    return caught.value.zh


def test_what_fits_is_settled_with_its_receipts_and_its_difference() -> None:
    made = match(invoice(), [order()], [receipt("R1", 4), receipt("R2", 6)])
    assert (made["net"], made["estimated"], made["difference"]) == (D("1000.00"), D("1000.00"), D("0.00"))
    (line,) = made["lines"]
    assert (line["order_no"], line["order_line"], line["sku"], line["qty"]) == ("PO1", 1, "A1", 10)
    assert [(one["receipt_no"], one["qty"]) for one in line["receipts"]] == [("R1", 4), ("R2", 6)]


def test_part_of_a_receipt_may_be_invoiced_and_the_rest_later_never_more() -> None:
    first = match(invoice(row(qty=4, net="400.00")), [order()], [receipt()])
    second = match(invoice(row(qty=6, net="600.00"), number="2" * 20), [order()], [receipt()], before=[first])
    assert second["lines"][0]["receipts"] == [{"receipt_no": "R1", "line_no": 1, "qty": D(6)}]
    told = off(invoice(row(qty=1, net="100.00"), number="3" * 20), [order()], [receipt()], before=[first, second])
    assert "第 1 行" in told and "开票数量 1 超过已入库未结算 0" in told and "订单 PO1 第 1 行" in told


def test_nothing_received_settles_nothing() -> None:
    assert "超过已入库未结算 0" in off(invoice(), [order()], [])


def test_a_price_that_is_not_the_orders_is_told_and_within_the_percent_let_pass() -> None:
    dearer = invoice(row(net="1030.00"))
    told = off(dearer, [order()], [receipt()])
    assert "含税单价 116.3900" in told and "113.0000" in told
    made = match(dearer, [order()], [receipt()], Limits(price_percent=D(3)))
    assert made["difference"] == D("30.00")
    assert "含税单价" in off(dearer, [order()], [receipt()], Limits(price_percent=D("2.9")))


def test_two_cents_of_rounding_are_no_difference_of_price() -> None:
    made = match(invoice(row(net="1000.01")), [order()], [receipt()])
    assert made["difference"] == D("0.01")


def test_more_received_than_ordered_is_told_and_within_the_percent_let_pass() -> None:
    assert "入库 11 超过订单 PO1 第 1 行的订购数量 10" in off(invoice(), [order()], [receipt(qty=11)])
    assert match(invoice(), [order()], [receipt(qty=11)], Limits(receipt_percent=D(10)))


def test_more_invoiced_than_received_is_let_pass_within_the_percent() -> None:
    one = invoice(row(qty=10))
    assert "超过已入库未结算 9" in off(one, [order()], [receipt(qty=9)])
    made = match(one, [order()], [receipt(qty=9)], Limits(qty_percent=D(10)))
    assert (made["lines"][0]["qty"], made["lines"][0]["net"]) == (9, D("1000.00"))


def test_a_rate_or_goods_that_nobody_ordered_are_told_together() -> None:
    wrong = row(at=1) | {"tax_rate": D("0.09")}
    told = off(invoice(wrong, row("键盘", at=2)), [order()], [receipt()])
    assert "第 1 行" in told and "税率 0.09" in told and "第 2 行 键盘: 订单中没有该商品" in told


@pytest.mark.parametrize("line", [row("A1"), row("*其他*A 1"), row("别名", spec="A1"), row("鼠 标")])
def test_goods_are_known_by_name_or_by_sku(line: Record) -> None:
    assert match(invoice(line), [order()], [receipt()])


def test_an_order_named_in_the_remark_goes_before_all_others() -> None:
    orders, receipts = [order("PO1"), order("PO2")], [receipt("R1", of="PO1"), receipt("R2", of="PO2")]
    assert match(invoice(), orders, receipts)["lines"][0]["order_no"] == "PO1"
    assert match(invoice(remark="对应 PO2"), orders, receipts)["lines"][0]["order_no"] == "PO2"


def test_the_order_whose_price_fits_goes_before_an_older_one() -> None:
    orders, receipts = [order("PO1", net="900.00"), order("PO2")], [receipt("R1", of="PO1"), receipt("R2", of="PO2")]
    assert match(invoice(), orders, receipts)["lines"][0]["order_no"] == "PO2"


def test_a_line_over_two_orders_is_shared_out_to_the_cent() -> None:
    one = invoice(row(qty=3, net="100.01"))
    orders = [order("PO1", qty=1, net="33.33"), order("PO2", qty=2, net="66.67")]
    made = match(one, orders, [receipt("R1", 1, "PO1"), receipt("R2", 2, "PO2")], Limits(price_percent=D(1)))
    assert len(made["lines"]) == 2
    assert sum(line["net"] for line in made["lines"]) == D("100.01")
    assert sum(line["gross"] for line in made["lines"]) == made["gross"]


def test_a_discount_line_is_taken_off_the_line_before_it() -> None:
    discount = {
        "line_no": 2,
        "name": "*计算机外部设备*鼠标",
        "net": D("-100.00"),
        "tax": D("-13.00"),
        "gross": D("-113.00"),
    }
    made = match(invoice(row(net="1100.00"), discount), [order()], [receipt()])
    assert made["lines"][0]["net"] == D("1000.00")


def test_a_red_one_and_one_without_lines_wait_for_a_person() -> None:
    assert "红字" in off(invoice(colour="red"), [order()], [receipt()])
    assert "XML" in off({**invoice(), "lines": []}, [order()], [receipt()])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_never_more_is_settled_than_was_received(came: list[int], billed: list[int]) -> None:
    orders = [order(qty=1000, net="100000.00")]
    receipts = [receipt(f"R{at}", qty) for at, qty in enumerate(came)]
    before: list[Record] = []
    for at, qty in enumerate(billed):
        one = invoice(row(qty=qty, net=f"{qty * 100}.00"), number=f"{at:020}")
        try:
            before.append(match(one, orders, receipts, before=before))
        except InvalidDocument:
            continue
    taken = settled_by(before)
    assert all(taken[f"R{at}", 1] <= qty for at, qty in enumerate(came))
    assert sum(taken.values()) == sum(line["qty"] for one in before for line in one["lines"]) <= sum(came)


def test_the_shipped_limits_let_nothing_pass_and_a_wrong_file_is_named(tmp_path: Path) -> None:
    assert load_limits(ROOT / "mappings" / "rules" / "purchase_invoice.yaml") == LIMITS
    wrong = tmp_path / "purchase_invoice.yaml"
    wrong.write_text("price: 3", encoding="utf-8")
    with pytest.raises(ConfigError, match="purchase_invoice"):
        load_limits(wrong)


class TestFromTheJournal:
    STEP = Derive(name="match", make="purchase_settlements")

    def put(self, journal: Journal, entity: str, body: Record) -> None:
        check(entity, body)
        with journal.writing() as tx:
            documents.put(tx, journal, entity, body, (None, "test"))

    def run(self, journal: Journal) -> dict[str, int]:
        return dict(make(journal, "purchase_invoices", self.STEP, ROOT / "mappings"))

    def open_items(self, journal: Journal) -> list[str]:
        with journal.reading() as tx:
            return list(tx.execute(select(work_item.c.reason).where(work_item.c.state != "closed")).scalars())

    def test_a_difference_waits_for_a_person_and_a_late_receipt_releases_it(
        self, tmp_path: Path, monkeypatch: Any
    ) -> None:
        monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
        journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
        self.put(journal, "purchase_order", order())
        self.put(journal, "purchase_invoice", invoice())
        assert self.run(journal) == {"sources": 1, "waiting": 1}
        (reason,) = self.open_items(journal)
        assert "发票 26991000000000000001" in reason and "第 1 行" in reason
        self.put(journal, "goods_receipt", {**receipt("R0"), "approval": "void"})
        assert self.run(journal) == {"sources": 1, "waiting": 1}
        self.put(journal, "goods_receipt", receipt())
        assert self.run(journal) == {"sources": 1, "new_documents": 1}
        assert self.open_items(journal) == []
        made = documents.get(journal, "purchase_settlement", "26991000000000000001")
        assert made is not None and made.body["difference"] == 0
        assert self.run(journal) == {"sources": 0}

    def test_a_supplier_is_known_by_its_tax_number_under_another_name(self, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
        journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
        party = {"key": "P1", "name": "示例供应", "kind": "company", "role": "supplier", "tax_no": SUPPLIER["tax_no"]}
        self.put(journal, "party", party)
        self.put(journal, "purchase_order", {**order(), "supplier": {"key": "P1", "name": "示例供应"}})
        self.put(journal, "goods_receipt", receipt())
        self.put(journal, "purchase_invoice", invoice())
        assert self.run(journal) == {"sources": 1, "new_documents": 1}
