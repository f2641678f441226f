"""A folder of files that an old system left behind or exports, as streams; no sinks: they are only read.

A file is read whole when it has changed and has lain still for a while; the journal tells by each record's hash what is
new. Of a key that several files hold, the record of the newest file counts. Rows are read as a stream, and which keys
were met is kept in a temporary file, so that memory does not grow with a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path

from connectors.legacyfile.kinds import kind_of, open_table
from connectors.legacyfile.table import Opened, Read, Row, Unreadable, Unready, says
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.dropped import EVER, changed, changed_at
from duijie.connect.errors import ConfigError, VendorBusy
from duijie.connect.named import named
from duijie.connect.protocol import Page, Sink, Stream, Window
from duijie.connect.records import UNREAD
from duijie.connect.rows import Holders, bad_row, gathered, in_pages, key_field, key_of, keyed
from duijie.connect.services import Services

EXAMPLE = '{"products": {"entity": "product", "files": "ptype*.dbf", "key": "typeid"}}'
PAGE = 500
STILL = timedelta(seconds=10)
PATIENCE = timedelta(minutes=10)
UNFINISHED = ("~$*", "*.tmp", "*.part", "*.crdownload", "*.fpt", "*.dbt", "*.cdx", "*.idx", "*.ldb", "*.laccdb")
LISTED = 200
Clock = Callable[[], float]


class FileStream:
    """One table, which may come in many files."""

    def __init__(self, name: str, held: Read, folder: Path, clock: Clock) -> None:
        self.name, self.entity, self.key = name, held.entity, key_field(held.keys)
        self.held, self._folder, self._clock = held, folder, clock

    def partitions(self) -> Iterable[str]:
        """None."""
        return [""]

    def files(self, since: datetime = EVER[0], until: datetime = EVER[1]) -> list[Path]:
        """The stream's files that changed in a window, oldest first. Raises ConfigError for a missing folder."""
        return changed(self._folder, lambda name: _is_file(name) and _fits(name, self.held.files), since, until)

    def read(self, window: Window) -> Iterator[Page]:
        """The rows of the files changed in the window; by key, those under these keys in any file.

        A file that is still being written holds the window back until it is whole: it is said how far we know.
        Raises VendorBusy when keys are asked for meanwhile.
        """
        files = self.files() if window.keys else self.files(window.since, window.until)
        waiting = [path for path in files if self._is_unfinished(path)]
        if waiting and window.keys:
            raise _busy(waiting)
        if waiting:
            yield Page([], server_time=min(map(changed_at, waiting)))
        whole = [path for path in files if path not in waiting]
        yield from in_pages(self._records(whole[::-1], frozenset(window.keys)), PAGE, Page)

    def _is_unfinished(self, path: Path) -> bool:
        """Whether it changed a moment ago, or is not whole and may still become so."""
        age = datetime.fromtimestamp(self._clock(), UTC) - changed_at(path)
        if age < STILL:
            return True
        if age > PATIENCE:
            return False
        try:
            open_table(path, self.held)
        except Unready:
            return True
        except Unreadable:
            return False
        return False

    def _records(self, files: Sequence[Path], wanted: Collection[str]) -> Iterator[Record]:
        """The newest file first, each key from the first file that has it; a key that a file has twice is told."""
        with Holders() as holders:
            for place, path in enumerate(files):
                for record in self._of(path):
                    key = key_of(record, self.held.keys)
                    if wanted and key not in wanted:
                        continue
                    holder = holders.first(key, place) if key else None
                    if holder is None:
                        yield record
                    elif holder == place and not record.get("is_deleted"):
                        yield self._twice(path, key, record)

    def _of(self, path: Path) -> Iterator[Record]:
        try:
            opened = open_table(path, self.held)
            self._must_have_keys(opened)
            records = (self._record(path, row) for row in opened.rows() if not self._is_left_out(row))
            if self.held.lines:
                documents = gathered(records, self.held.keys, self.held.lines)
                records = (one if UNREAD in one else keyed(one, self.held.keys) for one in documents)
            yield from records
        except (Unready, Unreadable) as error:
            yield bad_row(path.name, "", str(error), "")

    def _must_have_keys(self, opened: Opened) -> None:
        missing = [name for name in self.held.keys if name not in opened.columns]
        if missing:
            raise Unreadable(
                f"没有键列 {', '.join(missing)}, 有: {', '.join(opened.columns)}; 请更正该数据流的 key 或 header"
            )

    def _is_left_out(self, row: Row) -> bool:
        """Whether it is empty, as old programs leave rows behind, or of those that `skip` names."""
        if not any(map(says, row.values.values())):
            return True
        return any(str(row.values.get(name) or "").strip() in texts for name, texts in self.held.skip.items())

    def _record(self, path: Path, row: Row) -> Record:
        keys = self.held.keys
        if not key_of(row.values, keys):
            empty = f"键列 {', '.join(keys)} 为空 (若为合计行请设 skip)"
            return bad_row(path.name, row.number, "; ".join([*row.faults, empty]), row.values)
        if row.faults:
            known = keyed({name: row.values[name] for name in keys}, keys)
            return bad_row(path.name, row.number, "; ".join(row.faults), row.values, known)
        return keyed(row.values, keys)

    def _twice(self, path: Path, key: str, record: Record) -> Record:
        what = "同一单据的行须相连, 请按键排序后导出" if self.held.lines else "请换用不重复的列 (如内部编号) 作键"
        return bad_row(path.name, "", f"键 {key} 在文件中出现多次, 取了第一次; {what}", record)

    def seen(self) -> list[tuple[str, str]]:
        """What each of its files holds."""
        files = self.files()
        if not files:
            return [(self.name, f"没有名称如 {self.held.files} 的文件")]
        return [(f"{self.name}: {path.name}", _seen(path, self.held)) for path in files]


class LegacyFiles:
    """One folder."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._folder = Path(connection.require("path")).expanduser()
        reads: dict[str, Read] = named(connection, "streams", Read, EXAMPLE)
        for name, held in reads.items():
            _must_be_sound(connection.conn_id, name, held)
        self._streams = {name: FileStream(name, held, self._folder, services.clock) for name, held in reads.items()}

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Those of the setting `streams`."""
        return dict(self._streams)

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """None: an old system is only read."""
        return {}

    def check(self) -> list[tuple[str, str]]:
        """The files of each stream, then every other file of the folder, table by table."""
        told = [("文件夹", str(self._folder))]
        told += [line for stream in self._streams.values() for line in stream.seen()]
        used = {path for stream in self._streams.values() for path in stream.files()}
        others = [path for path in changed(self._folder, _is_file, *EVER) if path not in used]
        return told + [line for path in others[:LISTED] for line in _unused(path)]


def _is_file(name: str) -> bool:
    """Whether it is none of the files that programs lay beside others."""
    return not any(_fits(name, pattern) for pattern in UNFINISHED)


def _fits(name: str, pattern: str) -> bool:
    """Old systems wrote their names in capitals or not."""
    return fnmatch(name.lower(), pattern.lower())


def _unused(path: Path) -> list[tuple[str, str]]:
    """A file that no stream reads, by its tables."""
    try:
        names = kind_of(path).tables(path)
    except (Unready, Unreadable) as error:
        return [(path.name, f"(未使用) {error}")]
    reads = [(name, Read(entity="", key="", files="*", table=name)) for name in names]
    return [(f"{path.name} {name}".strip(), f"(未使用) {_seen(path, held)}") for name, held in reads]


def _seen(path: Path, held: Read) -> str:
    """Kind, encoding, rows and columns of a table, and how many rows have something wrong."""
    try:
        opened = open_table(path, held)
        rows = wrong = 0
        for row in opened.rows():
            rows, wrong = rows + 1, wrong + bool(row.faults)
        kind = kind_of(path).title
    except (Unready, Unreadable) as error:
        return str(error)
    encoding = f", 编码 {opened.encoding}" if opened.encoding else ""
    missing = [name for name in held.keys if name and name not in opened.columns]
    lacks = f"; 注意: 没有键列 {', '.join(missing)}, 请更正该数据流的 key 或 header" if missing else ""
    bad = f"; 其中 {wrong} 行有误" if wrong else ""
    return f"{kind}{encoding}, {rows} 行{bad}; 列: {', '.join(opened.columns)}{lacks}"


def _busy(waiting: Sequence[Path]) -> VendorBusy:
    names = ", ".join(path.name for path in waiting)
    return VendorBusy(
        f"文件 {names} 正在写入, 写完后自动读取; 若早已写完请检查文件是否完整",
        en=f"{names} is being written; it is read when it is whole",
        code="WRITING",
        where=names,
    )


def _must_be_sound(conn_id: str, name: str, held: Read) -> None:
    if fault := held.fault():
        raise ConfigError(
            f"连接 {conn_id} 的数据流 {name} 有误: {fault}; 请更正, 如 {EXAMPLE}",
            en=f"stream {name} of connection {conn_id} is wrong ({fault}); write it like {EXAMPLE}",
            where=f"{conn_id}.streams.{name}",
        )
