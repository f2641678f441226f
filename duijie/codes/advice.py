"""Gathers what `suggest` compares: what waiting records say about a code, and which counterparts there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, func, select

from duijie import codec
from duijie.codec import Record
from duijie.codes.suggest import SHOWN, Candidate, Known, Suggester, Suggestion, known_of
from duijie.codes.worklist import Unmapped, chunks
from duijie.journal import Journal, codes, documents
from duijie.journal.codes import EVERYWHERE
from duijie.journal.tables import document, message
from duijie.schemas import is_entity

MASTERS = {"sku": "product", "item": "product", "goods": "product", "material": "product"}


class Advice:
    """Suggestions for any number of items; counterparts are read once per table."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._ready: dict[tuple[str, str, bool], Suggester] = {}

    def known(self, items: Iterable[Unmapped]) -> dict[int, Known]:
        """Item → what one waiting record of it says about its code."""
        asked = list(items)
        records = _records(self._journal, {one.sample for one in asked})
        return {one.item_id: known_of(records.get(one.sample), one.code) for one in asked}

    def for_item(self, item: Unmapped, known: Known, limit: int = SHOWN) -> list[Suggestion]:
        """What an item lacks: counterparts of its code, or codes that may stand for its counterpart."""
        return self.suggest((item.kind, item.connection, item.is_reverse), known, limit)

    def suggest(self, table: tuple[str, str, bool], known: Known, limit: int = SHOWN) -> list[Suggestion]:
        """The surest first, from one table: kind, connection, whether it is asked from counterpart to code."""
        if table not in self._ready:
            self._ready[table] = Suggester(_candidates(self._journal, *table))
        return self._ready[table].suggest(known, limit)


def _candidates(journal: Journal, kind: str, connection: str, is_reverse: bool) -> Iterable[Candidate]:
    """Counterparts that other codes of the kind have (or, asked from there, codes), and master documents."""
    for row in codes.rows(journal, kind):
        elsewhere = connection not in (row.connection, "") and row.connection != EVERYWHERE
        origin = "" if row.connection == EVERYWHERE else row.connection
        ends = (row.code, row.counterpart) if is_reverse else (row.counterpart, row.code)
        yield Candidate(ends[0], stands_for=ends[1], origin=origin, is_elsewhere=elsewhere)
    entity = MASTERS.get(kind, kind)
    if is_entity(entity):
        for one in documents.current(journal, entity):
            name, spec = str(one.body.get("name", "")), str(one.body.get("spec", ""))
            yield Candidate(one.key, f"{name} {spec}".strip(), str(one.body.get("barcode", "")))


def _records(journal: Journal, samples: set[tuple[str, str]]) -> dict[tuple[str, str], Record]:
    """(entity, key) → the document, else the raw message that waits under this key."""
    found: dict[tuple[str, str], Record] = {}
    with journal.reading() as tx:
        for chunk in chunks(sorted(samples)):
            keys = [key for _, key in chunk]
            raw = {row.key: codec.decode(row.body) for row in tx.execute(_raw(keys))}
            found |= {sample: raw[sample[1]] for sample in chunk if sample[1] in raw}
            query = select(document.c.entity, document.c.key, document.c.body).where(document.c.current)
            for entity, key, body in tx.execute(query.where(document.c.key.in_(keys))):
                found[entity, key] = codec.decode(body)
    return found


def _raw(keys: Sequence[str]) -> Select[tuple[Any, ...]]:
    newest = select(func.max(message.c.id)).where(message.c.key.in_(keys), message.c.state == "blocked")
    return select(message.c.key, message.c.body).where(message.c.id.in_(newest.group_by(message.c.key)))
