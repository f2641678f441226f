"""What the measured ingress runs in: a journal of some size, the server as a process, another process that writes."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from connectors.webhook import CONNECTOR
from duijie.connect.connection import Connection
from duijie.ingress import Ingress, Limits
from duijie.ingress.doors import Doors
from duijie.ingress.durable import open_durable
from duijie.ingress.serve import server
from duijie.journal import Journal, inbox
from duijie.journal.inbox import Source
from sandbox.serve import free_ports

SECRET = "whsec_plJ3nmyCDGBKInavdOK15jslMfKgQwUtVZ4s"  # noqa: S105  of the sandbox
SENDER = Connection(
    "shop", "webhook", password=SECRET, extra={"streams": {"order": {"entity": "sales_order", "key": "id"}}}
)
PAGE = 200
SPAWN = multiprocessing.get_context("spawn")


def order(number: int) -> dict[str, object]:
    """A record of about 1 KB."""
    line = {"sku": f"SKU-{number % 500}", "name": "商品" * 10, "qty": 2, "price": "19.90", "gross": "39.80"}
    return {"id": f"O{number:09d}", "status": "paid", "buyer": f"B{number % 5000}", "lines": [line] * 6}


def fill(journal: Journal, messages: int) -> None:
    """A journal that holds so many messages that were mapped."""
    for start in range(0, messages, 5000):
        inbox.store(journal, Source("old", "order"), "id", [order(n) for n in range(start, start + 5000)])
        waiting = inbox.waiting(journal, Source("old", "order"), 5000)
        with journal.writing() as tx:
            inbox.settle(tx, [one.id for one in waiting], "mapped", "bench@1")


def _serve(url: str, port: int) -> None:
    doors = Doors(lambda: [SENDER], lambda _: CONNECTOR)
    server(Ingress(lambda: open_durable(url), doors, Limits()), "127.0.0.1", port).run()


def _write(url: str, pause: float) -> None:
    """Pull after pull of new records, as a flow would."""
    journal, number = Journal.open(url), 0
    while True:
        inbox.store(journal, Source("busy", "order"), "id", [order(number + n) for n in range(PAGE)])
        number += PAGE
        time.sleep(pause)


@contextmanager
def ingress(url: str, writer_pause: float | None) -> Iterator[int]:
    """The port of an ingress over that journal; with a writer beside it that rests so many seconds between pages."""
    port = free_ports(1)[0]
    processes = [SPAWN.Process(target=_serve, args=(url, port), daemon=True)]
    if writer_pause is not None:
        processes.append(SPAWN.Process(target=_write, args=(url, writer_pause), daemon=True))
    for one in processes:
        one.start()
    _await(port)
    yield port
    for one in processes:
        one.terminate()
        one.join(10)


def _await(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            requests.get(f"http://127.0.0.1:{port}/", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the ingress did not start")
