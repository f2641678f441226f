"""Writing to 发票SDK so that no invoice is issued twice, although the platform cannot be asked by our serial.

Every payload is noted before its call leaves (`memory`). After a lost answer a blue invoice is sent again only where
the operator has confirmed that the vendor issues one invoice a serial (setting `deduplicates`): then with the very
bytes that were sent before. Else a person is asked once, as after a refusal of what is sent again: it says nothing of
the first call. A red form and a red invoice are looked up in the list of forms, where its fields have been set; the
bureau lets a blue invoice have one open form, and a form one red invoice. A form that was there before ours was asked
for, or that another application of ours has, is never taken for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import ClassVar

from connectors.taxinvoice.client import Client
from connectors.taxinvoice.forms import Forms
from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import AnswerLost, CredentialError, DuijieError, OutcomeUnknown, Terminal, VendorRejected
from duijie.connect.invoicing import marks
from duijie.connect.memory import Kept, Memory
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side


class SerialSink(ABC):
    """A payload is {"key", "gross", "tax", "form"}: our number, the figures, and the fields of the call."""

    name: str
    entity: str
    safety: Safety
    batch = 50
    path: ClassVar[str]
    number: ClassVar[str]  # the field of the answer that says it was done

    def __init__(self, client: Client, memory: Memory) -> None:
        self._client = client
        self._memory = memory

    def key_of(self, payload: Record) -> str:
        """Our number."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan."""
        return {"gross": Decimal(payload["gross"]), "tax": Decimal(payload["tax"])}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Nothing beside the figures."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What is known of these numbers, once what is in doubt has been settled as far as it can be."""
        settled = zip(keys, side_by_side(self._settled, list(keys)), strict=True)
        return {key: self._found(kept) for key, kept in settled if kept is not None}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per payload, in order; a number that has its answer already is not sent again."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._once, payload)), payloads)

    @abstractmethod
    def _fields(self, form: Record) -> Record:
        """The form with what the connection adds to it."""

    @abstractmethod
    def _looked_up(self, key: str, kept: Kept) -> Kept | None:
        """What became of a number in doubt; None: certainly nothing, or not to be known."""

    @abstractmethod
    def _may_repeat(self) -> bool:
        """Whether a number in doubt may be sent again without asking a person."""

    def _settled(self, key: str) -> Kept | None:
        kept = self._memory.kept(key)
        if kept is None or not kept.is_doubtful:
            return kept if kept is not None and kept.answer else None
        self._memory.ended(key, "doubt")
        return self._looked_up(key, kept)

    def _once(self, payload: Record) -> Done:
        key = self.key_of(payload)
        before = self._memory.begin(key, payload)
        if (before.answer or before.is_doubtful) and codec.digest(before.payload) != codec.digest(payload):
            raise VendorRejected(
                f"流水号 {key} 已以其他内容发送过, 不会再发; 请在电子税务局核对该票, 需更正请红冲后另开",
                en=f"{key} was sent with other content before; check it at the bureau",
                code="taxinvoice:changed",
                where=key,
            )
        if before.answer:
            return self._done(before)
        return self._done(self._again(key, payload) if before.is_doubtful else self._sent(key, payload))

    def _again(self, key: str, payload: Record) -> Kept:
        """What is in doubt, sent again where that is safe. A refusal leaves the doubt to a person."""
        self._memory.ended(key, "doubt")
        why = "平台不能按流水号查询"
        if self._may_repeat():
            try:
                return self._sent(key, payload)
            except Terminal as error:
                if isinstance(error, CredentialError):
                    raise
                why = f"以相同内容重发被拒绝 ({error.zh})"
        self._memory.ended(key, "told")
        raise VendorRejected(
            f"{key} 的应答丢失, {why}, 可能已开出; 请在电子税务局按购方与金额核对: 已开出则关闭本待处理, 未开出则重放",
            en=f"the answer for {key} was lost and what became of it is not told; check at the bureau, then replay",
            code="taxinvoice:doubt",
            where=key,
        )

    def _sent(self, key: str, payload: Record) -> Kept:
        """Send the bytes of a noted payload. A definite refusal of a first call frees the number."""
        try:
            told = self._client.call(self.path, self._fields(payload["form"]))
            if not isinstance(told, dict) or not told.get(self.number):
                raise AnswerLost(
                    f"{self.path} 应答成功却没有 {self.number}, 结果未知; 不会以新流水号重发",
                    en=f"{self.path} answered without {self.number}; the outcome is unknown",
                    where=key,
                )
        except OutcomeUnknown:
            self._memory.ended(key, "doubt")
            raise
        except DuijieError:
            self._memory.ended(key, "refused")
            raise
        return self._memory.answered(key, told)

    def _done(self, kept: Kept) -> Done:
        return Done(str(kept.answer[self.number]), str(kept.answer[self.number]), kept.answer)

    def _found(self, kept: Kept) -> Found:
        number = str(kept.answer[self.number])
        return Found(number, number, self.figures_of(kept.payload), kept.answer, self.marks_of(kept.payload))


class RequestSink(SerialSink):
    """blueTicket: the invoice is issued when the answer comes."""

    name, entity = "invoice_request", "invoice_request"
    safety = Safety.TOKEN
    path, number = "blueTicket", "Fphm"

    def __init__(self, client: Client, memory: Memory, deduplicates: bool) -> None:
        super().__init__(client, memory)
        self._deduplicates = deduplicates

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Buyer and lines."""
        form = payload["form"]
        lines = ((line["spmc"], Decimal(line["je"]), Decimal(line["se"])) for line in form["fyxm"])
        return marks(form["ghdwmc"], form.get("ghdwsbh", ""), lines)

    def _once(self, payload: Record) -> Done:
        if payload.get("special"):
            raise VendorRejected(
                f"发票SDK没有公开特定业务 ({payload['special']}) 的字段, 未发送; 请在电子税务局开具, 或改用其他平台",
                en=f"no fields are documented for the special business {payload['special']}; issue it elsewhere",
                code="taxinvoice:special",
                where=self.key_of(payload),
            )
        return super()._once(payload)

    def _fields(self, form: Record) -> Record:
        return {**form, **self._client.seller, "username": self._client.username}

    def _may_repeat(self) -> bool:
        return self._deduplicates

    def _looked_up(self, key: str, kept: Kept) -> Kept | None:
        """The answer to the same bytes sent again, where that is safe. Raises errors of the tree."""
        if not self._deduplicates:
            return None
        try:
            return self._sent(key, kept.payload)
        except VendorRejected:
            return None


class RedSink(SerialSink):
    """retMsg, then hzxxbsq: a red form is begun. An empty `fyxm` stays out of the call: the whole blue is reversed."""

    name, entity = "red_request", "red_request"
    safety = Safety.NATURAL_KEY
    path, number = "hzxxbsq", "xxbbh"

    def __init__(self, client: Client, memory: Memory, forms: Forms, before: Memory, owners: Memory) -> None:
        super().__init__(client, memory)
        self._forms = forms
        self._before = before
        self._owners = owners

    def _fields(self, form: Record) -> Record:
        told = {name: value for name, value in form.items() if value != []}
        return {**told, "username": self._client.username}

    def _may_repeat(self) -> bool:
        return self._forms.are_readable

    def _sent(self, key: str, payload: Record) -> Kept:
        form = payload["form"]
        asked = {"nsrsbh": form["xhdwsbh"], "fphm": form["yfphm"], "sqyy": form["sqyy"]}
        try:
            self._client.read("retMsg", {**asked, "username": self._client.username, "xhdwsbh": form["xhdwsbh"]})
            self._note_those_there(key, form["yfphm"])
        except DuijieError:
            self._memory.ended(key, "refused")
            raise
        kept = super()._sent(key, payload)
        self._is_ours(str(kept.answer["xxbbh"]), key)
        return kept

    def _note_those_there(self, key: str, blue: str) -> None:
        """The blue's forms before ours is asked for the first time."""
        kept = self._memory.kept(key)
        if self._forms.are_readable and kept is not None and kept.state == "sent":
            there = [row["xxbbh"] for row in self._forms.lately() if row.get("yfphm") == blue]
            self._before.answered(key, {"forms": there})

    def _is_ours(self, form_no: str, key: str) -> bool:
        """The form belongs to this application: it has it, or nobody had it and it has it now."""
        return self._owners.begin(form_no, {"key": key}).payload == {"key": key}

    def _looked_up(self, key: str, kept: Kept) -> Kept | None:
        """The new form of the same blue and the same amounts that no other has. Raises errors of the tree."""
        if not self._forms.are_readable:
            return None
        before = self._before.kept(key)
        there = before.answer["forms"] if before else ()
        for row in self._forms.lately():
            fits = row["xxbbh"] not in there and self._fits(row, kept.payload)
            if fits and self._is_ours(str(row["xxbbh"]), key):
                return self._memory.answered(key, {"xxbbh": row["xxbbh"]})
        self._memory.cleared(key)
        return None

    def _fits(self, row: Record, payload: Record) -> bool:
        if row.get("yfphm") != payload["form"]["yfphm"] or self._forms.is_void(row):
            return False
        is_same_reason = str(row.get("chyydm") or payload["form"]["chyydm"]) == payload["form"]["chyydm"]
        return is_same_reason and self._forms.figures(row) == self.figures_of(payload)


class IssueSink(SerialSink):
    """hzfpkj: the red invoice of a confirmed form, issued when the answer comes. A form makes one."""

    name, entity = "red_issue", "red_issue"
    safety = Safety.NATURAL_KEY
    path, number = "hzfpkj", "Fphm"

    def __init__(self, client: Client, memory: Memory, forms: Forms, of_form: Memory) -> None:
        super().__init__(client, memory)
        self._forms = forms
        self._of_form = of_form

    def _fields(self, form: Record) -> Record:
        return {**form, "username": self._client.username}

    def _may_repeat(self) -> bool:
        return True

    def _sent(self, key: str, payload: Record) -> Kept:
        return self._noted(super()._sent(key, payload))

    def _looked_up(self, key: str, kept: Kept) -> Kept | None:
        """The red number in the list of forms. Raises errors of the tree."""
        if not self._forms.are_readable:
            return None
        row = self._forms.by_number(kept.payload["form"]["tzdbh"])
        if row is None or not row.get("hzfphm"):
            return None
        return self._noted(self._memory.answered(key, {"Fphm": row["hzfphm"]}))

    def _noted(self, kept: Kept) -> Kept:
        self._of_form.answered(kept.payload["form"]["tzdbh"], kept.answer)
        return kept
