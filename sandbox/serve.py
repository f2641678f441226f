"""Run sandboxes as real servers on loopback: each on its own port, several in one process.

`python -m sandbox --state DIR taobao=8101 xingchen=8102 …` serves until SIGTERM; tests use :class:`Running`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import TracebackType

import uvicorn

from sandbox.kit import Sandbox
from sandbox.store import Store


def names() -> tuple[str, ...]:
    """Every vendor that has a sandbox: the modules of this package that have one as `SANDBOX`."""
    found = (each.name for each in iter_modules([str(Path(__file__).parent)]) if not each.name.startswith("_"))
    return tuple(name for name in found if hasattr(import_module(f"sandbox.{name}"), "SANDBOX"))


def build(name: str, store: Store) -> Sandbox:
    """The sandbox of that vendor over a store."""
    sandbox: Sandbox = import_module(f"sandbox.{name}").SANDBOX(store)
    return sandbox


def server(sandbox: Sandbox, port: int) -> uvicorn.Server:
    """A uvicorn server for one sandbox on 127.0.0.1."""
    config = uvicorn.Config(
        sandbox.app(),
        host="127.0.0.1",
        port=port,
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def serve(state: Path, ports: dict[str, int]) -> None:
    """Serve several sandboxes from one event loop until the process is told to stop."""
    state.mkdir(parents=True, exist_ok=True)
    servers = [server(build(name, Store(state / f"{name}.db")), port) for name, port in ports.items()]

    async def run() -> None:
        await asyncio.gather(*(one.serve() for one in servers))

    asyncio.run(run())


def free_ports(count: int) -> Sequence[int]:
    """Ports nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Running:
    """`with Running(sandbox) as url:` a sandbox on a free port in a thread of this process."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.port = free_ports(1)[0]
        self._server = server(sandbox, self.port)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self.port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
