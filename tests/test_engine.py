"""The engine: whatever goes wrong is written down once, and stops nothing but its own flow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from duijie.connect import line
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, Disabled, MappingError, UnmappedCode
from duijie.engine import ROOT, Engine
from duijie.flow import Flow, load_flow, load_flows
from duijie.journal import Journal, documents, inbox, lines, work
from duijie.journal.inbox import Source
from duijie.journal.tables import alert, incident, message, run, work_item
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.xingchen import XingchenSandbox

SECRET = "0123456789abcdef0123456789abcdef"
FLOW = """
flow: products
title: 商品
steps:
  - {verb: pull, name: pull, connection: psi, stream: material, mapping: xingchen/product.in,
     since: 2026-01-01T00:00:00+08:00, window_minutes: 1051200}
"""
MATERIALS = [{"number": f"A{n}", "name": f"商品{n}", "unit": "件", "tax_rate": 13} for n in range(5)]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    path = tmp_path / "products.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return load_flow(path)


@pytest.fixture
def sandbox() -> XingchenSandbox:
    made = XingchenSandbox(Store())
    made.seed({"materials": MATERIALS, "limits": {"per_minute": 500, "tokens_per_minute": 20}})
    return made


@pytest.fixture
def psi(sandbox: XingchenSandbox) -> Iterator[Connection]:
    with Running(sandbox) as url:
        yield Connection("psi", "xingchen", url, "205022", SECRET, extra={"outer_instance_id": "demo-instance"})


def engine(kept: Journal, connection: Connection, root: Path = ROOT) -> Engine:
    return Engine(kept, {"psi": connection}.__getitem__, root)


def test_a_step_leaves_its_counts_and_its_documents(kept: Journal, flow: Flow, psi: Connection) -> None:
    counts = engine(kept, psi).run(flow, flow.step("pull"))
    assert (counts["read"], counts["new_documents"]) == (5, 5)
    found = documents.get(kept, "product", "A1")
    assert found is not None
    assert str(found.body["tax_rate"]) == "0.13"
    with kept.reading() as tx:
        [row] = tx.execute(select(run)).all()
    assert row.ended_at is not None
    assert '"new_documents":5' in row.counts


def test_what_healed_is_kept_as_an_incident(
    kept: Journal, flow: Flow, psi: Connection, sandbox: XingchenSandbox
) -> None:
    sandbox.faults = [Fault("status", match="bd/material", count=2, status=429, headers={"Retry-After": "0"})]
    engine(kept, psi).run(flow, flow.step("pull"))
    with kept.reading() as tx:
        assert [row.kind for row in tx.execute(select(incident))] == ["RateLimited", "RateLimited"]


def test_a_wrong_credential_is_refused_three_times_then_the_connection_is_disabled_with_one_alert(
    kept: Journal, flow: Flow, psi: Connection, sandbox: XingchenSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "STRIKE_RESTS", (0.01, 0.02))
    wrong = Connection(
        "psi", "xingchen", psi.host, "205022", "f" * 32, extra={**psi.extra, "token_rate": "1000/second"}
    )
    for _ in range(3):
        with pytest.raises(Disabled):
            engine(kept, wrong).run(flow, flow.step("pull"))
    with kept.reading() as tx:
        [item] = tx.execute(select(work_item)).all()
        alerts = tx.execute(select(alert)).all()
        assert [row.kind for row in tx.execute(select(incident))] == ["CredentialError"] * 3
    assert (item.kind, item.subject, item.owner) == ("credential", "psi", "运维")
    assert len(alerts) == 1
    assert "client_secret" in item.reason
    assert lines.enable(kept, "psi", "李四")
    assert engine(kept, psi).run(flow, flow.step("pull"))["new_documents"] == 5
    with kept.reading() as tx:
        assert tx.execute(select(work_item.c.state, work_item.c.closed_by)).all() == [("closed", "李四")]


def test_a_wrong_mapping_stops_its_flow_alone_and_names_the_place(
    kept: Journal, flow: Flow, psi: Connection, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(ROOT / "mappings", root / "mappings")
    path = root / "mappings" / "xingchen" / "product.in.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("name: name", "name: nosuch(name)"), encoding="utf-8")
    with pytest.raises(MappingError, match=r"product\.in\.yaml:\d+:\d+"):
        engine(kept, psi, root).run(flow, flow.step("pull"))
    with kept.reading() as tx:
        [item] = tx.execute(select(work_item)).all()
    assert item.kind == "config"
    assert engine(kept, psi).run(flow, flow.step("pull"))["new_documents"] == 5
    with kept.reading() as tx:
        assert tx.execute(select(work_item.c.state)).all() == [("closed",)]


def test_an_unknown_stream_names_those_there_are(kept: Journal, tmp_path: Path, psi: Connection) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(FLOW.replace("stream: material", "stream: materials"), encoding="utf-8")
    wrong = load_flow(path)
    with pytest.raises(ConfigError, match="material, inventory, sal_order"):
        engine(kept, psi).run(wrong, wrong.step("pull"))


def test_what_waited_for_a_product_goes_when_it_arrives_even_while_another_flow_file_is_wrong(
    kept: Journal, flow: Flow, psi: Connection, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.copytree(ROOT / "mappings", root / "mappings")
    (root / "dags" / "flows").mkdir(parents=True)
    (root / "dags" / "flows" / "wrong.yaml").write_text("flow: wrong", encoding="utf-8")
    inbox.store(kept, Source("psi", "material"), "number", [{"number": "X1"}])
    with kept.writing() as tx:
        inbox.settle(tx, [1], "blocked", "m", "档案缺失")
        finding = work.finding_for(UnmappedCode("product", "A1", what="document"), "")
        work.open_item(tx, kept, "products", finding, [("product", "X1", 0)])
        missing = work.finding_for(UnmappedCode("product", "A9", what="document"), "")
        work.open_item(tx, kept, "products", missing, [("product", "X2", 0)])
    engine(kept, psi, root).run(flow, flow.step("pull"))
    with kept.reading() as tx:
        state = tx.execute(select(message.c.state).where(message.c.key == "X1")).scalar_one()
        notes = list(tx.execute(select(work_item.c.resolution).order_by(work_item.c.id)).scalars())
    assert state == "new"
    assert notes == ["duijie 档案已到, 放行 报文 1, 等待流程下次运行", ""]


class TestFlowFiles:
    def test_the_shipped_flows_are_read_and_their_mappings_exist(self) -> None:
        flows = load_flows(ROOT / "dags" / "flows")
        named = [step.mapping for flow in flows.values() for step in flow.steps if hasattr(step, "mapping")]
        business = {"orders", "stock", "vouchers", "invoices", "invoice_files", "red_invoices", "crm"}
        business |= {"reconcile", "billing"}
        assert business | {"alerts", "watchdog", "drift"} == set(flows)
        assert all((ROOT / "mappings" / f"{name}.yaml").exists() for name in named)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (("stream: material", "strem: material"), r"steps\[0\]"),
            (("verb: pull", "verb: pul"), "pul"),
            (("title: 商品", ""), "title"),
            (("name: pull", "name: 1"), r"line 5 steps\[0\].name must be text"),
        ],
    )
    def test_a_mistake_names_the_file_and_the_place(self, tmp_path: Path, change: tuple[str, str], words: str) -> None:
        path = tmp_path / "wrong.yaml"
        path.write_text(FLOW.replace(*change), encoding="utf-8")
        with pytest.raises(ConfigError, match=rf"wrong\.yaml.*{words}"):
            load_flow(path)
