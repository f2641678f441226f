"""Days and months for rules, on ISO 8601 dates and datetimes: a date stays a date, a datetime keeps its offset."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Any

from duijie.mapping.given import string, whole
from duijie.mapping.values import Fault

_MOST_DAYS = 4_000_000  # eleven millennia: more than the calendar has


def add_days(value: Any, days: Any) -> str:
    """So many days later (earlier where negative), at the same time of day."""
    moment, count = _moment(value), whole(days, -_MOST_DAYS, _MOST_DAYS)
    try:
        return _written(moment + timedelta(days=count), value)
    except OverflowError:
        raise _beyond(days) from None


def add_months(value: Any, months: Any) -> str:
    """The same day so many months later; the month's last where it has no such day (31 January, 1: 28 February)."""
    moment = _moment(value)
    year, month = divmod(moment.year * 12 + moment.month - 1 + whole(months, -120_000, 120_000), 12)
    if not 1 <= year <= 9999:
        raise _beyond(months)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return _written(moment.replace(year=year, month=month + 1, day=day), value)


def month_start(value: Any) -> str:
    """The first day of the month; of a datetime its first second."""
    return _written(_moment(value).replace(day=1, hour=0, minute=0, second=0, microsecond=0), value)


def month_end(value: Any) -> str:
    """The last day of the month; of a datetime its last second, 23:59:59."""
    moment = _moment(value)
    last = monthrange(moment.year, moment.month)[1]
    return _written(moment.replace(day=last, hour=23, minute=59, second=59, microsecond=0), value)


def days_between(start: Any, end: Any) -> int:
    """Calendar days from one to the other, each in its own offset; negative where the second is earlier."""
    return (_moment(end).date() - _moment(start).date()).days


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(string(value))
    except ValueError:
        raise Fault(
            "不是 ISO 8601 日期或时间; 请先用 datetime() 转换",
            "not an ISO 8601 date or time; convert with datetime() first",
            value,
        ) from None


def _written(moment: datetime, like: str) -> str:
    """As a date where the original was one: those have at most ten characters, which no datetime has."""
    return moment.date().isoformat() if len(like) <= 10 else moment.isoformat()


def _beyond(value: Any) -> Fault:
    return Fault("日期超出公元 1 至 9999 年", "the date lies outside the years 1 to 9999", value)
