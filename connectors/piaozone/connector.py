"""Streams and sinks of 金蝶发票云 旗舰版: blue 数电票 asked for, reversed, and what has become of both.

Interfaces: ALLE.INVOICE.OPEN, ALLE.INVOICE.RED, ALLE.INVOICE.QUERY ("直接开票接口", open-ultimate.piaozone.com). A call
that is taken has issued nothing yet: the query tells. Both ways of writing carry our own serialNo, which is taken once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.piaozone.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, marks, not_offered
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

NUMBERS_A_PAGE = 50
NOT_FOUND = "piaozone:not-found"
PLATFORM = "金蝶发票云"
BLUE, RED = "0", "1"
LIMITS = Limits(remark=230, name=92, buyer_name=100, number_places=8, counted_in="gbk")
LINES = "明细"


class Invoices:
    """Invoices of one colour by our serial numbers, as ALLE.INVOICE.QUERY sends them, one a call."""

    entity, key = "invoice", "serialNo"

    def __init__(self, client: Client, name: str, colour: str) -> None:
        self.name = name
        self._client = client
        self._colour = colour

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: the list cannot be asked for by time."""
        if not window.keys:
            raise ConfigError(
                f"金蝶发票云的 {self.name} 只能按我方流水号查询, 请在流程中用 poll 步骤代替 pull",
                en=f"{self.name} can be read by our serial numbers only; use a poll step instead of pull",
                code="piaozone:keys",
                where=self.name,
            )
        for start in range(0, len(window.keys), NUMBERS_A_PAGE):
            yield Page(self.of(window.keys[start : start + NUMBERS_A_PAGE]))

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The invoices of these numbers; unknown numbers are absent."""
        return [row for row in side_by_side(self._by_number, numbers) if row]

    def _by_number(self, number: str) -> Record | None:
        asked = {"serialNo": number, "sellerTaxpayerId": self._client.tax_no}
        try:
            row = self._client.read("ALLE.INVOICE.QUERY", asked)
        except VendorRejected as refused:
            if refused.code != NOT_FOUND:
                raise
            return None
        is_it = isinstance(row, dict) and row.get("serialNo") == number
        return row if is_it and str(row.get("invoiceProperty", self._colour)) == self._colour else None


class RequestSink:
    """ALLE.INVOICE.OPEN. A payload is what is sent; the connection's seller name and drawer go in where it has none."""

    name, entity = "invoice_request", "invoice_request"
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, invoices: Invoices) -> None:
        self._client = client
        self._invoices = invoices

    def key_of(self, payload: Record) -> str:
        """Our request number."""
        return str(payload["serialNo"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan."""
        net, tax = (_sum(payload["invoiceDetail"], field) for field in ("amount", "taxAmount"))
        return {"gross": net + tax, "tax": tax}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Buyer and lines."""
        return _marks(payload)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Requests by number, whatever has become of them: issuing, issued or failed."""
        return {row["serialNo"]: _found(row, _marks(row)) for row in self._invoices.of(keys)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One request per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._open, payload)), payloads)

    def _open(self, payload: Record) -> Done:
        ours = {"sellerName": self._client.seller, "drawer": self._client.drawer}
        said = self._client.call("ALLE.INVOICE.OPEN", {**ours, **payload})
        return Done(self.key_of(payload), "", {"data": said})


class RedSink:
    """ALLE.INVOICE.RED: the form and the red invoice in one. A payload is {"gross", "tax", "form": what is sent}.

    An empty `invoiceDetail` stays out of the call: the whole blue is then reversed.
    """

    name, entity = "red_request", "red_request"
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, reds: Invoices) -> None:
        self._client = client
        self._reds = reds

    def key_of(self, payload: Record) -> str:
        """Our application number."""
        return str(payload["form"]["serialNo"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan, negative."""
        return {"gross": Decimal(payload["gross"]), "tax": Decimal(payload["tax"])}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """The blue invoice that is reversed."""
        return {"蓝票": str(payload["form"]["invoiceNum"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Red invoices by application number, in whatever state."""
        return {row["serialNo"]: _found(row, _blue(row)) for row in self._reds.of(keys)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One reversal per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._reverse, payload)), payloads)

    def _reverse(self, payload: Record) -> Done:
        form = {name: value for name, value in payload["form"].items() if value != []}
        said = self._client.call("ALLE.INVOICE.RED", {"drawer": self._client.drawer, **form})
        return Done(self.key_of(payload), "", {"data": said})


class Piaozone:
    """A connection to the invoices of one seller."""

    ability = Ability(LIMITS, issues_reds=True, partial_reds=True, files=("xml", "ofd", "pdf"))

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._invoices = Invoices(self._client, "invoice", BLUE)
        self._reds = Invoices(self._client, "red_invoice", RED)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice."""
        return {"invoice": self._invoices, "red_invoice": self._reds}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request."""
        return {
            "invoice_request": RequestSink(self._client, self._invoices),
            "red_request": RedSink(self._client, self._reds),
        }

    def check(self) -> list[tuple[str, str]]:
        """Asks for a number that cannot exist: app, account, user and encryption are then known to work."""
        self._invoices.of(["DUIJIE0CHECK"])
        return [("token 与加密方式", "有效"), ("销方税号", self._client.tax_no), ("开票人", self._client.drawer)]

    def credit_line(self) -> CreditLine:
        """Raises ConfigError: the interface's code could not be read."""
        raise not_offered(PLATFORM, "授信额度查询", "the credit line")

    def login(self) -> Login:
        """Raises ConfigError: the interface's code could not be read."""
        raise not_offered(PLATFORM, "电子税局登录检测", "the drawer's login")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """The file at the address that the query gave; XML may come in a ZIP. Raises errors of the tree."""
        url, number = invoice.get("files", {}).get(kind), str(invoice.get("request_no", ""))
        if not url:
            raise VendorRejected(
                f"发票云尚未给出申请 {number} 的 {kind.upper()} 文件, 稍后再取",
                en=f"no {kind} file yet of {number}; fetch it later",
                code="piaozone:no-file",
                where=number,
            )
        return self._client.file(str(url))

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Raises ConfigError: there is no such interface."""
        raise not_offered(PLATFORM, "重新交付", "sending an invoice again")


def _sum(lines: Iterable[Record], field: str) -> Decimal:
    return sum((Decimal(str(line[field])) for line in lines), Decimal(0))


def _marks(row: Record) -> dict[str, str]:
    """Of a payload or of an answer, which may come without lines."""
    lines = row.get("invoiceDetail") or []
    told = [(str(one["goodsName"]), Decimal(str(one["amount"])), Decimal(str(one["taxAmount"]))) for one in lines]
    made = marks(str(row.get("buyerName") or ""), str(row.get("buyerTaxpayerId") or ""), told)
    return made if told else {name: value for name, value in made.items() if name != LINES}


def _blue(row: Record) -> dict[str, str]:
    number = str(row.get("originalInvoiceNumber") or "")
    return {"蓝票": number} if number else {}


def _found(row: Record, told: Mapping[str, Any]) -> Found:
    figures = {"gross": Decimal(str(row["includeTaxAmount"])), "tax": Decimal(str(row["totalTaxAmount"]))}
    return Found(str(row["serialNo"]), str(row.get("invoiceNum") or ""), figures, row, told)


__all__ = ["Piaozone"]
