"""What becomes of an invoice request when its order is withdrawn (作废, 反审核) after the request was made.

A request that has not left yet is cancelled. One that left, or may have, is a tax matter: an invoice is never taken
back without a person, who is told once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection as Transaction

from duijie.flow import withdrawn
from duijie.journal import Journal, deliveries, documents, passing, reversals, work
from duijie.journal.reversals import Used
from duijie.journal.work import Finding

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
SETTLED = "invoice_withdrawn"
SPAN = timedelta(days=92)
UNSENT = {*deliveries.CANCELLABLE, "cancelled", "superseded"}


def invoice_withdrawals(making: Making) -> Counts:
    """Settle every order that was withdrawn after its request was made, once."""
    counts: Counts = Counter()
    settled = documents.derived_keys(making.journal, SETTLED)
    since = making.journal.now() - SPAN
    for used in reversals.changed(making.journal, "invoice", "sales_order", since):
        if withdrawn(used.now) and used.key not in settled:
            counts[_settle(making, used)] += 1
    return counts


def _settle(making: Making, used: Used) -> str:
    """Cancel the request of one order, or leave it to a person; says which."""
    with making.journal.writing() as tx:
        order = documents.by_ids(tx, [used.document_id])[used.document_id]
        documents.mark_derived(tx, SETTLED, [order], used.result_key)
        rows = reversals.rows(tx, making.journal, "invoice_request", used.result_key)
        if rows and {row.state for row in rows} <= UNSENT:
            _cancel(tx, making.journal, used, [row for row in rows if row.state in deliveries.CANCELLABLE])
            return "cancelled"
        reason = f"订单 {used.key} 已被来源撤销, 而开票申请 {used.result_key} 已提交或已开票; 请核对后红冲"
        finding = Finding("conflict", f"invoice_request:{used.result_key}", reason)
        held = [("sales_order", used.key, documents.amount_of(order.body))]
        work.open_item(tx, making.journal, making.flow, finding, held)
        return "waiting"


def _cancel(tx: Transaction, journal: Journal, used: Used, waiting: Sequence[Any]) -> None:
    """Give up what waits, and take it off its work items."""
    why = f"来源已撤销订单 {used.key}, 尚未开票"
    deliveries.cancel_in(tx, journal, [row.id for row in waiting], "duijie", why)
    for row in waiting:
        passing.passed(tx, journal, (row.flow, "invoice_request", row.sink), {used.result_key}, why)
