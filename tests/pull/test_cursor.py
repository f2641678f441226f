"""Cursors lose nothing: whatever a source does within what the flow allows for, its records are held as they are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duijie.journal import Journal
from tests.pull.source import Edit, Source
from tests.pull.world import World, mapping_in

LONG = 3000  # tenths of a second in which things happen
PAGINGS = st.sampled_from([("after", False), ("total", False), ("total", True), ("blind", False), ("blind", True)])
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(QUICK, max_examples=600)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cursor")
        patch.setenv("DUIJIE_HOME", str(folder))
        return Journal.open(f"sqlite:///{folder / 'journal.db'}")


@st.composite
def edits(draw: st.DrawFn, slack: int) -> list[Edit]:
    """Saves at few moments, so that there are ties; how late each comes to light is at most `slack`."""
    moments = st.sampled_from(draw(st.lists(st.integers(0, LONG), min_size=1, max_size=6)))
    made = []
    for _ in range(draw(st.integers(1, 12))):
        delay = draw(st.sampled_from([0, 0, min(1, slack), slack // 2, slack]))
        back = draw(st.sampled_from([0, slack - delay, slack - delay, -300]))  # a stamp may lie ahead too
        part, key = draw(st.sampled_from(["S01", "S02"])), draw(st.sampled_from("abcd"))
        made.append(Edit(draw(moments), key, draw(st.sampled_from("xyz")), delay, back, part))
    return made


@dataclass
class Case:
    """A source, when it is pulled (tenths), and how."""

    source: Source
    times: list[int]
    overlap_minutes: int
    lag_seconds: int
    window_minutes: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Everything that a source does stays within overlap and lag, be they 0."""
    overlap, lag = draw(st.sampled_from([(0, 0), (0, 20), (1, 0), (1, 20)]))
    allowed = overlap * 600 + lag * 10
    tells = draw(st.booleans())
    skew = draw(st.sampled_from([0, 7, 2000, *([-7, -2000] if tells else [-min(7, allowed), -min(300, allowed)])]))
    slack = allowed if tells else allowed - max(0, -skew)
    paging, newest_first = draw(PAGINGS)
    source = Source(draw(edits(slack)), paging, newest_first, draw(st.integers(1, 3)), skew, tells)
    source.pace = draw(st.sampled_from([0, 1, 40, 300]))
    source.broken = draw(st.sets(st.integers(1, 40), max_size=4))
    near = st.tuples(st.sampled_from(source.edits), st.sampled_from([-300, -40, -5, 0, 1, 15, 300]))
    times = sorted(max(edit.at + apart, 0) for edit, apart in draw(st.lists(near, min_size=1, max_size=6)))
    return Case(source, times, overlap, lag, draw(st.sampled_from([1, 3, 1440])))


def holds(kept: Journal, folder: Path, case: Case) -> None:
    """Pull while things happen, then twice in quiet: held is what the source shows, and no version is there twice."""
    limits = {name: getattr(case, name) for name in ("overlap_minutes", "lag_seconds", "window_minutes")}
    world = World(kept, mapping_in(folder), case.source, **limits)
    for at in case.times:
        world.try_pull(at)
    source = case.source
    source.broken, source.pace = set(), 0
    quiet = max(edit.at + max(edit.delay, -edit.back) for edit in source.edits) + abs(source.skew) + 20
    quiet += case.lag_seconds * 10
    assert [world.try_pull(max(quiet, source.clock + 1)), world.try_pull(source.clock + 1)] == ["", ""]
    assert world.held() == world.expected()
    for hashes in world.versions().values():
        assert all(one != two for one, two in pairwise(hashes))


@pytest.fixture(scope="module")
def mapping_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mapping")


@QUICK
@given(case=cases())
def test_nothing_is_lost_nor_doubled(kept: Journal, mapping_folder: Path, case: Case) -> None:
    holds(kept, mapping_folder, case)


@pytest.mark.long
@pytest.mark.slow
@THOROUGH
@given(case=cases())
def test_nothing_is_lost_nor_doubled_in_many_more_cases(kept: Journal, mapping_folder: Path, case: Case) -> None:
    holds(kept, mapping_folder, case)
