"""Opening the journal: one engine, short transactions, one clear sentence when it cannot be written."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection as Transaction
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from duijie.connect.errors import ConfigError, JournalBusy
from duijie.connect.home import home
from duijie.journal import schema

BUSY_MILLISECONDS = 30_000


def default_url() -> str:
    """DUIJIE_JOURNAL, else an SQLite file under DUIJIE_HOME."""
    return os.environ.get("DUIJIE_JOURNAL") or f"sqlite:///{home() / 'journal.db'}"


class Journal:
    """All state. `now` is replaceable in tests; `who` names this worker in the history."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.who = f"{socket.gethostname()}:{os.getpid()}"

    @classmethod
    def open(cls, url: str | None = None) -> Journal:
        """Connect and bring the schema up to date.

        Raises JournalBusy when it cannot be reached, ConfigError for a journal of a newer Duijie.
        """
        engine = _engine(url or default_url())
        journal = cls(engine)
        with _told_plainly(engine):
            schema.upgrade(engine)
        return journal

    @classmethod
    def open_to_read(cls, url: str | None = None) -> Journal:
        """Connect so that the database itself refuses every write; the schema is left as it is.

        Raises JournalBusy when it cannot be reached, ConfigError when there is none or its schema is not this one's.
        """
        engine = _engine(url or default_url())
        event.listen(engine, "connect", _refuse_writes)
        where = engine.url.render_as_string()
        path = engine.url.database
        if engine.dialect.name == "sqlite" and not (path and Path(path).is_file()):
            raise ConfigError(
                f"没有日志库 {where}, 请检查 DUIJIE_JOURNAL", en=f"there is no journal {where}", where=where
            )
        with _told_plainly(engine):
            schema.must_be_current(engine, where)
        return cls(engine)

    @staticmethod
    def preview(url: str | None = None) -> str:
        """The statements by which `open` would bring the schema up to date; empty where it is."""
        engine = _engine(url or default_url())
        with _told_plainly(engine):
            return schema.preview(engine)

    @property
    def is_postgres(self) -> bool:
        """Row locks are to be had."""
        return self.engine.dialect.name == "postgresql"

    @staticmethod
    def now() -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A read transaction."""
        with _told_plainly(self.engine), self.engine.connect() as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A write transaction: commits at the end, rolls back on any error. Raises JournalBusy."""
        with _told_plainly(self.engine), self.engine.connect() as connection:
            transaction = connection.execution_options(duijie_writes=True)
            with transaction.begin():
                yield transaction

    def insert_new(self, table: sqlalchemy.Table) -> Any:
        """INSERT … ON CONFLICT DO NOTHING in this database's dialect."""
        return self.insert_into(table).on_conflict_do_nothing()

    def insert_into(self, table: sqlalchemy.Table) -> Any:
        """INSERT in this database's dialect, which knows ON CONFLICT."""
        if self.is_postgres:
            from sqlalchemy.dialects.postgresql import insert as pg_insert  # noqa: PLC0415

            return pg_insert(table)
        from sqlalchemy.dialects.sqlite import insert as lite_insert  # noqa: PLC0415

        return lite_insert(table)


def _engine(url: str) -> Engine:
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _postgres_connect)
    return engine


def _sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _postgres_connect(connection: Any, _: Any) -> None:
    """Arrays go in binary: as text, every byte of a body would be written as two digits and read again."""
    from psycopg.types.array import ListBinaryDumper  # noqa: PLC0415

    connection.adapters.register_dumper(list, ListBinaryDumper)


def _refuse_writes(connection: Any, _: Any) -> None:
    """SQLite and psycopg each have a word for it."""
    if hasattr(connection, "read_only"):
        connection.read_only = True
    else:
        connection.execute("PRAGMA query_only=ON")


def _sqlite_begin(connection: Transaction) -> None:
    writes = connection.get_execution_options().get("duijie_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told_plainly(engine: Engine) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        sentence = _plain_sentence(str(error.orig), engine)
        if sentence is None:
            raise
        raise JournalBusy(sentence[0], en=sentence[1], code="JOURNAL", where=engine.url.render_as_string()) from error


_SENTENCES = (
    (
        ("not a database", "malformed", "no such table"),
        "日志库文件已损坏或不是日志库, 请检查 DUIJIE_JOURNAL, 必要时从备份恢复",
        "the journal's file is damaged or is no journal; check DUIJIE_JOURNAL, restore it from a backup if need be",
    ),
    (
        ("locked", "deadlock", "lock timeout"),
        "日志库被占用, 本批已回滚, 稍后自动重试; 若持续请检查是否有其他进程长时间占用",
        "the journal is locked; this batch was rolled back and will be tried again",
    ),
    (
        ("disk is full", "No space left", "disk I/O"),
        "日志库所在磁盘已满, 未写入任何数据, 请清理磁盘后重试",
        "the journal's disk is full; nothing was written. Free some space and run again",
    ),
    (
        ("too many clients", "connection slots"),
        "数据库连接数已满, 稍后自动重试; 若持续请减少 worker 数或调高 PostgreSQL 的 max_connections",
        "the database has no connection left; run fewer workers or raise PostgreSQL's max_connections",
    ),
    (
        ("unable to open", "refused", "does not exist", "could not connect", "connection failed"),
        "日志库无法打开, 请检查 DUIJIE_JOURNAL 与数据库服务",
        "the journal cannot be opened; check DUIJIE_JOURNAL and the database server",
    ),
    (
        ("readonly", "read-only"),
        "日志库只读, 未写入任何数据, 请检查文件权限",
        "the journal is read-only; nothing was written. Check the file's permissions",
    ),
)


def _plain_sentence(text: str, _: Engine) -> tuple[str, str] | None:
    for words, zh, en in _SENTENCES:
        if any(re.search(rf"\b{re.escape(word)}", text, re.IGNORECASE) for word in words):
            return zh, en
    return None
