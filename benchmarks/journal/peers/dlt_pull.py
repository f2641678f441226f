"""dlt: a resource with a primary key, merged into the database; nested lines become a table of their own."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}

import dlt
import requests


def main(url: str, database: str, number: int) -> float:
    """Seconds of `pipeline.run`: extract, normalise, load."""

    @dlt.resource(name="orders", primary_key="tid", write_disposition="merge")
    def source() -> Iterator[Any]:
        session = requests.Session()
        for page in range(number // 100):
            yield session.get(f"{url}/orders?page={page}&total={number}").json()["orders"]

    if database.startswith("postgresql"):
        target = dlt.destinations.postgres(database.replace("@", ":none@"))  # it insists on a password
    else:
        target = dlt.destinations.sqlalchemy(database)
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("bench", destination=target, dataset_name="bench", pipelines_dir=folder)
        began = time.perf_counter()
        pipeline.run(source())
        return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps({"seconds": main(sys.argv[1], sys.argv[2], int(sys.argv[3]))}))
