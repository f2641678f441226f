"""The console's benchmark on a small journal: every page that it times answers with what it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.console.__main__ import ROOT, _pages, _times
from benchmarks.console.world import World
from duijie.console.flows import readable
from duijie.journal import Journal, chain


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_CONSOLE_USERS", str(tmp_path / "users.json"))
    made = World(Journal.open(f"sqlite:///{tmp_path / 'journal.db'}"), 300)
    monkeypatch.setattr("benchmarks.console.world.RUN_DAYS", 1)
    made.fill(readable(ROOT)[0])
    return made


def test_every_page_that_is_timed_answers(world: World, tmp_path: Path) -> None:
    pages = _pages(world, refund=3, voucher=4)
    times = _times(tmp_path, pages, 1)
    assert times.keys() == pages.keys()


def test_what_it_asks_for_is_there(world: World) -> None:
    for number in (str(world.order_no(20)), world.invoice_no(20), world.key("sales_refund", 3), "k3-4"):
        assert chain.search(world.journal, number).count == 1, number
