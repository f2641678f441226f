"""`python -m benchmarks.ingress`: the answer's time at 200 signed pushes a second from 16 clients, each push durable.

Every client sends on a schedule of its own, whether or not the last answer was slow: time counts from when a push was
due. SQLite flushes each commit; PostgreSQL runs with fsync; `load` is how busy the machine was. Ends with a JSON line.
"""

from __future__ import annotations

import argparse
import http.client
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.ingress.world import SECRET, fill, ingress, order
from duijie import codec
from duijie.journal import Journal
from duijie.journal.tables import message
from sandbox.store import Store
from sandbox.webhook import WebhookSandbox
from tests.servers import Postgres

PATH = "/in/shop/order"
WARM_SECONDS = 1.0


def new_sender() -> WebhookSandbox:
    """One for all cases: no push of a later one repeats an earlier one's."""
    sender = WebhookSandbox(Store())
    sender.seed({"secret": SECRET})
    return sender


def measure(port: int, sender: WebhookSandbox, given: argparse.Namespace) -> tuple[list[float], int]:
    """Milliseconds of every answer 200, and how many others there were."""
    clients, rps, seconds = given.clients, given.rps, given.seconds
    first = sender.store.next("case") * 1_000_000_000
    begin, times, refused = time.perf_counter() + 0.2, [], [0]
    each = int(rps * seconds / clients)

    def client(name: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for turn in range(each):
            due = begin + (turn + name / clients) * clients / rps
            parcel = sender.pack(PATH, order(first + name * 1_000_000 + turn), timedelta())
            time.sleep(max(due - time.perf_counter(), 0))
            link.request("POST", PATH, parcel.body, parcel.headers)
            answer = link.getresponse()
            answer.read()
            took = (time.perf_counter() - due) * 1000
            if answer.status != 200:
                refused[0] += 1
            elif due - begin > WARM_SECONDS:
                times.append(took)
        link.close()

    threads = [threading.Thread(target=client, args=(name,)) for name in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sorted(times), refused[0]


def run(url: str, writer: float | None, sender: WebhookSandbox, given: argparse.Namespace) -> dict[str, Any]:
    """One case: figures in milliseconds."""
    with ingress(url, writer) as port:
        times, refused = measure(port, sender, given)
    kept = Journal.open(url)
    with kept.reading() as tx:
        held = tx.execute(select(func.count()).where(message.c.connection == "shop")).scalar_one()
    kept.engine.dispose()
    at = {name: round(times[int(len(times) * part)], 1) for name, part in (("p50", 0.5), ("p99", 0.99))}
    return {
        **at,
        "max": round(times[-1], 1),
        "pushes": len(times),
        "refused": refused,
        "held": held,
        "load": round(os.getloadavg()[0], 1),
    }


@contextmanager
def journals(home: Path, messages: int) -> Iterator[dict[str, str]]:
    """Both databases with a journal of that size."""
    with Postgres(("fsync=on", "synchronous_commit=on", "full_page_writes=on")) as server:
        urls = {"sqlite": f"sqlite:///{home / 'journal.db'}", "postgresql": server.create("bench")}
        for url in urls.values():
            kept = Journal.open(url)
            fill(kept, messages)
            kept.engine.dispose()
        os.sync()  # what the filling left to be written is not what a push waits for
        yield urls


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingress", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rps", type=int, default=200)
    parser.add_argument("--writer-pause", type=float, default=0.05)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DUIJIE_HOME"] = folder
        found, sender = {}, new_sender()
        with journals(Path(folder), given.messages) as urls:
            for name, url in urls.items():
                found[name] = run(url, None, sender, given)
                print(name, found[name], flush=True)
                found[f"{name}_busy"] = run(url, given.writer_pause, sender, given)
                print(f"{name}_busy", found[f"{name}_busy"], flush=True)
    print(codec.encode_ordered(found).decode())


if __name__ == "__main__":
    main()
