"""What every form of the 金蝶云星空 sandbox can do: save one or many, live, be viewed, be queried; how it says no."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from duijie import codec
from sandbox.k3cloud_query import QueryError, Row, compile_filter, field_keys, filter_text, sort_rows
from sandbox.store import Store

MOST_ROWS = 2000
LIFE = {
    "Submit": ("ZAD", "B"),
    "CancelAssign": ("B", "A"),
    "Audit": ("B", "C"),
    "UnAudit": ("C", "D"),
    "Delete": ("ZAD", ""),
}
STATES = {"Z": "暂存", "A": "创建", "B": "审核中", "C": "已审核", "D": "重新审核"}
EDITABLE = "ZAD"
Record = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """One refusal: field, message, and the MsgCode it belongs to."""

    field: str
    message: str
    code: int = 11


class Refusal(Exception):
    """The server says no: MsgCode and (field, message) faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults

    def envelope(self) -> Record:
        """The failure envelope."""
        return failed(self.faults[0].code, [(fault.field, fault.message, 0) for fault in self.faults])


def failed(code: int, errors: Iterable[tuple[str, str, int]]) -> Record:
    """The vendor's failure envelope; errors are (field, message, DIndex)."""
    rows = [{"FieldName": field, "Message": message, "DIndex": index} for field, message, index in errors]
    return {"Result": {"ResponseStatus": _status(code, rows, [])}}


def _status(code: int, errors: list[Record], done: list[Record]) -> Record:
    return {
        **({"ErrorCode": 500} if errors else {}),
        "IsSuccess": not errors,
        "Errors": errors,
        "SuccessEntitys": done,
        "SuccessMessages": [],
        "MsgCode": code,
    }


class Operations(ABC):
    """One call's work on one form: the store, the configuration and the server's local time.

    `form`: the collection; `label`: what people call a document; `key` and `number`: its id and number, in lower case.
    """

    form: str
    label: str
    key: str
    number: str

    def __init__(self, store: Store, config: Record, now: datetime) -> None:
        self.store = store
        self.config = config
        self.stamp = now.isoformat(timespec="milliseconds")[:23]

    def run(self, operation: str, data: Record) -> Any:
        """The answer, None for an operation this server lacks. Raises Refusal."""
        operations: dict[str, Callable[[Record], Any]] = {
            "ExecuteBillQuery": self._query,
            "Save": self._save,
            "BatchSave": self._batch_save,
            "View": self._view,
            **{name: partial(self._move, name) for name in LIFE},
        }
        return operations[operation](data) if operation in operations else None

    @abstractmethod
    def put(self, model: Record) -> Record:
        """Keep a model, new or under its id; what is kept. Raises Refusal."""

    @abstractmethod
    def known(self) -> frozenset[str]:
        """The field keys that may be asked for, in lower case."""

    @abstractmethod
    def flat(self, asked: set[str]) -> list[Row]:
        """One row per record; one per line when a field of the lines is asked for."""

    def slot(self, kept: Record) -> str:
        """Under what key a record lies in its collection."""
        return str(kept[self.key])

    def stepping(self, step: str, kept: Record, data: Record) -> Sequence[Fault]:
        """What a step of its life does beyond the status, or why it may not be taken."""
        return ()

    def stamped(self, step: str) -> Record:
        """The times that a step of its life leaves."""
        return {"fmodifydate": self.stamp}

    def _save(self, data: Record) -> Record:
        mark = self._unrepeated(data)
        kept = self.put(data.get("Model") or {})
        done = self._done(kept, 0)
        self._remember(mark, [done["Id"]])
        result = {"Id": done["Id"], "Number": done["Number"], "ResponseStatus": _status(0, [], [done])}
        return {"Result": {**result, "NeedReturnData": [_returned(kept, data)]}}

    def _batch_save(self, data: Record) -> Record:
        mark = self._unrepeated(data)
        errors: list[Record] = []
        done: list[Record] = []
        returned: list[Record] = []
        code = 0
        for index, model in enumerate(data.get("Model") or []):
            try:
                kept = self.put(model)
            except Refusal as refusal:
                code = refusal.faults[0].code
                errors += [{"FieldName": f.field, "Message": f.message, "DIndex": index} for f in refusal.faults]
                continue
            done.append(self._done(kept, index))
            returned.append(_returned(kept, data))
        self._remember(mark, [one["Id"] for one in done])
        return {"Result": {"NeedReturnData": returned, "ResponseStatus": _status(code, errors, done)}}

    def _unrepeated(self, data: Record) -> str:
        """The digest of a request that asks for ValidateRepeatJson, "" for others."""
        if not data.get("ValidateRepeatJson"):
            return ""
        mark = codec.digest({"form": self.form, **data})
        kept = self.store.get("_json", mark)
        forgotten = self.config["forgets_repeats"]
        if kept and (not forgotten or set(kept["ids"]) & {one[self.key] for one in self.store.all(self.form)}):
            raise Refusal([Fault("", "重复提交: 相同的 JSON 已经保存过")])
        return mark

    def _remember(self, mark: str, ids: list[int]) -> None:
        if mark and ids:
            self.store.put("_json", mark, {"ids": ids})

    def _done(self, kept: Record, index: int) -> Record:
        return {"Id": kept[self.key], "Number": kept[self.number], "DIndex": index}

    def existing(self, native_id: str) -> Record | None:
        """The record a model names, if it may be changed; None for a new one. Raises Refusal."""
        if native_id in ("", "0"):
            return None
        old = next((one for one in self.store.all(self.form) if str(one[self.key]) == native_id), None)
        if old is None:
            raise Refusal([Fault(self.key, f"{self.label} {native_id} 不存在", 10)])
        if old["fdocumentstatus"] not in EDITABLE:
            state = STATES[old["fdocumentstatus"]]
            raise Refusal([Fault("", f"{self.label} {old[self.number]} 处于{state}状态, 不能修改", 12)])
        return old

    def _chosen(self, data: Record) -> list[Record]:
        ids = [part.strip() for part in str(data.get("Ids") or data.get("Id") or "").split(",") if part.strip()]
        numbers = [str(one) for one in data.get("Numbers") or ([data["Number"]] if data.get("Number") else [])]
        kept = self.store.all(self.form)
        by_id, by_number = ({str(one[name]): one for one in kept} for name in (self.key, self.number))
        found = [by_id.get(one) for one in ids] + [by_number.get(one) for one in numbers]
        chosen = [one for one in found if one is not None]
        if not found or len(chosen) < len(found):
            raise Refusal([Fault("", f"{self.label}不存在: 请检查 Ids 与 Numbers", 10)])
        return chosen

    def _move(self, step: str, data: Record) -> Record:
        """A step of life: each document on its own, in part if need be."""
        errors: list[Record] = []
        done: list[Record] = []
        code = 0
        for index, one in enumerate(self._chosen(data)):
            try:
                self._step(step, one, data)
            except Refusal as refusal:
                code = refusal.faults[0].code
                errors += [{"FieldName": f.field, "Message": f.message, "DIndex": index} for f in refusal.faults]
                continue
            done.append(self._done(one, index))
        return {"Result": {"ResponseStatus": _status(code, errors, done)}}

    def _step(self, step: str, one: Record, data: Record) -> None:
        allowed, after = LIFE[step]
        state = one["fdocumentstatus"]
        if state not in allowed:
            message = f"{self.label} {one[self.number]} 处于{STATES[state]}状态, 不能执行 {step}"
            raise Refusal([Fault("FDocumentStatus", message, 12)])
        if faults := self.stepping(step, one, data):
            raise Refusal(faults)
        if after:
            self.store.put(self.form, self.slot(one), {**one, "fdocumentstatus": after, **self.stamped(step)})
        else:
            self.store.drop(self.form, self.slot(one))

    def _view(self, data: Record) -> Record:
        chosen = self._chosen(data)[0]
        return {"Result": {"Result": chosen, "ResponseStatus": _status(0, [], [])}}

    def _query(self, data: Record) -> list[list[Any]]:
        limit, start, top = (_count(data, name) for name in ("Limit", "StartRow", "TopRowCount"))
        if limit > MOST_ROWS:
            raise Refusal([Fault("Limit", f"Limit 不能超过 {MOST_ROWS}", 8)])
        try:
            rows = self._rows(data)
        except QueryError as error:
            raise Refusal([Fault("", str(error), 8)]) from error
        rows = rows[:top] if top else rows
        return rows[start : start + (limit or MOST_ROWS)]

    def _rows(self, data: Record) -> list[list[Any]]:
        known = self.known()
        wanted = field_keys(str(data.get("FieldKeys") or ""), known)
        test, asked = compile_filter(filter_text(data.get("FilterString")), known)
        order = str(data.get("OrderString") or "")
        ordered = {part.split()[0].casefold() for part in order.split(",") if part.strip()}
        rows = [row for row in self.flat({*wanted, *asked, *ordered}) if test(row)]
        return [[row[name] for name in wanted] for row in sort_rows(rows, order, known)]


def _returned(kept: Record, data: Record) -> Record:
    return {name: kept.get(name.casefold()) for name in data.get("NeedReturnFields") or []}


def _count(data: Record, name: str) -> int:
    value = data.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Refusal([Fault(name, f"{name} 必须是不小于 0 的整数", 8)])
    return value
