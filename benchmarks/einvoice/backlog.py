"""A backlog of requests against a platform that answers in 200 ms and allows 10 calls a second, from one worker.

`python -m benchmarks.einvoice.backlog [--quick]` puts 10,000 requests (300) into a fresh journal, starts the sandbox
of 诺诺 with that delay and that limit, and lets one worker deliver and poll until every invoice is issued. It ends with
one line of JSON: how near the worker came to the allowed rate, and how many of its calls were polls; with 1 where it
stayed under 95 % of the rate, or polled with more than 10 % of its calls. What is above the limit is answered 429.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import yaml
from starlette.requests import Request
from starlette.responses import Response

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.derive.invoices import number_of
from duijie.engine import Engine
from duijie.flow import Flow
from duijie.journal import Journal, documents
from duijie.shift import Turn
from duijie.worker import TURN_SECONDS, Worker, routes_of
from sandbox.nuonuo import PREFIX, NuonuoSandbox
from sandbox.serve import Running
from sandbox.store import Store

ALLOWED = 10
ANSWER_SECONDS = 0.2
WINDOW = 0.9  # a second, less what calls may be late on their way
LEAST_SHARE, MOST_POLLS = 0.95, 0.10
WRITE, QUERY = "requestBillingNew", "queryInvoiceResult"
FLOW = """
flow: backlog
title: 积压
steps:
  - {verb: deliver, name: request, connection: nuonuo, sink: invoice_request, entity: invoice_request,
     mapping: nuonuo/invoice_request.out, batch: 100}
  - {verb: poll, name: poll, connection: nuonuo, stream: invoice, mapping: nuonuo/invoice.in,
     sink: nuonuo/invoice_request, entity: invoice}
"""


class Slow(NuonuoSandbox):
    """Answers late, refuses what is above the limit, and counts."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.calls: list[tuple[float, str]] = []
        self.refused = 0

    async def _gateway(self, request: Request) -> Response:
        now = time.monotonic()
        recent = sum(at > now - WINDOW for at, _ in self.calls[-2 * ALLOWED :])
        if recent >= ALLOWED:
            self.refused += 1
            return Response(b"", 429, headers={"Retry-After": "1"})
        self.calls.append((now, request.headers.get("method", "").removeprefix(PREFIX)))
        await asyncio.sleep(ANSWER_SECONDS)
        return await super()._gateway(request)


@dataclass(frozen=True)
class Measured:
    """One run. `during`: calls of every kind from the first request to the last, which took so many seconds."""

    requests: int
    issued: int
    seconds: float
    during: int
    calls: int
    polls: int
    refused: int

    def told(self) -> dict[str, float | int]:
        """What the line of JSON says."""
        rate = self.during / self.seconds
        return {
            "requests": self.requests,
            "issued": self.issued,
            "seconds": round(self.seconds, 1),
            "calls_per_second": round(rate, 2),
            "share_of_allowed": round(rate / ALLOWED, 4),
            "share_of_polls": round(self.polls / self.calls, 4),
            "refused": self.refused,
        }


def request(number: int) -> Record:
    """A request of one line for a company."""
    no = number_of("DJ", f"bench:{number}", 20)
    amounts = {"net": Decimal("100.00"), "tax": Decimal("13.00"), "gross": Decimal("113.00")}
    line = {"line_no": 1, "name": "面条", "sku": "A1", "tax_class_code": "1030299990000000000", "unit": "件",
            "qty": Decimal(1), "price": Decimal("100.00"), "tax_rate": Decimal("0.13"), **amounts}  # fmt: skip
    buyer = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
    head = {"key": no, "request_no": no, "kind": "special", "seller_tax_no": "339902999999789113", "buyer": buyer}
    return {
        **head,
        "order_key": f"bench:{number}",
        "ordered_at": "2026-11-11T09:00:00+08:00",
        **amounts,
        "lines": [line],
    }


def fill(journal: Journal, size: int) -> None:
    """So many requests that wait."""
    with journal.writing() as tx:
        for number in range(size):
            documents.put(tx, journal, "invoice_request", request(number), (None, "bench"))


@contextmanager
def world(size: int) -> Iterator[tuple[Slow, Engine]]:
    """A platform that is up, and an engine whose journal holds the backlog."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DUIJIE_HOME"] = folder
        sandbox = Slow(Store())
        sandbox.seed({"issue_seconds": "2", "credit_line": "99999999.00"})
        with Running(sandbox) as url:
            seller = {"tax_no": "339902999999789113", "clerk": "张三", "token_url": f"{url}/accessToken"}
            made = Connection("nuonuo", "nuonuo", url, "AK-demo-0001", "AS-demo-secret-0001",
                              extra={**seller, "rate": f"{ALLOWED}/second"})  # fmt: skip
            journal = Journal.open(f"sqlite:///{Path(folder) / 'journal.db'}")
            fill(journal, size)
            yield sandbox, Engine(journal, {"nuonuo": made}.__getitem__)


def measure(size: int) -> Measured:
    """Run one worker until every invoice is issued."""
    flow = msgspec.convert(yaml.safe_load(FLOW), Flow)
    with world(size) as (sandbox, engine):
        stopping = threading.Event()
        engine._turn = turn = Turn(TURN_SECONDS, stopping)
        worker = threading.Thread(target=Worker(engine, routes_of([flow]), turn, lambda *_: None).run)
        worker.start()
        while sum(one.body["status"] == "issued" for one in documents.current(engine.journal, "invoice")) < size:
            time.sleep(2.0)
        stopping.set()
        worker.join()
        return measured(size, sandbox, engine.journal)


def measured(size: int, sandbox: Slow, journal: Journal) -> Measured:
    """What the platform saw; the rest of the polling, after the last request, has no rate to keep to."""
    moments = [at for at, method in sandbox.calls if method == WRITE]
    during = sum(moments[0] <= at < moments[-1] for at, _ in sandbox.calls)
    issued = sum(one.body["status"] == "issued" for one in documents.current(journal, "invoice"))
    polls = sum(method == QUERY for _, method in sandbox.calls)
    return Measured(size, issued, moments[-1] - moments[0], during, len(sandbox.calls), polls, sandbox.refused)


def main() -> int:
    """0 where the rate was kept and polling was rare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.einvoice.backlog", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 requests instead of 10,000")
    found = measure(300 if parser.parse_args().quick else 10_000).told()
    print(json.dumps(found))
    kept = found["share_of_allowed"] >= LEAST_SHARE and found["share_of_polls"] < MOST_POLLS
    return 0 if kept and found["issued"] == found["requests"] else 1


if __name__ == "__main__":
    sys.exit(main())
