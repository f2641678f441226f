"""An online backup: one consistent snapshot while workers go on, with the manifest of that very snapshot.

SQLite is copied through its backup API (writers of a WAL journal are not held up); PostgreSQL through pg_dump of an
exported snapshot, in whose transaction the manifest is taken. A backup appears under its name only when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy import create_engine, text

from duijie.connect.errors import ConfigError
from duijie.journal import Journal, upkeep
from duijie.keep import postgres
from duijie.keep.proof import Proof, take

FORMAT = 1
MANIFEST = "manifest.json"
FILES = {"sqlite": "journal.db", "postgresql": "journal.dump"}
CHUNK = 2**20


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is: of when, of which schema, its file with hash, and the proof of what is in it."""

    format: int
    made_at: datetime
    by: str
    database: str
    revision: str
    file: str
    bytes: int
    sha256: str
    proof: Proof


def backup(journal: Journal, folder: Path, who: str) -> Path:
    """Make a backup below a folder; returns its own folder. Raises ConfigError, JournalBusy."""
    made_at = datetime.now(UTC)
    place = folder / f"duijie-{made_at:%Y%m%dT%H%M%S%fZ}"
    draft = folder / f".{place.name}.part"
    draft.mkdir(parents=True, mode=0o700)
    try:
        manifest = _fill(journal, draft, made_at, who)
        _sync(draft / manifest.file)
        draft.rename(place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    detail = {"fingerprint": manifest.proof.fingerprint, "bytes": manifest.bytes}
    upkeep.note(journal, "backup", who, str(place.absolute()), detail)
    return place


def _fill(journal: Journal, draft: Path, made_at: datetime, who: str) -> Manifest:
    file = draft / FILES[journal.engine.dialect.name]
    proof, revision = _postgres(journal, file) if journal.is_postgres else _sqlite(journal, file)
    file.chmod(0o600)
    size, hashed = file.stat().st_size, sha256(file)
    database = journal.engine.dialect.name
    manifest = Manifest(FORMAT, made_at, who, database, revision, file.name, size, hashed, proof)
    (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    (draft / MANIFEST).chmod(0o600)
    return manifest


def _sqlite(journal: Journal, file: Path) -> tuple[Proof, str]:
    with closing(sqlite3.connect(str(journal.engine.url.database))) as source, closing(sqlite3.connect(file)) as copy:
        source.backup(copy)  # all pages in one step: one snapshot
        copy.execute("PRAGMA journal_mode=DELETE")
    return proof_of(file)


def proof_of(file: Path) -> tuple[Proof, str]:
    """(proof, revision) of an SQLite file that nobody writes."""
    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.connect() as tx:
            return take(tx), str(tx.execute(text("SELECT version_num FROM duijie_version")).scalar_one())
    finally:
        engine.dispose()


def _postgres(journal: Journal, file: Path) -> tuple[Proof, str]:
    with journal.engine.connect() as connection:
        tx = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with tx.begin():
            snapshot = str(tx.execute(text("SELECT pg_export_snapshot()")).scalar_one())
            postgres.dump(journal.engine.url, snapshot, file)
            revision = str(tx.execute(text("SELECT version_num FROM duijie_version")).scalar_one())
            return take(tx), revision


def sha256(file: Path) -> str:
    """The hash of a file's bytes."""
    hashed = hashlib.sha256()
    with file.open("rb") as source:
        while part := source.read(CHUNK):
            hashed.update(part)
    return hashed.hexdigest()


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())


def read_manifest(place: Path) -> Manifest:
    """The manifest of a backup whose file is what it says. Raises ConfigError."""
    try:
        manifest = msgspec.json.decode((place / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"{place} 不是备份: 读不到 {MANIFEST} ({error})", en=f"{place} is no backup: {error}", where=str(place)
        ) from error
    file = place / manifest.file
    if manifest.format != FORMAT or not file.is_file() or sha256(file) != manifest.sha256:
        raise ConfigError(
            f"备份 {place} 已损坏: {manifest.file} 与清单的哈希不符, 请换一份备份",
            en=f"{file} is not what its manifest says: take another backup",
            where=str(file),
        )
    return manifest
