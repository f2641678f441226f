"""冲销: what is withdrawn after it was posted comes out of the books, to the cent, once, by a red voucher."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from duijie.codec import Record
from duijie.derive.vouchers import load_rules, original_key, reversal, voucher
from duijie.flow import Derive
from duijie.journal import Journal, deliveries, documents, planning, reversals
from duijie.journal.codes import CHINA
from duijie.journal.deliveries import Change
from duijie.journal.tables import derived, link, work_item
from duijie.schemas import check
from tests.derive.test_making import SALE, deliver, kept, keys, order, put, run
from tests.derive.test_vouchers import RATES, posted
from tests.derive.test_vouchers import order as sold

REVERSE = Derive(name="r", make="voucher_reversals")
RULES = load_rules(Path("mappings/rules/voucher.yaml"))
FIRST = "sale:S01:2026-11-11:1"
RED = "sale_reversal:S01:2026-11-11:1:1"
__all__ = ["kept"]


def ledger(journal: Journal, after: str = "done") -> None:
    """Every voucher reaches the ledger."""
    sink = "ledger/voucher"
    planning.plan(journal, "vouchers", sink, [(one, 0) for one in planning.unplanned(journal, "voucher", sink)])
    for row in deliveries.claim(journal, sink, ("pending",), 50):
        deliveries.settle(journal, "claimed", {row.claim: Change(after)})


def sale(journal: Journal, *orders: dict[str, object]) -> None:
    put(journal, "sales_order", *orders)
    deliver(journal)
    run(journal, SALE)


def books(journal: Journal) -> dict[str, Decimal]:
    """What all vouchers come to, by account and side."""
    found: dict[str, Decimal] = {}
    for one in documents.current(journal, "voucher"):
        for line in one.body["lines"]:
            side = "debit" if line["debit"] else "credit"
            name = f"{line['account']} {side}"
            found[name] = found.get(name, Decimal(0)) + line[side]
    return {name: amount for name, amount in found.items() if amount}


@pytest.mark.parametrize("approval", ["void", "draft"])
def test_a_withdrawn_order_is_reversed_alone_and_once(kept: Journal, approval: str) -> None:
    sale(kept, order("1"), order("2"))
    ledger(kept)
    put(kept, "sales_order", order("1", approval=approval))
    assert run(kept, REVERSE)["new_documents"] == 1
    assert run(kept, REVERSE) == {}
    found = documents.get(kept, "voucher", RED)
    assert found is not None
    today = f"{kept.now().astimezone(CHINA):%Y-%m-%d}"
    assert (found.body["date"], found.body["period"]) == (
        max(today, "2026-11-11"),
        found.body["date"][:7].replace("-", ""),
    )
    assert found.body["summary"] == f"冲销 {FIRST} 1单"
    assert posted(found.body) == [
        ("receivable", Decimal("-113.00"), Decimal("0.00")),
        ("revenue", Decimal("0.00"), Decimal("-100.00")),
        ("output_vat", Decimal("0.00"), Decimal("-13.00")),
    ]
    assert books(kept) == {
        "receivable debit": Decimal("113.00"),
        "revenue credit": Decimal("100.00"),
        "output_vat credit": Decimal("13.00"),
    }


def test_it_is_linked_to_the_voucher_and_to_what_was_withdrawn(kept: Journal) -> None:
    sale(kept, order("1"))
    ledger(kept)
    put(kept, "sales_order", order("1", approval="void"))
    run(kept, REVERSE)
    query = select(link.c.from_key, link.c.amount).where(link.c.to_key == RED).order_by(link.c.from_key)
    with kept.reading() as tx:
        assert [tuple(row) for row in tx.execute(query)] == [(FIRST, 0), ("taobao:S01:1", -11300)]
    assert original_key(RED) == FIRST


def test_what_is_withdrawn_later_is_a_reversal_more(kept: Journal) -> None:
    sale(kept, order("1"), order("2"))
    ledger(kept)
    for number in ("1", "2"):
        put(kept, "sales_order", order(number, approval="void"))
        run(kept, REVERSE)
    assert keys(kept, "voucher") == [FIRST, RED, f"{RED[:-1]}2"]
    assert books(kept) == {}


def test_an_order_that_lives_again_is_posted_again_and_may_be_reversed_again(kept: Journal) -> None:
    sale(kept, order("1"))
    ledger(kept)
    put(kept, "sales_order", order("1", approval="void"))
    run(kept, REVERSE)
    sale(kept, order("1"))
    assert keys(kept, "voucher") == [FIRST, RED, "sale:S01:2026-11-11:2"]
    ledger(kept)
    put(kept, "sales_order", order("1", approval="void"))
    run(kept, REVERSE)
    assert keys(kept, "voucher")[-1] == "sale_reversal:S01:2026-11-11:2:1"
    assert books(kept) == {}


def test_a_change_that_withdraws_nothing_reverses_nothing(kept: Journal) -> None:
    sale(kept, order("1"))
    ledger(kept)
    put(kept, "sales_order", order("1", status="closed"))
    assert run(kept, REVERSE) == {}


def test_a_withdrawn_order_that_was_never_posted_makes_no_voucher(kept: Journal) -> None:
    put(kept, "sales_order", order("1"))
    deliver(kept)
    put(kept, "sales_order", order("1", approval="void"))
    assert run(kept, SALE)["sources"] == 0
    assert run(kept, REVERSE) == {}


def test_it_waits_for_the_delivery_of_its_voucher(kept: Journal) -> None:
    sale(kept, order("1"))
    put(kept, "sales_order", order("1", approval="void"))
    assert run(kept, REVERSE) == {"postponed": 1, "sources": 1}
    ledger(kept)
    assert run(kept, REVERSE)["new_documents"] == 1


def test_a_voucher_that_a_ledger_will_never_get_is_left_to_a_person(kept: Journal) -> None:
    sale(kept, order("1"))
    ledger(kept, after="cancelled")
    put(kept, "sales_order", order("1", approval="void"))
    assert run(kept, REVERSE)["waiting"] == 1
    with kept.reading() as tx:
        [item] = tx.execute(select(work_item)).all()
    assert (item.kind, "请人工冲销" in item.reason) == ("conflict", True)


def test_of_two_processes_one_reverses(kept: Journal) -> None:
    sale(kept, order("1"))
    ledger(kept)
    put(kept, "sales_order", order("1", approval="void"))
    [used] = reversals.changed(kept, "sale", "sales_order", kept.now().replace(year=2020))
    run(kept, REVERSE)
    with kept.writing() as tx:
        assert not reversals.put_aside(tx, "sale", [used], "other")
    assert keys(kept, "voucher") == [FIRST, RED]


def test_many_used_documents_are_gone_through_in_batches(kept: Journal) -> None:
    numbers = [f"{number:04}" for number in range(reversals.BATCH + 3)]
    put(kept, "sales_order", *(order(number) for number in numbers))
    with kept.writing() as tx:
        head = {"rule": "sale", "entity": "sales_order", "document_id": 0, "result_key": FIRST}
        tx.execute(insert(derived), [{**head, "key": f"taobao:S01:{number}"} for number in numbers])
    found = reversals.changed(kept, "sale", "sales_order", kept.now().replace(year=2020))
    assert [one.key[-4:] for one in found] == numbers


LINES = st.lists(
    st.tuples(st.integers(1, 99999).map(lambda fen: f"{Decimal(fen) / 100:.2f}"), st.sampled_from(RATES)), min_size=1
)


@given(goods=st.lists(LINES, min_size=1, max_size=6), freight=st.sampled_from(["0.00", "8.00", "0.01"]), data=st.data())
def test_what_stays_is_what_a_voucher_of_the_others_would_be(
    goods: list[list[tuple[str, Decimal]]], freight: str, data: st.DataObject
) -> None:
    def total(*vouchers: Record) -> dict[tuple[str, object], Decimal]:
        sums: dict[tuple[str, object], Decimal] = {}
        for one in vouchers:
            for line in one["lines"]:
                name = (line["account"], line.get("tax_rate"))
                sums[name] = sums.get(name, Decimal(0)) + line["debit"] - line["credit"]
        return {name: amount for name, amount in sums.items() if amount}

    group = [sold(str(at), lines, freight) for at, lines in enumerate(goods)]
    gone = data.draw(st.lists(st.sampled_from(group), min_size=1, unique_by=lambda one: one["key"]))
    original = voucher(group, RULES["sale"], {}, {}).document
    red = reversal(original, gone, RULES["sale"], 1, "2026-12-01").document
    check("voucher", red)
    assert red["debit"] == red["credit"]
    left = [one for one in group if one not in gone]
    assert total(original, red) == (total(voucher(left, RULES["sale"], {}, {}).document) if left else {})
