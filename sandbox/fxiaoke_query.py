"""data/query of the 纷享销客 sandbox: filters, orders, pages.

Source: 纷享销客开放平台 "查询对象数据列表" and "深翻页文档": at most 100 records a page, an offset that is a multiple
of the limit and not beyond 10,000, times as milliseconds. Fields that are empty are not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import IntEnum
from typing import Any

from sandbox.fxiaoke_fields import PLACES, TIMES, Record

Test = Callable[[Record], bool]
DEFAULT_LIMIT, MOST, DEEPEST = 20, 100, 10_000
NOTHING: frozenset[Any] = frozenset((None, ""))


class Code(IntEnum):
    """Error codes. The vendor publishes some, and answers others than its table says: 90002 and up are our own."""

    OFFSET = 10013
    TOKEN = 20016
    CREDENTIAL = 90002
    USER = 90003
    OBJECT = 90010
    FIELD = 90011
    PARAMETER = 90012
    RECORD = 90013
    REQUIRED = 90014
    OPERATION = 90015
    STATE = 90016


class Refusal(Exception):
    """The server says no."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def as_time(value: Any) -> int:
    """Milliseconds. Raises Refusal."""
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit():
        raise Refusal(Code.PARAMETER, f"时间 {value!r} 不是毫秒数")
    return int(value)


def as_text(value: Any) -> str:
    """A text, empty for nothing."""
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


def known(fields: dict[str, str], name: str) -> str:
    """The name of a field that there is. Raises Refusal."""
    if name not in fields:
        raise Refusal(Code.FIELD, f"字段 {name} 不存在")
    return name


def query(fields: dict[str, str], rows: Sequence[Record], info: Any) -> Record:
    """One page of the records that pass: total, offset, limit, dataList. Raises Refusal."""
    if not isinstance(info, dict):
        raise Refusal(Code.PARAMETER, "search_query_info 不能为空")
    limit, offset = _page(info)
    tests = [_test(fields, one) for one in info.get("filters") or []]
    found = [row for row in rows if all(test(row) for test in tests)]
    for order in reversed(info.get("orders") or []):
        name = known(fields, str(order.get("fieldName")))
        found.sort(key=_by(name, fields), reverse=not order.get("isAsc", True))
    wanted = [known(fields, str(name)) for name in info.get("fieldProjection") or []]
    page = [_projected(row, wanted) for row in found[offset : offset + limit]]
    return {"total": len(found), "offset": offset, "limit": limit, "dataList": page}


def shown(row: Record) -> Record:
    """A record without what is empty."""
    return {name: value for name, value in row.items() if isinstance(value, list | dict) or value not in NOTHING}


def _page(info: Record) -> tuple[int, int]:
    limit, offset = info.get("limit", DEFAULT_LIMIT), info.get("offset", 0)
    if not isinstance(limit, int) or not 1 <= limit <= MOST:
        raise Refusal(Code.PARAMETER, f"limit 应在 1 到 {MOST} 之间")
    if not isinstance(offset, int) or offset < 0 or offset % limit:
        raise Refusal(Code.PARAMETER, f"offset 应是 limit ({limit}) 的整数倍")
    if offset > DEEPEST:
        raise Refusal(Code.OFFSET, f"offset 不能超过{DEEPEST}")
    return limit, offset


def _projected(row: Record, wanted: Sequence[str]) -> Record:
    return shown({name: row.get(name) for name in wanted} if wanted else row)


def _reader(kind: str) -> Callable[[Any], Any]:
    if kind in TIMES:
        return lambda value: as_time(value or 0)
    return (lambda value: Decimal(str(value or 0))) if kind in PLACES else as_text


def _by(name: str, fields: dict[str, str]) -> Callable[[Record], Any]:
    read = _reader(fields[name])
    return lambda row: read(row.get(name))


def _test(fields: dict[str, str], given: Record) -> Test:
    """One filter as a test of records. Raises Refusal for unknown fields and operators and a wrong count of values."""
    name, operator = known(fields, str(given.get("field_name"))), str(given.get("operator"))
    raw = given.get("field_values")
    values = raw if isinstance(raw, list) else []
    if operator not in _TESTS and operator not in COUNTS:
        raise Refusal(Code.PARAMETER, f"不支持运算符 {operator}")
    wanted = COUNTS.get(operator, 1)
    if (wanted == 0 and not values) or (wanted > 0 and len(values) != wanted):
        raise Refusal(Code.PARAMETER, f"运算符 {operator} 的 field_values 个数不正确")
    read = _reader(fields[name])
    if operator in ("IS", "ISN"):
        return lambda row: (as_text(row.get(name)) == "") is (operator == "IS")
    if operator in ("IN", "NIN"):
        asked = {read(value) for value in values}
        return lambda row: (read(row.get(name)) in asked) is (operator == "IN")
    compare, given_values = _TESTS[operator], [read(value) for value in values]
    return lambda row: compare(read(row.get(name)), given_values)
