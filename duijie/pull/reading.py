"""Reading streams into the inbox so that nothing is lost at the cursor's edge.

A cursor moves only when everything before it is stored, never past now, and for each partition apart. A list that
moved while it was read is read again; what comes twice is known by its hash.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConnectorFault, DuijieError, JournalBusy, VendorBusy, in_part, together
from duijie.connect.protocol import Page, Stream, Window, traits_of
from duijie.flow import Poll, Pull
from duijie.journal import Journal, inbox
from duijie.journal.codes import CHINA
from duijie.journal.inbox import Message, Source
from duijie.parcels import shielded
from duijie.pull.windows import last_moment, longest, moment, windows

Counts = Counter[str]
END = object()
REPEATS = 20
READINGS = 2  # of one window, before it is halved
SPLITS = 5


def read(journal: Journal, step: Pull, stream: Stream, now: datetime) -> Counts:
    """Read every partition up to now − lag. Returns counts of records read and of those that are new.

    A failing partition never moves another's cursor; all that failed are raised as one error that names each.
    """
    longest(step, traits_of(stream))
    counts: Counts = Counter()
    each_part(step, stream, lambda source: _read_partition(journal, step, stream, source, now, counts))
    return counts


def each_part(step: Pull, stream: Stream, act: Callable[[Source], None]) -> None:
    """Do it for every partition, whatever becomes of the others; all that failed are raised as one error."""
    failures: list[DuijieError] = []
    for part in shielded(step.connection, lambda: list(map(_part, stream.partitions()))):
        try:
            act(Source(step.connection, step.stream, part))
        except JournalBusy:
            raise
        except DuijieError as error:
            failures.append(in_part(error, part))
    if failures:
        raise together(failures)


def _part(told: object) -> str:
    if not isinstance(told, str):
        raise TypeError(f"a partition is a text, not {type(told).__name__}")
    return told


def _read_partition(
    journal: Journal, step: Pull, stream: Stream, source: Source, now: datetime, counts: Counts
) -> None:
    traits = traits_of(stream)
    position = inbox.position(journal, source)
    end = last_moment(step, traits, now)
    if position and position > end:  # a clock was set back: what is stamped between would be passed over
        inbox.set_back(journal, source, end)
    for window in windows(step, traits, position, source.part, now):
        answered = read_window(journal, source, stream, window, counts)
        end = min(end, last_moment(step, traits, answered or now))
        inbox.advance(journal, source, min(window.until, end), position)
        if end < window.until:  # the vendor's clock has not come to the rest yet
            return


@dataclass
class Reading:
    """One reading of a window. `seen`: key → hash of what came in each list that must be watched.

    `compares`: two readings must be alike, for nothing else tells whether a list held still.
    """

    compares: bool
    seen: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    totals: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, page: Page, rows: Sequence[Record]) -> None:
        """Take a page in with the rows that were made of it."""
        if page.total is not None:
            self.totals[page.list_name].add(page.total)
        if self.compares or page.total is not None:
            self.seen[page.list_name].update((row["key"], row["hash"]) for row in rows)

    @property
    def is_whole(self) -> bool:
        """Whether every list held still: one total on all its pages, and as many records as that."""
        return all(totals == {len(self.seen[name])} for name, totals in self.totals.items())


def read_window(
    journal: Journal, source: Source, stream: Stream, window: Window, counts: Counts, splits: int = SPLITS
) -> datetime | None:
    """Store every record of a window; returns the vendor's time when it began to answer, where it tells.

    A window whose list did not hold still is read again, then in halves: a list of one page cannot move under our
    hands. Raises VendorBusy when that does not help either; what was read stays stored.
    """
    answered, is_whole = _read_twice(journal, source, stream, window, counts)
    if is_whole:
        return answered
    middle = moment(window.since + (window.until - window.since) / 2, traits_of(stream))
    if not splits or not window.since < middle < window.until:
        raise _moving(source, window)
    for half in (replace(window, until=middle), replace(window, since=middle)):
        began = read_window(journal, source, stream, half, counts, splits - 1)
        answered = answered or began
    return answered


def _read_twice(
    journal: Journal, source: Source, stream: Stream, window: Window, counts: Counts
) -> tuple[datetime | None, bool]:
    """The vendor's time at the beginning, and whether one reading (or two that are alike) is to be relied on."""
    answered: datetime | None = None
    before: Reading | None = None
    for _ in range(READINGS):
        reading = Reading(traits_of(stream).shifts)
        for page in pages(source, stream, window):
            answered = answered or page.server_time
            reading.add(page, _store(journal, source, stream, page, counts))
        if reading.is_whole and (not reading.compares or (before and before.seen == reading.seen)):
            return answered, True
        before = reading
    return answered, False


def _moving(source: Source, window: Window) -> VendorBusy:
    since, until = (f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}" for at in (window.since, window.until))
    return VendorBusy(
        f"{source.stream} 的列表 ({since} 至 {until}) 在读取时持续变动, 已读到的已保存; 下次运行自动重读",
        en=f"the list of {source.stream} ({since} to {until}) kept moving while it was read; it will be read again",
        code="MOVING",
        where=source.stream,
    )


def pages(source: Source, stream: Stream, window: Window) -> Iterator[Page]:
    """The stream's pages; a fault of the connector's own program is named as such."""
    name = f"{source.connection}/{source.stream}"
    found = shielded(name, lambda: iter(stream.read(window)))
    last: Page | None = None
    alike = 0
    while page := shielded(name, lambda: _next(found)):
        alike = alike + 1 if page.records and last and page.records == last.records else 0
        last = page
        if alike == REPEATS:
            raise _repeating(name)
        yield page


def _next(found: Iterator[Page]) -> Page | None:
    """The next page, None at the end. Raises TypeError for what is no page: that is not the end."""
    page = next(found, END)
    if page is END:
        return None
    if isinstance(page, Page) and isinstance(page.records, list | tuple):
        return page
    raise TypeError(f"the stream yields {type(page).__name__} where a Page with a list of records is due")


def _repeating(name: str) -> ConnectorFault:
    return ConnectorFault(
        f"{name} 连续 {REPEATS} 次返回同一页, 已停止读取, 已读到的已保存; 请把这一句交给连接器的开发者",
        en=f"{name} gives the same page again and again; reading stopped, what was read is kept",
        code="REPEATS",
        where=name,
    )


def read_keys(journal: Journal, step: Poll, stream: Stream, keys: Sequence[str], now: datetime) -> Counts:
    """Read exactly these keys."""
    source = Source(step.connection, step.stream)
    counts: Counts = Counter()
    for page in pages(source, stream, Window(now, now, keys=tuple(keys))):
        _store(journal, source, stream, page, counts)
    return counts


def ask_again(
    journal: Journal, source: Source, stream: Stream, older: Sequence[Message], now: datetime, counts: Counts
) -> list[Message]:
    """Ask for the keys of messages that look older than what is kept; returns those whose source says the same again.

    A message may be late: then its source says something newer by now, which is stored. Or its source was changed
    with a time that lies back, or restored from a copy: then what it says now holds. Where it says several things of
    one key at once, the last of them counts.
    """
    wanted: dict[str, dict[str, str]] = defaultdict(dict)
    for message in older:
        wanted[message.part][message.key] = _content(message)
    same: list[Message] = []
    for part, contents in wanted.items():
        here = replace(source, part=part)
        said: dict[str, str] = {}
        for page in pages(here, stream, Window(now, now, part, tuple(contents))):
            said |= {row["key"]: row["hash"] for row in _store(journal, here, stream, page, counts)}
        again = {key for key, content in contents.items() if said.get(key) == content}
        same += [one for one in inbox.last(journal, here, again) if _content(one) == contents[one.key]]
    return same


def _content(message: Message) -> str:
    return codec.digest(codec.decode(message.body))


def _store(journal: Journal, source: Source, stream: Stream, page: Page, counts: Counts) -> list[Record]:
    rows = inbox.rows(journal, source, stream.key, page.records)
    counts["read"] += len(rows)
    counts["new_messages"] += inbox.keep(journal, source, rows)
    return rows
