"""Feeds the rules of invoicing from the journal: orders that wish for an invoice become requests, each order once.

A refund that came before its order was asked for lessens the request, or leaves nothing to ask for; it is used up by
that, so that no red invoice is made for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from duijie.connect.errors import InvalidDocument
from duijie.connect.invoicing import Limits
from duijie.derive.invoice_changes import refunds_before_issue
from duijie.derive.invoice_preview import Proposal, preview
from duijie.derive.invoice_rules import InvoiceRules, load_rules
from duijie.derive.invoice_sources import RULE, Refunds, bodies, coded, connect, limits_of, ready, refunds_of, use
from duijie.derive.withdrawals import invoice_withdrawals
from duijie.journal import documents
from duijie.journal.documents import Document
from duijie.schemas import check

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
REFUNDED = "refunded"  # stands for the request of an order that was paid back in full before one was made


def invoice_requests(making: Making) -> Counts:
    """Make the requests of every order that is ready for one; settle what was withdrawn or paid back meanwhile."""
    rules = load_rules(making.rules / "invoice.yaml")
    counts = invoice_withdrawals(making)
    counts += refunds_before_issue(making, rules, refunds_of(making.journal))
    asking = Asking.of(making)
    for proposal in asking.proposals(rules, limits_of(making.step)):
        counts += asking.settle(proposal)
    return counts


@dataclass(frozen=True)
class Asking:
    """Orders that are ready for a request, by key, and what was paid back of them."""

    making: Making
    orders: Mapping[str, Document]
    refunds: Refunds

    @classmethod
    def of(cls, making: Making) -> Asking:
        """Those of now."""
        orders = {one.key: one for one in ready(making)}
        return cls(making, orders, {key: found for key, found in refunds_of(making.journal).items() if key in orders})

    def proposals(self, rules: InvoiceRules, platform: Limits | None = None) -> list[Proposal]:
        """What is to be asked for; nothing is written."""
        orders = coded(self.making.journal, [one.body for one in self.orders.values()])
        return preview(orders, rules, bodies(self.refunds), platform)

    def settle(self, proposal: Proposal) -> Counts:
        """Store the requests of a proposal, or let its orders wait for a person; counts what came of it."""
        orders = [self.orders[order["key"]] for order in proposal.orders]
        if proposal.reason:
            for order in orders:
                self.making.wait(order, "invoice", proposal.reason)
            return Counter(waiting=len(orders))
        used = [*orders, *(one for order in orders for one in self.refunds.get(order.key, ()))]
        try:
            for request in proposal.requests:
                check("invoice_request", request)
        except InvalidDocument as error:
            return Counter(waiting=self.making.all_wait([(order, error.zh) for order in orders]))
        self._store(proposal, used)
        return Counter(refunded=1) if proposal.is_paid_back else Counter(new_documents=len(proposal.requests))

    def _store(self, proposal: Proposal, used: Sequence[Document]) -> None:
        """Put the requests, mark what they were made of as used and link it, in one transaction."""
        journal, made = self.making.journal, proposal.requests
        with journal.writing() as tx:
            for request in made:
                documents.put(tx, journal, "invoice_request", request, (None, f"rules/{RULE}"))
            use(tx, used, str(made[0].get("base_no", made[0]["key"])) if made else REFUNDED)
            connect(tx, journal, used, made)
            self.making.passed(tx, used)


__all__ = ["Asking", "invoice_requests"]
