"""CSV and other texts with separators, in UTF-8, UTF-16 or GBK, read as a stream.

RFC 4180, read by Python's csv. Which encoding it is, is tried strictly: a mark at the beginning decides, else what is
UTF-8 throughout is UTF-8, else GB18030, of which GBK and GB2312 are part. Statistics are not asked: they take short
GBK texts for Big5. Neither line ends, quotes nor commas can be part of a character in these encodings.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from connectors.legacyfile.table import Bad, Grid, Read, Row, Unreadable

PIECE = 1 << 16
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SEPARATORS = (",", "\t", ";", "|")
LONGEST_CELL = 10 * 1024 * 1024


def open_text(path: Path, held: Read) -> Grid:
    """A file of separated values."""
    encoding = held.encoding or guess(path)
    return TextGrid(_cells(path, encoding, held), held, encoding)


class TextGrid(Grid):
    """Rows that all must be as wide as the one with the names: a shorter one was cut off."""

    def _row(self, number: int, cells: list[Any]) -> Row:
        row = super()._row(number, cells)
        if len(cells) < len(self.columns):
            row.faults = [*row.faults, f"只有 {len(cells)} 个值, 应有 {len(self.columns)} 个"]
        return row


def guess(path: Path) -> str:
    """The encoding of a file."""
    with path.open("rb") as file:
        begins = file.read(4)
        file.seek(0)
        marked = next((name for mark, name in MARKS if begins.startswith(mark)), "")
        return marked or ("utf-8" if _is_utf8(iter(lambda: file.read(PIECE), b"")) else "gb18030")


def _is_utf8(pieces: Iterator[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _cells(path: Path, encoding: str, held: Read) -> Iterator[list[Any]]:
    csv.field_size_limit(LONGEST_CELL)
    delimiter = held.delimiter or _separator(path, encoding, max(held.header, 1))
    with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for row in rows:
                yield [_cell(text) for text in row]
        except (csv.Error, UnicodeError) as error:
            raise Unreadable(
                f"第 {rows.line_num} 行起无法读取 ({error}): 引号不成对或编码不符, 请更正后重新放入"
            ) from error


def _separator(path: Path, encoding: str, header: int) -> str:
    with path.open(encoding=encoding, errors="backslashreplace", newline="") as file:
        line = "".join(islice(file, header - 1, header))
    return max(SEPARATORS, key=line.count)


def _cell(text: str) -> Any:
    """The text; bytes that are none of the encoding were taken in as lone surrogates."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return Bad("有无法识别的字符 (编码不符或汉字被截断)", shown)
    return text
