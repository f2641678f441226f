"""Reading the records of an object completely: by time of change, by a field's values, or all of them.

Nothing is paged by offset: a record that changes while we read leaves its place and its follower would be skipped, and
offsets end at 10,000. Windows advance by the last time read; within one instant, and in lists without a time, pages
advance by `_id`, as the vendor advises for deep paging.
Source: 纷享销客开放平台 "查询对象数据列表" (data/query), "深翻页文档".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.fxiaoke.client import Client
from connectors.fxiaoke.objects import OUR_KEY, SKU, Lines, Reference
from duijie.codec import Record, encode
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.retry import Retrier

KEY_FIELD = "duijie_key__c"
SKU_FIELD = "product_code"
LIMIT = 100
CHANGED = "last_modified_time"
ID = "_id"
BY_TIME = ({"fieldName": CHANGED, "isAsc": True}, {"fieldName": ID, "isAsc": True})
BY_ID = ({"fieldName": ID, "isAsc": True},)


def passing(name: str, operator: str, *values: str) -> Record:
    """One filter of a query."""
    return {"field_name": name, "field_values": list(values), "operator": operator}


@dataclass(frozen=True)
class Fields:
    """The field that holds our key, perhaps another on some objects, and the field of 产品 that holds the SKU."""

    key: str = KEY_FIELD
    keys: Mapping[str, str] = field(default_factory=dict)
    sku: str = SKU_FIELD

    @classmethod
    def of(cls, connection: Connection) -> Fields:
        """From the settings of the connection."""
        extra = connection.extra
        own = extra.get("key_fields") or {}
        return cls(str(extra.get("key_field") or KEY_FIELD), own, str(extra.get("sku_field") or SKU_FIELD))

    def key_of(self, api_name: str) -> str:
        """The field of this object that holds our key."""
        return str(self.keys.get(api_name) or self.key)

    def code_of(self, reference: Reference) -> str:
        """The field of the other object that holds its code."""
        named = {OUR_KEY: self.key_of(reference.api_name), SKU: self.sku}
        return named.get(reference.code, reference.code)


@dataclass
class Records:
    """The records of one company."""

    client: Client
    retrier: Retrier
    fields: Fields
    limit: int = LIMIT
    _described: set[str] = field(default_factory=set, init=False)

    def changed(self, api_name: str, since: int, until: int) -> Iterator[list[Record]]:
        """Pages of records with since ≤ last_modified_time < until (epoch milliseconds), each record once."""
        start = since
        seen: set[str] = set()
        while start < until:
            rows = self._query(api_name, [passing(CHANGED, "BETWEEN", str(start), str(until - 1))], BY_TIME)
            times = [int(row[CHANGED]) for row in rows]
            is_full = len(rows) >= self.limit
            if is_full and times[0] == times[-1]:
                instant = passing(CHANGED, "BETWEEN", str(times[0]), str(times[0]))
                yield from (_unseen(page, seen) for page in self.all(api_name, [instant]))
                start, seen = times[0] + 1, set()
                continue
            yield _unseen(rows, seen)
            if not is_full:
                return
            start, seen = times[-1], {str(row[ID]) for row, time in zip(rows, times, strict=True) if time == times[-1]}

    def all(self, api_name: str, filters: Sequence[Record] = (), shown: Sequence[str] = ()) -> Iterator[list[Record]]:
        """Pages of every record that passes, by `_id`; only the fields `shown` where there are some."""
        after: list[Record] = []
        while True:
            rows = self._query(api_name, [*filters, *after], BY_ID, shown)
            yield rows
            if len(rows) < self.limit:
                return
            after = [passing(ID, "GT", str(rows[-1][ID]))]

    def having(
        self, api_name: str, name: str, values: Iterable[str], shown: Sequence[str] = ()
    ) -> Iterator[list[Record]]:
        """Pages of the records whose field has one of these values."""
        asked = list(dict.fromkeys(values))
        for at in range(0, len(asked), self.limit):
            yield from self.all(api_name, [passing(name, "IN", *asked[at : at + self.limit])], shown)

    def lines(self, lines: Lines, masters: Iterable[str]) -> Mapping[str, list[Record]]:
        """The lines of these masters, by master, in the order of their `_id`."""
        held: dict[str, list[Record]] = {master: [] for master in masters}
        for rows in self.having(lines.api_name, lines.parent, held):
            for row in rows:
                held[str(row[lines.parent])].append(row)
        return held

    def codes(self, reference: Reference, ids: Iterable[str]) -> Mapping[str, Record]:
        """Code and name of the records that are referred to, by `_id`; no code where the field is empty."""
        code = self.fields.code_of(reference)
        pages = self.having(reference.api_name, ID, ids, (ID, "name", code))
        return {str(row[ID]): {"code": row.get(code), "name": row.get("name")} for rows in pages for row in rows}

    def require_key_field(self, api_name: str, title: str) -> None:
        """Refuse an object that lacks our field: a key that is dropped is never found again. Raises ConfigError."""
        if api_name in self._described:
            return
        key = self.fields.key_of(api_name)
        described = self.retrier.read(lambda: self.client.describe(api_name))
        if f'"{key}"'.encode() not in encode(described):
            raise ConfigError(
                f"{title}对象没有字段 {key}; 请在纷享销客后台为“{title}”增加该单行文本字段 (建议设为唯一)",
                en=f"{api_name} has no field {key}; add it as a text field, unique if possible",
                code="fxiaoke:key_field",
                where=key,
            )
        self._described.add(api_name)

    def _query(
        self, api_name: str, filters: Sequence[Record], orders: Sequence[Record], shown: Sequence[str] = ()
    ) -> list[Record]:
        info = {"limit": self.limit, "offset": 0, "filters": list(filters), "orders": list(orders)}
        data = {"dataObjectApiName": api_name, "search_query_info": info}
        if shown:
            info["fieldProjection"] = list(shown)
        return list(self.retrier.read(lambda: self.client.data("query", data))["data"]["dataList"])


def _unseen(rows: Sequence[Record], seen: set[str]) -> list[Record]:
    return [row for row in rows if str(row[ID]) not in seen]
