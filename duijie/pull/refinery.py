"""From stored messages to documents: decode, map, check, put, settle, in batches of one transaction each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.connect import records
from duijie.connect.errors import DataError, MalformedMessage, UnmappedCode
from duijie.journal import Journal, documents, inbox, tombstones, work
from duijie.journal.codes import CHINA
from duijie.journal.inbox import Message, Source
from duijie.journal.lookup import as_of
from duijie.mapping import Lookup, Mapping
from duijie.schemas import check

BATCH = 500
COUNTED = {"new": "new_documents", "changed": "new_documents", "unchanged": "unchanged", "older": "older"}
STATES = {UnmappedCode: "blocked", MalformedMessage: "malformed"}
Counts = Counter[str]
Made = list[tuple[str, Record]]


class Refinery:
    """Turns stored messages of one stream into documents through one mapping.

    `older`: messages that look as if their source had changed what is kept after them. They stay new until `decide`,
    so that they are not lost where the source cannot be asked. `has_made`: documents.
    """

    def __init__(self, journal: Journal, flow: str, entity: str, mapping: Mapping, lookup: Lookup) -> None:
        self._journal = journal
        self.flow = flow
        self._entity = entity
        self._mapping = mapping
        self._lookup = lookup
        self._sure: frozenset[int] = frozenset()
        self.older: list[Message] = []
        self.has_made = False
        self.stamp = f"{mapping.name}@{mapping.version}"

    @property
    def entities(self) -> tuple[str, ...]:
        """Every entity that the mapping makes: one, or those of its `emit`."""
        return entities_of(self._mapping, self._entity)

    def run(self, source: Source, settings: Record) -> Counts:
        """Map everything that waits, in batches of one transaction each."""
        counts: Counts = Counter()
        after = 0
        while batch := inbox.waiting(self._journal, source, BATCH, after):
            after = batch[-1].id
            results = [(message, self.make(message, settings)) for message in batch]
            with self._journal.writing() as tx:
                inbox.alone(tx, self._journal, source)
                waiting = inbox.still_waiting(tx, [message.id for message in batch])
                counts += self.keep(tx, source, [one for one in results if one[0].id in waiting])
        return counts

    def decide(self, source: Source, settings: Record, asked: Sequence[Message], same: Sequence[Message]) -> Counts:
        """Settle older messages whose source was asked again: those it said again hold, the others are overtaken."""
        self._sure = frozenset(message.id for message in same)
        results = [(message, self.make(message, settings)) for message in same]
        with self._journal.writing() as tx:
            inbox.alone(tx, self._journal, source)
            last = inbox.still_last(tx, self._sure)
            overtaken = ({message.id for message in asked} - last) | inbox.waiting_before(tx, last)
            inbox.settle(tx, inbox.still_waiting(tx, overtaken), "mapped", self.stamp, inbox.OVERTAKEN)
            return self.keep(tx, source, [one for one in results if one[0].id in last])

    def make(self, message: Message, settings: Record) -> Made | DataError:
        """What a message becomes: checked documents by entity (none where the mapping skips it), or why it cannot."""
        try:
            record = records.read(message.body)
            lookup = as_of(self._lookup, message.received_at.astimezone(CHINA).date())
            given = settings | {"partition": message.part}
            made = [(name or self._entity, one) for name, one in self._mapping.documents(record, lookup, given)]
            if tombstones.is_gone(record):
                made = [(name, one | {"approval": tombstones.VOID}) for name, one in made if tombstones.can_void(name)]
            for entity, document in made:
                check(entity, document)
        except DataError as error:
            return error
        return made

    def keep(self, tx: Transaction, source: Source, results: Sequence[tuple[Message, Made | DataError]]) -> Counts:
        """Put the documents, settle the messages, open work items and take what passed off them."""
        counts: Counts = Counter()
        settled: dict[tuple[str, str], list[int]] = defaultdict(list)
        passed: list[tuple[Message, Made]] = []
        passes: dict[str, bool] = {}  # by key, whether the last message of this batch did
        for message, result in results:
            if isinstance(result, DataError):
                settled[self._wait(tx, source, message, result)].append(message.id)
                counts["waiting"] += 1
                passes[message.key] = False
                continue
            counts["skipped"] += not result
            passed.append((message, result))
            passes |= {message.key: True} if result else {}
        older = self._put(tx, passed, counts)
        for message, result in passed:
            fate = ("new", "") if message.id in older else ("mapped" if result else "skipped", "")
            settled[fate].append(message.id)
        for (state, reason), ids in settled.items():
            inbox.settle(tx, ids, state, self.stamp, reason)
        keys = [key for key, last in passes.items() if last]
        work.release_records(tx, self._journal, self.flow, self._entity, keys)
        return counts

    def _put(self, tx: Transaction, passed: Sequence[tuple[Message, Made]], counts: Counts) -> Collection[int]:
        """Put what was made and count what became of it; returns the ids of the messages that are older."""
        made = [
            (message, documents.Made(entity, body, message.id, self.stamp, self._is_sure(message)))
            for message, result in passed
            for entity, body in result
        ]
        fates = documents.put_many(tx, self._journal, [one for _, one in made])
        counts.update(COUNTED[fate] for fate in fates)
        self.has_made |= "new" in fates or "changed" in fates
        older = {message.id: message for (message, _), fate in zip(made, fates, strict=True) if fate == "older"}
        self.older += older.values()
        return older.keys()

    def _is_sure(self, message: Message) -> bool:
        return message.id in self._sure or tombstones.marks(message.body)

    def _wait(self, tx: Transaction, source: Source, message: Message, error: DataError) -> tuple[str, str]:
        finding = work.finding_of(error, self._entity, message.key, self._mapping.name, source.connection)
        held = (self._entity, message.key, _money_in(message))
        work.open_instead(tx, self._journal, self.flow, finding, self._entity, held)
        return STATES.get(type(error), "invalid"), error.zh


def entities_of(mapping: Mapping, entity: str) -> tuple[str, ...]:
    """Every entity that a mapping makes: the one named, or those of its `emit`."""
    parts = mapping.parts
    return tuple(one.name for one in parts.fields.fields) if parts.emits else (entity,)


def _money_in(message: Message) -> int:
    try:
        record = codec.decode(message.body)
        return documents.fen(str(record.get("payment") or record.get("refund_fee") or 0))
    except (ArithmeticError, ValueError, AttributeError, msgspec.DecodeError):
        return 0
