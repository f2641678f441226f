"""A seller, his journal and the 诺诺 sandbox on a socket, with one clock that tests put forward."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.engine import Engine
from duijie.flow import Derive, Poll, Step, load_flows
from duijie.journal import Journal, deliveries, documents, planning, reversals
from duijie.journal.tables import work_item
from sandbox.nuonuo import NuonuoSandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.derive.test_invoices import COMPANY, line, order

SELLER = "339902999999789113"
FLOWS = load_flows(Path("dags/flows"))
ORDER = "taobao:S01:7"


class Clock:
    """The machine's time, and as much more as a test says."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)


class Tokens(TokenStore):
    """Keeps tokens by that clock."""

    clock = Clock()

    def _keep(self, conn_id: str, token: Any) -> None:
        ahead = self.clock.ahead.total_seconds()
        super()._keep(conn_id, type(token)(token.value, token.expires_at - ahead, token.extra))


class World:
    """What a test sees and does."""

    def __init__(self, journal: Journal, sandbox: NuonuoSandbox, engine: Engine, clock: Clock) -> None:
        self.journal, self.sandbox, self.engine, self.clock = journal, sandbox, engine, clock

    def run(self, *flows: str) -> None:
        """Every step of the shipped flows in their order; orders need not have gone to a PSI system first."""
        for name in flows:
            flow = FLOWS[name]
            for step in flow.steps:
                self.engine.run(flow, _at_once(step))

    def put(self, entity: str, body: Record) -> None:
        with self.journal.writing() as tx:
            documents.put(tx, self.journal, entity, body, (None, "test"))

    def sold(self, *lines: Record, **more: Any) -> Record:
        """An order that wishes for an invoice, and its issued blue invoice."""
        made = order(*(lines or (line(1, Decimal("113.00"), qty=2),)), status="finished", business_date="2026-11-29")
        self.put("sales_order", {**made, "invoice_wish": COMPANY, **more})
        self.run("invoices")
        return self.blue()

    def refund(self, amount: str, number: int = 1, place: int = 1, **more: Any) -> None:
        head = {"key": f"taobao:S01:R{number}", "order_key": ORDER, "kind": "goods_and_money", "status": "success"}
        named = {
            "oid": f"o{place}",
            "sku": f"A{place}",
            "qty": 1,
            "amount": Decimal(amount),
            "business_date": "2026-11-29",
        }
        self.put("sales_refund", {**head, **named, **more})

    def plan(self, entity: str) -> None:
        """Have everything of an entity wait for the platform, and send none of it."""
        sink = f"nuonuo/{entity}"
        fresh = planning.unplanned(self.journal, entity, sink)
        planning.plan(self.journal, "test", sink, [(one, 0) for one in fresh])

    def give_up(self, key: str) -> None:
        """A person cancels what waits under a number."""
        with self.journal.reading() as tx:
            rows = [row.id for row in reversals.rows(tx, self.journal, "red_request", key)]
        deliveries.cancel(self.journal, rows, "王会计", "不再红冲")

    def blue(self) -> Record:
        """The newest blue invoice."""
        return [one for one in self.all("invoice") if one["colour"] == "blue"][-1]

    def reds(self) -> list[Record]:
        """What the platform says of our reds, oldest first."""
        return [one for one in self.all("invoice") if one["colour"] == "red"]

    def all(self, entity: str) -> list[Record]:
        return [one.body for one in documents.current(self.journal, entity)]

    def items(self, kind: str = "", state: str = "open") -> list[str]:
        """Reasons of work items."""
        query = select(work_item.c.reason).where(work_item.c.state == state).order_by(work_item.c.id)
        with self.journal.reading() as tx:
            return list(tx.execute(query.where(work_item.c.kind == kind) if kind else query).scalars())

    def forms(self, **by: str) -> list[Record]:
        return self.sandbox.bureau.forms(**by)


def _at_once(step: Step) -> Step:
    """The shipped step without the pauses between two polls."""
    if isinstance(step, Derive):
        return msgspec.structs.replace(step, delivered_to="")
    return msgspec.structs.replace(step, every_seconds=0) if isinstance(step, Poll) else step


@contextmanager
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world, with invoices that are issued at once."""
    clock = Clock()
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(Journal, "now", staticmethod(clock))
    monkeypatch.setattr(Tokens, "clock", clock)
    sandbox = NuonuoSandbox(Store(), clock)
    sandbox.seed({"app_key": "AK", "app_secret": "AS-secret", "tax_no": SELLER, "issue_seconds": 0})
    with Running(sandbox) as url:
        extra = {"tax_no": SELLER, "clerk": "张三", "token_url": f"{url}/accessToken", "rate": "10000/second"}
        there = Connection("nuonuo", "nuonuo", url, "AK", "AS-secret", extra=extra)
        journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
        engine = Engine(journal, lambda _: there)
        seconds = lambda: time.time() + clock.ahead.total_seconds()  # noqa: E731
        engine.__dict__["services"] = Services(Tokens(tmp_path / "tokens"), clock=seconds)
        yield World(journal, sandbox, engine, clock)


__all__ = ["ORDER", "SELLER", "World", "opened"]
