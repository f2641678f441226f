"""The gate of a route into a platform that issues invoices: approvals, the credit line, and what may be there already.

A number whose outcome is unknown is asked for by that number. "Not found" is believed for good only when it has lasted
the grace time: until then nothing but the same bytes may leave under it again, and never anything under another number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection as Transaction
from sqlalchemy import func, select

from duijie import codec
from duijie.connect.invoicing import Invoicing
from duijie.connect.protocol import Halt, Outcome, Refused
from duijie.desk import Desk
from duijie.invoicing import approvals, asks, attempts, credit, halts
from duijie.invoicing.gate import Gate
from duijie.invoicing.halts import Stop
from duijie.invoicing.rules import LifeRules
from duijie.journal import bulk, documents
from duijie.journal.deliveries import Change, Delivered
from duijie.journal.tables import delivery_event
from duijie.parcels import Parcel

BLUE = "invoice_request"
KNOWN_FOR = timedelta(hours=2)
WAITS_FOR_GRACE = "结果未知且内容已变: 满 {minutes} 分钟仍查不到才会以新内容发出"
OVERTAKEN = "结果未知且已有更新的版本: 满 {minutes} 分钟仍查不到才会发出新版本"
OTHER_NUMBER = (
    "单号由 {before} 变为 {now}, 而 {before} 的结果仍未知; 以新单号发出可能重复开票。"
    "请在平台查询 {before}: 已受理则关闭本待处理, 未受理则恢复映射的单号后重放"
)
Counts = Counter[str]


class InvoiceGate(Gate):
    """`system` is the connection, which may be an `Invoicing`."""

    def __init__(self, desk: Desk, rules: LifeRules, system: object) -> None:
        super().__init__(desk, rules.patience)
        self._rules = rules
        self._system = system

    def failed(self, parcel: Parcel, before: Delivered) -> str:
        """A request whose invoice the platform has failed counts for nothing: the new version gets a new number."""
        with self.desk.journal.reading() as tx:
            last = attempts.of(tx, self.desk.name, before.target_key)
        if last is None or not (last.state == "waiting" or self._has_left(parcel, last.new_key)):
            return ""
        return f"平台已将 {before.target_key} 判为开票失败, 更正后的内容以新单号重新申请"

    def gone(self, absent: Sequence[Parcel]) -> list[Parcel]:
        """Not found counts after the grace time only: until then no newer version may take the place of an unknown."""
        doubtful = [one for one in absent if one.delivery.before == "unknown"]
        with self.desk.journal.writing() as tx:
            early = self._early(tx, doubtful)
            why = OVERTAKEN.format(minutes=self._rules.grace_minutes)
            self.desk.settle(tx, {one.delivery.claim: Change("unknown", why, retry_in=60.0) for one in early})
        return [one for one in absent if one not in early]

    def _early(self, tx: Transaction, doubtful: Sequence[Parcel]) -> list[Parcel]:
        """Those that left within the grace time."""
        left = _last_sent(tx, [one.delivery.id for one in doubtful])
        until = self.desk.journal.now() - self._rules.grace
        return [one for one in doubtful if left.get(one.delivery.id, until) > until]

    def _has_left(self, parcel: Parcel, new_key: str) -> bool:
        """Whether this very content was taken over into the request under the new number."""
        made = documents.get(self.desk.journal, BLUE, new_key) if new_key else None
        body = parcel.delivery.document.body
        return made is not None and made.body == {**body, "key": new_key, "request_no": new_key}

    def ended(self, tx: Transaction, ended: Sequence[tuple[Parcel, Outcome]]) -> None:
        """A request that was not taken gives its amount back."""
        super().ended(tx, ended)
        gone = [parcel.key for parcel, outcome in ended if isinstance(outcome, Refused | Halt)]
        credit.give_back(tx, self.desk.journal, self.desk.step.connection, gone)

    def _allowed(self, parcels: Sequence[Parcel], counts: Counts) -> list[Parcel]:
        return self._agreed(self._settled(parcels, counts), counts)

    def _settled(self, parcels: Sequence[Parcel], counts: Counts) -> list[Parcel]:
        """Without those that may be at the platform under other bytes, or under another number."""
        doubtful = [one for one in parcels if one.delivery.before == "unknown" and _is_other(one)]
        if not doubtful:
            return list(parcels)
        with self.desk.journal.writing() as tx:
            early = self._early(tx, doubtful)
            renamed = [one for one in doubtful if one not in early and one.key != one.delivery.target_key]
            why = WAITS_FOR_GRACE.format(minutes=self._rules.grace_minutes)
            self.desk.settle(tx, {one.delivery.claim: Change("unknown", why, retry_in=60.0) for one in early})
            for one in renamed:
                said = OTHER_NUMBER.format(before=one.delivery.target_key, now=one.key)
                self.desk.hold(tx, one.delivery, "conflict", one.delivery.target_key, said)
        counts["postponed"] += len(early)
        counts["waiting"] += len(renamed)
        return [one for one in parcels if one not in early and one not in renamed]

    def _agreed(self, parcels: list[Parcel], counts: Counts) -> list[Parcel]:
        """Without those that a person must agree to first: by the rules, or because somebody asked for it."""
        entity = self.desk.step.entity
        said = approvals.decided(self.desk.journal, entity, [one.delivery.document for one in parcels])
        asked = [
            one
            for one in parcels
            if one.delivery.document.key in said or approvals.needed(entity, one.delivery.document, self._rules)
        ]
        waits = [one for one in asked if said.get(one.delivery.document.key) != "approved"]
        if not waits:
            return parcels
        with self.desk.journal.writing() as tx:
            for one in waits:
                if said.get(one.delivery.document.key) == "refused":
                    self.desk.settle(tx, {one.delivery.claim: Change("cancelled", "审批未通过, 不发出")})
                else:
                    approvals.ask(tx, self.desk, one.delivery, self._rules.approve_over.get(entity))
        counts["waiting"] += len(waits)
        return [one for one in parcels if one not in waits]

    def _covered(self, parcels: list[Parcel]) -> list[Parcel]:
        """The first so many that the credit line covers, as far as the platform tells it."""
        line = self._line()
        if line is None:
            return parcels
        wanted = [(one.key, documents.fen(one.delivery.document.body["net"])) for one in parcels]
        number, left = credit.take(self.desk.journal, self.desk.step.connection, line, wanted)
        if number == 0:
            said = "授信额度不足, 未发出"
            stop = Stop("credit", said, needed=wanted[0][1], available=left)
            with self.desk.journal.writing() as tx:
                halts.park(tx, self.desk.journal, self.desk.name, stop)
        return parcels[:number]

    def _line(self) -> asks.Known | None:
        """The credit line of this month; asked for where what is known has grown old."""
        if self.desk.step.entity != BLUE or not isinstance(self._system, Invoicing):
            return None
        journal, connection, now = self.desk.journal, self.desk.step.connection, self.desk.journal.now()
        line = asks.known(journal, connection, "credit")
        if line is None or now - line.at > KNOWN_FOR or not line.is_of(now):
            asks.credit(journal, connection, self._system, KNOWN_FOR / 4, self._rules)
            line = asks.known(journal, connection, "credit")
        return line if line is not None and line.available is not None and line.is_of(now) else None


def _is_other(parcel: Parcel) -> bool:
    was = parcel.delivery
    renamed = bool(was.target_key) and was.target_key != parcel.key
    return renamed or (bool(was.payload_hash) and was.payload_hash != codec.digest(parcel.payload))


def _last_sent(tx: Transaction, ids: Sequence[int]) -> dict[int, datetime]:
    newest = select(delivery_event.c.delivery_id, func.max(delivery_event.c.at).label("at"))
    newest = newest.where(bulk.among(tx, delivery_event.c.delivery_id, ids), delivery_event.c.after == "sent")
    return {row.delivery_id: row.at for row in tx.execute(newest.group_by(delivery_event.c.delivery_id))}
