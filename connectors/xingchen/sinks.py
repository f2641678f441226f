"""Sinks of 金蝶AI星辰: save, look up, change, take back.

A save without `id` always creates, and a used number is refused; with `id` it changes. Bills are audited in the same
call (`operation_key`). Whether a bill that cannot be audited (可用量不足) is kept is written nowhere, so that being
audited is compared as well. An audited bill refuses changes, so it is un-audited first. Sources: 金蝶开放平台, the save
of each kind; "通用批量操作".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial

from connectors.xingchen.catalogue import LINES, Save
from connectors.xingchen.client import Client, before_writing
from connectors.xingchen.lists import Reading, by_id
from connectors.xingchen.names import Names, with_ids
from connectors.xingchen.streams import MISSING, Shelf, if_there
from duijie.codec import Record
from duijie.connect.errors import AlreadyThere, AnswerLost, DuijieError, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome
from duijie.connect.retry import side_by_side

OPERATE = "/jdy/v2/sys/common_operate"
AUDITED = "C"
SHOWN = ("id", "number", "bill_no", "name", "bill_date", "bill_status", "customer_number", "total_amount")


class Documents:
    """One kind of document, known by its number."""

    batch = 50

    def __init__(self, save: Save, client: Client, reading: Reading) -> None:
        self.name = save.name
        self.entity = save.entity
        self.safety = save.safety
        self._save = save
        self._client = client
        self._shelf = Shelf(client, reading, save.kind)

    def key_of(self, payload: Record) -> str:
        """The number."""
        return str(payload[self._save.kind.number])

    def figures_of(self, payload: Record) -> Figures:
        """What `catalogue` says is compared; of a bill `audited` as well, which is 1."""
        return {**self._save.figures(payload), **self._audited(AUDITED)}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Documents by number, each asked for alone: no list takes several."""
        found = side_by_side(self._found, keys)
        return {one.native_no: one for one in found if one}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Save each document, a bill audited."""
        names = self._names()
        return side_by_side(lambda payload: self._outcome(partial(self._create, payload, names)), payloads)

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Un-audit and delete each document, which undoes what it moved or reserved; one that is gone is done.

        The vendor refuses what others are built on (an order that goods were delivered of, a product in use): then a
        person must.
        """
        pairs = list(zip(payloads, native_ids, strict=True))
        return side_by_side(lambda pair: self._outcome(partial(self._take_back, *pair)), pairs)

    def _outcome(self, call: partial[Done]) -> Outcome:
        return self._client.retrier.outcome(call)

    def _names(self) -> Names:
        return Names(self._client, self._shelf.reading)

    def _found(self, number: str) -> Found | None:
        held = self._shelf.whole(number)
        if held is None:
            return None
        shown = {name: held[name] for name in SHOWN if name in held}
        return Found(by_id(held), number, self._stands(held), shown)

    def _stands(self, held: Record) -> Figures:
        return {**self._save.figures(held), **self._audited(held.get("bill_status"))}

    def _audited(self, status: object) -> dict[str, Decimal]:
        return {"audited": Decimal(status == AUDITED)} if self._save.kind.is_bill else {}

    def _create(self, payload: Record, names: Names) -> Done:
        """Save. Raises AlreadyThere for any refusal of a number that is there: the vendor's words for it vary."""
        prepared = self._prepared(payload, names)
        try:
            return self._done(self._client.post(self._save.kind.path, prepared), self.key_of(payload))
        except VendorRejected as error:
            if error.code == MISSING or self._shelf.whole(self.key_of(payload)) is None:
                raise
            raise already_there(self.key_of(payload), error) from error

    def _prepared(self, payload: Record, names: Names) -> Record:
        save = self._save
        made = before_writing(lambda: with_ids(payload, names, save.references, save.source), "对照资料")
        return {**made, "operation_key": "audit"} if save.kind.is_bill else made

    def _done(self, data: Record, number: str) -> Done:
        native_id = saved_id(data, number)
        return Done(native_id, str((data.get("id_number_map") or {}).get(native_id, number)), data)

    def _take_back(self, payload: Record, native_id: str) -> Done:
        kind = self._save.kind
        number = str(payload.get(kind.number) or self._number_of(native_id))
        held = self._shelf.row(number) if kind.is_bill else self._shelf.whole(number)
        if held is None or by_id(held) != native_id:
            return Done(native_id, number)
        if held.get("bill_status") == AUDITED:
            self._operate("unaudit", native_id)
        return Done(native_id, number, self._operate("delete", native_id))

    def _number_of(self, native_id: str) -> str:
        """The number of what has this id; the id itself where it is gone."""
        kind = self._save.kind
        held = if_there(lambda: self._client.get(kind.detail, {"id": native_id}))
        return str(held[kind.number]) if held else native_id

    def _operate(self, operation: str, native_id: str) -> Record:
        asked = {"entity_number": self._save.kind.entity, "operate_type": operation, "ids": [native_id]}
        return self._client.post(OPERATE, asked)


class Changeable(Documents):
    """Documents that a save with `id` changes."""

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Un-audit, save under its id, audit; where that is refused the old one is audited, as far as that can be had.

        Refused also where what stands there afterwards is not what was sent.
        """
        names = self._names()
        pairs = list(zip(payloads, native_ids, strict=True))
        return side_by_side(lambda pair: self._outcome(partial(self._change, *pair, names)), pairs)

    def _change(self, payload: Record, native_id: str, names: Names) -> Done:
        held = before_writing(lambda: self._client.get(self._save.kind.detail, {"id": native_id}), "现有单据")
        prepared = {**self._prepared(payload, names), "id": native_id}
        if LINES in prepared:
            prepared[LINES] = _in_place(prepared[LINES], held[LINES])
        if held.get("bill_status") == AUDITED:
            self._operate("unaudit", native_id)
        try:
            done = self._done(self._client.post(self._save.kind.path, prepared), self.key_of(payload))
        except VendorRejected:
            self._audited_again(native_id)
            raise
        self._must_stand(payload, native_id)
        return done

    def _audited_again(self, native_id: str) -> None:
        """Whatever it was when this attempt began: an attempt before may have un-audited it."""
        if self._save.kind.is_bill:
            with suppress(DuijieError):  # why the change was refused must not give way to this
                self._operate("audit", native_id)

    def _must_stand(self, payload: Record, native_id: str) -> None:
        """What becomes of lines that an update leaves out is not documented: the figures are read again."""
        there = self._stands(self._client.get(self._save.kind.detail, {"id": native_id}))
        if dict(there) != dict(self.figures_of(payload)):
            raise VendorRejected(
                f"单据 {self.key_of(payload)} 改写后的合计与所发不符 (金蝶 {_told(there)}), 请在金蝶中核对该单并更正",
                en=f"after the update {self.key_of(payload)} stands at {_told(there)}; check and correct it",
                code="xingchen:differs",
                where=self.key_of(payload),
            )


def saved_id(data: Record, number: str) -> str:
    """The id in the answer to a save. Raises AnswerLost where there is none: it may have been saved."""
    if data.get("ids"):
        return str(data["ids"][0])
    raise AnswerLost(
        f"金蝶保存 {number} 的应答没有单据 id, 结果未知; 先查询再决定是否重发",
        en=f"the answer to saving {number} holds no id; it will be looked up",
        code="xingchen:no-id",
        where=number,
    )


def already_there(number: str, error: DuijieError) -> AlreadyThere:
    """A refusal to save what turns out to be there, whatever it was called."""
    return AlreadyThere(
        f"编号 {number} 在金蝶中已存在, 保存被拒绝 ({error.zh}); 先查询再决定",
        en=f"{number} is there already, so saving it was refused ({error.en}); looking it up",
        code=error.code,
        where=number,
    )


def _in_place(lines: Sequence[Record], held: Sequence[Record]) -> list[Record]:
    """Each line under the id of the line in its place, so that it changes that one; further ones are new."""
    ids = [by_id(line) for line in held]
    return [{**line, "id": ids[place]} if place < len(ids) else line for place, line in enumerate(lines)]


def _told(figures: Figures) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())
