"""Reading lists of the admin API by `take` and `skip` without missing what moves meanwhile.

Lists are asked for in the order in which things were made, which never changes. What is deleted, or leaves the window
because it changes, draws its followers towards the front; so pages are read from the last to the first: what moves is
met twice, never missed. New things come at the end and belong to a later reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from connectors.vendure.client import Client, listed
from duijie.codec import Record

PAGE = 100
MADE_ORDER = {"createdAt": "ASC", "id": "ASC"}
JUST_BEFORE = timedelta(milliseconds=1)


def pages(client: Client, query: str, name: str, where: Record, page: int = PAGE) -> Iterator[list[Record]]:
    """Pages of the list `name` under the filter `where`; `query` takes $options and asks for items and totalItems."""

    def rows(skip: int) -> tuple[list[Record], int]:
        options = {"filter": where, "sort": MADE_ORDER, "skip": skip, "take": page}
        return listed(client.read(query, options=options), name)

    first, total = rows(0)
    if total <= page:
        yield first
        return
    for number in range(-(-total // page) - 1, -1, -1):
        yield rows(number * page)[0]


def with_keys(client: Client, query: str, name: str, field: str, keys: Sequence[str]) -> Iterator[Record]:
    """The items whose `field` is exactly one of the keys; some databases compare without case, we do not."""
    for start in range(0, len(keys), PAGE):
        asked = list(keys[start : start + PAGE])
        for rows in pages(client, query, name, {field: {"in": asked}}):
            yield from (row for row in rows if row[field] in asked)


def between(since: datetime, until: datetime) -> Record:
    """The filter for since ≤ t < until, a little wide: SQLite compares texts, and there a whole second sorts first."""
    return {"between": {"start": moment(since - JUST_BEFORE), "end": moment(until)}}


def moment(at: datetime) -> str:
    """As the API takes and gives it: UTC to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """The reverse of `moment`."""
    return datetime.fromisoformat(text)
