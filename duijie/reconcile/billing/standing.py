"""Where a request for an invoice stands, of what the platform said and of how its delivery stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from duijie.codec import Record

OF_STATUS = {"issued": "issued", "issuing": "issuing", "waiting_login": "login", "waiting_confirmation": "confirming"}
OF_CAUSE = {"credit": "parked", "login": "login"}
OF_DELIVERY = {"rejected": "failed", "blocked": "failed", "cancelled": "cancelled", "superseded": "cancelled"}


class Sent(NamedTuple):
    """How a delivery stands."""

    sink: str
    state: str
    reason: str


def state_of(invoice: Record | None, sent: Sequence[Sent]) -> tuple[str, str]:
    """(state as of `Bill.state`, the reason in words)."""
    if invoice is not None:
        reason = str(invoice.get("reason", ""))
        if invoice["status"] == "failed":
            return OF_CAUSE.get(invoice.get("cause", ""), "failed"), reason
        return OF_STATUS[invoice["status"]], reason
    if not sent:
        return "wait", ""
    newest = sent[-1]
    return OF_DELIVERY.get(newest.state, "wait"), newest.reason
