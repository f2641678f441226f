"""One accepted row lets go what waits in every flow at once, and the next run of each delivers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from duijie.codec import Record
from duijie.codes import fix
from duijie.codes.advice import Advice
from duijie.codes.suggest import Known
from duijie.codes.worklist import Wanted, filters, waiting
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.deliver import Delivering
from duijie.flow import Deliver, Flow, Pull
from duijie.journal import Journal, documents, inbox
from duijie.journal.codes import Code
from duijie.journal.inbox import Source
from duijie.journal.lookup import JournalLookup
from duijie.journal.tables import delivery, message, work_item
from duijie.mapping import load_mapping
from duijie.pull import Refinery
from duijie.replay import Released, Routes

OUT = """
mapping: psi/order.out
from: {entity: sales_order}
to: {system: psi, sink: order}
version: 1
fields: {no: key, amount: gross, customer: 'xref("customer", shop)'}
"""
IN = """
mapping: psi/party.in
from: {system: psi, stream: customer}
to: {entity: party}
version: 1
fields: {key: id, name: 'xref("customer", shop)', kind: '"company"', role: '"customer"'}
"""
REF = """
mapping: psi/party.in
from: {system: psi, stream: customer}
to: {entity: party}
version: 1
fields: {key: id, name: 'ref("product", sku).name', kind: '"company"', role: '"customer"'}
"""


class Target:
    """A system at the other end of the seam that keeps what is written."""

    name, entity, batch, safety = "order", "sales_order", 10, Safety.NATURAL_KEY

    def __init__(self) -> None:
        self.held: list[Record] = []

    def key_of(self, payload: Record) -> str:
        return str(payload["no"])

    def figures_of(self, payload: Record) -> Figures:
        return {"amount": payload["amount"]}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        return {}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        self.held += payloads
        return [Done(str(one["no"]), str(one["no"]), {}) for one in payloads]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "postgresql":
        return Journal.open(request.getfixturevalue("postgres_database"))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def known(tmp_path: Path) -> Routes:
    """The two flows: orders are delivered, customers are pulled."""
    (tmp_path / "mappings/psi").mkdir(parents=True)
    (tmp_path / "mappings/psi/party.in.yaml").write_text(IN, encoding="utf-8")
    since = datetime(2026, 11, 1, tzinfo=UTC)
    pull = Pull(name="p", connection="psi", stream="customer", mapping="psi/party.in", since=since)
    send = Deliver(name="d", connection="psi", sink="order", entity="sales_order", mapping="psi/order.out")
    return Routes({"orders": Flow("orders", "订单", (send,)), "crm": Flow("crm", "客户", (pull,))}, tmp_path)


def orders(kept: Journal, *keys: str, shop: str = "S09", day: str = "2026-11-11") -> None:
    with kept.writing() as tx:
        for key in keys:
            body = {"key": key, "gross": Decimal("113.00"), "shop": shop, "business_date": day}
            documents.put(tx, kept, "sales_order", body, (None, "test"))


def deliver(kept: Journal, target: Target, folder: Path, connection: str = "psi") -> Record:
    path = folder / "order.out.yaml"
    path.write_text(OUT, encoding="utf-8")
    step = Deliver(name="d", connection=connection, sink="order", entity="sales_order", mapping="psi/order.out")
    lookup = JournalLookup(kept, connection)
    return dict(Delivering(kept, "orders", step, target, load_mapping(path), lookup).run())


def refine(kept: Journal, folder: Path, mapping: str = IN, flow: str = "crm") -> Record:
    path = folder / "party.in.yaml"
    path.write_text(mapping, encoding="utf-8")
    return dict(
        Refinery(kept, flow, "party", load_mapping(path), JournalLookup(kept, "psi")).run(Source("psi", "customer"), {})
    )


def states(kept: Journal, table=delivery) -> list[str]:
    with kept.reading() as tx:
        return list(tx.execute(select(table.c.state).order_by(table.c.id)).scalars())


def blocked_twice(kept: Journal, target: Target, folder: Path) -> None:
    """Two orders and one raw customer wait for the same code, in two flows."""
    orders(kept, "a", "b")
    deliver(kept, target, folder)
    inbox.store(kept, Source("psi", "customer"), "id", [{"id": "P1", "shop": "S09", "shop_name": "天猫旗舰店"}])
    refine(kept, folder)


def test_one_row_lets_go_both_flows_at_once_and_the_next_runs_deliver(
    kept: Journal, known: Routes, target: Target, tmp_path: Path
) -> None:
    blocked_twice(kept, target, tmp_path)
    [item] = waiting(kept)
    assert (item.records, item.money, item.flows, item.is_answered) == (3, 22600, ["crm", "orders"], False)
    assert (states(kept), states(kept, message)) == (["blocked", "blocked"], ["blocked"])

    done = fix.save(kept, [Code("customer", "psi", "S09", "KH009")], "张三", known)
    assert done.said == ("已保存 1 行对照; 1 项待处理放行 报文 1, 单据 2; 流程 crm, orders 下次运行时处理")
    assert (states(kept), states(kept, message)) == (["pending", "pending"], ["new"])
    [item] = waiting(kept)
    assert item.is_answered
    assert item.note == "张三 已补对照, 放行 报文 1, 单据 2, 等待流程下次运行"

    deliver(kept, target, tmp_path)
    refine(kept, tmp_path)
    assert [one["customer"] for one in target.held] == ["KH009", "KH009"]
    assert (states(kept), states(kept, message)) == (["done", "done"], ["mapped"])
    assert waiting(kept) == []
    with kept.reading() as tx:
        [closed] = tx.execute(select(work_item)).all()
    assert closed.resolution == "张三 已补对照, 放行 报文 1, 单据 2, 等待流程下次运行; 重放后全部通过"


def test_a_row_of_another_connection_lets_nothing_go_and_one_for_all_does(
    kept: Journal, known: Routes, target: Target, tmp_path: Path
) -> None:
    blocked_twice(kept, target, tmp_path)
    done = fix.save(kept, [Code("customer", "ledger", "S09", "KH009")], "张三", known)
    assert done.said == "已保存 1 行对照; 没有单据在等待放行"
    assert states(kept) == ["blocked", "blocked"]
    assert fix.save(kept, [Code("customer", "*", "S09", "KH009")], "张三", known).released == Released(1, 2)


def test_a_flow_that_cannot_be_read_keeps_no_other_back(
    kept: Journal, known: Routes, target: Target, tmp_path: Path
) -> None:
    orders(kept, "a")
    deliver(kept, target, tmp_path)
    deliver(kept, target, tmp_path, "ledger")
    (tmp_path / "mappings/psi/party.in.yaml").write_text("mapping: wrong", encoding="utf-8")
    inbox.store(kept, Source("psi", "customer"), "id", [{"id": "P1", "shop": "S10"}])
    refine(kept, tmp_path)
    done = fix.save(kept, [Code("customer", "*", code, "KH009") for code in ("S09", "S10")], "张三", known)
    assert (done.written, done.released) == (2, Released(0, 2))
    assert "待处理 3 未能放行" in done.said


def test_only_what_waits_for_this_code_goes(kept: Journal, known: Routes, target: Target, tmp_path: Path) -> None:
    orders(kept, "a")
    orders(kept, "b", shop="S10")
    deliver(kept, target, tmp_path)
    fix.save(kept, [Code("customer", "psi", "S09", "KH009")], "张三", known)
    assert states(kept) == ["pending", "blocked"]
    assert [(one.code, one.is_answered) for one in waiting(kept)] == [("S09", True), ("S10", False)]


def test_a_code_that_begins_after_the_documents_day_leaves_them_blocked(
    kept: Journal, known: Routes, target: Target, tmp_path: Path
) -> None:
    orders(kept, "a")
    orders(kept, "b", day="2026-12-05")
    deliver(kept, target, tmp_path)
    fix.save(kept, [Code("customer", "psi", "S09", "KH009", date(2026, 12, 1))], "张三", known)
    deliver(kept, target, tmp_path)
    assert states(kept) == ["blocked", "done"]
    [item] = waiting(kept)
    assert item.records == 1


def test_a_missing_document_is_told_apart_and_its_arrival_lets_go(kept: Journal, known: Routes, tmp_path: Path) -> None:
    inbox.store(kept, Source("psi", "customer"), "id", [{"id": "P1", "sku": "A1", "title": "苹果"}])
    refine(kept, tmp_path, REF)
    [item] = waiting(kept)
    assert (item.is_code, item.kind, item.code, item.connection) == (False, "product", "A1", "")
    assert fix.save(kept, [Code("product", "psi", "A1", "A1")], "张三", known).items == []
    assert fix.arrived(kept, "product") == []
    with kept.writing() as tx:
        documents.put(tx, kept, "product", {"key": "A1", "name": "苹果"}, (None, "test"))
    assert fix.release(kept, fix.arrived(kept, "product"), "duijie", known).released == Released(1, 0)
    assert refine(kept, tmp_path, REF)["new_documents"] == 1
    assert waiting(kept) == []


def test_a_counterpart_that_no_code_stands_for_waits_for_a_row(kept: Journal, known: Routes, tmp_path: Path) -> None:
    back = REF.replace('ref("product", sku).name', 'xref_back("unit", unit)')
    inbox.store(kept, Source("psi", "customer"), "id", [{"id": "P1", "unit": "件"}, {"id": "P2", "unit": "盒"}])
    refine(kept, tmp_path, back)
    assert [(one.is_reverse, one.code) for one in waiting(kept)] == [(True, "件"), (True, "盒")]
    assert fix.save(kept, [Code("unit", "psi", "件", "PCS")], "张三", known).items == []
    done = fix.save(kept, [Code("unit", "psi", "PCS", "件"), Code("unit", "*", "BOX", "盒")], "张三", known)
    assert done.released == Released(2, 0)
    refine(kept, tmp_path, back)
    assert states(kept, message) == ["mapped", "mapped"]
    found = JournalLookup(kept, "psi")
    assert [found.codes("unit", "件"), found.codes("unit", "PCS"), found.codes("unit", "?")] == [["PCS"], ["件"], []]


def test_the_list_can_be_narrowed_and_has_the_most_money_first(kept: Journal, target: Target, tmp_path: Path) -> None:
    orders(kept, "a", "b")
    orders(kept, "c", shop="S10")
    deliver(kept, target, tmp_path)
    deliver(kept, Target(), tmp_path, "ledger")
    inbox.store(kept, Source("psi", "customer"), "id", [{"id": "P1", "sku": "A1"}])
    refine(kept, tmp_path, REF)
    assert [one.code for one in waiting(kept)] == ["S09", "S09", "S10", "S10", "A1"]
    assert [one.code for one in waiting(kept, Wanted(kind="product"))] == ["A1"]
    assert [one.connection for one in waiting(kept, Wanted(connection="ledger", search="10"))] == ["ledger"]
    assert sorted(filters(kept)) == [("customer", "ledger", 2), ("customer", "psi", 2), ("product", "", 1)]


def test_suggestions_come_from_other_rows_and_from_master_documents(
    kept: Journal, known: Routes, target: Target, tmp_path: Path
) -> None:
    blocked_twice(kept, target, tmp_path)
    fix.save(kept, [Code("customer", "psi", "ｓ09", "KH009"), Code("customer", "ledger", "S09", "77")], "张三", known)
    with kept.writing() as tx:
        product = {"key": "A1", "name": "红富士苹果", "spec": "5斤", "barcode": "6901234567892"}
        documents.put(tx, kept, "product", product, (None, "test"))
    advice = Advice(kept)
    [item] = waiting(kept)
    known = advice.known([item])[item.item_id]
    found = advice.for_item(item, known)
    assert [(one.code, one.score) for one in found] == [("KH009", 97), ("77", 85)]
    [product_hit] = advice.suggest(("sku", "shop", False), Known("6901234567892"))
    assert (product_hit.code, product_hit.name, product_hit.score) == ("A1", "红富士苹果 5斤", 95)
