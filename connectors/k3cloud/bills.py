"""Writing base data and bills whose number is ours: Save, then as far along their life as the connection says.

FBillNo and FNumber are unique: the server refuses a second one ("编码唯一" or "已存在"). What is there, or may be there
after a lost answer, is looked up by its number and compared. `ValidateRepeatJson` refuses the same JSON before that;
whether it still does once the bill was deleted is not documented, so that a refusal with nothing under the number is
followed by a Save without it. Where we take documents further than Save, how far one has come is compared as well, so
that one that is saved and stuck is told to a person. Source: 金蝶云星空 WebAPI "保存".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

from connectors.k3cloud.forms import Form
from connectors.k3cloud.life import LifeCycle
from connectors.k3cloud.lists import Reader
from connectors.k3cloud.queries import some_of
from duijie.codec import Record
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    CredentialError,
    DuijieError,
    OutcomeUnknown,
    Transient,
    VendorRejected,
)
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

WORKERS = 4
CENT = Decimal("0.01")
ZERO = Decimal(0)
REPEATED = "k3cloud:repeat"
GUARD = {"ValidateRepeatJson": True}
GOALS = {"save": 0, "submit": 1, "audit": 2}
STAGES = {"B": 1, "C": 2}
STUCK = (VendorRejected, Transient, CredentialError)


class FormSink:
    """Save of one form. A payload is its Model. `goal`: how far a document goes, one of save, submit, audit."""

    safety = Safety.NATURAL_KEY
    batch = 20

    def __init__(self, reader: Reader, form: Form, goal: str) -> None:
        self._reader = reader
        self._form = form
        self._goal = goal
        self._life = LifeCycle(reader.client, reader.retrier, form.form_id, form.key)
        self.name = form.name
        self.entity = form.entity

    def key_of(self, payload: Record) -> str:
        """The number."""
        return str(payload[self._form.number])

    def figures_of(self, payload: Record) -> Figures:
        """Of a bill gross: 价税合计 in yuan, as the server will compute it, and qty; of all `stage` where it goes on.

        stage: 1 submitted, 2 audited; absent where we only save.
        """
        return {**self._sums(payload), **self._stage("C")}

    def _sums(self, payload: Record) -> dict[str, Decimal]:
        if not self._form.is_bill:
            return {}
        lines = payload[self._form.entry]
        return {
            "gross": sum((_cents(line["FTaxPrice"], line[self._form.quantity]) for line in lines), ZERO),
            "qty": sum((Decimal(line[self._form.quantity]) for line in lines), ZERO),
        }

    def _stage(self, status: str) -> dict[str, Decimal]:
        """How far a document of this status is on the way to our goal; beyond it counts as at it."""
        goal = GOALS[self._goal]
        return {"stage": Decimal(min(STAGES.get(status, 0), goal))} if goal else {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By number, whatever the organisation; the oldest where base data has it in several."""
        found: dict[str, Found] = {}
        for condition in some_of(self._form.number, keys):
            for page in self._reader.records(self._form, condition):
                for record in page:
                    found.setdefault(str(record[self._form.number]), self._found(record))
        return {key: found[key] for key in keys if key in found}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One Save each, side by side."""
        return side_by_side(lambda one: self._outcome(partial(self._save, one)), payloads, WORKERS)

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Save under the native id; lines are replaced. What we take no further than Save must not be audited yet."""
        pairs = list(zip(payloads, native_ids, strict=True))
        return side_by_side(lambda pair: self._outcome(partial(self._change, *pair)), pairs, WORKERS)

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Un-audit, take back from review, delete, as far as each is needed."""
        return side_by_side(lambda one: self._outcome(partial(self._delete, one)), native_ids, WORKERS)

    def _outcome(self, call: Callable[[], Done]) -> Outcome:
        return self._reader.retrier.outcome(call)

    def _save(self, payload: Record) -> Done:
        try:
            made = self._sent(payload, GUARD)
        except OutcomeUnknown as error:
            held = self._there(payload, error)
            if held:
                return self._adopted(held)
            made = self._sent(payload, {})
        return self._finished_or_undone(made)

    def _there(self, payload: Record, error: OutcomeUnknown) -> Found | None:
        """What stands under the number after this error, if its sums are ours; None: a deleted one. Raises why not."""
        key = self.key_of(payload)
        held = self._looked_up(key, error)
        if held is None and error.code == REPEATED:
            return None
        if held is None and isinstance(error, AlreadyThere):
            raise VendorRejected(error.zh, en=error.en, code=error.code, where=key)
        if held is None or {**held.figures, "stage": ZERO} != {**self.figures_of(payload), "stage": ZERO}:
            raise error
        return held

    def _looked_up(self, key: str, error: OutcomeUnknown) -> Found | None:
        try:
            return self.find([key]).get(key)
        except DuijieError:
            raise error from None

    def _change(self, payload: Record, native_id: str) -> Done:
        if self._goal != "save":
            self._life.reach(native_id, "edit")
        try:
            made = self._sent({self._form.key: int(native_id), **payload}, {})
        except DuijieError:
            with suppress(DuijieError):  # what was there before stays what it was, as far as that can be had
                self._life.reach(native_id, self._goal)
            raise
        return self._finished(made)

    def _delete(self, native_id: str) -> Done:
        self._life.reach(native_id, "gone")
        return Done(native_id, "")

    def _finished(self, made: Done) -> Done:
        if self._goal != "save":
            self._life.reach(made.native_id, self._goal)
        return made

    def _adopted(self, held: Found) -> Done:
        """What stood there goes on with its life; it is never taken back, so that what stops it leaves it there."""
        made = Done(held.native_id, held.native_no, held.raw)
        try:
            return self._finished(made)
        except STUCK as error:
            raise _stuck(made, error) from error

    def _finished_or_undone(self, made: Done) -> Done:
        """A document of ours that cannot be taken as far as it should go is none: Refused and Later mean not there."""
        try:
            return self._finished(made)
        except STUCK as trouble:
            self._undone(made, trouble)
            raise

    def _undone(self, made: Done, trouble: DuijieError) -> None:
        try:
            self._life.reach(made.native_id, "gone")
        except DuijieError as error:
            raise _stuck(made, trouble) from error

    def _sent(self, model: Record, options: Record) -> Done:
        result = self._reader.client.form("Save", self._form.form_id, {**options, "Model": model})
        return Done(str(result["Id"]), str(result.get("Number") or self.key_of(model)), result)

    def _found(self, record: Record) -> Found:
        native_id, number = str(record[self._form.key]), str(record[self._form.number])
        return Found(native_id, number, {**self._held(record), **self._stage(str(record["FDocumentStatus"]))}, record)

    def _held(self, record: Record) -> dict[str, Decimal]:
        if not self._form.is_bill:
            return {}
        lines = record[self._form.entry]
        return {
            "gross": sum((Decimal(line["FAllAmount"]) for line in lines), ZERO),
            "qty": sum((Decimal(line[self._form.quantity]) for line in lines), ZERO),
        }


def _stuck(made: Done, trouble: DuijieError) -> AnswerLost:
    """A document that is saved and stands where it should not stay: it will be looked up, and a person told."""
    return AnswerLost(
        f"{trouble.zh}。单据 {made.native_no} 已保存, 未能走到设定的状态, 也未撤回; 请在星空中核对该单, 处理后重放",
        en=f"{trouble.en}; {made.native_no} is saved, stuck and not taken back; look at it there, then replay",
        code=trouble.code,
        where=made.native_no,
    )


def _cents(price: Any, quantity: Any) -> Decimal:
    return (Decimal(price) * Decimal(quantity)).quantize(CENT, ROUND_HALF_UP)
