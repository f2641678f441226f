"""Promises of a stream: complete, exact, restartable, whatever the line does meanwhile."""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from duijie import schemas
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Stream, Window, traits_of
from duijie.contract.expect import is_chinese, must
from duijie.contract.site import Inapplicable, Site, StreamCase
from duijie.contract.streams import cases, must_be_all, read
from duijie.mapping import load_mapping

LONGEST_SEEN = timedelta(days=90)
LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)")


def every_record_once(site: Site) -> None:
    """A window brings every record that the source holds in it, once, each under its key."""
    for _, stream, case in cases(site):
        must_be_all(stream, case, read(stream, case.window))


def numbers_are_exact(site: Site) -> None:
    """Numbers arrive as int, Decimal or text: no float, so no cent is lost before the mapping."""
    for _, stream, case in cases(site):
        floats = [where for record in read(stream, case.window) for where in _floats(record, stream.name)]
        must(not floats, f"floats in {floats[:5]}")


def records_make_valid_documents(site: Site) -> None:
    """What the shipped mapping makes of every record is a valid document."""
    if all(case.mapping is None for case in site.streams.values()):
        raise Inapplicable("no mapping given")
    for _, stream, case in cases(site):
        if case.mapping is None:
            continue
        mapping = load_mapping(case.mapping)
        for record in read(stream, case.window):
            for entity, document in mapping.documents(record, case.lookup, case.settings):
                schemas.check(entity, document)


def an_empty_window_is_empty(site: Site) -> None:
    """A window in which nothing happened brings nothing, and is no error."""
    if all(case.whole for case in site.streams.values()):
        raise Inapplicable("every stream brings all there is")
    for _, stream, case in cases(site):
        found = [] if case.whole else read(stream, case.empty)
        must(not found, f"{stream.name}: {len(found)} records from a window that holds none")


def the_longest_window_is_answered(site: Site) -> None:
    """A window as long as the stream declares (three months where it declares none) is read without an error."""
    for _, stream, case in cases(site):
        longest = traits_of(stream).longest or LONGEST_SEEN
        read(stream, replace(case.window, since=case.window.until - longest))


def keys_bring_exactly_their_records(site: Site) -> None:
    """Asked for by key a record comes back alone; a key that is not there brings nothing."""
    if not any(traits_of(stream).answers_keys for stream in site.open().streams.values()):
        raise Inapplicable("no stream is read by key")
    for _, stream, case in cases(site):
        if not traits_of(stream).answers_keys:
            continue
        known = {str(record[stream.key]) for record in read(stream, case.window)}
        key = min(known)
        found = {str(record[stream.key]) for record in read(stream, _keyed(case, key))}
        must(found == {key}, f"{stream.name}: asked for {key!r}, got {sorted(found)}")
        gone = read(stream, _keyed(case, _other(key, known)))
        must(not gone, f"{stream.name}: a key that is not there brought {len(gone)} records")


def a_token_may_expire_between_pages(site: Site) -> None:
    """Tokens that expire while a list is read are replaced; the list is complete."""
    if not site.token_path:
        raise Inapplicable("no tokens")
    for mine, stream, case in cases(site):
        found: list[Record] = []
        for number, page in enumerate(stream.read(case.window)):
            found += page.records
            if number == 0:
                mine.order({"kind": "expire_tokens", "count": 1})
        must_be_all(stream, case, found)


def retry_after_is_honoured(site: Site) -> None:
    """ "Too often, come back in a second" is waited for, and the reading goes on."""
    for mine, stream, case in cases(site):
        mine.order({**mine.limited, "headers": {"Retry-After": "1"}, "count": 1})
        began = time.monotonic()
        must_be_all(stream, case, read(stream, case.window))
        waited = time.monotonic() - began
        must(mine.fired() == 1, f"{stream.name}: the limit was never met")
        must(waited >= 1.0, f"{stream.name}: called again after {waited:.2f} s instead of a second")


def a_limit_without_a_time_is_waited_out(site: Site) -> None:
    """ "Too often" without a time is waited out."""
    for mine, stream, case in cases(site):
        mine.order({**mine.limited, "count": 1})
        must_be_all(stream, case, read(stream, case.window))


def a_busy_server_is_asked_again(site: Site) -> None:
    """A read that met 503 twice is complete all the same."""
    for mine, stream, case in cases(site):
        mine.order({"kind": "status", "status": 503, "count": 2})
        must_be_all(stream, case, read(stream, case.window))


def a_lost_answer_to_a_read_is_read_again(site: Site) -> None:
    """A read whose answer was cut off is repeated."""
    for mine, stream, case in cases(site):
        mine.order({"kind": "lose_answer", "count": 1})
        must_be_all(stream, case, read(stream, case.window))


def nonsense_is_never_taken_for_records(site: Site) -> None:
    """A page of HTML with status 200: read again, or an error of the tree in Chinese; never an empty list."""
    for mine, stream, case in cases(site):
        mine.order({"kind": "malformed", "count": 1})
        try:
            must_be_all(stream, case, read(stream, case.window))
        except DuijieError as error:
            must(is_chinese(error.zh), f"{stream.name}: the error is not in Chinese: {error.zh!r}")


def shifting_pages_lose_nothing(site: Site) -> None:
    """A record that leaves its place while pages are read takes none with it, or the stream tells, and is read again.

    It tells by a total that is not what came, or declares that its pages shift: `duijie.pull` reads such a list anew.
    """
    if not site.shifts:
        raise Inapplicable("its sandbox cannot shift pages")
    for mine, stream, case in cases(site):
        if case.whole:
            continue
        found, told = _disturbed(mine, stream, case)
        left = {str(record[stream.key]) for record in read(stream, case.window)}
        must(mine.fired() == 1, f"{stream.name}: its pages were not shifted")
        if told or traits_of(stream).shifts:
            found |= left
        must(left <= found, f"{stream.name}: lost {sorted(left - found)[:5]} when its pages shifted")


def _disturbed(site: Site, stream: Stream, case: StreamCase) -> tuple[set[str], bool]:
    """Keys of a reading whose pages shift after the first, and whether its totals tell."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    totals: defaultdict[str, set[int]] = defaultdict(set)
    for number, page in enumerate(stream.read(case.window)):
        found[page.list_name] |= {str(record[stream.key]) for record in page.records}
        totals[page.list_name] |= set() if page.total is None else {page.total}
        if number == 0:
            site.order({"kind": "shift_pages", "count": 1})
    told = any(said and said != {len(found[name])} for name, said in totals.items())
    return set().union(*found.values()), told


def _keyed(case: StreamCase, key: str) -> Window:
    return Window(case.window.since, case.window.until, case.window.partition, (key,))


def _other(key: str, known: set[str]) -> str:
    """A key of the same form that is not there: its last number is nines, as many as it takes."""
    head, number, tail = LAST_NUMBER.fullmatch(key + "0" if not any(map(str.isdigit, key)) else key).groups()  # type: ignore[union-attr]
    others = (f"{head}{'9' * (len(number) + more)}{tail}" for more in itertools.count())
    return next(other for other in others if other not in known)


def _floats(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, float):
        yield where
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _floats(part, f"{where}.{name}")
    elif isinstance(value, list):
        for part in value:
            yield from _floats(part, f"{where}[]")
