"""One run of 票单勾稽: what was read, every difference, the taxes by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from duijie.journal import Journal
from duijie.reconcile.billing.model import Difference
from duijie.reconcile.billing.numbers import of_numbers
from duijie.reconcile.billing.reading import Facts, read
from duijie.reconcile.billing.sorting import differences
from duijie.reconcile.billing.taxes import Taxed, by_month


@dataclass(frozen=True)
class Result:
    """`differences` in the order of the orders' days, those of numbers last."""

    facts: Facts
    differences: Sequence[Difference]
    taxes: Sequence[Taxed]

    def of_month(self, month: str) -> Result:
        """The same for orders and taxes of one month (YYYY-MM); differences of no order by the day they were seen."""
        orders = {key: one for key, one in self.facts.orders.items() if one.day.startswith(month)}
        kept = [
            one
            for one in self.differences
            if (one.order_key in orders if one.order_key else f"{one.since:%Y-%m}" == month)
        ]
        taxes = [one for one in self.taxes if one.month == month]
        return Result(replace(self.facts, orders=orders), kept, taxes)


def compute(journal: Journal, mappings: Path) -> Result:
    """Compare everything the journal holds; nothing is written."""
    facts = read(journal, mappings)
    now = journal.now()
    orders = sorted(facts.orders.values(), key=lambda one: (one.day, one.key))
    found = [one for order in orders for one in differences(order, now)]
    return Result(facts, [*found, *of_numbers(facts)], by_month(facts))
