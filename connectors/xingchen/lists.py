"""Reading lists of 金蝶AI星辰 completely: paging, windows, and the days of the bills.

Source: 金蝶开放平台 "商品列表", "商品库存列表", "销售订单列表". `page` counts from 1, the list ends at
`total_page`, `count` comes as a number or as text, windows are epoch milliseconds as text. A list has no cursor: a row
that leaves it while it is read moves the others up, and one of them would be passed over. So rows are told apart by
their identity, and the list is read again until as many came as the vendor counted, on every page alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from zoneinfo import ZoneInfo

from connectors.xingchen.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import VendorBusy
from duijie.connect.protocol import Window

CHINA = ZoneInfo("Asia/Shanghai")
PAGE_SIZE = 100
PASSES = 3

Identity = Callable[[Record], str]


@dataclass(frozen=True)
class Reading:
    """How this connection reads lists: rows a page, and how far (seconds) the vendor's lists run behind its writes."""

    page_size: int = PAGE_SIZE
    lag_seconds: int = 0

    @classmethod
    def of(cls, connection: Connection) -> Reading:
        """From `page_size` and `lag_seconds` of the connection."""
        extra = connection.extra
        return cls(int(extra.get("page_size") or PAGE_SIZE), int(extra.get("lag_seconds") or 0))

    def changed_in(self, window: Window, now: float) -> dict[str, str]:
        """since ≤ modified < until as the vendor takes it: both ends included, in milliseconds.

        With a lag the end stays that far behind `now` (Unix seconds) and the start is moved back as far, so that
        what one read leaves out the next one brings.
        """
        since, until = _milliseconds(window.since), _milliseconds(window.until)
        lag = self.lag_seconds * 1000
        latest = int(now * 1000) - lag if lag else until
        return {"modify_start_time": str(since - lag), "modify_end_time": str(min(until, latest) - 1)}


def pages(
    client: Client, path: str, query: Mapping[str, str], reading: Reading, identity: Identity
) -> Iterator[list[Record]]:
    """Every row of a list once. Raises VendorBusy when the list keeps changing under our hands."""
    seen: set[str] = set()
    for _ in range(PASSES):
        counts: set[int] = set()
        here: set[str] = set()
        for rows, count in _one_pass(client, path, {**query, "page_size": str(reading.page_size)}):
            counts.add(count)
            here.update(map(identity, rows))
            fresh = [row for row in rows if identity(row) not in seen]
            seen.update(map(identity, fresh))
            if fresh:
                yield fresh
        if counts <= {len(here)}:
            return
    raise VendorBusy(
        f"{path} 在读取过程中持续变动 (对方计 {sorted(counts)} 行, 读到 {len(here)} 行); 稍后自动重读",
        en=f"{path} kept changing while it was read ({sorted(counts)} counted, {len(here)} read); read again later",
        where=path,
    )


def _one_pass(client: Client, path: str, query: Mapping[str, str]) -> Iterator[tuple[list[Record], int]]:
    number, last = 1, 1
    while number <= last:
        data = client.get(path, {**query, "page": str(number)})
        rows = [dict(row) for row in data.get("rows") or []]
        if not rows:
            return
        yield rows, int(data.get("count") or 0)
        last = int(data.get("total_page") or 1)
        number += 1


def by_id(row: Record) -> str:
    """What tells most rows apart."""
    return str(row["id"])


def first(client: Client, path: str, query: Mapping[str, str], reading: Reading, name: str) -> Record | None:
    """The row of a filtered list that has exactly the asked value under `name`; None when there is none."""
    for rows in pages(client, path, query, reading, by_id):
        for row in rows:
            if str(row.get(name)) == query[name]:
                return row
    return None


def days_of(window: Window) -> dict[str, str]:
    """The bill dates (Asia/Shanghai, both included) that a window of since ≤ moment < until touches."""
    last = (window.until - timedelta(microseconds=1)).astimezone(CHINA)
    return {"start_bill_date": f"{window.since.astimezone(CHINA):%Y-%m-%d}", "end_bill_date": f"{last:%Y-%m-%d}"}


def _milliseconds(moment: datetime) -> int:
    """Epoch milliseconds, rounded up at both ends so that adjoining windows neither overlap nor gap."""
    whole = Decimal(int(moment.replace(microsecond=0).timestamp())) * 1000
    return int(whole + (Decimal(moment.microsecond) / 1000).to_integral_value(ROUND_CEILING))
