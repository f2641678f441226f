"""诺诺 tells in the result that the drawer must log in, and then tries the same number again by reInvoice."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.connect.connection import Connection
from duijie.engine import Engine
from duijie.flow import Flow
from duijie.invoicing import attempts, halts
from duijie.journal import Journal
from duijie.journal.tables_invoicing import poll
from sandbox.nuonuo import NuonuoSandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.einvoice.scenes import STEPS, _acts, _flow

SINK = "nuonuo/invoice_request"


@pytest.mark.slow
def test_what_waited_for_the_drawer_is_issued_under_its_own_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    sandbox = NuonuoSandbox(Store())
    sandbox.seed({"issue_seconds": "0", "login": "login"})
    with Running(sandbox) as url:
        seller = {"tax_no": "339902999999789113", "clerk": "张三", "token_url": f"{url}/accessToken"}
        made = Connection("nuonuo", "nuonuo", url, "AK-demo-0001", "AS-demo-secret-0001", extra=seller)
        engine = Engine(Journal.open(f"sqlite:///{tmp_path / 'journal.db'}"), {"nuonuo": made}.__getitem__)
        flow: Flow = _flow(50)
        _acts(STEPS[:3], ())["orders"](engine.journal)
        for name in ("derive_requests", "request"):
            engine.run(flow, flow.step(name))
        numbers = [row["serial"] for row in sandbox.bureau.blues()]
        assert {row["cause"] for row in sandbox.bureau.blues()} == {"login"}
        _poll(engine, flow)
        assert [one.reason for one in halts.standing(engine.journal)] == ["login"]
        sandbox.bureau.settings({"login": "in"})
        halts.resume(engine.journal, "nuonuo", "张三")
        for _ in range(3):
            engine.run(flow, flow.step("request"))
            _poll(engine, flow)
        assert [row["serial"] for row in sandbox.bureau.blues()] == numbers, "no new number"
        assert {sandbox.bureau.status(row) for row in sandbox.bureau.blues()} == {"issued"}
        assert attempts.waiting(engine.journal, SINK) == halts.standing(engine.journal) == []


def _poll(engine: Engine, flow: Flow) -> None:
    """Have everything that was delivered asked for now, without waiting for its time."""
    engine.run(flow, flow.step("poll"))
    with engine.journal.writing() as tx:
        tx.execute(poll.update().values(due_at=engine.journal.now()))
    engine.run(flow, flow.step("poll"))
