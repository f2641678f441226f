"""What our own requests take off a seller's credit line 授信额度, so that none is sent that it cannot cover.

The bureau tells total and available amounts of a month, without tax; between two of its answers we keep count: a
request takes its amount when it is about to leave and gives it back when it fails, a red invoice gives back that of a
blue of the same month. Source: 国家税务总局, 数电票 总授信额度; 诺诺开放平台 getCreditLine.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy import Connection as Transaction

from duijie.codec import Record
from duijie.invoicing.asks import Known, month_of
from duijie.journal import Journal, bulk
from duijie.journal.tables_invoicing import asked, reservation


def take(journal: Journal, connection: str, line: Known, wanted: Sequence[tuple[str, int]]) -> tuple[int, int]:
    """Hold the amounts of the first so many of (key, fen) that the line covers; returns (how many, fen left then)."""
    with journal.writing() as tx:
        here = (asked.c.connection == connection) & (asked.c.what == "credit")
        if journal.is_postgres:
            tx.execute(select(asked.c.at).where(here).with_for_update())
        mine = held(tx, connection, [key for key, _ in wanted])
        left = (line.available or 0) - taken(tx, connection, line)
        for number, (key, net) in enumerate(wanted):
            if key in mine:
                continue
            if net > left:
                return number, left
            left -= net
            _hold(tx, journal, connection, key, net)
    return len(wanted), left


def taken(tx: Transaction, connection: str, line: Known) -> int:
    """What our requests have taken since the line was told, less what came back of earlier ones, in fen."""
    since, gone = reservation.c.held_at >= line.at, reservation.c.returned_at
    more = _sum(tx, connection, line.at, since & gone.is_(None))
    back = _sum(tx, connection, line.at, ~since & (gone >= line.at))
    return more - back


def _sum(tx: Transaction, connection: str, at: datetime, rows: ColumnElement[bool]) -> int:
    here = (reservation.c.connection == connection) & (reservation.c.month == month_of(at))
    total = select(func.coalesce(func.sum(reservation.c.net), 0)).where(here, rows)
    return int(tx.execute(total).scalar_one())


def held(tx: Transaction, connection: str, keys: Collection[str]) -> set[str]:
    """Those of the keys whose amount is held."""
    query = select(reservation.c.key).where(reservation.c.connection == connection, reservation.c.returned_at.is_(None))
    return set(tx.execute(query.where(bulk.among(tx, reservation.c.key, keys))).scalars()) if keys else set()


def _hold(tx: Transaction, journal: Journal, connection: str, key: str, net: int) -> None:
    now = journal.now()
    row: Record = {"connection": connection, "key": key, "month": month_of(now), "net": net, "held_at": now}
    again = journal.insert_into(reservation).values(**row)
    fresh = {**row, "returned_at": None}
    tx.execute(again.on_conflict_do_update(index_elements=["connection", "key"], set_=fresh))


def give_back(tx: Transaction, journal: Journal, connection: str, keys: Collection[str]) -> None:
    """Those that will not be issued under these numbers."""
    if keys:
        mine = update(reservation).where(reservation.c.connection == connection, reservation.c.returned_at.is_(None))
        tx.execute(mine.where(bulk.among(tx, reservation.c.key, keys)).values(returned_at=journal.now()))


def reversed_(tx: Transaction, journal: Journal, connection: str, key: str, net: int, blue_at: datetime) -> None:
    """A red invoice of `net` fen (negative) was issued: of this month's blue it gives the amount back."""
    if month_of(blue_at) == month_of(journal.now()) and f"red:{key}" not in held(tx, connection, [f"red:{key}"]):
        _hold(tx, journal, connection, f"red:{key}", net)
