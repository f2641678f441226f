"""What every ExecuteBillQuery here shares: literals, windows, and pages that go on after an id.

Pages advance by the record's own id, not by row offset: a record deleted while we read cannot shift another's rows out
of sight. The last record of a full page may be cut and is read again with the next page.
Source: 金蝶云星空 WebAPI "ExecuteBillQuery".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from duijie.codec import Record
from duijie.connect.errors import MalformedMessage
from duijie.connect.protocol import Window

CHINA = ZoneInfo("Asia/Shanghai")
PAGE_ROWS = 2000
KEYS_AT_ONCE = 100
MODIFIED = "FModifyDate"

Row = list[Any]


def literal(text: str) -> str:
    """A text inside a FilterString."""
    return "'" + text.replace("'", "''") + "'"


def any_of(name: str, values: Sequence[str]) -> str:
    """`name in ('a','b')`."""
    return f"{name} in ({','.join(map(literal, values))})"


def some_of(name: str, keys: Sequence[str]) -> Iterator[str]:
    """Conditions that together bring these keys."""
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield any_of(name, keys[start : start + KEYS_AT_ONCE])


def conditions(window: Window, number: str, times: Sequence[str] = (MODIFIED,)) -> Iterator[str]:
    """With one of these times in the window, or with the window's keys in the field `number`."""
    if window.keys:
        yield from some_of(number, window.keys)
        return
    since, until = (literal(_second(moment)) for moment in (window.since, window.until))
    either = [f"{name} >= {since} and {name} < {until}" for name in times]
    yield either[0] if len(either) == 1 else f"({' or '.join(f'({one})' for one in either)})"


def asking(form_id: str, fields: Sequence[str], condition: str, order: str, limit: int) -> Record:
    """The `data` of a query."""
    return {
        "FormId": form_id,
        "FieldKeys": ",".join(fields),
        "FilterString": condition,
        "OrderString": order,
        "TopRowCount": 0,
        "StartRow": 0,
        "Limit": limit,
    }


def whole(ask: Callable[[Any], list[Row]], first: Any, most: int) -> Iterator[list[list[Row]]]:
    """Pages of records, a record being its rows: `ask` brings at most so many rows with an id after the given one.

    The id is a row's first cell. Raises MalformedMessage for a record that fills a page.
    """
    after = first
    while True:
        rows = ask(after)
        records = [list(group) for _, group in groupby(rows, key=lambda row: row[0])]
        is_full = len(rows) >= most
        if is_full and len(records) == 1:
            raise _too_long(rows[0][0], most)
        found = records[:-1] if is_full else records
        if found:
            yield found
        if not is_full:
            return
        after = found[-1][0][0]


def _second(moment: datetime) -> str:
    """Server time, rounded up to a whole second at both ends, so that adjoining windows neither overlap nor gap."""
    local = moment.astimezone(CHINA)
    if local.microsecond:
        local = local.replace(microsecond=0) + timedelta(seconds=1)
    return f"{local:%Y-%m-%d %H:%M:%S}"


def _too_long(native_id: Any, rows: int) -> MalformedMessage:
    return MalformedMessage(
        f"内码 {native_id} 的单据超过 {rows} 行分录, 无法一次读完整; 请在来源拆分单据",
        en=f"{native_id} has more than {rows} entries and cannot be read whole; split it at its source",
        where=str(native_id),
    )
