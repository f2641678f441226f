"""What a rule used and its source has changed since, and taking it back: the use is put aside, never forgotten.

A source that a rule used is named in `derived` under the rule. Reversed, that row moves to RULE:ID and one of
RULE_reversal:ID is added (ID is the version that was used), so the rule may use a later version of the source again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import insert, select, update

from duijie import codec
from duijie.codec import Record
from duijie.journal.journal import Journal
from duijie.journal.tables import delivery, derived, document

BATCH = 500
SUFFIX = "_reversal"


@dataclass(frozen=True)
class Used:
    """A source that a rule used: which version, for which result, and what its source says now."""

    entity: str
    key: str
    document_id: int
    result_key: str
    now: Record


def changed(journal: Journal, rule: str, entity: str, since: datetime) -> Iterator[Used]:
    """Sources of a rule whose current version is another than the one used, and was made since a moment.

    A document is looked up by the whole key that was used: were the keys compared plainly, SQLite would look for it
    from where the batch begins.
    """
    after = ""
    same = (document.c.entity == derived.c.entity) & (document.c.key == derived.c.key.concat("")) & document.c.current
    columns = (derived.c.entity, derived.c.key, derived.c.document_id, derived.c.result_key, document.c.body)
    query = select(*columns).join(document, same).where(derived.c.rule == rule, derived.c.entity == entity)
    query = query.where(document.c.id != derived.c.document_id, document.c.created_at >= since)
    while True:
        with journal.reading() as tx:
            rows = tx.execute(query.where(derived.c.key > after).order_by(derived.c.key).limit(BATCH)).all()
        yield from (Used(*row[:-1], codec.decode(row.body)) for row in rows)
        if len(rows) < BATCH:
            return
        after = rows[-1].key


def states(journal: Journal, entity: str, key: str) -> set[str]:
    """How the deliveries of a document stand, over all sinks."""
    query = select(delivery.c.state).where(delivery.c.entity == entity, delivery.c.key == key)
    with journal.reading() as tx:
        return set(tx.execute(query.distinct()).scalars())


def rows(tx: Transaction, journal: Journal, entity: str, key: str) -> Sequence[Any]:
    """The deliveries of a document over all sinks (id, key, state, flow, sink); they stay so in this transaction."""
    query = select(delivery.c.id, delivery.c.key, delivery.c.state, delivery.c.flow, delivery.c.sink)
    query = query.where(delivery.c.entity == entity, delivery.c.key == key)
    return tx.execute(query.with_for_update() if journal.is_postgres else query).all()


def put_aside(tx: Transaction, rule: str, used: Sequence[Used], result_key: str) -> bool:
    """Move the uses aside and say what reverses them. False: somebody else has done so; roll back."""
    for one in used:
        mine = update(derived).where(derived.c.rule == rule, derived.c.entity == one.entity, derived.c.key == one.key)
        mine = mine.where(derived.c.document_id == one.document_id)
        if not tx.execute(mine.values(rule=f"{rule}:{one.document_id}")).rowcount:
            return False
    head = {"result_key": result_key}
    rows = [{**head, "rule": f"{rule}{SUFFIX}:{one.document_id}", "entity": one.entity, "key": one.key} for one in used]
    ids = [{"document_id": one.document_id} for one in used]
    tx.execute(insert(derived), [row | one for row, one in zip(rows, ids, strict=True)])
    return True
