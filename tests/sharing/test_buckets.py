"""A rate that all workers of a journal keep together: the bucket never gives one call too many in any window."""

from __future__ import annotations

import time
from multiprocessing import get_context

import limits
import pytest
from sqlalchemy import Connection as Transaction
from sqlalchemy.engine import Engine

from duijie.connect.budget import RateBudget
from duijie.journal import Journal
from duijie.sharing.buckets import SharedBucket

RATE, WORKERS, EACH = 40, 4, 25


class Noting(SharedBucket):
    """Notes the moments, by the clock that all share, at which it gave."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.gave: list[float] = []
        self._looked = 0.0

    def take(self, name: str, item: limits.RateLimitItem, number: int) -> float:
        wait = super().take(name, item, number)
        self.gave += [] if wait else [self._looked] * number
        return wait

    def _now(self, tx: Transaction) -> float:
        self._looked = super()._now(tx)
        return self._looked


def calling(url: str, home: str, number: int) -> list[float]:
    """A worker: the moments at which it was given its calls, by twos."""
    import os  # noqa: PLC0415

    os.environ["DUIJIE_HOME"] = home
    bucket = Noting.beside(Journal.open(url))
    budget = RateBudget("psi", f"{RATE}/second", bucket)
    for _ in range(number):
        budget.take()
    return bucket.gave


@pytest.mark.slow
def test_four_processes_keep_one_budget(kept: Journal, tmp_path: object) -> None:
    url = kept.engine.url.render_as_string(hide_password=False)
    with get_context("spawn").Pool(WORKERS) as pool:
        told = pool.starmap(calling, [(url, str(tmp_path), EACH)] * WORKERS)
    moments = sorted(moment for each in told for moment in each)
    assert len(moments) >= WORKERS * EACH
    assert all(after - first >= 1.0 for first, after in zip(moments, moments[RATE:], strict=False))


def test_a_full_window_says_when_it_holds_a_call_again(kept: Journal) -> None:
    bucket, item = SharedBucket.beside(kept), limits.parse("2/minute")
    assert [bucket.take("psi", item, 1), bucket.take("psi", item, 1)] == [0.0, 0.0]
    assert 59.0 < bucket.take("psi", item, 1) <= 60.1
    assert bucket.take("crm", item, 1) == 0.0


def test_what_is_out_of_the_window_counts_no_more(kept: Journal) -> None:
    bucket, item = SharedBucket.beside(kept), limits.parse("3/second")
    assert bucket.take("psi", item, 3) == 0.0
    wait = bucket.take("psi", item, 1)
    time.sleep(wait)
    assert bucket.take("psi", item, 3) == 0.0


def test_a_long_window_keeps_no_more_rows_than_slots(kept: Journal) -> None:
    bucket, item = SharedBucket.beside(kept), limits.parse("100000/day")
    assert [bucket.take("psi", item, 1) for _ in range(50)] == [0.0] * 50
    with bucket._engine.connect() as tx:
        assert tx.exec_driver_sql("SELECT count(*), sum(calls) FROM rate_slot").one() == (1, 50)
