"""A source as vendors are: it commits late, stamps by a clock of its own in whole seconds, pages through lists that
move, fails now and then, and edits and deletes under the reader's hands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from duijie.codec import Record
from duijie.connect.errors import AnswerLost
from duijie.connect.protocol import Page, Traits, Window

START = datetime(2026, 11, 11, tzinfo=UTC)
TENTH = timedelta(milliseconds=100)


@dataclass(frozen=True)
class Edit:
    """Someone saves a record (or deletes it) at `at`; others see it `delay` later; its stamp lies `back` before.

    All in tenths of a second of the true time.
    """

    at: int
    key: str
    text: str
    delay: int = 0
    back: int = 0
    part: str = "S01"
    deletes: bool = False


@dataclass
class Source:
    """A stream over the edits. `clock` is the true time in tenths; every page that is asked for takes `pace` of it.

    `paging`: "after" (by the last id seen), "total" or "blind" (by offset, with or without the vendor's count).
    `tells`: answers carry the vendor's time, which is `skew` tenths ahead of the true one. `broken`: the numbers of the
    requests that fail.
    """

    edits: list[Edit]
    paging: str = "after"
    newest_first: bool = False
    size: int = 2
    skew: int = 0
    tells: bool = False
    pace: int = 1
    broken: set[int] = field(default_factory=set)
    longest: timedelta | None = None
    clock: int = 0
    asked: int = 0
    windows: list[Window] = field(default_factory=list)
    name: str = "material"
    entity: str = "product"
    key: str = "id"

    @property
    def traits(self) -> Traits:
        return Traits(longest=self.longest, shifts=self.paging == "blind")

    @property
    def now(self) -> datetime:
        return START + self.clock * TENTH

    def partitions(self) -> Iterable[str]:
        return ["S01", "S02"]

    def records(self, part: str) -> dict[str, Record]:
        """What the source shows now, by key."""
        shown: dict[str, Record] = {}
        for edit in sorted(self.edits, key=lambda edit: edit.at + edit.delay):
            if edit.at + edit.delay > self.clock or edit.part != part:
                continue
            if edit.deletes:
                shown.pop(edit.key, None)
            else:
                stamp = START + (edit.at + self.skew - edit.back) // 10 * 10 * TENTH
                shown[edit.key] = {"id": edit.key, "text": edit.text, "modified": stamp.isoformat()}
        return shown

    def read(self, window: Window) -> Iterator[Page]:
        """Whatever the window asks for, a request a page."""
        assert self.longest is None or window.until - window.since <= self.longest
        self.windows.append(window)
        seen, last, rows = 0, "", self._ask(window)
        while True:
            total = len(rows) if self.paging == "total" else None
            if self.paging == "after":
                page = sorted((row for row in rows if row["id"] > last), key=lambda row: str(row["id"]))[: self.size]
            else:
                page = rows[seen : seen + self.size]
            yield Page(page, total, server_time=self.now + self.skew * TENTH if self.tells else None)
            if len(page) < self.size:
                return
            seen, last = seen + len(page), page[-1]["id"]
            rows = self._ask(window)

    def _ask(self, window: Window) -> list[Record]:
        self.asked += 1
        self.clock += self.pace
        if self.asked in self.broken:
            raise AnswerLost("应答丢失")
        return sorted(self._inside(window), key=lambda row: (row["modified"], row["id"]), reverse=self.newest_first)

    def _inside(self, window: Window) -> Iterator[Record]:
        for row in self.records(window.partition).values():
            stamp = datetime.fromisoformat(row["modified"])
            if row["id"] in window.keys or (not window.keys and window.since <= stamp < window.until):
                yield row
