"""Read models of 联查: from any number to the documents it names, and from one document to its whole chain.

Everything is found by an index: the number that people know a document by and the numbers that targets gave it stand
in columns, and what was made of what stands in `link`. No body is decoded but those that are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Row, Select, and_, func, literal, or_, select, union
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.journal.documents import Document
from duijie.journal.journal import Journal
from duijie.journal.tables import (
    HAS_NUMBER,
    IS_HELD,
    delivery,
    delivery_event,
    document,
    link,
    message,
    work_item,
    work_item_record,
)
from duijie.schemas import entities

LINKS_SHOWN = 50
PER_PAGE = 10
HELD_SHOWN = 20
SHORTEST_NUMBER = 6
LAST = "\U0010ffff"
FOLLOWED = ("invoice_request", "red_request", "sales_refund")
RESULTS = ("invoice", "red_request")
PARENTS = {
    "sales_refund": ("sales_order",),
    "invoice_request": ("sales_order",),
    "red_request": ("sales_refund",),
    "invoice": ("invoice_request", "red_request"),
}
Pair = tuple[str, str]
Ids = CompoundSelect[tuple[int]]
Test = Callable[[ColumnElement[str]], ColumnElement[bool]]


@dataclass(frozen=True)
class Hits:
    """One page of the current documents that a number names; `count` of all pages."""

    documents: list[Document]
    count: int


@dataclass(frozen=True)
class Held:
    """A raw message that no document could be made of yet, and the open work item that has it."""

    id: int
    connection: str
    stream: str
    key: str
    state: str
    reason: str
    received_at: datetime
    item_id: int | None


@dataclass(frozen=True)
class Node:
    """One document in a chain: its deliveries and how it was reached."""

    document: Document
    amount: int
    deliveries: Sequence[Row[Any]]
    relation: str


def search(journal: Journal, text: str, start: int = 0) -> Hits:
    """What a number names: a key, its last part, an invoice's or a target's number; else what begins with it."""
    wanted = text.strip()
    if not wanted:
        return Hits([], 0)
    forms = sorted({wanted, wanted.upper()})
    with journal.reading() as tx:
        exact = _hits(tx, union(*_named(lambda column: column.in_(forms))), start)
        if exact.count:
            return exact
        begins = _begins_like if journal.is_postgres else _begins_between
        return _hits(tx, union(*(one for form in forms for one in _named(begins(form)))), start)


def _hits(tx: Transaction, ids: Ids, start: int) -> Hits:
    found = ids.subquery()
    page = select(found.c.id, func.count().over().label("all")).order_by(found.c.id).offset(start).limit(PER_PAGE)
    if not (rows := tx.execute(page).all()):
        return Hits([], 0)
    return Hits([Document.of(row) for row in _rows(tx, document.c.id.in_([row.id for row in rows]))], rows[0].all)


def _named(test: Test) -> list[Select[tuple[int]]]:
    """Ids of current documents whose key or numbers pass a test on their column."""
    mine = select(document.c.id).where(document.c.current)
    at_target = mine.join(delivery, and_(delivery.c.entity == document.c.entity, delivery.c.key == document.c.key))
    numbers = (delivery.c.native_no, delivery.c.native_id, delivery.c.target_key)
    return [
        mine.where(document.c.entity.in_(entities()), test(document.c.key)),
        mine.where(test(document.c.number)),
        *(at_target.where(HAS_NUMBER[column.name], test(column)) for column in numbers),
    ]


def _begins_like(form: str) -> Test:
    """PostgreSQL answers this from a pattern index, whatever its collation."""
    return lambda column: column.startswith(form, autoescape=True)


def _begins_between(form: str) -> Test:
    """SQLite compares bytes and answers only a range from an index."""
    return lambda column: and_(column >= form, column < form + LAST)


def held(journal: Journal, text: str) -> list[Held]:
    """Messages still without a document that a number names: their key, its beginning, or a number that ends in it."""
    wanted = text.strip()
    if not wanted:
        return []
    item = select(func.max(work_item.c.id)).join(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
    item = item.where(work_item_record.c.key == message.c.key, work_item.c.state != "closed")
    names = [name for name in Held.__dataclass_fields__ if name != "item_id"]
    query = select(*(message.c[name] for name in names), item.scalar_subquery().label("item_id"))
    ends_in_it = literal(wanted).endswith(message.c.key) & (func.length(message.c.key) >= SHORTEST_NUMBER)
    query = query.where(IS_HELD, message.c.key.startswith(wanted, autoescape=True) | ends_in_it)
    with journal.reading() as tx:
        return [
            Held(**row._mapping) for row in tx.execute(query.order_by(message.c.key, message.c.id).limit(HELD_SHOWN))
        ]


def raw(journal: Journal, message_id: int) -> Any:
    """A message as received, or None."""
    with journal.reading() as tx:
        body = tx.execute(select(message.c.body).where(message.c.id == message_id)).scalar_one_or_none()
    return None if body is None else codec.decode(body)


def roots(journal: Journal, hits: Iterable[Document]) -> list[Document]:
    """The orders that refunds, requests and invoices go back to, each once; a document itself where there is none."""
    with journal.reading() as tx:
        found = [_root(tx, one) for one in hits]
    return list({one.id: one for one in found}.values())


def _root(tx: Transaction, one: Document) -> Document:
    above = [pair for pair in _above(tx, (one.entity, one.key)) if pair[0] in PARENTS.get(one.entity, ())]
    found = _current(tx, above)
    return _root(tx, next(iter(found.values()))) if found else one


def chain(journal: Journal, one: Document) -> tuple[Node, list[Node], int]:
    """A document, what it was made of and what was made of it (上查, 下查), and how many more of these there are.

    Requests and refunds are followed one step further, to the invoices that came of them.
    """
    mine = (one.entity, one.key)
    with journal.reading() as tx:
        near = [("下查", pair) for pair in _below(tx, mine)] + [("上查", pair) for pair in _above(tx, mine)]
        shown = [far for step in near[:LINKS_SHOWN] for far in [step, *_further(tx, step[1])]]
        relations = dict(reversed([(pair, relation) for relation, pair in shown if pair != mine]))
        nodes = _nodes(tx, {mine: "", **{pair: relations[pair] for _, pair in shown if pair != mine}})
    return nodes[0], nodes[1:], max(0, len(near) - LINKS_SHOWN)


def _further(tx: Transaction, pair: Pair) -> list[tuple[str, Pair]]:
    """The invoices and red requests below a request or a refund, each with what is below it."""
    if pair[0] not in FOLLOWED:
        return []
    near = [found for found in _below(tx, pair) if found[0] in RESULTS]
    return [far for found in near for far in [("下查", found), *_further(tx, found)]]


def _below(tx: Transaction, pair: Pair) -> list[Pair]:
    query = select(link.c.to_entity, link.c.to_key).where(link.c.from_entity == pair[0], link.c.from_key == pair[1])
    return [(entity, key) for entity, key in tx.execute(query.order_by(link.c.id))]


def _above(tx: Transaction, pair: Pair) -> list[Pair]:
    query = select(link.c.from_entity, link.c.from_key).where(link.c.to_entity == pair[0], link.c.to_key == pair[1])
    return [(entity, key) for entity, key in tx.execute(query.order_by(link.c.id))]


def _nodes(tx: Transaction, relations: dict[Pair, str]) -> list[Node]:
    """Documents with their deliveries, in the order given; pairs without a current document are left out."""
    found = _current(tx, relations)
    rows = tx.execute(select(delivery).where(_among(delivery, found)).order_by(delivery.c.id)).all() if found else []
    amounts = _amounts(tx, [one.id for one in found.values()])
    return [
        Node(one, amounts[one.id], [row for row in rows if (row.entity, row.key) == pair], relations[pair])
        for pair, one in found.items()
    ]


def _amounts(tx: Transaction, ids: Sequence[int]) -> dict[int, int]:
    query = select(document.c.id, document.c.amount).where(document.c.id.in_(ids))
    return {row.id: row.amount for row in tx.execute(query)}


def _current(tx: Transaction, pairs: Iterable[Pair]) -> dict[Pair, Document]:
    """Current documents by entity and key, in the order given."""
    wanted = list(pairs)
    if not wanted:
        return {}
    found = {(row.entity, row.key): Document.of(row) for row in _rows(tx, document.c.current, _among(document, wanted))}
    return {pair: found[pair] for pair in wanted if pair in found}


def _among(table: Any, pairs: Iterable[Pair]) -> ColumnElement[bool]:
    """Entity by entity, as the indexes go."""
    keys: dict[str, list[str]] = {}
    for entity, key in pairs:
        keys.setdefault(entity, []).append(key)
    return or_(*(and_(table.c.entity == entity, table.c.key.in_(some)) for entity, some in keys.items()))


def _rows(tx: Transaction, *conditions: ColumnElement[bool]) -> Sequence[Any]:
    query = select(document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)
    return tx.execute(query.where(*conditions).order_by(document.c.id)).all()


def detail(journal: Journal, document_id: int) -> tuple[Document, Record | None, str] | None:
    """A document, the raw message it was made of, and the mapping that made it; None where there is none."""
    query = select(document, message.c.body.label("raw"))
    query = query.outerjoin(message, message.c.id == document.c.message_id).where(document.c.id == document_id)
    with journal.reading() as tx:
        row = tx.execute(query).first()
    if row is None:
        return None
    return Document.of(row), codec.decode(row.raw) if row.raw else None, row.mapping


def message_of(journal: Journal, document_id: int) -> int | None:
    """The raw message that a document was made of; None where there is none."""
    with journal.reading() as tx:
        query = select(document.c.message_id).where(document.c.id == document_id)
        found: int | None = tx.execute(query).scalar_one_or_none()
    return found


def history(journal: Journal, delivery_id: int) -> tuple[Row[Any], Sequence[Row[Any]]] | None:
    """A delivery and every transition it made; None where there is none."""
    events = select(delivery_event).where(delivery_event.c.delivery_id == delivery_id).order_by(delivery_event.c.id)
    with journal.reading() as tx:
        row = tx.execute(select(delivery).where(delivery.c.id == delivery_id)).first()
        return (row, tx.execute(events).all()) if row else None
