"""Which deliveries of a route may leave now: none while its platform has halted it, one alone after a release.

Every route has a gate; one into a platform that issues invoices has an `InvoiceGate` (duijie.invoicing.issuing), which
also minds approvals, the credit line and what may have arrived already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import Connection as Transaction

from duijie.connect.protocol import Done, Halt, Outcome, Refused
from duijie.desk import OF_INVOICES, Desk
from duijie.invoicing import halts
from duijie.invoicing.halts import Stop
from duijie.journal import deliveries, documents
from duijie.journal.deliveries import Change, Delivered
from duijie.parcels import Parcel

SHUT = "写入口已暂停, 等待恢复"
ASK_AGAIN_SECONDS = 60.0
PATIENCE = timedelta(minutes=30)
Counts = Counter[str]
Ended = Sequence[tuple[Parcel, Outcome]]


class Gate:
    """The gate of one route in one run. `patience`: how long the result of a trial is waited for."""

    def __init__(self, desk: Desk, patience: timedelta = PATIENCE) -> None:
        self.desk = desk
        self._patience = patience
        self._is_proven = desk.step.entity not in OF_INVOICES

    def is_shut(self) -> bool:
        """Whether nothing may be claimed for writing."""
        with self.desk.journal.reading() as tx:
            stands = halts.of(tx, self.desk.name)
        return stands is not None and stands.is_shut(self.desk.journal.now())

    def failed(self, parcel: Parcel, before: Delivered) -> str:
        """Why what was delivered before counts for nothing, and this version leaves otherwise; "" where it counts."""
        return ""

    def gone(self, absent: Sequence[Parcel]) -> list[Parcel]:
        """Those that the target does not hold and never will; the others are put back."""
        return list(absent)

    def let(self, parcels: Sequence[Parcel], size: int, counts: Counts) -> Iterator[Sequence[Parcel]]:
        """Those that may be written now, in parts of at most `size`; the others are put back.

        The first part of a run is a single one, where the platform may halt it: a line that is used up then costs one
        attempt and not a batch of them.
        """
        rest = self._allowed(parcels, counts)
        while rest:
            number = self._room(rest[0].key, size)
            part = self._covered(rest[:number]) if number else []
            if not part:
                self._put_back(rest, SHUT)
                counts["postponed"] += len(rest)
                return
            yield part
            rest = rest[len(part) :]

    def ended(self, tx: Transaction, ended: Ended) -> None:
        """What became of those that left, in the transaction that settles them."""
        halted = [(parcel, outcome) for parcel, outcome in ended if isinstance(outcome, Halt)]
        for parcel, outcome in halted:
            halts.park(tx, self.desk.journal, self.desk.name, self._stop(parcel, outcome))
        told = any(isinstance(outcome, Done | Refused) for _, outcome in ended)
        self._is_proven = (self._is_proven or told) and not halted
        stands = halts.of(tx, self.desk.name)
        if stands is not None and stands.state == "trying":
            self._tried(tx, stands.trial, ended)

    def _tried(self, tx: Transaction, trial: str, ended: Ended) -> None:
        for parcel, outcome in ended:
            if parcel.key == trial and isinstance(outcome, Done | Refused):
                halts.trial_taken(tx, self.desk.journal, self.desk.name, trial, self._patience)
            elif parcel.key == trial:
                halts.trial_untold(tx, self.desk.journal, self.desk.name, trial)

    def _stop(self, parcel: Parcel, outcome: Halt) -> Stop:
        net = parcel.delivery.document.body.get("net")
        needed = documents.fen(net) if net is not None and outcome.reason == "credit" else None
        return Stop(outcome.reason, outcome.zh, outcome.qr, needed)

    def _room(self, key: str, size: int) -> int:
        """How many may leave together now, `key` first."""
        with self.desk.journal.reading() as tx:
            stands = halts.of(tx, self.desk.name)
        if stands is not None:
            return int(halts.try_one(self.desk.journal, self.desk.name, key))
        return size if self._is_proven else 1

    def _allowed(self, parcels: Sequence[Parcel], counts: Counts) -> list[Parcel]:
        """Those that nothing but a halt could stop; the others are settled."""
        return list(parcels)

    def _covered(self, parcels: list[Parcel]) -> list[Parcel]:
        """The first so many that the platform can be expected to carry out."""
        return parcels

    def _put_back(self, parcels: Sequence[Parcel], why: str) -> None:
        pauses = {"unknown": ASK_AGAIN_SECONDS}
        settled = {
            one.delivery.claim: Change(one.delivery.before, why, retry_in=pauses.get(one.delivery.before, 0.0))
            for one in parcels
        }
        deliveries.settle(self.desk.journal, "claimed", settled)
