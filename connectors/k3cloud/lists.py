"""Streams of 金蝶云星空: base data and bills by FModifyDate, and the stock as it is now.

A raw record is what the server sent under the names it was asked for, dots as nesting: `FCustId.FNumber` is
{"FCustId": {"FNumber": …}}; the lines of a bill lie under their entity. Source: WebAPI "ExecuteBillQuery".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.k3cloud.client import Client
from connectors.k3cloud.forms import Form
from connectors.k3cloud.queries import PAGE_ROWS, Row, any_of, asking, conditions, literal, whole
from duijie.codec import Record
from duijie.connect.protocol import Page, Window
from duijie.connect.retry import Retrier

INVENTORY = "STK_Inventory"
STOCK_FIELDS = ("FID", "FMaterialId.FNumber", "FStockId.FNumber", "FBaseQty", "FBaseAVBQty")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Reader:
    """Reads forms: `org` is the only organisation whose records count, "" where all do."""

    client: Client
    retrier: Retrier
    org: str = ""
    page_rows: int = PAGE_ROWS

    def records(self, form: Form, condition: str) -> Iterator[list[Record]]:
        """Pages of whole records that meet the condition, oldest id first. Raises errors of the tree."""
        for page in whole(partial(self._rows, form, condition), 0, self.page_rows):
            yield [_record(form, rows) for rows in page]

    def mine(self, name: str, condition: str) -> str:
        """The condition, for our organisation alone."""
        own = f"{name}.FNumber = {literal(self.org)}" if self.org and name else ""
        return " and ".join(filter(None, (own, condition)))

    def rows(self, ask: Record) -> list[Row]:
        """The rows of one query, asked for again as long as that can help."""
        return self.retrier.read(lambda: self.client.query(ask))

    def _rows(self, form: Form, condition: str, after: Any) -> list[Row]:
        fields = (*form.head_fields, *form.line_fields)
        return self.rows(
            asking(form.form_id, fields, f"{form.key} > {after} and {condition}", form.order, self.page_rows)
        )


class FormStream:
    """One form, by the times of its changes or by number."""

    def __init__(self, reader: Reader, form: Form) -> None:
        self._reader = reader
        self._form = form
        self.name = form.name
        self.entity = form.entity
        self.key = form.number

    def partitions(self) -> Iterable[str]:
        """One data centre, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Records changed in the window, or those with the window's numbers, of our organisation."""
        for condition in conditions(window, self._form.number, self._form.times):
            for records in self._reader.records(self._form, self._reader.mine(self._form.org, condition)):
                yield Page(records)


class Inventory:
    """即时库存 as it is now, whatever the window: one record a material and warehouse, in base units.

    STK_Inventory keeps a row for each lot, owner, state and so on: they are added up, `rows` says how many they were.
    That a reservation changes FUpdateTime is not documented, so that no window is passed on.
    """

    name, entity, key = "inventory", "stock_level", "key"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def partitions(self) -> Iterable[str]:
        """One data centre, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Every sum, or those of the window's keys. Raises errors of the tree."""
        sums: dict[str, Record] = {}
        for page in whole(partial(self._rows, _materials(window.keys)), "", self._reader.page_rows):
            for rows in page:
                _add(sums, rows[0])
        records = [one for key, one in sums.items() if not window.keys or key in window.keys]
        for start in range(0, len(records), self._reader.page_rows):
            yield Page(records[start : start + self._reader.page_rows])

    def _rows(self, condition: str, after: Any) -> list[Row]:
        filtered = " and ".join(filter(None, (f"FID > {literal(after)}", self._reader.mine("FStockOrgId", condition))))
        return self._reader.rows(asking(INVENTORY, STOCK_FIELDS, filtered, "FID", self._reader.page_rows))


def _materials(keys: Sequence[str]) -> str:
    numbers = sorted({key.rpartition("@")[0] for key in keys})
    return any_of("FMaterialId.FNumber", numbers) if numbers else ""


def _add(sums: dict[str, Record], row: Row) -> None:
    _, material, stock, on_hand, available = row
    key = f"{material}@{stock}"
    blank = {"key": key, "material": material, "stock": stock, "on_hand": ZERO, "available": ZERO, "rows": 0}
    one = sums.setdefault(key, blank)
    one["on_hand"] += Decimal(on_hand)
    one["available"] += Decimal(available)
    one["rows"] += 1


def _record(form: Form, rows: list[Row]) -> Record:
    names, head = form.line_fields, len(form.head_fields)
    record = nested(form.head_fields, rows[0])
    if form.is_bill:
        record[form.entry] = [nested(names, row[head:]) for row in rows]
    return record


def nested(names: Sequence[str], cells: Row) -> Record:
    """Cells under their names; `A.B` is B in an object A."""
    record: Record = {}
    for name, cell in zip(names, cells, strict=False):
        outer, _, inner = name.partition(".")
        if inner:
            record.setdefault(outer, {})[inner] = cell
        else:
            record[outer] = cell
    return record
