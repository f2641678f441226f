"""An archive: a folder of Parquet files and a manifest, each file read back and compared before anything is deleted.

Whole numbers stay whole (money in fen), moments are ISO 8601 in UTC, bodies are their JSON text: nothing is ever a
float. Any tool that knows Parquet reads them: `duckdb -c "SELECT * FROM 'archive/*/message-*.parquet'"`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from sqlalchemy import BigInteger, Boolean, Integer, Table

from duijie.connect.errors import ConfigError
from duijie.keep.backup import sha256

MANIFEST = "manifest.json"
LARGEST_ROW = 1 << 30


class Part(msgspec.Struct, frozen=True):
    """One file: of which table and kind, how many rows, their first and last id, sums of money, the file's hash."""

    file: str
    kind: str
    table: str
    rows: int
    first: int
    last: int
    sums: dict[str, int]
    sha256: str


class Contents(msgspec.Struct):
    """The manifest of an archive."""

    made_at: datetime
    who: str
    before: dict[str, datetime]
    parts: list[Part] = []


class Archive:
    """A new archive below a folder, filled part by part."""

    def __init__(self, folder: Path, who: str, before: Mapping[str, datetime]) -> None:
        made_at = datetime.now(UTC)
        self.place = folder / f"duijie-archive-{made_at:%Y%m%dT%H%M%S%fZ}"
        self.place.mkdir(parents=True, mode=0o700)
        self.contents = Contents(made_at, who, dict(before))
        self._duck = duckdb.connect(":memory:")

    def close(self) -> None:
        """End DuckDB's part in it."""
        self._duck.close()

    def keep(self, kind: str, table: Table, rows: Sequence[Mapping[str, Any]]) -> Part:
        """Write rows of a table, read them back and note them in the manifest. Raises ConfigError when they differ."""
        number = len(self.contents.parts) + 1
        file = self.place / f"{table.name}-{number:05}.parquet"
        plain = [{str(name): _plain(value) for name, value in row.items()} for row in rows]
        self._write(file, table, plain)
        if self._read(file) != [tuple(row.values()) for row in plain]:
            raise ConfigError(
                f"归档文件 {file} 回读与原数据不一致, 未删除任何数据: 请检查磁盘",
                en=f"{file} does not read back as it was written; nothing was deleted",
                where=str(file),
            )
        ids = [int(row["id"]) for row in plain]
        sums = {name: sum(row[name] or 0 for row in plain) for name in plain[0] if name.endswith("amount")}
        part = Part(file.name, kind, str(table.name), len(plain), min(ids), max(ids), sums, sha256(file))
        self.contents.parts.append(part)
        self._note()
        return part

    def _write(self, file: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        spool = file.with_suffix(".jsonl")
        spool.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
        columns = ", ".join(f"'{name}': '{_type(table, name)}'" for name in rows[0])
        read = (
            f"read_json(?, format = 'newline_delimited', columns = {{{columns}}}, maximum_object_size = {LARGEST_ROW})"
        )
        self._duck.execute(f"COPY (SELECT * FROM {read}) TO '{_quoted(file)}' (COMPRESSION zstd)", [str(spool)])  # noqa: S608
        spool.unlink()
        file.chmod(0o600)
        with file.open("rb") as written:
            os.fsync(written.fileno())

    def _read(self, file: Path) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._duck.execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()
        return found

    def _note(self) -> None:
        draft = self.place / f".{MANIFEST}"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self.contents), indent=1))
        draft.chmod(0o600)
        draft.replace(self.place / MANIFEST)


def read_contents(place: Path) -> Contents:
    """The manifest of an archive."""
    return msgspec.json.decode((place / MANIFEST).read_bytes(), type=Contents)


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def _type(table: Table, name: str) -> str:
    kind = table.columns[name].type
    if isinstance(kind, Boolean):
        return "BOOLEAN"
    return "BIGINT" if isinstance(kind, BigInteger | Integer) else "VARCHAR"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value.decode() if isinstance(value, bytes) else value
