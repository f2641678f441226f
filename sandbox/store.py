"""What a sandbox holds: records in named collections, in memory and written through to one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from duijie import codec

Record = dict[str, Any]


class Store:
    """Collections of JSON records by key, in insertion order. `path` ":memory:" keeps nothing."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS record (collection TEXT, key TEXT, body BLOB, PRIMARY KEY (collection, key))"
        )
        self._data: dict[str, dict[str, Record]] = {}
        for collection, key, body in self._db.execute("SELECT collection, key, body FROM record ORDER BY rowid"):
            self._data.setdefault(collection, {})[key] = codec.decode(body)

    def get(self, collection: str, key: str) -> Record | None:
        """The record, or None."""
        return self._data.get(collection, {}).get(key)

    def all(self, collection: str) -> list[Record]:
        """Every record of a collection, oldest first."""
        return list(self._data.get(collection, {}).values())

    def keys(self, collection: str) -> Iterator[str]:
        """The keys of a collection."""
        return iter(self._data.get(collection, {}))

    def put(self, collection: str, key: str, record: Record) -> None:
        """Insert or overwrite, durable before it returns."""
        self._data.setdefault(collection, {})[key] = record
        self._db.execute(
            "INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (collection, key, codec.encode_ordered(record))
        )

    def put_many(self, collection: str, records: dict[str, Record]) -> None:
        """Insert or overwrite many in one transaction."""
        self._data.setdefault(collection, {}).update(records)
        rows = [(collection, key, codec.encode_ordered(record)) for key, record in records.items()]
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def drop(self, collection: str, key: str) -> None:
        """Delete if there."""
        self._data.get(collection, {}).pop(key, None)
        self._db.execute("DELETE FROM record WHERE collection = ? AND key = ?", (collection, key))

    def next(self, sequence: str, start: int = 1) -> int:
        """The next number of a sequence."""
        kept = self.get("_sequence", sequence)
        value = kept["value"] + 1 if kept else start
        self.put("_sequence", sequence, {"value": value})
        return int(value)

    def counts(self) -> dict[str, int]:
        """How many records each collection holds."""
        return {name: len(rows) for name, rows in self._data.items() if not name.startswith("_")}
