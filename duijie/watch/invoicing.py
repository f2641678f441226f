"""Invoices that wait for what only a person can bring: the deadlines of duijie.invoicing as the watchdog's rule."""

from __future__ import annotations

from collections.abc import Iterator

from duijie.invoicing.deadlines import overdue
from duijie.watch.finding import SERIOUS, URGENT, Finding, View, span

PRESSING = ("login", "unknown")


def deadlines(view: View) -> Iterator[Finding]:
    """One finding for each sink and kind of waiting."""
    for one in overdue(view.journal, view.life):
        level = URGENT if one.kind in PRESSING else SERIOUS
        title = f"{one.title} (最久 {span(view.now - one.since)}) · {one.sink}"
        yield Finding("invoicing", f"{one.sink}/{one.kind}", level, title, one.next_step)
