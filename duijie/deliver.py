"""deliver: every planned document gets into its sink exactly once, whatever breaks on the way.

The order of a batch: claim → map → (look up, where the target would accept a double) → commit `sent` → write →
settle. An answer that does not come leaves `unknown`, and an unknown row is never written before `find` has said
that the target does not hold it. A document found under our key with other figures is a conflict for a person.

A new version of a document that the target has got already is compared with what was sent, as the mapping makes both
now: the same is not sent again, a change is an update where the sink can make one, else a conflict for a person. Only
figures (`absolute`) are overwritten.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Rows
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import DataError, DuijieError, OutcomeUnknown, Terminal, Transient
from duijie.connect.protocol import Done, Figures, Found, Later, Outcome, Refused, Safety, Sink, Unknown, Updating
from duijie.difference import changes, told
from duijie.flow import Deliver
from duijie.journal import Journal, deliveries, documents, work
from duijie.journal.deliveries import Change, Delivered, Delivery
from duijie.journal.documents import Document
from duijie.journal.lookup import as_of, day_of
from duijie.journal.work import Finding
from duijie.mapping import Lookup, Mapping

Counts = Counter[str]
LINGER_SECONDS = 20.0
GRACE_SECONDS = {Safety.NATURAL_KEY: 0.0, Safety.TOKEN: 0.0, Safety.ABSOLUTE: 0.0, Safety.LOOKUP: 3.0}
FAILED_ATTEMPTS = 8


@dataclass(frozen=True)
class Parcel:
    """A claimed delivery with the payload its mapping made."""

    delivery: Delivery
    payload: Record
    key: str
    figures: Figures


class Delivering:
    """Drains one route: one entity into one sink."""

    def __init__(
        self, journal: Journal, flow: str, step: Deliver, sink: Sink, mapping: Mapping, lookup: Lookup
    ) -> None:
        self._journal = journal
        self._flow = flow
        self._step = step
        self._sink = sink
        self._name = f"{step.connection}/{step.sink}"
        self._mapping = mapping
        self._lookup = lookup

    def run(self) -> Counts:
        """Plan, recover, settle what is unknown, then deliver until nothing is due."""
        counts: Counts = Counter(planned=self._plan())
        counts["recovered"] += deliveries.recover(self._journal, self._name)
        deadline = time.monotonic() + LINGER_SECONDS
        while counts_of_round := self._drain():
            counts += counts_of_round
            self._wait_until_due(deadline)
        return counts

    def _drain(self) -> Counts:
        counts: Counts = Counter()
        for states in (("unknown",), ("pending",)):
            while batch := deliveries.claim(self._journal, self._name, states, self._step.batch):
                counts += self._batch(batch)
        return counts

    def _wait_until_due(self, deadline: float) -> None:
        """Linger for what is due soon, so that a lost answer is settled by the run that lost it."""
        due = deliveries.next_due(self._journal, self._name)
        seconds = (due - self._journal.now()).total_seconds() if due else 0.0
        if 0.0 < seconds < deadline - time.monotonic():
            time.sleep(seconds)

    def _plan(self) -> int:
        fresh = deliveries.unplanned(self._journal, self._step.entity, self._name)
        routed = [(one, documents.amount_of(one.body)) for one in fresh if self._is_routed(one.body)]
        others = [(one, 0) for one in fresh if not self._is_routed(one.body)]
        deliveries.plan(self._journal, self._flow, self._name, others, "cancelled")
        return deliveries.plan(self._journal, self._flow, self._name, routed)

    def _is_routed(self, body: Record) -> bool:
        return all(body.get(field) in allowed for field, allowed in self._step.where.items())

    def _batch(self, batch: Sequence[Delivery]) -> Counts:
        parcels, blocked, dropped = self._pack(batch)
        counts = self._block(blocked)
        deliveries.settle(self._journal, "claimed", dict.fromkeys(dropped, Change("cancelled", "映射规则跳过")))
        parcels, counts_again = self._again(parcels)
        counts += counts_again
        found = self._find(parcels)
        if found is None:
            return counts + Counter(postponed=len(parcels))
        counts += self._adopt(parcels, found)
        absent = [parcel for parcel in parcels if parcel.key not in found]
        for start in range(0, len(absent), self._sink.batch):
            counts += self._send(absent[start : start + self._sink.batch], self._sink.write)
        return counts

    def _again(self, parcels: list[Parcel]) -> tuple[list[Parcel], Counts]:
        """Settle those whose earlier version the target has got; the others are left, for the way of a first one."""
        revised = [one.delivery.document.key for one in parcels if one.delivery.document.version > 1]
        if not revised or self._sink.safety is Safety.ABSOLUTE:
            return parcels, Counter()
        before = deliveries.last_done(self._journal, self._name, revised)
        fresh = [one for one in parcels if one.delivery.document.key not in before]
        again = [(one, before[one.delivery.document.key]) for one in parcels if one.delivery.document.key in before]
        return fresh, self._revise(again)

    def _revise(self, again: Sequence[tuple[Parcel, Delivered]]) -> Counts:
        counts: Counts = Counter()
        changed: list[tuple[Parcel, Delivered]] = []
        with self._journal.writing() as tx:
            for parcel, before in again:
                found = list(changes(self._sent(before.document), parcel.payload))
                if not found:
                    why = f"与已送达的第 {before.document.version} 版内容相同, 未重发"
                    change = _done(parcel, before.native_id, before.native_no, {}, why)
                    work.release_records(
                        tx, self._journal, self._flow, self._step.entity, [parcel.delivery.document.key]
                    )
                    counts["unchanged"] += 1
                elif isinstance(self._sink, Updating):
                    changed.append((parcel, before))
                    continue
                else:
                    change = self._conflict(tx, parcel, _revised(before, told(found)))
                    counts["waiting"] += 1
                deliveries.settle_in(tx, self._journal, "claimed", {parcel.delivery.id: change})
        return counts + self._update(changed)

    def _update(self, changed: Sequence[tuple[Parcel, Delivered]]) -> Counts:
        counts: Counts = Counter()
        sink = self._sink
        if not isinstance(sink, Updating):
            return counts
        for start in range(0, len(changed), self._sink.batch):
            part = changed[start : start + self._sink.batch]
            update = partial(sink.update, native_ids=[before.native_id for _, before in part])
            counts += self._send([one for one, _ in part], update)
        return counts

    def _sent(self, document: Document) -> Record:
        """What was sent of an earlier version; empty where the mapping cannot make it any more."""
        try:
            return self._payload(document) or {}
        except DataError:
            return {}

    def _payload(self, document: Document) -> Record | None:
        lookup = as_of(self._lookup, day_of(document.body))
        return self._mapping.run(document.body, lookup, self._step.settings)

    def _pack(self, batch: Sequence[Delivery]) -> tuple[list[Parcel], list[tuple[Delivery, DataError]], list[int]]:
        """Map each document: parcels, those a person must help, those the mapping itself skips."""
        parcels: list[Parcel] = []
        blocked: list[tuple[Delivery, DataError]] = []
        dropped: list[int] = []
        for one in batch:
            try:
                payload = self._payload(one.document)
            except DataError as error:
                blocked.append((one, error))
                continue
            if payload is None:
                dropped.append(one.id)
            else:
                parcels.append(Parcel(one, payload, self._sink.key_of(payload), self._sink.figures_of(payload)))
        return parcels, blocked, dropped

    def _block(self, blocked: Sequence[tuple[Delivery, DataError]]) -> Counts:
        with self._journal.writing() as tx:
            for one, error in blocked:
                deliveries.settle_in(tx, self._journal, "claimed", {one.id: Change("blocked", error.zh)})
                name = f"{one.document.entity}:{one.document.key}"
                finding = work.finding_for(error, name, self._step.connection)
                work.open_item(tx, self._journal, self._flow, finding, [_held(one)])
        return Counter(waiting=len(blocked))

    def _find(self, parcels: Sequence[Parcel]) -> Rows[str, Found] | None:
        """What the target holds already; None when it cannot be asked now (everything is put back as it was)."""
        asked = [parcel for parcel in parcels if self._must_ask(parcel)]
        if not asked:
            return {}
        try:
            return self._sink.find([parcel.key for parcel in asked])
        except (Transient, OutcomeUnknown) as error:
            self._put_back(parcels, error)
            return None
        except Terminal as error:
            self._put_back(parcels, error)
            raise

    def _must_ask(self, parcel: Parcel) -> bool:
        return parcel.delivery.before == "unknown" or self._sink.safety is Safety.LOOKUP

    def _put_back(self, parcels: Sequence[Parcel], error: DuijieError) -> None:
        changes = {
            p.delivery.id: Change("unknown" if p.delivery.before == "unknown" else "pending", error.zh, retry_in=5.0)
            for p in parcels
        }
        deliveries.settle(self._journal, "claimed", changes)

    def _adopt(self, parcels: Sequence[Parcel], found: Rows[str, Found]) -> Counts:
        """Settle what the target already holds: the same figures are done, others are a conflict."""
        counts: Counts = Counter()
        with self._journal.writing() as tx:
            for parcel in parcels:
                there = found.get(parcel.key)
                if there is None:
                    continue
                if dict(there.figures) == dict(parcel.figures):
                    change = _done(parcel, there.native_id, there.native_no, there.raw, "查询确认: 目标系统已有该单据")
                    counts["confirmed"] += 1
                elif self._sink.safety is Safety.ABSOLUTE:
                    change = Change("pending", "目标数值已旧, 重写最新值")
                else:
                    change = self._conflict(tx, parcel, _conflict(parcel, there))
                    counts["waiting"] += 1
                deliveries.settle_in(tx, self._journal, "claimed", {parcel.delivery.id: change})
        return counts

    def _conflict(self, tx: Transaction, parcel: Parcel, reason: str) -> Change:
        finding = Finding("conflict", f"{self._name}:{parcel.key}", reason)
        work.open_item(tx, self._journal, self._flow, finding, [_held(parcel.delivery)])
        return Change("rejected", reason, target_key=parcel.key)

    def _send(self, parcels: Sequence[Parcel], write: Callable[[Sequence[Record]], Sequence[Outcome]]) -> Counts:
        """Commit `sent`, then let the calls leave, then settle each outcome."""
        stamp = f"{self._mapping.name}@{self._mapping.version}"
        sent = {
            parcel.delivery.id: Change(
                "sent", target_key=parcel.key, mapping=stamp, payload_hash=codec.digest(parcel.payload)
            )
            for parcel in parcels
        }
        deliveries.settle(self._journal, "claimed", sent)
        written = write([parcel.payload for parcel in parcels])
        outcomes = [_given_up(parcel, outcome) for parcel, outcome in zip(parcels, written, strict=True)]
        counts: Counts = Counter()
        with self._journal.writing() as tx:
            for parcel, outcome in zip(parcels, outcomes, strict=True):
                change = self._change(parcel, outcome)
                deliveries.settle_in(tx, self._journal, "sent", {parcel.delivery.id: change})
                counts[_COUNTED[change.after]] += 1
                if isinstance(outcome, Refused):
                    finding = Finding(self._kind(), f"{self._name}:{parcel.delivery.document.key}", outcome.zh)
                    work.open_item(tx, self._journal, self._flow, finding, [_held(parcel.delivery)])
            done = [p.delivery.document.key for p, o in zip(parcels, outcomes, strict=True) if isinstance(o, Done)]
            work.release_records(tx, self._journal, self._flow, self._step.entity, done)
        return counts

    def _kind(self) -> str:
        return "invoice" if self._step.entity in ("invoice_request", "red_request") else "rejected"

    def _change(self, parcel: Parcel, outcome: Outcome) -> Change:
        match outcome:
            case Done():
                return _done(parcel, outcome.native_id, outcome.native_no, outcome.raw, "")
            case Refused():
                return Change("rejected", outcome.zh, target_key=parcel.key)
            case Unknown():
                return Change("unknown", outcome.zh, target_key=parcel.key, retry_in=GRACE_SECONDS[self._sink.safety])
            case Later():
                again = max(outcome.after, min(2.0**parcel.delivery.attempts, 300.0))
                return Change("pending", outcome.zh, retry_in=again)


def _given_up(parcel: Parcel, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Later) and parcel.delivery.attempts >= FAILED_ATTEMPTS:
        zh = f"已尝试 {FAILED_ATTEMPTS} 次仍未成功: {outcome.zh}; 请排除原因后重放"
        return Refused("ATTEMPTS", zh, f"given up after {FAILED_ATTEMPTS} attempts: {outcome.en}")
    return outcome


_COUNTED = {"done": "delivered", "rejected": "waiting", "unknown": "unknown", "pending": "postponed"}


def _done(parcel: Parcel, native_id: str, native_no: str, raw: Record, why: str) -> Change:
    return Change("done", why, native_id=native_id, native_no=native_no, target_key=parcel.key, receipt=raw)


def _held(one: Delivery) -> tuple[str, str, int]:
    return one.document.entity, one.document.key, documents.amount_of(one.document.body)


def _revised(before: Delivered, said: str) -> str:
    number = before.native_no or before.native_id
    return (
        f"目标系统已有第 {before.document.version} 版 (单号 {number}), 新版本内容不同: {said}。"
        "系统不会覆盖已送达的单据, 请在目标系统人工更正后关闭本待处理"
    )


def _conflict(parcel: Parcel, there: Found) -> str:
    ours = ", ".join(f"{name} {value}" for name, value in parcel.figures.items())
    theirs = ", ".join(f"{name} {value}" for name, value in there.figures.items())
    number = there.native_no or parcel.key
    return f"目标系统已有单据 {number}, 但数值不同: 我方 {ours}; 对方 {theirs}。请人工核对, 不会覆盖"
