"""Streams that a declaration makes: a Tryton model, its fields, what a change is, and the name of our key.

A raw record is the record as the server sent it: nested records under their field's name, dates and instants as ISO
text, decimals exact; `key` (ours, else "#id") and `modified` are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.tryton.reader import Reader
from duijie.codec import Record
from duijie.connect.protocol import Page, Window

KEYS_AT_ONCE = 100
STAMPS = ("create_date", "write_date")
Domain = list[Any]


@dataclass(frozen=True)
class Kind:
    """One model as a stream. `key`: the field that holds our key, `a|b` where series differ.

    `domain`: which of the records; `company`: the field path to the company they must be of, "" for what is of none;
    `related`: fields whose records' changes are changes of this one; `archived`: whether those set inactive count.
    """

    name: str
    entity: str
    title: str
    model: str
    key: str
    fields: tuple[str, ...]
    domain: tuple[Any, ...] = ()
    company: str = ""
    related: tuple[str, ...] = ()
    archived: bool = False

    def condition(self, reader: Reader) -> Domain:
        """Every record of the kind."""
        condition: Domain = list(self.domain)
        if self.company:
            condition.append([self.company, "=", reader.read(reader.client.company)])
        return condition

    def rows(self, reader: Reader, condition: Domain) -> Iterator[list[Record]]:
        """Raw records that meet a condition on top, in pages."""
        fields = (self.key, *self.fields, *STAMPS)
        context = {"active_test": False} if self.archived else {}
        for page in reader.pages(self.model, [*self.condition(reader), condition], fields, context):
            yield [self._raw(row) for row in page]

    def by_key(self, reader: Reader, keys: Sequence[str]) -> Iterator[list[Record]]:
        """Raw records with one of these keys; "#id" is the record of that id without a key."""
        name = reader.known(self.model, self.key)
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            ids = [int(key[1:]) for key in some if key.startswith("#") and key[1:].isdigit()]
            bare = ["OR", [name, "=", None], [name, "=", ""]]
            yield from self.rows(reader, ["OR", [name, "in", list(some)], [["id", "in", ids], bare]])

    def all(self, reader: Reader, condition: Domain) -> list[Record]:
        """The rows as one list."""
        return [row for page in self.rows(reader, condition) for row in page]

    def one(self, reader: Reader, record: int) -> Record | None:
        """The raw record of an id, None where there is none."""
        return next(iter(self.all(reader, ["id", "=", record])), None)

    def changed(self, window: Window) -> Domain:
        """Created or written in the window, or a related record was."""
        written: Domain = [["write_date", ">=", window.since], ["write_date", "<", window.until]]
        created: Domain = [["create_date", ">=", window.since], ["create_date", "<", window.until]]
        touched: Domain = ["OR", written, [["write_date", "=", None], created]]
        return [*touched, *([name, "where", touched] for name in self.related)]

    def _raw(self, row: Record) -> Record:
        made = tidy(row)
        modified = max(stamp for stamp in (made.pop("create_date"), made.pop("write_date")) if stamp)
        key = made.get(self.key.split("|", maxsplit=1)[0]) or f"#{row['id']}"
        return {**made, "key": key, "modified": modified}


class RecordStream:
    """The records of a kind: those changed in the window, or those with the window's keys."""

    key = "key"

    def __init__(self, reader: Reader, kind: Kind) -> None:
        self.name = kind.name
        self.entity = kind.entity
        self._reader = reader
        self._kind = kind

    def partitions(self) -> Iterable[str]:
        """One company per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Raw records in pages. Raises errors of the tree."""
        kind, reader = self._kind, self._reader
        found = kind.by_key(reader, window.keys) if window.keys else kind.rows(reader, kind.changed(window))
        for rows in found:
            yield Page(rows)


def tidy(value: Any) -> Any:
    """JSON of a record as the server sent it: `party.` instead of the id under `party`, dates as text, ids as text."""
    if isinstance(value, list):
        return [tidy(item) for item in value]
    if isinstance(value, dict):
        nested = {name[:-1]: tidy(item) for name, item in value.items() if name.endswith(".")}
        plain = {name: tidy(item) for name, item in value.items() if not name.endswith(".") and name not in nested}
        return {**plain, **nested, **({"id": str(value["id"])} if "id" in value else {})}
    return value.isoformat() if isinstance(value, date) else value
