"""Deliveries in chosen states, made through the journal's own functions."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from duijie.journal import Journal, deliveries, documents, planning, work
from duijie.journal.deliveries import Change, Claim
from duijie.journal.tables import delivery, delivery_event

SINK = "psi/sales_order"
FLOW = "orders"


def order(kept: Journal, key: str, gross: str = "113.00") -> None:
    """A document of that key, or its next version."""
    with kept.writing() as tx:
        documents.put(tx, kept, "sales_order", {"key": key, "gross": Decimal(gross)}, (None, "test"))


def plan(kept: Journal, sink: str = SINK) -> None:
    """A row for every document without one."""
    rows = [(one, documents.amount_of(one.body)) for one in planning.unplanned(kept, "sales_order", sink)]
    planning.plan(kept, FLOW, sink, rows)


def brought(kept: Journal, key: str, state: str, reason: str = "", sink: str = SINK) -> int:
    """A new document's delivery in a state; rejected and blocked ones have their work item. Returns the row's id."""
    order(kept, key)
    plan(kept, sink)
    if state == "pending":
        return row_id(kept, key, sink)
    [row] = [one for one in deliveries.claim(kept, sink, ("pending",), 100) if one.document.key == key]
    if state in ("sent", "done", "unknown", "rejected"):
        deliveries.settle(kept, "claimed", {row.claim: Change("sent", target_key=f"T-{key}")})
    if state in ("done", "unknown"):
        deliveries.settle(kept, "sent", {row.claim: Change(state, reason, native_no=f"N-{key}")})
    if state in ("rejected", "blocked"):
        _held(kept, row.claim, "sent" if state == "rejected" else "claimed", key, Change(state, reason))
    return row.id


def _held(kept: Journal, claim: Claim, before: str, key: str, change: Change) -> None:
    with kept.writing() as tx:
        deliveries.settle_in(tx, kept, before, {claim: change})
        finding = work.Finding("rejected", f"{SINK}:{key}", change.why)
        work.open_item(tx, kept, FLOW, finding, [("sales_order", key, 11300)])


def row_id(kept: Journal, key: str, sink: str = SINK) -> int:
    """The newest row of a key."""
    with kept.reading() as tx:
        query = select(delivery.c.id).where(delivery.c.key == key, delivery.c.sink == sink)
        return int(tx.execute(query.order_by(delivery.c.id.desc()).limit(1)).scalar_one())


def states(kept: Journal) -> dict[str, str]:
    """Key → state of its newest row."""
    with kept.reading() as tx:
        return {row.key: row.state for row in tx.execute(select(delivery).order_by(delivery.c.id))}


def history(kept: Journal, key: str) -> list[tuple[str, str, str, str]]:
    """(before, after, who, why) of a key's moves."""
    query = select(delivery_event).join(delivery).where(delivery.c.key == key).order_by(delivery_event.c.id)
    with kept.reading() as tx:
        return [(one.before, one.after, one.who, one.why) for one in tx.execute(query)]
