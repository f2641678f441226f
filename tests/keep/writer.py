"""A worker that writes until it is told to stop: `python -m tests.keep.writer URL NAME STOP-FILE COUNT-FILE`.

It opens the journal without bringing its schema up to date, as a worker of an earlier version would go on with what it
has; it waits out JournalBusy and tells at the end how many documents it has delivered.
"""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from pathlib import Path

from duijie.connect.errors import JournalBusy
from duijie.journal import Journal, deliveries, documents, journal, planning
from duijie.journal.deliveries import Change

SINK = "psi/sales_order"


def work(kept: Journal, key: str) -> None:
    """One document from nowhere to done, in this worker's own sink."""
    sink = f"{SINK}-{key.partition('-')[0]}"
    with kept.writing() as tx:
        made = documents.put(tx, kept, "sales_order", {"key": key, "gross": Decimal("113.00")}, (None, "test"))
        one = documents.by_ids(tx, [made or 0])[made or 0]
    planning.plan(kept, "orders", sink, [(one, 11300)])
    for row in deliveries.claim(kept, sink, ("pending",), 10):
        deliveries.settle(kept, "claimed", {row.claim: Change("sent", target_key=key)})
        deliveries.settle(kept, "sent", {row.claim: Change("done", native_no=key)})


def main(url: str, name: str, stop: Path, count: Path) -> None:
    """Until the stop file is there."""
    kept = Journal(journal._engine(url))
    done, waited = 0, 0
    count.with_suffix(".ready").touch()
    while not stop.exists():
        try:
            work(kept, f"{name}-{done}-{waited}")
            done += 1
        except JournalBusy:
            waited += 1
            time.sleep(0.05)
    count.write_text(f"{done} {waited}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
