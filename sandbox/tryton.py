"""Runs a real Tryton, 8.2 or 6.0, for demo and tests: not a simulation, its own process, its own interpreter.

`python -m sandbox.tryton setup --venv .venv-tryton --home DIR [--postgres URI]` makes the database once;
`python -m sandbox.tryton serve --venv … --home … --port P` serves it on 127.0.0.1 until SIGTERM. SQLite is the
default. The Tryton server is GPL-3.0-or-later: it is started as a program and talked to over JSON-RPC, nothing of it
is imported. Its environment is made by `make` from requirements/tryton.txt, that of 6.0 from requirements/tryton60.txt.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from duijie import codec
from duijie.codec import Record
from sandbox import tryton_dump
from sandbox.serve import free_ports
from sandbox.tryton_plan import JOURNAL, LOGIN, plan
from sandbox.tryton_trade import trade_plan, trade_plan_60

DATABASE = "duijie"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
SETUP_SECONDS = 600.0
SETUP = Path(__file__).with_name("tryton_setup.py")
RPC_PATHS = {"8.2": "/rpc/", "6.0": "/"}
Planner = Callable[[str, str, Path], Record]
PLANS: dict[str, Planner] = {"ledger": plan, "trade": trade_plan, "trade60": trade_plan_60}


class TrytonServer:
    """`with TrytonServer(home, venv) as url:` set up if need be, started, stopped with its whole process group.

    `postgres` is a URI postgresql://user@host:port/DATABASE, "" for a SQLite file in `home`. `planner` says what is
    in it and which series runs it.
    """

    def __init__(self, home: Path, venv: Path, *, postgres: str = "", port: int = 0, planner: Planner = plan) -> None:
        self.home = home.resolve()
        self.venv = venv.resolve()
        self.postgres = postgres
        self.database = urlsplit(postgres).path.strip("/") if postgres else DATABASE
        self.port = port or free_ports(1)[0]
        self._planner = planner
        self._plan = planner(self.database, postgres, self.home)
        self.rpc_path = RPC_PATHS[self._plan["series"]]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The API user's password."""
        return (self.home / "api-password").read_text(encoding="utf-8").strip()

    def connection(self, **extra: Any) -> dict[str, Any]:
        """The connection in Airflow's JSON form; vouchers are posted unless `post=False`."""
        return {
            "conn_type": "tryton",
            "host": self.url,
            "schema": self.database,
            "login": LOGIN,
            "password": self.password,
            "extra": {"journal": JOURNAL, "post": True, "rate": "6000/minute", "rpc_path": self.rpc_path, **extra},
        }

    def setup(self) -> bool:
        """Make the database; False when an earlier run has. Raises RuntimeError with the log's end.

        A database is built once per environment, then copied (SQLite) or restored from a dump (PostgreSQL).
        """
        mark = codec.digest([self._planner(DATABASE, "", Path()), SETUP.read_text(encoding="utf-8")])
        ready = self.home / "ready"
        if ready.exists():
            if ready.read_text(encoding="utf-8") != mark:
                raise RuntimeError(f"the ledger in {self.home} was made by another version: remove that folder")
            return False
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.postgres:
            self._restore_or_build(self.venv / f"dump-{mark[:16]}")
        else:
            shutil.copytree(self._built_once(mark), self.home, dirs_exist_ok=True)
        ready.write_text(mark, encoding="utf-8")
        return True

    def _restore_or_build(self, kept: Path) -> None:
        if kept.exists():
            tryton_dump.restore(self.postgres, self.home, kept)
            return
        self._build()
        if tryton_dump.can_dump():
            tryton_dump.keep(self.postgres, self.home, kept)

    def _built_once(self, mark: str) -> Path:
        """The folder of the pristine SQLite ledger, below the environment that made it."""
        kept = self.venv / f"ledger-{mark[:16]}"
        if not kept.exists():
            draft = TrytonServer(self.venv / f"ledger-draft-{os.getpid()}", self.venv, planner=self._planner)
            draft.home.mkdir(mode=0o700)
            try:
                draft._build()
                draft.home.rename(kept)
            except OSError:  # another process was first
                if not kept.exists():
                    raise
            finally:
                shutil.rmtree(draft.home, ignore_errors=True)
        return kept

    def _build(self) -> None:
        for name in ("admin-password", "api-password"):
            _keep_secret(self.home / name)
        self._configure()
        done = subprocess.run(  # noqa: S603  our own script by the interpreter of the environment
            [self._program("python"), "-P", str(SETUP)],
            input=codec.encode(self._plan),
            capture_output=True,
            timeout=SETUP_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Tryton could not be set up in {self.home}: {done.stderr.decode()[-3000:]}")

    def start(self) -> None:
        """Start trytond in a process group of its own and wait until it answers. Raises RuntimeError."""
        self._configure()
        command = [self._program("trytond"), "-c", str(self.home / "trytond.conf"), "-d", self.database]
        with (self.home / "trytond.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  the server's own program
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home, start_new_session=True
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"Tryton did not start; see {self.home / 'trytond.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process group that start() made."""
        if self._process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
                self._process.wait(STOP_SECONDS)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def memory(self) -> int:
        """Resident bytes of the server process, 0 when it is not running."""
        if self._process is None:
            return 0
        pages = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self) -> str:
        self.setup()
        self.start()
        return self.url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _program(self, name: str) -> str:
        path = self.venv / "bin" / name
        if not path.exists():
            raise RuntimeError(f"{path} is missing: run `make {self.venv.name}/.ready`")
        return str(path)

    def _configure(self) -> None:
        uri = self.postgres or "sqlite://"
        text = f"[database]\nuri = {uri}\npath = {self.home}\nlist = False\n"
        text += f"[web]\nlisten = 127.0.0.1:{self.port}\nroot = {self.home / 'www'}\n"
        path = self.home / "trytond.conf"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def _answers(self) -> bool:
        body = codec.encode({"id": 0, "method": "common.server.version", "params": []})
        request = urllib.request.Request(f"{self.url}{self.rpc_path}", body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=1) as answer:  # noqa: S310  our own loopback address
                return bool(codec.decode(answer.read())["result"])
        except (urllib.error.URLError, OSError):
            return False


def _keep_secret(path: Path) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24), encoding="utf-8")


def _serve(server: TrytonServer) -> None:
    """Serve until SIGTERM or SIGINT."""
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: sys.exit(0))
    with server as url:
        print(f"Tryton answers on {url}, database {server.database}", flush=True)
        while True:
            signal.pause()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.tryton", description=__doc__)
    parser.add_argument("command", choices=("setup", "serve"))
    parser.add_argument("--venv", type=Path, default=Path(".venv-tryton"))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--postgres", default="", help="postgresql://user@host:port/database; SQLite without it")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--plan", choices=sorted(PLANS), default="ledger", help="trade60 needs the environment of 6.0")
    arguments = parser.parse_args()
    planner = PLANS[arguments.plan]
    server = TrytonServer(
        arguments.home, arguments.venv, postgres=arguments.postgres, port=arguments.port, planner=planner
    )
    if arguments.command == "serve":
        _serve(server)
    else:
        print("set up" if server.setup() else "already set up")


if __name__ == "__main__":
    main()
