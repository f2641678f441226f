"""Kill -9 at a commit or a call, restart: the target holds each document exactly once and the journal agrees.

Here a few points of each scene; `make faults` runs every one of them. And the proof itself is proven: with one promise
taken out of the product, the same points find doubles.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy

from tests.faults import judge
from tests.faults.child import KILLED
from tests.faults.crash import Stage, crash_at, recorded
from tests.faults.mutants import MUTANTS
from tests.faults.points import Point
from tests.faults.scenes import SCENES
from tests.servers import Postgres

POINTS = 3
COMMITS = 4  # the locks of PostgreSQL, the tables, what comes after them
FEW = 6

pytestmark = pytest.mark.slow


def spread(points: list[Point], number: int) -> list[Point]:
    """So many of them, from the first to the last."""
    return points[:: max(len(points) // number, 1)]


@pytest.mark.parametrize("name", SCENES)
def test_a_kill_anywhere_loses_nothing_and_doubles_nothing(name: str, tmp_path: Path) -> None:
    with Stage(SCENES[name], tmp_path).serving() as stage:
        reached, expected = recorded(stage)
        results = [crash_at(stage, point, "", expected) for point in spread(sorted(dict(reached)), POINTS)]
    assert [one.broken for one in results if one.broken] == []
    assert sum(one.run for one in results) == len(results) >= POINTS


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["lookup/k3cloud", "token/strict"])
def test_the_same_on_postgresql(name: str, tmp_path: Path, postgres_server: Postgres) -> None:
    with Stage(SCENES[name], tmp_path, postgres_server.uri("").rstrip("/")).serving() as stage:
        reached, expected = recorded(stage)
        results = [crash_at(stage, point, "", expected) for point in spread(sorted(dict(reached)), POINTS)]
    assert [one.broken for one in results if one.broken] == []


def test_the_points_are_every_commit_and_every_call(tmp_path: Path) -> None:
    with Stage(SCENES["lookup/strict"], tmp_path).serving() as stage:
        reached, _ = recorded(stage)
    number = Counter(point.where for point, _ in reached)
    assert number["commit before"] == number["commit after"]
    assert number["call before"] == number["call in"] == number["call after"]
    assert {"deliver._send", "deliveries.claim", "inbox.keep", "inbox.advance", "engine._succeeded"} <= {
        what for _, what in reached
    }


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_its_promises_the_product_is_caught(mutant: str, tmp_path: Path) -> None:
    with Stage(SCENES["lookup/strict"], tmp_path).serving() as stage:
        reached, expected = recorded(stage)
        writes = [point for point, what in reached if what == "POST /lookup/documents" and point.where != "call after"]
        stage.mutant = mutant
        results = [crash_at(stage, point, "", expected) for point in writes[:FEW]]
    assert (sum(one.lost for one in results) > 0) == (mutant == "what was sent is taken for done")
    assert (sum(one.doubled for one in results) > 0) == (mutant != "what was sent is taken for done")


@pytest.mark.parametrize("where", ["commit before", "commit after"])
@pytest.mark.parametrize("place", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_kill_while_the_journal_is_made_leaves_it_old_or_new(
    place: str, where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Stage(SCENES["token/strict"], tmp_path).serving() as stage:
        order = stage.fresh()
        url = request.getfixturevalue("postgres_database") if place == "postgresql" else f"sqlite:///{tmp_path}/new.db"
        order = replace(order, journal=url)
        engine = judge.reading(url)
        for nth in range(1, COMMITS + 1):
            assert stage.play(replace(order, fatal=[where, nth])) == KILLED
            there = set(sqlalchemy.inspect(engine).get_table_names())
            assert not there or {"delivery", "duijie_version"} <= there
        assert stage.play(order) == 0
        assert judge.restless(engine) == 0
        engine.dispose()
