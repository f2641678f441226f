"""Findings as alerts: what is new is raised, what is more urgent replaces what was open, what is over is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import Select, select

from duijie.journal import Journal, work
from duijie.journal.tables import alert
from duijie.watch.finding import LEVELS, Finding

PREFIX = "watch|"


@dataclass(frozen=True)
class Looked:
    """What was found, how many of it were new, and how many earlier findings are over."""

    findings: Sequence[Finding]
    raised: int
    over: int


def settle(journal: Journal, findings: Sequence[Finding], sure: set[str]) -> Looked:
    """Bring the alerts of the rules that could be asked (`sure`) up to date, in one transaction. Raises JournalBusy."""
    with journal.writing() as tx:
        raised = sum(_raise(tx, journal, one) for one in findings)
        over = _close(tx, journal, findings, sure)
    return Looked(findings, raised, over)


def open_alerts(journal: Journal) -> list[tuple[str, str]]:
    """(level, title) of what the watchdog has found and is not over, the most urgent first."""
    query = select(alert.c.level, alert.c.title).where(alert.c.open_dedupe.startswith(PREFIX)).order_by(alert.c.id)
    with journal.reading() as tx:
        rows = [(row.level, row.title) for row in tx.execute(query)]
    return sorted(rows, key=lambda row: -_rank(row[0]))


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
