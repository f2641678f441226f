"""Runs a real Vendure 3.7 as the shop of demo and tests: not a simulation, its own process, its own interpreter.

`python -m sandbox.vendure setup --home DIR` installs it once and makes the database; `python -m sandbox.vendure serve
--home DIR --port P` serves it on 127.0.0.1 until SIGTERM. The Vendure server is GPL-3.0-or-later: it comes from npm by
the pinned list in sandbox/vendure/, is started as a program and talked to over GraphQL, nothing of it is imported.
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
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock

from duijie import codec
from duijie.console.build import npm
from sandbox.serve import free_ports

PINNED = Path(__file__).with_name("vendure")
FILES = ("package.json", "package-lock.json", "server.mjs")
PLACE = Path(__file__).parent.parent / ".venv-sdk" / "vendure"
LOGIN = "duijie"
SESSION = "1h"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
SETUP_SECONDS = 120.0
INSTALL_SECONDS = 900.0


def install(place: Path = PLACE) -> Path:
    """The folder with the pinned packages, installed there unless they are. Raises RuntimeError with the log's end.

    better-sqlite3 is compiled here, against the headers of the Node that will run it; no other package's script runs.
    """
    place.mkdir(parents=True, exist_ok=True)
    node = _node()
    texts = [(PINNED / name).read_text(encoding="utf-8") for name in FILES[:2]]
    mark = codec.digest([*texts, _run([node, "--version"], place, 30.0)])
    ready = place / "ready"
    with FileLock(place / "lock"):
        for name in FILES:
            shutil.copyfile(PINNED / name, place / name)
        if not ready.exists() or ready.read_text(encoding="utf-8") != mark:
            ready.unlink(missing_ok=True)
            _run([*npm(), "ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"], place, INSTALL_SECONDS)
            _run([*npm(), "rebuild", "better-sqlite3", "--silent"], place, INSTALL_SECONDS)
            ready.write_text(mark, encoding="utf-8")
    return place


class VendureServer:
    """`with VendureServer(home) as url:` installed and set up if need be, started, stopped with its process group.

    `postgres` is a URI postgresql://user@host:port/DATABASE of an empty database, "" for a SQLite file in `home`.
    """

    def __init__(self, home: Path, *, place: Path = PLACE, port: int = 0, postgres: str = "") -> None:
        self.home = home.resolve()
        self.place = place.resolve()
        self.port = port or free_ports(1)[0]
        self._postgres = postgres
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers: /admin-api and /shop-api."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The administrator's password."""
        return self._secret("password")

    def connection(self, **extra: Any) -> dict[str, Any]:
        """The connection in Airflow's JSON form."""
        given = {"shop": "V01", "rate": "6000/minute", **extra}
        return {"conn_type": "vendure", "host": self.url, "login": LOGIN, "password": self.password, "extra": given}

    def setup(self) -> bool:
        """Install, and make the database; False when an earlier run has. Raises RuntimeError with the log's end."""
        install(self.place)
        ready = self.home / "ready"
        if ready.exists():
            return False
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _run([_node(), "server.mjs", "setup"], self.place, SETUP_SECONDS, self._given())
        ready.touch()
        return True

    def start(self) -> None:
        """Start it in a process group of its own and wait until it answers. Raises RuntimeError."""
        log = self.home / "vendure.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  the server's own program
                [_node(), "server.mjs", "serve"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                cwd=self.place,
                env=_environ(),
                start_new_session=True,
            )
        if self._process.stdin is not None:
            self._process.stdin.write(self._given())
            self._process.stdin.close()
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"Vendure did not start; see {log}")
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

    def __enter__(self) -> str:
        self.setup()
        self.start()
        return self.url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _given(self) -> bytes:
        return codec.encode(
            {
                "home": str(self.home),
                "port": self.port,
                "user": LOGIN,
                "password": self.password,
                "secret": self._secret("cookie-secret"),
                "session": SESSION,
                "postgres": self._postgres,
            }
        )

    def _secret(self, name: str) -> str:
        """A secret of this home, made when it is first asked for and readable by its owner only."""
        path = self.home / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:  # noqa: S310  our own loopback address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _node() -> str:
    found = shutil.which("node", path=str(Path(npm()[0]).parent))
    if found is None:
        raise RuntimeError("Node is missing: run `make setup`, which installs it")
    return found


def _environ() -> dict[str, str]:
    """No telemetry; node beside npm; the headers beside node, where they are, instead of a download."""
    node = Path(_node())
    root = node.resolve().parent.parent
    headers = {"npm_config_nodedir": str(root)} if (root / "include" / "node").exists() else {}
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    ours = {"VENDURE_DISABLE_TELEMETRY": "true", "npm_config_build_from_source": "true", "PATH": path}
    return {**os.environ, **ours, **headers}


def _run(command: list[str], folder: Path, seconds: float, given: bytes = b"") -> str:
    """What a program printed. Raises RuntimeError with the end of what it said when it failed."""
    done = subprocess.run(  # noqa: S603  npm, node and our own script
        command, cwd=folder, env=_environ(), input=given, capture_output=True, timeout=seconds, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode("utf-8", "replace")[-3000:]
        raise RuntimeError(f"`{' '.join(command)}` failed in {folder}: {said}")
    return done.stdout.decode("utf-8", "replace")


def _serve(server: VendureServer) -> None:
    """Serve until SIGTERM or SIGINT."""
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: sys.exit(0))
    with server as url:
        print(f"Vendure answers on {url}, administrator {LOGIN}", flush=True)
        while True:
            signal.pause()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.vendure", description=__doc__)
    parser.add_argument("command", choices=("install", "setup", "serve"))
    parser.add_argument("--place", type=Path, default=PLACE, help="where the packages are installed")
    parser.add_argument("--home", type=Path, default=Path("var/vendure"), help="the database and its secrets")
    parser.add_argument("--postgres", default="", help="postgresql://user@host:port/database; SQLite without it")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    server = VendureServer(arguments.home, place=arguments.place, port=arguments.port, postgres=arguments.postgres)
    if arguments.command == "serve":
        _serve(server)
    elif arguments.command == "setup":
        print("set up" if server.setup() else "already set up")
    else:
        print(f"installed in {install(arguments.place)}")


if __name__ == "__main__":
    main()
