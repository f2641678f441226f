"""What can be written to 诺诺: requests for blue invoices, red forms, and the answer to a buyer's form.

Methods: requestBillingNew, reInvoice, saveInvoiceRedConfirm, confirm (open.nuonuo.com, 诺税通 SaaS). The first two ways
of writing carry our own number, which the platform takes only once; a form is answered after it has been looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.nuonuo.client import ERRORS, Client
from connectors.nuonuo.streams import NUMBERS_A_CALL, SELLER, Invoices, RedForms, RedInvoices
from duijie.codec import Record
from duijie.connect.invoicing import marks
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

FIGURES = {"gross": "taxIncludedAmount", "tax": "tax"}
AGREED, REFUSED = "04", "06"
ANSWERS = {AGREED: Decimal(1), REFUSED: Decimal(0)}
ISSUING = ("20", "21")


class RequestSink:
    """requestBillingNew. A payload is {"order": …}; a used orderNo is refused, so no invoice can be issued twice."""

    name, entity = "invoice_request", "invoice_request"
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, invoices: Invoices) -> None:
        self._client = client
        self._invoices = invoices

    def key_of(self, payload: Record) -> str:
        """Our request number."""
        return str(payload["order"]["orderNo"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan: another tax than ours is a conflict, not a success."""
        lines = payload["order"]["invoiceDetail"]
        return {name: sum((Decimal(line[field]) for line in lines), Decimal(0)) for name, field in FIGURES.items()}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """The buyer and the lines."""
        order = payload["order"]
        lines = ((one["goodsName"], *_amounts(one, "taxExcludedAmount", "tax")) for one in order["invoiceDetail"])
        return marks(order["buyerName"], order.get("buyerTaxNum", ""), lines)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Requests by number, whatever has become of them: issuing, issued or failed."""
        parts = [keys[start : start + NUMBERS_A_CALL] for start in range(0, len(keys), NUMBERS_A_CALL)]
        return {row["orderNo"]: _found_request(row) for part in parts for row in self._invoices.of(part)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One request per payload, in order; the connection's drawer signs where the payload names none."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._request, payload)), payloads)

    def resubmit(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """reInvoice: a request that failed is begun again as it is; what is issued, or being issued, stays so."""
        pairs = list(zip(payloads, native_ids, strict=True))
        return side_by_side(lambda pair: self._client.retrier.outcome(partial(self._retry, *pair)), pairs)

    def _request(self, payload: Record) -> Done:
        order = {**payload["order"], "clerk": payload["order"].get("clerk") or self._client.clerk}
        if self._client.callback_url:
            order["callBackUrl"] = self._client.callback_url
        result = self._client.call("requestBillingNew", {"order": order})
        if not isinstance(result, dict) or not result.get("invoiceSerialNum"):
            raise ERRORS.error("unreadable", where=self.key_of(payload))
        return Done(str(result["invoiceSerialNum"]), "", dict(result))

    def _retry(self, payload: Record, native_id: str) -> Done:
        asked = {"fpqqlsh": native_id, "orderno": self.key_of(payload)}
        said = self._client.call("reInvoice", asked)
        return Done(native_id, "", {"invoiceSerialNum": native_id, "reInvoice": said})


class RedSink:
    """saveInvoiceRedConfirm. A payload is {"gross": "-113.00", "tax": "-13.00", "form": what is sent}.

    An empty `detail` stays out of the call: the whole blue is then reversed.
    """

    name, entity = "red_request", "red_request"
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, forms: RedInvoices) -> None:
        self._client = client
        self._forms = forms

    def key_of(self, payload: Record) -> str:
        """Our application number."""
        return str(payload["form"]["billId"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan, negative."""
        return {"gross": Decimal(payload["gross"]), "tax": Decimal(payload["tax"])}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """The buyer, the blue invoice and the reason."""
        return _marks_of_form(payload["form"])

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Forms by application number, in whatever state."""
        return {row["billId"]: _found_form(row) for row in self._forms.of(keys)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One form per payload, in order; the red invoice follows by itself once the form stands."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._save, payload)), payloads)

    def _save(self, payload: Record) -> Done:
        form = {name: value for name, value in payload["form"].items() if value != []}
        bill_id = self._client.call("saveInvoiceRedConfirm", form)
        if not bill_id:
            raise ERRORS.error("unreadable", where=self.key_of(payload))
        return Done(str(bill_id), "", {"billId": bill_id})


class AnswerSink:
    """confirm. A payload is {"billNo", "confirmAgreement": "0" refuse | "1" agree, "confirmReason"}."""

    name, entity = "red_answer", "red_answer"
    safety = Safety.LOOKUP
    batch = 10

    def __init__(self, client: Client, forms: RedForms) -> None:
        self._client = client
        self._forms = forms

    def key_of(self, payload: Record) -> str:
        """The form's number."""
        return str(payload["billNo"])

    def figures_of(self, payload: Record) -> Figures:
        """1 to agree, 0 to refuse."""
        return {"agrees": Decimal(payload["confirmAgreement"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Forms that have been answered; one that still waits, or is void, is absent."""
        rows = [row for row in side_by_side(self._forms.by_number, keys) if row]
        answered = [row for row in rows if row.get("billStatus") in ANSWERS]
        return {
            row["billNo"]: Found(row["billNo"], row["billNo"], {"agrees": ANSWERS[row["billStatus"]]}, row)
            for row in answered
        }

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One answer per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._answer, payload)), payloads)

    def _answer(self, payload: Record) -> Done:
        said = self._client.call("confirm", {"identity": SELLER, **payload})
        return Done(str(payload["billNo"]), str(payload["billNo"]), {"confirm": said})


def _amounts(line: Record, net: str, tax: str) -> tuple[Decimal, Decimal]:
    return Decimal(line[net]), Decimal(line[tax])


def _found_request(row: Record) -> Found:
    figures = {"gross": Decimal(row["orderAmount"]), "tax": Decimal(row["taxAmount"])}
    items = row.get("invoiceItems") or []
    lines = ((one["itemName"], *_amounts(one, "itemAmount", "itemTaxAmount")) for one in items)
    told = marks(str(row.get("payerName") or ""), str(row.get("payerTaxNo") or ""), lines)
    if not items:
        del told["明细"]
    is_open = str(row.get("status")) in ISSUING
    return Found(str(row["serialNo"]), str(row.get("invoiceNo") or ""), figures, row, told, is_open)


def _found_form(row: Record) -> Found:
    tax = Decimal(row["taxAmount"])
    figures = {"gross": Decimal(row["taxExcludedAmount"]) + tax, "tax": tax}
    return Found(str(row["billId"]), str(row.get("redInvoiceNumber") or ""), figures, row, _marks_of_form(row))


def _marks_of_form(form: Record) -> dict[str, str]:
    named = {"购方": "buyerName", "购方税号": "buyerTaxNo", "蓝票": "blueElecInvoiceNumber", "红冲原因": "redReason"}
    return {what: str(form.get(name) or "") for what, name in named.items()}


__all__ = ["AnswerSink", "RedSink", "RequestSink"]
