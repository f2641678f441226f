"""What a platform lets be asked for a few times a day only: one worker asks, at most so often, all see the answer.

Source: 诺诺开放平台 getCreditLine, getCertificationStatus: a refresh at most 20 times a day, once in 30 seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select, update

from duijie.connect.errors import DuijieError
from duijie.connect.invoicing import CreditLine, Invoicing, Login
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal
from duijie.journal.codes import CHINA
from duijie.journal.documents import yuan
from duijie.journal.tables_invoicing import asked

LEAST = timedelta(seconds=30)
FORGOTTEN = timedelta(days=2)
ASKED = ".ask"
SLOWER_AFTER = 5  # so many asks of a day, each further so many twice as slow


@dataclass(frozen=True)
class Known:
    """What a platform said last, in fen; `at`: when it was asked for what it then answered."""

    at: datetime
    total: int | None
    available: int | None
    state: str
    qr: str
    until: datetime | None

    def is_of(self, now: datetime) -> bool:
        """Whether it is of this month, as the bureau counts it."""
        return month_of(self.at) == month_of(now)


def month_of(moment: datetime) -> str:
    """The month of a moment in China, as 2026-11."""
    return f"{moment.astimezone(CHINA):%Y-%m}"


def known(journal: Journal, connection: str, what: str) -> Known | None:
    """What was said last; None where nothing was."""
    query = select(asked).where(asked.c.connection == connection, asked.c.what == what)
    with journal.reading() as tx:
        row = tx.execute(query).first()
    return Known(row.at, row.total, row.available, row.state, row.qr, row.until) if row else None


def credit(journal: Journal, connection: str, system: Invoicing, every: timedelta, rules: LifeRules) -> bool:
    """Ask for the credit line, where it may be asked for now; whether there is a fresh answer."""
    at = journal.now()
    if not _may(journal, connection, "credit", every, rules.asks_a_day):
        return False
    try:
        line = system.credit_line()
    except DuijieError:
        return False
    _keep(journal, connection, "credit", at, _figures(line))
    return True


def forget(journal: Journal, connection: str, what: str) -> None:
    """What was said last no longer holds: it is asked for again as soon as it is needed, out of the day's asks."""
    mine = (asked.c.connection == connection, asked.c.what == f"{what}{ASKED}")
    with journal.writing() as tx:
        tx.execute(update(asked).where(*mine).values(at=journal.now() - FORGOTTEN))
        tx.execute(delete(asked).where(asked.c.connection == connection, asked.c.what == what))


def login(journal: Journal, connection: str, system: Invoicing, every: timedelta, rules: LifeRules) -> Login | None:
    """Ask how the drawer stands, where it may be asked for now."""
    at = journal.now()
    if not _may(journal, connection, "login", every, rules.asks_a_day):
        return None
    try:
        stands = system.login()
    except DuijieError:
        return None
    _keep(journal, connection, "login", at, {"state": stands.state, "qr": stands.qr, "until": stands.until})
    return stands


def _figures(line: CreditLine) -> dict[str, int]:
    return {"total": int(line.total * 100), "available": int(line.available * 100)}


def _may(journal: Journal, connection: str, what: str, every: timedelta, most: int) -> bool:
    """Take one of the day's asks. Later ones of a day come more and more slowly, so that they last.

    They are counted in a row beside the answer's: an ask that is not answered makes no answer newer.
    """
    now = journal.now()
    day = f"{now.astimezone(CHINA):%Y-%m-%d}"
    here = (asked.c.connection == connection) & (asked.c.what == f"{what}{ASKED}")
    row = {"connection": connection, "what": f"{what}{ASKED}", "at": now, "day": day, "times": 1}
    with journal.writing() as tx:
        if tx.execute(journal.insert_new(asked).values(**row).returning(asked.c.times)).scalar_one_or_none():
            return True
        query = select(asked).where(here)
        last = tx.execute(query.with_for_update() if journal.is_postgres else query).one()
        times = last.times if last.day == day else 0
        pause = max(every * 2.0 ** (times // SLOWER_AFTER), LEAST)
        if times >= most or now - last.at < pause:
            return False
        tx.execute(update(asked).where(here).values(at=now, day=day, times=times + 1))
        return True


def _keep(journal: Journal, connection: str, what: str, at: datetime, values: dict[str, Any]) -> None:
    row = {"connection": connection, "what": what, "at": at, "day": "", "times": 0, **values}
    said = journal.insert_into(asked).values(**row)
    with journal.writing() as tx:
        tx.execute(said.on_conflict_do_update(index_elements=["connection", "what"], set_=row))


def shown(known_line: Known | None) -> Decimal | None:
    """What is available in yuan, as it was said last."""
    return yuan(known_line.available) if known_line and known_line.available is not None else None
