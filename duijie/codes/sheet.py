"""Code tables as Excel and back: every id is a text cell, nothing is a formula, faults are named by row and column.

One workbook holds what is unmapped (with a suggestion beside the empty cell that a person fills in), what is mapped,
and the master documents that are missing. The first two are read back; a CSV file with the same columns is read, too.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from duijie.codes.advice import Advice
from duijie.codes.worklist import Unmapped, waiting
from duijie.connect.errors import ConfigError
from duijie.journal import Journal, codes
from duijie.journal.codes import CHINA, Code, Row
from duijie.journal.documents import yuan
from duijie.journal.tables import ALWAYS

UNMAPPED, MAPPED, MISSING = "未对照", "对照表", "缺档案"
NAMES = {"kind": "类别", "connection": "连接", "code": "编码", "counterpart": "对应编码", "valid_from": "生效日期"}
LARGEST = 10 * 2**20
LARGEST_UNPACKED = 300 * 2**20
SAFE_DIGITS = 15
ALWAYS_WORDS = ("", "一直")
DAY_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")


@dataclass(frozen=True)
class Fault:
    """What is wrong with one cell."""

    place: str
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place} {self.column}: {self.reason}"


@dataclass(frozen=True)
class Sheet:
    """What a file asks for. Rows whose counterpart is empty are `unfilled`: nobody has decided yet."""

    rows: Sequence[Code]
    faults: Sequence[Fault]
    unfilled: int


class _Wrong(Exception):
    """A cell that cannot be taken; the text says why."""


def read(content: bytes, name: str) -> Sheet:
    """Read .xlsx or .csv. Raises ConfigError for a file that is neither, or has not the columns."""
    if len(content) > LARGEST:
        raise _unreadable(name, f"超过 {LARGEST // 2**20} MB")
    lines = _from_csv(content, name) if name.lower().endswith(".csv") else _from_excel(content, name)
    rows: dict[tuple[str, ...], tuple[str, Code]] = {}
    faults: list[Fault] = []
    unfilled = 0
    for place, cells in lines:
        code, wrong = _code(place, cells)
        faults += wrong
        if code is None:
            unfilled += not wrong
            continue
        earlier = rows.setdefault((*code.key, str(code.valid_from)), (place, code))
        if earlier[1] != code:
            faults.append(Fault(place, NAMES["counterpart"], f"与 {earlier[0]} 矛盾: 同一编码写了两个对应编码"))
    return Sheet([code for _, code in rows.values()], faults, unfilled)


def _code(place: str, cells: dict[str, Any]) -> tuple[Code | None, list[Fault]]:
    """The row's code; None with its faults, or None alone where nothing was filled in."""
    values: dict[str, Any] = {}
    faults = []
    for column, title in NAMES.items():
        try:
            values[column] = _day(cells.get(column)) if column == "valid_from" else _text(cells.get(column), column)
        except _Wrong as wrong:
            faults.append(Fault(place, title, str(wrong)))
    if faults or not values["counterpart"] or (place.startswith(UNMAPPED) and not values["code"]):
        return None, faults
    for column, longest in codes.LENGTHS.items():
        if not 0 < len(values[column]) <= longest:
            faults.append(Fault(place, NAMES[column], "不能为空" if not values[column] else f"超过 {longest} 个字"))
    return (None, faults) if faults else (Code(**values), [])


def _text(value: Any, column: str) -> str:
    if isinstance(value, _Wrong):
        raise value
    if isinstance(value, bool | date):
        raise _Wrong(f"是{'真假值' if isinstance(value, bool) else '日期'}, 请把单元格设为文本后重填")
    if isinstance(value, int | float):
        if value != int(value) or abs(value) >= 10**SAFE_DIGITS:
            raise _Wrong(f"被 Excel 存成了数字 {value}, 末位可能已丢失, 请把单元格设为文本后重填")
        return str(int(value))
    text = str(value or "") if column == "code" else str(value or "").strip()
    if any(ord(letter) < 32 for letter in text):
        raise _Wrong("含有换行或控制字符")
    return text


def _day(value: Any) -> date | None:
    if isinstance(value, _Wrong):
        raise value
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value or "").strip()
    if text in ALWAYS_WORDS:
        return ALWAYS if text else None
    for form in DAY_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=CHINA).date()
        except ValueError:
            continue
    raise _Wrong(f"“{text[:20]}”不是日期, 应如 2026-12-01, 或留空")


def _unreadable(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"{name} 无法读取: {why}; 请用下载的 Excel 表填写后上传, 未写入任何行",
        en=f"{name} cannot be read ({why}); fill in the workbook that was exported. Nothing was written",
        where=name,
    )


def _from_csv(content: bytes, name: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(name, "不是 UTF-8 编码的 CSV") from error
    lines = list(csv.reader(io.StringIO(text, newline="")))
    return list(_lines("", lines, name))


def _from_excel(content: bytes, name: str) -> list[tuple[str, dict[str, Any]]]:
    check_package(content, name)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise _unreadable(name, "不是 .xlsx 文件") from error
    found: list[tuple[str, dict[str, Any]]] = []
    sheets = [one for one in book.worksheets if one.title != MISSING]
    for sheet in sheets:
        lines = ([_value(cell) for cell in line] for line in sheet.iter_rows())
        found += _lines(f"{sheet.title} ", lines, name)
    return found


def _value(cell: Any) -> Any:
    """What a cell holds; a formula or an error value is told when its column is read."""
    told = {"f": "是公式, 只接受文本", "e": "是错误值, 请重填"}.get(cell.data_type)
    return _Wrong(told) if told and cell.value is not None else cell.value


def check_package(content: bytes, name: str) -> None:
    """A workbook is a zip of XML: refuse one that swells, or that brings entities of its own."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            parts = package.infolist()
            if sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise _unreadable(name, "解压后过大")
            if any(b"<!DOCTYPE" in package.read(part)[:4096].upper() for part in parts):
                raise _unreadable(name, "含有 DTD")
    except zipfile.BadZipFile as error:
        raise _unreadable(name, "不是 .xlsx 文件") from error


def _lines(sheet: str, lines: Iterable[Sequence[Any]], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where it is, column → cell) of every line that holds anything. Raises ConfigError without the columns."""
    numbered = enumerate(lines, 1)
    titles = {title: column for column, title in NAMES.items()} | {column: column for column in NAMES}
    _, head = next(numbered, (1, ()))
    columns = [titles.get(str(cell or "").strip()) for cell in head]
    absent = [title for column, title in NAMES.items() if column not in columns and column != "valid_from"]
    if absent:
        raise _unreadable(name, f"{sheet}第 1 行缺少列 {', '.join(absent)}")
    for number, line in numbered:
        cells = {column: cell for column, cell in zip(columns, line, strict=False) if column}
        if any(cell not in (None, "") for cell in cells.values()):
            yield f"{sheet}第 {number} 行", cells


def write(journal: Journal) -> bytes:
    """The workbook of everything: what is unmapped, with suggestions; what is mapped; which documents are missing."""
    book = Workbook(write_only=False)
    book.remove(book.active)
    items = waiting(journal)
    advice = Advice(journal)
    known = advice.known(items)
    rows: dict[str, list[list[Any]]] = {UNMAPPED: [], MISSING: []}
    for one in items:
        best = next(iter(advice.for_item(one, known[one.item_id], 1)), None)
        guess = [best.code, best.score, best.reason] if best else ["", None, ""]
        pair = ["", one.code] if one.is_reverse else [one.code, ""]
        asked = [one.kind, one.connection, pair[0], known[one.item_id].name]
        line = [*asked, pair[1], "", *guess] if one.is_code else [*asked, *guess]
        rows[UNMAPPED if one.is_code else MISSING].append([*line, *_impact(one)])
    first, last = ["类别", "连接", "编码", "名称"], ["建议编码", "得分", "理由", "笔数", "涉及金额", "首次出现", "流程"]
    _fill(book, UNMAPPED, [*first, "对应编码", "生效日期", *last], rows[UNMAPPED])
    titles = [*NAMES.values(), "版本", "变更人", "变更时间"]
    _fill(book, MAPPED, titles, [_kept(row) for row in codes.rows(journal)])
    _fill(book, MISSING, [*first, *last], rows[MISSING])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _impact(one: Unmapped) -> list[Any]:
    since = one.since.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    return [one.records, yuan(one.money), since, ", ".join(one.flows)]


def _kept(row: Row) -> list[Any]:
    day = "" if row.is_always else row.valid_from.isoformat()
    changed = row.changed_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    return [row.kind, row.connection, row.code, row.counterpart, day, row.version, row.changed_by, changed]


def _fill(book: Any, title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.create_sheet(title)
    sheet.append(list(head))
    for number, row in enumerate(rows, 2):
        for column, value in enumerate(row, 1):
            _cell(sheet.cell(number, column), value)
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DCE6F1")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    for column, name in enumerate(head, 1):
        wide = name in ("名称", "理由", "编码", "对应编码", "建议编码", "流程", "变更时间", "首次出现")
        sheet.column_dimensions[get_column_letter(column)].width = 22 if wide else 12
        if name in NAMES.values():
            sheet.column_dimensions[get_column_letter(column)].number_format = "@"


def _cell(cell: Any, value: Any) -> None:
    """Texts as texts, whatever they begin with, so that Excel neither computes nor shortens them."""
    if value is None:
        return
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("�", value)
        cell.data_type, cell.number_format, cell.quotePrefix = "s", "@", True
        return
    cell.value = value
    if not isinstance(value, int):
        cell.number_format, cell.alignment = "#,##0.00;[Red]-#,##0.00", Alignment(horizontal="right")
