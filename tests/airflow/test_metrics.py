"""Duijie's figures leave through Airflow's own OpenTelemetry exporter and arrive at a collector."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk._shared.observability.metrics import otel_logger
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats
from opentelemetry.metrics import get_meter_provider
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from duijie.airflow.operators import StepOperator

pytestmark = pytest.mark.slow
FLOW = """
flow: watchdog
title: 值守
schedule: "*/5 * * * *"
steps:
  - {verb: watch, name: look, disk_percent: 101}
"""


class Collector:
    """An OTLP receiver: every metric's name → the attributes of its points."""

    def __init__(self) -> None:
        self.found: dict[str, list[dict[str, str]]] = {}

    def keep(self, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        for one in (m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics):
            points = (one.gauge if one.HasField("gauge") else one.sum).data_points
            said = [{a.key: a.value.string_value for a in point.attributes} for point in points]
            self.found.setdefault(one.name, []).extend(said)


@pytest.fixture
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.keep(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

        def exporter() -> Any:
            return otel_logger.get_otel_logger(host="127.0.0.1", port=server.server_port, conf_interval=200)

        stats.initialize(factory=exporter, export_legacy_names=False)
        yield kept
        get_meter_provider().shutdown()  # type: ignore[attr-defined]
        atexit.unregister(otel_logger.flush_otel_metrics)
        stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
        server.shutdown()


def test_a_run_counts_and_the_watchdog_shows_the_gauges(collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "watchdog.yaml").write_text(FLOW, encoding="utf-8")
    task = StepOperator(task_id="look", flow_file=str(tmp_path / "watchdog.yaml"), step="look")
    assert task.run_step()["findings"] >= 1
    end = time.monotonic() + 10
    while not {"airflow.duijie_records", "airflow.duijie_journal_bytes"} <= set(collector.found):
        assert time.monotonic() < end, sorted(collector.found)
        time.sleep(0.1)
    assert {"flow": "watchdog", "step": "look", "what": "findings"} in collector.found["airflow.duijie_records"]
    assert {"flow": "watchdog", "step": "look"} in collector.found["airflow.duijie_run_age_seconds"]
