"""A connection to 诺诺: its streams and sinks, and what it offers beside them (credit line, login, files, delivery).

Methods: getCreditLine, getCertificationStatus, getQrCode, deliveryInvoice (open.nuonuo.com, 诺税通 SaaS). The bureau
may be asked anew (queryType 0) 20 times a day and once in 30 seconds, a new code to scan once a minute; where the
platform declines that, what it knows is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal

from connectors.nuonuo.client import Client
from connectors.nuonuo.sinks import AnswerSink, RedSink, RequestSink
from connectors.nuonuo.streams import CHINA, Invoices, RedForms, RedInvoices
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import MalformedMessage, VendorRejected
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services

LIMITS = Limits(lines=2000, remark=200, name=90, buyer_name=100, number_places=8, number_characters=16)
LOGGED_OUT, CHECK_PENDING = "0", "2"
BY_SMS = "2"
CODES = {"login": ("3", "2"), "scan": ("1", "0")}  # what is held, and how a new one is asked for


class Nuonuo:
    """A connection to the invoices of one seller."""

    ability = Ability(LIMITS, answers_forms=True, files=("xml", "ofd", "pdf"))

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._invoices = Invoices(self._client)
        self._reds = RedInvoices(self._client)
        self._forms = RedForms(self._client)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice, red_form."""
        return {"invoice": self._invoices, "red_invoice": self._reds, "red_form": self._forms}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request, red_answer."""
        return {
            "invoice_request": RequestSink(self._client, self._invoices),
            "red_request": RedSink(self._client, self._reds),
            "red_answer": AnswerSink(self._client, self._forms),
        }

    def check(self) -> list[tuple[str, str]]:
        """Asks for a number that cannot exist: key, secret, token and clock are then known to work."""
        self._invoices.of(["DUIJIE0CHECK"])
        return [("签名与 token", "有效"), ("销方税号", self._client.tax_no), ("开票员", self._client.clerk)]

    def credit_line(self) -> CreditLine:
        """The seller's line, asked of the bureau where that is allowed now. Raises errors of the tree."""
        self._refresh("getCreditLine", {"queryType": "0"})
        told = dict(self._client.read("getCreditLine", {"queryType": "1"}) or {})
        if told.get("availableCreditLine") in (None, ""):
            raise _not_told("授信额度", "credit line")
        names = ("totalCreditLine", "usedCreditLine", "availableCreditLine")
        total, used, available = (Decimal(str(told.get(name) or 0)) for name in names)
        return CreditLine(total, used, available, _moment(told.get("amountUpdateTime")))

    def login(self) -> Login:
        """Whether the drawer is logged in and has passed the real-person check, with the code to scan if not."""
        drawer = self._client.clerk
        entered = self._standing("2")
        if entered.get("certificationStatus") == LOGGED_OUT:
            if entered.get("loginType") == BY_SMS:
                return Login(drawer, "sms", f"{drawer} 的电子税务局登录已失效, 请在诺诺平台用短信验证码登录")
            return self._scan(drawer, "login", f"{drawer} 的电子税务局登录已失效, 请扫码登录")
        if self._standing("1").get("certificationStatus") == CHECK_PENDING:
            return self._scan(drawer, "scan", f"{drawer} 需要实名认证, 请用税务 APP 扫码")
        return Login(drawer, "in" if entered else "unknown")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """One file, from an address asked for now: those told earlier expire. Raises errors of the tree."""
        serial = str(invoice.get("serial") or "")
        row = self._invoices.of_serial(serial) if serial else None
        if row is None and invoice["colour"] == "blue":
            row = next(iter(self._invoices.of([invoice["request_no"]])), None)
        address = str((row or {}).get(f"{kind}Url") or "")
        if not address:
            raise _no_file(invoice, kind)
        return self._client.download(address)

    def resend(self, invoice: Record, copy: Copy) -> None:
        """deliveryInvoice by mail, text message, or both. Raises errors of the tree."""
        sent = {"taxnum": self._client.tax_no, "invoiceCode": "", "invoiceNum": invoice["number"]}
        where = {"mail": copy.mail, "phone": copy.phone}
        body = {**sent, **{name: value for name, value in where.items() if value}}
        self._client.retrier.write(lambda: self._client.call("deliveryInvoice", body))

    def _standing(self, asked: str) -> Record:
        return dict(self._client.read("getCertificationStatus", {"queryType": asked}) or {})

    def _scan(self, drawer: str, what: Literal["login", "scan"], zh: str) -> Login:
        held, anew = CODES[what]
        told = self._code(held)
        if not told.get("qrCode"):
            self._refresh("getQrCode", {"queryType": anew})
            told = self._code(held)
        return Login(drawer, what, zh, str(told.get("qrCode") or ""), _moment(told.get("endTime")))

    def _code(self, held: str) -> Record:
        return dict(self._client.read("getQrCode", {"queryType": held}) or {})

    def _refresh(self, method: str, body: Record) -> None:
        """Have the platform ask the bureau; that it may not now is no error."""
        try:
            self._client.read(method, body)
        except VendorRejected:
            return


def _moment(text: object) -> datetime | None:
    return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA) if text else None


def _not_told(what: str, en: str) -> MalformedMessage:
    return MalformedMessage(
        f"诺诺还没有取到{what}, 请稍后再查, 或在诺诺平台刷新",
        en=f"the platform has no {en} yet; ask again later",
        code="nuonuo:empty",
    )


def _no_file(invoice: Record, kind: str) -> VendorRejected:
    number = invoice.get("number") or invoice["request_no"]
    return VendorRejected(
        f"诺诺没有给出发票 {number} 的 {kind} 文件; 请在诺诺平台为企业开通该格式, 或在电子税务局下载",
        en=f"the platform gives no {kind} of invoice {number}",
        code="nuonuo:no-file",
        where=str(number),
    )


__all__ = ["Nuonuo"]
