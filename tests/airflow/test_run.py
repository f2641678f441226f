"""Flows run by Airflow itself: a poll that waits in the triggerer, an error that stops, one that says where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.sdk import DAG
from sqlalchemy import select

from duijie.airflow.factory import build_dags
from duijie.connect import registry
from duijie.journal import Journal, deliveries, documents, planning
from duijie.journal.deliveries import Change
from duijie.journal.tables import alert, run, work_item

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("airflow_db")]

CONNECTOR = '''
"""A third party's package: one stream that says "issuing" until it has been asked often enough."""
from pathlib import Path
from duijie.connect.protocol import Page, Plugin, Spec

class Stream:
    name, entity, key = "invoice", "invoice", "no"
    def __init__(self, folder): self.asked = Path(folder) / "asked"
    def partitions(self): return [""]
    def read(self, window):
        with self.asked.open("a") as out: out.write("x")
        status = "issued" if len(self.asked.read_text()) > 1 else "issuing"
        yield Page([{"no": key, "status": status} for key in window.keys])

class Tiny:
    sinks = {}
    def __init__(self, connection, services): self.streams = {"invoice": Stream(connection.extra["folder"])}
    def check(self): return []

CONNECTOR = Plugin(Spec("tiny", "Tiny", "", (), "100/second", "1", ""), Tiny)
'''
MAPPING = """
mapping: tiny/invoice.in
from: {system: tiny, stream: invoice}
to: {entity: invoice}
version: 1
fields:
  key: no
  request_no: no
  colour: '"blue"'
  status: status
  net: money("1.00")
  tax: money("0.13")
  gross: money("1.13")
"""
POLL = """
flow: poll_{tag}
title: 查询发票
steps:
  - {{verb: poll, name: ask, connection: tiny, stream: invoice, mapping: {mapping}, sink: tiny/request, entity: invoice,
     every_seconds: 1}}
"""
NOWHERE = """
flow: nowhere
title: 没有连接
steps:
  - {verb: pull, name: read, connection: no_such_system, stream: x, mapping: taobao/listing.in,
     since: 2026-01-01T00:00:00+08:00}
"""


def _forget_connectors() -> None:
    """What is installed is looked up once per process; these tests install one more."""
    registry._entries.cache_clear()
    registry.plugin.cache_clear()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A connector installed from outside the tree, one delivered request that waits for its invoice."""
    package = tmp_path / "site"
    (package / "tiny-1.0.dist-info").mkdir(parents=True)
    (package / "tiny_connector.py").write_text(CONNECTOR)
    (package / "tiny-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    entry = "[duijie.connectors]\ntiny = tiny_connector:CONNECTOR\n"
    (package / "tiny-1.0.dist-info" / "entry_points.txt").write_text(entry)
    (tmp_path / "invoice.in.yaml").write_text(MAPPING)
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.setenv("AIRFLOW_CONN_TINY", f'{{"conn_type": "tiny", "extra": {{"folder": "{tmp_path}"}}}}')
    _forget_connectors()
    journal = Journal.open()
    with journal.writing() as tx:
        documents.put(tx, journal, "invoice_request", {"key": "r1", "gross": Decimal("1.13")}, (None, "t@1"))
    planning.plan(journal, "f", "tiny/request", [(one, 113) for one in documents.current(journal, "invoice_request")])
    row = deliveries.claim(journal, "tiny/request", ("pending",), 1)[0]
    deliveries.settle(journal, "claimed", {row.claim: Change("sent", target_key="r1")})
    deliveries.settle(journal, "sent", {row.claim: Change("done", target_key="r1")})
    yield tmp_path
    _forget_connectors()
    sys.modules.pop("tiny_connector", None)


def flow_dag(text: str, folder: Path) -> DAG:
    """The DAG of one flow file, made known to Airflow as its DAG processor would."""
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "flows" / "one.yaml").write_text(text, encoding="utf-8")
    DagBundlesManager().sync_bundles_to_db()
    (dag,) = build_dags(folder / "flows")
    bag = DagBag(folder / "none", bundle_name="dags-folder")
    bag.dags[dag.dag_id] = dag
    dag.fileloc = str(folder / "flows" / "one.yaml")
    sync_bag_to_db(bag, "dags-folder", None)
    return dag


def test_a_poll_waits_for_what_is_outstanding_and_then_goes_on(tiny: Path) -> None:
    mapping = str(tiny / "invoice.in").removesuffix(".yaml")
    dag = flow_dag(POLL.format(mapping=mapping, tag="waits"), tiny)
    assert dag.test().state == "success"
    assert (tiny / "asked").read_text() == "xx", "asked twice: once before the wait, once after"
    (invoice,) = documents.current(Journal.open(), "invoice")
    assert (invoice.body["status"], invoice.body["gross"]) == ("issued", Decimal("1.13"))


def test_a_poll_past_its_deadline_fails_with_an_alert(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = str(tiny / "invoice.in").removesuffix(".yaml")
    dag = flow_dag(POLL.format(mapping=mapping, tag="late"), tiny)
    dag.get_task("ask").limit = timedelta(0)
    assert dag.test().state == "failed"
    journal = Journal.open()
    with journal.reading() as tx:
        (title,) = tx.execute(select(alert.c.title)).scalars()
    assert "仍有 1 条没有结果" in title


def test_a_terminal_error_stops_at_once_and_is_in_the_journal(tmp_path: Path) -> None:
    dag = flow_dag(NOWHERE, tmp_path)
    assert dag.test().state == "failed"
    journal = Journal.open()
    with journal.reading() as tx:
        assert len(tx.execute(select(run.c.id)).all()) == 1, "no retry"
        assert "no_such_system" in str(tx.execute(select(work_item.c.reason)).scalar_one())
        assert len(tx.execute(select(alert.c.id)).all()) == 1, "one alert: the notifier adds none"
