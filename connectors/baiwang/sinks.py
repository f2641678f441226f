"""What is written to 百望云: requests for blue invoices and quick reds, each under a number that is looked up.

Methods: baiwang.s.outputinvoice.invoice and .fastRed (open.baiwang.com, 小微). What the platform answers to a number
that is taken is not published, so every refusal that may be that one is looked up before it counts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial

from connectors.baiwang.client import Client
from connectors.baiwang.streams import Invoices, RedInvoices, parts_of
from duijie.codec import Record
from duijie.connect.errors import AlreadyThere, VendorBusy, VendorRejected
from duijie.connect.invoicing import marks
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

ISSUE = "baiwang.s.outputinvoice.invoice"
RED = "baiwang.s.outputinvoice.fastRed"
CERTAIN = frozenset(f"baiwang:{code}" for code in ("20019", "20020", "20023", "70169", "70035"))
ISSUING = "00"


class _Writing(ABC):
    """What both sinks share: a number that is looked up whenever its fate is not certain."""

    safety = Safety.LOOKUP
    batch = 50
    method = ""

    def __init__(self, client: Client) -> None:
        self._client = client

    def key_of(self, payload: Record) -> str:
        """Our number."""
        return str(payload["orderNo"])

    @abstractmethod
    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the platform holds under these numbers."""

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._send, payload)), payloads)

    def _send(self, payload: Record) -> Done:
        try:
            answer = self._client.call(self.method, self._sent(payload))
        except VendorRejected as refused:
            if refused.code in CERTAIN or self.key_of(payload) not in self.find([self.key_of(payload)]):
                raise
            raise _taken(refused, self.key_of(payload)) from refused
        given = dict(answer) if isinstance(answer, dict) else {}
        native = given.get("serialNo") or given.get("redConfirmSerialNo") or payload["orderNo"]
        return Done(str(native), "", given)

    def _sent(self, payload: Record) -> Record:
        return payload


class RequestSink(_Writing):
    """Requests a blue invoice. A payload is the body of the call, without what the connection says."""

    name, entity = "invoice_request", "invoice_request"
    method = ISSUE

    def __init__(self, client: Client, invoices: Invoices, drawn_by: Record) -> None:
        super().__init__(client)
        self._invoices = invoices
        self._drawn_by = drawn_by

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan."""
        lines = payload["invoiceDetailList"]
        return {"gross": _sum(lines, "goodsTotalPriceTax"), "tax": _sum(lines, "goodsTotalTax")}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Buyer and lines."""
        return _marks(payload)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Requests by number, whatever has become of them: issuing, issued or failed."""
        return {row["orderNo"]: _found(row) for part in parts_of(keys) for row in self._invoices.of(part)}

    def _sent(self, payload: Record) -> Record:
        return {**payload, **{name: value for name, value in self._drawn_by.items() if not payload.get(name)}}


class RedSink(_Writing):
    """fastRed, the red invoice following by itself. A payload is {"orderNo", "gross", "tax", "form": what is sent}.

    An empty `details` stays out of the call: the whole blue is then reversed.
    """

    name, entity = "red_request", "red_request"
    method = RED

    def __init__(self, client: Client, reds: RedInvoices) -> None:
        super().__init__(client)
        self._reds = reds

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan, negative."""
        return {"gross": Decimal(payload["gross"]), "tax": Decimal(payload["tax"])}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """The blue invoice."""
        return {"蓝票": str(payload["form"]["originalDigitInvoiceNo"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Reds by number, as an invoice or still as a form."""
        return {row["orderNo"]: _found_red(row) for part in parts_of(keys) for row in self._reds.of(part)}

    def _sent(self, payload: Record) -> Record:
        form = {name: value for name, value in payload["form"].items() if value != []}
        return {"orderNo": payload["orderNo"], **form}


def _sum(lines: Sequence[Record], field: str) -> Decimal:
    return sum((Decimal(line[field]) for line in lines), Decimal(0))


def _marks(body: Record) -> dict[str, str]:
    """Buyer and lines of a request or of a row, which name them alike; the lines as far as they are told whole."""
    buyer = str(body.get("buyerName") or ""), str(body.get("buyerTaxNo") or "")
    try:
        lines = [
            (str(line["goodsName"]), Decimal(str(line["goodsTotalPrice"])), Decimal(str(line["goodsTotalTax"])))
            for line in body.get("invoiceDetailList") or []
        ]
    except (KeyError, TypeError, InvalidOperation):
        lines = []
    made = marks(*buyer, lines)
    return made if lines else {name: text for name, text in made.items() if name != "明细"}


def _amount(row: Record, name: str) -> Decimal:
    """An amount of a row. Raises VendorBusy where the platform does not tell it yet."""
    try:
        return Decimal(str(row[name]))
    except (KeyError, InvalidOperation) as error:
        number = str(row.get("orderNo") or "")
        raise VendorBusy(
            f"百望云还没有给出 {number} 的金额 {name}, 稍后自动再查; 若持续请在平台上核对",
            en=f"{number} is told without {name}; it will be asked for again",
            code="baiwang:no-amount",
            where=number,
        ) from error


def _found(row: Record) -> Found:
    figures = {"gross": _amount(row, "invoiceTotalPriceTax"), "tax": _amount(row, "invoiceTotalTax")}
    number = str(row.get("digitInvoiceNo") or row.get("invoiceNo") or "")
    return Found(str(row.get("serialNo") or ""), number, figures, row, _marks(row), str(row.get("status")) == ISSUING)


def _found_red(row: Record) -> Found:
    if "invoice" in row:
        made = _found(row["invoice"])
        blue = str(row["invoice"].get("originalDigitInvoiceNo") or row["invoice"].get("originalInvoiceNo") or "")
        return Found(made.native_id, made.native_no, made.figures, row, {"蓝票": blue} if blue else {})
    form = row["form"]
    net, tax = _amount(form, "invoiceTotalPrice"), _amount(form, "invoiceTotalTax")
    native = str(form.get("redConfirmSerialNo") or form.get("redConfirmNo") or "")
    blue = str(form.get("originalInvoiceNo") or "")
    return Found(native, "", {"gross": net + tax, "tax": tax}, row, {"蓝票": blue} if blue else {})


def _taken(refused: VendorRejected, number: str) -> AlreadyThere:
    return AlreadyThere(
        f"百望云已有单号 {number} ({refused.zh}), 先查询核对",
        en=f"{number} is there already ({refused.en}); it is looked up and compared",
        code="baiwang:there",
        where=number,
    )
