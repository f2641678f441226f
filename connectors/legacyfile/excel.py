"""Excel workbooks: .xlsx read as a stream (openpyxl), .xls of Excel 97 to 2003 (xlrd).

Excel keeps numbers as binary fractions and never shows more than 15 digits of one ("Excel specifications and limits",
support.microsoft.com). A cell is therefore the decimal of 15 digits that Excel shows at its widest: what was typed in
as 10.1 is 10.1, and a sum that drifted to 30.299999999999997 is 30.3. A whole number of more than 15 digits lost its
end when it was typed in, and is told instead of taken. Dates are days or moments by the format of the cell.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
import xlrd
from openpyxl.utils.exceptions import InvalidFileException
from xlrd.compdoc import CompDocError

from connectors.legacyfile.table import Bad, Grid, Read, Unreadable, Unready
from duijie.connect.rows import plain

DIGITS = 15
MOST = 10**DIGITS
DAMAGED = "工作簿不完整或已损坏, 请重新导出"
XLSX_FAULTS = (BadZipFile, zlib.error, ParseError, KeyError, ValueError, EOFError)
XLS_FAULTS = (xlrd.XLRDError, CompDocError, struct.error, IndexError, AssertionError, UnicodeDecodeError)


def open_xlsx(path: Path, held: Read) -> Grid:
    """A sheet of an .xlsx, by its name or the first. Raises Unready, Unreadable."""
    return Grid(_xlsx_cells(path, held.table), held, "")


def xlsx_sheets(path: Path) -> list[str]:
    """The names of its sheets. Raises Unready."""
    book = _xlsx(path)
    try:
        return list(book.sheetnames)
    finally:
        book.close()


def _xlsx(path: Path) -> Any:
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, EOFError) as error:
        raise Unready(DAMAGED) from error
    except (InvalidFileException, KeyError, ValueError) as error:
        why = error.__cause__ or error
        raise Unreadable(f"不是可读取的 Excel 工作簿 ({why}), 请用 Excel 打开后另存为 .xlsx") from error


def _xlsx_cells(path: Path, table: str) -> Iterator[list[Any]]:
    book = _xlsx(path)
    try:
        sheet = book[_sheet(book.sheetnames, table)]
        sheet.reset_dimensions()  # what other programs write there is often wrong
        for row in sheet.iter_rows():
            yield [_xlsx_value(cell) for cell in row]
    except XLSX_FAULTS as error:
        raise Unreadable(f"{DAMAGED} ({error})") from error
    finally:
        book.close()


def _xlsx_value(cell: Any) -> Any:
    if cell.data_type == "e":
        return Bad(f"公式错误 {cell.value}", str(cell.value))
    if isinstance(cell.value, datetime):
        return _moment(cell.value, cell.number_format)
    return _value(cell.value)


def open_xls(path: Path, held: Read) -> Grid:
    """A sheet of an .xls, by its name or the first. Raises Unreadable."""
    return Grid(_xls_cells(path, held.table), held, "")


def xls_sheets(path: Path) -> list[str]:
    """The names of its sheets. Raises Unreadable."""
    return list(_xls(path).sheet_names())


def _xls(path: Path) -> Any:
    try:
        return xlrd.open_workbook(str(path), on_demand=True, formatting_info=True, logfile=_Silent())
    except XLS_FAULTS as error:
        raise Unreadable(f"打不开工作簿 ({error}): 已损坏、有密码或不是 .xls; 请用 Excel 打开后另存为 .xlsx") from error


class _Silent:
    """Where xlrd says what it thinks of a file."""

    def write(self, _: str) -> None:
        """Nowhere."""


def _xls_cells(path: Path, table: str) -> Iterator[list[Any]]:
    book = _xls(path)
    sheet = book.sheet_by_name(_sheet(book.sheet_names(), table))
    for number in range(sheet.nrows):
        yield [_xls_value(book, cell) for cell in sheet.row(number)]


def _xls_value(book: Any, cell: Any) -> Any:
    match cell.ctype:
        case xlrd.XL_CELL_ERROR:
            shown = xlrd.error_text_from_code.get(cell.value, "错误")
            return Bad(f"公式错误 {shown}", shown)
        case xlrd.XL_CELL_BOOLEAN:
            return bool(cell.value)
        case xlrd.XL_CELL_EMPTY | xlrd.XL_CELL_BLANK:
            return None
        case xlrd.XL_CELL_DATE:
            return _xls_date(book, cell)
    return _value(cell.value)


def _xls_date(book: Any, cell: Any) -> Any:
    form = book.format_map[book.xf_list[cell.xf_index].format_key].format_str
    try:
        at = xlrd.xldate_as_datetime(cell.value, book.datemode)
    except (OverflowError, ValueError):
        return Bad("不是有效的日期", str(cell.value))
    return _rounded(at).time().isoformat() if cell.value < 1 else _moment(at, form)


def _value(value: Any) -> Any:
    """A cell that is neither an error nor a moment."""
    match value:
        case bool() | None:
            return value
        case int() | float():
            return shown(value)
        case datetime() | date() | time() | timedelta():
            return plain(value)
    return str(value)


def shown(value: float) -> Any:
    """A number as Excel shows it at its widest; Bad where its end is lost."""
    number = Decimal(value) if isinstance(value, int) else Decimal(format(value, f".{DIGITS}g"))
    if abs(number) >= MOST:
        return Bad(f"数字超过 {DIGITS} 位, Excel 已丢失末位, 请在旧系统中将该列以文本导出", str(value))
    return int(number) if number == number.to_integral_value() else number


def _moment(at: datetime, form: str) -> str:
    """A day where the cell's format shows no hours, else a moment; both without a zone."""
    at = _rounded(at)
    return at.isoformat() if "h" in form.lower() or at.time() != time() else at.date().isoformat()


def _rounded(at: datetime) -> datetime:
    """To the millisecond, the finest that Excel shows."""
    return at.replace(microsecond=0) + timedelta(milliseconds=round(at.microsecond / 1000))


def _sheet(names: Sequence[str], table: str) -> str:
    if not table:
        return names[0]
    if table in names:
        return table
    raise Unreadable(f"没有工作表 {table}, 有: {', '.join(names)}; 请更正该数据流的 table")
