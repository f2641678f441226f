"""Where a request for an invoice stands, of what the platform said and of how its delivery stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from duijie.codec import Record
from duijie.invoicing import approvals, halts
from duijie.journal import Journal

OF_STATUS = {"issued": "issued", "issuing": "issuing", "waiting_login": "login", "waiting_confirmation": "confirming"}
OF_CAUSE = {"credit": "parked", "login": "login"}
OF_DELIVERY = {"rejected": "failed", "blocked": "failed", "cancelled": "cancelled", "superseded": "cancelled"}


class Sent(NamedTuple):
    """How a delivery stands."""

    sink: str
    state: str
    reason: str


@dataclass(frozen=True)
class Stopping:
    """What keeps requests from leaving: (entity, key) that wait for a yes, sinks that are halted with the words."""

    approvals: frozenset[tuple[str, str]] = frozenset()
    halts: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def stopping(journal: Journal) -> Stopping:
    """As the journal has it now."""
    waits = frozenset((one.entity, one.key) for one in approvals.waiting(journal))
    return Stopping(waits, {one.sink: (OF_CAUSE[one.reason], one.said) for one in halts.standing(journal)})


def state_of(
    invoice: Record | None, sent: Sequence[Sent], stops: Stopping = Stopping(), key: tuple[str, str] = ("", "")
) -> tuple[str, str]:
    """(state as of `Bill.state`, the reason in words) of the request under `key`."""
    if invoice is not None:
        reason = str(invoice.get("reason", ""))
        if invoice["status"] == "failed":
            return OF_CAUSE.get(invoice.get("cause", ""), "failed"), reason
        return OF_STATUS[invoice["status"]], reason
    if key in stops.approvals:
        return "wait_approval", ""
    if not sent:
        return "wait", ""
    newest = sent[-1]
    if newest.state == "pending" and newest.sink in stops.halts:
        return stops.halts[newest.sink]
    return OF_DELIVERY.get(newest.state, "wait"), newest.reason
