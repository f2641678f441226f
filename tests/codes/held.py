"""Orders that wait for a code, as a delivery leaves them, without the delivery."""

from __future__ import annotations

from decimal import Decimal

from duijie.connect.errors import UnmappedCode
from duijie.journal import Journal, deliveries, documents, planning, work
from duijie.journal.deliveries import Change

SINK = "xingchen/so"


def hold(kept: Journal, code: str, key: str, **more: object) -> None:
    """One order of 113.00 is blocked in the flow orders: its shop has no customer at xingchen."""
    body = {"key": key, "gross": Decimal("113.00"), "shop": code, **more}
    with kept.writing() as tx:
        documents.put(tx, kept, "sales_order", body, (None, "test"))
    [fresh] = [one for one in planning.unplanned(kept, "sales_order", SINK) if one.key == key]
    planning.plan(kept, "orders", SINK, [(fresh, 11300)])
    [row] = deliveries.claim(kept, SINK, ("pending",), 1)
    lacks(kept, UnmappedCode("customer", code), key)
    deliveries.settle(kept, "claimed", {row.claim: Change("blocked", "对照缺失")})


def lacks(kept: Journal, error: UnmappedCode, key: str = "1") -> None:
    """An item with a record, and nothing that could be let go."""
    with kept.writing() as tx:
        finding = work.finding_for(error, "", "xingchen")
        work.open_item(tx, kept, "orders", finding, [("sales_order", key, 11300)])


def blocked(kept: Journal) -> int:
    """How many still wait."""
    return len(deliveries.waiting_ids(kept, SINK, ("blocked",)))
