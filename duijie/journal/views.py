"""Read models: what pages show, as plain queries over the journal. Nothing here writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, literal, or_, select

from duijie import codec
from duijie.codec import Record
from duijie.journal.documents import Document
from duijie.journal.journal import Journal
from duijie.journal.tables import (
    alert,
    comparison,
    delivery,
    delivery_event,
    difference,
    document,
    incident,
    link,
    message,
    run,
    work_item,
    work_item_record,
)

LINKS_SHOWN = 50
RUNS_READ = 2000
FOLLOWED = ("invoice_request", "red_request", "sales_refund")
RESULTS = ("invoice", "red_request")
FOUND_SHOWN = 20
HELD_STATES = ("blocked", "malformed", "invalid")
REQUESTS = ("invoice_request", "red_request")
PARENTS = {
    "sales_refund": ("sales_order", "order_key"),
    "invoice_request": ("sales_order", "order_key"),
    "red_request": ("sales_refund", "refund_key"),
}
SHORTEST_NUMBER = 6


@dataclass(frozen=True)
class FlowState:
    """How a flow stands: last run, last success, the newest run's problem, the day's counts, records that wait."""

    last_run: datetime | None
    last_success: datetime | None
    problem: str
    counts: dict[str, int]
    waiting: int


@dataclass(frozen=True)
class Item:
    """An open or closed work item with what it holds up; money in fen."""

    id: int
    kind: str
    state: str
    subject: str
    flow: str
    owner: str
    reason: str
    next_step: str
    created_at: datetime
    resolution: str
    records: int
    money: int


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


def flow_state(journal: Journal, flow: str, since: datetime) -> FlowState:
    """A flow's runs; counts are added up over the runs since a moment (the beginning of the day)."""
    query = select(run).where(run.c.flow == flow).order_by(run.c.id.desc()).limit(RUNS_READ)
    held = select(func.count()).select_from(work_item_record).join(work_item)
    with journal.reading() as tx:
        rows = tx.execute(query).all()
        waiting = tx.execute(held.where(work_item_record.c.flow == flow, work_item.c.state != "closed")).scalar_one()
    newest = {row.step: row for row in reversed(rows)}
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(codec.decode(row.counts) if row.started_at >= since else {})
    good = [row.ended_at for row in rows if row.ended_at and not row.problem]
    problem = next((row.problem for row in newest.values() if row.problem), "")
    last_run = rows[0].started_at if rows else None
    return FlowState(last_run, max(good, default=None), problem, dict(counts), waiting)


def deliveries_by_sink(journal: Journal) -> dict[str, dict[str, tuple[int, int]]]:
    """Sink → state → (count, money in fen)."""
    query = select(delivery.c.sink, delivery.c.state, func.count(), func.coalesce(func.sum(delivery.c.amount), 0))
    found: dict[str, dict[str, tuple[int, int]]] = {}
    with journal.reading() as tx:
        for sink, state, number, money in tx.execute(query.group_by(delivery.c.sink, delivery.c.state)):
            found.setdefault(sink, {})[state] = (number, int(money))
    return found


def incidents(journal: Journal) -> list[tuple[str, str, int]]:
    """(connection, kind, count) of calls that failed and healed."""
    query = select(incident.c.connection, incident.c.kind, func.count())
    query = query.group_by(incident.c.connection, incident.c.kind).order_by(func.count().desc())
    with journal.reading() as tx:
        return [(connection, kind, number) for connection, kind, number in tx.execute(query)]


def items(
    journal: Journal,
    *,
    state: str = "open",
    kind: str = "",
    owner: str = "",
    item_id: int = 0,
    start: int = 0,
    most: int | None = None,
) -> list[Item]:
    """Work items, the most money first, `most` of them from the `start`-th on. `state` "open" means not closed."""
    money = func.coalesce(func.sum(work_item_record.c.amount), 0)
    query = select(work_item, func.count(work_item_record.c.key).label("records"), money.label("money"))
    query = query.outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
    query = query.where(work_item.c.id == item_id if item_id else _wanted(state, kind, owner))
    query = query.group_by(work_item.c.id).order_by(money.desc(), work_item.c.id).offset(start).limit(most)
    names = Item.__dataclass_fields__
    with journal.reading() as tx:
        return [Item(**{name: getattr(row, name) for name in names}) for row in tx.execute(query)]


def count_items(journal: Journal, *, state: str = "open", kind: str = "", owner: str = "") -> int:
    """How many work items there are of these."""
    query = select(func.count()).select_from(work_item).where(_wanted(state, kind, owner))
    with journal.reading() as tx:
        return tx.execute(query).scalar_one()


def owners(journal: Journal, *, state: str = "open") -> list[str]:
    """Who is responsible (责任方) for at least one work item."""
    query = select(work_item.c.owner).where(_wanted(state, "", "")).distinct().order_by(work_item.c.owner)
    with journal.reading() as tx:
        return list(tx.execute(query).scalars())


def _wanted(state: str, kind: str, owner: str) -> ColumnElement[bool]:
    found = work_item.c.state == "closed" if state == "closed" else work_item.c.state != "closed"
    for column, value in ((work_item.c.kind, kind), (work_item.c.owner, owner)):
        found = found & (column == value) if value else found
    return found


def records(journal: Journal, item_id: int) -> Sequence[Row[Any]]:
    """What an item holds: entity, key, flow, amount."""
    query = select(work_item_record).where(work_item_record.c.work_item_id == item_id)
    with journal.reading() as tx:
        return tx.execute(query.order_by(work_item_record.c.amount.desc())).all()


def comparisons(journal: Journal) -> Sequence[Row[Any]]:
    """The newest comparison of every pair."""
    newest = select(func.max(comparison.c.id)).group_by(comparison.c.pair)
    with journal.reading() as tx:
        return tx.execute(select(comparison).where(comparison.c.id.in_(newest)).order_by(comparison.c.id)).all()


def differences(journal: Journal, comparison_id: int) -> Sequence[Row[Any]]:
    """Every difference of a comparison, the unexplained first."""
    query = select(difference).where(difference.c.comparison_id == comparison_id)
    with journal.reading() as tx:
        return tx.execute(query.order_by(difference.c.explanation != "", difference.c.key)).all()


def alerts(journal: Journal, limit: int = 200) -> Sequence[Row[Any]]:
    """The newest alerts."""
    with journal.reading() as tx:
        return tx.execute(select(alert).order_by(alert.c.id.desc()).limit(limit)).all()


def search(journal: Journal, text: str) -> list[Document]:
    """Current documents that a number names: key, its last part, a native number, an invoice's; else its beginning."""
    wanted = text.strip()
    if not wanted:
        return []
    return (
        _documents(journal, _named(wanted))
        or _inside_invoices(journal, wanted)
        or _documents(journal, _begins_with(wanted))
    )


def _named(wanted: str) -> Any:
    numbers = or_(delivery.c.native_no == wanted, delivery.c.native_id == wanted, delivery.c.target_key == wanted)
    last_part = document.c.key.endswith(f":{wanted}", autoescape=True)
    by_number = select(delivery.c.document_id).where(numbers)
    return or_(document.c.key == wanted, last_part, document.c.id.in_(by_number))


def _begins_with(wanted: str) -> Any:
    columns = (delivery.c.native_no, delivery.c.target_key)
    numbers = or_(*(column.startswith(wanted, autoescape=True) for column in columns))
    last_part = document.c.key.contains(f":{wanted}", autoescape=True)
    by_number = select(delivery.c.document_id).where(numbers)
    return or_(document.c.key.startswith(wanted, autoescape=True), last_part, document.c.id.in_(by_number))


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
    query = query.where(message.c.state.in_(HELD_STATES))
    query = query.where(message.c.key.startswith(wanted, autoescape=True) | ends_in_it)
    with journal.reading() as tx:
        return [Held(**row._mapping) for row in tx.execute(query.order_by(message.c.id).limit(FOUND_SHOWN))]


def raw(journal: Journal, message_id: int) -> Any:
    """A message as received, or None."""
    with journal.reading() as tx:
        body = tx.execute(select(message.c.body).where(message.c.id == message_id)).scalar_one_or_none()
    return None if body is None else codec.decode(body)


def root(journal: Journal, one: Document) -> Document:
    """The order that a refund, a request or an invoice goes back to; the document itself where there is none."""
    parents: list[tuple[str, str]] = []
    if one.entity == "invoice":
        number = one.body["request_no"]
        parents = [(entity, key) for entity in REQUESTS for key in _naming(journal, entity, "request_no", number)]
    elif one.entity in PARENTS:
        entity, field = PARENTS[one.entity]
        parents = [(entity, str(one.body.get(field, "")))]
    found = next((parent for pair in parents if (parent := _current(journal, *pair))), None)
    return root(journal, found) if found else one


def _documents(journal: Journal, condition: Any) -> list[Document]:
    query = select(document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)
    query = query.where(document.c.current, condition).order_by(document.c.id).limit(FOUND_SHOWN)
    with journal.reading() as tx:
        return [Document.of(row) for row in tx.execute(query)]


def _inside_invoices(journal: Journal, wanted: str) -> list[Document]:
    """An invoice number stands in no key: look into the invoice documents."""
    query = select(document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)
    query = query.where(document.c.current, document.c.entity == "invoice")
    with journal.reading() as tx:
        return [found for row in tx.execute(query) if (found := Document.of(row)).body.get("number") == wanted]


def node(journal: Journal, one: Document, relation: str) -> Node:
    """A document with its deliveries."""
    query = select(delivery).where(delivery.c.entity == one.entity, delivery.c.key == one.key)
    amount = select(document.c.amount).where(document.c.id == one.id)
    with journal.reading() as tx:
        return Node(one, tx.execute(amount).scalar_one(), tx.execute(query.order_by(delivery.c.id)).all(), relation)


def neighbours(journal: Journal, one: Document) -> tuple[list[Node], int]:
    """What a document was made of and what was made of it (上查, 下查), and how many more there are.

    Requests and refunds are followed one step further, to the invoices that came of them.
    """
    nodes, more = _next_to(journal, one)
    seen = {one.id, *(found.document.id for found in nodes)}
    for found in [node for node in nodes if node.document.entity in FOLLOWED]:
        further = [far for far in _followed(journal, found.document) if far.document.id not in seen]
        seen |= {far.document.id for far in further}
        nodes[nodes.index(found) + 1 : nodes.index(found) + 1] = further
    return nodes, more


def _followed(journal: Journal, one: Document) -> list[Node]:
    near = [found for found in _next_to(journal, one)[0] if found.document.entity in RESULTS]
    return near + [
        far for found in near if found.document.entity == "red_request" for far in _followed(journal, found.document)
    ]


def _next_to(journal: Journal, one: Document) -> tuple[list[Node], int]:
    down = select(link.c.to_entity, link.c.to_key).where(link.c.from_entity == one.entity, link.c.from_key == one.key)
    up = select(link.c.from_entity, link.c.from_key).where(link.c.to_entity == one.entity, link.c.to_key == one.key)
    with journal.reading() as tx:
        pairs = [("下查", *row) for row in tx.execute(down)] + [
            ("上查", *row) for row in tx.execute(up.order_by(link.c.id))
        ]
    pairs += [("", "sales_refund", key) for key in _refunds(journal, one)]
    pairs += [("", "invoice", key) for key in _invoices(journal, one)]
    found = [_current(journal, entity, key) for _, entity, key in pairs[:LINKS_SHOWN]]
    nodes = [node(journal, doc, pair[0]) for doc, pair in zip(found, pairs, strict=False) if doc]
    return nodes, max(0, len(pairs) - LINKS_SHOWN)


def _current(journal: Journal, entity: str, key: str) -> Document | None:
    found = _documents(journal, (document.c.entity == entity) & (document.c.key == key))
    return found[0] if found else None


def _refunds(journal: Journal, one: Document) -> list[str]:
    if one.entity != "sales_order":
        return []
    shop_prefix = one.key.rpartition(":")[0]
    query = select(document.c.key, document.c.body).where(document.c.entity == "sales_refund", document.c.current)
    query = query.where(document.c.key.startswith(shop_prefix, autoescape=True))
    with journal.reading() as tx:
        return [key for key, body in tx.execute(query) if codec.decode(body)["order_key"] == one.key]


def _invoices(journal: Journal, one: Document) -> list[str]:
    if one.entity not in REQUESTS:
        return []
    return _naming(journal, "invoice", "request_no", one.body["request_no"])


def _naming(journal: Journal, entity: str, field: str, value: str) -> list[str]:
    """Keys of an entity's current documents that hold this value in this field."""
    query = select(document.c.key, document.c.body).where(document.c.entity == entity, document.c.current)
    with journal.reading() as tx:
        return [key for key, body in tx.execute(query) if codec.decode(body).get(field) == value]


def detail(journal: Journal, document_id: int) -> tuple[Document, Record | None, str] | None:
    """A document, the raw message it was made of, and the mapping that made it; None where there is none."""
    query = select(document, message.c.body.label("raw"))
    query = query.outerjoin(message, message.c.id == document.c.message_id).where(document.c.id == document_id)
    with journal.reading() as tx:
        row = tx.execute(query).first()
    if row is None:
        return None
    return Document.of(row), codec.decode(row.raw) if row.raw else None, row.mapping


def history(journal: Journal, delivery_id: int) -> tuple[Row[Any], Sequence[Row[Any]]] | None:
    """A delivery and every transition it made; None where there is none."""
    events = select(delivery_event).where(delivery_event.c.delivery_id == delivery_id).order_by(delivery_event.c.id)
    with journal.reading() as tx:
        row = tx.execute(select(delivery).where(delivery.c.id == delivery_id)).first()
        return (row, tx.execute(events).all()) if row else None
