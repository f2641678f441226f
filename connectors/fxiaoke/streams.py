"""Objects of 纷享销客 as streams.

Added to a record as sent: `details`, the lines of an order by their object, as data/create takes them, and `linked`,
code and name of what a field refers to, because a record says no more than its `_id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from connectors.fxiaoke.objects import Kind, Reference
from connectors.fxiaoke.records import ID, Records
from duijie.codec import Record
from duijie.connect.protocol import Page, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ObjectStream:
    """The records of one object, by last_modified_time."""

    def __init__(self, records: Records, kind: Kind) -> None:
        self._records = records
        self._kind = kind
        self.name = kind.stream
        self.entity = kind.entity
        self.key = records.fields.key_of(kind.api_name) if kind.of_ours else ID

    def partitions(self) -> Iterable[str]:
        """One company per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Records changed in the window, or those with the window's keys; all there are of an object read whole."""
        for rows in self._pages(window):
            if kept := [row for row in rows if row.get(self.key)]:
                yield Page(self._linked(self._with_lines(kept), self._kind.shown))

    def _pages(self, window: Window) -> Iterator[list[Record]]:
        api_name = self._kind.api_name
        if window.keys:
            return self._records.having(api_name, self.key, window.keys)
        if self._kind.whole:
            return self._records.all(api_name)
        return self._records.changed(api_name, _milliseconds(window.since), _milliseconds(window.until))

    def _with_lines(self, rows: list[Record]) -> list[Record]:
        lines = self._kind.lines
        if lines is None:
            return rows
        held = self._records.lines(lines, [str(row[ID]) for row in rows])
        linked = iter(self._linked([line for row in rows for line in held[str(row[ID])]], lines.references))
        return [{**row, "details": {lines.api_name: list(islice(linked, len(held[str(row[ID])])))}} for row in rows]

    def _linked(self, rows: list[Record], references: Sequence[Reference]) -> list[Record]:
        found = {
            one.field: self._records.codes(one, [str(row[one.field]) for row in rows if row.get(one.field)])
            for one in references
        }
        if not found:
            return rows
        return [
            {**row, "linked": {name: of[str(row[name])] for name, of in found.items() if str(row.get(name)) in of}}
            for row in rows
        ]


def _milliseconds(moment: datetime) -> int:
    """Epoch milliseconds, rounded up at both ends, so that adjoining windows neither overlap nor gap."""
    return -((EPOCH - moment) // timedelta(milliseconds=1))
