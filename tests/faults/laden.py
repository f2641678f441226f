"""The workers of the load proof: `duijie.worker.Worker` on a scene's mappings and the strict target.

A warm parent forks one for every line it reads, so that the machine's cores do deliveries rather than imports, and
answers with its process id. Workers live until they are killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from duijie import leases
from duijie.connect import leave
from duijie.engine import Engine
from duijie.flow import Deliver, Flow
from duijie.journal import Journal, codes, deliveries, documents
from duijie.journal.documents import Made
from duijie.shift import Turn
from duijie.worker import Worker, routes_of
from tests.faults import mutants
from tests.faults.scenes import connections

PREFIX = "b"
BATCH, SIZE = 50, 8


def flow_of(*kinds: str) -> Flow:
    """A deliver step per kind of sink."""
    steps = (
        Deliver(kind, connection="strict", sink=kind, entity="sales_order", mapping="target/order.out", batch=BATCH)
        for kind in kinds
    )
    return Flow("bills", "单据", tuple(steps))


@dataclass(frozen=True)
class Shift:
    """What a worker is told. `lease`: in seconds, 0 for the product's own; `mutant`: what the product lacks."""

    journal: str
    target: str
    home: str
    number: int
    lease: float = 0.0
    mutant: str = ""

    def fill(self) -> None:
        """Documents for every worker, not yet planned."""
        journal = Journal.open(self.journal)
        codes.put(journal, [codes.Code("customer", "strict", "张三", "C1")], "test")
        for start in range(1, self.number + 1, 2000):
            numbers = range(start, min(start + 2000, self.number + 1))
            with journal.writing() as tx:
                documents.put_many(tx, journal, [self._made(one) for one in numbers])
        journal.engine.dispose()

    @staticmethod
    def _made(one: int) -> Made:
        body = {"key": f"shop:{PREFIX}{one}", "order_no": f"{PREFIX}{one}", "gross": Decimal(f"{one}.13")}
        return Made("sales_order", {**body, "buyer": {"name": "张三"}}, None, "test")

    def work(self) -> None:
        """Until killed."""
        mutants.install(self.mutant)
        if self.lease:
            deliveries.LEASE = leases.LEASE = timedelta(seconds=self.lease)
            leave.LONGEST_CALL = self.lease / 3
        turn = Turn(5.0)
        known = connections({"strict": self.target}, SIZE).__getitem__
        engine = Engine(Journal.open(self.journal), known, Path(self.home), turn)
        Worker(engine, routes_of([flow_of("natural_key", "lookup", "token")]), turn, lambda *_: None).run()


def main() -> None:
    """Fork until there are no more lines."""
    shift = Shift(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            shift.work()
            return
        print(child, flush=True)


if __name__ == "__main__":
    main()
