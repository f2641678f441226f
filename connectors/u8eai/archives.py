"""档案 of U8: streams of whole archives, and sinks that add a record to one.

No filter by the time of a change is documented for queries, so an archive is read whole; two of them can be asked for
by their code. A code that is taken is refused, so a double cannot arise. `edit` replaces a whole archive record and is
left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from lxml import etree

from connectors.u8eai.client import ERRORS, Client, filled
from connectors.u8eai.settings import docid_of
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Window
from duijie.connect.retry import side_by_side

CHINA = ZoneInfo("Asia/Shanghai")
PAGE = 500
SEED_DATE = "seed_date"  # 发展日期


@dataclass(frozen=True)
class Archive:
    """An archive by its roottag.

    `asked_by`: the field of a query by which its code is asked for, if any is known. `dated`: a new record needs its
    发展日期. `headed`: fields stand in a header, with a body beside it.
    """

    name: str
    entity: str
    asked_by: str = ""
    dated: bool = False
    headed: bool = False


ARCHIVES = (
    Archive("customer", "party", "code", dated=True),
    Archive("vendor", "party", dated=True),
    Archive("inventory", "product", "cinvcode", headed=True),
    Archive("warehouse", "warehouse"),
)


def record_of(element: etree._Element) -> Record:
    """An archive record: its fields as sent, those of the header where it has one."""
    header = element.find("header")
    fields = element if header is None else header
    return {str(one.tag): one.text or "" for one in fields.iterchildren("*") if not len(one)}


class Books:
    """The archives of one 账套."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def all(self, archive: Archive) -> list[Record]:
        """Every record. Raises errors of the tree."""
        return [record_of(one) for one in self.client.query(archive.name, {})]

    def of(self, archive: Archive, codes: Sequence[str]) -> list[Record]:
        """The records of these codes, asked for each where the archive can be, else picked from all."""
        if not archive.asked_by:
            return [one for one in self.all(archive) if one.get("code") in codes]
        found = side_by_side(lambda code: self.client.query(archive.name, {archive.asked_by: code}), list(codes), 4)
        return [
            one
            for code, elements in zip(codes, found, strict=True)
            for one in map(record_of, elements)
            if one.get("code") == code
        ]


class ArchiveStream:
    """Every record of an archive, whatever the window; those of the window's keys (codes) alone."""

    key = "code"

    def __init__(self, archive: Archive, books: Books) -> None:
        self.name = archive.name
        self.entity = archive.entity
        self._archive = archive
        self._books = books

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Pages of records. Raises errors of the tree."""
        archive, keys = self._archive, list(dict.fromkeys(window.keys))
        records = self._books.of(archive, keys) if keys else self._books.all(archive)
        for start in range(0, len(records), PAGE):
            yield Page(records[start : start + PAGE])


class ArchiveSink:
    """Adds a record. A payload is the fields of the template, in its order, with `code` first."""

    safety = Safety.NATURAL_KEY
    batch = 20

    def __init__(self, archive: Archive, books: Books) -> None:
        self.name = archive.name
        self.entity = archive.entity
        self._archive = archive
        self._books = books

    def key_of(self, payload: Record) -> str:
        """The code."""
        return str(payload["code"])

    def figures_of(self, payload: Record) -> Figures:
        """None: a record of an archive carries no amount."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By code."""
        return {one["code"]: Found(one["code"], one["code"], {}, one) for one in self._books.of(self._archive, keys)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One import each, one after the other: EAI locks what it writes."""
        return [self._books.client.retrier.outcome(partial(self._add, payload)) for payload in payloads]

    def _add(self, payload: Record) -> Done:
        code = self.key_of(payload)
        item = self._books.client.add(self._element(payload), docid_of(f"{self.name}:{code}"))
        if not (item.get("key") or item.get("u8key")) and code not in self.find([code]):
            raise ERRORS.error("unwritten", "编码", where=code)
        return Done(code, code, dict(item))

    def _element(self, payload: Record) -> etree._Element:
        fields = list({**({SEED_DATE: self._today()} if self._archive.dated else {}), **payload}.items())
        if not self._archive.headed:
            return filled(self.name, fields)
        element = etree.Element(self.name)
        element.append(filled("header", fields))
        etree.SubElement(element, "body")
        return element

    def _today(self) -> str:
        return f"{datetime.fromtimestamp(self._books.client.clock(), CHINA):%Y-%m-%d}"
