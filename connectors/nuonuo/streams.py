"""What can be read of 诺诺: blue invoices and red forms by our own numbers, and the forms of a span of time.

Methods: queryInvoiceResult, queryInvoiceRedConfirm, refreshInvoiceRedConfirm (open.nuonuo.com, 诺税通 SaaS). Forms that
a buyer began at the bureau reach the platform only when it is told to ask (refreshInvoiceRedConfirm).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone

from connectors.nuonuo.client import Client
from duijie.codec import Record
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.protocol import Page, Traits, Window
from duijie.connect.retry import side_by_side

CHINA = timezone(timedelta(hours=8))
NUMBERS_A_CALL = 50
FORMS_A_PAGE = 50
LONGEST = timedelta(days=30)
NOTHING_FOUND = "nuonuo:E9500"
SELLER = "0"
SECOND = timedelta(seconds=1)


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
        return self._asked({"orderNos": list(numbers), "isOfferInvoiceDetail": "1"})

    def of_serial(self, serial: str) -> Record | None:
        """One invoice, blue or red, by the platform's own number; None where there is none."""
        found = self._asked({"serialNos": [serial], "isOfferInvoiceDetail": "0"})
        return found[0] if found else None

    def _asked(self, body: Record) -> list[Record]:
        try:
            return [dict(row) for row in self._client.read("queryInvoiceResult", body) or []]
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
        return form_by(self._client, "billId", number)


class RedForms:
    """Red forms begun in a span of time, by us or by buyers, as queryInvoiceRedConfirm lists them."""

    name, entity, key = "red_form", "red_form", "billNo"
    traits = Traits(longest=LONGEST)

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The forms of `window.keys` (确认单编号), else those whose billTime lies in the window."""
        if window.keys:
            yield Page([row for row in side_by_side(self.by_number, window.keys) if row])
            return
        span = {"billTimeStart": _moment(window.since), "billTimeEnd": _moment(window.until - SECOND)}
        self._refresh(span)
        number, seen, total = 1, 0, 1
        while seen < total:
            asked = {"identity": SELLER, **span, "pageNo": str(number), "pageSize": str(FORMS_A_PAGE)}
            result = self._client.read("queryInvoiceRedConfirm", asked) or {}
            rows = [dict(row) for row in result.get("list") or []]
            total, seen, number = int(result.get("total") or 0), seen + len(rows), number + 1
            yield Page(rows, total)
            if not rows:
                return

    def by_number(self, number: str) -> Record | None:
        """The form of that 确认单编号."""
        return form_by(self._client, "billNo", number)

    def _refresh(self, span: Record) -> None:
        """Have the platform fetch what began at the bureau; where it declines, what it knows has to do."""
        asked = {"identity": SELLER, "startTime": span["billTimeStart"][:10], "endTime": span["billTimeEnd"][:10]}
        try:
            self._client.read("refreshInvoiceRedConfirm", asked)
        except VendorRejected:
            return


def form_by(client: Client, name: str, number: str) -> Record | None:
    """One form by billId, billNo or billUuid; None where there is none."""
    asked = {"identity": SELLER, name: number, "pageNo": "1", "pageSize": "10"}
    try:
        listed = (client.read("queryInvoiceRedConfirm", asked) or {}).get("list") or []
    except VendorRejected as refused:
        if refused.code != NOTHING_FOUND:
            raise
        return None
    return next((dict(row) for row in listed if row.get(name) == number), None)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def _require_keys(window: Window, stream: str) -> None:
    if not window.keys:
        raise ConfigError(
            f"诺诺的 {stream} 只能按我方单号查询, 请在流程中用 poll 步骤代替 pull",
            en=f"{stream} can be read by our numbers only; use a poll step instead of pull",
            code="nuonuo:keys",
            where=stream,
        )


__all__ = ["Invoices", "RedForms", "RedInvoices"]
