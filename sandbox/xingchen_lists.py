"""How 星辰 lists answer: pages, modify windows, only the fields of a list, figures and times as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sandbox.store import Record

VALIDATION = 2000002000
MAX_PAGE = 100
FOREVER = 2**62
CHINA = timezone(timedelta(hours=8))
TIMES = ("create_time", "modify_time", "audit_time")


class Refused(Exception):
    """A business refusal: errcode and text in an HTTP 200 envelope."""

    def __init__(self, text: str, code: int = VALIDATION) -> None:
        super().__init__(text)
        self.code = code


def require(holds: bool, text: str) -> None:
    """Raise Refused with the text unless it holds."""
    if not holds:
        raise Refused(text)


def page(query: Record, rows: list[Record], fields: Sequence[str], as_text: Sequence[str] = ()) -> Record:
    """One page of the rows in the query's modify window (both ends included); `as_text` names fields sent as text."""
    number, size = _whole(query, "page", 1), _whole(query, "page_size", 10)
    require(number >= 1, "page必须大于0")
    require(1 <= size <= MAX_PAGE, f"page_size不能超过{MAX_PAGE}")
    since, until = _whole(query, "modify_start_time", 0), _whole(query, "modify_end_time", FOREVER)
    if since or until != FOREVER:
        rows = [row for row in rows if since <= int(row.get("modify_time", 0)) <= until]
    shown = rows[(number - 1) * size : number * size]
    return {
        "count": str(len(rows)),
        "page": number,
        "page_size": size,
        "current_page_size": len(shown),
        "total_page": -(-len(rows) // size),
        "rows": [served(row, fields, as_text) for row in shown],
    }


def served(row: Record, fields: Sequence[str], as_text: Sequence[str] = ()) -> Record:
    """These fields of a record, as the vendor sends them."""
    return {name: _sent(name, row[name], as_text) for name in fields if name in row}


def is_day(text: str) -> bool:
    """Whether it is a date, yyyy-MM-dd."""
    try:
        return bool(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        return False


def _sent(name: str, value: Any, as_text: Sequence[str]) -> Any:
    if name in TIMES:
        return f"{datetime.fromtimestamp(value // 1000, CHINA):%Y-%m-%d %H:%M:%S}"
    return str(value) if name in as_text else value


def _whole(query: Record, name: str, default: int) -> int:
    text = str(query.get(name) or default)
    require(text.isdigit(), f"参数{name}[{text}]不是整数")
    return int(text)
