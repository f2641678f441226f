"""Documents that a sink has got already: what a new version changes there, and what its source has withdrawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from duijie.codec import Record
from duijie.connect.errors import DataError
from duijie.connect.protocol import Outcome, Reversing, Safety, Sink, Updating
from duijie.desk import Desk
from duijie.difference import changes, told
from duijie.journal import deliveries
from duijie.journal.deliveries import Change, Delivered, Delivery
from duijie.journal.documents import Document
from duijie.parcels import Parcel, done, revised, withdrawn

Counts = Counter[str]
Write = Callable[[Sequence[Parcel]], Sequence[Outcome]]
Undone = Sequence[tuple[Parcel, Delivered]]


class Versions:
    """Settles versions after the first of one route.

    `send` lets calls leave, `payload` is the mapping; `failed` says why an earlier version counts for nothing at the
    target and this one leaves under another number, "" where it does not.
    """

    def __init__(
        self,
        desk: Desk,
        sink: Sink,
        payload: Callable[[Document], Record | None],
        send: Callable[[Sequence[Parcel], Write], Counts],
        failed: Callable[[Parcel, Delivered], str],
    ) -> None:
        self._desk = desk
        self._sink = sink
        self._payload = payload
        self._send = send
        self._failed = failed

    def again(self, parcels: list[Parcel], counts: Counts) -> list[Parcel]:
        """Settle those whose earlier version the target has got; the others go the way of a first one."""
        later = [one for one in parcels if one.delivery.document.version > 1]
        if not later or self._sink.safety is Safety.ABSOLUTE:
            return parcels
        before = self._delivered([one.delivery.document.key for one in later])
        again = [(one, before[one.delivery.document.key]) for one in later if one.delivery.document.key in before]
        counts += self._revise(again)
        return [one for one in parcels if one.delivery.document.key not in before]

    def _delivered(self, keys: Sequence[str]) -> dict[str, Delivered]:
        """What the target has got of these keys and has not been made to take back."""
        last = deliveries.last_done(self._desk.journal, self._desk.name, keys)
        return {key: one for key, one in last.items() if not self._desk.step.withdraws(one.document.body)}

    def _revise(self, again: Undone) -> Counts:
        counts: Counts = Counter()
        changed: list[tuple[Parcel, Delivered]] = []
        with self._desk.journal.writing() as tx:
            for parcel, before in again:
                claim = parcel.delivery.claim
                found = list(changes(self._sent(before.document), parcel.payload))
                if found and (why := self._failed(parcel, before)):
                    self._desk.settle(tx, {claim: Change("cancelled", why)})
                    counts["renewed"] += 1
                elif found and isinstance(self._sink, Updating):
                    changed.append((parcel, before))
                elif found:
                    self._desk.hold(tx, parcel.delivery, "conflict", parcel.key, revised(before, told(found)))
                    counts["waiting"] += 1
                else:
                    why = f"与已送达的第 {before.document.version} 版内容相同, 未重发"
                    self._desk.settle(tx, {claim: done(parcel, before.native_id, before.native_no, {}, why)})
                    self._desk.release(tx, [parcel])
                    counts["unchanged"] += 1
        return counts + self._update(changed)

    def _update(self, changed: Undone) -> Counts:
        sink, ids = self._sink, _ids(changed)
        if not isinstance(sink, Updating):
            return Counter()
        return self._send(
            [parcel for parcel, _ in changed],
            lambda part: sink.update(_payloads(part), native_ids=[ids[one.delivery.id] for one in part]),
        )

    def withdraw(self, batch: Sequence[Delivery]) -> Counts:
        """Take back at the target what its source has withdrawn."""
        counts: Counts = Counter()
        if not batch:
            return counts
        before = self._delivered([one.document.key for one in batch])
        gone = [one for one in batch if one.document.key not in before]
        undone: list[tuple[Parcel, Delivered]] = []
        with self._desk.journal.writing() as tx:
            why = "来源已取消, 目标系统没有有效的该单据"
            self._desk.settle(tx, {one.claim: Change("cancelled", why) for one in gone})
            for one in (one for one in batch if one.document.key in before):
                was = before[one.document.key]
                if isinstance(self._sink, Reversing):
                    undone.append((Parcel(one, self._sent(was.document), was.target_key, {}), was))
                else:
                    self._desk.hold(tx, one, "conflict", was.target_key, withdrawn(was))
                    counts["waiting"] += 1
        return counts + self._reverse(undone)

    def _reverse(self, undone: Undone) -> Counts:
        sink, ids = self._sink, _ids(undone)
        if not isinstance(sink, Reversing):
            return Counter()
        return self._send(
            [parcel for parcel, _ in undone],
            lambda part: sink.reverse(_payloads(part), native_ids=[ids[one.delivery.id] for one in part]),
        )

    def _sent(self, document: Document) -> Record:
        """What was sent of an earlier version; empty where the mapping cannot make it any more."""
        try:
            return self._payload(document) or {}
        except DataError:
            return {}


def _ids(pairs: Undone) -> dict[int, str]:
    return {parcel.delivery.id: before.native_id for parcel, before in pairs}


def _payloads(parcels: Sequence[Parcel]) -> list[Record]:
    return [one.payload for one in parcels]
