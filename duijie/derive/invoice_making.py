"""Feeds the rules of invoicing from the journal: orders that wish for an invoice become requests, each order once.

A refund that came before its order was asked for lessens the request, or leaves nothing to ask for; it is used up by
that, so that no red invoice is made for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive import invoices
from duijie.derive.invoice_changes import refunds_before_issue
from duijie.derive.invoice_grouping import groups
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.invoice_sources import RULE, checked_requests, coded, connect, ready, refunds_of, use
from duijie.derive.withdrawals import invoice_withdrawals
from duijie.journal import documents
from duijie.journal.documents import Document

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
REFUNDED = "refunded"  # stands for the request of an order that was paid back in full before one was made


def invoice_requests(making: Making) -> Counts:
    """Make the requests of every order that is ready for one; settle what was withdrawn or paid back meanwhile."""
    rules = invoices.load_rules(making.rules / "invoice.yaml")
    counts = invoice_withdrawals(making)
    counts += refunds_before_issue(making, rules, refunds_of(making.journal))
    orders = {one.key: one for one in ready(making)}
    refunds = {key: found for key, found in refunds_of(making.journal).items() if key in orders}
    asking = Asking(making, rules, orders, refunds)
    for group in groups(asking.bodies.values(), rules):
        counts += asking.ask(group)
    return counts


class Asking:
    """Makes the requests of one run."""

    def __init__(
        self, making: Making, rules: InvoiceRules, orders: Mapping[str, Document], refunds: Mapping[str, list[Document]]
    ) -> None:
        self._making = making
        self._rules = rules
        self._orders = orders
        self._refunds = refunds
        self.bodies = {one["key"]: one for one in coded(making.journal, [one.body for one in orders.values()])}

    def ask(self, group: Sequence[Record]) -> Counts:
        """Store the requests of a group; where it cannot be asked for, its bad orders wait and the others go on."""
        if len(group) == 1 and self._is_paid_back(group[0]):
            return self._nothing_left(group[0])
        try:
            made = checked_requests(group, self._rules, self._refunds)
        except InvalidDocument as error:
            return self._without_bad(group, error)
        self._store(group, made)
        return Counter(new_documents=len(made))

    def _without_bad(self, group: Sequence[Record], error: InvalidDocument) -> Counts:
        bad = [order for order in group if not self._is_good(order)] if len(group) > 1 else list(group)
        if len(group) == 1 or not bad:
            for order in group:
                self._making.wait(self._orders[order["key"]], "invoice", error.zh)
            return Counter(waiting=len(group))
        good = [order for order in group if order not in bad]
        counts = self.ask(good) if good else Counter()
        for order in bad:
            counts += self.ask([order])
        return counts

    def _is_good(self, order: Record) -> bool:
        if self._is_paid_back(order):
            return False
        try:
            return bool(checked_requests([order], self._rules, self._refunds))
        except InvalidDocument:
            return False

    def _is_paid_back(self, order: Record) -> bool:
        back = [one.body for one in self._refunds.get(order["key"], ())]
        return bool(back) and not invoices.owed(order, back)

    def _nothing_left(self, order: Record) -> Counts:
        used = [self._orders[order["key"]], *self._refunds[order["key"]]]
        with self._making.journal.writing() as tx:
            use(tx, used, REFUNDED)
            self._making.passed(tx, used)
        return Counter(refunded=1)

    def _store(self, group: Sequence[Record], made: Sequence[Record]) -> None:
        """Put the requests, mark what they were made of as used and link it, in one transaction."""
        journal, orders = self._making.journal, [self._orders[order["key"]] for order in group]
        back = [one for order in group for one in self._refunds.get(order["key"], ())]
        with journal.writing() as tx:
            for request in made:
                documents.put(tx, journal, "invoice_request", request, (None, f"rules/{RULE}"))
            use(tx, [*orders, *back], made[0].get("base_no", made[0]["key"]))
            connect(tx, journal, [*orders, *back], made)
            self._making.passed(tx, [*orders, *back])


__all__ = ["Asking", "invoice_requests"]
