"""Code tables 对照: which code of one system stands for which of another, kept by people.

Nothing is overwritten: a change is a new version with the day from which it holds, and who made it. On a day the row
holds whose `valid_from` is the latest not after it; of two with the same `valid_from` the higher version. A row for a
connection goes before one for all connections ("*").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from sqlalchemy import ColumnElement, and_, exists, func, insert, or_, select
from sqlalchemy import Connection as Transaction

from duijie.connect.errors import ConfigError
from duijie.journal.journal import Journal
from duijie.journal.tables import ALWAYS, xref

CHINA = timezone(timedelta(hours=8), "CST")
EVERYWHERE = "*"
LENGTHS = {"kind": 40, "connection": 80, "code": 200, "counterpart": 200}
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Code:
    """What a person asks for: at `connection` ("*" for all), `code` of this kind means `counterpart`.

    `valid_from` None: since ever for a code that nothing answers today, from today for one that changes.
    """

    kind: str
    connection: str
    code: str
    counterpart: str
    valid_from: date | None = None

    @property
    def key(self) -> Key:
        """What is mapped."""
        return self.kind, self.connection, self.code


@dataclass(frozen=True)
class Row:
    """One version as it is kept."""

    kind: str
    connection: str
    code: str
    counterpart: str
    valid_from: date
    version: int
    changed_by: str
    changed_at: datetime

    @property
    def is_always(self) -> bool:
        """Whether it holds since ever."""
        return self.valid_from == ALWAYS


@dataclass(frozen=True)
class Change:
    """A row that would be written, and the one it takes over from (None: the code is new)."""

    row: Row
    before: Row | None


_COLUMNS = tuple(xref.c[name] for name in Row.__dataclass_fields__)


def today(journal: Journal) -> date:
    """The day in China."""
    return journal.now().astimezone(CHINA).date()


def put(journal: Journal, rows: Iterable[Code], who: str) -> int:
    """Keep rows, all or none; returns how many were new or changed. Raises ConfigError for a row that cannot be."""
    given = list(rows)
    with journal.writing() as tx:
        if journal.is_postgres:  # SQLite has one writer at a time anyway
            tx.exec_driver_sql("LOCK TABLE xref IN SHARE ROW EXCLUSIVE MODE")
        changes = _changes(tx, journal, given, who)
        if changes:
            values = [{name: getattr(one.row, name) for name in Row.__dataclass_fields__} for one in changes]
            tx.execute(insert(xref), values)
        return len(changes)


def changes(journal: Journal, rows: Iterable[Code], who: str) -> list[Change]:
    """What `put` would write, in the order given; rows that already hold are left out. Raises ConfigError."""
    with journal.reading() as tx:
        return _changes(tx, journal, list(rows), who)


def _changes(tx: Transaction, journal: Journal, given: Sequence[Code], who: str) -> list[Change]:
    known = _versions(tx, given)
    found: list[Change] = []
    for one in given:
        check(one)
        versions = known[one.key]
        day = one.valid_from or (today(journal) if on_day(versions, today(journal)) else ALWAYS)
        before = on_day(versions, day)
        if before is None or before.counterpart != one.counterpart:
            number = max((row.version for row in versions), default=0) + 1
            row = Row(*one.key, one.counterpart, day, number, who[:80], journal.now())
            versions.append(row)
            found.append(Change(row, before))
    return found


def check(one: Code) -> None:
    """Refuse a row that cannot be kept. Raises ConfigError naming the column.

    A code may begin or end with blanks: shops have such codes, and they are to be found as they come.
    """
    for column, longest in LENGTHS.items():
        value = getattr(one, column)
        if not value or len(value) > longest or (column != "code" and value != value.strip()):
            raise ConfigError(
                f"对照 {one.kind} “{one.code[:60]}” 的 {column} 应为 1 到 {longest} 个字, 现为“{value[:60]}”",
                en=f"{column} of {one.kind} {one.code[:60]!r} must have 1 to {longest} characters and no blank ends",
                where=f"{one.kind}:{one.code[:60]}",
            )


def on_day(versions: Iterable[Row], day: date) -> Row | None:
    """The version of one code that holds on a day."""
    begun = (row for row in versions if row.valid_from <= day)
    return max(begun, key=lambda row: (row.valid_from, row.version), default=None)


def _versions(tx: Transaction, given: Sequence[Code]) -> defaultdict[Key, list[Row]]:
    """Every version of the codes asked for; a few by their codes, many by reading their kinds."""
    found: defaultdict[Key, list[Row]] = defaultdict(list)
    query = select(*_COLUMNS).where(xref.c.kind.in_({one.kind for one in given}))
    if len(given) <= 500:
        query = query.where(xref.c.code.in_({one.code for one in given}))
    for values in tx.execute(query):
        row = Row(*values)
        found[row.kind, row.connection, row.code].append(row)
    return found


def rows(journal: Journal, kind: str = "", search: str = "", limit: int = 1_000_000) -> list[Row]:
    """The rows that hold today and those that will, by kind, connection, code; `search` is part of either code."""
    later = xref.alias("later")
    same = and_(*(later.c[name] == xref.c[name] for name in ("kind", "connection", "code")))
    newer = or_(
        and_(later.c.valid_from == xref.c.valid_from, later.c.version > xref.c.version),
        and_(later.c.valid_from > xref.c.valid_from, later.c.valid_from <= today(journal)),
    )
    query = select(*_COLUMNS).where(~exists().where(same, newer), *_chosen(kind, search))
    query = query.order_by(xref.c.kind, xref.c.connection, xref.c.code, xref.c.valid_from).limit(limit)
    with journal.reading() as tx:
        return [Row(*values) for values in tx.execute(query)]


def _chosen(kind: str, search: str) -> list[ColumnElement[bool]]:
    chosen = [xref.c.kind == kind] if kind else []
    if search:
        chosen.append(
            xref.c.code.contains(search, autoescape=True) | xref.c.counterpart.contains(search, autoescape=True)
        )
    return chosen


def history(journal: Journal, key: Key) -> list[Row]:
    """Every version of one code, the newest first."""
    query = select(*_COLUMNS).where(xref.c.kind == key[0], xref.c.connection == key[1], xref.c.code == key[2])
    with journal.reading() as tx:
        return [Row(*values) for values in tx.execute(query.order_by(xref.c.version.desc()))]


def kinds(journal: Journal) -> Mapping[str, int]:
    """Kind → how many codes it has."""
    each = select(xref.c.kind, xref.c.connection, xref.c.code).distinct().subquery()
    query = select(each.c.kind, func.count()).group_by(each.c.kind).order_by(each.c.kind)
    with journal.reading() as tx:
        return {kind: number for kind, number in tx.execute(query)}
