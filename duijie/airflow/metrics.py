"""Duijie's figures through Airflow's own exporter: OpenTelemetry or StatsD, whichever `[metrics]` turns on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow.sdk.observability import stats

from duijie.watch.figures import Figure


def count_run(flow: str, step: str, counts: Mapping[str, int]) -> None:
    """What one run of a step did: `duijie_records`, by flow, step and what."""
    for what, number in counts.items():
        if number:
            stats.incr("duijie_records", number, tags={"flow": flow, "step": step, "what": what})


def show(figures: Iterable[Figure]) -> None:
    """Gauges, under the names that /metrics has."""
    for one in figures:
        stats.gauge(one.name, one.value, tags=dict(one.labels))
