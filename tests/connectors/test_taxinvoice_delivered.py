"""发票SDK under the journal: an order has one invoice, or a person is asked before it is sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.taxinvoice import CONNECTOR
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.deliver import Delivering
from duijie.flow import Deliver
from duijie.journal import Journal, deliveries, documents
from duijie.journal.tables import delivery, work_item
from duijie.mapping import StaticLookup, load_mapping
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.taxinvoice import TaxInvoiceSandbox
from tests.contract.served import MAPPINGS
from tests.contract.sites.taxinvoice import SELLER, taxinvoice_document

STEP = Deliver(
    name="request",
    connection="fp",
    sink="invoice_request",
    entity="invoice_request",
    mapping="taxinvoice/invoice_request.out",
)
MAPPING = load_mapping(MAPPINGS / "taxinvoice/invoice_request.out.yaml")
Run = Callable[..., Record]


@pytest.fixture
def sandbox() -> Iterator[TaxInvoiceSandbox]:
    served = TaxInvoiceSandbox(Store())
    served.seed({"tax_no": SELLER})
    with Running(served) as served.url:
        yield served


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    made = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    with made.writing() as tx:
        for number in "123":
            body = {**taxinvoice_document(number), "order_key": "o", "ordered_at": "2026-11-11T09:00:00+08:00"}
            documents.put(tx, made, "invoice_request", body, (None, "test"))
    return made


@pytest.fixture
def run(sandbox: TaxInvoiceSandbox, journal: Journal, tmp_path: Path) -> Run:
    def once(**extra: Any) -> Record:
        """One run of a worker that has just started."""
        given = {"tax_no": SELLER, "seller_name": "发票SDK测试企业", "username": "13800000000", **extra}
        found = Connection("fp", "taxinvoice", sandbox.url, "AK-demo-0001", "AS-demo-secret-0001", extra=given)
        sink = CONNECTOR.open(found, Services(TokenStore(tmp_path / "tokens"))).sinks["invoice_request"]
        return dict(Delivering(journal, "invoices", STEP, sink, MAPPING, StaticLookup()).run())

    return once


def states(journal: Journal) -> dict[str, str]:
    with journal.reading() as tx:
        return {row.key: row.state for row in tx.execute(select(delivery.c.key, delivery.c.state))}


def issued(sandbox: TaxInvoiceSandbox) -> list[str]:
    return sorted(row["serial"] for row in sandbox.bureau.blues())


def test_an_invoice_whose_answer_was_lost_waits_for_a_person_and_the_others_go_through(
    sandbox: TaxInvoiceSandbox, journal: Journal, run: Run
) -> None:
    sandbox.faults = [Fault("lose_answer", "DJ2", count=1)]
    for _ in range(3):
        run()
    assert states(journal) == {"DJ1": "done", "DJ2": "rejected", "DJ3": "done"}
    assert issued(sandbox) == ["DJ1", "DJ2", "DJ3"]
    with journal.reading() as tx:
        [item] = tx.execute(select(work_item)).all()
    assert "DJ2" in item.subject and "电子税务局" in item.reason


def test_one_that_never_arrived_is_issued_once_a_person_has_looked_and_replayed_it(
    sandbox: TaxInvoiceSandbox, journal: Journal, run: Run
) -> None:
    sandbox.faults = [Fault("status", "DJ2", count=1, status=502)]
    run()
    run()
    assert (states(journal)["DJ2"], issued(sandbox)) == ("rejected", ["DJ1", "DJ3"])
    with journal.reading() as tx:
        ids = list(tx.execute(select(delivery.c.id).where(delivery.c.key == "DJ2")).scalars())
    deliveries.release(journal, ids, "已在电子税务局核对, 未开出", "开票员")
    run()
    assert (states(journal)["DJ2"], issued(sandbox)) == ("done", ["DJ1", "DJ2", "DJ3"])


def test_where_the_vendor_deduplicates_the_same_run_has_the_number(
    sandbox: TaxInvoiceSandbox, journal: Journal, run: Run
) -> None:
    sandbox.seed({"deduplicates": True})
    sandbox.faults = [Fault("lose_answer", "DJ2", count=1)]
    run(deduplicates=True)
    assert set(states(journal).values()) == {"done"}
    assert issued(sandbox) == ["DJ1", "DJ2", "DJ3"]
    with journal.reading() as tx:
        numbers = list(tx.execute(select(delivery.c.native_no)).scalars())
    assert sorted(numbers) == sorted(row["number"] for row in sandbox.bureau.blues())


def test_a_drawer_who_must_scan_holds_the_queue_and_nothing_is_refused(
    sandbox: TaxInvoiceSandbox, journal: Journal, run: Run
) -> None:
    sandbox.bureau.settings({"login": "scan"})
    run()
    assert "rejected" not in states(journal).values()
    assert issued(sandbox) == []
