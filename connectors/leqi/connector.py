"""A connection to 乐企 (自用直连): the seller numbers and builds its invoices and uploads them to the tax bureau.

Services QDFPPLFM (numbers in advance), XZTHSXED and CXSXED (the credit line), QDFPSC and CXQDFPSCJG (upload and
result), QDHZQRDSQ, QDHZQRDQR, CXQDHZQRDLB and CXQDHZQRDMX (red forms), as public code cites the bureau's documents.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from connectors.leqi.building import Builder
from connectors.leqi.client import Client, error_of
from connectors.leqi.reads import Invoices, Office, RedForms, RedInvoices
from connectors.leqi.register import Register
from connectors.leqi.signer import find_signer
from connectors.leqi.sinks import AnswerSink, IssueSink, RedSink, RequestSink
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.home import home
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, not_offered
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services

PLATFORM = "乐企"
LIMITS = Limits(remark=450, name=300, buyer_name=300, number_characters=25)
NUMBERS_A_CALL = "100"


class Leqi:
    """A connection to the invoices of one seller."""

    ability = Ability(LIMITS, issues_reds=False, partial_reds=True, answers_forms=True)

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._client = Client(connection, services, find_signer(connection))
        where = connection.extra.get("register") or home() / "leqi" / f"{connection.conn_id}.db"
        self._builder = Builder(connection)
        self._office = Office(self._client, self._builder, Register(Path(str(where))))
        self._numbers_a_call = int(str(connection.extra.get("numbers_a_call") or NUMBERS_A_CALL))

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice, red_form."""
        made = (Invoices(self._office), RedInvoices(self._office), RedForms(self._office))
        return {stream.name: stream for stream in made}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request, red_issue, red_answer."""
        uploads = (
            RequestSink(self._office, self.take_numbers, self.take_credit),
            IssueSink(self._office, self.take_numbers),
        )
        return {sink.name: sink for sink in (*uploads, RedSink(self._office), AnswerSink(self._office))}

    def check(self) -> list[tuple[str, str]]:
        """Asks for the credit line: signature, key and rights are then known to work."""
        line = self.credit_line()
        return [
            ("签名与 SM4 密钥", "有效"),
            ("销方税号", self._builder.tax_no),
            ("可用额度", f"{line.available:.2f} 元"),
        ]

    def take_numbers(self) -> tuple[str, str]:
        """Numbers in advance (QDFPPLFM): the first and the last of them. Raises errors of the tree."""
        asked = {"nsrsbh": self._builder.tax_no, "lysl": self._numbers_a_call, "ywlsh": self._business_serial()}
        told = self._client.call("QDFPPLFM", asked)
        first, last = str(told.get("fpqshm") or ""), str(told.get("fpzzhm") or "")
        if not (first.isdigit() and last.isdigit() and len(first) == len(last) == 20):
            raise error_of("unreadable", "", "QDFPPLFM")
        return first, last

    def take_credit(self, net: Decimal) -> None:
        """Download credit (XZTHSXED) where what was downloaded before is not enough for an invoice; only if so set.

        Raises errors of the tree. Where the answer is lost, more may be downloaded than needed, which harms nobody.
        """
        step = Decimal(str(self._connection.extra.get("credit_step") or 0))
        if not step:
            return
        told = self._client.read("CXSXED", {"nsrsbh": self._builder.tax_no})
        if Decimal(str(told.get("yxzwsyed") or 0)) < net:
            asked = {
                "nsrsbh": self._builder.tax_no,
                "ptbh": self._connection.login,
                "sqlx": "0",
                "sqed": max(step, net),
            }
            self._client.call("XZTHSXED", {**asked, "ywlsh": self._business_serial()})

    def credit_line(self) -> CreditLine:
        """The month's credit line: what is left of it, downloaded or not."""
        told = self._client.read("CXSXED", {"nsrsbh": self._builder.tax_no})
        total, left, unused = (Decimal(str(told.get(name) or 0)) for name in ("bysxed", "kysyed", "yxzwsyed"))
        return CreditLine(total, total - left - unused, left + unused)

    def login(self) -> Login:
        """There is none: a company that is connected directly signs its calls instead."""
        return Login(self._builder.drawer, "in", "乐企直连以签名代替登录, 开票员无需登录电子税务局")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """Raises ConfigError: which service gives an invoice's files could not be read."""
        raise not_offered(PLATFORM, f"{kind.upper()} 文件下载", f"{kind} files")

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Raises ConfigError: delivering is the seller's own affair."""
        raise not_offered(PLATFORM, "交付", "sending an invoice again")

    def _business_serial(self) -> str:
        """业务流水号: both platform numbers and 32 random characters."""
        return f"{self._connection.require('user_platform')}{self._connection.login}{secrets.token_hex(16)}"


__all__ = ["Leqi"]
