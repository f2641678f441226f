"""A journal, a mapping and pulls of the source of the tests, at the source's own time."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import select

from duijie.codec import Record, decode
from duijie.connect.errors import DuijieError
from duijie.flow import Pull
from duijie.journal import Journal
from duijie.journal.tables import document, message
from duijie.mapping import Mapping, StaticLookup, load_mapping
from duijie.pull import Refinery, pull
from duijie.pull.reading import Counts
from tests.pull.source import START, Source

MAPPING = """
mapping: shop/product.in
from: {system: shop, stream: material}
to: {entity: product}
version: 1
fields:
  key: join(":", settings.shop, settings.partition, id)
  sku: id
  name: text
  unit: '"件"'
  tax_rate: 0.13
  modified_at: modified
"""
_numbers = count(1)


class World:
    """One connection of its own, so that many share a journal."""

    def __init__(self, kept: Journal, mapping: Mapping, source: Source, **more: object) -> None:
        self.kept, self.mapping, self.source = kept, mapping, source
        self.connection = f"shop{next(_numbers)}"
        asked: Record = {"name": "p", "connection": self.connection, "stream": "material", "mapping": "shop/product.in"}
        self.step = Pull(
            **{
                **asked,
                "since": START - timedelta(minutes=9),
                "overlap_minutes": 1,
                "settings": {"shop": self.connection},
                **more,
            }
        )
        kept.now = lambda: self.source.now  # type: ignore[method-assign]

    def pull(self) -> Counts:
        """One pull, now."""
        lookup = StaticLookup({}, {})
        refinery = Refinery(self.kept, "flow", "product", self.mapping, lookup)
        return pull(self.kept, self.step, self.source, refinery, Counts)

    def try_pull(self, at: int) -> str:
        """A pull that may fail; returns how it did."""
        self.source.clock = max(self.source.clock, at)
        try:
            self.pull()
        except DuijieError as error:
            return error.zh
        return ""

    def held(self) -> dict[tuple[str, str], str]:
        """(partition, id) → text of the current documents of this connection."""
        return {(part, body["sku"]): body["name"] for part, body in self._bodies(document.c.current)}

    def expected(self) -> dict[tuple[str, str], str]:
        """The same of the source."""
        return {
            (part, key): row["text"]
            for part in self.source.partitions()
            for key, row in self.source.records(part).items()
        }

    def versions(self) -> dict[tuple[str, str], list[str]]:
        """(partition, id) → the hashes of its versions, oldest first."""
        found: dict[tuple[str, str], list[str]] = {}
        query = select(message.c.part, message.c.key, document.c.hash).join(
            message, message.c.id == document.c.message_id
        )
        query = query.where(message.c.connection == self.connection).order_by(document.c.version)
        with self.kept.reading() as tx:
            for row in tx.execute(query):
                found.setdefault((row.part, row.key), []).append(row.hash)
        return found

    def _bodies(self, *where: object) -> list[tuple[str, Record]]:
        query = select(message.c.part, document.c.body).join(message, message.c.id == document.c.message_id)
        query = query.where(message.c.connection == self.connection, *where)  # type: ignore[arg-type]
        with self.kept.reading() as tx:
            return [(row.part, decode(row.body)) for row in tx.execute(query)]


def mapping_in(folder: Path) -> Mapping:
    """The tests' mapping, loaded."""
    path = folder / "product.in.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return load_mapping(path)
