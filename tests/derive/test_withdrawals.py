"""An order that is withdrawn after its invoice was asked for: a request at home is cancelled, others are a person's."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from duijie.flow import Derive
from duijie.journal import Journal, deliveries, documents, planning, work
from duijie.journal.deliveries import Change
from duijie.journal.tables import delivery, work_item
from tests.derive.test_invoices import line, order
from tests.derive.test_making import kept, put, run

ASK = Derive(name="ask", make="invoice_requests")
SINK = "nuonuo/invoice_request"
__all__ = ["kept"]


def asked(journal: Journal) -> str:
    """A request is made and planned; its key."""
    put(journal, "sales_order", sold())
    assert run(journal, ASK)["new_documents"] == 1
    planning.plan(journal, "invoices", SINK, [(one, 0) for one in planning.unplanned(journal, "invoice_request", SINK)])
    [request] = documents.current(journal, "invoice_request")
    return request.key


def sold(**more: object) -> dict[str, object]:
    return order(line(1, Decimal("113.00")), status="finished", business_date="2026-11-11", **more)


def move(journal: Journal, *states: str) -> None:
    for before, after in zip(("pending", *states), states, strict=False):
        [row] = deliveries.claim(journal, SINK, (before,), 1)
        deliveries.settle(journal, "claimed", {row.claim: Change("sent")})
        deliveries.settle(journal, "sent", {row.claim: Change(after)})


def states(journal: Journal) -> list[str]:
    with journal.reading() as tx:
        return list(tx.execute(select(delivery.c.state).where(delivery.c.sink == SINK)).scalars())


def items(journal: Journal) -> list[tuple[str, str, str]]:
    query = select(work_item.c.kind, work_item.c.state, work_item.c.reason)
    with journal.reading() as tx:
        return [(row.kind, row.state, row.reason) for row in tx.execute(query)]


@pytest.mark.parametrize("approval", ["void", "draft"])
def test_a_request_that_has_not_left_is_cancelled(kept: Journal, approval: str) -> None:
    asked(kept)
    put(kept, "sales_order", sold(approval=approval))
    assert run(kept, ASK) == {"cancelled": 1}
    assert states(kept) == ["cancelled"]
    assert items(kept) == []
    assert run(kept, ASK) == {}


def test_one_that_was_refused_and_waits_leaves_its_work_item(kept: Journal) -> None:
    request = asked(kept)
    move(kept, "rejected")
    with kept.writing() as tx:
        refused = work.Finding("invoice", f"{SINK}:{request}", "抬头有误")
        work.open_item(tx, kept, "invoices", refused, [("invoice_request", request, 11300)])
    put(kept, "sales_order", sold(approval="void"))
    assert run(kept, ASK) == {"cancelled": 1}
    assert (states(kept), [one[1] for one in items(kept)]) == (["cancelled"], ["closed"])


@pytest.mark.parametrize("state", ["done", "unknown"])
def test_one_that_left_or_may_have_is_a_persons_once(kept: Journal, state: str) -> None:
    request = asked(kept)
    move(kept, state)
    put(kept, "sales_order", sold(approval="void"))
    assert run(kept, ASK) == {"waiting": 1}
    [(kind, _, reason)] = items(kept)
    assert (kind, request in reason, "taobao:S01:7" in reason, "红冲" in reason) == ("conflict", True, True, True)
    assert states(kept) == [state]
    work.close(kept, 1, "王会计", "已红冲")
    assert run(kept, ASK) == {}
    assert [one[1] for one in items(kept)] == ["closed"]


def test_one_that_is_on_its_way_is_not_taken_for_unsent(kept: Journal) -> None:
    asked(kept)
    [row] = deliveries.claim(kept, SINK, ("pending",), 1)
    put(kept, "sales_order", sold(approval="void"))
    assert run(kept, ASK) == {"waiting": 1}
    deliveries.settle(kept, "claimed", {row.claim: Change("sent")})


def test_a_change_that_withdraws_nothing_changes_nothing(kept: Journal) -> None:
    asked(kept)
    put(kept, "sales_order", sold(remark="x"))
    assert run(kept, ASK) == {}
    assert states(kept) == ["pending"]
