"""What becomes of an invoice request when its order is withdrawn (作废, 反审核) after the request was made.

A request that has not left yet is cancelled. One that left, or may have, is a tax matter: an invoice is never taken
back without a person, who is told once.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection as Transaction

from duijie.derive.invoice_changes import Asked, asked, give_up
from duijie.derive.invoice_sources import RED_RULE, RULE
from duijie.flow import withdrawn
from duijie.journal import documents, reversals, work
from duijie.journal.reversals import Used
from duijie.journal.work import Finding

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
SETTLED = "invoice_withdrawn"
SPAN = timedelta(days=92)


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
    """Cancel the requests of one order, or leave them to a person; says which.

    Orders that shared them are free to be asked for again.
    """
    with making.journal.writing() as tx:
        order = documents.by_ids(tx, [used.document_id])[used.document_id]
        documents.mark_derived(tx, SETTLED, [order], used.result_key)
        was = asked(tx, making.journal, used.result_key)
        if was.is_unsent:
            give_up(tx, making.journal, was, f"来源已撤销订单 {used.key}, 尚未开票")
            _free(tx, was, used)
            return "cancelled"
        reason = f"订单 {used.key} 已被来源撤销, 而开票申请 {used.result_key} 已提交或已开票; 请核对后红冲"
        finding = Finding("conflict", f"invoice_request:{used.result_key}", reason)
        held = [("sales_order", used.key, documents.amount_of(order.body))]
        work.open_item(tx, making.journal, making.flow, finding, held)
        return "waiting"


def _free(tx: Transaction, was: Asked, used: Used) -> None:
    """Put aside what else the cancelled requests were made of, so that the rules may use it again."""
    orders = [one for one in was.orders if one.key != used.key]
    refunds = [one for one in was.refunds if one.body["order_key"] != used.key]
    for rule, freed in ((RULE, [*orders, *refunds]), (RED_RULE, refunds)):
        if freed:
            again = [Used(one.entity, one.key, one.id, used.result_key, one.body) for one in freed]
            reversals.put_aside(tx, rule, again, used.result_key)
