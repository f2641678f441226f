"""The on-premise ledgers under the engine: whatever is lost, spoiled or refused on the way, each voucher is there once.

A real journal, the shipped mappings, the connectors as they are, and the sandboxes while they cut answers off, answer
pages of HTML, are too busy or forget sessions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from connectors.eas import CONNECTOR as EAS
from connectors.u8eai import CONNECTOR as U8EAI
from duijie import codec, parcels
from duijie.connect.connection import Connection
from duijie.connect.protocol import Plugin, Safety, Sink
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.deliver import Delivering
from duijie.flow import Deliver
from duijie.journal import Journal, documents
from duijie.journal.tables import delivery
from duijie.mapping import StaticLookup, load_mapping
from sandbox import eas, u8eai
from sandbox.kit import Sandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.contract.served import MAPPINGS
from tests.contract.sites.eas import COLUMNS

NUMBER = 8
STORM = [
    {"kind": "lose_answer", "rate": 0.15, "seed": 3},
    {"kind": "malformed", "rate": 0.1, "seed": 5},
    {"kind": "status", "status": 503, "rate": 0.1, "seed": 7},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}, "rate": 0.05, "seed": 11},
    {"kind": "expire_tokens", "rate": 0.1, "seed": 13},
]


@dataclass(frozen=True)
class Ledger:
    """One ledger: how it is opened, and which keys its sandbox holds, doubles as often as they are."""

    plugin: Plugin
    sandbox: type[Sandbox]
    login: str
    password: str
    extra: dict[str, Any]
    keys: Callable[[dict[str, Any]], str]

    def sink(self, url: str, folder: Path) -> Sink:
        extra = {**self.extra, "rate": "10000/second"}
        name = self.plugin.spec.conn_type
        connection = Connection(name, name, url, self.login, self.password, extra=extra)
        return self.plugin.open(connection, Services(TokenStore(folder))).sinks["voucher"]


LEDGERS = [
    Ledger(
        EAS,
        eas.EasSandbox,
        eas.CONFIG["user"],
        eas.CONFIG["password"],
        {"dc_name": eas.CONFIG["dc_name"], "company": eas.CONFIG["company"], "creator": eas.CONFIG["users"][0]}
        | {"voucher_columns": COLUMNS},
        lambda held: str(held["lines"][0]["description"]).removeprefix("202611:"),
    ),
    Ledger(
        U8EAI,
        u8eai.U8Sandbox,
        "",
        u8eai.CONFIG["senders"][0],
        {"maker": u8eai.CONFIG["operators"][0], "voucher_query": u8eai.CONFIG["voucher_filter"]},
        lambda held: str(held["head"]["reserve2"]),
    ),
]


@pytest.fixture(params=LEDGERS, ids=lambda ledger: ledger.plugin.spec.conn_type)
def ledger(request: pytest.FixtureRequest) -> Ledger:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def served(ledger: Ledger) -> Iterator[tuple[str, Sandbox]]:
    sandbox = ledger.sandbox(Store())
    with Running(sandbox) as url:
        yield url, sandbox


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(parcels, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


def vouchers(journal: Journal, keys: list[str], account: str = "revenue") -> None:
    amount, zero = Decimal("113.00"), Decimal("0.00")
    with journal.writing() as tx:
        for key in keys:
            lines = [
                {"line_no": 1, "summary": "销售", "account": "bank", "debit": amount, "credit": zero},
                {"line_no": 2, "summary": "销售", "account": account, "debit": zero, "credit": amount},
            ]
            head = {"date": "2026-11-11", "period": "202611", "word": "记", "summary": "销售", "attachments": 1}
            body = {"key": key, **head, "debit": amount, "credit": amount, "lines": lines}
            documents.put(tx, journal, "voucher", body, (None, "test"))


def run(journal: Journal, ledger: Ledger, sink: Sink) -> Counter[str]:
    name = ledger.plugin.spec.conn_type
    mapping = load_mapping(MAPPINGS / name / "voucher.out.yaml")
    step = Deliver(name="d", connection=name, sink="voucher", entity="voucher", mapping=f"{name}/voucher.out")
    return Delivering(journal, "vouchers", step, sink, mapping, StaticLookup()).run()


def states(journal: Journal) -> Counter[str]:
    with journal.reading() as tx:
        return Counter(row.state for row in tx.execute(select(delivery.c.state)))


@pytest.mark.slow
def test_in_a_storm_every_voucher_is_written_once(
    ledger: Ledger, served: tuple[str, Sandbox], journal: Journal, tmp_path: Path
) -> None:
    url, sandbox = served
    keys = [f"sale:S01:{at}" for at in range(NUMBER)]
    vouchers(journal, keys)
    sink = ledger.sink(url, tmp_path / "tokens")
    requests.post(f"{url}/_admin/faults", data=codec.encode(STORM), timeout=5).raise_for_status()
    for _ in range(3):
        run(journal, ledger, sink)
    hit = {rule["kind"]: rule["fired"] for rule in requests.get(f"{url}/_admin/faults", timeout=5).json()}
    assert hit["lose_answer"] > 0 and hit["malformed"] > 0
    requests.post(f"{url}/_admin/faults", data=b"[]", timeout=5).raise_for_status()
    run(journal, ledger, sink)
    assert states(journal) == {"done": NUMBER}
    assert Counter(ledger.keys(held) for held in sandbox.store.all("voucher")) == dict.fromkeys(keys, 1)


def test_an_answer_lost_after_the_last_voucher_of_a_batch_is_settled_by_the_next_run(
    ledger: Ledger, served: tuple[str, Sandbox], journal: Journal, tmp_path: Path
) -> None:
    url, sandbox = served
    vouchers(journal, ["a"])
    first = ledger.sink(url, tmp_path / "tokens")
    lost = {"kind": "lose_answer", "count": 1, "writes": True}
    requests.post(f"{url}/_admin/faults", data=codec.encode([lost]), timeout=5).raise_for_status()
    counts = run(journal, ledger, first)
    assert (counts["unknown"], counts["confirmed"]) == (1, 1)
    run(journal, ledger, ledger.sink(url, tmp_path / "tokens"))
    assert states(journal) == {"done": 1}
    assert len(sandbox.store.all("voucher")) == 1


def test_a_refused_voucher_waits_for_a_person_and_stops_no_other(
    ledger: Ledger, served: tuple[str, Sandbox], journal: Journal, tmp_path: Path
) -> None:
    url, sandbox = served
    vouchers(journal, ["good"])
    vouchers(journal, ["needs a customer"], account="contract_liability")
    counts = run(journal, ledger, ledger.sink(url, tmp_path / "tokens"))
    assert (counts["delivered"], counts["waiting"]) == (1, 1)
    assert states(journal) == {"done": 1, "rejected": 1}
    assert [ledger.keys(held) for held in sandbox.store.all("voucher")] == ["good"]
