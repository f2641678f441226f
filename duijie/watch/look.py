"""One look around: every rule is asked, what it finds becomes alerts, what is over is closed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import Select, select

from duijie.connect.connection import Connection, list_connections
from duijie.connect.errors import ConfigError, DuijieError, JournalBusy
from duijie.connect.home import home
from duijie.connect.registry import plugin
from duijie.flow import Flow, Watch
from duijie.journal import Journal, work
from duijie.journal.tables import alert
from duijie.watch import expiry, lag, parts, stranded, volume
from duijie.watch.finding import LEVELS, SERIOUS, Finding, View

PREFIX = "watch|"
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
    "backup": parts.backups,
    "disk": parts.disk,
    "clock": parts.clock,
}
BROKEN = "watchdog"


@dataclass(frozen=True)
class Around:
    """What there is to look at besides the journal. `find` gives a connection by its id."""

    flows: Mapping[str, Flow]
    limits: Watch
    find: Callable[[str], Connection]


@dataclass(frozen=True)
class Looked:
    """What was found, how many of it were new, and how many earlier findings are over."""

    findings: Sequence[Finding]
    raised: int
    over: int


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
    with journal.writing() as tx:
        raised = sum(_raise(tx, journal, one) for one in findings)
        over = _close(tx, journal, findings, sure | {BROKEN})
    return Looked(findings, raised, over)


def open_alerts(journal: Journal) -> list[tuple[str, str]]:
    """(level, title) of what the watchdog has found and is not over, the most urgent first."""
    query = select(alert.c.level, alert.c.title).where(alert.c.open_dedupe.startswith(PREFIX)).order_by(alert.c.id)
    with journal.reading() as tx:
        rows = [(row.level, row.title) for row in tx.execute(query)]
    return sorted(rows, key=lambda row: -_rank(row[0]))


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


def _head(one: Finding) -> str:
    return f"{PREFIX}{one.rule}|{one.subject.replace('|', '/')}|"[:280]


def _raise(tx: Transaction, journal: Journal, one: Finding) -> bool:
    """Raise an alert in place of what was open of its subject, unless it is open already and as urgent."""
    head = _head(one)
    mine = {row.open_dedupe: row.level for row in tx.execute(_open(head))}
    if (same := mine.get(head + one.step)) and _rank(same) >= _rank(one.level):
        return False
    for dedupe in mine:
        work.replaced(tx, dedupe)
    work.raise_alert(tx, journal, head + one.step, one.level, one.title, one.body)
    return True


def _open(head: str) -> Select[Any]:
    return select(alert.c.open_dedupe, alert.c.level).where(alert.c.open_dedupe.startswith(head, autoescape=True))


def _close(tx: Transaction, journal: Journal, findings: Sequence[Finding], sure: set[str]) -> int:
    """Close what is not found any more, of the rules that could be asked."""
    still = {_head(one) for one in findings}
    heads = {row.open_dedupe: row.open_dedupe.rpartition("|")[0] + "|" for row in tx.execute(_open(PREFIX))}
    over = [dedupe for dedupe, head in heads.items() if head not in still and head.split("|")[1] in sure]
    for dedupe in over:
        work.recovered(tx, journal, dedupe)
    return len(over)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 0
