"""Planning: every current document that a sink must have gets its row there, and none is looked at for ever.

Ids are given out in order but committed in any: a document may appear behind one that was seen already. So the
mark moves only to an id that was the newest ten minutes ago, and once a day everything is looked through again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, func, select

from duijie.codec import Record
from duijie.journal import bulk
from duijie.journal.deliveries import supersede
from duijie.journal.documents import Document
from duijie.journal.journal import Journal
from duijie.journal.tables import delivery, document, planned

BATCH = 1000
LONGEST_TRANSACTION = timedelta(minutes=10)
SWEEP = timedelta(days=1)


def fresh(journal: Journal, entity: str, sink: str) -> Iterator[list[Document]]:
    """Current documents of an entity that have no row for this sink, in batches that keep memory flat."""
    now = journal.now()
    mark = _mark(journal, entity, sink)
    swept = mark is not None and now - mark.swept_at < SWEEP
    newest = _newest(journal, entity)
    after = start = mark.upto if swept else 0
    while batch := unplanned(journal, entity, sink, after, BATCH):
        yield batch
        after = batch[-1].id
    values = {"upto": start, "newest": newest, "newest_at": now, "swept_at": mark.swept_at if swept else now}
    if mark is not None and now - mark.newest_at < LONGEST_TRANSACTION:
        values |= {"newest": mark.newest, "newest_at": mark.newest_at}
    elif mark is not None:
        values["upto"] = mark.newest
    _keep(journal, {"sink": sink, "entity": entity}, values)


def has_fresh(journal: Journal, entity: str, sink: str) -> bool:
    """Whether a document of an entity has come that has no row for this sink."""
    mark = _mark(journal, entity, sink)
    return bool(unplanned(journal, entity, sink, mark.upto if mark else 0, 1))


def unplanned(journal: Journal, entity: str, sink: str, after: int = 0, limit: int | None = None) -> list[Document]:
    """Current documents of an entity, later than an id, that have no row for this sink."""
    has_row = exists().where(delivery.c.document_id == document.c.id, delivery.c.sink == sink)
    query = select(document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)
    query = query.where(document.c.entity == entity, document.c.current, document.c.id > after, ~has_row)
    with journal.reading() as tx:
        return [Document.of(row) for row in tx.execute(query.order_by(document.c.id).limit(limit))]


def plan(journal: Journal, flow: str, sink: str, wanted: Sequence[tuple[Document, int]], state: str = "pending") -> int:
    """Make rows for (document, amount in fen); older waiting versions of the same key are superseded."""
    if not wanted:
        return 0
    with journal.writing() as tx:
        supersede(tx, journal, sink, [document for document, _ in wanted if document.version > 1])
        rows = [_planned(journal, flow, sink, document, amount, state) for document, amount in wanted]
        return len(bulk.insert_new(tx, journal, delivery, rows, delivery.c.id))


def _planned(journal: Journal, flow: str, sink: str, document: Document, amount: int, state: str) -> Record:
    now = journal.now()
    return {
        "document_id": document.id,
        "entity": document.entity,
        "key": document.key,
        "sink": sink,
        "flow": flow,
        "state": state,
        "amount": amount,
        "due_at": now,
        "created_at": now,
        "changed_at": now,
        "changed_by": journal.who,
    }


def _mark(journal: Journal, entity: str, sink: str) -> Any:
    with journal.reading() as tx:
        return tx.execute(select(planned).where(planned.c.sink == sink, planned.c.entity == entity)).first()


def _newest(journal: Journal, entity: str) -> int:
    query = select(func.coalesce(func.max(document.c.id), 0)).where(document.c.entity == entity, document.c.current)
    with journal.reading() as tx:
        return int(tx.execute(query).scalar_one())


def _keep(journal: Journal, where: Record, values: Record) -> None:
    with journal.writing() as tx:
        tx.execute(journal.insert_new(planned).values(**where, **values))
        mine = planned.update().where(planned.c.sink == where["sink"], planned.c.entity == where["entity"])
        tx.execute(mine.values(**values))
