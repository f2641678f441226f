"""A short form of the proof: a few points, a small storm, every mutant. `make einvoice-proof` runs the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.einvoice.crashes import Files, caught, crashes, crashes_in_fetching, whole
from tests.einvoice.mutants import MUTANTS
from tests.einvoice.scenes import files
from tests.einvoice.storm import storm
from tests.faults.crash import Result

pytestmark = pytest.mark.slow

EVERY = 40
ORDERS = 60


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))


def test_orders_are_issued_once_each_though_everything_goes_wrong_once(tmp_path: Path) -> None:
    found = whole(tmp_path)
    assert found.broken == []
    assert (found.requests, found.issued_exactly_once) == (5, 5)


def test_a_kill_anywhere_leaves_the_bureau_and_the_journal_as_without_it(tmp_path: Path) -> None:
    run, broken = crashes(tmp_path, slice(None, None, EVERY))
    assert broken == []
    assert run >= 5


def test_a_kill_anywhere_in_the_fetching_leaves_one_original_of_each_kind(tmp_path: Path) -> None:
    run, broken = crashes_in_fetching(tmp_path, slice(None, None, EVERY // 2))
    assert broken == []
    assert run >= 5


def test_a_file_that_is_lost_spoilt_or_of_nobody_is_noticed(tmp_path: Path) -> None:
    with Files(files(), tmp_path).serving() as stage:
        stage.rehearse()
        order = stage.fresh()
        stage.settled(order, Result(stage.scene.name, ""))
        assert stage.misfiled(order) == []
        archive = Path(order.home) / "originals"
        first, second, *_ = sorted(path for path in archive.rglob("*") if path.is_file())
        first.rename(first.with_name("0.pdf"))
        second.chmod(0o600)
        second.write_bytes(b"other")
        assert len(stage.misfiled(order)) == 3


def test_a_storm_with_killed_workers_and_a_line_that_ends_issues_each_exactly_once(tmp_path: Path) -> None:
    found = storm(ORDERS, tmp_path, kills=3)
    assert found.broken == []
    assert (found.issued_exactly_once, found.doubled, found.lost, found.red_over_blue) == (ORDERS, 0, 0, 0)


@pytest.mark.long
def test_every_broken_promise_is_noticed(tmp_path: Path) -> None:
    found = caught(tmp_path, tuple(MUTANTS))
    assert len(found) >= 5
    assert [name for name, differences in found.items() if not differences] == []
