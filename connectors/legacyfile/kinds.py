"""Which kind a file is of: by its first bytes, for names lie (an "xls" that is a web page or plain text)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from connectors.legacyfile import access, excel
from connectors.legacyfile.access import Access
from connectors.legacyfile.dbf import Dbf
from connectors.legacyfile.excel import open_xls, open_xlsx
from connectors.legacyfile.table import Opened, Read, Unreadable, Unready
from connectors.legacyfile.text import open_text

OLE, ZIP = b"\xd0\xcf\x11\xe0", b"PK"
JET = (b"Standard Jet DB", b"Standard ACE DB")
LONG = 32


class Kind(NamedTuple):
    """How files of a kind are opened, and the names of their tables."""

    title: str
    open: Callable[[Path, Read], Opened]
    tables: Callable[[Path], Sequence[str]]


def _one(_: Path) -> Sequence[str]:
    return [""]


DBF = Kind("DBF", Dbf, _one)
ACCESS = Kind("Access", Access, access.tables)
XLSX = Kind("Excel", open_xlsx, excel.xlsx_sheets)
XLS = Kind("Excel 97-2003", open_xls, excel.xls_sheets)
TEXT = Kind("文本", open_text, _one)


def kind_of(path: Path) -> Kind:
    """The kind of a file. Raises Unready for an empty one, Unreadable for a web page."""
    with path.open("rb") as file:
        begins = file.read(LONG)
    if not begins:
        raise Unready("文件是空的")
    if path.suffix.lower() == ".dbf":
        return DBF
    if begins[4:19] in JET:
        return ACCESS
    if begins.startswith((OLE, ZIP)):
        return XLS if begins.startswith(OLE) else XLSX
    if begins.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        raise Unreadable("内容是网页或 XML, 不是表格; 请用 Excel 打开后另存为 .xlsx")
    return TEXT


def open_table(path: Path, held: Read) -> Opened:
    """The table of a file that a stream reads. Raises Unready, Unreadable, ConfigError."""
    return kind_of(path).open(path, held)
