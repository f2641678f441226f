"""What a 数电票 platform offers beside its streams and sinks, and within which limits.

A connector whose system issues invoices is also an `Invoicing`: the credit line and the login of the drawer can be
asked, files fetched, an invoice sent again. Streams and sinks keep to one set of names on every platform: streams
`invoice`, `red_invoice` and `red_form`, sinks `invoice_request`, `red_request`, `red_issue` and `red_answer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

from duijie.codec import Record
from duijie.connect.errors import ConfigError

SHORT_NAME = re.compile(r"^\*[^*]*\*")
FileKind = Literal["xml", "ofd", "pdf"]


@dataclass(frozen=True)
class Limits:
    """What one request may hold; 0 is no limit known. `counted_in`: how the lengths of texts are counted."""

    lines: int = 0
    remark: int = 0
    name: int = 0
    buyer_name: int = 100
    number_places: int = 0
    number_characters: int = 0
    gross: Decimal = Decimal(0)  # of one invoice, yuan
    counted_in: Literal["characters", "gbk"] = "characters"


@dataclass(frozen=True)
class Ability:
    """What a platform can do.

    `issues_reds`: the red invoice follows a form that stands by itself; else a `red_issue` must be written.
    `partial_reds`: a form may name lines. `answers_forms`: forms of buyers can be read and answered. `files`: what can
    be fetched.
    """

    limits: Limits
    issues_reds: bool = True
    partial_reds: bool = True
    answers_forms: bool = False
    files: tuple[FileKind, ...] = ()


@dataclass(frozen=True)
class CreditLine:
    """授信额度 of a seller for the month, amounts in yuan without tax. `at`: when the bureau was last asked."""

    total: Decimal
    used: Decimal
    available: Decimal
    at: datetime | None = None


@dataclass(frozen=True)
class Login:
    """How the drawer stands with the bureau. `qr`: what must be scanned, as an address or a data: URL; `until` when."""

    drawer: str
    state: Literal["in", "login", "sms", "scan", "unknown"]
    zh: str = ""
    qr: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Copy:
    """Where an invoice is sent again: one of the two, or both."""

    mail: str = ""
    phone: str = ""


@runtime_checkable
class Invoicing(Protocol):
    """A connection to a platform that issues invoices. What it does not offer raises `not_offered`."""

    ability: Ability

    def credit_line(self) -> CreditLine:
        """The seller's credit line as the platform knows it. Raises errors of the tree."""

    def login(self) -> Login:
        """How the drawer stands; where a person must scan, the code to scan. Raises errors of the tree."""

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """One file of an issued canonical `invoice`, as the platform gives it. Raises errors of the tree."""

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Have the platform send an issued invoice again. Raises errors of the tree."""


def marks(buyer_name: str, buyer_tax_no: str, lines: Iterable[tuple[str, Decimal, Decimal]]) -> dict[str, str]:
    """What tells one invoice from another beside its totals, for `Marking` sinks; lines are (name, net, tax).

    The short name of the tax class that platforms put before a line's name (*简称*) is left out.
    """
    told = (f"{SHORT_NAME.sub('', name)} {net:.2f}+{tax:.2f}" for name, net, tax in lines)
    return {"购方": buyer_name, "购方税号": buyer_tax_no, "明细": "; ".join(told)}


def not_offered(platform: str, what: str, en: str) -> ConfigError:
    """The error of a platform that has no such interface (or whose interface is not documented)."""
    return ConfigError(
        f"{platform}没有公开的{what}接口, 请在平台的网页上办理",
        en=f"{platform} documents no interface for {en}; use its own pages",
        code="NOT-OFFERED",
        where=platform,
    )


def supports(ability: Ability, kinds: Sequence[FileKind]) -> list[FileKind]:
    """Those of the kinds that the platform gives, in the order asked for."""
    return [kind for kind in kinds if kind in ability.files]


__all__ = [
    "Ability",
    "Copy",
    "CreditLine",
    "FileKind",
    "Invoicing",
    "Limits",
    "Login",
    "marks",
    "not_offered",
    "supports",
]
