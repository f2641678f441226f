"""What a changed mapping would do to what is recorded, field by field, before anybody lets it. Nothing is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import DataError, DuijieError
from duijie.difference import Changed, changes
from duijie.flow import Deliver
from duijie.journal import Journal
from duijie.journal.documents import Document
from duijie.journal.inbox import COLUMNS, Message, is_last
from duijie.journal.lookup import JournalLookup, as_of, day_of
from duijie.journal.tables import delivery, document, message
from duijie.mapping import Mapping
from duijie.pull import Refinery
from duijie.replay.choose import Chosen
from duijie.replay.routes import Route
from duijie.replay.verdicts import Verdict, judge

EXAMPLES = 3
_INDEX = re.compile(r"\.\d+(?=\.|$)")
Sent = Callable[[int], Record]


@dataclass
class FieldChange:
    """How often a field (`lines[].net`) would change, with the first (key, before → after)."""

    count: int = 0
    examples: list[tuple[str, Changed]] = field(default_factory=list)


@dataclass
class Preview:
    """One step of a flow: counts of records by fate, changed fields, reasons of what newly fails, money in fen."""

    step: str
    place: str
    mapping: str
    counts: Counter[str] = field(default_factory=Counter)
    fields: dict[str, FieldChange] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    before: int = 0
    after: int = 0

    def note(self, key: str, found: Iterable[Changed]) -> None:
        """Count the changed fields of a record."""
        for one in found:
            told = self.fields.setdefault(_INDEX.sub("[]", one.field), FieldChange())
            told.count += 1
            if len(told.examples) < EXAMPLES:
                told.examples.append((key, one))


def of_messages(journal: Journal, route: Route, step: str, last: int) -> Preview:
    """The newest messages of a stream, mapped by the mapping as it is now, beside the documents that stand."""
    place = f"{route.source.connection}/{route.source.stream}"
    preview = Preview(step, place, route.stamp)
    entity = route.entity or route.entities[0]
    refinery = Refinery(journal, route.flow, entity, route.mapping, JournalLookup(journal, route.source.connection))
    chosen = _newest(journal, route, last)
    with journal.reading() as tx:
        for verdict in judge(tx, refinery, route.source, chosen, route.settings):
            _judged(preview, verdict)
    return preview


def _newest(journal: Journal, route: Route, last: int) -> list[Chosen]:
    where = (message.c.connection == route.source.connection, message.c.stream == route.source.stream, is_last())
    query = select(*COLUMNS, message.c.state).where(*where, message.c.state != "new")
    with journal.reading() as tx:
        rows = tx.execute(query.order_by(message.c.id.desc()).limit(last)).all()
    return [Chosen(Message(*row[:-1]), row.state) for row in reversed(rows)]


def _judged(preview: Preview, verdict: Verdict) -> None:
    preview.counts["messages"] += 1
    if isinstance(verdict.made, DataError):
        preview.counts[verdict.fate] += 1
        preview.reasons[verdict.made.zh] += verdict.fate == "failing"
        return
    if verdict.fate != "made":
        preview.counts[verdict.fate] += 1
        return
    for result in verdict.results:
        preview.counts[result.fate] += 1
        preview.before += result.amounts[0]
        preview.after += result.amounts[1]
        if result.old is not None:
            preview.note(str(result.body["key"]), changes(result.old.body, result.body))


def of_deliveries(journal: Journal, step: Deliver, mapping: Mapping, last: int, sent: Sent) -> Preview:
    """The newest documents that a sink has got, as payloads of the mapping as it is now, beside what was sent.

    `sent` gives a delivery's payload as its own mapping made it; where it cannot (DuijieError), the hash that is kept
    still tells whether the payload would be another.
    """
    sink = f"{step.connection}/{step.sink}"
    preview = Preview(step.name, sink, f"{mapping.name}@{mapping.version}")
    lookup = JournalLookup(journal, step.connection)
    for row in _delivered(journal, sink, last):
        one = Document.of(row)
        preview.counts["messages"] += 1
        try:
            payload = mapping.run(one.body, as_of(lookup, day_of(one.body)), step.settings)
        except DataError as error:
            preview.counts["failing"] += 1
            preview.reasons[error.zh] += 1
            continue
        _compared(preview, row, payload, sent)
    return preview


def _delivered(journal: Journal, sink: str, last: int) -> Sequence[Any]:
    newest = select(func.max(delivery.c.id)).where(delivery.c.sink == sink, delivery.c.state == "done")
    query = select(document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)
    query = query.add_columns(delivery.c.id.label("delivery_id"), delivery.c.payload_hash)
    query = query.join(delivery, delivery.c.document_id == document.c.id)
    query = query.where(
        delivery.c.id.in_(newest.group_by(delivery.c.key).order_by(func.max(delivery.c.id).desc()).limit(last))
    )
    with journal.reading() as tx:
        return tx.execute(query.order_by(delivery.c.id)).all()


def _compared(preview: Preview, row: Any, payload: Record | None, sent: Sent) -> None:
    if payload is None:
        preview.counts["skipped"] += 1
        return
    if row.payload_hash == codec.digest(payload):
        preview.counts["unchanged"] += 1
        return
    preview.counts["changed" if row.payload_hash else "unknown"] += 1
    before = _sent(row, sent)
    if before is not None:
        preview.note(str(row.key), changes(before, payload))


def _sent(row: Any, sent: Sent) -> Record | None:
    """What was sent, where it can be made again exactly: what it gives must have the hash that is kept."""
    try:
        before = sent(row.delivery_id)
    except DuijieError:
        return None
    return before if codec.digest(before) == row.payload_hash else None
