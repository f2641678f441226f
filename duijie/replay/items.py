"""Sending what a work item holds round again, once its cause is removed: its own records, in their own flows, no more.

A released message is mapped, a released delivery is sent by the next run of the flow. Figures (stock) are not mapped
again: their stream is read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

from sqlalchemy import select

from duijie.journal import Journal, deliveries, inbox, work
from duijie.journal.tables import work_item_record
from duijie.replay.routes import FIGURES, Routes

BATCH = 500


@dataclass(frozen=True)
class Released:
    """How many messages and deliveries go round again; how many figures are read again instead."""

    messages: int = 0
    deliveries: int = 0
    reread: int = 0

    def __add__(self, other: Released) -> Released:
        """Both together."""
        return Released(*(sum(pair) for pair in zip(astuple(self), astuple(other), strict=True)))

    @property
    def words(self) -> dict[str, int]:
        """For people."""
        return {"报文": self.messages, "单据": self.deliveries, "即时数重读": self.reread}


@dataclass(frozen=True)
class Holding:
    """Keys of one entity that one flow holds up, and the streams their messages come from."""

    flow: str
    entity: str
    keys: Sequence[str]
    sources: Sequence[inbox.Source]


def preview_item(journal: Journal, item_id: int, known: Routes) -> Released:
    """What `replay_item` would release; writes nothing and raises the same."""
    work.must_be_open(journal, item_id)
    total = Released()
    for one in _holdings(journal, item_id, known):
        rows = deliveries.waiting_of(journal, one.flow, one.entity, one.keys)
        messages = sum(len(inbox.held(journal, source, one.keys)) for source in one.sources)
        total += _counted(one, messages, len(rows))
    return total


def replay_item(journal: Journal, item_id: int, who: str, known: Routes) -> Released:
    """Release what an item holds. Raises ConfigError when there is no such item, it is closed, or its flow is gone."""
    work.must_be_open(journal, item_id)
    why = f"{who} 重放待处理 {item_id}"
    total = Released()
    for one in _holdings(journal, item_id, known):
        rows = deliveries.waiting_of(journal, one.flow, one.entity, one.keys)
        messages = sum(_release(journal, source, one) for source in one.sources)
        total += _counted(one, messages, deliveries.release(journal, rows, why))
    return total


def _release(journal: Journal, source: inbox.Source, one: Holding) -> int:
    if one.entity in FIGURES:
        return inbox.read_again(journal, source, inbox.held(journal, source, one.keys))
    return inbox.release_keys(journal, source, one.keys)


def _counted(one: Holding, messages: int, released: int) -> Released:
    return Released(0, released, messages) if one.entity in FIGURES else Released(messages, released)


def _holdings(journal: Journal, item_id: int, known: Routes) -> Iterator[Holding]:
    query = select(work_item_record.c.flow, work_item_record.c.entity, work_item_record.c.key)
    with journal.reading() as tx:
        rows = tx.execute(query.where(work_item_record.c.work_item_id == item_id)).all()
    held: dict[tuple[str, str], list[str]] = defaultdict(list)
    for flow, entity, key in rows:
        held[flow, entity].append(key)
    for (flow, entity), keys in held.items():
        sources = [one.source for one in known.of(flow) if entity in one.entities or one.mapping.parts.emits]
        for start in range(0, len(keys), BATCH):
            yield Holding(flow, entity, keys[start : start + BATCH], sources)
