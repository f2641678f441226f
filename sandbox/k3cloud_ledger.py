"""The form operations of the 金蝶云星空 sandbox: save, life cycle, view and query of vouchers, query of master data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from duijie import codec
from sandbox.k3cloud_query import QueryError, Row, compile_filter, field_keys, sort_rows
from sandbox.k3cloud_voucher import ENTRY_FIELDS, Fault, Ledger, faults_of, money, number_of, stored_entries
from sandbox.store import Store

VOUCHER = "GL_VOUCHER"
MOST_ROWS = 2000
FORMS = (VOUCHER, "BD_Account", "BD_Customer")
LIFE = {"Submit": ("ZAD", "B"), "Audit": ("B", "C"), "UnAudit": ("C", "D"), "Delete": ("ZAD", "")}
STATES = {"Z": "暂存", "A": "创建", "B": "审核中", "C": "已审核", "D": "重新审核"}
Record = dict[str, Any]


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


class Refusal(Exception):
    """The server says no: MsgCode and (field, message) faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults

    def envelope(self) -> Record:
        """The failure envelope."""
        return failed(self.faults[0].code, [(fault.field, fault.message, 0) for fault in self.faults])


@dataclass(frozen=True)
class Ledgering:
    """One call's work: the store, the configuration and the server's local time."""

    store: Store
    config: Record
    now: datetime

    def run(self, operation: str, form: str, data: Record) -> Any:
        """The answer, None for an operation this server lacks. Raises Refusal."""
        if operation == "ExecuteBillQuery":
            return self._query(data)
        operations: dict[str, Callable[[Record], Any]] = {
            "Save": self._save,
            "BatchSave": self._batch_save,
            "View": self._view,
            **{name: partial(self._move, name) for name in LIFE},
        }
        if operation not in operations:
            return None
        if form != VOUCHER:
            raise Refusal([Fault("", f"业务对象 {form or '(空)'} 不存在或不支持此操作", 10 if form else 5)])
        return operations[operation](data)

    def _ledger(self) -> Ledger:
        return Ledger(
            book=self.config["account_book"],
            accounts={row["number"]: row for row in self.store.all("BD_Account")},
            customers={row["number"]: row for row in self.store.all("BD_Customer")},
            groups=self.config["groups"],
            open_periods=self.config["periods"]["open"],
            key_fields=self.config["key_fields"],
        )

    def _save(self, data: Record) -> Record:
        mark = self._unrepeated(data)
        kept = self._put(data.get("Model") or {})
        self._remember(mark, [kept["fvoucherid"]])
        done = {"Id": kept["fvoucherid"], "Number": kept["fbillno"], "DIndex": 0}
        result = {"Id": done["Id"], "Number": done["Number"], "ResponseStatus": _status(0, [], [done])}
        return {"Result": {**result, "NeedReturnData": [self._returned(kept, data)]}}

    def _batch_save(self, data: Record) -> Record:
        mark = self._unrepeated(data)
        errors: list[Record] = []
        done: list[Record] = []
        returned: list[Record] = []
        code = 0
        for index, model in enumerate(data.get("Model") or []):
            try:
                kept = self._put(model)
            except Refusal as refusal:
                code = refusal.faults[0].code
                errors += [{"FieldName": f.field, "Message": f.message, "DIndex": index} for f in refusal.faults]
                continue
            done.append({"Id": kept["fvoucherid"], "Number": kept["fbillno"], "DIndex": index})
            returned.append(self._returned(kept, data))
        self._remember(mark, [one["Id"] for one in done])
        return {"Result": {"NeedReturnData": returned, "ResponseStatus": _status(code, errors, done)}}

    def _unrepeated(self, data: Record) -> str:
        """The digest of a request that asks for ValidateRepeatJson, "" for others."""
        if not data.get("ValidateRepeatJson"):
            return ""
        mark = codec.digest(data)
        kept = self.store.get("_json", mark)
        if kept and any(self.store.get(VOUCHER, str(one)) for one in kept["vouchers"]):
            raise Refusal([Fault("", "重复提交: 相同的 JSON 已经保存过")])
        return mark

    def _remember(self, mark: str, vouchers: list[int]) -> None:
        if mark and vouchers:
            self.store.put("_json", mark, {"vouchers": vouchers})

    @staticmethod
    def _returned(kept: Record, data: Record) -> Record:
        return {name: kept.get(name.casefold()) for name in data.get("NeedReturnFields") or []}

    def _put(self, model: Record) -> Record:
        old = self._existing(model)
        ledger = self._ledger()
        if faults := faults_of(model, ledger):
            raise Refusal(faults)
        entries = stored_entries(model, ledger, self.store.next("entry", 100001))
        for _ in entries[1:]:
            self.store.next("entry")
        kept = {**(old or self._new()), **self._head(model, ledger), "entries": entries}
        kept["fvouchergroupno"] = self._number(kept, str(model.get("FVOUCHERGROUPNO") or ""))
        self.store.put(VOUCHER, str(kept["fvoucherid"]), kept)
        return kept

    def _existing(self, model: Record) -> Record | None:
        native_id = str(model.get("FVOUCHERID") or model.get("FID") or "")
        if not native_id:
            return None
        old = self.store.get(VOUCHER, native_id)
        if old is None:
            raise Refusal([Fault("FVOUCHERID", f"凭证 {native_id} 不存在", 10)])
        if old["fdocumentstatus"] not in "ZAD":
            raise Refusal([Fault("", f"凭证 {old['fbillno']} 处于{STATES[old['fdocumentstatus']]}状态, 不能修改", 12)])
        return old

    def _new(self) -> Record:
        number = self.store.next("voucher", 100001)
        return {
            "fvoucherid": number,
            "fbillno": f"PZ{number}",
            "fdocumentstatus": "A",
            "fcreatedate": self.now.isoformat(timespec="milliseconds")[:23],
        }

    def _head(self, model: Record, ledger: Ledger) -> Record:
        day, group = str(model["FDate"])[:10], number_of(model["FVOUCHERGROUPID"])
        total = {side: sum(money(entry.get(side)) for entry in model["FEntity"]) for side in ("FDEBIT", "FCREDIT")}
        return {
            "faccountbookid.fnumber": ledger.book,
            "fdate": f"{day}T00:00:00",
            "fyear": int(day[:4]),
            "fperiod": int(day[5:7]),
            "fvouchergroupid.fnumber": group,
            "fvouchergroupid.fname": ledger.groups[group],
            "fattachments": model.get("FATTACHMENTS", 0),
            "fdebittotal": total["FDEBIT"],
            "fcredittotal": total["FCREDIT"],
            "fmodifydate": self.now.isoformat(timespec="milliseconds")[:23],
            **{name.casefold(): str(model.get(name) or "") for name in ledger.key_fields},
        }

    def _number(self, kept: Record, wanted: str) -> int:
        """The next number of the period and word, without gaps; a given number must be free."""
        place = ("fyear", "fperiod", "fvouchergroupid.fnumber")
        others = [one for one in self.store.all(VOUCHER) if one["fvoucherid"] != kept["fvoucherid"]]
        used = {one["fvouchergroupno"] for one in others if all(one[name] == kept[name] for name in place)}
        if wanted and (not wanted.isdigit() or int(wanted) in used):
            raise Refusal([Fault("FVOUCHERGROUPNO", f"凭证号 {wanted} 已存在或无效")])
        if wanted:
            return int(wanted)
        held = int(kept.get("fvouchergroupno", 0))
        return held if held and held not in used else max(used, default=0) + 1

    def _chosen(self, data: Record) -> list[Record]:
        ids = [part.strip() for part in str(data.get("Ids") or data.get("Id") or "").split(",") if part.strip()]
        numbers = [str(one) for one in data.get("Numbers") or ([data["Number"]] if data.get("Number") else [])]
        by_number = {one["fbillno"]: one for one in self.store.all(VOUCHER)} if numbers else {}
        found = [self.store.get(VOUCHER, one) for one in ids] + [by_number.get(one) for one in numbers]
        chosen = [one for one in found if one is not None]
        if not found or len(chosen) < len(found):
            raise Refusal([Fault("", "凭证不存在: 请检查 Ids 与 Numbers", 10)])
        return chosen

    def _move(self, operation: str, data: Record) -> Record:
        """Submit, Audit, UnAudit, Delete: each bill on its own, in part if need be."""
        allowed, after = LIFE[operation]
        errors: list[Record] = []
        done: list[Record] = []
        for index, one in enumerate(self._chosen(data)):
            state = one["fdocumentstatus"]
            if state not in allowed:
                message = f"凭证 {one['fbillno']} 处于{STATES[state]}状态, 不能执行 {operation}"
                errors.append({"FieldName": "FDocumentStatus", "Message": message, "DIndex": index})
                continue
            if after:
                stamp = self.now.isoformat(timespec="milliseconds")[:23]
                moved = {**one, "fdocumentstatus": after, "fmodifydate": stamp}
                self.store.put(VOUCHER, str(one["fvoucherid"]), moved)
            else:
                self.store.drop(VOUCHER, str(one["fvoucherid"]))
            done.append({"Id": one["fvoucherid"], "Number": one["fbillno"], "DIndex": index})
        return {"Result": {"ResponseStatus": _status(12 if errors else 0, errors, done)}}

    def _view(self, data: Record) -> Record:
        chosen = self._chosen(data)[0]
        return {"Result": {"Result": chosen, "ResponseStatus": _status(0, [], [])}}

    def _query(self, data: Record) -> list[list[Any]]:
        form = str(data.get("FormId") or "")
        if form not in FORMS:
            raise Refusal([Fault("", f"业务对象 {form or '(空)'} 不存在", 10 if form else 5)])
        limit, start, top = (_count(data, name) for name in ("Limit", "StartRow", "TopRowCount"))
        if limit > MOST_ROWS:
            raise Refusal([Fault("Limit", f"Limit 不能超过 {MOST_ROWS}", 8)])
        try:
            rows = self._rows(form, data)
        except QueryError as error:
            raise Refusal([Fault("", str(error), 8)]) from error
        rows = rows[:top] if top else rows
        return rows[start : start + (limit or MOST_ROWS)]

    def _rows(self, form: str, data: Record) -> list[list[Any]]:
        known = self._known(form)
        wanted = field_keys(str(data.get("FieldKeys") or ""), known)
        test, asked = compile_filter(str(data.get("FilterString") or ""), known)
        order = str(data.get("OrderString") or "")
        ordered = {part.split()[0].casefold() for part in order.split(",") if part.strip()}
        rows = [row for row in self._flat(form, {*wanted, *asked, *ordered}) if test(row)]
        return [[row[name] for name in wanted] for row in sort_rows(rows, order, known)]

    def _known(self, form: str) -> frozenset[str]:
        if form != VOUCHER:
            return frozenset(("fnumber", "fname", "fisdetail", "fforbidstatus"))
        head = {
            *("fvoucherid", "fbillno", "fdocumentstatus", "fcreatedate", "fmodifydate", "faccountbookid.fnumber"),
            *("fdate", "fyear", "fperiod", "fvouchergroupid.fnumber", "fvouchergroupid.fname", "fvouchergroupno"),
            *("fattachments", "fdebittotal", "fcredittotal"),
        }
        return frozenset(head | ENTRY_FIELDS | {name.casefold() for name in self.config["key_fields"]})

    def _flat(self, form: str, asked: set[str]) -> list[Row]:
        """One row per record; of vouchers one row per entry when entry fields are asked for."""
        if form != VOUCHER:
            return [_master(row) for row in self.store.all(form)]
        blank = {name.casefold(): "" for name in self.config["key_fields"]}
        vouchers = [{**blank, **one} for one in self.store.all(VOUCHER)]
        if not ENTRY_FIELDS & asked:
            return vouchers
        return [{**one, **entry} for one in vouchers for entry in one["entries"]]


def _master(row: Record) -> Row:
    return {
        "fnumber": row["number"],
        "fname": row["name"],
        "fisdetail": row.get("leaf", True),
        "fforbidstatus": "B" if row.get("disabled") else "A",
    }


def _count(data: Record, name: str) -> int:
    value = data.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Refusal([Fault(name, f"{name} 必须是不小于 0 的整数", 8)])
    return value
