"""When a flow should have run: the moments of its cron line, in China's time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from croniter import croniter
from croniter.croniter import CroniterBadCronError

from duijie.flow import DOORBELL, Flow

CHINA = timezone(timedelta(hours=8), "CST")
RESTART = timedelta(minutes=15)
EVERY_MINUTE = "* * * * *"


def tick_before(flow: Flow, now: datetime, times: int) -> datetime | None:
    """The `times`-th last moment at which a flow should have started; None for one that is started by hand."""
    if not flow.schedule:
        return None
    line = EVERY_MINUTE if flow.schedule == DOORBELL else flow.schedule
    try:
        ticks = croniter(line, now.astimezone(CHINA))
        for _ in range(times - 1):
            ticks.get_prev(datetime)
        found: datetime = ticks.get_prev(datetime)
    except CroniterBadCronError:
        return None  # Airflow shows a wrong line as a broken flow
    return found


def missed_since(flow: Flow, now: datetime, times: int) -> datetime | None:
    """The same, and never less than a quarter of an hour ago: an orchestrator may be restarted."""
    tick = tick_before(flow, now, times)
    return tick and min(tick, now - RESTART)


def late_since(flow: Flow, now: datetime, times: int, at_least: timedelta) -> datetime:
    """What waits since before this moment has missed `times` runs of its flow, and `at_least` this long."""
    tick = tick_before(flow, now, times)
    return min(tick, now - at_least) if tick else now - at_least
