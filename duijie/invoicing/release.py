"""Whether a halted platform goes on: a person says so, the month has turned, the line is enough, the drawer is in."""

from __future__ import annotations

from dataclasses import replace

from duijie.connect.invoicing import Invoicing
from duijie.invoicing import asks, credit, halts
from duijie.invoicing.halts import Halted
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal
from duijie.journal.documents import yuan

AUTOMATIC = "duijie"


def look(journal: Journal, sink: str, system: object, rules: LifeRules) -> None:
    """Release a parked sink, where what halted it is over as far as can be known. Asks as often as the rules allow."""
    with journal.reading() as tx:
        stands = halts.of(tx, sink)
    if stands is None or stands.state != "parked":
        return
    if stands.reason == "credit" and asks.month_of(stands.changed_at) != asks.month_of(journal.now()):
        halts.release(journal, sink, AUTOMATIC, "新的月份, 授信额度已更新")
    elif isinstance(system, Invoicing):
        _ask(journal, stands, system, rules)


def _ask(journal: Journal, stands: Halted, system: Invoicing, rules: LifeRules) -> None:
    every = rules.every(stands.reason)
    if stands.reason == "credit":
        if asks.credit(journal, stands.connection, system, every, rules):
            _weigh(journal, stands)
        return
    drawer = asks.login(journal, stands.connection, system, every, rules)
    if drawer is None:
        return
    if drawer.state == "in":
        halts.release(journal, stands.sink, AUTOMATIC, f"开票员 {drawer.drawer} 已登录")
    elif drawer.qr:
        halts.show(journal, stands.sink, lambda one: replace(one, qr=drawer.qr, said=drawer.zh or one.said))


def _weigh(journal: Journal, stands: Halted) -> None:
    """Go on where the line covers what the oldest request needs."""
    line = asks.known(journal, stands.connection, "credit")
    if line is None or line.available is None:
        return
    with journal.reading() as tx:
        left = line.available - credit.taken(tx, stands.connection, line)
    needed = int((stands.needed or 0) * 100)
    if left >= max(needed, 1):
        halts.release(journal, stands.sink, AUTOMATIC, f"授信额度已够: 可用 {yuan(left):,} 元")
    else:
        halts.show(journal, stands.sink, lambda one: replace(one, available=yuan(left)))
