"""The records of the 纷享销客 sandbox: what data/{query,get,create,update,invalid,delete,recover} do to them.

Source: 纷享销客开放平台 "新增对象数据", "编辑对象数据", "作废对象数据", "删除对象数据", "恢复对象数据".
A record is 作废 first and deleted then; its owner is not changed by an update.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.fxiaoke_fields import (
    COMMON,
    DETAILS,
    NUMBERS,
    OBJECTS,
    OPTIONS,
    PLACES,
    READ_ONLY,
    REFERENCES,
    REQUIRED,
    TARGETS,
    TIMES,
    Record,
    field_of,
)
from sandbox.fxiaoke_query import Code, Refusal, as_text, known, query, shown
from sandbox.store import Store

NAME_LENGTH = 200
CUSTOM_PATH = "/cgi/crm/custom/"
NORMAL, INVALID = "normal", "invalid"
CONFIG: dict[str, Any] = {
    "app_id": "FSAID_duijie",
    "app_secret": "fxiaoke-secret",
    "permanent_code": "fxiaoke-permanent",
    "corp_id": "FSCID_DUIJIE",
    "open_user_id": "FSUID_DUIJIE",
    "users": {"13800000000": "FSUID_DUIJIE"},
    "objects": {},
    "limits": {},
}


@dataclass(frozen=True)
class Tenant:
    """One call's work: the store, the configuration and the time in epoch milliseconds."""

    store: Store
    config: Record
    now: int

    def objects(self) -> list[str]:
        """API names of every object."""
        return sorted({*OBJECTS, *self.config["objects"]})

    def fields(self, api_name: str) -> dict[str, str]:
        """Field → type of an object. Raises Refusal."""
        if api_name not in self.objects():
            raise Refusal(Code.OBJECT, f"对象 {api_name} 不存在")
        own = self.config["objects"].get(api_name, {}).get("fields", {})
        return {**COMMON, **OBJECTS.get(api_name, {}), **own}

    def describe(self, api_name: str) -> Record:
        """An object's description."""
        fields = {name: field_of(api_name, name, kind) for name, kind in self.fields(api_name).items()}
        return {"api_name": api_name, "is_active": True, "fields": fields}

    def run(self, path: str, data: Record) -> Record:
        """The answer of one data call; custom objects have their own path. Raises Refusal."""
        operation = path.rpartition("/")[2]
        operations: dict[str, Callable[[str, Record], Record]] = {
            "query": self._query,
            "get": lambda api_name, given: {"data": self._seen(api_name, self._held(api_name, given, "objectDataId"))},
            "create": self._create,
            "update": self._update,
            "invalid": self._invalid,
            "delete": self._delete,
            "recover": self._recover,
        }
        if operation not in operations:
            raise Refusal(Code.OPERATION, f"不支持操作 {operation}")
        inner = data.get("object_data", data)
        api_name = str((inner if isinstance(inner, dict) else {}).get("dataObjectApiName") or "")
        self.fields(api_name)
        if api_name.endswith("__c") is not path.startswith(CUSTOM_PATH):
            raise Refusal(
                Code.OBJECT, f"对象 {api_name} 请使用{'自定义' if api_name.endswith('__c') else '预设'}对象接口"
            )
        return operations[operation](api_name, data)

    def stamped(self, api_name: str, row: Record, native_id: str) -> Record:
        """A new record with its system fields."""
        user = [self.config["open_user_id"]]
        system = {"_id": native_id, "create_time": self.now, "last_modified_time": self.now, "is_deleted": False}
        usual = {"record_type": "default__c", "life_status": NORMAL, "lock_status": "0", "owner": user}
        return {**usual, **self._number(api_name), "created_by": user, **system, **row}

    def shift(self, api_name: str) -> None:
        """The record that was changed first is changed now."""
        rows = self.store.all(api_name)
        if rows:
            first = min(rows, key=lambda row: (int(row["last_modified_time"]), str(row["_id"])))
            self._put(api_name, first)

    def _number(self, api_name: str) -> Record:
        if api_name not in NUMBERS:
            return {}
        name, prefix = NUMBERS[api_name]
        return {name: f"{prefix}{self.store.next(f'number/{api_name}', 1):06d}"}

    def _query(self, api_name: str, data: Record) -> Record:
        rows = [self._seen(api_name, row) for row in self.store.all(api_name)]
        return {"data": query(self.fields(api_name), rows, data.get("search_query_info"))}

    def _seen(self, api_name: str, row: Record) -> Record:
        """A record as it is answered: names of what it refers to and labels of its options beside their values."""
        names: Record = {}
        for name, kind in self.fields(api_name).items():
            value = as_text(row.get(name))
            target = self.store.get(TARGETS.get(name, ""), value) if kind in REFERENCES else None
            label = OPTIONS.get((api_name, name), {}).get(value)
            if value and (target or label):
                names[f"{name}__r"] = target["name"] if target else label
        return shown({**row, **names})

    def _held(self, api_name: str, data: Record, name: str) -> Record:
        native_id = data.get(name)
        held = self.store.get(api_name, str(native_id or ""))
        if held is None:
            raise Refusal(Code.RECORD, f"数据 {native_id} 不存在或无权限")
        return held

    def _create(self, api_name: str, data: Record) -> Record:
        row = self._complete(api_name, data["object_data"])
        native_id = f"{0x65AB0000 + self.store.next('record'):x}".rjust(24, "6")
        lines = self._lines(api_name, data.get("details") or {})
        self.store.put(api_name, native_id, self.stamped(api_name, row, native_id))
        for detail, parent, line in lines:
            line_id = f"{0x75AB0000 + self.store.next('record'):x}".rjust(24, "6")
            self.store.put(detail, line_id, self.stamped(detail, {**line, parent: native_id}, line_id))
        return {"dataId": native_id}

    def _lines(self, api_name: str, details: Record) -> list[tuple[str, str, Record]]:
        """The lines of a create, checked, each with its object and the field that will hold its master."""
        own = DETAILS.get(api_name, {})
        if strange := sorted(details.keys() - own.keys()):
            raise Refusal(Code.OBJECT, f"对象 {api_name} 没有从对象 {', '.join(strange)}")
        found = []
        for detail, rows in details.items():
            if not isinstance(rows, list):
                raise Refusal(Code.PARAMETER, f"details.{detail} 应为列表")
            found += [(detail, own[detail], self._complete(detail, line)) for line in rows]
        return found

    def _update(self, api_name: str, data: Record) -> Record:
        given = dict(data["object_data"])
        held = self._held(api_name, given, "_id")
        del given["_id"]
        if data.get("details"):
            raise Refusal(Code.PARAMETER, "本沙箱不修改从对象")
        if "owner" in given:
            raise Refusal(Code.FIELD, "负责人请用 changeOwner 变更")
        if held["life_status"] == INVALID or held["lock_status"] != "0":
            raise Refusal(Code.STATE, "数据已作废或已锁定, 不能修改")
        self._put(api_name, {**held, **self._checked(api_name, given)})
        return {}

    def _invalid(self, api_name: str, data: Record) -> Record:
        held = self._held(api_name, data, "object_data_id")
        if held["life_status"] == INVALID:
            raise Refusal(Code.STATE, "数据已作废")
        self._put(api_name, {**held, "life_status": INVALID})
        return {}

    def _delete(self, api_name: str, data: Record) -> Record:
        for held in self._invalid_ones(api_name, data):
            self.store.drop(api_name, held["_id"])
        return {}

    def _recover(self, api_name: str, data: Record) -> Record:
        for held in self._invalid_ones(api_name, data):
            self._put(api_name, {**held, "life_status": NORMAL})
        return {}

    def _invalid_ones(self, api_name: str, data: Record) -> list[Record]:
        asked = data.get("idList")
        if not isinstance(asked, list) or not asked:
            raise Refusal(Code.PARAMETER, "idList 应为非空列表")
        found = [self._held(api_name, {"_id": one}, "_id") for one in asked]
        if any(row["life_status"] != INVALID for row in found):
            raise Refusal(Code.STATE, "请先作废数据")
        return found

    def _put(self, api_name: str, row: Record) -> None:
        self.store.put(api_name, row["_id"], {**row, "last_modified_time": self.now})

    def _complete(self, api_name: str, given: Any) -> Record:
        """The fields of a new record, checked, none of those missing that must be there."""
        row = self._checked(api_name, given)
        for name in REQUIRED.get(api_name, ("name",)):
            if not as_text(row.get(name)).strip():
                raise Refusal(Code.REQUIRED, f"字段 {name}{' (名称)' if name == 'name' else ''} 不能为空")
        return row

    def _checked(self, api_name: str, given: Any) -> Record:
        """The fields of a write, each known, writable and of its type."""
        if not isinstance(given, dict):
            raise Refusal(Code.PARAMETER, "数据应为对象")
        fields = self.fields(api_name)
        row = {name: value for name, value in given.items() if name != "dataObjectApiName"}
        for name, value in row.items():
            known(fields, name)
            if name in READ_ONLY or fields[name] == "auto_number":
                raise Refusal(Code.FIELD, f"字段 {name} 只读")
            self._check(api_name, name, fields[name], value)
        if len(as_text(row.get("name"))) > NAME_LENGTH:
            raise Refusal(Code.FIELD, f"字段 name 长度超过 {NAME_LENGTH}")
        return row

    def _check(self, api_name: str, name: str, kind: str, value: Any) -> None:
        if kind == "employee":
            self._check_people(name, value)
        elif kind in TIMES:
            if not isinstance(value, int) or isinstance(value, bool):
                raise Refusal(Code.FIELD, f"字段 {name} 应为毫秒数")
        elif kind == "true_or_false":
            if not isinstance(value, bool):
                raise Refusal(Code.FIELD, f"字段 {name} 应为布尔值")
        elif not isinstance(value, str):
            raise Refusal(Code.FIELD, f"字段 {name} 应为文本")
        elif value:
            self._check_text(api_name, name, kind, value)

    def _check_text(self, api_name: str, name: str, kind: str, value: str) -> None:
        options = OPTIONS.get((api_name, name))
        if kind in PLACES and not _is_number(value, PLACES[kind]):
            raise Refusal(Code.FIELD, f"字段 {name} 应为至多 {PLACES[kind]} 位小数的数字")
        if kind in REFERENCES and not self._stands(TARGETS.get(name, ""), value):
            raise Refusal(Code.FIELD, f"字段 {name} 关联的数据 {value} 不存在或已作废")
        if options and value not in options:
            raise Refusal(Code.FIELD, f"字段 {name} 没有选项 {value}")

    def _stands(self, api_name: str, native_id: str) -> bool:
        held = self.store.get(api_name, native_id)
        return held is not None and held["life_status"] != INVALID

    def _check_people(self, name: str, value: Any) -> None:
        people = {self.config["open_user_id"], *self.config["users"].values()}
        if not isinstance(value, list) or not set(value) <= people:
            raise Refusal(Code.FIELD, f"字段 {name} 应为已存在用户 (FSUID) 的列表")


def _is_number(value: str, places: int) -> bool:
    try:
        exponent = Decimal(value).as_tuple().exponent
    except InvalidOperation:
        return False
    return isinstance(exponent, int) and exponent >= -places


__all__ = ["CONFIG", "Code", "Refusal", "Tenant"]
