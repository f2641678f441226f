"""Streams and sinks of 诺诺: requests for blue invoices, forms for red ones, and what has become of both.

Methods: requestBillingNew, queryInvoiceResult, saveInvoiceRedConfirm, queryInvoiceRedConfirm (open.nuonuo.com, 诺税通
SaaS). Both ways of writing carry our own number, which the platform takes only once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.nuonuo.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

NUMBERS_A_CALL = 50
NOTHING_FOUND = "nuonuo:E9500"
SELLER = "0"
FIGURES = {"gross": "taxIncludedAmount", "tax": "tax"}


class Invoices:
    """Blue invoices by our request numbers, as queryInvoiceResult sends them, lines included."""

    name, entity, key = "invoice", "invoice", "orderNo"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: the platform lists nothing by time."""
        _require_keys(window, self.name)
        for start in range(0, len(window.keys), NUMBERS_A_CALL):
            yield Page(self.of(window.keys[start : start + NUMBERS_A_CALL]))

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The results of at most 50 request numbers; unknown numbers are absent (E9500 where none is known)."""
        asked = {"orderNos": list(numbers), "isOfferInvoiceDetail": "1"}
        try:
            return [dict(row) for row in self._client.read("queryInvoiceResult", asked) or []]
        except VendorRejected as refused:
            if refused.code != NOTHING_FOUND:
                raise
            return []


class RedInvoices:
    """Red confirmation forms (红字信息确认单) by our application numbers, with the red invoice once there is one."""

    name, entity, key = "red_invoice", "invoice", "billId"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The forms of `window.keys`. Raises ConfigError without keys."""
        _require_keys(window, self.name)
        for start in range(0, len(window.keys), NUMBERS_A_CALL):
            yield Page(self.of(window.keys[start : start + NUMBERS_A_CALL]))

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The forms of these application numbers, each asked for alone: the query takes one."""
        return [row for row in side_by_side(self._by_number, numbers) if row]

    def _by_number(self, number: str) -> Record | None:
        asked = {"identity": SELLER, "billId": number, "pageNo": "1", "pageSize": "10"}
        listed = (self._client.read("queryInvoiceRedConfirm", asked) or {}).get("list") or []
        return next((dict(row) for row in listed if row.get("billId") == number), None)


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

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Requests by number, whatever has become of them: issuing, issued or failed."""
        parts = [keys[start : start + NUMBERS_A_CALL] for start in range(0, len(keys), NUMBERS_A_CALL)]
        return {row["orderNo"]: _found_request(row) for part in parts for row in self._invoices.of(part)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One request per payload, in order; the connection's drawer signs where the payload names none."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._request, payload)), payloads)

    def _request(self, payload: Record) -> Done:
        order = {**payload["order"], "clerk": payload["order"].get("clerk") or self._client.clerk}
        if self._client.callback_url:
            order["callBackUrl"] = self._client.callback_url
        result = self._client.call("requestBillingNew", {"order": order})
        return Done(str(result["invoiceSerialNum"]), "", dict(result))


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

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Forms by application number, in whatever state."""
        return {row["billId"]: _found_form(row) for row in self._forms.of(keys)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One form per payload, in order; the red invoice follows by itself once the form stands."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._save, payload)), payloads)

    def _save(self, payload: Record) -> Done:
        form = {name: value for name, value in payload["form"].items() if value != []}
        bill_id = self._client.call("saveInvoiceRedConfirm", form)
        return Done(str(bill_id), "", {"billId": bill_id})


class Nuonuo:
    """A connection to the invoices of one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._invoices = Invoices(self._client)
        self._forms = RedInvoices(self._client)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice."""
        return {"invoice": self._invoices, "red_invoice": self._forms}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request."""
        return {
            "invoice_request": RequestSink(self._client, self._invoices),
            "red_request": RedSink(self._client, self._forms),
        }

    def check(self) -> list[tuple[str, str]]:
        """Asks for a number that cannot exist: key, secret, token and clock are then known to work."""
        self._invoices.of(["DUIJIE0CHECK"])
        return [("签名与 token", "有效"), ("销方税号", self._client.tax_no), ("开票员", self._client.clerk)]


def _found_request(row: Record) -> Found:
    figures = {"gross": Decimal(row["orderAmount"]), "tax": Decimal(row["taxAmount"])}
    return Found(str(row["serialNo"]), str(row.get("invoiceNo") or ""), figures, row)


def _found_form(row: Record) -> Found:
    tax = Decimal(row["taxAmount"])
    figures = {"gross": Decimal(row["taxExcludedAmount"]) + tax, "tax": tax}
    return Found(str(row["billId"]), str(row.get("redInvoiceNumber") or ""), figures, row)


def _require_keys(window: Window, stream: str) -> None:
    if not window.keys:
        raise ConfigError(
            f"诺诺的 {stream} 只能按我方单号查询, 请在流程中用 poll 步骤代替 pull",
            en=f"{stream} can be read by our numbers only; use a poll step instead of pull",
            code="nuonuo:keys",
            where=stream,
        )
