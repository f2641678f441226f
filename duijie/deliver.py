"""deliver: drain a sink's rows so that each document is in the target exactly once.

Per batch: claim → map → ask the target where it must be asked → commit `sent` → write → settle. An answer that does
not come leaves `unknown`, and an unknown row is never written before `find` has said that the target does not hold it.
A document found under our key with other figures is a conflict for a person.

A new version of a document that the target has got already is compared with what was sent, as the mapping makes both
now: the same is not sent again, a change is an update where the sink can make one, else a conflict for a person. Only
figures (`absolute`) are overwritten, and only by the newest. A version that its source has withdrawn (cancelled, 作废,
反审核) reverses what the target has got, where the sink can; else a person must.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping as Rows
from collections.abc import Sequence

from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.connect import answers
from duijie.connect.errors import (
    ConfigError,
    ConnectorFault,
    DataError,
    DuijieError,
    Terminal,
)
from duijie.connect.protocol import Done, Found, Marking, Outcome, Refused, Safety, Sink, Unknown
from duijie.desk import Desk
from duijie.flow import Deliver
from duijie.invoicing.gate import Gate
from duijie.journal import Journal, deliveries, documents, planning, upkeep, work
from duijie.journal.deliveries import Change, Claim, Delivery
from duijie.journal.documents import Document
from duijie.journal.lookup import as_of, day_of
from duijie.leases import Keeper
from duijie.looking import Unanswered, look_up
from duijie.mapping import Lookup, Mapping
from duijie.parcels import (
    COUNTED,
    Parcel,
    change_of,
    conflict,
    done,
    given_up,
    held,
    shielded,
    unlike,
    worn_out,
)  # fmt: skip
from duijie.shift import Shift
from duijie.versions import Versions, Write

Counts = Counter[str]
LINGER_SECONDS = 20.0


def must_take(step: Deliver, mapping: Mapping) -> None:
    """Raises ConfigError for a mapping of another entity: the step would find nothing to deliver, and say nothing."""
    made_of = mapping.source.get("entity")
    if made_of not in (None, step.entity):
        raise ConfigError(
            f"步骤 {step.name} 投递 {step.entity}, 而映射 {step.mapping} 取自 {made_of}; 请更正其中之一",
            en=f"step {step.name} delivers {step.entity}, its mapping {step.mapping} is of {made_of}",
            where=step.name,
        )


class Delivering:
    """Drains one route: one entity into one sink."""

    def __init__(
        self,
        journal: Journal,
        flow: str,
        step: Deliver,
        sink: Sink,
        mapping: Mapping,
        lookup: Lookup,
        shift: Shift | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._journal = journal
        self._flow = flow
        self._step = step
        self._sink = sink
        self._name = f"{step.connection}/{step.sink}"
        self._mapping = mapping
        self._lookup = lookup
        self._shift = shift or Shift()
        self._keeper = Keeper(journal)
        self._is_restored = upkeep.is_restored(journal)
        self._desk = Desk(journal, flow, step)
        self._gate = gate or Gate(self._desk)
        self._versions = Versions(self._desk, sink, self.payload, self._send_all, self._gate.failed)
        self._failed: Terminal | None = None

    def run(self) -> Counts:
        """Plan, recover, settle what is unknown, then deliver until nothing is due.

        Raises the first Terminal error of asking the target, once everything else has gone through.
        """
        counts: Counts = Counter(planned=self._plan())
        counts["recovered"] += deliveries.recover(self._journal, self._name)
        deadline = time.monotonic() + LINGER_SECONDS
        while counts_of_round := self._drain():
            counts += counts_of_round
            if self._shift.is_over():
                break
            self._wait_until_due(deadline)
        if self._failed:
            raise self._failed
        return counts

    def _drain(self) -> Counts:
        counts: Counts = Counter()
        for states in (("unknown",), ("pending",)):
            while not self._shift.is_over():
                if states == ("pending",) and self._gate.is_shut():
                    break
                asked = time.time()
                batch = deliveries.claim(self._journal, self._name, states, self._step.batch)
                if not batch:
                    break
                with self._keeper.keeping([one.claim for one in batch], asked):
                    counts += self._batch(batch)
        return counts

    def _wait_until_due(self, deadline: float) -> None:
        """Linger for what is due soon, so that a lost answer is settled by the run that lost it."""
        due = deliveries.next_due(self._journal, self._name)
        seconds = (due - self._journal.now()).total_seconds() if due else 0.0
        if 0.0 < seconds < deadline - time.monotonic():
            self._shift.linger(seconds)

    def _plan(self) -> int:
        return sum(map(self._plan_batch, planning.fresh(self._journal, self._step.entity, self._name)))

    def _plan_batch(self, fresh: Sequence[Document]) -> int:
        withdrawn = [one.key for one in fresh if one.version > 1 and self._step.withdraws(one.body)]
        reached = deliveries.reached(self._journal, self._name, withdrawn)
        wanted = [one for one in fresh if one.key in reached or self._step.wants(one.body)]
        others = [(one, 0) for one in fresh if one.key not in reached and not self._step.wants(one.body)]
        planning.plan(self._journal, self._flow, self._name, others, "cancelled")
        rows = [(one, documents.amount_of(one.body)) for one in wanted]
        return planning.plan(self._journal, self._flow, self._name, rows)

    def _batch(self, batch: Sequence[Delivery]) -> Counts:
        withdrawn = [one for one in batch if self._step.withdraws(one.document.body)]
        counts = self._versions.withdraw(withdrawn)
        parcels = self._pack([one for one in batch if not self._step.withdraws(one.document.body)], counts)
        parcels = self._versions.again(parcels, counts)
        parcels, found = self._find(parcels, counts)
        counts += self._adopt(parcels, found)
        absent = self._leave_old([parcel for parcel in parcels if parcel.key not in found])
        return counts + self._send_all(absent, lambda part: self._sink.write([one.payload for one in part]))

    def _leave_old(self, absent: Sequence[Parcel]) -> list[Parcel]:
        """Those to write: a version that a newer one has overtaken gives way, one that was sent too often waits."""
        old = self._gate.gone([one for one in absent if one.delivery.overtaken])
        worn = [one for one in absent if one.is_worn and not one.delivery.overtaken]
        with self._journal.writing() as tx:
            self._desk.settle(tx, {one.delivery.claim: Change("superseded", "已有更新的版本") for one in old})
            for one in worn:
                self._desk.hold(tx, one.delivery, "rejected", one.key, worn_out(one))
        return [one for one in absent if not one.delivery.overtaken and not one.is_worn]

    def payload(self, document: Document) -> Record | None:
        """What the mapping makes of a document; None where it skips it. Raises DataError."""
        lookup = as_of(self._lookup, day_of(document.body))
        return self._mapping.run(document.body, lookup, self._step.settings)

    def _pack(self, batch: Sequence[Delivery], counts: Counts) -> list[Parcel]:
        """Map each document; what a person must help waits, what the mapping itself skips is cancelled."""
        parcels: list[Parcel] = []
        blocked: list[tuple[Delivery, DuijieError]] = []
        dropped: dict[Claim, Change] = {}
        for one in batch:
            try:
                payload = self.payload(one.document)
                if payload is None:
                    dropped[one.claim] = Change("cancelled", "映射规则跳过")
                else:
                    parcels.append(self._parcel(one, payload))
            except (DataError, ConnectorFault) as error:
                blocked.append((one, error))
        self._block(blocked, dropped)
        counts["waiting"] += len(blocked)
        return parcels

    def _parcel(self, one: Delivery, payload: Record) -> Parcel:
        key = shielded(self._name, lambda: answers.key(self._sink.key_of(payload)))
        figures = shielded(self._name, lambda: dict(self._sink.figures_of(payload)))
        return Parcel(one, payload, key, figures, shielded(self._name, lambda: self._marks(payload)))

    def _marks(self, payload: Record) -> Rows[str, str]:
        return dict(self._sink.marks_of(payload)) if isinstance(self._sink, Marking) else {}

    def _block(self, blocked: Sequence[tuple[Delivery, DuijieError]], dropped: Rows[Claim, Change]) -> None:
        if not blocked and not dropped:
            return
        with self._journal.writing() as tx:
            self._desk.settle(tx, dropped)
            for one, error in blocked:
                after = "unknown" if one.before == "unknown" else "blocked"
                if self._desk.settle(tx, {one.claim: Change(after, error.zh, retry_in=60.0)}):
                    key, mapping = one.document.key, self._mapping.name
                    finding = work.finding_of(error, self._name, key, mapping, self._step.connection)
                    work.open_instead(tx, self._journal, self._flow, finding, self._name, held(one))

    def _find(self, parcels: list[Parcel], counts: Counts) -> tuple[list[Parcel], Rows[str, Found]]:
        """The parcels that may go on and what the target holds of them; the others are put back as they were."""
        found, unanswered = look_up(self._name, self._sink, [one for one in parcels if self._must_ask(one)])
        if not unanswered:
            return parcels, found
        self._put_back(unanswered)
        counts["postponed"] += len(unanswered)
        self._failed = self._failed or next((one.error for one in unanswered if isinstance(one.error, Terminal)), None)
        held = {one.parcel.delivery.id for one in unanswered}
        return [one for one in parcels if one.delivery.id not in held], found

    def _must_ask(self, parcel: Parcel) -> bool:
        if self._is_restored and self._sink.safety is not Safety.ABSOLUTE:
            return True
        return parcel.delivery.before == "unknown" or self._sink.safety is Safety.LOOKUP

    def _put_back(self, unanswered: Sequence[Unanswered]) -> None:
        settled = {
            one.parcel.delivery.claim: Change(one.parcel.delivery.before, one.error.zh, retry_in=one.pause)
            for one in unanswered
        }
        deliveries.settle(self._journal, "claimed", settled)

    def _adopt(self, parcels: Sequence[Parcel], found: Rows[str, Found]) -> Counts:
        """Settle what the target already holds: the same figures and marks are done, others are a conflict."""
        counts: Counts = Counter()
        with self._journal.writing() as tx:
            for parcel in (parcel for parcel in parcels if parcel.key in found):
                there = found[parcel.key]
                if not unlike(parcel, there):
                    why = "查询确认: 目标系统已有该单据"
                    change = done(parcel, there.native_id, there.native_no, there.raw, why)
                    self._desk.settle(tx, {parcel.delivery.claim: change})
                    self._desk.release(tx, [parcel])
                    self._gate.ended(tx, [(parcel, Done(there.native_id, there.native_no))])
                    counts["confirmed"] += 1
                elif self._sink.safety is Safety.ABSOLUTE:
                    after = "superseded" if parcel.delivery.overtaken else "pending"
                    self._desk.settle(tx, {parcel.delivery.claim: Change(after, "目标数值已旧, 重写最新值")})
                else:
                    self._desk.hold(tx, parcel.delivery, "conflict", parcel.key, conflict(parcel, there))
                    counts["waiting"] += 1
        return counts

    def _send_all(self, parcels: Sequence[Parcel], write: Write) -> Counts:
        """As many as the gate lets through; it puts back the others."""
        counts: Counts = Counter()
        for part in self._gate.let(parcels, max(self._sink.batch, 1), counts):
            counts += self._send(part, write)
        return counts

    def _send(self, parcels: Sequence[Parcel], write: Write) -> Counts:
        """Commit `sent`, then let the calls leave, then settle each outcome."""
        stamp = f"{self._mapping.name}@{self._mapping.version}"
        marked = {
            one.delivery.claim: Change(
                "sent", target_key=one.key, mapping=stamp, payload_hash=codec.digest(one.payload)
            )
            for one in parcels
        }
        ours = deliveries.settle(self._journal, "claimed", marked)
        mine = [one for one in parcels if one.delivery.claim in ours]
        ended = [given_up(one, outcome) for one, outcome in zip(mine, self._written(mine, write), strict=True)]
        counts: Counts = Counter(overtaken=len(parcels) - len(mine))
        with self._journal.writing() as tx:
            self._keep(tx, list(zip(mine, ended, strict=True)), counts)
        return counts

    def _written(self, parcels: Sequence[Parcel], write: Write) -> Sequence[Outcome]:
        """One outcome per parcel, whatever the connector does: what it does not tell is unknown."""
        if not parcels:
            return []
        try:
            outcomes = shielded(self._name, lambda: list(write(parcels)))
        except DuijieError as error:
            return [Unknown(error.zh, error.en)] * len(parcels)
        if len(outcomes) == len(parcels):
            return answers.proper(outcomes, [one.key for one in parcels])
        zh = f"连接器应返回 {len(parcels)} 个结果, 实返 {len(outcomes)} 个; 结果未知, 先查询"
        return [Unknown(zh, f"the sink gave {len(outcomes)} outcomes for {len(parcels)}")] * len(parcels)

    def _keep(self, tx: Transaction, ended: Sequence[tuple[Parcel, Outcome]], counts: Counts) -> None:
        passed: dict[Claim, Change] = {}
        for parcel, outcome in ended:
            change = change_of(parcel, outcome, self._sink.safety)
            counts[COUNTED[change.after]] += 1
            if isinstance(outcome, Refused):
                self._desk.hold(tx, parcel.delivery, self._desk.refusal, parcel.key, outcome.zh, before="sent")
            else:
                passed[parcel.delivery.claim] = change
        self._desk.settle(tx, passed, "sent")
        self._desk.release(tx, [parcel for parcel, outcome in ended if isinstance(outcome, Done)])
        self._gate.ended(tx, ended)
