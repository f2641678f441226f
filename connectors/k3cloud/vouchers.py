"""Reading GL_VOUCHER: one row per entry in, one record per voucher out.

Pages advance by the voucher's own id, not by row offset: a voucher deleted while we read cannot shift another's
entries out of sight. The last voucher of a full page may be cut and is read again with the next page.
Source: 金蝶云星空 WebAPI "ExecuteBillQuery", form GL_VOUCHER.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

from connectors.k3cloud.client import Client
from duijie.codec import Record
from duijie.connect.errors import ConfigError, MalformedMessage, VendorRejected
from duijie.connect.retry import Retrier

FORM = "GL_VOUCHER"
PAGE_ROWS = 2000
HEAD = ("FVOUCHERGROUPID.FName", "FVOUCHERGROUPNO", "FDate", "FDocumentStatus", "FModifyDate")
ENTRY = ("FEXPLANATION", "FACCOUNTID.FNumber", "FDetailID.FFLEX6.FNumber", "FDEBIT", "FCREDIT")


def literal(text: str) -> str:
    """A text inside a FilterString."""
    return "'" + text.replace("'", "''") + "'"


def any_of(name: str, values: Sequence[str]) -> str:
    """`name in ('a','b')`."""
    return f"{name} in ({','.join(map(literal, values))})"


@dataclass
class VoucherBook:
    """The vouchers of one 账簿 that carry our key in the custom text field `key_field`."""

    client: Client
    retrier: Retrier
    account_book: str
    key_field: str
    page_rows: int = PAGE_ROWS
    _field_is_there: bool = field(default=False, init=False)

    def read(self, condition: str) -> Iterator[list[Record]]:
        """Pages of vouchers that meet the condition, oldest id first. Raises errors of the tree."""
        after = 0
        while True:
            rows = self._rows(condition, after)
            groups = [list(group) for _, group in groupby(rows, key=lambda row: row[0])]
            is_full = len(rows) >= self.page_rows
            whole = groups[:-1] if is_full else groups
            if is_full and not whole:
                raise _too_long(rows[0][0], self.page_rows)
            if whole:
                yield [self._voucher(group) for group in whole]
            if not is_full:
                return
            after = whole[-1][0][0]

    def require_key_field(self) -> None:
        """Refuse to work with a book whose form lacks our field: it would drop keys in silence. Raises ConfigError."""
        if self._field_is_there:
            return
        try:
            self.retrier.read(lambda: self.client.query(self._asking([self.key_field], "FVOUCHERID = 0")))
        except VendorRejected as error:
            raise ConfigError(
                f"凭证上没有字段 {self.key_field} ({error.zh}); 请在 BOS 中为凭证单据头增加该文本字段 (长度 80 以上)",
                en=f"GL_VOUCHER has no field {self.key_field}; add it to the voucher head in BOS (text, 80 or longer)",
                code="k3cloud:key_field",
                where=self.key_field,
            ) from error
        self._field_is_there = True

    def accounts(self) -> list[list[Any]]:
        """The chart: number, name, is leaf, forbid status."""
        names = "FNumber,FName,FIsDetail,FForbidStatus"
        ask = {"FormId": "BD_Account", "FieldKeys": names, "OrderString": "FNumber", "Limit": PAGE_ROWS}
        return self.retrier.read(lambda: self.client.query(ask))

    def _rows(self, condition: str, after: int) -> list[list[Any]]:
        book = f"FAccountBookID.FNumber = {literal(self.account_book)}"
        own = f"{self.key_field} <> ''"
        fields = ["FVOUCHERID", self.key_field, *HEAD, *ENTRY]
        ask = self._asking(fields, f"{book} and {own} and FVOUCHERID > {after} and {condition}")
        return self.retrier.read(lambda: self.client.query(ask))

    def _asking(self, fields: Sequence[str], condition: str) -> Record:
        return {
            "FormId": FORM,
            "FieldKeys": ",".join(fields),
            "FilterString": condition,
            "OrderString": "FVOUCHERID,FEntity_FEntryID",
            "TopRowCount": 0,
            "StartRow": 0,
            "Limit": self.page_rows,
        }

    def _voucher(self, rows: list[list[Any]]) -> Record:
        native_id, key, word, number, date, status, modified = rows[0][:7]
        entries = [_entry(row[7:]) for row in rows]
        return {
            "key": key,
            "id": str(native_id),
            "word": word,
            "number": str(number),
            "date": str(date)[:10],
            "status": status,
            "modified": modified,
            "debit": sum((entry["debit"] for entry in entries), Decimal(0)),
            "credit": sum((entry["credit"] for entry in entries), Decimal(0)),
            "entries": entries,
        }


def _entry(cells: list[Any]) -> Record:
    summary, account, customer, debit, credit = cells
    return {
        "summary": summary,
        "account": account,
        "customer": customer or "",
        "debit": Decimal(debit),
        "credit": Decimal(credit),
    }


def _too_long(native_id: Any, rows: int) -> MalformedMessage:
    return MalformedMessage(
        f"凭证 {native_id} 的分录超过 {rows} 行, 无法一次读完整; 请在合并规则中拆分凭证",
        en=f"voucher {native_id} has more than {rows} entries and cannot be read whole; split vouchers by rule",
        where=str(native_id),
    )
