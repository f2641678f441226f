"""The journal's schema and its migrations, which may be run while workers write.

One process migrates at a time: on PostgreSQL an advisory lock in the journal's own database keeps the others waiting,
whatever host they are on; on SQLite it is the write transaction. A step waits no longer than a few seconds for a table,
so that the workers behind it are not held up either, and then tries again. A worker that is in the way ends with
JournalBusy and repeats its batch; none loses anything.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from duijie.connect.errors import ConfigError, JournalBusy
from duijie.connect.home import home

VERSION_TABLE = "duijie_version"
ADVISORY_LOCK = 0x6475696A6965
TABLE_SECONDS = 3
PATIENCE_SECONDS = 60.0
PREVIEWED_FROM = "0005"
IN_THE_WAY = ("lock timeout", "deadlock", "could not obtain lock", "database is locked")


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date, where it is not. Raises JournalBusy, ConfigError for that of a newer Duijie."""
    if engine.dialect.name == "sqlite":
        with FileLock(home() / "migrate.lock"):  # also who makes the file writes it alone
            if _is_behind(engine):
                _upgrade_sqlite(engine)
    elif _is_behind(engine):
        _upgrade_postgres(engine)


def must_be_current(engine: Engine, where: str) -> None:
    """Raises ConfigError that says what to do where the schema is not this program's."""
    if _is_behind(engine):
        now = current(engine)
        raise ConfigError(
            f"日志库结构是 {now or '空的'}, 应为 {newest()}: 请先运行 duijie journal migrate",
            en=f"the journal's schema is {now}, not {newest()}: run duijie journal migrate first",
            where=where,
        )


def current(engine: Engine) -> str | None:
    """The revision that a journal is at; None for an empty database."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  slow to import, needed once

    with engine.connect() as connection:
        return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def newest() -> str:
    """The revision that this program works with."""
    return str(_scripts().get_current_head())


def preview(engine: Engine) -> str:
    """The statements of an upgrade, for whoever wants to read or run them; empty where there is nothing to do.

    Raises ConfigError for a journal so old that its upgrade reads what is in it.
    """
    from alembic import command  # noqa: PLC0415

    now = current(engine)
    if not _is_behind(engine):
        return ""
    if now is None or now < PREVIEWED_FROM:
        raise ConfigError(
            f"结构 {now or '空的'} 的升级要读取库中数据, 不能预览: 请先备份, 再运行 duijie journal migrate",
            en=f"an upgrade from {now} reads what is in the journal and cannot be previewed",
            where=now or "",
        )
    config = config_of(None)
    config.output_buffer = StringIO()
    config.attributes["dialect"] = engine.dialect.name
    command.upgrade(config, f"{now}:head", sql=True)
    return str(config.output_buffer.getvalue())


def _is_behind(engine: Engine) -> bool:
    now, head = current(engine), newest()
    if now == head:
        return False
    if now is not None and now not in {one.revision for one in _scripts().walk_revisions()}:
        raise ConfigError(
            f"日志库结构 {now} 比本程序 (到 {head}) 新, 未做任何改动: 请升级本机的 Duijie 再启动",
            en=f"the journal's schema {now} is newer than this program's {head}: upgrade Duijie on this machine",
            where=engine.url.render_as_string(),
        )
    return True


def _upgrade_sqlite(engine: Engine) -> None:
    """One write transaction: a reader that becomes a writer would be refused at once under load."""
    with engine.connect() as connection, connection.execution_options(duijie_writes=True).begin():
        _run(connection)


def _upgrade_postgres(engine: Engine) -> None:
    with engine.connect() as connection:
        try:
            _upgrade_alone(engine, connection)
        finally:
            connection.invalidate()  # closed with what was set and locked on it


def _upgrade_alone(engine: Engine, connection: Connection) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not _locked(connection):
        _wait_or_give_up(until, None)
        if not _is_behind(engine):
            return
    connection.execute(text(f"SET lock_timeout = '{TABLE_SECONDS}s'"))
    connection.commit()
    while _is_behind(engine):
        try:
            _run(connection)
        except DBAPIError as error:
            connection.rollback()
            _wait_or_give_up(until, error)


def _locked(connection: Connection) -> bool:
    taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_LOCK}).scalar_one()
    connection.commit()
    return bool(taken)


def _wait_or_give_up(until: float, error: DBAPIError | None) -> None:
    """Let those go first who are in the way. Raises JournalBusy after too long, the error when it is another."""
    if error is not None and not any(words in str(error.orig) for words in IN_THE_WAY):
        raise error
    if time.monotonic() > until:
        raise JournalBusy(
            f"日志库结构升级等待 {PATIENCE_SECONDS:.0f} 秒仍被占用, 已放弃且未留下半成品; 请稍后重试或停掉长事务",
            en="the schema could not be upgraded: others use the journal; nothing was left half done",
            code="JOURNAL",
        ) from error
    time.sleep(0.2 + random.random() * 0.3)  # noqa: S311  no secret


def _run(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415

    command.upgrade(config_of(connection), "head")


def config_of(connection: Connection | None) -> Any:
    """Alembic's configuration for a connection of ours."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> Any:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(config_of(None))


@contextmanager
def outside_transaction(context: Any) -> Iterator[None]:
    """For statements that PostgreSQL refuses in a transaction, without a limit on how long they wait for others."""
    with context.autocommit_block():
        context.execute(text("SET lock_timeout = 0"))
        try:
            yield
        finally:
            context.execute(text(f"SET lock_timeout = '{TABLE_SECONDS}s'"))
