"""The vouchers of one company, read by period: rows of getVoucher in, one record a voucher out.

getVoucher has no other window than fromRow and toRow; whether it counts from 0 or 1, and whether toRow is included,
is not published. So pages overlap by a row, and rows are told apart by all that stands in them and by how often that
came before on their page (two entries of a voucher may be alike). The list ends where a page brings nothing new, and a
list of several pages is read until two readings are alike: a voucher deleted meanwhile hides none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation

from connectors.eas.client import Client
from connectors.eas.settings import Settings
from duijie.codec import Record
from duijie.connect.errors import ConfigError, MalformedMessage, VendorBusy

READINGS = 4
ZERO = Decimal(0)
Row = tuple[str, ...]


class Ledger:
    """What EAS holds of one company."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self.settings = settings

    def vouchers(self, period: str) -> list[Record]:
        """Those of a period (yyyyMM) that carry a key of ours, with their entries. Raises errors of the tree."""
        self.settings.must_read()
        groups: dict[tuple[str, str, str], list[Row]] = {}
        for row in self._rows(period):
            key = self._cell(row, "key").strip()
            if key.startswith(f"{period}:"):
                groups.setdefault((key, self._cell(row, "word"), self._cell(row, "number")), []).append(row)
        return [self._voucher(period, key, rows) for (key, _, _), rows in groups.items()]

    def sample(self) -> list[str]:
        """The first row of the current month, as it comes; empty where there is none."""
        rows = self.client.read(self.settings.company, self.client.month, 0, 1)
        return rows[0] if rows else []

    def _rows(self, period: str) -> list[Row]:
        found, pages = self._one_reading(period)
        for _ in range(READINGS):
            if pages <= 1:
                return found
            again, pages = self._one_reading(period)
            if again == found:
                return found
            found = again
        raise VendorBusy(
            f"期间 {period} 的凭证在读取过程中持续变动; 稍后自动重读",
            en=f"the vouchers of {period} kept changing while they were read; read again later",
            where=period,
        )

    def _one_reading(self, period: str) -> tuple[list[Row], int]:
        """All rows, each once, and how many pages brought any."""
        found: dict[tuple[Row, int], None] = {}
        at = pages = 0
        while True:
            page = list(_numbered(tuple(row) for row in self.client.read(*self._range(period, at))))
            fresh = [row for row in page if row not in found]
            if not fresh:
                return [row for row, _ in found], pages
            found.update(dict.fromkeys(fresh))
            pages += 1
            at += max(len(page) - 1, 1)

    def _range(self, period: str, at: int) -> tuple[str, str, int, int]:
        return self.settings.company, period, at, at + self.settings.page_rows

    def _voucher(self, period: str, key: str, rows: Sequence[Row]) -> Record:
        entries = [self._entry(row) for row in rows]
        first = rows[0]
        return {
            "key": key,
            "period": period,
            "word": self._cell(first, "word"),
            "number": self._cell(first, "number"),
            "date": self._cell(first, "date")[:10],
            "debit": sum((one["debit"] for one in entries), ZERO),
            "credit": sum((one["credit"] for one in entries), ZERO),
            "entries": entries,
        }

    def _entry(self, row: Row) -> Record:
        return {
            "summary": self._cell(row, "summary"),
            "account": self._cell(row, "account"),
            "debit": self._amount(row, "debit"),
            "credit": self._amount(row, "credit"),
        }

    def _amount(self, row: Row, name: str) -> Decimal:
        text, at = self._cell(row, name).strip(), self.settings.columns[name]
        try:
            return Decimal(text.replace(",", "") or "0").quantize(Decimal("0.01"))
        except InvalidOperation:
            raise MalformedMessage(
                f"getVoucher 第 {at} 列 “{text}” 不是金额; 请核对设置 voucher_columns 中的 {name}",
                en=f"column {at} of getVoucher, {text!r}, is no amount; check voucher_columns",
                where=f"voucher_columns.{name}",
            ) from None

    def _cell(self, row: Row, name: str) -> str:
        at = self.settings.columns.get(name)
        if at is None:
            return ""
        if at >= len(row):
            raise ConfigError(
                f"getVoucher 只有 {len(row)} 列, 设置 voucher_columns 中 {name} 为第 {at} 列; 请更正",
                en=f"getVoucher has {len(row)} columns, voucher_columns names column {at} for {name}",
                where=f"voucher_columns.{name}",
            )
        return row[at]


def _numbered(rows: Iterable[Row]) -> Iterator[tuple[Row, int]]:
    """Each row with how many like it came before."""
    here: Counter[Row] = Counter()
    for row in rows:
        yield row, here[row]
        here[row] += 1


def periods(first: str, last: str) -> Iterator[str]:
    """Every yyyyMM from one to another, both included."""
    year, month = int(first[:4]), int(first[4:])
    while f"{year}{month:02}" <= last:
        yield f"{year}{month:02}"
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
