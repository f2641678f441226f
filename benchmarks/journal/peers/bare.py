"""requests and SQLAlchemy with no guarantee: pages decoded and inserted, documents posted from threads.

`… pull URL DATABASE NUMBER`, `… deliver URL NUMBER`. Amounts are floats, nothing is checked, an error is an exception.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, create_engine, insert

from benchmarks.mapping.orders import orders

THREADS = 8
TABLE = Table(
    "raw_order", MetaData(), Column("id", Integer, primary_key=True), Column("tid", String), Column("body", Text)
)


def pull(url: str, database: str, number: int) -> float:
    """Seconds."""
    engine = create_engine(database)
    TABLE.metadata.create_all(engine)
    session = requests.Session()
    began = time.perf_counter()
    for page in range(number // 100):
        rows = session.get(f"{url}/orders?page={page}&total={number}").json()["orders"]
        with engine.begin() as tx:
            tx.execute(insert(TABLE), [{"tid": row["tid"], "body": json.dumps(row)} for row in rows])
    return time.perf_counter() - began


def deliver(url: str, number: int) -> float:
    """Seconds for posting what is at hand, mapped by an expression."""
    given, here = orders(number), threading.local()

    def post(order: dict[str, Any]) -> None:
        session = here.__dict__.setdefault("session", requests.Session())
        lines = [{"sku": line["sku_code"], "qty": line["num"], "amount": line["payment"]} for line in order["orders"]]
        body = {"no": order["tid"], "customer": order["buyer"]["nick"], "amount": order["payment"], "lines": lines}
        session.post(f"{url}/documents", json=body).raise_for_status()

    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(post, given))
    return time.perf_counter() - began


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    taken = pull(rest[0], rest[1], int(rest[2])) if name == "pull" else deliver(rest[0], int(rest[1]))
    print(json.dumps({"seconds": taken}))
