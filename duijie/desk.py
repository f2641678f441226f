"""Where the rows of one route are settled: moved on, left to a person, or freed from what held them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection as Transaction

from duijie.flow import Deliver
from duijie.journal import Journal, deliveries, passing, work
from duijie.journal.deliveries import Change, Claim, Delivery
from duijie.journal.work import Finding
from duijie.parcels import Parcel, held

OF_INVOICES = ("invoice_request", "red_request", "red_issue", "red_answer")


@dataclass(frozen=True)
class Desk:
    """One entity of a flow into one sink. `name` is connection/sink."""

    journal: Journal
    flow: str
    step: Deliver

    @property
    def name(self) -> str:
        """connection/sink."""
        return f"{self.step.connection}/{self.step.sink}"

    @property
    def refusal(self) -> str:
        """The kind of work item for what the target refuses."""
        return "invoice" if self.step.entity in OF_INVOICES else "rejected"

    def settle(self, tx: Transaction, settled: Mapping[Claim, Change], before: str = "claimed") -> set[Claim]:
        """Move rows on from `before`; returns those that were still this worker's."""
        return deliveries.settle_in(tx, self.journal, before, settled) if settled else set()

    def hold(self, tx: Transaction, one: Delivery, kind: str, key: str, reason: str, before: str = "claimed") -> None:
        """Leave a delivery to a person."""
        change = Change("rejected", reason, target_key=key)
        if deliveries.settle_in(tx, self.journal, before, {one.claim: change}):
            finding = Finding(kind, f"{self.name}:{key}", reason)
            work.open_item(tx, self.journal, self.flow, finding, [held(one)])

    def release(self, tx: Transaction, parcels: Iterable[Parcel]) -> None:
        """They wait at this sink no more."""
        route = (self.flow, self.step.entity, self.name)
        passing.passed(tx, self.journal, route, {one.delivery.document.key for one in parcels})
