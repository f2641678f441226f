"""Orders to requests in the journal: refunds that come first, merged buyers, split orders, one bad order among good."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from duijie.codec import Record
from duijie.derive.making import make
from duijie.flow import Derive
from duijie.invoicing import attempts
from duijie.journal import Journal, documents, planning
from duijie.journal.tables import link
from tests.derive.test_invoices import COMPANY, line, order, refund
from tests.derive.test_making import kept, put
from tests.derive.test_withdrawals import ASK, SINK, items, move, states

__all__ = ["kept"]
RED = Derive(name="red", make="red_requests")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder of mappings whose invoice.yaml a test may change."""
    folder = tmp_path / "mappings/rules"
    folder.mkdir(parents=True)
    for name in ("invoice.yaml", "tax_codes.csv"):
        (folder / name).write_text(Path("mappings/rules", name).read_text(encoding="utf-8"), encoding="utf-8")
    return folder.parent


def change(rules: Path, old: str, new: str) -> None:
    path = rules / "rules/invoice.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def merging(rules: Path) -> None:
    change(rules, "by: none", "by: buyer")


def sold(number: str = "7", *lines: Record, **more: Any) -> Record:
    head = {"key": f"taobao:S01:{number}", "order_no": number, "platform": "taobao", "shop": "S01"}
    day = {"status": "finished", "business_date": "2026-11-11", "buyer": {"key": "taobao:B1", "name": "淘宝买家B1"}}
    return order(*(lines or (line(1, Decimal("113.00"), qty=2),)), **{**head, **day, **more})


def back(amount: str, number: str = "7", **more: Any) -> Record:
    head = {"key": f"taobao:S01:R{number}", "order_key": f"taobao:S01:{number}", "status": "success"}
    return refund(amount, **{**head, **more})


def run(journal: Journal, rules: Path, step: Derive = ASK) -> dict[str, int]:
    return dict(make(journal, "invoices", step, rules))


def plan(journal: Journal) -> None:
    planning.plan(journal, "invoices", SINK, [(one, 0) for one in planning.unplanned(journal, "invoice_request", SINK)])


def asked(journal: Journal) -> list[Record]:
    return [one.body for one in documents.current(journal, "invoice_request")]


def links(journal: Journal) -> dict[tuple[str, str], int]:
    query = select(link.c.from_key, link.c.to_key, link.c.amount).where(link.c.kind == "invoice")
    with journal.reading() as tx:
        return {(row.from_key, row.to_key): row.amount for row in tx.execute(query)}


def test_a_refund_before_the_request_lessens_it_and_makes_no_red(kept: Journal, rules: Path) -> None:
    put(kept, "sales_order", sold())
    put(kept, "sales_refund", back("56.50"))
    assert run(kept, rules) == {"new_documents": 1}
    [request] = asked(kept)
    assert (request["gross"], request["lines"][0]["qty"]) == (Decimal("56.50"), 1)
    assert [one.key for one in documents.not_yet_derived(kept, "red_invoice", "sales_refund")] == []
    assert run(kept, rules, RED) == {}


@pytest.mark.parametrize("more", [{"status": "open"}, {"approval": "void"}])
def test_a_refund_that_is_not_paid_out_changes_nothing(kept: Journal, rules: Path, more: Record) -> None:
    put(kept, "sales_order", sold())
    put(kept, "sales_refund", back("56.50", **more))
    run(kept, rules)
    assert asked(kept)[0]["gross"] == Decimal("113.00")


def test_an_order_paid_back_in_full_is_not_asked_for(kept: Journal, rules: Path) -> None:
    put(kept, "sales_order", sold())
    put(kept, "sales_refund", back("113.00", qty=2))
    assert run(kept, rules) == {"refunded": 1}
    assert (asked(kept), items(kept), run(kept, rules)) == ([], [], {})
    put(kept, "sales_order", sold(approval="void"))
    assert run(kept, rules) == {"cancelled": 1}


def test_a_request_that_has_not_left_is_made_again_for_what_is_left(kept: Journal, rules: Path) -> None:
    put(kept, "sales_order", sold())
    run(kept, rules)
    plan(kept)
    [first] = asked(kept)
    put(kept, "sales_refund", back("56.50"))
    assert run(kept, rules) == {"lessened": 1}
    [again] = asked(kept)
    assert (again["request_no"], again["gross"]) == (first["request_no"], Decimal("56.50"))
    assert links(kept)["taobao:S01:7", first["key"]] == 5650
    plan(kept)
    assert sorted(states(kept)) == ["cancelled", "pending"]
    assert run(kept, rules) == {}


def test_a_second_refund_counts_with_the_first_and_the_rest_cancels(kept: Journal, rules: Path) -> None:
    put(kept, "sales_order", sold())
    put(kept, "sales_refund", back("56.50"))
    run(kept, rules)
    plan(kept)
    put(kept, "sales_refund", back("56.50", key="taobao:S01:R8"))
    assert run(kept, rules) == {"cancelled": 1}
    assert states(kept) == ["cancelled"]
    plan(kept)
    assert states(kept) == ["cancelled"]


@pytest.mark.parametrize("state", ["done", "unknown"])
def test_what_left_or_may_have_is_left_to_the_red_flow(kept: Journal, rules: Path, state: str) -> None:
    put(kept, "sales_order", sold())
    run(kept, rules)
    plan(kept)
    move(kept, state)
    put(kept, "sales_refund", back("56.50"))
    assert run(kept, rules) == {}
    assert (asked(kept)[0]["gross"], states(kept)) == (Decimal("113.00"), [state])
    assert [one.key for one in documents.not_yet_derived(kept, "red_invoice", "sales_refund")] == ["taobao:S01:R7"]


def test_a_request_that_follows_a_failed_one_keeps_its_own_number(kept: Journal, rules: Path) -> None:
    put(kept, "sales_order", sold())
    run(kept, rules)
    plan(kept)
    move(kept, "done")
    [first] = asked(kept)
    with kept.writing() as tx:
        attempts.failed(tx, kept, SINK, first["key"], "other", 1)
    [failed] = attempts.waiting(kept, SINK)
    [document] = documents.current(kept, "invoice_request")
    with kept.writing() as tx:
        renewed = attempts.renew(tx, kept, SINK, failed, {first["key"]: document})
    plan(kept)
    put(kept, "sales_refund", back("56.50"))
    assert run(kept, rules) == {"lessened": 1}
    assert {one["key"]: one["gross"] for one in asked(kept)} == {
        first["key"]: Decimal("113.00"),
        renewed: Decimal("56.50"),
    }
    plan(kept)
    assert sorted(states(kept)) == ["cancelled", "done", "pending"]


def test_a_refund_that_fits_no_line_waits_for_a_person(kept: Journal, rules: Path) -> None:
    put(kept, "sales_order", sold())
    put(kept, "sales_refund", back("1.00", sku="B9", oid="o9"))
    assert run(kept, rules) == {"waiting": 1}
    [(_, _, reason)] = items(kept)
    assert "B9" in reason


def test_orders_of_one_buyer_share_a_request_where_the_rules_say_so(kept: Journal, rules: Path) -> None:
    merging(rules)
    put(kept, "sales_order", sold("7"), sold("8"), sold("9", invoice_wish={**COMPANY, "kind": "normal"}))
    assert run(kept, rules) == {"new_documents": 2}
    merged = next(one for one in asked(kept) if "order_keys" in one)
    assert merged["order_keys"] == ["taobao:S01:7", "taobao:S01:8"]
    assert [(one["order_key"], one["oid"]) for one in merged["lines"]] == [
        ("taobao:S01:7", "o1"),
        ("taobao:S01:8", "o1"),
    ]
    assert (merged["gross"], merged["remark"]) == (Decimal("226.00"), "订单号 7、8")
    assert links(kept)["taobao:S01:8", merged["key"]] == 11300


def test_an_order_that_was_asked_for_stays_in_its_request(kept: Journal, rules: Path) -> None:
    merging(rules)
    put(kept, "sales_order", sold("7"), sold("8"))
    run(kept, rules)
    [first] = asked(kept)
    put(kept, "sales_order", sold("5"), sold("9"))
    assert run(kept, rules) == {"new_documents": 1}
    assert [one for one in asked(kept) if one["key"] == first["key"]] == [first]
    assert sorted(len(one["order_keys"]) for one in asked(kept)) == [2, 2]


def test_a_bad_order_waits_and_the_others_of_its_buyer_go_on(kept: Journal, rules: Path) -> None:
    merging(rules)
    bad = sold("8", line(1, Decimal("113.00"), tax_class_code=""))
    put(kept, "sales_order", sold("7"), bad, sold("9"))
    assert run(kept, rules) == {"new_documents": 1, "waiting": 1}
    assert asked(kept)[0]["order_keys"] == ["taobao:S01:7", "taobao:S01:9"]
    [(_, _, reason)] = items(kept)
    assert "E-TAXCODE-MISSING" in reason and "补上" in reason


def test_withdrawing_one_of_merged_orders_asks_anew_for_the_others(kept: Journal, rules: Path) -> None:
    merging(rules)
    put(kept, "sales_order", sold("7"), sold("8"), sold("9"))
    put(kept, "sales_refund", back("56.50", "9"))
    run(kept, rules)
    plan(kept)
    [first] = asked(kept)
    put(kept, "sales_order", sold("8", approval="void"))
    assert run(kept, rules) == {"cancelled": 1, "new_documents": 1}
    [again] = [one for one in asked(kept) if one["key"] != first["key"]]
    assert (again["order_keys"], again["gross"]) == (["taobao:S01:7", "taobao:S01:9"], Decimal("169.50"))
    assert run(kept, rules) == {}


def test_an_order_above_the_line_limit_is_split_and_withdrawn_as_one(kept: Journal, rules: Path) -> None:
    change(rules, "max_lines: 2000", "max_lines: 2")
    put(kept, "sales_order", sold("7", *[line(n, Decimal("11.30")) for n in range(1, 6)]))
    assert run(kept, rules) == {"new_documents": 3}
    assert [one["part"] for one in asked(kept)] == [1, 2, 3]
    assert sorted(links(kept).values()) == [1130, 2260, 2260]
    plan(kept)
    put(kept, "sales_order", sold("7", *[line(n, Decimal("11.30")) for n in range(1, 6)], approval="void"))
    assert run(kept, rules) == {"cancelled": 1}
    assert states(kept) == ["cancelled"] * 3


def test_a_refund_of_a_split_order_can_leave_fewer_parts(kept: Journal, rules: Path) -> None:
    change(rules, "max_lines: 2000", "max_lines: 2")
    put(kept, "sales_order", sold("7", *[line(n, Decimal("11.30")) for n in range(1, 4)]))
    run(kept, rules)
    plan(kept)
    put(kept, "sales_refund", back("11.30", place=2))
    assert run(kept, rules) == {"lessened": 1}
    plan(kept)
    [(_, amount)] = [one for one in links(kept).items() if one[0][0] == "taobao:S01:7"]
    assert (sorted(states(kept)), amount) == (["cancelled", "cancelled", "pending"], 2260)


def test_a_refund_of_one_part_leaves_the_other_parts_waiting_as_they_were(kept: Journal, rules: Path) -> None:
    change(rules, "max_lines: 2000", "max_lines: 2")
    put(kept, "sales_order", sold("7", *[line(n, Decimal("11.30"), qty=2) for n in range(1, 5)]))
    run(kept, rules)
    plan(kept)
    put(kept, "sales_refund", back("5.65", place=4))
    assert run(kept, rules) == {"lessened": 1}
    plan(kept)
    assert sorted(states(kept)) == ["cancelled", "pending", "pending"]
    assert sorted(one["gross"] for one in asked(kept)) == [Decimal("16.95"), Decimal("22.60")]


def test_what_was_given_up_is_not_asked_for_again_because_of_a_refund(kept: Journal, rules: Path) -> None:
    two = line(1, Decimal("113.00")), line(2, Decimal("22.60"))
    put(kept, "sales_order", sold("7", *two))
    run(kept, rules)
    plan(kept)
    put(kept, "sales_order", sold("7", *two, approval="void"))
    run(kept, rules)
    put(kept, "sales_refund", back("22.60", place=2))
    assert run(kept, rules) == {}
    plan(kept)
    assert states(kept) == ["cancelled"]


def test_a_line_without_a_code_has_its_products(kept: Journal, rules: Path) -> None:
    put(kept, "product", {"key": "A1", "sku": "A1", "name": "面条", "tax_class_code": "1030299990000000000"})
    put(kept, "sales_order", sold("7", line(1, Decimal("113.00"), tax_class_code="")))
    assert run(kept, rules) == {"new_documents": 1}
    assert asked(kept)[0]["lines"][0]["tax_class_code"] == "1030299990000000000"
