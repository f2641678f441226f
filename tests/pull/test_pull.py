"""pull: everything a stream holds is stored once; what cannot be mapped waits and stops nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from duijie import pull
from duijie.codec import Record
from duijie.connect.errors import AnswerLost
from duijie.connect.protocol import Page, Traits, Window
from duijie.flow import Pull
from duijie.journal import Journal, documents, inbox
from duijie.journal.inbox import Source
from duijie.journal.tables import message, work_item, work_item_record
from duijie.mapping import StaticLookup, load_mapping
from duijie.pull import Refinery

START = datetime(2026, 11, 11, tzinfo=UTC)
MAPPING = """
mapping: shop/party.in
from: {system: shop, stream: buyer}
to: {entity: party}
version: 1
skip: status == "draft"
fields:
  key: id
  name: 'xref("name", name)'
  kind: '"person"'
  role: '"customer"'
"""


class Buyers:
    """A stream whose records have the time of their change; a partition may fail."""

    name, entity, key = "buyer", "party", "id"

    def __init__(self, records: list[Record], broken: str = "") -> None:
        self.records = records
        self.broken = broken
        self.asked: list[Window] = []

    def partitions(self) -> Iterable[str]:
        return ["S01", "S02"]

    def read(self, window: Window) -> Iterator[Page]:
        self.asked.append(window)
        if window.partition == self.broken:
            raise AnswerLost("应答丢失")
        inside = [one for one in self.records if window.since <= one["at"] < window.until]
        yield Page([{**one, "at": one["at"].isoformat(), "shop": window.partition} for one in inside])


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


def step(**more: object) -> Pull:
    given: Record = {"name": "p", "connection": "shop", "stream": "buyer", "mapping": "shop/party.in", "since": START}
    return Pull(**{**given, "window_minutes": 60, **more})


def buyers(*minutes: int, **more: object) -> list[Record]:
    return [
        {"id": f"b{number}", "name": "n", "status": "ok", "at": START + timedelta(minutes=minute), **more}
        for number, minute in enumerate(minutes)
    ]


def refine(kept: Journal, folder: Path, names: dict[str, str]) -> Record:
    path = folder / "party.in.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    lookup = StaticLookup({"name": names}, {})
    return dict(Refinery(kept, "buyers", "party", load_mapping(path), lookup).run(Source("shop", "buyer"), {}))


class TestReading:
    def test_reading_twice_stores_once(self, kept: Journal) -> None:
        stream = Buyers(buyers(0, 30, 59, 60, 119))
        now = START + timedelta(hours=3)
        assert pull.read(kept, step(), stream, now)["new_messages"] == 10
        assert pull.read(kept, step(), stream, now)["new_messages"] == 0

    def test_the_second_run_starts_a_little_before_the_cursor(self, kept: Journal) -> None:
        stream = Buyers([])
        pull.read(kept, step(), stream, START + timedelta(hours=3))
        stream.asked.clear()
        pull.read(kept, step(overlap_minutes=10), stream, START + timedelta(hours=4))
        assert stream.asked[0].since == START + timedelta(hours=2, minutes=50)

    def test_a_failing_partition_never_moves_anothers_cursor_nor_its_own(self, kept: Journal) -> None:
        stream = Buyers(buyers(0, 30), broken="S01")
        with pytest.raises(AnswerLost):
            pull.read(kept, step(), stream, START + timedelta(hours=1))
        assert inbox.position(kept, Source("shop", "buyer", "S01")) is None
        assert inbox.position(kept, Source("shop", "buyer", "S02")) == START + timedelta(hours=1)
        stream.broken = ""
        assert pull.read(kept, step(), stream, START + timedelta(hours=1))["new_messages"] == 2

    @given(
        span=st.integers(1, 3000), window=st.integers(1, 1440), overlap=st.integers(0, 120), cursor=st.integers(0, 3000)
    )
    def test_windows_cover_the_time_without_a_gap_and_none_is_too_long(
        self, span: int, window: int, overlap: int, cursor: int
    ) -> None:
        position = START + timedelta(minutes=min(cursor, span))
        end = START + timedelta(minutes=span)
        found = list(pull.windows(step(window_minutes=window, overlap_minutes=overlap), Traits(), position, "S01", end))
        if position < end:
            assert found[0].since <= position
            assert found[-1].until == end
        assert all(one.until == two.since for one, two in pairwise(found))
        assert all(one.until - one.since <= timedelta(minutes=window) for one in found)


class TestRefining:
    def test_a_good_record_becomes_a_document_a_draft_none(self, kept: Journal, tmp_path: Path) -> None:
        source = Source("shop", "buyer", "S01")
        inbox.store(kept, source, "id", [{"id": "1", "name": "n", "status": "ok"}, {"id": "2", "status": "draft"}])
        counts = refine(kept, tmp_path, {"n": "张三"})
        assert (counts["new_documents"], counts["skipped"]) == (1, 1)
        found = documents.get(kept, "party", "1")
        assert found is not None
        assert found.body["name"] == "张三"

    def test_each_bad_record_is_kept_with_its_reason_and_the_others_pass(self, kept: Journal, tmp_path: Path) -> None:
        records = [
            {"id": "1", "name": "n", "status": "ok"},
            {"id": "2", "name": "unknown", "status": "ok"},
            {"id": "3", "name": "n"},
            {"id": 4, "name": "n", "status": "ok"},
        ]
        inbox.store(kept, Source("shop", "buyer", "S01"), "id", records)
        counts = refine(kept, tmp_path, {"n": "张三"})
        assert (counts["new_documents"], counts["waiting"]) == (1, 3)
        with kept.reading() as tx:
            states = {row.key: row.state for row in tx.execute(select(message.c.key, message.c.state))}
            reasons = [row.reason for row in tx.execute(select(work_item).order_by(work_item.c.id))]
        assert states == {"1": "mapped", "2": "blocked", "3": "invalid", "4": "invalid"}
        assert any("对照缺失" in reason for reason in reasons)
        assert any("status" in reason for reason in reasons)

    def test_adding_the_missing_code_releases_every_record_and_closes_the_item(
        self, kept: Journal, tmp_path: Path
    ) -> None:
        source = Source("shop", "buyer", "S01")
        inbox.store(kept, source, "id", [{"id": str(n), "name": "x", "status": "ok"} for n in range(3)])
        refine(kept, tmp_path, {})
        with kept.reading() as tx:
            assert len(tx.execute(select(work_item)).all()) == 1
            assert len(tx.execute(select(work_item_record)).all()) == 3
        inbox.release(kept, source)
        assert refine(kept, tmp_path, {"x": "李四"})["new_documents"] == 3
        with kept.reading() as tx:
            assert tx.execute(select(work_item.c.state)).scalar_one() == "closed"
