"""Every sandbox with the data of its contract, on a port of its own, until Ctrl-C: what `duijie sandbox up` runs.

`python -m tests.contract.up --state DIR [NAME[=PORT]…]`. What a sandbox holds stays in DIR from run to run; it is
filled at its first. DIR/connections.json holds a connection to each, readable by its owner only.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from duijie import codec
from duijie.cli.output import show
from duijie.codec import Record
from duijie.connect.home import write_private
from duijie.contract import Site
from sandbox.serve import server
from sandbox.store import Store
from tests.contract.served import Served
from tests.contract.sites import SITES

FIRST_PORT = 8101
KNOWN = {name: served for name, served in SITES.items() if name != "model"}
PORTS = {name: FIRST_PORT + at for at, name in enumerate(KNOWN)}


def ports_of(asked: Sequence[str]) -> dict[str, int]:
    """NAME or NAME=PORT → port; everything where nothing is asked for. Exits with what there is for an unknown name."""
    pairs = [one.partition("=") for one in asked] or [(name, "", "") for name in KNOWN]
    if unknown := [name for name, _, _ in pairs if name not in KNOWN]:
        sys.exit(f"没有沙箱 {', '.join(unknown)}, 可选: {', '.join(KNOWN)}")
    return {name: int(port or PORTS[name]) for name, _, port in pairs}


def connection(site: Site) -> Record:
    """The connection of a site in Airflow's JSON form."""
    given = site.connection()
    named = {"conn_type": given.conn_type, "host": given.host, "login": given.login, "password": given.password}
    return {**named, "extra": dict(given.extra)}


async def serve(state: Path, ports: dict[str, int]) -> None:
    """Serve them all until the process is told to stop."""
    running, rows, connections = [], [], {}
    for name, port in ports.items():
        served: Served = KNOWN[name]
        path = state / f"{name}.db"
        is_new = not path.exists()
        store = Store(path)
        sandbox = served.sandbox(store)
        url = f"http://127.0.0.1:{port}"
        site = served.made(url)
        if is_new:
            sandbox.seed(codec.decode(codec.encode(site.seed)))
        running.append(server(sandbox, port))
        connections[name] = connection(site)
        rows.append({"沙箱": name, "地址": url, "持有": _held(store)})
    told = state / "connections.json"
    write_private(told, codec.encode_ordered(connections))
    show(rows, as_json=False, title="沙箱")
    print(f"地址后加 /_admin 查看所持数据。连接写在 {told}; 例如:")
    print(f"  export DUIJIE_CONNECTIONS={told}\n  duijie connection test {next(iter(ports))}")
    print("按 Ctrl-C 停止; 所持数据留待下次, 删除该目录即重新开始", flush=True)
    await asyncio.gather(*(one.serve() for one in running))


def _held(store: Store) -> str:
    return ", ".join(f"{name} {count}" for name, count in store.counts().items())


def must_be_free(ports: dict[str, int]) -> None:
    """Exits naming a port that somebody listens on."""
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                sys.exit(f"端口 {port} 已被占用, 请为 {name} 另选, 例如: duijie sandbox up {name}={port + 1000}")


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.up", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    ports = ports_of(given.names)
    must_be_free(ports)
    given.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    asyncio.run(serve(given.state.resolve(), ports))


if __name__ == "__main__":
    main()
