"""PostgreSQL's own programs: pg_dump of one snapshot, pg_restore into an empty database, a scratch database.

Passwords travel in the environment, never in an argument list that other accounts could read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from duijie.connect.errors import ConfigError

SAID = 500


def dump(url: URL, snapshot: str, file: Path) -> None:
    """One snapshot as a compressed archive. Raises ConfigError with what pg_dump said."""
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={file}"]
    _run("pg_dump", url, options)


def load(url: URL, file: Path) -> None:
    """An archive into an empty database, whole or not at all. Raises ConfigError with what pg_restore said."""
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(file)]
    _run("pg_restore", url, options)


@contextmanager
def scratch(url: URL) -> Iterator[URL]:
    """A new empty database beside another, dropped in the end. Raises ConfigError where that is not allowed."""
    name = f"duijie_verify_{uuid4().hex[:12]}"
    _statement(url, f'CREATE DATABASE "{name}"')
    try:
        yield url.set(database=name)
    finally:
        _statement(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _statement(url: URL, sql: str) -> None:
    engine = create_engine(driven(url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(sql))
    except DBAPIError as error:
        raise ConfigError(
            f"不能建立验证用的临时数据库: {str(error.orig).strip()[:SAID]}; "
            "请给账号建库权限, 或用 --scratch 指定一个空库",
            en=f"no scratch database: {error.orig}; grant CREATEDB or name an empty one with --scratch",
            where=str(url.host),
        ) from error
    finally:
        engine.dispose()


def driven(url: URL | str) -> URL:
    """The same address with the driver that Duijie uses."""
    found = make_url(url)
    return found.set(drivername="postgresql+psycopg") if found.drivername.startswith("postgresql") else found


def program(name: str) -> str:
    """The path of pg_dump or pg_restore: on PATH, else the newest that Debian's packages installed."""
    if found := shutil.which(name):
        return found
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name), reverse=True)
    if found := next((str(one / name) for one in folders if (one / name).exists()), None):
        return found
    raise ConfigError(
        f"本机没有 {name}: 请安装与服务器同版本或更新的 PostgreSQL 客户端 (apt-get install postgresql-client)",
        en=f"{name} is not installed: install a PostgreSQL client as new as the server",
        where=name,
    )


def _run(name: str, url: URL, options: list[str]) -> None:
    where = url.set(drivername="postgresql", password=None).render_as_string()
    environ = {**os.environ, "PGPASSWORD": url.password or os.environ.get("PGPASSWORD", "")}
    command = [program(name), "--dbname", where, *options]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stderr.strip()[-SAID:]
        raise ConfigError(f"{name} 失败: {said}", en=f"{name} failed: {said}", where=str(url.host))
