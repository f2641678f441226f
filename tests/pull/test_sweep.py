"""Sweeping: what a source deleted or un-audited without a trace becomes void, once, and lives again when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from duijie.codec import Record, decode
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Traits
from duijie.flow import Flow, withdrawn
from duijie.journal import Journal, sweeps
from duijie.journal.tables import document, message, work_item
from duijie.journal.tables_sweep import missed
from duijie.journal.tombstones import GONE
from duijie.mapping import StaticLookup, load_mapping
from duijie.provenance.explaining import Explainer
from duijie.pull import Refinery, pull
from duijie.pull.reading import Counts
from duijie.pull.sweep import must_sweep
from duijie.replay.again import Asked, Replay
from duijie.replay.choose import Wanted
from duijie.replay.routes import Route
from tests.pull.source import Edit, Source
from tests.pull.world import World

MAPPING = """
mapping: shop/refund.in
from: {system: shop, stream: refund}
to: {entity: sales_refund}
version: 1
fields:
  key: join(":", settings.shop, settings.partition, id)
  platform: '"shop"'
  shop: settings.partition
  refund_no: id
  order_key: id
  order_no: text
  approval: 'table("approval", text)'
  status: '"success"'
  kind: '"money_only"'
  phase: '"after_completion"'
  business_date: '"2026-11-11"'
  modified_at: modified
  oid: id
  sku: id
  qty: 1
  amount: 1.00
  tax_rate: 0.13
  net: 0.88
  tax: 0.12
tables:
  approval: {u: draft, x: approved, y: approved, z: approved}
"""
MINUTE = 600  # tenths of a second
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LATER = 11 * MINUTE
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(QUICK, max_examples=200)


class Swept(World):
    """A connection whose documents can be withdrawn."""

    def __init__(self, kept: Journal, root: Path, source: Source, **more: object) -> None:
        path = root / "mappings/shop/refund.in.yaml"
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.write_text(MAPPING, encoding="utf-8")
        source.entity, source.name = "sales_refund", "refund"
        super().__init__(kept, load_mapping(path), source, **{"stream": "refund", "sweep_days": 30, **more})
        self.step = msgspec.structs.replace(self.step, mapping="shop/refund.in")

    def pull(self) -> Counts:
        """One pull, now."""
        refinery = Refinery(self.kept, "flow", "sales_refund", self.mapping, StaticLookup({}, {}))
        return pull(self.kept, self.step, self.source, refinery, Counts)

    def live(self) -> dict[tuple[str, str], str]:
        """(partition, id) → text of the current documents that count."""
        return {
            (part, body["refund_no"]): body["order_no"]
            for part, body in self._bodies(document.c.current)
            if not withdrawn(body)
        }

    def all_versions(self) -> dict[tuple[str, str], list[Record]]:
        found: dict[tuple[str, str], list[Record]] = {}
        query = select(message.c.part, message.c.key, document.c.body)
        query = query.join(message, message.c.id == document.c.message_id).order_by(document.c.version)
        with self.kept.reading() as tx:
            for row in tx.execute(query.where(message.c.connection == self.connection)):
                found.setdefault((row.part, row.key), []).append(decode(row.body))
        return found

    def items(self) -> list[tuple[str, str, str]]:
        query = select(work_item.c.kind, work_item.c.state, work_item.c.reason)
        query = query.where(work_item.c.subject.startswith(self.connection)).order_by(work_item.c.id)
        with self.kept.reading() as tx:
            return [tuple(row) for row in tx.execute(query)]  # type: ignore[misc]

    def missed(self) -> set[str]:
        with self.kept.reading() as tx:
            return set(tx.execute(select(missed.c.key).where(missed.c.connection == self.connection)).scalars())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("sweep")
        patch.setenv("DUIJIE_HOME", str(folder))
        yield Journal.open(f"sqlite:///{folder / 'journal.db'}")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


def saved(*keys: str, at: int = 0, text: str = "x", part: str = "S01") -> list[Edit]:
    return [Edit(at, key, text, part=part) for key in keys]


def gone(*keys: str, at: int, part: str = "S01") -> list[Edit]:
    return [Edit(at, key, "", part=part, deletes=True) for key in keys]


def swept(kept: Journal, root: Path, edits: list[Edit], **more: object) -> Swept:
    return Swept(kept, root, Source(edits, pace=0, size=50), **more)


def passes(world: Swept, start: int, days: int = 1) -> list[str]:
    """Two pulls a day, far enough apart for a second asking; what each said."""
    times = [start + day * (DAY + HOUR) + later for day in range(days) for later in (0, LATER)]
    return [world.try_pull(at) for at in times]


class TestADeletedRecord:
    def test_is_void_when_it_was_missed_twice_and_not_before(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [*saved("a", "b"), *gone("a", at=2 * HOUR)])
        world.try_pull(MINUTE)
        world.try_pull(DAY + HOUR)
        assert world.live() == {("S01", "a"): "x", ("S01", "b"): "x"}
        world.try_pull(DAY + HOUR + 5 * MINUTE)
        assert ("S01", "a") in world.live(), "the second asking comes some minutes later"
        assert world.try_pull(DAY + HOUR + LATER) == ""
        assert world.live() == {("S01", "b"): "x"}
        versions = world.all_versions()["S01", "a"]
        assert [one["approval"] for one in versions] == ["approved", "void"]
        assert {**versions[1], "approval": "approved"} == versions[0]

    def test_its_message_says_since_when_it_is_gone(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [*saved("a"), *gone("a", at=2 * HOUR)])
        assert [world.try_pull(MINUTE), *passes(world, DAY + HOUR)] == ["", "", ""]
        query = select(message.c.body).where(message.c.connection == world.connection).order_by(message.c.id.desc())
        with kept.reading() as tx:
            raw = decode(tx.execute(query).scalars().first())  # type: ignore[arg-type]
        assert raw["id"] == "a"
        assert raw[GONE]["first_missed_at"] == "2026-11-12 09:00:00"
        assert raw[GONE]["at"] == "2026-11-12 09:11:00"
        assert "来源已不显示此记录" in raw[GONE]["says"]

    def test_is_told_once(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [*saved("a"), *gone("a", at=2 * HOUR)])
        assert {world.try_pull(MINUTE), *passes(world, DAY + HOUR, days=4)} == {""}
        assert len(world.all_versions()["S01", "a"]) == 2
        assert world.missed() == set()

    def test_lives_again_when_it_is_back_though_its_stamp_is_old(self, kept: Journal, root: Path) -> None:
        back = Edit(50 * HOUR, "a", "x", back=50 * HOUR)
        world = swept(kept, root, [*saved("a"), *gone("a", at=2 * HOUR), back])
        assert [world.try_pull(MINUTE), *passes(world, DAY + HOUR)] == ["", "", ""]
        assert world.live() == {}
        world.try_pull(52 * HOUR)
        assert world.live() == {("S01", "a"): "x"}
        assert [one["approval"] for one in world.all_versions()["S01", "a"]] == ["approved", "void", "approved"]

    def test_that_is_back_at_the_second_asking_was_never_gone(self, kept: Journal, root: Path) -> None:
        hidden = [*saved("a"), *gone("a", at=2 * HOUR), Edit(DAY + HOUR + MINUTE, "a", "x", back=DAY + HOUR + MINUTE)]
        world = swept(kept, root, hidden)
        assert [world.try_pull(MINUTE), *passes(world, DAY + HOUR)] == ["", "", ""]
        assert len(world.all_versions()["S01", "a"]) == 1
        assert world.missed() == set()

    def test_older_than_the_sweep_is_left_alone(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [*saved("a"), *gone("a", at=3 * DAY)], sweep_days=2)
        assert [world.try_pull(MINUTE), *passes(world, 4 * DAY)] == ["", "", ""]
        assert world.live() == {("S01", "a"): "x"}

    def test_without_sweep_days_nothing_is_asked(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [*saved("a"), *gone("a", at=2 * HOUR)], sweep_days=0)
        assert [world.try_pull(MINUTE), *passes(world, DAY + HOUR)] == ["", "", ""]
        assert not [one for one in world.source.windows if one.keys]


@pytest.mark.slow
def test_postgresql_keeps_the_same(postgres_database: str, root: Path) -> None:
    opened = Journal.open(postgres_database)
    world = swept(opened, root, [*saved("a", "b"), *gone("a", at=2 * HOUR)])
    assert [world.try_pull(MINUTE), *passes(world, DAY + HOUR, days=2)] == [""] * 5
    assert world.live() == {("S01", "b"): "x"}
    assert world.missed() == set()
    opened.engine.dispose()


def test_an_unaudited_record_that_is_still_shown_becomes_a_draft(kept: Journal, root: Path) -> None:
    unaudited = Edit(2 * HOUR, "a", "u", back=2 * HOUR)  # the stamp does not tell either
    world = swept(kept, root, [*saved("a"), unaudited])
    world.try_pull(MINUTE)
    world.try_pull(DAY + HOUR)
    assert world.live() == {}
    assert [one["approval"] for one in world.all_versions()["S01", "a"]] == ["approved", "draft"]


class TestABatch:
    def test_each_key_is_asked_for_once_a_day_and_few_at_a_time(self, kept: Journal, root: Path) -> None:
        keys = [f"k{number:03}" for number in range(230)]
        world = swept(kept, root, saved(*keys))
        world.try_pull(MINUTE)
        for turn in range(12):
            world.try_pull(DAY + HOUR + turn * 5 * MINUTE)
        asked = [one.keys for one in world.source.windows if one.keys]
        assert [len(one) for one in asked] == [100, 100, 30]
        assert sorted(key for one in asked for key in one) == keys

    def test_nothing_is_void_where_many_vanish_at_once_and_a_person_is_told(self, kept: Journal, root: Path) -> None:
        keys = [f"k{number:02}" for number in range(40)]
        back = [Edit(2 * DAY, key, "x", back=2 * DAY) for key in keys]
        world = swept(kept, root, [*saved(*keys), *gone(*keys[:9], at=2 * HOUR), *back])
        assert {world.try_pull(MINUTE), *passes(world, DAY + HOUR)} == {""}
        assert len(world.live()) == 40
        [(kind, state, reason)] = world.items()
        assert (kind, state) == ("vanished", "open")
        assert "40 条, 来源有 9 条不再显示" in reason
        assert set(passes(world, 3 * DAY)) == {""}
        assert [one[:2] for one in world.items()] == [("vanished", "closed")]
        assert len(world.live()) == 40

    @pytest.mark.parametrize(("held", "lost"), [(40, 8), (5, 5), (6, 5)])
    def test_few_are_believed(self, kept: Journal, root: Path, held: int, lost: int) -> None:
        keys = [f"k{number:02}" for number in range(held)]
        world = swept(kept, root, [*saved(*keys), *gone(*keys[:lost], at=2 * HOUR)])
        assert {world.try_pull(MINUTE), *passes(world, DAY + HOUR)} == {""}
        assert len(world.live()) == held - lost
        assert world.items() == []


class TestAFault:
    def test_in_one_partition_is_told_and_leaves_cursors_and_the_others_alone(self, kept: Journal, root: Path) -> None:
        edits = [*saved("a"), *saved("a", part="S02"), *gone("a", at=2 * HOUR), *gone("a", at=2 * HOUR, part="S02")]
        world = swept(kept, root, [*edits, *saved("n", at=DAY)])
        world.try_pull(MINUTE)
        source = world.source
        source.broken = {source.asked + 2 * 2 + 1, source.asked + 2 * 2 + 3}  # the first asking of S01, and the next
        said = world.try_pull(DAY + HOUR)
        assert "S01" in said
        assert ("S01", "n") in world.live(), "what was read is mapped"
        source.broken = set()
        assert world.try_pull(DAY + HOUR + LATER) == ""
        assert set(world.live()) == {("S01", "a"), ("S01", "n")}
        assert world.try_pull(DAY + HOUR + 2 * LATER) == ""
        assert set(world.live()) == {("S01", "n")}

    def test_a_crash_before_the_commit_is_as_if_nothing_was_asked(
        self, kept: Journal, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = swept(kept, root, [*saved("a", "b"), *gone("a", at=2 * HOUR)])
        assert [world.try_pull(MINUTE), world.try_pull(DAY + HOUR)] == ["", ""]
        with monkeypatch.context() as patch:
            patch.setattr(sweeps, "drop_stale", lambda *_: 1 / 0)
            world.source.clock = DAY + HOUR + LATER
            with pytest.raises(ZeroDivisionError):
                world.pull()
        assert len(world.live()) == 2
        assert world.missed() == {"a"}
        assert world.try_pull(DAY + HOUR + LATER) == ""
        assert set(world.live()) == {("S01", "b")}


class TestAfterwards:
    def test_a_replayed_tombstone_stays_one(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [*saved("a"), *gone("a", at=2 * HOUR)])
        assert [world.try_pull(MINUTE), *passes(world, DAY + HOUR)] == ["", "", ""]
        source = sweeps.Source(world.connection, "refund")
        route = Route("flow", source, world.mapping, "sales_refund", world.step.settings)
        asked = Asked(route, Wanted(keys=("a",)), "Li Lei")
        summary = Replay(kept, asked, StaticLookup({}, {})).carry_out()
        assert summary.counts["unchanged"] == 1
        assert world.live() == {}

    def test_explaining_says_why_it_is_void(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [*saved("a"), *gone("a", at=2 * HOUR)])
        assert [world.try_pull(MINUTE), *passes(world, DAY + HOUR)] == ["", "", ""]
        flow = Flow("flow", "", (world.step,))
        found = Explainer(kept, root, {"flow": flow}).document("sales_refund", f"{world.connection}:S01:a")
        said = " ".join(found.notes)
        assert "来源已不显示此记录" in said
        assert "重算结果与存档一致" in said


class TestRefused:
    def test_a_stream_that_answers_no_keys(self, kept: Journal, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Source, "traits", Traits(answers_keys=False))
        world = swept(kept, root, saved("a"))
        assert "不能按单号查询" in world.try_pull(MINUTE)
        assert world.live() == {("S01", "a"): "x"}

    def test_documents_without_approval(self, kept: Journal, root: Path) -> None:
        world = swept(kept, root, [])
        with pytest.raises(ConfigError, match="no approval"):
            must_sweep(world.step, ["stock_level"])


@st.composite
def histories(draw: st.DrawFn) -> list[Edit]:
    """Saves, deletions and un-audits at few moments of three days; later stamps may lie back."""
    made = [Edit(0, key, "x", part=part) for key in "ab" for part in ("S01", "S02")]
    for _ in range(draw(st.integers(1, 10))):
        at = draw(st.integers(1, 36)) * 2 * HOUR + draw(st.sampled_from([0, 7]))
        part, key = draw(st.sampled_from(["S01", "S02"])), draw(st.sampled_from("abc"))
        if draw(st.booleans()):
            made.append(Edit(at, key, "", part=part, deletes=True))
        else:
            made.append(Edit(at, key, draw(st.sampled_from("xyu")), back=draw(st.sampled_from([0, 0, at])), part=part))
    return made


def settles(kept: Journal, root: Path, edits: list[Edit], times: list[int], broken: set[int]) -> None:
    """Pull while things happen and calls fail; two days of quiet later held is what the source shows."""
    world = swept(kept, root, edits)
    world.source.broken = broken
    world.try_pull(1)
    for at in times:
        world.try_pull(at)
    world.source.broken = set()
    assert set(passes(world, max(world.source.clock, 3 * DAY) + DAY + HOUR, days=2)) == {""}
    versions = world.all_versions()
    expected = {name: text for name, text in world.expected().items() if name in versions and text != "u"}
    assert world.live() == expected
    for bodies in versions.values():
        assert all(one != two for one, two in pairwise(bodies))
    assert world.missed() == set()


CASES = {
    "edits": histories(),
    "times": st.lists(st.integers(0, 72 * 6).map(lambda tens: tens * 10 * MINUTE + 1), max_size=14).map(sorted),
    "broken": st.sets(st.integers(1, 60), max_size=5),
}


@QUICK
@given(**CASES)
def test_what_the_source_shows_is_what_counts(
    kept: Journal, root: Path, edits: list[Edit], times: list[int], broken: set[int]
) -> None:
    settles(kept, root, edits, times, broken)


@pytest.mark.long
@pytest.mark.slow
@THOROUGH
@given(**CASES)
def test_what_the_source_shows_is_what_counts_in_many_more_cases(
    kept: Journal, root: Path, edits: list[Edit], times: list[int], broken: set[int]
) -> None:
    settles(kept, root, edits, times, broken)
