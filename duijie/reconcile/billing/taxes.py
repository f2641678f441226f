"""销项核对: by month and rate, the tax on invoices issued and on revenue not billed yet against 销项税额 posted.

posted = issued + unbilled − billed late + difference. Unbilled is what was owed in the month and not billed in it,
billed late what was billed in it and owed in another. What differs and is known line by line (an order that is not
posted, or posted otherwise) explains itself; the rest, `unknown`, belongs to vouchers or invoices of no order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from duijie.journal.documents import fen
from duijie.reconcile.billing.model import Order, Share
from duijie.reconcile.billing.reading import CHINA, TAX_ACCOUNT, Facts, Kept
from duijie.reconcile.billing.sharing import blue_shares, red_shares

UNKNOWN_RATE = Decimal(-1)
Cell = tuple[str, Decimal]  # (month as YYYY-MM, rate as a fraction)


@dataclass
class Taxed:
    """One month and rate; tax in fen."""

    month: str
    rate: Decimal
    posted: int = 0
    issued: int = 0
    unbilled: int = 0
    late: int = 0
    known: int = 0

    @property
    def difference(self) -> int:
        """What the ledgers hold beyond invoices and unbilled revenue."""
        return self.posted - self.issued - self.unbilled + self.late

    @property
    def unknown(self) -> int:
        """The part that no order's own difference explains."""
        return self.difference - self.known


def by_month(facts: Facts) -> list[Taxed]:
    """Every month and rate that has anything, oldest first, the highest rate first."""
    cells: dict[Cell, Taxed] = {}

    def cell(month: str, rate: Decimal) -> Taxed:
        return cells.setdefault((month, rate), Taxed(month, rate))

    for body, problem in facts.vouchers:
        for line in body["lines"] if not problem else ():
            if line["account"] == TAX_ACCOUNT:
                rate = Decimal(line.get("tax_rate", UNKNOWN_RATE))
                cell(body["date"][:7], rate).posted += fen(line["credit"]) - fen(line["debit"])
    for rate, share in _issued(facts):
        cell(_month(share), rate).issued += share.amount.tax
    months = {body["key"]: body["date"][:7] for body, _ in facts.vouchers}
    for order in facts.orders.values():
        for (month, rate), owed, billed, posted in _of_order(order, months):
            one = cell(month, rate)
            one.unbilled += max(owed - billed, 0)
            one.late += max(billed - owed, 0)
            one.known += posted - owed
    found = [one for one in cells.values() if any((one.posted, one.issued, one.unbilled, one.late))]
    return sorted(found, key=lambda one: (one.month, -one.rate))


def _month(share: Share) -> str:
    moment = share.bill.issued_at or share.bill.since
    return moment.astimezone(CHINA).strftime("%Y-%m")


def _issued(facts: Facts) -> Iterator[tuple[Decimal, Share]]:
    """Every issued invoice by the rates of its lines, whether an order is known for it or not."""
    for no, one in facts.requests.items():
        if facts.bills[no].is_issued:
            told = facts.invoices.get(no)
            yield from blue_shares(facts.bills[no], one.body, _rates(one), told.body if told else None)
    for no, one in facts.reds.items():
        blue = facts.requests.get(one.body["blue_request_no"])
        if facts.bills[no].is_issued and blue is not None:
            yield from red_shares(facts.bills[no], one.body, _rates(blue), blue.body, UNKNOWN_RATE)


def _rates(request: Kept) -> list[Decimal]:
    return [Decimal(line["tax_rate"]) for line in request.body["lines"]]


def _of_order(order: Order, months: dict[str, str]) -> Iterator[tuple[Cell, int, int, int]]:
    """(month and rate, tax owed, tax billed, tax posted) of each line."""
    for line in order.lines:
        owed, billed, posted = (defaultdict[str, int](int) for _ in range(3))
        owed[order.day[:7]] += line.ordered.tax
        for oid, day, amount in order.refunds:
            if oid == line.oid:
                owed[day[:7]] -= amount.tax
        for share in line.shares:
            if share.bill.is_issued:
                billed[_month(share)] += share.amount.tax
        for one in line.booked:
            if not one.problem:
                posted[months.get(one.voucher, order.day[:7])] += one.amount.tax
        for month in {*owed, *billed, *posted}:
            yield (month, line.rate), owed[month], billed[month], posted[month]
