"""A fifth of all calls go wrong, in every way that a network knows: each document is in the target exactly once.

Here a few hundred documents; `make faults` sends 10,000.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.network import RATE, through
from tests.faults.proxy import FAULTS, Proxy, whole
from tests.servers import Postgres

DOCUMENTS = 250


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_on_sqlite(tmp_path: Path) -> None:
    told = through("lookup", DOCUMENTS, 7, tmp_path)
    assert told.is_kept, told
    assert told.injected.total() > DOCUMENTS * RATE / 2


@pytest.mark.slow
@pytest.mark.postgres
def test_nothing_is_lost_or_doubled_on_postgresql(tmp_path: Path, postgres_server: Postgres) -> None:
    told = through("natural_key", DOCUMENTS, 8, tmp_path, postgres_server.uri("").rstrip("/"))
    assert told.is_kept, told
    assert set(told.injected) == {fault.__name__ for fault in FAULTS}, "every fault was met"


@pytest.mark.slow
@pytest.mark.long
def test_a_blind_retry_of_writes_is_caught(tmp_path: Path) -> None:
    assert through("lookup", 60, 7, tmp_path, mutant="a blind retry of writes").doubled > 0


def test_a_seed_gives_the_same_day_again() -> None:
    def day(seed: int) -> list[str]:
        proxy = Proxy("http://127.0.0.1:1", seed, RATE)
        said = [f"POST /token/documents HTTP/1.1\r\n\r\n{number % 90}".encode() for number in range(300)]
        return [proxy._fault(raw).__name__ for raw in said]

    assert day(1) == day(1) != day(2)
    assert 30 < sum(name != whole.__name__ for name in day(1)) < 90
