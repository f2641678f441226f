"""Reading GL_VOUCHER: one row per entry in, one record per voucher out.

Source: 金蝶云星空 WebAPI "ExecuteBillQuery", form GL_VOUCHER.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.k3cloud.client import Client
from connectors.k3cloud.queries import PAGE_ROWS, asking, literal, whole
from duijie.codec import Record
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.retry import Retrier

FORM = "GL_VOUCHER"
HEAD = ("FVOUCHERGROUPID.FName", "FVOUCHERGROUPNO", "FDate", "FDocumentStatus", "FModifyDate")
ENTRY = ("FEXPLANATION", "FACCOUNTID.FNumber", "FDetailID.FFLEX6.FNumber", "FDEBIT", "FCREDIT")


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
        for vouchers in whole(partial(self._rows, condition), 0, self.page_rows):
            yield [self._voucher(rows) for rows in vouchers]

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
        return asking(FORM, fields, condition, "FVOUCHERID,FEntity_FEntryID", self.page_rows)

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
