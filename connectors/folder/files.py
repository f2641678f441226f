"""Files as a source and a target: read whole, written whole, each number of a document once.

JSON by RFC 8259; several records of one file as a list, or one a line (https://jsonlines.org).
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.dropped import EVER, changed
from duijie.connect.records import unread

ENDINGS = (".json", ".jsonl", ".ndjson")
LARGEST = 200 * 1024 * 1024
SHOWN = 2000
_UNFIT = re.compile(r"[^0-9A-Za-z._\-\u4e00-\u9fff]")


@dataclass(frozen=True)
class Box:
    """A folder of files. Names that begin with a dot are being written and not there yet."""

    folder: Path

    def changed(self, since: datetime, until: datetime) -> list[Path]:
        """The files changed in since ≤ time < until, oldest first. Raises ConfigError for a missing folder."""
        return changed(self.folder, lambda name: Path(name).suffix in ENDINGS, since, until)

    def all(self) -> list[Path]:
        """Every file, oldest first."""
        return self.changed(*EVER)

    def path(self, key: str) -> Path:
        """The file of a document: its key, what no file name takes replaced, so that two keys never share one."""
        plain = _UNFIT.sub(lambda found: f"%{ord(found.group()):02X}", key)
        return self.folder / f"{plain}.json"

    def get(self, key: str) -> Record | None:
        """The document under a key, None where there is none."""
        path = self.path(key)
        try:
            held = codec.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _unread(path, str(error), "")
        return held if isinstance(held, dict) else _unread(path, "不是一条记录", "")

    def put(self, key: str, payload: Record) -> Path:
        """Write a document whole or not at all. Raises FileExistsError where the key is taken."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{uuid4().hex}"
        draft.write_bytes(codec.encode_ordered(payload))
        try:
            os.link(draft, self.path(key))
        finally:
            draft.unlink()
        return self.path(key)


def records(path: Path, rows: str = "") -> Iterator[Record]:
    """The records of a file, or those that stand at `rows` ("data.rows") in each of its objects.

    What cannot be read is one record that says so, so that it is kept and seen.
    """
    if path.stat().st_size > LARGEST:
        yield _unread(path, f"文件超过 {LARGEST // 1024 // 1024} MB, 请拆分", "")
        return
    text = path.read_bytes().removeprefix(BOM_UTF8)
    try:
        text.decode()
    except UnicodeDecodeError as error:
        known = "GBK" if _is_gbk(text) else "其他"
        yield _unread(path, f"不是 UTF-8 编码 (看来是 {known} 编码, 第 {error.start + 1} 个字节), 请另存为 UTF-8", "")
        return
    pieces = text.splitlines() if path.suffix != ".json" else [text]
    for number, piece in enumerate(pieces, 1):
        if piece.strip():
            yield from _decoded(path, number, piece, rows)


def _is_gbk(text: bytes) -> bool:
    try:
        text.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def _decoded(path: Path, number: int, text: bytes, rows: str) -> Iterator[Record]:
    try:
        found: Any = codec.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        line = f"第 {number} 行" if path.suffix != ".json" else "内容"
        yield _unread(path, f"{line}不是有效的 JSON: {error}", text.decode())
        return
    for name in filter(None, rows.split(".")):
        found = found.get(name) if isinstance(found, dict) else None
    if rows and found is None:
        yield _unread(path, f"没有 {rows}, 请更正该数据流的 rows", text.decode())
        return
    for one in found if isinstance(found, list) else [found]:
        yield one if isinstance(one, dict) else _unread(path, "不是一条记录", codec.encode(one).decode())


def _unread(path: Path, reason: str, text: str) -> Record:
    return unread(path.name, reason, text[:SHOWN])
