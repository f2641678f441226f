"""requests or urllib3 from 16 threads: `python -m benchmarks.connectors.peers.threads {requests|urllib3} URL PAGES`."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import urllib3

from benchmarks.mapping.memory import peak

THREADS = 16
Fetch = Callable[[str], list[Any]]


def by_requests() -> Fetch:
    """A session a thread."""
    here = threading.local()

    def fetch(url: str) -> list[Any]:
        session = here.__dict__.setdefault("session", requests.Session())
        rows: list[Any] = session.get(url).json()
        return rows

    return fetch


def by_urllib3() -> Fetch:
    """One pool for all."""
    pool = urllib3.PoolManager(maxsize=THREADS)

    def fetch(url: str) -> list[Any]:
        rows: list[Any] = json.loads(pool.request("GET", url).data)
        return rows

    return fetch


PEERS: Mapping[str, Callable[[], Fetch]] = {"requests": by_requests, "urllib3": by_urllib3}


def pull(peer: str, url: str, pages: int) -> dict[str, float]:
    """Seconds, CPU seconds, orders and the peak of memory."""
    fetch = PEERS[peer]()
    began, worked = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        orders = sum(
            map(len, pool.map(fetch, [f"{url}/orders?per_page=100&page={page}" for page in range(1, pages + 1)]))
        )
    took, cpu = time.perf_counter() - began, time.process_time() - worked
    return {"seconds": took, "cpu": cpu, "orders": orders, "peak_mb": peak() / 1024}


if __name__ == "__main__":
    print(json.dumps(pull(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
