"""What the newest run of 票单勾稽 found, for pages, the shell and Excel: filtered, counted, added up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Table, and_, func, select, true

from duijie.journal import Journal
from duijie.journal.tables import comparison
from duijie.journal.tables_billing import billing_difference, billing_line, billing_tax
from duijie.reconcile.billing.keeping import PAIR

SUMS = (
    *("owed_net", "owed_tax", "blue_net", "blue_tax", "red_net", "red_tax", "posted_net", "posted_tax"),
    "paid",
)


class Wanted(NamedTuple):
    """What to look for: a month (YYYY-MM), a class, "open" or "explained", words of an order's or invoice's number."""

    month: str = ""
    kind: str = ""
    state: str = ""
    words: str = ""


class Page(NamedTuple):
    """`most` rows from `start` on."""

    start: int = 0
    most: int = 100


EVERYTHING = Page(0, 1_000_000)


def ran_at(journal: Journal) -> datetime | None:
    """When it ran last; None where it never has."""
    query = select(func.max(comparison.c.at)).where(comparison.c.pair == PAIR)
    with journal.reading() as tx:
        return tx.execute(query).scalar()


def lines(journal: Journal, wanted: Wanted, page: Page = EVERYTHING) -> Sequence[Row[Any]]:
    """Order lines with what was billed, posted and paid of them, by day."""
    query = select(billing_line).where(_of_lines(wanted)).order_by(billing_line.c.day, billing_line.c.id)
    return _rows(journal, query, page)


def line_sums(journal: Journal, wanted: Wanted) -> Row[Any]:
    """`lines`, how many, and the sum of every amount in fen."""
    sums = [func.coalesce(func.sum(billing_line.c[name]), 0).label(name) for name in SUMS]
    query = select(func.count().label("lines"), *sums).where(_of_lines(wanted))
    with journal.reading() as tx:
        return tx.execute(query).one()


def differences(journal: Journal, wanted: Wanted, page: Page = EVERYTHING) -> Sequence[Row[Any]]:
    """Differences, those that need somebody first."""
    table = billing_difference
    query = select(table).where(_of_differences(wanted))
    return _rows(journal, query.order_by(table.c.is_open.desc(), table.c.day, table.c.id), page)


def counts(journal: Journal, wanted: Wanted) -> dict[str, tuple[int, int]]:
    """Class → (how many, how many of them need somebody), whatever class is asked for."""
    table = billing_difference
    needs = func.coalesce(func.sum(func.cast(table.c.is_open, table.c.left_amount.type)), 0)
    query = select(table.c.kind, func.count(), needs).where(_of_differences(wanted._replace(kind="", state="")))
    with journal.reading() as tx:
        return {kind: (number, int(waiting)) for kind, number, waiting in tx.execute(query.group_by(table.c.kind))}


def taxes(journal: Journal, month: str = "") -> Sequence[Row[Any]]:
    """销项核对 by month and rate."""
    query = select(billing_tax).where(billing_tax.c.month == month if month else true())
    with journal.reading() as tx:
        return tx.execute(query.order_by(billing_tax.c.place)).all()


def months(journal: Journal) -> list[str]:
    """The months that there are lines of, newest first."""
    month = func.substr(billing_line.c.day, 1, 7)
    with journal.reading() as tx:
        return list(tx.execute(select(month).distinct().order_by(month.desc())).scalars())


def of_order(journal: Journal, keys: Sequence[str]) -> Sequence[Row[Any]]:
    """The lines of some orders."""
    query = select(billing_line).where(billing_line.c.order_key.in_(keys)).order_by(billing_line.c.id)
    return _rows(journal, query, EVERYTHING)


def _rows(journal: Journal, query: Any, page: Page) -> Sequence[Row[Any]]:
    with journal.reading() as tx:
        found: Sequence[Row[Any]] = tx.execute(query.offset(page.start).limit(page.most)).all()
    return found


def _shared(table: Table, wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [true()]
    if wanted.month:
        found.append(table.c.day.startswith(wanted.month, autoescape=True))
    return found


def _of_lines(wanted: Wanted) -> ColumnElement[bool]:
    table = billing_line
    found = _shared(table, wanted)
    if wanted.kind:
        found.append(table.c.kinds.contains(wanted.kind, autoescape=True))
    if wanted.state:
        mine = and_(billing_difference.c.order_key == table.c.order_key, _state(wanted.state))
        found.append(select(billing_difference.c.id).where(mine).exists())
    if wanted.words:
        words = wanted.words
        found.append(
            table.c.order_no.startswith(words, autoescape=True) | table.c.numbers.contains(words, autoescape=True)
        )
    return and_(*found)


def _of_differences(wanted: Wanted) -> ColumnElement[bool]:
    table = billing_difference
    found = _shared(table, wanted)
    if wanted.kind:
        found.append(table.c.kind == wanted.kind)
    if wanted.state:
        found.append(_state(wanted.state))
    if wanted.words:
        found.append(table.c.order_no.startswith(wanted.words, autoescape=True))
    return and_(*found)


def _state(state: str) -> ColumnElement[bool]:
    is_open: ColumnElement[bool] = billing_difference.c.is_open
    return is_open if state == "open" else ~is_open
