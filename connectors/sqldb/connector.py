"""Streams over the tables and queries that a connection's settings name; no sinks: an old system is only read.

With a column of changes a window reads what changed in it. Without one, everything is read, and the journal tells by
each record's hash what is new: a reading begun after a window's end has seen all that the window could bring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from connectors.sqldb.database import Database, Row
from connectors.sqldb.tables import PAGE, Read, Table
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, Terminal
from duijie.connect.named import named
from duijie.connect.protocol import Page, Sink, Stream, Window
from duijie.connect.records import UNREAD
from duijie.connect.rows import (
    Holders,
    Unfit,
    bad_row,
    gathered,
    in_pages,
    key_field,
    key_of,
    keyed,
    plain,
)
from duijie.connect.services import Services

EXAMPLE = '{"products": {"entity": "product", "table": "ptype", "key": "typeid", "modified": "updatedate"}}'
LISTED = 200
CHINA = "Asia/Shanghai"


class SqlStream:
    """One table or query."""

    def __init__(self, name: str, held: Read, database: Database, zone: ZoneInfo, clock: Callable[[], float]) -> None:
        self.name, self.entity, self.key = name, held.entity, key_field(held.keys)
        self._held, self._database, self._zone, self._clock = held, database, zone, clock
        self._whole_at = datetime.min.replace(tzinfo=UTC)

    @cached_property
    def table(self) -> Table:
        """Its table. Raises ConfigError where there is none, or not with these columns."""
        return Table(self._database, self._held, self._zone)

    def partitions(self) -> Iterable[str]:
        """None."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """What changed in the window, or all there is; by key, the rows under these keys.

        A row without a key, a key that two rows share and a value that has no exact place are records that say so.
        """
        began = datetime.fromtimestamp(self._clock(), UTC)
        is_known = not window.keys and window.until <= self._whole_at
        if is_known and not self._held.is_windowed:
            return
        yield from in_pages(self._records(window, is_known), PAGE, Page)
        if not window.keys:
            self._whole_at = began

    def _records(self, window: Window, is_known: bool) -> Iterator[Record]:
        rows = self._asked(window) if self._held.query else self._walked(window, is_known)
        found = self._gathered(rows)
        return (one for one in found if not window.keys or key_of(one, self._held.keys) in window.keys)

    def _walked(self, window: Window, is_known: bool) -> Iterator[Record]:
        table = self.table
        if window.keys:
            return self._made(table.names, chain.from_iterable(table.of(window.keys)))
        if not self._held.is_windowed:
            return chain(self._keyless(), self._made(table.names, chain.from_iterable(table.all())))
        pages = table.changed(window.since, window.until)
        changed = self._made(table.names, self._whole(table, pages) if self._held.lines else chain.from_iterable(pages))
        if is_known:
            return changed
        undated = self._made(table.names, chain.from_iterable(table.undated()))
        return chain(self._keyless(), undated, changed)

    def _whole(self, table: Table, pages: Iterator[list[Row]]) -> Iterator[Row]:
        """All rows of the documents of which these pages hold some."""
        with Holders() as seen:
            for page in pages:
                keys = (key_of(record, self._held.keys) for record in self._made(table.names, page))
                yield from chain.from_iterable(table.of([key for key in keys if key and not seen.first(key, 1)]))

    def _keyless(self) -> Iterator[Record]:
        """Some of the rows that a walk along the keys does not meet."""
        reason = f"键列 {', '.join(self._held.order)} 为空, 请在旧系统中补上"
        for row in self.table.without_key(PAGE):
            values, _ = _plain(dict(zip(self.table.names, row, strict=True)))
            yield bad_row(self._held.table, "", reason, values)

    def _asked(self, window: Window) -> Iterator[Record]:
        """The rows of a query as they come; by key, those of all times."""
        since, until = (at.astimezone(self._zone).replace(tzinfo=None) for at in (window.since, window.until))
        if window.keys:
            since, until = datetime(1900, 1, 1), datetime(9000, 1, 1)  # noqa: DTZ001  as old databases keep them
        values = {name: at for name, at in (("since", since), ("until", until)) if name in self._held.binds}
        with self._database.line() as line:
            found = line.execution_options(yield_per=PAGE).execute(sa.text(self._held.query), values)
            names = list(found.keys())
            self._must_have_keys(names)
            yield from self._made(names, found)

    def _must_have_keys(self, names: Sequence[str]) -> None:
        missing = [name for name in self._held.keys if name not in names]
        if missing:
            raise ConfigError(
                f"数据流 {self.name} 的 query 没有返回键列 {', '.join(missing)};"
                f" 请更正 query 或 key, 返回的列: {', '.join(names)}",
                en=f"the query of {self.name} returns no {', '.join(missing)}; correct query or key",
                where=f"{self.name}.key",
            )

    def _made(self, names: Sequence[str], rows: Iterable[Row]) -> Iterator[Record]:
        return (self._record(dict(zip(names, row, strict=True))) for row in rows)

    def _record(self, row: Mapping[str, Any]) -> Record:
        record, faults = _plain(row)
        place = self._held.table or self.name
        if not key_of(record, self._held.keys):
            return bad_row(place, "", f"键列 {', '.join(self._held.keys)} 为空, 请在旧系统中补上", record)
        if faults:
            known = {name: record[name] for name in self._held.keys}
            return bad_row(place, "", "; ".join(faults), record, keyed(known, self._held.keys))
        return keyed(record, self._held.keys)

    def _gathered(self, records: Iterator[Record]) -> Iterator[Record]:
        """Documents of rows where the stream gathers them; what one key says twice is told."""
        keys = self._held.keys
        if self._held.lines:
            records = (keyed(one, keys) for one in gathered(records, keys, self._held.lines))
        with Holders() as holders:
            for number, record in enumerate(records, 1):
                key = "" if UNREAD in record else key_of(record, keys)
                yield self._twice(key, record) if key and holders.first(key, number) else record

    def _twice(self, key: str, record: Record) -> Record:
        why = f"键 {key} 已在前面出现过"
        what = "同一单据的行须相连, 请在 query 中按键排序" if self._held.lines else "请换用不重复的列 (如内部编号) 作键"
        return bad_row(self._held.table or self.name, "", f"{why}; {what}", record)

    def seen(self) -> str:
        """How many rows there are, whether the key tells them apart, and the columns."""
        if self._held.query:
            page = next(self.read(Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))), None)
            return f"query 首批 {len(page.records)} 条: {', '.join(page.records[0])}" if page else "query 没有返回行"
        rows, keys = self.table.count()
        alike = "" if keys == rows or self._held.lines else f"; 注意: 键只有 {keys} 个不同的值, 请换用不重复的列作键"
        return f"{rows} 行; 列: {_listed(self.table.kinds)}{alike}"


class SqlDb:
    """One database."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._database = Database(connection, services)
        reads = named(connection, "streams", Read, EXAMPLE)
        zone = _zone(connection)
        for name, held in reads.items():
            _must_be_sound(connection.conn_id, name, held)
        make = partial(SqlStream, database=self._database, zone=zone, clock=services.clock)
        self._streams = {name: make(name, held) for name, held in reads.items()}
        self._used = {held.table for held in reads.values()}

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Those of the setting `streams`."""
        return dict(self._streams)

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """None: an old system is only read."""
        return {}

    def check(self) -> list[tuple[str, str]]:
        """The streams, then every other table of the database: rows and columns."""
        told = [("数据库", self._database.address)]
        told += [(name, stream.seen()) for name, stream in self._streams.items()]
        tables = self._database.ask(lambda line: sorted(sa.inspect(line).get_table_names()))
        others = [name for name in tables if name not in self._used]
        told += [(f"表 {name}", self._other(name)) for name in others[:LISTED]]
        rest = len(others) - LISTED
        return [*told, ("其余的表", f"还有 {rest} 个, 未列出")] if rest > 0 else told

    def _other(self, name: str) -> str:
        """Rows and columns of a table, or why it may not be read."""
        try:
            [(rows,)] = self._database.rows(sa.select(sa.func.count()).select_from(sa.table(name)))
            columns = self._database.ask(lambda line: sa.inspect(line).get_columns(name))
        except Terminal as error:
            return error.zh
        return f"{rows} 行; 列: {_listed({one['name']: one['type'] for one in columns})}"


def _plain(row: Mapping[str, Any]) -> tuple[Record, list[str]]:
    """The values as a record keeps them, and what is wrong with any of them."""
    record: Record = {}
    faults = []
    for name, value in row.items():
        try:
            record[name] = plain(value)
        except Unfit as unfit:
            record[name] = str(value).encode("utf-8", "backslashreplace").decode()
            faults.append(f"列 {name}: {unfit}")
    return record, faults


def _listed(kinds: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in kinds.items())


def _must_be_sound(conn_id: str, name: str, held: Read) -> None:
    if fault := held.fault():
        raise ConfigError(
            f"连接 {conn_id} 的数据流 {name} 有误: {fault}; 请更正, 如 {EXAMPLE}",
            en=f"stream {name} of connection {conn_id} is wrong ({fault}); write it like {EXAMPLE}",
            where=f"{conn_id}.streams.{name}",
        )


def _zone(connection: Connection) -> ZoneInfo:
    name = str(connection.extra.get("zone") or CHINA)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            f"连接 {connection.conn_id} 的 zone {name} 不是时区; 请填如 {CHINA}",
            en=f"connection {connection.conn_id}: zone {name} is no time zone; write it like {CHINA}",
            where=f"{connection.conn_id}.zone",
        ) from None
