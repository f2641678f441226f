"""The official 税收分类编码 list that a user has as a file, read once and kept beside the rules.

Source: 商品和服务税收分类编码表 as the tax administration and invoicing clients give it out, one row a code.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from duijie.codes.sheet import check_package
from duijie.derive.tax_codes import HEADER, IMPORTED, LENGTH, TaxCode, above, unreadable

HEADER_ROWS = 20
OFFICIAL: Mapping[str, tuple[str, ...]] = {
    "code": ("合并编码", "税收分类编码", "商品和服务税收分类编码", "商品编码", "编码"),
    "name": ("货物和劳务名称", "商品和服务名称", "商品名称", "名称"),
    "short": ("商品和服务分类简称", "分类简称", "简称"),
    "rates": ("增值税税率", "税率"),
    "leaf": ("汇总项", "是否汇总项"),
    "keywords": ("关键字", "关键词"),
}


def padded(code: Any) -> str:
    """A code with the zeros that spreadsheets and short forms leave out at its end; "" for what is none."""
    text = str(int(Decimal(repr(code)))) if isinstance(code, float) else str(code)
    digits = re.sub(r"\s", "", text)
    return digits.ljust(LENGTH, "0") if digits.isascii() and digits.isdigit() and len(digits) <= LENGTH else ""


def keep(rows: Sequence[TaxCode], folder: Path) -> Path:
    """Write an imported table beside the rules, whole or not at all; returns where it is."""
    path, text = folder / IMPORTED, io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((*row[:4], int(row.is_leaf), row.keywords) for row in rows)
    draft = path.with_suffix(".new")
    draft.write_text(text.getvalue(), encoding="utf-8")
    draft.replace(path)
    return path


def read_official(path: Path, columns: Mapping[str, str] | None = None) -> list[TaxCode]:
    """The official list, an xlsx or csv (UTF-8, GB18030) file; `columns`: our name → its header, where it differs.

    The header may stand below title rows. A row without a code is left out; what has others below it is a group
    whatever the file says. Raises ConfigError naming the headers that were looked for and those that are there.
    """
    table = _sheet(path) if path.suffix.lower() == ".xlsx" else _csv(path)
    head, places = _header(path, table, columns or {})
    rows: dict[str, TaxCode] = {}
    for cells in table[head + 1 :]:
        told = {name: _cell(cells, place) for name, place in places.items()}
        if code := padded(cells[places["code"]] if places["code"] < len(cells) else ""):
            is_sum = told.get("leaf", "").upper() in ("Y", "是", "1")
            name, short, rates, words = (told.get(one, "") for one in ("name", "short", "rates", "keywords"))
            rows[code] = TaxCode(code, name, short, rates, not is_sum, words)
    groups = {group for code in rows for group in above(code)}
    return [row._replace(is_leaf=row.is_leaf and row.code not in groups) for row in rows.values()]


def _header(path: Path, table: Sequence[Sequence[Any]], columns: Mapping[str, str]) -> tuple[int, dict[str, int]]:
    """The row that holds the headers, and the place of each column that is there; code and name must be."""
    wanted = {name: (columns[name],) if columns.get(name) else known for name, known in OFFICIAL.items()}
    for number, cells in enumerate(table[:HEADER_ROWS]):
        titles = [re.sub(r"\s", "", str(cell or "")) for cell in cells]
        found = {
            name: next(titles.index(title) for title in known if title in titles)
            for name, known in wanted.items()
            if any(title in titles for title in known)
        }
        if "code" in found and "name" in found:
            return number, found
    looked = "、".join("/".join(wanted[name]) for name in ("code", "name"))
    there = "、".join(str(cell) for cell in (table[0] if table else ()) if cell)
    raise unreadable(
        path, f"找不到列 {looked}; 第一行为 {there or '空'}", f"no columns {looked}; the first row: {there}"
    )


def _cell(cells: Sequence[Any], place: int) -> str:
    value = cells[place] if place < len(cells) else None
    return "" if value is None else str(value).strip()


def _sheet(path: Path) -> list[tuple[Any, ...]]:
    try:
        content = path.read_bytes()
        check_package(content, path.name)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        return [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise unreadable(path, f"不是 .xlsx 文件: {error}", f"no .xlsx file: {error}") from error


def _csv(path: Path) -> list[list[str]]:
    try:
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("gb18030")
        return list(csv.reader(text.splitlines()))
    except (OSError, UnicodeError, csv.Error) as error:
        raise unreadable(path, f"不是 CSV 文件: {error}", f"no CSV file: {error}") from error


__all__ = ["OFFICIAL", "keep", "padded", "read_official"]
