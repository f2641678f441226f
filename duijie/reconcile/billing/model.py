"""What 票单勾稽 speaks of: amounts in fen, an order's lines, what was billed of them, and how the two differ.

Classes of difference (RECONCILE: 票单勾稽, 0.00 gross an order, 0.01 tax a line): see `KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

FREIGHT = "freight"
TAIL = 1  # fen of tax a line that rounding explains
PATIENCE = timedelta(hours=24)
BILLING, BOOKS, APPROVER = "开票员", "会计", "开票审批人"

UNBILLED, OVER, AMOUNT, TAX = "未开票", "多开", "金额差", "税额差"
UNPOSTED, POSTED_ONLY, RED_OPEN = "已开未记账", "已记账未开票", "红冲未完成"
GAP, DOUBLE, ROUNDING = "断号", "重复", "尾差"
KINDS = (UNBILLED, OVER, AMOUNT, TAX, UNPOSTED, POSTED_ONLY, RED_OPEN, GAP, DOUBLE, ROUNDING)


@dataclass(frozen=True, slots=True)
class Fen:
    """Net and tax in fen; the gross is their sum, always."""

    net: int = 0
    tax: int = 0

    @property
    def gross(self) -> int:
        """Net and tax together."""
        return self.net + self.tax

    def __add__(self, other: Fen) -> Fen:
        return Fen(self.net + other.net, self.tax + other.tax)

    def __sub__(self, other: Fen) -> Fen:
        return Fen(self.net - other.net, self.tax - other.tax)

    def __neg__(self) -> Fen:
        return Fen(-self.net, -self.tax)

    def __bool__(self) -> bool:
        return bool(self.net or self.tax)


NOTHING = Fen()


@dataclass(frozen=True)
class Bill:
    """One request for an invoice, blue or red, and what has become of it.

    `state`: wait_approval | wait | parked | login | issuing | confirming | issued | failed | cancelled. `total` is what
    the platform holds once it is issued, else what was asked for. `base`: what the parts of a split request share.
    """

    request_no: str
    is_red: bool
    state: str
    total: Fen
    since: datetime
    number: str = ""
    reason: str = ""
    issued_at: datetime | None = None
    base: str = ""
    blue_no: str = ""

    @property
    def is_issued(self) -> bool:
        """It is an invoice."""
        return self.state == "issued"

    @property
    def is_open(self) -> bool:
        """It may still become one by itself."""
        return self.state not in ("issued", "failed", "cancelled")


@dataclass(frozen=True)
class Share:
    """What a bill holds of one order line; of a red one negative."""

    bill: Bill
    amount: Fen


@dataclass(frozen=True)
class Booked:
    """What one voucher holds of one order line, negative where it takes out. `problem`: why it is not in the ledger."""

    voucher: str
    amount: Fen
    problem: str = ""


@dataclass
class Line:
    """One order line (or the order's freight) with everything that refers to it."""

    oid: str
    name: str
    rate: Decimal
    ordered: Fen
    refunded: Fen = NOTHING
    paid: int = 0
    shares: list[Share] = field(default_factory=list)
    booked: list[Booked] = field(default_factory=list)

    @property
    def receivable(self) -> Fen:
        """Ordered less refunded."""
        return self.ordered - self.refunded

    def _of(self, *, red: bool) -> Fen:
        return sum((one.amount for one in self.shares if one.bill.is_issued and one.bill.is_red == red), NOTHING)

    @property
    def blue(self) -> Fen:
        """On blue invoices that are issued."""
        return self._of(red=False)

    @property
    def red(self) -> Fen:
        """On red ones, negative."""
        return self._of(red=True)

    @property
    def billed(self) -> Fen:
        """Blue less red."""
        return self.blue + self.red

    @property
    def posted(self) -> Fen:
        """In the ledger: vouchers that every ledger has."""
        return sum((one.amount for one in self.booked if not one.problem), NOTHING)

    @property
    def reds_open(self) -> Fen:
        """What reds on their way will take back, negative."""
        return sum((one.amount for one in self.shares if one.bill.is_red and one.bill.is_open), NOTHING)


@dataclass
class Order:
    """An order with its lines. `wishes`: its buyer wants an invoice; `is_due`: it is owed (paid and not withdrawn).

    `refunds`: with their business days, for the months they count in. `held`: why no request could be made.
    `learned`: when the journal was last told anything of it, from which waiting is counted.
    """

    key: str
    order_no: str
    shop: str
    day: str
    status: str
    since: datetime
    wishes: bool
    is_due: bool
    lines: list[Line]
    held: str = ""
    learned: datetime | None = None
    refunds: list[tuple[str, str, Fen]] = field(default_factory=list)  # (line, business day, amount)
    refund_keys: list[str] = field(default_factory=list)

    def line(self, oid: str) -> Line:
        """A line by its oid; what names none that is there belongs to the last."""
        return next((line for line in self.lines if line.oid == oid), self.lines[-1])

    def bills(self) -> list[Bill]:
        """Every bill of any of its lines, once."""
        return list({share.bill.request_no: share.bill for line in self.lines for share in line.shares}.values())


@dataclass(frozen=True)
class Difference:
    """One difference: what it is, how much, why, since when, whose it is and what to do.

    `left` is what should be, `right` what is (gross, fen), `tax` right less left. `explanation`: why nobody need act,
    empty where somebody must. `lines`: the order lines it is about.
    """

    kind: str
    cause: str
    key: str
    order_key: str
    order_no: str
    left: int
    right: int
    tax: int
    reason: str
    next_step: str
    owner: str
    since: datetime
    explanation: str = ""
    lines: tuple[str, ...] = ()

    @property
    def amount(self) -> int:
        """What is too much (positive) or missing, gross in fen."""
        return self.right - self.left
