"""One look around: every rule is asked, what it finds becomes alerts, what is over is closed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from duijie.connect.connection import Connection, list_connections
from duijie.connect.errors import ConfigError, DuijieError, JournalBusy
from duijie.connect.home import home
from duijie.connect.registry import plugin
from duijie.flow import Flow, Watch
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal
from duijie.watch import expiry, invoicing, lag, parts, standing, stranded, volume
from duijie.watch.finding import SERIOUS, Finding, View
from duijie.watch.standing import Looked

Rule = Callable[[View], Iterator[Finding]]
RULES: Mapping[str, Rule] = {
    "volume": volume.silence,
    "idle": lag.idle,
    "cursor": lag.cursors,
    "unmapped": lag.unmapped,
    "undelivered": lag.undelivered,
    "unplanned": stranded.unplanned,
    "lease": stranded.leases,
    "unended": stranded.unended,
    "unowned": stranded.unowned,
    "airflow": parts.airflow,
    "expiry": expiry.expiries,
    "invoicing": invoicing.deadlines,
    "backup": parts.backups,
    "disk": parts.disk,
    "clock": parts.clock,
}
BROKEN = "watchdog"


@dataclass(frozen=True)
class Around:
    """What there is to look at besides the journal. `find` gives a connection by its id; `life`: of invoices."""

    flows: Mapping[str, Flow]
    limits: Watch
    find: Callable[[str], Connection]
    life: LifeRules = field(default_factory=LifeRules)


def look(journal: Journal, around: Around) -> Looked:
    """Ask every rule and bring the alerts up to date, in one transaction. Raises JournalBusy."""
    asked = _view(journal, around)
    findings: list[Finding] = []
    sure: set[str] = set()
    for name, rule in RULES.items():
        try:
            findings += rule(asked)
            sure.add(name)
        except JournalBusy:
            raise
        except DuijieError as error:
            findings.append(Finding(BROKEN, name, SERIOUS, f"值守规则 {name} 无法检查", error.zh))
    return standing.settle(journal, findings, sure | {BROKEN})


def _view(journal: Journal, around: Around) -> View:
    return View(
        journal,
        around.flows,
        around.limits,
        journal.now(),
        lambda conn_type: plugin(conn_type).spec,
        partial(_connections, around),
        os.environ.get("DUIJIE_AIRFLOW_API") or os.environ.get("DUIJIE_AIRFLOW_URL", ""),
        home(),
        around.life,
    )


def _connections(around: Around) -> dict[str, Connection]:
    """Those that flows name and those that are configured here; one that cannot be read is told by its flow."""
    named = {name for flow in around.flows.values() for step in flow.steps if (name := getattr(step, "connection", ""))}
    found = {one.conn_id: one for one in list_connections()}
    for name in sorted(named - set(found)):
        try:
            found[name] = around.find(name)
        except ConfigError:
            continue
    return found
