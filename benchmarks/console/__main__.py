"""`python -m benchmarks.console`: how long each page takes over 100,000 documents, then one line of JSON.

Pages are asked for in this process through the whole app (session, templates, SQL), the median of a few times.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from starlette.testclient import TestClient

from benchmarks.console.world import World
from duijie.console.app import create_app
from duijie.console.flows import readable
from duijie.console.users import add_user
from duijie.journal import Journal

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "only for this journal"  # noqa: S105


def main() -> None:
    """Make the journal (or use the one that --keep left), ask for each page, print the milliseconds."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(options.keep or folder)
        home.mkdir(exist_ok=True)
        os.environ["DUIJIE_HOME"] = str(home)
        is_new = not (home / "journal.db").exists()
        journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
        world = World(journal, options.size)
        if is_new:
            world.fill(readable(ROOT)[0])
        times = _times(home, _pages(world), options.rounds)
    for name, milliseconds in times.items():
        print(f"{name:28}{milliseconds:>10.1f} ms")
    print(json.dumps({"documents": sum(world.many.values()), "milliseconds": times}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=100_000, help="documents in the journal")
    parser.add_argument("--rounds", type=int, default=7, help="how often each page is asked for")
    parser.add_argument("--keep", default="", help="a folder to keep the journal in, for the next time")
    return parser.parse_args()


def _pages(world: World, refund: int = 100, voucher: int = 100) -> dict[str, str]:
    middle = world.many["invoice_request"] // 2
    return {
        "overview": "/",
        "work list": "/work",
        "work item": "/work/7",
        "reconcile": "/reconcile",
        "alerts": "/alerts",
        "trace: order number": f"/trace?q={world.order_no(middle)}",
        "trace: order key": f"/trace?q={world.key('sales_order', middle)}",
        "trace: invoice number": f"/trace?q={world.invoice_no(middle)}",
        "trace: request number": f"/trace?q={world.key('invoice_request', middle)}",
        "trace: refund": f"/trace?q={world.key('sales_refund', refund)}",
        "trace: voucher": f"/trace?q={world.key('voucher', voucher)}",
        "trace: number in a system": f"/trace?q=k3-{voucher}",
        "search: beginning": f"/trace?q={str(world.order_no(middle))[:14]}",
        "search: many begin so": "/trace?q=3204",
        "search: nothing": "/trace?q=99999999",
    }


def _times(home: Path, pages: dict[str, str], rounds: int) -> dict[str, float]:
    os.environ["DUIJIE_CONSOLE_USERS"] = str(home / "users.json")
    add_user(home / "users.json", "bench", PASSWORD, "ops", "")
    with TestClient(create_app(f"sqlite:///{home / 'journal.db'}"), base_url="http://console") as client:
        token = client.get("/login").text.split('name="csrf" value="')[1].split('"', maxsplit=1)[0]
        client.post("/login", data={"csrf": token, "name": "bench", "password": PASSWORD})
        return {name: round(median(_once(client, path) for _ in range(rounds)), 1) for name, path in pages.items()}


def _once(client: TestClient, path: str) -> float:
    began = time.perf_counter()
    answer = client.get(path, follow_redirects=False)
    spent = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code}")
    return spent


if __name__ == "__main__":
    main()
