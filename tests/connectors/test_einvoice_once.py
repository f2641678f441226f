"""Invoice platforms under the engine: whatever is lost, spoiled or refused on the way, each request is one invoice.

A real journal, the shipped mappings, the connectors as they are, and the sandboxes while they cut answers off, answer
pages of HTML, are too busy or forget tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from duijie import parcels
from duijie.codec import Record
from duijie.connect.protocol import Safety, Sink
from duijie.contract import Site
from duijie.deliver import Delivering
from duijie.flow import Deliver
from duijie.journal import Journal, documents
from duijie.journal.tables import delivery
from duijie.mapping import StaticLookup, load_mapping
from tests.connectors import canonical_invoice as canonical
from tests.contract.served import MAPPINGS
from tests.contract.sites import aisino, aisinoxml, baiwang

NUMBER = 8
STORM = [
    {"kind": "lose_answer", "rate": 0.15, "seed": 3},
    {"kind": "malformed", "rate": 0.1, "seed": 5},
    {"kind": "status", "status": 503, "rate": 0.1, "seed": 7},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}, "rate": 0.05, "seed": 11},
    {"kind": "expire_tokens", "rate": 0.1, "seed": 13},
]


@pytest.fixture(params=[baiwang, aisino, aisinoxml], ids=lambda module: module.__name__.rpartition(".")[2])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with request.param.SITE() as made:
        yield made.fresh()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(parcels, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


def requested(journal: Journal, site: Site) -> list[str]:
    """So many requests for blue invoices in the journal; their numbers."""
    made = [canonical.request(f"DJ{at}", site.extra["tax_no"], kind="normal") for at in range(NUMBER)]
    with journal.writing() as tx:
        for one in made:
            documents.put(tx, journal, "invoice_request", one, (None, "test"))
    return [str(one["request_no"]) for one in made]


def run(journal: Journal, site: Site, sink: Sink) -> Counter[str]:
    mapping = load_mapping(MAPPINGS / site.name / "invoice_request.out.yaml")
    named = {"connection": site.name, "sink": "invoice_request", "entity": "invoice_request"}
    step = Deliver(name="d", mapping=f"{site.name}/invoice_request.out", **named)
    return Delivering(journal, "invoices", step, sink, mapping, StaticLookup()).run()


def states(journal: Journal) -> Counter[str]:
    with journal.reading() as tx:
        return Counter(row.state for row in tx.execute(select(delivery.c.state)))


def held(site: Site) -> list[Record]:
    """What the bureau was asked for, beside what its sandbox began with."""
    return list(site.held(site.sinks["invoice_request"]))


@pytest.mark.slow
def test_in_a_storm_every_request_is_one_invoice(site: Site, journal: Journal) -> None:
    numbers = requested(journal, site)
    sink = site.open().sinks["invoice_request"]
    site.order(*STORM)
    for _ in range(3):
        run(journal, site, sink)
    assert site.fired() > 3
    site.order()
    run(journal, site, sink)
    assert states(journal) == {"done": NUMBER}
    assert len(held(site)) == NUMBER
    assert set(sink.find(numbers)) == set(numbers)


def test_when_every_answer_is_lost_each_request_is_looked_up_and_none_is_sent_twice(
    site: Site, journal: Journal
) -> None:
    requested(journal, site)
    site.order({"kind": "lose_answer", "rate": 1, "writes": True})
    counts = run(journal, site, site.open().sinks["invoice_request"])
    assert (counts["unknown"], counts["confirmed"]) == (NUMBER, NUMBER)
    assert states(journal) == {"done": NUMBER}
    assert (len(held(site)), site.fired()) == (NUMBER, NUMBER)


def test_a_refused_request_waits_for_a_person_and_stops_no_other(site: Site, journal: Journal) -> None:
    requested(journal, site)
    with journal.writing() as tx:
        spoilt = canonical.request("BAD1", site.extra["tax_no"], kind="normal")
        spoilt["lines"][0]["tax_class_code"] = "1"
        documents.put(tx, journal, "invoice_request", spoilt, (None, "test"))
    run(journal, site, site.open().sinks["invoice_request"])
    assert states(journal) == {"done": NUMBER, "rejected": 1}
    assert len(held(site)) == NUMBER
