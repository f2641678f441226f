"""/metrics: for Prometheus with its token, for people with a login, for nobody else."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from duijie.journal import Journal
from tests.journal.stages import SINK, brought

TOKEN = "ein-langes-geheimnis-zum-lesen"


def test_it_is_prometheus_text_that_its_own_parser_reads(ops: TestClient, kept: Journal) -> None:
    brought(kept, "x", "unknown")
    answer = ops.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {one.name: one for one in text_string_to_metric_families(answer.text)}
    states = {tuple(sorted(s.labels.items())): s.value for s in families["duijie_deliveries"].samples}
    assert states[("flow", "orders"), ("sink", SINK), ("state", "unknown")] == 1
    assert families["duijie_work_item_fen"].samples[0].value == 36001


def test_the_token_lets_a_scraper_in(anybody: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUIJIE_METRICS_TOKEN", TOKEN)
    assert anybody.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert anybody.get("/", headers={"Authorization": f"Bearer {TOKEN}"}, follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    ("token", "given"),
    [(TOKEN, "Bearer x"), (TOKEN, ""), ("", "Bearer "), ("kurz", "Bearer kurz"), (TOKEN, "Bearer 锁")],
)
def test_without_it_nobody_scrapes(
    anybody: TestClient, monkeypatch: pytest.MonkeyPatch, token: str, given: str
) -> None:
    monkeypatch.setenv("DUIJIE_METRICS_TOKEN", token)
    headers = {"Authorization": given.encode()} if given else {}
    assert anybody.get("/metrics", headers=headers, follow_redirects=False).status_code == 303


def test_scraping_often_asks_the_journal_once(ops: TestClient, kept: Journal) -> None:
    first = ops.get("/metrics").text
    brought(kept, "x", "unknown")
    assert ops.get("/metrics").text == first
