"""dBase and FoxPro tables with their memo files, every field from its own bytes.

Header, field list and memo files are read by dbfread; its hook for field types is where texts and numbers are made
here: numbers are decimals by their digits, texts are decoded strictly. Format: "Table File Structure (.dbc, .dbf, .frx,
.lbx, .mnx, .pjx, .scx, .vcx)", Visual FoxPro documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from dbfread import DBF, FieldParser
from dbfread.codepages import guess_encoding
from dbfread.memo import FakeMemoFile, open_memofile

from connectors.legacyfile.table import Read, Row, Unreadable, Unready
from duijie.connect.rows import Unfit, exact, plain

VISUAL = {0x30, 0x31, 0x32}  # Visual FoxPro
CHINESE = {0x00, 0x4D, 0x7A}  # not said, and the two that say GBK
DELETED = b"*"
MARK = "is_deleted"
CUT = "cut_columns"
FAULTS = (Unfit, ValueError, InvalidOperation, struct.error, KeyError, OverflowError)


class Fields(FieldParser):  # type: ignore[misc]
    """The values of a row's fields. `cut`: the texts of this row whose last character the field's width cut in half."""

    def __init__(self, table: Any, memofile: Any = None) -> None:
        super().__init__(table, memofile)
        self.cut: list[str] = []

    def parseC(self, field: Any, data: bytes) -> str:
        """Text; the blanks that fill a field up are not part of it, nor is half a character at its end."""
        text = data.rstrip(b" \0")
        try:
            return text.decode(self.encoding)
        except UnicodeDecodeError as error:
            if error.start != field.length - 1:
                raise Unfit(_garbled(text, self.encoding)) from None
        self.cut.append(field.name)
        return text[:-1].decode(self.encoding)

    parseV = parseC

    def parseN(self, _: Any, data: bytes) -> int | Decimal | None:
        """A number by its digits; the stars of an overflow are told."""
        text = data.strip(b" \0").decode("ascii", "replace").replace(",", ".")
        if "*" in text:
            raise Unfit(f"数值溢出 ({text}), 旧系统的字段宽度不够")
        if not text:
            return None
        return int(text) if text.lstrip("+-").isdecimal() else _decimal(text)

    parseF = parseN

    def parseB(self, field: Any, data: bytes) -> Any:
        """In Visual FoxPro a binary fraction, in dBase a memo."""
        found = super().parseB(field, data)
        return exact(found) if isinstance(found, float) else found

    def parseO(self, _: Any, data: bytes) -> int | Decimal:
        """A binary fraction."""
        return exact(struct.unpack("<d", data)[0])

    def parseY(self, _: Any, data: bytes) -> Decimal:
        """Currency: ten-thousandths."""
        return Decimal(struct.unpack("<q", data)[0]).scaleb(-4)

    def parseM(self, field: Any, data: bytes) -> Any:
        """A memo: text, unless the program says that it is none."""
        memo = self.get_memo(self._parse_memo_index(data))
        if memo is None or type(memo).__name__ in ("PictureMemo", "ObjectMemo"):
            return memo
        try:
            return bytes(memo).rstrip(b"\0").decode(self.encoding)
        except UnicodeDecodeError:
            raise Unfit(_garbled(bytes(memo), self.encoding)) from None


def _decimal(text: str) -> Decimal:
    found = Decimal(text)
    if not found.is_finite():
        raise Unfit(f"{text} 不是数字")
    return found


def _garbled(text: bytes, encoding: str) -> str:
    return f"不是 {encoding} 编码: {text[:40].decode(encoding, 'backslashreplace')}"


class Dbf:
    """One .dbf with its memo file. Raises Unready, Unreadable."""

    def __init__(self, path: Path, held: Read) -> None:
        self._held = held
        names = held.encoding or "gb18030"
        try:
            self._table = DBF(
                str(path), names, parserclass=Fields, ignore_missing_memofile=True, char_decode_errors="ignore"
            )
        except (ValueError, struct.error, TypeError) as error:
            raise Unreadable(f"不是 DBF 文件或文件头已损坏 ({error}), 请重新导出") from None
        header = self._table.header
        self.encoding = self._table.encoding = held.encoding or _encoding(header.language_driver)
        self.columns = [one.name for one in self._fields]
        if not self._table.memofilename and any(map(self._is_memo, self._fields)):
            raise Unready("缺少备注文件 (.fpt 或 .dbt), 请与 .dbf 一同放入")
        _must_be_whole(path, header)

    def _is_memo(self, field: Any) -> bool:
        return field.type in "MGP" or (field.type == "B" and self._table.header.dbversion not in VISUAL)

    @property
    def _fields(self) -> list[Any]:
        return [one for one in self._table.fields if one.type != "0"]

    def rows(self) -> Iterator[Row]:
        """The rows that are there, then the deleted ones where the stream wants them."""
        yield from self._marked(is_deleted=False)
        if self._held.deleted == "mark":
            yield from self._marked(is_deleted=True)

    def _marked(self, *, is_deleted: bool) -> Iterator[Row]:
        table, header = self._table, self._table.header
        memo = table.memofilename
        with (
            open(table.filename, "rb") as file,
            open_memofile(memo, header.dbversion) if memo else FakeMemoFile(memo) as memos,
        ):
            parser = Fields(table, memos)
            file.seek(header.headerlen)
            for number in range(1, header.numrecords + 1):
                data = file.read(header.recordlen)
                if (data[:1] == DELETED) == is_deleted:
                    yield self._row(parser, number, data, is_deleted)

    def _row(self, parser: Fields, number: int, data: bytes, is_deleted: bool) -> Row:
        values: dict[str, Any] = {}
        faults: list[str] = []
        parser.cut = []
        at = 1
        for field in self._table.fields:
            piece, at = data[at : at + field.length], at + field.length
            if field.type == "0":  # which fields are null, by FoxPro's own count
                continue
            try:
                values[field.name] = plain(parser.parse(field, piece))
            except FAULTS as error:
                values[field.name] = piece.decode(self.encoding, "backslashreplace").strip()
                faults.append(f"列 {field.name}: {error}")
        faults += [f"列 {name}: 键的最后一个汉字被截断" for name in parser.cut if name in self._held.keys]
        marks = {MARK: is_deleted} if self._held.deleted == "mark" else {}
        cut = {CUT: parser.cut} if parser.cut else {}
        return Row(number, {**values, **marks, **cut}, faults, is_deleted)


def _must_be_whole(path: Path, header: Any) -> None:
    """Raises Unready where rows lack, or stand behind those that the header counts: it is written last."""
    end = header.headerlen + header.numrecords * header.recordlen
    beyond = path.stat().st_size - end
    if beyond < 0:
        raise Unready(f"文件少 {-beyond} 字节, 未写完或已截断")
    with path.open("rb") as file:
        file.seek(end)
        follows = file.read(1)
    if beyond >= header.recordlen and follows in (DELETED, b" "):
        more = beyond // header.recordlen
        raise Unready(
            f"文件头记 {header.numrecords} 行, 其后还有 {more} 行: 旧系统未写完, 请退出旧系统或修复该表后重新放入"
        )


def _encoding(driver: int) -> str:
    if driver in CHINESE:
        return "gb18030"
    try:
        return str(guess_encoding(driver))
    except LookupError:
        return "gb18030"
