"""Reading a stream of a site: its records, and whether they are all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from duijie.codec import Record
from duijie.connect.protocol import Connector, Stream, Window
from duijie.contract.expect import must
from duijie.contract.site import Inapplicable, Site, StreamCase


def cases(site: Site) -> Iterator[tuple[Site, Stream, StreamCase]]:
    """Each stream over a sandbox that is new. Raises Inapplicable where nothing is read."""
    for name, case in site.streams.items():
        mine = site.fresh()
        connector = mine.warm()
        if case.fill is not None:
            case.fill(connector)
        yield mine, connector.streams[name], case
    if not site.streams:
        raise Inapplicable("reads nothing")


def read(stream: Stream, window: Window) -> list[Record]:
    """All records of a window."""
    return [record for page in stream.read(window) for record in page.records]


def read_any(connector: Connector, site: Site) -> int:
    """Read the first stream; returns how many records."""
    for name, case in site.streams.items():
        return len(read(connector.streams[name], case.window))
    raise Inapplicable("reads nothing")


def must_be_all(stream: Stream, case: StreamCase, found: list[Record]) -> None:
    """Raises Broken unless these are the case's records, each once."""
    keys = Counter(str(record[stream.key]) for record in found)
    twice = [key for key, times in keys.items() if times > 1]
    must(not twice, f"{stream.name}: more than once: {twice[:5]}")
    must(len(keys) == case.count, f"{stream.name}: {len(keys)} records of {case.count}")
