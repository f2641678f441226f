"""What every kind of file is read as: rows by column, each with its number, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from duijie.codec import Record


class Read(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One row of the setting `streams`: which files, which table of them, and where its rows stand.

    `key`: the column or columns that identify a row, or a document where `lines` gathers its rows under that name.
    `header`: the number of the row with the names (0: none, then `columns`); `first`: of the first row of data.
    `skip`: rows that are left out, as {"编码": ["合计"]}. `deleted`: "skip", or "mark" for rows a DBF marks as deleted.
    """

    entity: str
    key: str | list[str]
    files: str
    table: str = ""
    encoding: str = ""
    header: int = 1
    first: int = 0
    columns: list[str] = []
    delimiter: str = ""
    skip: dict[str, list[str]] = {}
    deleted: str = "skip"
    lines: str = ""

    @property
    def keys(self) -> list[str]:
        """The key columns."""
        return [self.key] if isinstance(self.key, str) else list(self.key)

    def fault(self) -> str:
        """What is wrong with these settings, in Chinese; empty where nothing is."""
        if not (self.keys and all(self.keys)):
            return "key 不能为空"
        if "/" in self.files or "\\" in self.files or not self.files:
            return "files 是文件名的样式 (如 ptype*.dbf), 不含文件夹"
        if self.deleted not in ("skip", "mark"):
            return "deleted 只能是 skip 或 mark"
        if self.header < 0 or (self.header == 0 and not self.columns):
            return "header 为 0 时须用 columns 写明列名"
        return _unknown_encoding(self.encoding)


def _unknown_encoding(name: str) -> str:
    try:
        "".encode(name or "utf-8")
    except LookupError:
        return f"没有名为 {name} 的编码, 中文旧系统一般为 gb18030"
    return ""


class Unready(Exception):
    """A file that is not whole: it is still being written, or was cut off. The text says in Chinese what is missing."""


class Unreadable(Exception):
    """A file or table that cannot be read at all; the text says in Chinese why and what to do."""


class Bad(NamedTuple):
    """A cell that cannot be taken: why, and what it shows."""

    why: str
    shown: str


@dataclass
class Row:
    """One row. `number`: as people count the rows of the file. `faults`: what is wrong with which column."""

    number: int
    values: Record
    faults: Sequence[str] = field(default_factory=tuple)
    is_deleted: bool = False


class Opened(Protocol):
    """A table of a file."""

    @property
    def columns(self) -> Sequence[str]:
        """Their names."""

    @property
    def encoding(self) -> str:
        """Of its texts, as found or set; empty where the file itself knows."""

    def rows(self) -> Iterator[Row]:
        """Every row, in memory that does not grow with their number. Raises Unready, Unreadable."""


class Grid:
    """A table out of rows of cells, whose names stand in one of them.

    Rows without any value are left out. A name that stands twice gets its place behind it: 数量, 数量_5.
    """

    def __init__(self, cells: Iterator[list[Any]], held: Read, encoding: str) -> None:
        self.encoding = encoding
        self._numbered = enumerate(cells, 1)
        self._first = max(held.first, held.header + 1)
        named = next((row for number, row in self._numbered if number == held.header), []) if held.header else []
        self.columns = _names(held.columns or named)

    def rows(self) -> Iterator[Row]:
        """Every row with a value."""
        for number, cells in self._numbered:
            if number >= self._first and any(map(says, cells)):
                yield self._row(number, cells)

    def _row(self, number: int, cells: list[Any]) -> Row:
        width = len(self.columns)
        filled = [*cells, *[None] * (width - len(cells))]
        values = dict(zip(self.columns, filled[:width], strict=True))
        faults = [f"列 {name}: {cell.why}" for name, cell in values.items() if isinstance(cell, Bad)]
        beyond = sum(map(says, filled[width:]))
        if beyond:
            faults.append(f"比表头多出 {beyond} 个值")
        return Row(
            number, {name: cell.shown if isinstance(cell, Bad) else cell for name, cell in values.items()}, faults
        )


def says(cell: Any) -> bool:
    """Whether a cell has a value, be it 0."""
    return cell is not None and cell != "" and not (isinstance(cell, str) and cell.isspace())


def _names(cells: Iterable[Any]) -> list[str]:
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = " ".join(str(cell).split()) if says(cell) else ""
        names.append(f"{name}_{place}" if not name or name in names else name)
    while names and names[-1] == f"_{len(names)}":  # nothing stands above the rest
        names.pop()
    return names
