"""Days and months: a date stays a date, a datetime keeps its time of day and its offset."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.mapping.days import add_days, add_months, days_between, month_end, month_start
from duijie.mapping.values import Fault

DATES = st.dates(date(1900, 1, 1), date(2200, 1, 1))
OFFSETS = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=OFFSETS)  # noqa: DTZ001  bounds are naive


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("add_days('2026-02-28', 1)", "2026-03-01"),
        ("add_days('2024-02-28', 1)", "2024-02-29"),
        ("add_days('2026-11-11T23:59:59+08:00', -11)", "2026-10-31T23:59:59+08:00"),
        ("add_months('2026-01-31', 1)", "2026-02-28"),
        ("add_months('2026-01-31', 13)", "2027-02-28"),
        ("add_months('2026-03-31T08:00:00+00:00', -1)", "2026-02-28T08:00:00+00:00"),
        ("add_months('2026-12-01', 1)", "2027-01-01"),
        ("month_start('2026-11-11')", "2026-11-01"),
        ("month_start('2026-11-11T10:20:30.123+08:00')", "2026-11-01T00:00:00+08:00"),
        ("month_end('2024-02-11')", "2024-02-29"),
        ("month_end('2026-11-11 10:20:30')", "2026-11-30T23:59:59"),
        ("days_between('2026-11-11', '2026-12-11')", 30),
        ("days_between('2026-11-11T23:59:59+08:00', '2026-11-12')", 1),
        ("days_between('2026-11-12', '2026-11-11')", -1),
        ("add_days(month_end(add_months(date(paid), 1)), 15)", "2027-01-15"),
    ],
)
def test_days_and_months(value, expression, expected):
    assert value(expression, {"paid": "2026-11-30T10:00:00+08:00"}) == expected


@given(DATES, st.integers(-5000, 5000), st.integers(-500, 500))
def test_dates_add_up(day, days, months):
    iso = day.isoformat()
    assert days_between(iso, add_days(iso, days)) == days
    assert add_days(add_days(iso, days), -days) == iso
    later = date.fromisoformat(add_months(iso, months))
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and add_days(later.isoformat(), 1).endswith("-01"))
    assert month_start(iso) <= iso <= month_end(iso)
    assert add_days(month_end(iso), 1) == month_start(add_months(iso, 1))


@given(MOMENTS, st.integers(-500, 500))
def test_a_datetime_keeps_its_offset_and_its_time_of_day(moment, count):
    iso = moment.isoformat()
    for moved in (add_days(iso, count), add_months(iso, count)):
        assert moved[10:] == iso[10:]
    for edge in (month_start(iso), month_end(iso)):
        assert edge[19:] == iso[19:].lstrip(".0123456789")
        assert datetime.fromisoformat(edge).utcoffset() == moment.utcoffset()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: add_days("11/11/2026", 1), "not an ISO 8601"),
        (lambda: add_days("2026-02-30", 1), "not an ISO 8601"),
        (lambda: add_days(None, 1), "a text is needed"),
        (lambda: add_days("2026-11-11", 1.5), "whole number"),
        (lambda: add_days("2026-11-11", True), "whole number"),
        (lambda: add_days("2026-11-11", 3_999_999), "years 1 to 9999"),
        (lambda: add_days("2026-11-11", 10**30), "whole number"),
        (lambda: add_months("2026-11-11", -119_999), "years 1 to 9999"),
        (lambda: month_end(20261111), "a text is needed"),
        (lambda: days_between("2026-11-11", ""), "not an ISO 8601"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, said):
    with pytest.raises(Fault) as caught:
        call()
    assert said in caught.value.en
    assert caught.value.zh
