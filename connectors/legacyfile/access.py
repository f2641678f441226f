"""Access databases (.mdb, .accdb, and those of other names such as 金蝶 KIS .AIS), read by mdbtools.

mdbtools (github.com/mdbtools/mdbtools; the Debian package of that name) is the reader for Linux that is kept up. Its
programs print a table as one JSON object a line: currency and numeric digit for digit, single and double as the
shortest decimal that it finds, texts of Jet 4 as UTF-8, of Jet 3 by MDB_JET3_CHARSET.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec

from connectors.legacyfile.table import Read, Row, Unreadable, Unready
from duijie import codec
from duijie.connect.errors import ConfigError

JET3, JET4_PAGE, JET3_PAGE = 0, 4096, 2048
VERSION_AT = 0x14
REPAIR = "请在 Access 中压缩修复后重新放入"
DAY, MOMENT = "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"
_COLUMN = re.compile(r"^\t\[(.*)\]\t+(\w[\w ]*)", re.MULTILINE)
_GUID = re.compile(rb"\{[0-9A-Fa-f-]{36}\}")


class Access:
    """One table of a file. Raises Unready, Unreadable, and ConfigError without mdbtools."""

    def __init__(self, path: Path, held: Read) -> None:
        self._path = path
        whole(path)
        names = tables(path)
        self._table = held.table or (names[0] if len(names) == 1 else "")
        if self._table not in names:
            raise Unreadable(f"没有表 {held.table or '(未填)'}, 有: {', '.join(names)}; 请更正该数据流的 table")
        self.encoding = (held.encoding or "cp936") if _version(path) == JET3 else ""
        self._kinds = dict(_COLUMN.findall(_run("mdb-schema", "-T", self._table, "--", str(path))))
        self.columns = list(self._kinds)

    def rows(self) -> Iterator[Row]:
        """Every row as the program prints it."""
        command = [_program("mdb-json"), "-D", DAY, "-T", MOMENT, "--", str(self._path), self._table]
        environ = {**os.environ, "MDB_JET3_CHARSET": self.encoding or "cp936"}
        number = 0
        with TemporaryFile() as errors:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environ) as told:  # noqa: S603
                for number, line in enumerate(told.stdout or (), 1):
                    yield self._row(number, line)
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip()
        if told.returncode or said:
            raise Unreadable(f"表 {self._table} 读到中途出错 ({said or told.returncode}), {REPAIR}")
        self._must_be_all(number)

    def _must_be_all(self, read: int) -> None:
        counted = int(_run("mdb-count", "--", str(self._path), self._table))
        if read != counted:
            raise Unreadable(f"表 {self._table} 自记 {counted} 行, 只读到 {read} 行, {REPAIR}")

    def _row(self, number: int, line: bytes) -> Row:
        try:
            found = codec.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            shown = line.decode("utf-8", "backslashreplace")
            return Row(number, {"text": shown}, ["有无法识别的字符"])
        return Row(number, {name: _value(kind, found.get(name)) for name, kind in self._kinds.items()})


def _value(kind: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _binary(base64.b64decode(value["$binary"]))
    return bool(value) if kind.startswith("Boolean") and value is not None else value


def _binary(data: bytes) -> str:
    return data.decode("ascii") if _GUID.fullmatch(data) else "0x" + data.hex()


def tables(path: Path) -> list[str]:
    """The names of a file's own tables."""
    return _run("mdb-tables", "-1", "--", str(path)).splitlines()


def whole(path: Path) -> None:
    """Raises Unready where the file does not end with a page."""
    page = JET3_PAGE if _version(path) == JET3 else JET4_PAGE
    if path.stat().st_size % page:
        raise Unready("数据库文件不是整页, 未写完或已截断")


def _version(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(VERSION_AT)
        return (file.read(1) or b"\xff")[0]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ConfigError(
            "读取 Access 文件需要 mdbtools, 本机没有; 请安装: apt-get install mdbtools",
            en="Access files are read by mdbtools, which is not installed: apt-get install mdbtools",
            where="mdbtools",
        )
    return found


def _run(name: str, *arguments: str) -> str:
    done = subprocess.run([_program(name), *arguments], capture_output=True, check=False)  # noqa: S603
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode or said:
        raise Unreadable(
            f"打不开 Access 数据库 ({said or done.returncode}), 请在 Access 中压缩修复或去掉加密后重新放入"
        )
    return done.stdout.decode("utf-8", "replace")
