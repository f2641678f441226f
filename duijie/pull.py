"""pull: what a vendor sent goes into the inbox as sent, once; then a mapping makes documents of it.

The two halves are apart on purpose. Storing depends on the vendor only, so nothing is lost to a wrong mapping;
mapping is a pure function of what is stored, so a corrected mapping can be replayed. A record that cannot be mapped
is kept, becomes a work item with its reason, and stops nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.connect import records
from duijie.connect.errors import DataError, DuijieError, InvalidDocument, MalformedMessage, UnmappedCode
from duijie.connect.protocol import Stream, Window
from duijie.flow import Poll, Pull
from duijie.journal import Journal, documents, inbox, work
from duijie.journal.codes import CHINA
from duijie.journal.inbox import Message, Source
from duijie.journal.lookup import as_of
from duijie.mapping import Lookup, Mapping
from duijie.schemas import check

BATCH = 500
STATES = {UnmappedCode: "blocked", MalformedMessage: "malformed"}
Counts = Counter[str]
Made = list[tuple[str, Record]]


def read(journal: Journal, step: Pull, stream: Stream, now: datetime) -> Counts:
    """Read every partition up to `until` (or now − lag); a failing partition never moves another's cursor."""
    counts: Counts = Counter()
    failures: list[DuijieError] = []
    for part in stream.partitions():
        source = Source(step.connection, step.stream, part)
        try:
            counts += _read_partition(journal, step, stream, source, now)
        except DuijieError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return counts


def _read_partition(journal: Journal, step: Pull, stream: Stream, source: Source, now: datetime) -> Counts:
    counts: Counts = Counter()
    position = inbox.position(journal, source)
    for window in windows(step, position, source.part, now):
        for page in stream.read(window):
            counts["read"] += len(page.records)
            counts["new_messages"] += inbox.store(journal, source, stream.key, page.records)
        inbox.advance(journal, source, window.until, position)
    return counts


def windows(step: Pull, position: datetime | None, part: str, now: datetime) -> Iterator[Window]:
    """The windows still to read: from a little before the cursor, each at most as long as the vendor allows."""
    end = min(now - timedelta(seconds=step.lag_seconds), step.until or now)
    since = max(step.since, (position or step.since) - timedelta(minutes=step.overlap_minutes))
    while since < end:
        until = min(since + step.window, end)
        yield Window(since, until, part)
        since = until


def read_keys(journal: Journal, step: Poll, stream: Stream, keys: Sequence[str], now: datetime) -> Counts:
    """Read exactly these keys."""
    source = Source(step.connection, step.stream)
    counts: Counts = Counter()
    for page in stream.read(Window(now, now, keys=tuple(keys))):
        counts["read"] += len(page.records)
        counts["new_messages"] += inbox.store(journal, source, stream.key, page.records)
    return counts


class Refinery:
    """Turns stored messages of one stream into documents through one mapping."""

    def __init__(self, journal: Journal, flow: str, entity: str, mapping: Mapping, lookup: Lookup) -> None:
        self._journal = journal
        self._flow = flow
        self._entity = entity
        self._mapping = mapping
        self._lookup = lookup
        self.stamp = f"{mapping.name}@{mapping.version}"

    def run(self, source: Source, settings: Record) -> Counts:
        """Map everything that waits, in batches of one transaction each."""
        counts: Counts = Counter()
        while batch := inbox.waiting(self._journal, source, BATCH):
            results = [(message, self.make(message, settings)) for message in batch]
            with self._journal.writing() as tx:
                inbox.alone(tx, self._journal, source)
                counts += self.keep(tx, source, results)
        return counts

    def make(self, message: Message, settings: Record) -> Made | DataError:
        """What a message becomes: checked documents by entity (none where the mapping skips it), or why it cannot."""
        try:
            record = records.read(message.body)
            lookup = as_of(self._lookup, message.received_at.astimezone(CHINA).date())
            given = settings | {"partition": message.part}
            made = [(name or self._entity, one) for name, one in self._mapping.documents(record, lookup, given)]
            for entity, document in made:
                check(entity, document)
        except DataError as error:
            return error
        return made

    def keep(self, tx: Transaction, source: Source, results: Sequence[tuple[Message, Made | DataError]]) -> Counts:
        """Put the documents, settle the messages, open work items and take what passed off them."""
        counts: Counts = Counter()
        settled: dict[tuple[str, str], list[int]] = defaultdict(list)
        passes: dict[str, bool] = {}  # by key, whether the last message of this batch did
        for message, result in results:
            if isinstance(result, DataError):
                settled[self._wait(tx, source, message, result)].append(message.id)
                counts["waiting"] += 1
                passes[message.key] = False
                continue
            settled["mapped" if result else "skipped", ""].append(message.id)
            counts += self._put(tx, message, result)
            passes |= {message.key: True} if result else {}
        for (state, reason), ids in settled.items():
            inbox.settle(tx, ids, state, self.stamp, reason)
        passed = [key for key, last in passes.items() if last]
        work.release_records(tx, self._journal, self._flow, self._entity, passed)
        return counts

    def _put(self, tx: Transaction, message: Message, made: Made) -> Counts:
        counts: Counts = Counter(skipped=int(not made))
        for entity, body in made:
            is_new = documents.put(tx, self._journal, entity, body, (message.id, self.stamp))
            counts["new_documents" if is_new else "unchanged"] += 1
        return counts

    def _wait(self, tx: Transaction, source: Source, message: Message, error: DataError) -> tuple[str, str]:
        finding = work.finding_for(error, f"{self._entity}:{message.key}", source.connection)
        held = [(self._entity, message.key, _money_in(message))]
        work.open_item(tx, self._journal, self._flow, finding, held)
        return STATES.get(type(error), "invalid"), error.zh


def _money_in(message: Message) -> int:
    try:
        record = codec.decode(message.body)
        return documents.fen(str(record.get("payment") or record.get("refund_fee") or 0))
    except (ArithmeticError, ValueError, AttributeError, msgspec.DecodeError):
        return 0


__all__ = ["Counts", "InvalidDocument", "Refinery", "read", "read_keys", "windows"]
