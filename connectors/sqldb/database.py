"""A database that is only read: opened so that it refuses to be written, its errors in the words of the tree.

SQLAlchemy 2 (docs.sqlalchemy.org). Every call is a transaction of its own that is rolled back: no lock is held
between pages, and nothing could be committed. PostgreSQL, MySQL, Oracle and SQLite refuse writes themselves; SQL Server
knows no read-only transaction, so its login must be one that may only read (db_datareader).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.pool import NullPool

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, DuijieError
from duijie.connect.errortable import ErrorTable
from duijie.connect.secrets import is_secret, mask_text, secrets_of
from duijie.connect.services import Services

RATE = "50/second"
SYSTEMS: Mapping[str, str] = {
    "sqlserver": "mssql+pymssql",
    "mysql": "mysql+pymysql",
    "oracle": "oracle+oracledb",
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite",
}
AT_CONNECT: Mapping[str, str] = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}
AT_BEGIN: Mapping[str, str] = {"oracle": "SET TRANSACTION READ ONLY"}
LONGEST_TEXT = 500
T = TypeVar("T")
Row = Sequence[Any]
_PASSWORD = re.compile(
    r"password authentication failed|FATAL: +role .* does not exist|Access denied for user|Login failed for user",
    re.IGNORECASE,
)


class Database:
    """One database of one connection."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self.conn_id = connection.conn_id
        self._errors = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
        self._secrets = secrets_of([connection.password])
        self._retrier = services.retrier(connection.conn_id)
        self._budget = services.budget(connection.conn_id, RATE)
        self._engine = _engine(_url(connection), connection.conn_id)

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name of the kind of database."""
        return self._engine.dialect.name

    @property
    def address(self) -> str:
        """Where it is, its password masked."""
        return mask_text(self._engine.url.render_as_string(hide_password=True), self._secrets)

    def rows(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a statement that is bounded. Raises errors of the tree."""
        return self.ask(lambda line: list(line.execute(statement, dict(values or {}))))

    def ask(self, what: Callable[[sa.Connection], T]) -> T:
        """Do something in a transaction that is rolled back, again where that may help."""

        def once() -> T:
            self._budget.take()
            with self.line() as line:
                return what(line)

        return self._retrier.read(once)

    @contextmanager
    def line(self) -> Iterator[sa.Connection]:
        """A connection in a read-only transaction. Raises errors of the tree for what the database says."""
        try:
            with self._engine.connect() as line:
                yield line
        except exc.SQLAlchemyError as error:
            raise self._told(error) from None

    def _told(self, error: exc.SQLAlchemyError) -> DuijieError:
        said = str(getattr(error, "orig", None) or error).strip()
        text = " ".join(mask_text(said, self._secrets).split())[:LONGEST_TEXT]
        return self._errors.error(_code(error, said), text, where=self.conn_id)


def _code(error: exc.SQLAlchemyError, said: str) -> str:
    """What the driver gives as the code of an error."""
    told = getattr(error, "orig", None)
    if _PASSWORD.search(said):
        return "28000"
    first = next(iter(getattr(told, "args", ())), None)
    for found in (
        getattr(told, "sqlstate", None),
        getattr(told, "sqlite_errorname", None),
        getattr(first, "full_code", None),
        first if isinstance(first, int) else None,
    ):
        if found and str(found) not in ("2003", "20009", "20002"):  # the drivers' own "cannot connect"
            return str(found)
    is_line = isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError)
    return "unreachable" if is_line else type(error).__name__


def _url(connection: Connection) -> sa.URL:
    """The address out of the connection's parts: nothing of it is put together as text."""
    options = _options(connection)
    system = connection.require("system")
    driver, database = SYSTEMS.get(system, system), str(connection.extra.get("database") or connection.schema)
    if driver.split("+")[0] == "sqlite":
        path = quote(str(Path(connection.require("database")).expanduser()))
        return sa.URL.create(driver, database=f"file:{path}", query={**options, "mode": "ro", "uri": "true"})
    return sa.URL.create(
        driver,
        connection.login or None,
        connection.password or None,
        connection.host or None,
        connection.port,
        database or None,
        options,
    )


def _options(connection: Connection) -> dict[str, str]:
    given = connection.extra.get("options") or {}
    given = codec.decode(given) if isinstance(given, str) else given
    options = {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else None
    if options is None or any(map(is_secret, options)):
        raise ConfigError(
            f'连接 {connection.conn_id} 的 options 应为对象, 如 {{"charset": "utf8"}}; 密码请填入连接的 password',
            en=f"connection {connection.conn_id}: options must be an object without secrets; use password for those",
            where=f"{connection.conn_id}.options",
        )
    return options


def _engine(url: sa.URL, conn_id: str) -> sa.Engine:
    try:
        engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
    except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(
            f"连接 {conn_id} 的 system 无法使用 ({error}); 请填 {', '.join(SYSTEMS)} 之一, 其他数据库请先安装其驱动",
            en=f"connection {conn_id}: system cannot be used ({error}); give one of {', '.join(SYSTEMS)}",
            where=f"{conn_id}.system",
        ) from None
    _only_read(engine)
    return engine.execution_options(postgresql_readonly=True) if engine.dialect.name == "postgresql" else engine


def _only_read(engine: sa.Engine) -> None:
    """Let every connection, or every transaction, refuse writes as far as the database can."""
    name = engine.dialect.name
    if name in AT_CONNECT:

        @event.listens_for(engine, "connect")
        def _(raw: Any, _record: Any) -> None:
            if name == "sqlite":
                raw.text_factory = _decoded
            cursor = raw.cursor()
            cursor.execute(AT_CONNECT[name])
            cursor.close()

    if name in AT_BEGIN:

        @event.listens_for(engine, "begin")
        def _begun(line: sa.Connection) -> None:
            line.exec_driver_sql(AT_BEGIN[name])


def _decoded(text: bytes) -> str:
    """Text of a SQLite file, whose programs may have written GBK into it."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode("utf-8", "surrogateescape")
