"""Restoring a backup, and proving that it can be restored.

A restored journal is older than the world: what was delivered since the backup is at the targets and unknown here. So
whatever was on its way becomes `unknown` (asked before it is written), and for a month every document is asked for
before it is written, also one that was received again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, create_engine, inspect, make_url
from sqlalchemy.exc import DBAPIError

from duijie.connect.errors import ConfigError
from duijie.journal import Journal, deliveries, upkeep
from duijie.keep import postgres
from duijie.keep.backup import Manifest, proof_of, read_manifest
from duijie.keep.proof import Difference, Proof, differences, take

WHY = "恢复自 {} 的备份: 备份之后可能已送达, 先查询对方"


@dataclass(frozen=True)
class Proven:
    """A backup, what a restored copy of it holds, and where the two differ."""

    manifest: Manifest
    found: Proof
    wrong: list[Difference]


def verify(place: Path, journal: Journal, who: str, scratch: str = "") -> Proven:
    """Restore into a scratch database, check it through and compare every row. Raises ConfigError.

    `scratch` names an empty PostgreSQL database; without it one is made beside the journal and dropped again.
    """
    manifest = read_manifest(place)
    found = (
        _tried_postgres(place, manifest, journal, scratch) if _is_postgres(manifest) else _tried_sqlite(place, manifest)
    )
    proven = Proven(manifest, found, differences(manifest.proof, found))
    if not proven.wrong:
        upkeep.note(journal, "verify", who, str(place.absolute()), {"fingerprint": found.fingerprint})
    return proven


def _is_postgres(manifest: Manifest) -> bool:
    return manifest.database == "postgresql"


def _tried_sqlite(place: Path, manifest: Manifest) -> Proof:
    with tempfile.TemporaryDirectory(prefix="duijie-verify-") as folder:
        file = Path(folder) / manifest.file
        shutil.copyfile(place / manifest.file, file)
        _intact(file)
        return proof_of(file)[0]


def _intact(file: Path) -> None:
    """SQLite's own checks. Raises ConfigError with what they found."""
    engine = create_engine(f"sqlite:///{file}")
    with closing(engine.raw_connection()) as raw:
        cursor = raw.cursor()
        said = [row[0] for row in cursor.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
        said += [f"{row[0]} → {row[2]}" for row in cursor.execute("PRAGMA foreign_key_check").fetchall()]
    engine.dispose()
    if said:
        told = "; ".join(map(str, said[:5]))
        raise ConfigError(f"备份的数据库未通过完整性检查: {told}", en=f"integrity check: {told}", where=str(file))


def _tried_postgres(place: Path, manifest: Manifest, journal: Journal, scratch: str) -> Proof:
    if scratch:
        url = _empty(scratch)
        return _loaded(url, place / manifest.file)
    if not journal.is_postgres:
        raise ConfigError("验证 PostgreSQL 的备份请用 --scratch 指定一个空库", en="name an empty database by --scratch")
    with postgres.scratch(journal.engine.url) as url:
        return _loaded(url, place / manifest.file)


def _loaded(url: URL, file: Path) -> Proof:
    postgres.load(url, file)
    engine = create_engine(postgres.driven(url))
    try:
        with engine.connect() as tx:
            return take(tx)
    finally:
        engine.dispose()


def restore(place: Path, to: str, who: str, tell: Callable[[str], None] = lambda _: None) -> tuple[Proven, int]:
    """Bring a backup back into an empty place; returns its proof and how many deliveries are to be asked for.

    Raises ConfigError for a target that is not empty, a damaged backup, or a copy that is not the backup.
    """
    manifest = read_manifest(place)
    if make_url(to).drivername.startswith("postgresql") != _is_postgres(manifest):
        raise ConfigError(
            f"备份来自 {manifest.database}, 目标不是: 请指定同类的空库",
            en=f"the backup is of {manifest.database}, the target is not",
            where=make_url(to).render_as_string(),
        )
    url = _empty(to)
    tell("写入数据 …")
    found = _loaded(url, place / manifest.file) if _is_postgres(manifest) else _copied(url, place / manifest.file)
    proven = Proven(manifest, found, differences(manifest.proof, found))
    if proven.wrong:
        first = proven.wrong[0]
        raise ConfigError(
            f"恢复的内容与清单不符: {first.table} {first.what}; 请弃用该目标并换一份备份",
            en=f"the restored journal is not the backup: {first.table} {first.what}",
            where=make_url(to).render_as_string(),
        )
    tell("核对无误, 标记未完成的投递 …")
    return proven, _settle_later(url, manifest, place, who)


def _settle_later(url: URL, manifest: Manifest, place: Path, who: str) -> int:
    journal = Journal.open(url.render_as_string(hide_password=False))
    try:
        asked = deliveries.doubt(journal, WHY.format(f"{manifest.made_at:%Y-%m-%d %H:%M:%S} UTC"), who)
        detail = {"made_at": manifest.made_at.isoformat(), "fingerprint": manifest.proof.fingerprint, "asked": asked}
        upkeep.note(journal, "restore", who, str(place.absolute()), detail)
        return asked
    finally:
        journal.engine.dispose()


def _copied(url: URL, file: Path) -> Proof:
    target = Path(str(url.database))
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.restoring")
    shutil.copyfile(file, draft)
    draft.chmod(0o600)
    _intact(draft)
    proof = proof_of(draft)[0]
    draft.replace(target)
    return proof


def _empty(to: str) -> URL:
    """The address of a place without a table. Raises ConfigError."""
    url = postgres.driven(to)
    where = url.render_as_string()
    path = Path(url.database or "")
    if url.drivername.startswith("sqlite") and not path.exists():
        return url
    engine = create_engine(url)
    try:
        tables = inspect(engine).get_table_names()
    except DBAPIError as error:
        raise ConfigError(f"打不开目标 {where}: {error.orig}", en=f"cannot open {where}", where=where) from error
    finally:
        engine.dispose()
    if tables or (url.drivername.startswith("sqlite") and path.stat().st_size):
        raise ConfigError(
            f"目标 {where} 不是空的 (有 {len(tables)} 张表), 未做任何改动: 请指定一个空库",
            en="the target is not empty; nothing was done",
            where=where,
        )
    return url
