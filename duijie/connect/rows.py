"""Rows of tables as records: values exact, a key of one or more columns, lines gathered, what is in doubt told.

For connectors that read tables whose names, keys and columns the settings of a connection give.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from duijie import codec
from duijie.codec import Record
from duijie.connect.records import UNREAD, unread

JOINED = "_key"
EXACT_BELOW = 2**53
SHOWN = 2000
_SPLIT = re.compile(r"(?<!\\)(?:\\\\)*\|")


class Unfit(ValueError):
    """A value that has no exact place in a record; the text says why, in Chinese."""


def plain(value: Any) -> Any:
    """A value as JSON keeps it exactly: dates and times as ISO 8601 without a zone they do not have, bytes as 0x…

    A binary fraction becomes the shortest decimal that reads back as the same number. Raises Unfit.
    """
    for kinds, make in _MAKERS:
        if isinstance(value, kinds):
            return make(value)
    return str(value)


def exact(value: float) -> int | Decimal:
    """The shortest decimal that reads back as this number; a whole one as integer. Raises Unfit."""
    if value.is_integer() and abs(value) < EXACT_BELOW:
        return int(value)
    return _finite(Decimal(repr(value)))


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise Unfit(f"{value} 不是数字")
    return value


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit("有无法识别的字符") from None
    return value


def _hours(value: timedelta) -> str:
    sign, seconds = ("-" if value < timedelta() else ""), int(abs(value).total_seconds())
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


_MAKERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, _text),
    ((bool, int, type(None)), lambda value: value),
    (float, exact),
    (Decimal, _finite),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, _hours),
    ((bytes, bytearray, memoryview), lambda value: "0x" + bytes(value).hex()),
    (Mapping, lambda value: {str(name): plain(one) for name, one in value.items()}),
    ((list, tuple, set), lambda value: [plain(one) for one in value]),
)


def key_field(columns: Sequence[str]) -> str:
    """The field that identifies a record: its one key column, or JOINED, which `keyed` adds."""
    return columns[0] if len(columns) == 1 else JOINED


def join_key(parts: Iterable[Any]) -> str:
    """Several values as one text, from which `split_key` gets the same back."""
    return "|".join(str(part).replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def split_key(key: str) -> list[str]:
    """The values of a joined key."""
    ends = [found.end() for found in _SPLIT.finditer(key)]
    pieces = [key[at : end - 1] for at, end in zip([0, *ends], [*ends, len(key) + 1], strict=True)]
    return [re.sub(r"\\(.)", r"\1", piece) for piece in pieces]


def keyed(record: Record, columns: Sequence[str]) -> Record:
    """The record, with its joined key where that is of several columns."""
    if len(columns) == 1:
        return record
    return {**record, JOINED: join_key(record[name] for name in columns)}


def key_of(record: Record, columns: Sequence[str]) -> str:
    """The key of a record as text; empty where a column of it is."""
    parts = [record.get(name) for name in columns]
    if any(part is None or str(part).strip() == "" for part in parts):
        return ""
    return str(parts[0]) if len(columns) == 1 else join_key(parts)


def bad_row(place: str, row: int | str, reason: str, values: Any, known: Mapping[str, Any] | None = None) -> Record:
    """A row that cannot be taken, kept and told: where, why, and what it holds.

    `known`: its key columns, so that the row put right settles what is asked of people.
    """
    where = f"第 {row} 行" if isinstance(row, int) else row
    text = values if isinstance(values, str) else codec.encode_ordered(values).decode()
    return {**unread(place, f"{where} {reason}".strip(), text[:SHOWN]), **(known or {})}


def gathered(records: Iterable[Record], columns: Sequence[str], name: str) -> Iterator[Record]:
    """One record for each run of rows with one key: what they have alike, and the rows themselves under `name`.

    A document with a row that could not be read is told whole; such a row without a key passes as it is.
    """
    group: list[Record] = []
    for record in records:
        key = key_of(record, columns)
        if UNREAD in record and not key:
            yield record
            continue
        if group and key_of(group[0], columns) != key:
            yield _document(group, columns, name)
            group = []
        group.append(record)
    if group:
        yield _document(group, columns, name)


def _document(group: Sequence[Record], columns: Sequence[str], name: str) -> Record:
    first = group[0]
    faults = [one for one in group if UNREAD in one]
    if faults:
        said = "; ".join(str(one[UNREAD]) for one in faults)
        known = {field: faults[0][field] for field in (*columns, JOINED) if field in faults[0]}
        why = f"单据 {key_of(first, columns)} 共 {len(group)} 行, 因其中有误整张未取: {said}"
        return {**unread(str(faults[0]["_file"]), why, "\n".join(str(one["_text"]) for one in faults)[:SHOWN]), **known}
    alike = {field: value for field, value in first.items() if all(one.get(field) == value for one in group)}
    return {**alike, name: list(group)}


class Holders:
    """Who was the first to hold a key, for any number of keys: in a temporary file, so that memory stays flat."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("", isolation_level=None)  # "": a file that SQLite makes and removes itself
        self._rows.execute("CREATE TABLE held (key TEXT PRIMARY KEY, holder INTEGER) WITHOUT ROWID")
        self._rows.execute("BEGIN")

    def __enter__(self) -> Holders:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()

    def first(self, key: str, holder: int) -> int | None:
        """The one that holds the key already; None where it is now held by this one."""
        if self._rows.execute("INSERT OR IGNORE INTO held VALUES (?, ?)", (key, holder)).rowcount:
            return None
        [(before,)] = self._rows.execute("SELECT holder FROM held WHERE key = ?", (key,))
        return int(before)


def in_pages(records: Iterable[Record], size: int, make: Callable[[list[Record]], Any]) -> Iterator[Any]:
    """The records by so many at a time."""
    held: list[Record] = []
    for record in records:
        held.append(record)
        if len(held) == size:
            yield make(held)
            held = []
    if held:
        yield make(held)
