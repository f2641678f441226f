"""Which windows a pull reads, so that nothing falls between two of them.

Their edges lie on the vendor's own ticks: a clock of whole seconds stamps a change at 12:00:00.9 with 12:00:00, and an
edge between the two would lose it. None is longer than the vendor answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Traits, Window
from duijie.flow import Pull
from duijie.journal.codes import CHINA

DAY = timedelta(days=1)
MIDNIGHT = datetime(2000, 1, 1, tzinfo=CHINA)


def windows(step: Pull, traits: Traits, position: datetime | None, part: str, now: datetime) -> Iterator[Window]:
    """The windows still to read: from a little before the cursor to the end of the tick that is under way.

    Raises ConfigError where the flow asks for longer ones than the vendor answers.
    """
    end = last_moment(step, traits, now + traits.resolution - timedelta(microseconds=1))
    length = max(floor(longest(step, traits), traits), traits.resolution)
    since = max(step.since, min(position or step.since, end) - step.overlap)
    since = moment(since, traits)
    while since < end:
        until = min(since + length, end)
        yield Window(since, until, part)
        since = until


def last_moment(step: Pull, traits: Traits, now: datetime) -> datetime:
    """Up to where nothing new may come any more but what comes late: behind now, and with the period of the flow."""
    return moment(min(now - step.lag, step.until or now), traits)


def longest(step: Pull, traits: Traits) -> timedelta:
    """The longest window of a step. Raises ConfigError where the vendor does not answer it."""
    asked = timedelta(minutes=step.window_minutes)
    if traits.longest and asked > traits.longest:
        most = int(traits.longest.total_seconds() // 60)
        raise ConfigError(
            f"步骤 {step.name} 的 window_minutes 为 {step.window_minutes}, 数据流 {step.stream} 一次最多 {most} 分钟;"
            " 请在流程文件中改小或删去",
            en=f"window_minutes of {step.name} is {step.window_minutes}; {step.stream} answers at most {most}",
            code="WINDOW",
            where=f"{step.name}.window_minutes",
        )
    return asked or min(DAY, traits.longest or DAY)


def moment(at: datetime, traits: Traits) -> datetime:
    """The last tick of the vendor's clock that is not after a moment; days begin in China."""
    return MIDNIGHT + floor(at - MIDNIGHT, traits)


def floor(length: timedelta, traits: Traits) -> timedelta:
    """Whole ticks."""
    return length // traits.resolution * traits.resolution
