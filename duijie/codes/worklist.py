"""The one list of what is unmapped, over all flows: how many records wait, how much money, and for what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection as Transaction
from sqlalchemy import func, select

from duijie.journal import Journal
from duijie.journal.codes import EVERYWHERE
from duijie.journal.tables import document, unmapped, work_item, work_item_record, xref

CHUNK = 500
One = TypeVar("One")


@dataclass(frozen=True)
class Unmapped:
    """One open item: a code, a counterpart, or a master document (`what`) that records wait for; money in fen.

    `is_answered`: a row or document is there by now, so that what waits may go. `sample` is one record that waits.
    """

    item_id: int
    what: str
    kind: str
    connection: str
    code: str
    owner: str
    since: datetime
    note: str
    records: int
    money: int
    flows: Sequence[str] = ()
    sample: tuple[str, str] = ("", "")
    is_answered: bool = False

    @property
    def is_code(self) -> bool:
        """Whether a row of a code table helps (else the document has to arrive)."""
        return self.what != "document"

    @property
    def is_reverse(self) -> bool:
        """Whether `code` is the counterpart, and the code that stands for it is missing."""
        return self.what == "counterpart"


@dataclass(frozen=True)
class Wanted:
    """Which part of the list: everything where a field is empty."""

    kind: str = ""
    connection: str = ""
    search: str = ""
    items: Sequence[int] = field(default=())


def waiting(journal: Journal, wanted: Wanted = Wanted()) -> list[Unmapped]:
    """Open items, the most money first, then the most records."""
    with journal.reading() as tx:
        found = _items(tx, wanted)
        held = _held(tx, [one.item_id for one in found])
        answered = _codes_there(tx, found) | _documents_there(tx, found)
    return [
        replace(
            one,
            flows=sorted({flow for flow, _, _ in held[one.item_id]}),
            sample=next(((entity, key) for _, entity, key in held[one.item_id]), ("", "")),
            is_answered=one.item_id in answered,
        )
        for one in found
    ]


def _items(tx: Transaction, wanted: Wanted) -> list[Unmapped]:
    money = func.coalesce(func.sum(work_item_record.c.amount), 0)
    number = func.count(work_item_record.c.key)
    query = select(unmapped, work_item.c.owner, work_item.c.created_at, work_item.c.resolution, number, money)
    query = query.join(work_item, work_item.c.id == unmapped.c.work_item_id)
    query = query.outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
    query = query.where(work_item.c.state != "closed").group_by(unmapped.c.work_item_id, work_item.c.id)
    for column, value in ((unmapped.c.kind, wanted.kind), (unmapped.c.connection, wanted.connection)):
        query = query.where(column == value) if value else query
    if wanted.search:
        query = query.where(unmapped.c.code.contains(wanted.search, autoescape=True))
    if wanted.items:
        query = query.where(unmapped.c.work_item_id.in_(wanted.items))
    rows = tx.execute(query.order_by(money.desc(), number.desc(), work_item.c.id))
    return [_item(tuple(row)) for row in rows]


def _item(values: tuple[Any, ...]) -> Unmapped:
    names = Unmapped.__dataclass_fields__
    return Unmapped(**dict(zip(names, (*values[:-1], int(values[-1])), strict=False)))


def _held(tx: Transaction, ids: Sequence[int]) -> defaultdict[int, list[tuple[str, str, str]]]:
    """Item → (flow, entity, first key) of each flow and entity."""
    mine = work_item_record
    query = select(mine.c.work_item_id, mine.c.flow, mine.c.entity, func.min(mine.c.key))
    query = query.group_by(mine.c.work_item_id, mine.c.flow, mine.c.entity)
    found: defaultdict[int, list[tuple[str, str, str]]] = defaultdict(list)
    for chunk in chunks(ids):
        for item_id, *rest in tx.execute(query.where(mine.c.work_item_id.in_(chunk))):
            found[item_id].append((rest[0], rest[1], rest[2]))
    return found


def _codes_there(tx: Transaction, items: Iterable[Unmapped]) -> set[int]:
    there: set[tuple[bool, str, str, str]] = set()
    asked = [one for one in items if one.is_code]
    for chunk in chunks([one.code for one in asked]):
        for is_reverse, column in ((False, xref.c.code), (True, xref.c.counterpart)):
            query = select(xref.c.kind, xref.c.connection, column).where(column.in_(chunk)).distinct()
            there |= {(is_reverse, kind, connection, code) for kind, connection, code in tx.execute(query)}
    places = [(one, name) for one in asked for name in (one.connection, EVERYWHERE)]
    return {one.item_id for one, name in places if (one.is_reverse, one.kind, name, one.code) in there}


def _documents_there(tx: Transaction, items: Iterable[Unmapped]) -> set[int]:
    asked = [one for one in items if not one.is_code]
    query = select(document.c.entity, document.c.key).where(document.c.current)
    there: set[tuple[str, ...]] = set()
    for chunk in chunks([one.code for one in asked]):
        there |= {tuple(row) for row in tx.execute(query.where(document.c.key.in_(chunk)))}
    return {one.item_id for one in asked if (one.kind, one.code) in there}


def chunks(values: Sequence[One]) -> Iterable[Sequence[One]]:
    """Values in parts that fit into one statement."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def filters(journal: Journal) -> list[tuple[str, str, int]]:
    """(kind, connection, items) of all that is open, for the page's buttons."""
    query = select(unmapped.c.kind, unmapped.c.connection, func.count())
    query = query.join(work_item, work_item.c.id == unmapped.c.work_item_id).where(work_item.c.state != "closed")
    query = query.group_by(unmapped.c.kind, unmapped.c.connection).order_by(func.count().desc(), unmapped.c.kind)
    with journal.reading() as tx:
        return [(kind, connection, number) for kind, connection, number in tx.execute(query)]
