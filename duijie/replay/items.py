"""Sending what a work item holds round again, once its cause is removed."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, update

from duijie.connect.errors import ConfigError
from duijie.journal import Journal, deliveries
from duijie.journal.tables import delivery, document, message, work_item, work_item_record

WAITING_MESSAGES = ("blocked", "malformed", "invalid")
WAITING_DELIVERIES = ("blocked", "rejected")


def replay_item(journal: Journal, item_id: int, who: str) -> dict[str, int]:
    """Release the messages and deliveries of an item's records. Returns how many of each. Raises ConfigError."""
    records = _records(journal, item_id)
    keys = [key for _, key in records]
    released = deliveries.release(journal, _waiting_deliveries(journal, records), f"{who} 重放待处理 {item_id}")
    waits: ColumnElement[bool] = message.c.state.in_(WAITING_MESSAGES) & message.c.key.in_(keys)
    with journal.writing() as tx:
        messages = tx.execute(update(message).where(waits).values(state="new", reason="")).rowcount
    return {"报文": messages, "单据": released}


def _records(journal: Journal, item_id: int) -> list[tuple[str, str]]:
    query = select(work_item_record.c.entity, work_item_record.c.key).where(work_item_record.c.work_item_id == item_id)
    with journal.reading() as tx:
        if tx.execute(select(work_item.c.id).where(work_item.c.id == item_id)).first() is None:
            raise ConfigError(f"没有编号为 {item_id} 的待处理", en=f"no work item {item_id}", where=str(item_id))
        return [(entity, key) for entity, key in tx.execute(query)]


def _waiting_deliveries(journal: Journal, records: list[tuple[str, str]]) -> list[int]:
    ids: list[int] = []
    with journal.reading() as tx:
        for entity, key in records:
            query = select(delivery.c.id).join(document, document.c.id == delivery.c.document_id)
            query = query.where(delivery.c.entity == entity, delivery.c.key == key, document.c.current)
            ids += tx.execute(query.where(delivery.c.state.in_(WAITING_DELIVERIES))).scalars()
    return ids
