"""A folder as a system: `in/<stream>/*.json` is read, `out/<sink>/<key>.json` is written.

The connection's extra names them: {"path": "/data/shop", "streams": {"orders": {"entity": "sales_order", "key": "id"}},
"sinks": {"orders": {"entity": "sales_order", "key": "no", "figures": ["amount"]}}}. A file whose name is taken refuses
a second document with our key, whoever writes it: that is the sink's safety.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec

from connectors.folder.files import Box, records
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.named import named
from duijie.connect.protocol import (
    Done,
    Figures,
    Found,
    Later,
    Outcome,
    Page,
    Plugin,
    Refused,
    Safety,
    Setting,
    Sink,
    Spec,
    Stream,
    Unknown,
    Window,
)
from duijie.connect.records import UNREAD
from duijie.connect.services import Services

PAGE = 500
READS = '{"orders": {"entity": "sales_order", "key": "id", "rows": "data.rows"}}'
WRITES = '{"orders": {"entity": "…", "key": "no", "figures": ["amount"]}}'

SPEC = Spec(
    conn_type="folder",
    title="文件夹",
    summary="读取导出的 JSON 文件, 写出 JSON 文件",
    settings=(
        Setting("path", "文件夹", help="其下 in/<数据流>/ 读入, out/<写入口>/ 写出"),
        Setting("streams", "数据流", required=False, help=f"{READS}; rows 是记录所在, 可省略"),
        Setting("sinks", "写入口", required=False, help=WRITES),
    ),
    rate="1000/second",
    api_version="RFC 8259",
    source="https://www.rfc-editor.org/rfc/rfc8259",
)


class Read(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a stream's files hold: records of an entity, each known by a field.

    `rows`: where they are in a file that holds more, as in "data.rows".
    """

    entity: str
    key: str
    rows: str = ""


class Written(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a sink's files hold: documents of an entity, the field that is their key, the amounts that must agree."""

    entity: str
    key: str
    figures: tuple[str, ...] = ()


class FileStream:
    """The records of the files of one folder, by the time each file was changed."""

    def __init__(self, name: str, held: Read, box: Box) -> None:
        self.name = name
        self.entity = held.entity
        self.key = held.key
        self._rows = held.rows
        self._box = box

    def partitions(self) -> Iterable[str]:
        """None."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The files changed in the window, the newest first; by key, those of every file that have one of the keys.

        Of a key that several files hold, or one file holds twice, only the newest record is there.
        """
        seen: set[str] = set()
        files = self._box.all() if window.keys else self._box.changed(window.since, window.until)
        for path in reversed(files):
            found = self._unseen(path, seen, window.keys)
            for at in range(0, len(found), PAGE):
                yield Page(found[at : at + PAGE])

    def _unseen(self, path: Path, seen: set[str], wanted: Sequence[str]) -> list[Record]:
        found: list[Record] = []
        for one in reversed(list(records(path, self._rows))):
            key = "" if one.get(self.key) is None else str(one[self.key])
            if (wanted and key not in wanted) or key in seen:
                continue
            seen |= {key} if key else set()
            found.append(one)
        return found[::-1]


class FileSink:
    """One file for each document, named by its key."""

    safety = Safety.NATURAL_KEY
    batch = 100

    def __init__(self, name: str, held: Written, box: Box) -> None:
        self.name = name
        self.entity = held.entity
        self._held = held
        self._box = box

    def key_of(self, payload: Record) -> str:
        """The value of the key field. Raises ConfigError where the mapping made none."""
        key = payload.get(self._held.key)
        if key in (None, ""):
            raise ConfigError(
                f"映射结果没有键字段 {self._held.key}; 请在映射中给出, 或更正连接中写入口 {self.name} 的 key",
                en=f"the payload has no {self._held.key}; make one in the mapping or correct the sink's key",
                where=f"{self.name}.{self._held.key}",
            )
        return str(key)

    def figures_of(self, payload: Record) -> Figures:
        """The amounts named in the connection."""
        return {name: Decimal(payload[name]) for name in self._held.figures if payload.get(name) is not None}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """The files there are."""
        held = {key: self._box.get(key) for key in keys}
        return {
            key: Found(str(self._box.path(key)), key, self.figures_of(one), one) for key, one in held.items() if one
        }

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """A file each."""
        return [self._write(payload) for payload in payloads]

    def _write(self, payload: Record) -> Outcome:
        key = self.key_of(payload)
        try:
            path = self._box.put(key, payload)
        except FileExistsError:
            return Unknown(f"文件 {key} 已存在, 将核对内容", f"the file of {key} exists, to be compared")
        except OSError as error:
            if isinstance(error, PermissionError):
                return Refused("EACCES", f"不能写入 {self._box.path(key)}: 没有权限", f"cannot write: {error}")
            return Later(f"暂时不能写入: {error}", f"cannot write now: {error}", 30.0)
        return Done(str(path), key, {"file": path.name})


@dataclass(frozen=True)
class Folder:
    """A connection to one folder."""

    path: Path
    reads: Mapping[str, Read]
    writes: Mapping[str, Written]

    @property
    def streams(self) -> Mapping[str, Stream]:
        """As the connection names them."""
        return {name: FileStream(name, one, Box(self.path / "in" / name)) for name, one in self.reads.items()}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """As the connection names them."""
        return {name: FileSink(name, one, Box(self.path / "out" / name)) for name, one in self.writes.items()}

    def check(self) -> list[tuple[str, str]]:
        """What lies in each folder."""
        read = [(f"in/{name}", _seen(Box(self.path / "in" / name), one)) for name, one in self.reads.items()]
        written = [(f"out/{name}", "将写出 JSON 文件") for name in self.writes]
        return [("文件夹", str(self.path)), *read, *written]


def _seen(box: Box, held: Read) -> str:
    """How many files there are, and whether the first record has the key."""
    files = box.all()
    first = next((record for path in files for record in records(path, held.rows) if UNREAD not in record), None)
    if first is None or held.key in first:
        return f"{len(files)} 个文件"
    nested = next((name for name, value in first.items() if isinstance(value, list | dict)), "")
    hint = f"更正该数据流的 key, 或用 rows 指明记录所在 (如 {nested})" if nested else "更正该数据流的 key"
    return f"{len(files)} 个文件; 注意: 第一条记录没有键字段 {held.key}, 它有: {', '.join(first)}; 请{hint}"


def _open(connection: Connection, services: Services) -> Folder:
    path = Path(connection.require("path")).expanduser()
    return Folder(path, named(connection, "streams", Read, READS), named(connection, "sinks", Written, WRITES))


PLUGIN = Plugin(SPEC, _open)
