"""Reading AccountObj (客户): by time of change and by our key.

Windows advance by the last time read, not by offset alone: an account that changes while we read leaves its place,
and with a plain offset its follower would be skipped.
Source: 纷享销客开放平台 "查询对象数据列表" (data/query).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connectors.fxiaoke.client import Client
from duijie.codec import Record, encode
from duijie.connect.errors import ConfigError
from duijie.connect.retry import Retrier

OBJECT = "AccountObj"
LIMIT = 100
CHANGED = "last_modified_time"


@dataclass
class Accounts:
    """The customers of one company; `key_field` is the custom text field that holds our key."""

    client: Client
    retrier: Retrier
    key_field: str
    limit: int = LIMIT
    _field_is_there: bool = field(default=False, init=False)

    def changed(self, since: int, until: int) -> Iterator[list[Record]]:
        """Pages of accounts with since ≤ last_modified_time < until (epoch milliseconds), each account once."""
        start, offset = since, 0
        seen: set[str] = set()
        while start < until:
            values = [str(start), str(until - 1)]
            rows = self._query({"field_name": CHANGED, "field_values": values, "operator": "BETWEEN"}, offset)
            yield [row for row in rows if row["_id"] not in seen]
            if len(rows) < self.limit:
                return
            last = int(rows[-1][CHANGED])
            ties = {str(row["_id"]) for row in rows if int(row[CHANGED]) == last}
            offset = offset + self.limit if last == start else 0
            seen = seen | ties if last == start else ties
            start = last

    def with_keys(self, keys: Sequence[str]) -> Iterator[list[Record]]:
        """Pages of the accounts that carry one of these keys."""
        for at in range(0, len(keys), self.limit):
            asked = {"field_name": self.key_field, "field_values": list(keys[at : at + self.limit]), "operator": "IN"}
            offset, is_full = 0, True
            while is_full:
                rows = self._query(asked, offset)
                yield rows
                offset, is_full = offset + self.limit, len(rows) == self.limit

    def require_key_field(self) -> None:
        """Refuse an object that lacks our field: a key that is dropped is never found again. Raises ConfigError."""
        if self._field_is_there:
            return
        described = self.retrier.read(lambda: self.client.describe(OBJECT))
        if f'"{self.key_field}"'.encode() not in encode(described):
            raise ConfigError(
                f"客户对象没有字段 {self.key_field}; 请在纷享销客后台为“客户”增加该单行文本字段 (建议设为唯一)",
                en=f"AccountObj has no field {self.key_field}; add it to 客户 as a text field, unique if possible",
                code="fxiaoke:key_field",
                where=self.key_field,
            )
        self._field_is_there = True

    def _query(self, asked: Record, offset: int) -> list[Record]:
        info = {
            "limit": self.limit,
            "offset": offset,
            "filters": [asked],
            "orders": [{"fieldName": CHANGED, "isAsc": True}, {"fieldName": "_id", "isAsc": True}],
        }
        data = {"dataObjectApiName": OBJECT, "search_query_info": info}
        return list(self.retrier.read(lambda: self.client.data("query", data))["data"]["dataList"])
