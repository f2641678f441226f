"""Before a route is drained: is what halted it over, and which failed requests are asked for again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection as Transaction

from duijie.codec import Record
from duijie.connect import answers
from duijie.connect.errors import DuijieError, Terminal
from duijie.connect.protocol import Done, Found, Halt, Outcome, Refused, Resubmitting, Sink, Unknown
from duijie.desk import Desk
from duijie.invoicing import attempts, halts, polling, release
from duijie.invoicing.attempts import Attempt
from duijie.invoicing.halts import Stop
from duijie.invoicing.rules import LifeRules
from duijie.journal import deliveries, documents, work
from duijie.journal.deliveries import Delivered
from duijie.journal.documents import Document
from duijie.journal.work import Finding
from duijie.parcels import shielded

FIRST_POLL_SECONDS = 4
BATCH = 50
Counts = Counter[str]


class Again:
    """Asks again for the failed requests of one route. `payload` is the mapping."""

    def __init__(self, desk: Desk, sink: Sink, payload: Callable[[Document], Record | None], rules: LifeRules) -> None:
        self._desk = desk
        self._journal = desk.journal
        self._sink = sink
        self._payload = payload
        self._rules = rules

    def run(self, system: object) -> Counts:
        """Release where that is due, then ask again for what may be; in batches, one alone after a release."""
        release.look(self._journal, self._desk.name, system, self._rules)
        counts: Counts = Counter()
        rows = attempts.ready(self._journal, self._desk.name)
        while rows and (number := self._room(rows[0])):
            counts += self._batch(rows[:number])
            rows = rows[number:]
        return counts

    def _room(self, first: Attempt) -> int:
        """How many may be asked for again together. New requests go through the queue and its gate: any number."""
        with self._journal.reading() as tx:
            stands = halts.of(tx, self._desk.name)
        if stands is None:
            return BATCH
        if stands.is_shut(self._journal.now()):
            return 0
        if not isinstance(self._sink, Resubmitting):
            return BATCH
        return int(halts.try_one(self._journal, self._desk.name, first.key))

    def _batch(self, rows: Sequence[Attempt]) -> Counts:
        found = self._found([one.key for one in rows])
        moving = [one for one in rows if (there := found.get(one.key)) and (there.native_no or there.is_open)]
        left = [one for one in rows if one.key in found and one not in moving]
        mended = attempts.corrected(self._journal, self._desk.name, [one.key for one in left])
        same = [one for one in left if isinstance(self._sink, Resubmitting) and one.key not in mended]
        self._look_again(moving)
        counts = self._resubmit(same) + self._renew([one for one in left if one not in same])
        with self._journal.writing() as tx:
            for one in (one for one in rows if one not in same):
                halts.trial_untold(tx, self._journal, self._desk.name, one.key)
        return counts

    def _found(self, keys: Sequence[str]) -> Mapping[str, Found | None]:
        """What the platform holds under the failed numbers now, None for nothing; without those it cannot be asked for.

        One that cannot be asked for does not hold up the others: it is left for the next run.
        """
        try:
            there = shielded(self._desk.name, lambda: answers.found(self._sink.find(list(keys))))
        except Terminal:
            middle = len(keys) // 2
            return {**self._found(keys[:middle]), **self._found(keys[middle:])} if middle else {}
        except DuijieError as error:
            others = [key for key in keys if key != error.where]
            return self._found(others) if 0 < len(others) < len(keys) else {}
        return {key: there.get(key) for key in keys}

    def _look_again(self, moving: Sequence[Attempt]) -> None:
        """Somebody had them issued at the platform meanwhile, or is about to: their results are read anew."""
        with self._journal.writing() as tx:
            for one in moving:
                polling.reopen(tx, self._journal, self._desk.name, one.key, 0)

    def _renew(self, rows: Sequence[Attempt]) -> Counts:
        counts: Counts = Counter()
        if not rows:
            return counts
        sent = self._sent([one.key for one in rows])
        current = {key: documents.get(self._journal, attempts.BLUE, was.document.key) for key, was in sent.items()}
        alive = {key: one for key, one in current.items() if one and self._desk.step.wants(one.body)}
        with self._journal.writing() as tx:
            for one in (one for one in rows if one.key in alive):
                counts["renewed"] += bool(attempts.renew(tx, self._journal, self._desk.name, one, alive))
        return counts

    def _sent(self, keys: Sequence[str]) -> dict[str, Delivered]:
        """By the number at the platform, what was sent under it."""
        return deliveries.done_under(self._journal, self._desk.name, keys)

    def _resubmit(self, rows: Sequence[Attempt]) -> Counts:
        mine = attempts.mark_sent(self._journal, self._desk.name, rows, FIRST_POLL_SECONDS) if rows else []
        if not mine:
            return Counter()
        with self._journal.writing() as tx:
            for one, outcome in zip(mine, self._tried(mine), strict=True):
                self._settle(tx, one, outcome)
        return Counter(resubmitted=len(mine))

    def _tried(self, rows: Sequence[Attempt]) -> Sequence[Outcome]:
        sink, sent = self._sink, self._sent([one.key for one in rows])
        if not isinstance(sink, Resubmitting):
            return []
        payloads = [self._payload(sent[one.key].document) or {} for one in rows]
        ids = [sent[one.key].native_id for one in rows]
        try:
            outcomes = shielded(self._desk.name, lambda: list(sink.resubmit(payloads, ids)))
        except DuijieError as error:
            return [Unknown(error.zh, error.en)] * len(rows)
        if len(outcomes) == len(rows):
            return answers.proper(outcomes, [one.key for one in rows])
        return [Unknown("重试开票的结果数不符, 以查询为准", "the sink gave another number of outcomes")] * len(rows)

    def _settle(self, tx: Transaction, one: Attempt, outcome: Outcome) -> None:
        """Done and unknown are asked for by polling: the number stays the same, so that nothing can double."""
        name = self._desk.name
        match outcome:
            case Done() | Unknown():
                halts.trial_taken(tx, self._journal, name, one.key, self._rules.patience)
            case Halt():
                attempts.back(tx, one)
                halts.park(tx, self._journal, name, Stop(outcome.reason, outcome.zh, outcome.qr))
            case Refused():
                attempts.refused(tx, one)
                halts.trial_untold(tx, self._journal, name, one.key)
                finding = Finding("invoice", f"{name}:{one.key}", f"{one.key} 重试开票被拒: {outcome.zh}")
                work.open_item(tx, self._journal, self._desk.flow, finding, [(attempts.BLUE, one.key, 0)])
            case _:
                attempts.back(tx, one)
                halts.trial_untold(tx, self._journal, name, one.key)
