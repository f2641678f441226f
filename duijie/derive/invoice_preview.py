"""What would be asked for of orders, merged and split, with every finding; what is asked for is the same, kept.

An order that cannot be asked for does not hold up those it would share an invoice with: they are proposed without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.connect.invoicing import Limits
from duijie.derive.invoice_checks import check
from duijie.derive.invoice_codes import Finding
from duijie.derive.invoice_grouping import Refunds, groups, requests_of
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.invoices import owed


@dataclass(frozen=True)
class Proposal:
    """Orders that share a request, its parts with the findings of each; `refused`: why there can be none."""

    orders: Sequence[Record]
    requests: Sequence[Record] = ()
    findings: Sequence[Sequence[Finding]] = ()
    refused: str = ""
    is_paid_back: bool = False

    @property
    def errors(self) -> list[Finding]:
        """The findings that keep it from being sent."""
        return [one for found in self.findings for one in found if one.severity == "error"]

    @property
    def reason(self) -> str:
        """Why it cannot be sent, every error at once; "" where it can."""
        return self.refused or "; ".join(dict.fromkeys(f"{one.code} {one.message}" for one in self.errors))

    @property
    def is_merged(self) -> bool:
        """Whether several orders share it."""
        return len(self.orders) > 1

    @property
    def is_split(self) -> bool:
        """Whether it takes several invoices."""
        return len(self.requests) > 1


def preview(
    orders: Iterable[Record], rules: InvoiceRules, refunds: Refunds | None = None, platform: Limits | None = None
) -> list[Proposal]:
    """What would be asked for of sales_orders with an `invoice_wish`; `refunds` by order, paid back before issue."""
    back = refunds or {}
    return [made for group in groups(orders, rules) for made in _proposed(group, rules, back, platform)]


def _proposed(
    group: Sequence[Record], rules: InvoiceRules, refunds: Refunds, platform: Limits | None
) -> Iterator[Proposal]:
    whole = propose(group, rules, refunds, platform)
    bad = (
        []
        if not whole.reason or len(group) == 1
        else [order for order in group if propose([order], rules, refunds, platform).reason]
    )
    if not bad:
        yield whole
        return
    if good := [order for order in group if order not in bad]:
        yield propose(good, rules, refunds, platform)
    for order in bad:
        yield propose([order], rules, refunds, platform)


def propose(group: Sequence[Record], rules: InvoiceRules, refunds: Refunds, platform: Limits | None = None) -> Proposal:
    """The request of orders that are merged."""
    if not sum((_left(order, refunds) for order in group), Decimal(0)) and any(order["gross"] for order in group):
        return Proposal(group, is_paid_back=True)
    try:
        made = requests_of(group, rules, refunds, platform)
    except InvalidDocument as error:
        return Proposal(group, refused=error.zh)
    return Proposal(group, made, [check(one, rules, platform) for one in made])


def _left(order: Record, refunds: Refunds) -> Decimal:
    return owed(order, refunds.get(order["key"], ()))


__all__ = ["Proposal", "preview", "propose"]
