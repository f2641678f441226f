"""What is told to the bureau behind the platforms' sandboxes, and how it says no.

Source: 国家税务总局公告 2024 年第 11 号 (red forms); the field tables of the platforms agree on the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Record = dict[str, Any]
Reason = Literal[
    "duplicate",
    "credit",
    "login",
    "scan",
    "arithmetic",
    "buyer",
    "over",
    "open_form",
    "not_found",
    "is_red",
    "full_only",
    "state",
]
WRONG_INVOICE = "wrong_invoice"
REASONS = ("sales_return", WRONG_INVOICE, "service_stopped", "allowance")


@dataclass(frozen=True)
class Party:
    """A seller or a buyer as it stands on an invoice."""

    name: str
    tax_no: str = ""
    address: str = ""
    phone: str = ""
    bank: str = ""
    account: str = ""


@dataclass(frozen=True)
class Line:
    """One line: yuan, `rate` a fraction, `price` with or without tax, `nature` normal|discounted|discount."""

    name: str
    tax_class_code: str
    rate: Decimal
    net: Decimal
    tax: Decimal
    spec: str = ""
    unit: str = ""
    qty: Decimal | None = None
    price: Decimal | None = None
    policy: str = ""
    nature: str = "normal"


@dataclass(frozen=True)
class Blue:
    """A request for a blue invoice. `kind` normal|special; `extra`: what the platform wants back, kept as it is.

    `verifies_buyer`: the request asks that an unknown tax number of the buyer makes it fail.
    """

    serial: str
    kind: str
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    remark: str = ""
    drawer: str = ""
    extra: Record = field(default_factory=dict)
    verifies_buyer: bool = False


@dataclass(frozen=True)
class RedLine:
    """What one line of a blue invoice (counted from 1) is taken back by: negative amounts and quantity."""

    blue_line: int
    net: Decimal
    tax: Decimal
    qty: Decimal | None = None


@dataclass(frozen=True)
class RedForm:
    """A 红字信息确认单 as it is begun; without lines it takes back the whole invoice."""

    application_no: str
    blue_number: str
    initiator: Literal["seller", "buyer"]
    reason: str
    lines: tuple[RedLine, ...] = ()
    extra: Record = field(default_factory=dict)


class Refused(Exception):
    """The bureau says no: `reason` for programs, `text` for people."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


def must(holds: bool, reason: Reason, text: str) -> None:
    """Refuse unless it holds."""
    if not holds:
        raise Refused(reason, text)


def plain(value: Any) -> Any:
    """A record of texts, numbers and lists: decimals as their digits, absent ones as nothing."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return "" if value is None else value


__all__ = ["REASONS", "WRONG_INVOICE", "Blue", "Line", "Party", "Record", "RedForm", "RedLine", "Refused"]
