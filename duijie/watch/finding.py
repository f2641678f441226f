"""What the watchdog finds, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from duijie.connect.connection import Connection
from duijie.connect.protocol import Spec
from duijie.flow import Flow, Watch
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal

NOTE, SERIOUS, URGENT = "提示", "重要", "紧急"
LEVELS = (NOTE, SERIOUS, URGENT)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be. `rule` and `subject` say what it is of; `step` tells alerts of one subject
    apart that are raised once each (days to an expiry).
    """

    rule: str
    subject: str
    level: str
    title: str
    body: str
    step: str = ""


@dataclass(frozen=True)
class View:
    """The world as the watchdog sees it at one moment."""

    journal: Journal
    flows: Mapping[str, Flow]
    limits: Watch
    now: datetime
    spec: Callable[[str], Spec]
    connections: Callable[[], Mapping[str, Connection]]
    airflow: str = ""
    folder: Path = Path()
    life: LifeRules = field(default_factory=LifeRules)


def span(length: timedelta) -> str:
    """A length of time as people say it, in its largest fitting unit."""
    minutes = int(length.total_seconds()) // 60
    units = ((2 * 1440, 1440, "天"), (120, 60, "小时"), (0, 1, "分钟"))
    return next(f"{minutes // size} {unit}" for least, size, unit in units if minutes >= least)
