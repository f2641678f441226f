"""What a stream reads: a table by its columns, in the order of its keys, or a query as written.

All names go through SQLAlchemy's quoting, all values are bound. Pages are found by the keys of the last row (never by
OFFSET), so that rows that come and go meanwhile shift nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from connectors.sqldb.database import Database, Row
from duijie.connect.errors import ConfigError
from duijie.connect.rows import split_key

PAGE = 1000
MANY = 100
SQLITE_TIME = "%Y-%m-%d %H:%M:%S"  # SQLite has no type of its own for times: they are compared as texts
BOUND = {"since", "until"}
_READS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_SECOND = re.compile(r";\s*\S")


class Read(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One row of the setting `streams`: a table (or view), or a query with :since and :until.

    `key`: the column or columns that identify a row, or a document where `lines` gathers its rows under that name;
    `line_key` then tells its rows apart. `modified`: when a row last changed; without it everything is read each time.
    """

    entity: str
    key: str | list[str]
    table: str = ""
    schema: str = ""
    query: str = ""
    columns: list[str] = []
    modified: str = ""
    modified_format: str = ""
    lines: str = ""
    line_key: str | list[str] = []

    @property
    def keys(self) -> list[str]:
        """The key columns."""
        return [self.key] if isinstance(self.key, str) else list(self.key)

    @property
    def order(self) -> list[str]:
        """The columns by which a table is walked through in a full reading."""
        return [*self.keys, *([self.line_key] if isinstance(self.line_key, str) else self.line_key)]

    @property
    def is_windowed(self) -> bool:
        """Whether a window of time narrows what is read."""
        return bool(self.modified) if self.table else bool(self.binds)

    @property
    def binds(self) -> set[str]:
        """The parameters of the query."""
        return set(sa.text(self.query).compile().params)

    def fault(self) -> str:
        """What is wrong with these settings, in Chinese; empty where nothing is."""
        if bool(self.table) == bool(self.query):
            return "table 与 query 必须且只能填一个"
        if self.query and (not _READS.match(self.query) or _SECOND.search(self.query)):
            return "query 必须是一条 SELECT (或 WITH … SELECT)"
        if self.query and not self.binds <= BOUND:
            return "query 只能使用参数 :since 与 :until"
        if self.query and (self.modified or self.columns or self.line_key):
            return "query 中请自行写明列、时间条件与排序; modified、columns、line_key 只用于 table"
        return "" if self.keys and all(self.keys) else "key 不能为空"


@dataclass(frozen=True)
class Edges:
    """The moments of a window as a column of changes keeps them: in its own zone, kind and format."""

    zone: ZoneInfo
    kind: sa.types.TypeEngine[Any]
    form: str

    def since(self, at: datetime) -> Any:
        """The first value of a window."""
        return self._value(at)

    def until(self, at: datetime) -> Any:
        """The first value after a window; of a column of days the day after, since the last one is not over."""
        return self._value(at) + timedelta(days=1) if self._is_days else self._value(at)

    @property
    def _is_days(self) -> bool:
        return isinstance(self.kind, sa.Date) and not self.form

    def _value(self, at: datetime) -> Any:
        local = at.astimezone(self.zone)
        if self.form:
            return local.strftime(self.form)
        if self._is_days:
            return local.date()
        return at if getattr(self.kind, "timezone", False) else local.replace(tzinfo=None)


class Table:
    """A table or view, its columns as the database tells them."""

    def __init__(self, database: Database, held: Read, zone: ZoneInfo) -> None:
        self._database, self._held = database, held
        known = database.ask(lambda line: _columns(line, held))
        self.kinds = {name: kind for name, kind in known.items() if not held.columns or name in held.columns}
        _must_have(held, self.kinds)
        # without a kind: values come as the driver gives them, not through a float
        self._source = sa.table(held.table, *(sa.column(name) for name in self.kinds), schema=held.schema or None)
        kind = self.kinds.get(held.modified)
        as_text = held.modified_format or (SQLITE_TIME if database.dialect == "sqlite" and _is_time(kind) else "")
        self._edges = Edges(zone, kind, as_text) if kind is not None else None

    @property
    def names(self) -> list[str]:
        """The columns read."""
        return list(self.kinds)

    def changed(self, since: datetime, until: datetime) -> Iterator[list[Row]]:
        """The rows changed in a window, by the time they changed."""
        column = self._source.c[self._held.modified]
        assert self._edges is not None  # noqa: S101  asked of windowed streams alone
        kind = None if self._edges.form else self._edges.kind
        begin, end = (sa.literal(one, kind) for one in (self._edges.since(since), self._edges.until(until)))
        yield from self._walk([self._held.modified, *self._held.order], column >= begin, column < end)

    def undated(self) -> Iterator[list[Row]]:
        """The rows of a windowed stream that do not say when they changed."""
        yield from self._walk(self._held.order, self._source.c[self._held.modified].is_(None))

    def all(self) -> Iterator[list[Row]]:
        """Every row that has a key."""
        yield from self._walk(self._held.order)

    def without_key(self, limit: int) -> list[Row]:
        """Some of the rows that lack a column of their key."""
        lacking = sa.or_(*(self._source.c[name].is_(None) for name in self._held.order))
        return self._database.rows(sa.select(self._source).where(lacking).limit(limit))

    def of(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The rows under these keys."""
        names = self._held.keys
        wanted = [found for key in keys if (found := self._typed([key] if len(names) == 1 else split_key(key)))]
        for at in range(0, len(wanted), MANY):
            alike = (_alike(self._source, dict(zip(names, one, strict=True))) for one in wanted[at : at + MANY])
            yield from self._walk(self._held.order, sa.or_(*alike))

    def count(self) -> tuple[int, int]:
        """How many rows there are, and how many keys."""
        keys = sa.select(*(self._source.c[name] for name in self._held.keys)).distinct().subquery()
        rows = sa.select(sa.func.count()).select_from(self._source).scalar_subquery()
        told = self._database.rows(sa.select(rows, sa.select(sa.func.count()).select_from(keys).scalar_subquery()))
        return int(told[0][0]), int(told[0][1])

    def statement(self, order: Sequence[str], after: Row | None, size: int, *where: sa.ColumnElement[bool]) -> Any:
        """A page: from the rows of the last one's last key on."""
        columns = [self._source.c[name] for name in order]
        there = (self._source.c[name].is_not(None) for name in self._held.order)
        found = sa.select(self._source).where(*where, *there).order_by(*columns).limit(size)
        return found if after is None else found.where(_from(columns, after))

    def _walk(self, order: Sequence[str], *where: sa.ColumnElement[bool]) -> Iterator[list[Row]]:
        """All pages. The rows of a page's last key are left to the next, which begins with them: none falls between."""
        at = [self.names.index(name) for name in order]
        after: Row | None = None
        size = PAGE
        shown: list[Row] = []  # of the page before: a collation may call keys alike that are not
        while True:
            rows = self._database.rows(self.statement(order, after, size, *where))
            fresh = [row for row in rows if row not in shown[-MANY:]]
            if len(rows) < size:
                yield fresh
                return
            last = [rows[-1][place] for place in at]
            whole = [row for row in fresh if [row[place] for place in at] != last]
            yield whole
            size = PAGE if whole and last != after else size * 2
            after, shown = last, whole or shown

    def _typed(self, parts: Sequence[str]) -> list[Any] | None:
        """The values of a key as its columns hold them; None where one cannot be among theirs."""
        try:
            return [_as(self.kinds[name], part) for name, part in zip(self._held.keys, parts, strict=True)]
        except (ValueError, InvalidOperation):
            return None


def _columns(line: sa.Connection, held: Read) -> dict[str, sa.types.TypeEngine[Any]]:
    inspector = sa.inspect(line)
    try:
        return {one["name"]: one["type"] for one in inspector.get_columns(held.table, held.schema or None)}
    except sa.exc.NoSuchTableError:
        there = [*inspector.get_table_names(held.schema or None), *inspector.get_view_names(held.schema or None)]
        near = get_close_matches(held.table, there, 3) or sorted(there)[:10]
        raise ConfigError(
            f"数据库中没有表 {held.table}; 请更正该数据流的 table 或 schema, 现有: {', '.join(near) or '(无)'}",
            en=f"there is no table {held.table}; correct table or schema of the stream; there are: {', '.join(near)}",
            where=held.table,
        ) from None


def _must_have(held: Read, kinds: Mapping[str, Any]) -> None:
    missing = [name for name in (*held.order, held.modified, *held.columns) if name and name not in kinds]
    if missing:
        raise ConfigError(
            f"表 {held.table} 没有列 {', '.join(missing)}; 请更正该数据流, 现有列: {', '.join(kinds)}",
            en=f"{held.table} has no column {', '.join(missing)}; correct the stream; it has {', '.join(kinds)}",
            where=held.table,
        )
    kind = kinds.get(held.modified)
    if isinstance(kind, mssql.DATETIMEOFFSET):
        raise ConfigError(
            f"列 {held.modified} 是 datetimeoffset, 不能直接按时间窗口读取; 请建视图把它转换为 datetime2 "
            f"(CAST({held.modified} AS datetime2)) 后读取该视图",
            en=f"{held.modified} is a datetimeoffset; read a view that casts it to datetime2",
            where=f"{held.table}.{held.modified}",
        )
    if held.modified and not held.modified_format and not (_is_time(kind) or isinstance(kind, sa.Date)):
        raise ConfigError(
            f"列 {held.modified} 的类型 {kind} 不是时间; 若以文本保存请填 modified_format"
            " (如 %Y-%m-%d %H:%M:%S), 否则去掉 modified",
            en=f"{held.modified} is {kind}, no time; give modified_format where it is text, else drop modified",
            where=f"{held.table}.{held.modified}",
        )


def _is_time(kind: Any) -> bool:
    return isinstance(kind, sa.DateTime)


def _from(columns: Sequence[sa.ColumnElement[Any]], after: Row) -> sa.ColumnElement[bool]:
    """At this row or behind it in the order of the columns; row values, which SQL Server lacks, written out."""
    behind = [
        sa.and_(*(column == value for column, value in zip(columns[:at], after[:at], strict=True)), columns[at] > last)
        for at, last in enumerate(after)
    ]
    return sa.or_(*behind, sa.and_(*(column == value for column, value in zip(columns, after, strict=True))))


def _alike(source: sa.TableClause, values: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    return sa.and_(*(source.c[name] == value for name, value in values.items()))


def _as(kind: sa.types.TypeEngine[Any], text: str) -> Any:
    """A text as a column of this kind holds it. Raises ValueError, InvalidOperation."""
    try:
        python = kind.python_type
    except NotImplementedError:
        return text
    return _MAKERS.get(python, str)(text)


_MAKERS: Mapping[type[Any], Callable[[str], Any]] = {
    int: int,
    Decimal: Decimal,
    float: float,
    UUID: UUID,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
}
