"""Streams and sinks of 高灯: blue invoices asked for by our numbers, reversed as a whole, and what became of both.

Interfaces: invoice/blue, invoice/red, invoice/query, invoice/send-email (docs.gc365.com, the vendor's published
clients). A red invoice has no number of ours: it is the one red of its blue. Under which application it was asked for
is kept in the key, `APPLICATION@ORDER`, which the platform never sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.gaodeng.client import Client, error_of
from connectors.gaodeng.hook import callback_url
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, VendorBusy, VendorRejected
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, not_offered
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

NUMBERS_A_PAGE = 50
NOT_FOUND = "gaodeng:not-found"
DECIDED = ("2", "3")
PLATFORM = "高灯"
LIMITS = Limits(number_places=8)


class Invoices:
    """Blue invoices by our order numbers, one a call."""

    name, entity, key = "invoice", "invoice", "order_id"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: the platform lists nothing by time."""
        if not window.keys:
            raise ConfigError(
                f"高灯的 {self.name} 只能按我方单号查询, 请在流程中用 poll 步骤代替 pull",
                en=f"{self.name} can be read by our numbers only; use a poll step instead of pull",
                code="gaodeng:keys",
                where=self.name,
            )
        for start in range(0, len(window.keys), NUMBERS_A_PAGE):
            yield Page(self.of(window.keys[start : start + NUMBERS_A_PAGE]))

    def of(self, keys: Sequence[str]) -> list[Record]:
        """The invoices of these keys, amounts in yuan; unknown ones are absent."""
        return [row for row in side_by_side(self.by_key, keys) if row]

    def by_key(self, key: str) -> Record | None:
        """The invoice of one key."""
        row = self._asked(key, 0)
        return {**row, "order_id": key} if row else None

    def _asked(self, order: str, is_red: int) -> Record | None:
        asked = {"seller_taxpayer_num": self._client.tax_no, "order_id": order, "is_red": is_red}
        try:
            row = self._client.read("query", asked)
        except VendorRejected as refused:
            if refused.code != NOT_FOUND:
                raise
            return None
        return self._in_yuan(row) if isinstance(row, dict) and row else None

    def _in_yuan(self, row: Record) -> Record:
        amounts = ("ticket_total_amount_has_tax", "ticket_total_amount_no_tax", "ticket_tax_amount")
        told = {name: f"{self._client.yuan(row[name]):.2f}" for name in amounts if row.get(name) not in (None, "")}
        return {**row, **told}


class RedInvoices(Invoices):
    """The one red invoice of a blue order, by APPLICATION@ORDER."""

    name, entity, key = "red_invoice", "invoice", "red_key"

    def by_key(self, key: str) -> Record | None:
        """The red invoice of one key."""
        row = self._asked(key.partition("@")[2], 1)
        return {**row, "red_key": key} if row else None


class RequestSink:
    """invoice/blue. A payload is {"kind": …, "order": what is sent, amounts in 分, rates in thousandths}."""

    name, entity = "invoice_request", "invoice_request"
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, invoices: Invoices, push: str) -> None:
        self._client = client
        self._invoices = invoices
        self._push = {"callback_url": push} if push else {}

    def key_of(self, payload: Record) -> str:
        """Our request number."""
        return str(payload["order"]["order_id"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan."""
        order = payload["order"]
        return {"gross": Decimal(order["amount_has_tax"]) / 100, "tax": Decimal(order["tax_amount"]) / 100}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Requests by number, as far as the platform tells their amounts: a failed one has none, and may go again.

        Raises VendorBusy for one that is there, has not failed and has no amounts.
        """
        return {row["order_id"]: found for row in self._invoices.of(keys) if (found := _found(row, row["order_id"], 1))}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One request per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._ask, payload)), payloads)

    def _ask(self, payload: Record) -> Done:
        ours = {"drawer": self._client.drawer} if self._client.drawer else {}
        code = {"invoice_type_code": self._client.kinds[payload["kind"]]}
        told = self._client.call("blue", {**ours, **self._client.in_unit(payload["order"]), **code, **self._push})
        if not isinstance(told, dict) or not told.get("order_sn"):
            raise _unreadable(self.key_of(payload))
        return Done(str(told["order_sn"]), "", told)


class RedSink:
    """invoice/red, always of the whole blue. A payload is {"application", "order_id", "gross", "tax"}, in yuan."""

    name, entity = "red_request", "red_request"
    safety = Safety.NATURAL_KEY
    batch = 20

    def __init__(self, client: Client, blues: Invoices, reds: Invoices, push: str) -> None:
        self._client = client
        self._blues = blues
        self._reds = reds
        self._push = push

    def key_of(self, payload: Record) -> str:
        """Application and blue order: a second red of that order is refused."""
        return f"{payload['application']}@{payload['order_id']}"

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan, negative."""
        return {"gross": Decimal(payload["gross"]), "tax": Decimal(payload["tax"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Red invoices, as far as the platform tells their amounts. Raises as requests do."""
        return {row["red_key"]: found for row in self._reds.of(keys) if (found := _found(row, row["red_key"], -1))}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One reversal per payload, in order, each in a call of its own: one bad order must not stop the others."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._reverse, payload)), payloads)

    def _reverse(self, payload: Record) -> Done:
        order, key = str(payload["order_id"]), self.key_of(payload)
        blue = self._blues.by_key(order)
        if blue is None or not blue.get("order_sn"):
            raise VendorRejected(
                f"高灯查无蓝票申请 {order}, 无法红冲; 请核对单号与销方税号",
                en=f"the blue order {order} is not known and cannot be reversed",
                code=NOT_FOUND,
                where=order,
            )
        push = {"callback_url": f"{self._push}&k={key}"} if self._push else {}
        asked = {"seller_taxpayer_num": self._client.tax_no, "order_sn": str(blue["order_sn"]), **push}
        told = self._client.call("red", {"invoices": [asked]})
        one = told[0] if isinstance(told, list) and len(told) == 1 and isinstance(told[0], dict) else {}
        if error := error_of(one, key):
            raise error
        return Done(str(one.get("invoice_id") or ""), "", one)


class Gaodeng:
    """A connection to the invoices of one seller."""

    ability = Ability(LIMITS, issues_reds=True, partial_reds=False, files=("pdf",))

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._invoices = Invoices(self._client)
        self._reds = RedInvoices(self._client)
        self._push = callback_url(connection)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice."""
        return {"invoice": self._invoices, "red_invoice": self._reds}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request."""
        return {
            "invoice_request": RequestSink(self._client, self._invoices, self._push),
            "red_request": RedSink(self._client, self._invoices, self._reds, self._push),
        }

    def check(self) -> list[tuple[str, str]]:
        """Asks for a number that cannot exist: application, secret and clock are then known to work."""
        self._invoices.of(["DUIJIE0CHECK"])
        return [("签名", "有效"), ("销方税号", self._client.tax_no)]

    def credit_line(self) -> CreditLine:
        """Raises ConfigError: no such interface could be read."""
        raise not_offered(PLATFORM, "授信额度", "the credit line")

    def login(self) -> Login:
        """Raises ConfigError: no such interface could be read."""
        raise not_offered(PLATFORM, "电子税务局登录状态", "the drawer's login")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """The PDF at the address that the query gave. Raises errors of the tree."""
        url = invoice.get("files", {}).get(kind)
        if kind not in self.ability.files or not url:
            raise not_offered(PLATFORM, f"{kind.upper()} 文件", f"a {kind} file of {invoice.get('request_no')}")
        return self._client.file(str(url))

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Have the platform mail an invoice again, which the new gateway does. Raises errors of the tree."""
        serial = str(invoice.get("serial") or "")
        if copy.phone or not copy.mail or not serial or not self._client.is_new:
            raise not_offered(PLATFORM, "短信交付 (邮件交付仅限新网关)", "anything but mail over the new gateway")
        named = {"seller_taxpayer_num": self._client.tax_no, "order_sn": serial, "email": copy.mail}
        self._client.call("send-email", {**named, "is_red": int(invoice.get("colour") == "red")})


def _has_failed(row: Record) -> bool:
    """Without a number, and with words for it: 2 and 3 alone mean issued in one document and failed in another."""
    return not row.get("ticket_sn") and str(row.get("status")) in DECIDED and bool(row.get("fail_msg"))


def _found(row: Record, key: str, sign: int) -> Found | None:
    """With the amounts of a red invoice negative, whichever sign the platform gives them.

    None for a failed one without amounts. Raises VendorBusy for any other without them: it can be compared later only.
    """
    if not row.get("ticket_total_amount_has_tax") or not row.get("ticket_tax_amount"):
        if _has_failed(row):
            return None
        raise VendorBusy(
            f"高灯已有 {key}, 但未给出金额也未说明失败, 无法核对, 稍后自动再查; 若持续请在高灯平台按单号核对",
            en=f"{key} is there, told without amounts and not as failed; it will be asked for again",
            code="gaodeng:no-amount",
            where=key,
        )
    gross, tax = (abs(Decimal(row[name])) for name in ("ticket_total_amount_has_tax", "ticket_tax_amount"))
    figures = {"gross": sign * gross, "tax": sign * tax}
    number = str(row.get("ticket_sn") or "")
    return Found(str(row.get("order_sn") or ""), number, figures, row, is_open=not number and not _has_failed(row))


def _unreadable(where: str) -> AnswerLost:
    return AnswerLost(
        "高灯的应答缺少 order_sn, 结果未知; 先查询再决定是否重发",
        en="the answer names no order_sn; the outcome is unknown and will be looked up",
        where=where,
    )


__all__ = ["Gaodeng"]
