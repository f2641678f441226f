"""What 乐企 can be asked: what became of an upload, of a red form, and the forms of both sides in a time.

Services CXQDFPSCJG, CXQDHZQRDMX, CXQDHZQRDLB. The result of an upload is asked for by its 受理流水号, which the
register keeps; the bureau answers the state alone, so the invoice itself comes from the register as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.leqi.building import CHINA, Builder
from connectors.leqi.client import NOT_FOUND, Client, rows_of
from connectors.leqi.register import Begun, Numbered, Register
from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.protocol import Page, Window
from duijie.connect.retry import side_by_side

NUMBERS_A_PAGE = 50
ROWS_A_PAGE = 50
FAILED = "02"
VOID = frozenset({"05", "06", "07", "08", "09", "10", "11", "12", "13"})


class Office:
    """Client, builder and register of one connection, and the questions that streams and sinks share."""

    def __init__(self, client: Client, builder: Builder, register: Register) -> None:
        self.client = client
        self.builder = builder
        self.register = register

    def result(self, row: Numbered) -> Record | None:
        """The bureau's word on an upload (fphm, status, message); None where it has none, or was never asked."""
        if not row.receipt:
            return None
        told = self._or_none("CXQDFPSCJG", {"sllsh": row.receipt})
        return next((one for one in rows_of(told or {}) if one.get("fphm") == row.number), None)

    def form(self, uuid: str) -> Record | None:
        """A red form with its lines."""
        return self._or_none("CXQDHZQRDMX", {"uuid": uuid, "xsfnsrsbh": self.builder.tax_no})

    def forms(self, **by: Any) -> list[Record]:
        """One page of forms whose seller we are, as the list tells them: without lines."""
        ours = {"yhjslx": "0", "xsfnsrsbh": self.builder.tax_no, "xsfmc": self.builder.seller}
        return rows_of(self._or_none("CXQDHZQRDLB", {**ours, **by}) or {})

    def form_of(self, red: Begun) -> Record | None:
        """The form that an application of ours became; where the answer was lost, by its amounts, and then kept."""
        if not red.uuid:
            taken = self.register.claimed(red.blue)
            begun = [row for row in self.forms(lzfphm=red.blue, lrfsf="0") if row["uuid"] not in taken]
            same = [row for row in begun if _cents(row) == (red.net, red.tax)]
            if not same:
                return None
            self.register.claim(red.key, str(same[-1]["uuid"]))
            return self.form(str(same[-1]["uuid"]))
        return self.form(red.uuid)

    def _or_none(self, service: str, data: Record) -> Record | None:
        try:
            return self.client.read(service, data)
        except VendorRejected as refused:
            if refused.code != NOT_FOUND:
                raise
            return None


class Invoices:
    """Blue invoices by our request numbers: {"serial", "result", "invoice" as it was sent}."""

    name, entity, key = "invoice", "invoice", "serial"

    def __init__(self, office: Office) -> None:
        self._office = office

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys."""
        if not window.keys:
            raise ConfigError(
                f"乐企的 {self.name} 只能按我方单号查询, 请在流程中用 poll 步骤代替 pull",
                en=f"{self.name} can be read by our numbers only; use a poll step instead of pull",
                code="leqi:keys",
                where=self.name,
            )
        for start in range(0, len(window.keys), NUMBERS_A_PAGE):
            yield Page(self.of(window.keys[start : start + NUMBERS_A_PAGE]))

    def of(self, keys: Sequence[str]) -> list[Record]:
        """What became of these keys; those the bureau knows nothing of are absent."""
        return [row for row in side_by_side(self.by_key, keys) if row]

    def by_key(self, key: str) -> Record | None:
        """What became of one request."""
        row = self._office.register.of(key)
        result = self._office.result(row) if row else None
        return {"serial": key, "result": result, "invoice": codec.decode(row.body)} if row and result else None


class RedInvoices(Invoices):
    """Red invoices as their forms tell them, by APPLICATION@BLUE, or by the serial number of a red_issue."""

    name, entity, key = "red_invoice", "invoice", "red_key"

    def by_key(self, key: str) -> Record | None:
        """The form behind one key."""
        office = self._office
        if "@" in key:
            red = office.register.red(key)
            found = office.form_of(red) if red else None
        else:
            row = office.register.of(key)
            found = office.form(str(codec.decode(row.body).get("hzqrduuid") or "")) if row else None
        return {**found, "red_key": key} if found else None


class RedForms:
    """The forms of both sides, as a list by the day they were entered."""

    name, entity, key = "red_form", "red_form", "uuid"

    def __init__(self, office: Office) -> None:
        self._office = office

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Forms entered in the days of the window, or (`window.keys`) with these uuids."""
        if window.keys:
            yield Page([row for row in side_by_side(self._office.form, window.keys) if row])
            return
        days = {"lrrqq": _day(window.since), "lrrqz": _day(window.until)}
        number, more = 1, True
        while more:
            rows = self._office.forms(**days, pageNumber=number, pageSize=ROWS_A_PAGE)
            yield Page(rows)
            number, more = number + 1, len(rows) == ROWS_A_PAGE


def _cents(form: Record) -> tuple[str, str]:
    net, tax = (f"{Decimal(str(form[name])):.2f}" for name in ("hzcxje", "hzcxse"))
    return net, tax


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(CHINA):%Y-%m-%d}"
