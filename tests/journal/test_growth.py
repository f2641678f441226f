"""What is asked for by its key costs the same however much there is beside it; what is asked for as a whole, in line.

Counted in steps of SQLite's own machine, which are the same on every computer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, event, insert, select

from duijie import codec
from duijie.codec import Record
from duijie.flow import Poll
from duijie.invoicing import polling
from duijie.journal import Journal, documents, reversals, work
from duijie.journal.tables import derived, document, link, work_item, work_item_record
from duijie.journal.tables_invoicing import poll

STEP = Poll(name="q", connection="p", stream="invoice", mapping="m", sink="p/invoice_request", entity="invoice")
AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
EACH = 20  # steps of the machine between two counts
FEW, MANY = 600, 2400
Work = Callable[[Journal], object]
Rows = Sequence[Record]


def grown(folder: Path, number: int) -> Journal:
    """A journal with so many issued invoices, of which nobody has taken note, and so many closed work items."""
    journal = Journal.open(f"sqlite:///{folder / f'{number}.db'}")
    rows: dict[Table, Rows] = {
        document: [_document(entity, at, place) for at in range(number)
                   for place, entity in enumerate(("sales_order", "invoice"), 1)],
        poll: [{"sink": STEP.sink, "key": f"DJ{at:05d}", "times": 0, "due_at": AT, "since": AT, "is_open": True}
               for at in range(number)],
        link: [{"kind": "issued", "from_entity": "invoice_request", "from_key": f"DJ{at:05d}", "to_entity": "invoice",
                "to_key": f"invoice:{at:05d}", "amount": 0, "created_at": AT} for at in range(number)],
        derived: [{"rule": "invoice", "entity": "sales_order", "key": f"sales_order:{at:05d}",
                   "document_id": 2 * at + 1, "result_key": f"DJ{at:05d}"} for at in range(number)],
        work_item: [{"id": at + 1, "kind": "invoice", "subject": f"s{at}", "flow": "f", "reason": "", "next_step": "",
                     "owner": "", "state": "closed", "created_at": AT} for at in range(number)],
        work_item_record: [{"work_item_id": at + 1, "entity": "invoice_request", "key": f"DJ{at:05d}", "flow": "f",
                            "amount": 0} for at in range(number)],
    }  # fmt: skip
    with journal.writing() as tx:
        for table, some in rows.items():
            tx.execute(insert(table), list(some))
    return journal


def _document(entity: str, at: int, number: int) -> Record:
    body = {"key": f"{entity}:{at:05d}", "colour": "blue", "status": "issued", "order_key": f"sales_order:{at:05d}"}
    return {"id": 2 * at + number, "entity": entity, "key": body["key"], "version": 1, "current": True, "hash": "",
            "body": codec.encode(body), "number": f"{at:020d}", "created_at": AT}  # fmt: skip


def steps(journal: Journal, doing: Work) -> int:
    """How much of the machine it takes."""
    counted = [0]

    def count() -> int:
        counted[0] += EACH
        return 0

    def begin(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(count, EACH)

    event.listen(journal.engine, "checkout", begin)
    doing(journal)
    event.remove(journal.engine, "checkout", begin)
    return counted[0]


def _results(journal: Journal) -> None:
    assert sum(map(len, polling.results(journal, STEP))) in (FEW, MANY)


def _changed(journal: Journal) -> None:
    assert list(reversals.changed(journal, "invoice", "sales_order", AT)) == []


def _by_number(journal: Journal) -> None:
    with journal.reading() as tx:
        found = tx.execute(select(document.c.key).where(documents.has_number("invoice", f"{7:020d}"))).scalars().all()
    assert found == ["invoice:00007"]


def _release(journal: Journal) -> None:
    with journal.writing() as tx:
        work.release_records(tx, journal, "f", "invoice_request", ["DJ00007"], about="s")


def _made_under(journal: Journal) -> None:
    query = select(derived.c.key).where(derived.c.rule == "invoice", derived.c.result_key == "DJ00007")
    with journal.reading() as tx:
        assert tx.execute(query).scalars().all() == ["sales_order:00007"]


@pytest.mark.parametrize(("doing", "growth"), [(_results, 4), (_changed, 4)])
def test_a_whole_backlog_costs_so_much_for_each(tmp_path: Path, doing: Work, growth: int) -> None:
    few, many = (steps(grown(tmp_path, number), doing) for number in (FEW, MANY))
    assert 0 < few < many < growth * 1.5 * few


@pytest.mark.parametrize("doing", [_by_number, _release, _made_under])
def test_one_record_costs_the_same_however_many_others_there_are(tmp_path: Path, doing: Work) -> None:
    few, many = (steps(grown(tmp_path, number), doing) for number in (FEW, MANY))
    assert many <= few + 2 * EACH
