"""Base data, bills and stock of the 金蝶云星空 sandbox: what a Save must hold, what is kept of it, how it is asked for.

A reference must name base data that exists, is audited and not forbidden; a number must be free; figures must be
numbers. 价税合计 is 含税单价 × 数量 to the cent, 税额 what of it is tax. A model field the form lacks is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sandbox.k3cloud_forms import INVENTORY, Field, Form
from sandbox.k3cloud_operations import Fault, Operations, Refusal
from sandbox.k3cloud_query import Row, comparable
from sandbox.k3cloud_stock import moved
from sandbox.k3cloud_voucher import number_of
from sandbox.store import Store

Record = dict[str, Any]
CENT = Decimal("0.01")
AMOUNTS = ("fallamount", "famount")
FREE_TEXT = "BD_BatchMainFile"  # 批号主档: a lot need not be there before


class Documents(Operations):
    """One form of the table."""

    def __init__(self, form: Form, store: Store, config: Record, now: datetime) -> None:
        super().__init__(store, config, now)
        self._spec = form
        self.form = form.form_id
        self.label = form.label
        self.key = form.key.casefold()
        self.number = form.number.casefold()

    def run(self, operation: str, data: Record) -> Any:
        """The answer; the stock can only be asked for. Raises Refusal."""
        if self.form == INVENTORY and operation != "ExecuteBillQuery":
            raise Refusal([Fault("", f"业务对象 {self.form} 不支持此操作", 10)])
        return super().run(operation, data)

    def slot(self, kept: Record) -> str:
        """Base data lies under its number, a bill under its id."""
        return str(kept[self.key if self._spec.is_bill else self.number])

    def put(self, model: Record) -> Record:
        """Check a model and keep it, new or under its id. Raises Refusal."""
        old = self.existing(str(_at(model, self._spec.key) or ""))
        if faults := list(self._faults(model, old)):
            raise Refusal(faults)
        return self.keep(model, old)

    def keep(self, model: Record, old: Record | None = None, **states: Any) -> Record:
        """Keep a model as it is, without asking whether it is right."""
        head = {one.name: _value(one, _at(model, one.path)) for one in self._spec.head}
        kept = {**(old or self._new()), **head, "fmodifydate": self.stamp, **states}
        kept[self.number] = kept[self.number] or (old or kept).get(self.number) or self._given(kept)
        if self._spec.is_bill:
            kept["entries"] = [self._line(line, seq) for seq, line in enumerate(_at(model, self._spec.entry), 1)]
        else:
            kept |= {"number": kept[self.number], "name": kept.get("fname", "")}
        self.store.put(self.form, self.slot(kept), kept)
        return kept

    def known(self) -> frozenset[str]:
        """Every field key, references by code and name."""
        own = {self.key, "fmodifydate", "fcreatedate", *self._spec.own, *_keys(self._spec.head)}
        return frozenset(own | self._line_keys())

    def flat(self, asked: set[str]) -> list[Row]:
        """One row per record, per line where a field of the lines is asked for."""
        lines = bool(self._line_keys() & asked)
        rows: list[Row] = []
        for kept in self.store.all(self.form):
            head = {**kept, **self._references(self._spec.head, kept)}
            entries = kept.get("entries", []) if lines else [{}]
            rows += [{**head, **entry, **self._references(self._spec.lines, entry)} for entry in entries]
        return rows

    def stepping(self, step: str, kept: Record, data: Record) -> Sequence[Fault]:
        """Auditing a delivery or a receipt moves the stock, un-auditing moves it back."""
        return moved(self.store, self.form, step, kept, str(data.get("InterationFlags") or ""), self.stamp)

    def stamped(self, step: str) -> Record:
        """Auditing leaves FModifyDate alone."""
        times: dict[str, Record] = {"Audit": {"fapprovedate": self.stamp}, "UnAudit": {"fapprovedate": None}}
        return times.get(step, {})

    def _new(self) -> Record:
        native_id = self.store.next("document", 100001)
        return {self.key: native_id, "fcreatedate": self.stamp, **self._spec.own}

    def _given(self, kept: Record) -> str:
        return f"{self._spec.prefix or self.form}{kept[self.key]}"

    def _line_keys(self) -> set[str]:
        if not self._spec.is_bill:
            return set()
        ids = {f"{self._spec.entry}_{name}".casefold() for name in ("FEntryID", "FSeq")}
        return {*ids, *self._spec.line_own, *AMOUNTS, *_keys(self._spec.lines)}

    def _references(self, fields: Iterable[Field], row: Record) -> Row:
        """Code and name of each reference, as the base data is now."""
        cells: Row = {}
        for one in fields:
            if one.base and one.name in row:
                number = row[one.name]
                base = self.store.get(one.base, number) or {}
                cells |= {f"{one.name}.fnumber": number, f"{one.name}.fname": base.get("fname", "")}
        return cells

    def _line(self, line: Record, seq: int) -> Record:
        cells = {one.name: _value(one, _at(line, one.path)) for one in self._spec.lines}
        gross = (cells["ftaxprice"] * cells[self._spec.quantity.casefold()]).quantize(CENT, ROUND_HALF_UP)
        rate = cells["fentrytaxrate"]
        tax = (gross * rate / (100 + rate)).quantize(CENT, ROUND_HALF_UP)
        entry = self._spec.entry.casefold()
        ids = {f"{entry}_fentryid": self.store.next("entry", 100001), f"{entry}_fseq": seq}
        return {**ids, **self._spec.line_own, **cells, "fallamount": gross, "famount": gross - tax}

    def _faults(self, model: Record, old: Record | None) -> Iterator[Fault]:
        yield from self._fields(self._spec.head, model, "")
        yield from self._doubled(str(_at(model, self._spec.number) or ""), old)
        if not self._spec.is_bill:
            return
        lines = _at(model, self._spec.entry)
        if not isinstance(lines, list) or not lines:
            yield Fault(self._spec.entry, f"{self.label}至少需要一行明细", 9)
            return
        for seq, line in enumerate(lines, 1):
            yield from self._fields(self._spec.lines, line, f"第 {seq} 行明细: ")
            yield from _positive(line, self._spec.quantity, f"第 {seq} 行明细: ")

    def _doubled(self, number: str, old: Record | None) -> Iterator[Fault]:
        """The server compares numbers without regard to case."""
        if not number or (old and old[self.number] == number):
            return
        used = {comparable(one[self.number]) for one in self.store.all(self.form) if one is not old}
        if comparable(number) in used:
            yield Fault(self._spec.number, f"违反字段唯一性要求：编码唯一。[{number}]在当前系统中已经被使用。")

    def _fields(self, fields: Iterable[Field], model: Record, where: str) -> Iterator[Fault]:
        for one in fields:
            given = _at(model, one.path)
            if given in (None, "", {}):
                if one.required:
                    yield Fault(one.path, f"{where}字段“{one.label}”是必填项", 9)
            elif one.base:
                yield from self._reference(one, number_of(given), where)
            elif not _fits(one, given):
                yield Fault(one.path, f"{where}字段“{one.label}”的值 {given!r} 不正确", 8)

    def _reference(self, one: Field, number: str, where: str) -> Iterator[Fault]:
        if one.base == FREE_TEXT or (not number and not one.required):
            return
        base = self.store.get(one.base, number)
        if not number:
            yield Fault(one.path, f"{where}字段“{one.label}”是必填项", 9)
        elif base is None:
            yield Fault(one.path, f"{where}{one.label} {number} 不存在", 10)
        elif base["fdocumentstatus"] != "C":
            yield Fault(one.path, f"{where}{one.label} {number} 未审核, 不能使用")
        elif base["fforbidstatus"] != "A":
            yield Fault(one.path, f"{where}{one.label} {number} 已禁用")


def _at(model: Record, path: str) -> Any:
    """The value under a path, names in any case as the server takes them."""
    value: Any = model
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = next((held for name, held in value.items() if name.casefold() == part.casefold()), None)
    return value


def _keys(fields: Iterable[Field]) -> set[str]:
    names: set[str] = set()
    for one in fields:
        names |= {f"{one.name}.fnumber", f"{one.name}.fname"} if one.base else {one.name}
    return names


def _value(one: Field, given: Any) -> Any:
    """A value as it is kept: a reference by its number, a figure as Decimal, a day with its midnight."""
    if one.base:
        return number_of(given)
    if one.kind == "number":
        return Decimal(str(given or 0))
    if one.kind == "date":
        return f"{str(given)[:10]}T00:00:00" if given else None
    return given if isinstance(given, bool) else str(given or "")


def _fits(one: Field, given: Any) -> bool:
    if one.kind == "text":
        return isinstance(given, (str, bool, int))
    try:
        if one.kind == "date":
            date.fromisoformat(str(given)[:10])
        else:
            return not isinstance(given, bool) and Decimal(str(given)) >= 0
    except (ValueError, InvalidOperation):
        return False
    return True


def _positive(line: Record, quantity: str, where: str) -> Iterator[Fault]:
    given = _at(line, quantity)
    if given in (0, "0") or (isinstance(given, Decimal) and not given):
        yield Fault(quantity, f"{where}数量必须大于 0")
