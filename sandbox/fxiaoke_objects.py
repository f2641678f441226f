"""The objects of the 纷享销客 sandbox: their fields, and query, get, create, update over their records.

Paging, operators and common fields: 纷享销客开放平台 "查询对象数据列表", "新增对象数据", "编辑对象数据".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sandbox.store import Store

Record = dict[str, Any]
Test = Callable[[Record], bool]
NAME_LENGTH = 200
DEFAULT_LIMIT = 20
STANDARD_MOST, CUSTOM_MOST = 1000, 100
CUSTOM_PATH = "/cgi/crm/custom/"

COMMON = {
    "_id": "text",
    "name": "text",
    "owner": "employee",
    "record_type": "record_type",
    "life_status": "select_one",
    "lock_status": "select_one",
    "create_time": "date_time",
    "last_modified_time": "date_time",
    "created_by": "employee",
    "is_deleted": "true_or_false",
}
READ_ONLY = frozenset(("_id", "create_time", "last_modified_time", "created_by", "is_deleted"))
OBJECTS: dict[str, dict[str, str]] = {
    "AccountObj": {
        "account_no": "text",
        "tel": "phone_number",
        "email": "email",
        "url": "url",
        "remark": "long_text",
        "account_source": "select_one",
        "account_level": "select_one",
        "duijie_key__c": "text",
    },
    "ContactObj": {"account_id": "object_reference", "tel": "phone_number", "remark": "long_text"},
    "object_store__c": {"code__c": "text"},
}
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


class Code(IntEnum):
    """This server's own error codes (the vendor's are not published)."""

    TOKEN = 90001
    CREDENTIAL = 90002
    USER = 90003
    OBJECT = 90010
    FIELD = 90011
    PARAMETER = 90012
    RECORD = 90013
    REQUIRED = 90014
    OPERATION = 90015


class Refusal(Exception):
    """The server says no."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def _as_time(value: Any) -> int:
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit():
        raise Refusal(Code.PARAMETER, f"时间 {value!r} 不是毫秒数")
    return int(value)


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


_TESTS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "EQ": lambda cell, values: bool(cell == values[0]),
    "N": lambda cell, values: bool(cell != values[0]),
    "GT": lambda cell, values: bool(cell > values[0]),
    "GTE": lambda cell, values: bool(cell >= values[0]),
    "LT": lambda cell, values: bool(cell < values[0]),
    "LTE": lambda cell, values: bool(cell <= values[0]),
    "LIKE": lambda cell, values: str(values[0]) in str(cell),
    "BETWEEN": lambda cell, values: bool(values[0] <= cell <= values[1]),
}
COUNTS = {"BETWEEN": 2, "IN": 0, "NIN": 0, "IS": -1, "ISN": -1}


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
        fields = {name: {"api_name": name, "type": kind} for name, kind in self.fields(api_name).items()}
        return {"api_name": api_name, "is_active": True, "fields": fields}

    def run(self, path: str, data: Record) -> Record:
        """The answer of one data call; custom objects have their own path. Raises Refusal."""
        operation = path.rpartition("/")[2]
        operations = {"query": self._query, "get": self._get, "create": self._create, "update": self._update}
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
        number = {"account_no": f"C{self.store.next('account', 1):06d}"} if api_name == "AccountObj" else {}
        system = {"_id": native_id, "create_time": self.now, "last_modified_time": self.now, "is_deleted": False}
        usual = {"record_type": "default__c", "life_status": "normal", "lock_status": "0", "owner": user}
        return {**usual, **number, "created_by": user, **system, **row}

    def _query(self, api_name: str, data: Record) -> Record:
        info = data.get("search_query_info")
        if not isinstance(info, dict):
            raise Refusal(Code.PARAMETER, "search_query_info 不能为空")
        limit, offset = self._page(api_name, info)
        fields = self.fields(api_name)
        tests = [_test(fields, one) for one in info.get("filters") or []]
        rows = [row for row in self.store.all(api_name) if all(test(row) for test in tests)]
        for order in reversed(info.get("orders") or []):
            _known(fields, str(order.get("fieldName")))
            rows.sort(key=_by(order["fieldName"], fields), reverse=not order.get("isAsc", True))
        wanted = [_known(fields, str(name)) for name in info.get("fieldProjection") or []]
        page = [_projected(row, wanted) for row in rows[offset : offset + limit]]
        return {"data": {"total": len(rows), "offset": offset, "limit": limit, "dataList": page}}

    @staticmethod
    def _page(api_name: str, info: Record) -> tuple[int, int]:
        limit, offset = info.get("limit", DEFAULT_LIMIT), info.get("offset", 0)
        most = CUSTOM_MOST if api_name.endswith("__c") else STANDARD_MOST
        if not isinstance(limit, int) or not 1 <= limit <= most:
            raise Refusal(Code.PARAMETER, f"limit 应在 1 到 {most} 之间")
        if not isinstance(offset, int) or offset < 0 or offset % limit:
            raise Refusal(Code.PARAMETER, f"offset 应是 limit ({limit}) 的整数倍")
        return limit, offset

    def _held(self, api_name: str, native_id: Any) -> Record:
        held = self.store.get(api_name, str(native_id or ""))
        if held is None:
            raise Refusal(Code.RECORD, f"数据 {native_id} 不存在或无权限")
        return held

    def _get(self, api_name: str, data: Record) -> Record:
        return {"data": self._held(api_name, data.get("objectDataId"))}

    def _create(self, api_name: str, data: Record) -> Record:
        if data.get("details"):
            raise Refusal(Code.OBJECT, f"对象 {api_name} 没有从对象 {', '.join(data['details'])}")
        row = self._checked(api_name, data["object_data"])
        name = _as_text(row.get("name")).strip()
        if not name:
            raise Refusal(Code.REQUIRED, "字段 name (名称) 不能为空")
        native_id = f"{0x65AB0000 + self.store.next('record'):x}".rjust(24, "6")
        self.store.put(api_name, native_id, self.stamped(api_name, row, native_id))
        return {"dataId": native_id}

    def _update(self, api_name: str, data: Record) -> Record:
        given = dict(data["object_data"])
        held = self._held(api_name, given.pop("_id", None))
        row = self._checked(api_name, given)
        self.store.put(api_name, held["_id"], {**held, **row, "last_modified_time": self.now})
        return {}

    def _checked(self, api_name: str, given: Record) -> Record:
        """The fields of a write, each known, writable and of its type."""
        fields = self.fields(api_name)
        row = {name: value for name, value in given.items() if name != "dataObjectApiName"}
        for name, value in row.items():
            _known(fields, name)
            if name in READ_ONLY:
                raise Refusal(Code.FIELD, f"字段 {name} 只读")
            if fields[name] == "employee":
                self._check_people(name, value)
            elif not isinstance(value, str):
                raise Refusal(Code.FIELD, f"字段 {name} 应为文本")
        if len(_as_text(row.get("name"))) > NAME_LENGTH:
            raise Refusal(Code.FIELD, f"字段 name 长度超过 {NAME_LENGTH}")
        return row

    def _check_people(self, name: str, value: Any) -> None:
        known = {self.config["open_user_id"], *self.config["users"].values()}
        if not isinstance(value, list) or not set(value) <= known:
            raise Refusal(Code.FIELD, f"字段 {name} 应为已存在用户 (FSUID) 的列表")


def _known(fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise Refusal(Code.FIELD, f"字段 {name} 不存在")
    return name


def _projected(row: Record, wanted: Sequence[str]) -> Record:
    return {name: row.get(name) for name in wanted} if wanted else row


def _by(name: str, fields: dict[str, str]) -> Callable[[Record], Any]:
    read = _as_time if fields[name] == "date_time" else _as_text
    return lambda row: read(row.get(name))


def _test(fields: dict[str, str], given: Record) -> Test:
    """One filter as a test of records. Raises Refusal for unknown fields and operators and a wrong count of values."""
    name, operator = _known(fields, str(given.get("field_name"))), str(given.get("operator"))
    raw = given.get("field_values")
    values = raw if isinstance(raw, list) else []
    if operator not in _TESTS and operator not in COUNTS:
        raise Refusal(Code.PARAMETER, f"不支持运算符 {operator}")
    wanted = COUNTS.get(operator, 1)
    if (wanted == 0 and not values) or (wanted > 0 and len(values) != wanted):
        raise Refusal(Code.PARAMETER, f"运算符 {operator} 的 field_values 个数不正确")
    read = _as_time if fields[name] == "date_time" else _as_text
    if operator in ("IS", "ISN"):
        return lambda row: (_as_text(row.get(name)) == "") is (operator == "IS")
    if operator in ("IN", "NIN"):
        asked = {read(value) for value in values}
        return lambda row: (read(row.get(name)) in asked) is (operator == "IN")
    compare, given_values = _TESTS[operator], [read(value) for value in values]
    return lambda row: compare(read(row.get(name)), given_values)


__all__ = ["CONFIG", "Code", "Refusal", "Tenant"]
