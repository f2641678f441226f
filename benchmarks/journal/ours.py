"""Duijie's part: a connector as a third party would write it, and each measurement in a process of its own.

`python -m benchmarks.journal.ours {pull|deliver|claim|backlog} URL JOURNAL …` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.mapping.memory import peak
from duijie import codec
from duijie.codec import Record
from duijie.connect.http import Http, read_json
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services
from duijie.deliver import Delivering
from duijie.flow import Deliver, Pull
from duijie.journal import Journal, deliveries, documents
from duijie.journal.lookup import JournalLookup
from duijie.journal.tables import delivery, document
from duijie.mapping import load_mapping
from duijie.pull import Counts, Refinery, pull
from duijie.sharing import shared

HERE = Path(__file__).parent
SINCE = datetime(2026, 10, 1, tzinfo=UTC)
THREADS = 8
BATCH = 200


class Client:
    """Calls with everything a connector has: budget, line, retries."""

    def __init__(self, url: str, services: Services) -> None:
        self._url = url
        self._http = Http(services.budget("bench", "1000000/second"))
        self.retrier = services.retrier("bench")

    def call(self, method: str, path: str, body: Record | None = None) -> Record:
        """One call."""
        data = None if body is None else codec.encode_ordered(body)
        return dict(read_json(self._http.send(method, self._url + path, body=data)))


class Orders:
    """The source's list."""

    name, entity, key = "order", "sales_order", "tid"

    def __init__(self, client: Client, total: int) -> None:
        self._client = client
        self._total = total

    def partitions(self) -> Iterable[str]:
        """One."""
        return [""]

    def read(self, _: Window) -> Iterator[Page]:
        """Page by page."""
        for page in range(self._total // 100):
            path = f"/orders?page={page}&total={self._total}"
            yield Page(self._client.retrier.read(partial(self._client.call, "GET", path))["orders"])


class Book:
    """The sink: one document a call, eight side by side."""

    name, entity, safety, batch = "order", "sales_order", Safety.NATURAL_KEY, BATCH

    def __init__(self, client: Client) -> None:
        self._client = client

    def key_of(self, payload: Record) -> str:
        """The number."""
        return str(payload["no"])

    def figures_of(self, payload: Record) -> Figures:
        """The amount."""
        return {"amount": Decimal(payload["amount"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Nothing is there."""
        self._client.retrier.read(lambda: self._client.call("GET", f"/documents?no={','.join(keys)}"))
        return {}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One outcome per payload."""
        return side_by_side(lambda one: self._client.retrier.outcome(partial(self._create, one)), payloads, THREADS)

    def _create(self, payload: Record) -> Done:
        answer = self._client.call("POST", "/documents", payload)
        return Done(answer["id"], payload["no"], answer)


class Instant(Book):
    """A sink that costs nothing."""

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """All done."""
        return [Done("D", payload["no"]) for payload in payloads]


def pulling(url: str, journal: Journal, total: int) -> Counts:
    """Read so many orders into the journal: decoded, deduplicated, mapped, checked, stored."""
    step = Pull("pull", "bench", "order", "bench/sales_order.in", SINCE, window_minutes=10**6)
    refinery = Refinery(
        journal, "bench", "sales_order", load_mapping(HERE / "order.in.yaml"), JournalLookup(journal, "bench")
    )
    client = Client(url, shared(journal))
    return pull(journal, step, Orders(client, total), refinery, Counts)


def delivering(journal: Journal, sink: Book) -> Counts:
    """Deliver everything that waits."""
    step = Deliver("deliver", "bench", "order", "sales_order", "bench/order.out", batch=BATCH)
    mapping = load_mapping(HERE / "order.out.yaml")
    return Delivering(journal, "bench", step, sink, mapping, JournalLookup(journal, "bench")).run()


def timed(act: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _must_hold(journal: Journal, total: int) -> None:
    with journal.reading() as tx:
        held = tx.execute(select(func.count()).select_from(document).where(document.c.current)).scalar_one()
    assert held == total, f"{held} documents of {total}"


def measure_pull(url: str, place: str, total: str) -> Record:
    """Seconds to read so many orders into an empty journal."""
    journal = Journal.open(place)
    seconds = timed(lambda: pulling(url, journal, int(total)))
    _must_hold(journal, int(total))
    return {"seconds": seconds}


def measure_deliver(url: str, place: str, total: str) -> Record:
    """Seconds to deliver so many documents that wait; they are read first, untimed."""
    journal = Journal.open(place)
    pulling(url, journal, int(total))
    client = Client(url, shared(journal))
    counts: list[Counts] = []
    seconds = timed(lambda: counts.append(delivering(journal, Book(client))))
    assert counts[0]["delivered"] == int(total), counts
    return {"seconds": seconds}


def measure_backlog(url: str, place: str, total: str) -> Record:
    """The peak of memory of a process that delivers so many documents that wait."""
    journal = Journal.open(place)
    counts = delivering(journal, Instant(Client(url, shared(journal))))
    assert counts["delivered"] == int(total), counts
    return {"peak_mb": round(peak() / 1024, 1)}


def measure_claim(_: str, place: str, times: str) -> Record:
    """Microseconds of claiming a batch of 50 and putting it back, the median of so many."""
    journal = Journal.open(place)
    taken = []
    for _turn in range(int(times)):
        began = time.perf_counter()
        batch = deliveries.claim(journal, "bench/order", ("pending",), 50)
        taken.append(time.perf_counter() - began)
        assert len(batch) == 50
        deliveries.settle(journal, "claimed", {one.claim: deliveries.Change("pending") for one in batch})
    return {"claim_us": round(sorted(taken)[len(taken) // 2] * 1e6)}


def _made(number: int) -> documents.Made:
    head = {"key": str(number), "order_no": str(number), "business_date": "2026-11-11", "buyer": {"name": "张三"}}
    return documents.Made("sales_order", {**head, "freight": 0, "gross": Decimal(number), "lines": []}, None, "bench")


def waiting(place: str, number: int) -> None:
    """Documents that wait for their first delivery, not yet planned."""
    journal = Journal.open(place)
    for start in range(0, number, 2000):
        made = [_made(at) for at in range(start, min(start + 2000, number))]
        with journal.writing() as tx:
            documents.put_many(tx, journal, made)
    journal.engine.dispose()


def planned(journal: Journal) -> int:
    """Rows of the table of deliveries."""
    with journal.reading() as tx:
        return int(tx.execute(select(func.count()).select_from(delivery)).scalar_one())


MEASURES = {
    "pull": measure_pull,
    "deliver": measure_deliver,
    "claim": measure_claim,
    "backlog": measure_backlog,
}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:5])))
