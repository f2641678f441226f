"""Real servers for tests, each in a temporary folder, on a free loopback port, stopped by its own process id.

`with Postgres() as server: server.create(name)`, `with Redis() as server: server.url`. Where the programs are not
installed the classes raise `Missing`, whose text says how to install them; `chromium_path()` does the same.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

START_SECONDS = 20.0
STOP_SECONDS = 10.0
POSTGRES_ACCOUNT = "postgres"
MARIADB_ACCOUNT = "mysql"


class Missing(Exception):
    """A program is not installed; the text says how to install it."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_bin() -> Path:
    """The folder of PostgreSQL's own programs, the newest where there are several. Raises Missing."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    config = shutil.which("pg_config")
    if config:
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        folders.insert(0, Path(told.stdout.strip()))
    for folder in reversed(folders):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise Missing("PostgreSQL is not installed: apt-get install postgresql")


def redis_path() -> str:
    """The redis-server program. Raises Missing."""
    return _program(("redis-server", "valkey-server"), "Redis is not installed: apt-get install redis-server")


def chromium_path() -> str:
    """A Chromium or Chrome program. Raises Missing."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return _program(names, "Chromium is not installed: apt-get install chromium")


def _program(names: Sequence[str], text: str) -> str:
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        raise Missing(text)
    return found


class Server:
    """A program in a temporary folder; subclasses say how it is prepared, started and asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="duijie-server-"))
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str], *, answers: Callable[[], bool]) -> None:
        """Start the program and wait until it answers. Raises RuntimeError with its log when it does not."""
        log = self.folder / "server.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=self.folder, **self.account(), start_new_session=True
            )
        end = time.monotonic() + START_SECONDS
        while not answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def account(self) -> Mapping[str, Any]:
        """Who the program runs as, in subprocess's words: nobody else unless it refuses root."""
        return {}

    def listens(self) -> bool:
        """Whether the port takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End the program (SIGTERM, then SIGKILL)."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """An empty cluster that trusts loopback; fast rather than durable, unless `settings` say otherwise."""

    def __init__(
        self, settings: Sequence[str] = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    ) -> None:
        self._programs = postgres_bin()
        self._settings = (*settings, "max_connections=60")
        super().__init__()

    def account(self) -> Mapping[str, Any]:
        """PostgreSQL refuses to run as root: its own account then."""
        return {"user": POSTGRES_ACCOUNT, "group": POSTGRES_ACCOUNT} if os.geteuid() == 0 else {}

    def uri(self, database: str = "postgres") -> str:
        """postgresql://…/DATABASE."""
        return f"postgresql://{POSTGRES_ACCOUNT}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """A new empty database; returns its URI."""
        self._client("createdb", database)
        return self.uri(database)

    def drop(self, database: str) -> None:
        """Away with a database, and with whoever is still connected to it."""
        self._client("dropdb", "--force", database)

    def _client(self, program: str, *arguments: str) -> None:
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", POSTGRES_ACCOUNT]
        subprocess.run([str(self._programs / program), *where, *arguments], check=True, capture_output=True)

    def __enter__(self) -> Postgres:
        programs, data = self._programs, self.folder / "data"
        if account := self.account():
            shutil.chown(self.folder, account["user"], account["group"])
        prepare = [str(programs / "initdb"), "-D", str(data), "-U", POSTGRES_ACCOUNT, "-A", "trust", "-N"]
        prepare += ["-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(prepare, check=True, capture_output=True, cwd=self.folder, **self.account())
        where = ["-D", str(data), "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder)]
        options = [part for setting in self._settings for part in ("-c", setting)]
        self.run([str(programs / "postgres"), *where, *options], answers=self._ready)
        return self

    def _ready(self) -> bool:
        probe = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-U", POSTGRES_ACCOUNT]
        return subprocess.run([*probe, "-q"], check=False).returncode == 0


class MariaDb(Server):
    """An empty MariaDB whose root needs no password on loopback."""

    def __init__(self) -> None:
        text = "MariaDB is not installed: apt-get install mariadb-server"
        self._install, self._program = _program(("mariadb-install-db",), text), _program(("mariadbd",), text)
        super().__init__()

    def account(self) -> Mapping[str, Any]:
        """MariaDB refuses to run as root: its own account then."""
        return {"user": MARIADB_ACCOUNT, "group": MARIADB_ACCOUNT} if os.geteuid() == 0 else {}

    def __enter__(self) -> MariaDb:
        data = f"--datadir={self.folder / 'data'}"
        if account := self.account():
            shutil.chown(self.folder, account["user"], account["group"])
        prepare = [self._install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(prepare, check=True, capture_output=True, cwd=self.folder, **self.account())
        where = [data, f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder / 'socket'}"]
        self.run([self._program, "--no-defaults", *where], answers=self.listens)
        return self


class Redis(Server):
    """An empty Redis that keeps nothing."""

    def __init__(self) -> None:
        self._program = redis_path()
        super().__init__()

    @property
    def url(self) -> str:
        """redis://127.0.0.1:PORT/0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Redis:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.run([self._program, *options], answers=self.listens)
        return self
