"""/metrics for Prometheus: with the token that DUIJIE_METRICS_TOKEN names, or for whoever has logged in.

The figures are asked at most every few seconds, however often they are scraped.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from duijie.console.flows import readable
from duijie.console.site import Site
from duijie.watch.figures import HELP, Counting, Figure, figures

FRESH_SECONDS = 5.0


def router(site: Site) -> APIRouter:
    """/metrics."""
    routes = APIRouter()
    page = Page(site)

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(page.text(), media_type=CONTENT_TYPE_LATEST)

    return routes


class Page:
    """The text, made anew when it is older than a few seconds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._counting = Counting()
        self._made = float("-inf")
        self._text = b""

    def text(self) -> bytes:
        """In Prometheus' text format."""
        if time.monotonic() - self._made > FRESH_SECONDS:
            flows, _ = readable(self._site.root)
            found = [*figures(self._site.journal, flows), *self._counting.figures(self._site.journal)]
            registry = CollectorRegistry()
            registry.register(_Given(found))
            self._text, self._made = generate_latest(registry), time.monotonic()
        return self._text


class _Given(Collector):
    """Figures as prometheus_client collects them."""

    def __init__(self, found: Iterable[Figure]) -> None:
        self._found = list(found)

    def collect(self) -> Iterator[Metric]:
        """One family for each name."""
        for name in dict.fromkeys(one.name for one in self._found):
            mine = [one for one in self._found if one.name == name]
            labels = list(mine[0].labels)
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(name, HELP[name], labels=labels)
            for one in mine:
                family.add_metric([one.labels[label] for label in labels], one.value)
            yield family
