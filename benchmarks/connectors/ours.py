"""Duijie's part: the WooCommerce connector, read as a run of the engine reads it; each measurement in a process
of its own.

`python -m benchmarks.connectors.ours pull URL CONNECTIONS`: every order of the list. `… handling ROUNDS`: signing and
parsing alone, without a socket. Each prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.connectors.orders import order
from benchmarks.mapping.memory import peak
from connectors.woocommerce import CONNECTOR
from connectors.woocommerce.client import new_nonce
from connectors.woocommerce.oauth import signed
from connectors.woocommerce.orders import ORDER_FIELDS, changed
from duijie import codec, heap
from duijie.connect.connection import Connection
from duijie.connect.protocol import Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore

WINDOW = Window(datetime(2026, 11, 10, 16, tzinfo=UTC), datetime(2026, 11, 18, tzinfo=UTC))
KEY, SECRET = "ck_bench", "cs_bench"


def pull(url: str, connections: int) -> dict[str, float]:
    """Seconds, CPU seconds, orders and the peak of memory."""
    extra = {"connections": connections, "rate": "2000/second"}
    with tempfile.TemporaryDirectory() as folder:
        services = Services(TokenStore(Path(folder)))
        shop = CONNECTOR.open(Connection("bench", "woocommerce", url, KEY, SECRET, extra=extra), services)
        number, began, worked = 0, time.perf_counter(), time.process_time()
        for page in shop.streams["order"].read(WINDOW):
            number += len(page.records)
        took, cpu = time.perf_counter() - began, time.process_time() - worked
    return {"seconds": took, "cpu": cpu, "orders": number, "peak_mb": peak() / 1024}


def handling(rounds: int) -> dict[str, float]:
    """CPU seconds of signing a call and parsing its page, so many times."""
    body = codec.encode_ordered([order(at, 100_000) for at in range(100)])
    asked = {**changed(WINDOW), "_fields": ORDER_FIELDS, "per_page": "100", "page": "1"}
    worked = time.process_time()
    for _ in range(rounds):
        urlencode(signed("GET", "http://127.0.0.1/orders", asked, KEY, SECRET, moment=1, nonce=new_nonce()))
        rows = [{**row, "shop": "WOO"} for row in codec.decode(body)]
    return {"cpu": time.process_time() - worked, "orders": rounds * len(rows), "bytes": len(body)}


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    heap.settle()
    told = pull(rest[0], int(rest[1])) if name == "pull" else handling(int(rest[0]))
    print(json.dumps(told))
