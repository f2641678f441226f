"""`duijie sandbox up`: sandboxes that a person tries things out with."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.registry import open_connection
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.serve import free_ports


@contextmanager
def up(state: Path, port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "duijie.cli.main", "sandbox", "up", f"xingchen={port}", "--state", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not _answers(port):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0].decode()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/_admin/health", timeout=1).ok
    except requests.RequestException:
        return False


def products(state: Path) -> int:
    given = codec.decode((state / "connections.json").read_bytes())["xingchen"]
    connection = Connection.from_json("xingchen", codec.encode(given))
    told = dict(open_connection(connection, Services(TokenStore(state / "tokens"))).check())
    return int(told["商品"].split()[0])


def test_it_is_filled_once_and_keeps_what_it_holds_and_its_connection_works(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with up(tmp_path, port) as url:
        assert products(tmp_path) == 25
        assert "material" in requests.get(f"{url}/_admin", timeout=5).text
        assert (tmp_path / "connections.json").stat().st_mode & 0o077 == 0
        extra = {"materials": [{"number": "NEW", "name": "新品", "unit": "件", "tax_rate": 13}]}
        requests.post(f"{url}/_admin/seed", data=codec.encode(extra), timeout=5).raise_for_status()
        assert products(tmp_path) == 26
    with up(tmp_path, port):
        assert products(tmp_path) == 26


def test_a_name_that_is_none_is_told_with_those_there_are() -> None:
    command = [sys.executable, "-m", "tests.contract.up", "--state", "unused"]
    unknown = subprocess.run([*command, "nope"], capture_output=True, text=True, check=False)
    assert (unknown.returncode, "可选: " in unknown.stderr) == (1, True)
