"""Reading at its edges: what fails is named and moves no cursor, what moves is read again, and clocks may lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from duijie import flow
from duijie.connect.errors import ConfigError, ConnectorFault, CredentialError, Terminal
from duijie.connect.protocol import Page, Window
from duijie.journal import Journal, inbox
from duijie.journal.tables import message
from tests.pull.source import START, Edit, Source
from tests.pull.world import World, mapping_in

ROOT = Path(__file__).parent.parent.parent
HOUR = 36_000


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


def world(kept: Journal, folder: Path, source: Source, **more: object) -> World:
    source.clock = max(source.clock, HOUR)
    return World(kept, mapping_in(folder), source, **more)


def position(one: World, part: str) -> object:
    return inbox.position(one.kept, inbox.Source(one.connection, "material", part))


class Failing(Source):
    """Every partition fails in a way of its own."""

    def read(self, window: Window) -> Iterator[Page]:
        if window.partition == "S01":
            raise CredentialError("授权已失效, 请重新授权", en="the session is gone")
        raise KeyError("rows")


class Growing(Source):
    """A list that grows whenever it is read."""

    def read(self, window: Window) -> Iterator[Page]:
        pages = super().read(window)
        yield next(pages)
        self.edits.append(Edit(0, f"k{len(self.edits)}", "x"))
        yield from pages


def test_all_that_failed_are_reported_each_by_its_partition(kept: Journal, tmp_path: Path) -> None:
    with pytest.raises(Terminal) as caught:
        world(kept, tmp_path, Failing([])).pull()
    assert [(type(one), one.part) for one in caught.value.causes] == [(CredentialError, "S01"), (ConnectorFault, "S02")]
    assert "分区 S01: 授权已失效" in caught.value.zh
    assert "分区 S02: " in caught.value.zh
    assert "KeyError" in caught.value.en


def test_one_that_may_pass_makes_the_whole_worth_another_try(kept: Journal, tmp_path: Path) -> None:
    one = world(kept, tmp_path, Source([Edit(0, "a", "x")], broken={1}))
    with pytest.raises(Exception, match="应答丢失") as caught:
        one.pull()
    assert caught.value.part == "S01"
    assert position(one, "S01") is None
    assert position(one, "S02") == START + timedelta(hours=1)


def test_a_page_that_fails_leaves_what_was_read_and_the_cursor(kept: Journal, tmp_path: Path) -> None:
    one = world(kept, tmp_path, Source([Edit(n, f"k{n}", "x") for n in range(4)], broken={3}))
    one.try_pull(HOUR)
    assert len(one.held()) == 4
    assert position(one, "S01") is None


def test_a_window_that_the_vendor_does_not_answer_is_refused(kept: Journal, tmp_path: Path) -> None:
    source = Source([], longest=timedelta(minutes=30))
    with pytest.raises(ConfigError, match="at most 30") as caught:
        world(kept, tmp_path, source, window_minutes=60).pull()
    assert caught.value.where == "p.window_minutes"
    world(kept, tmp_path, source).pull()
    assert max(window.until - window.since for window in source.windows) == timedelta(minutes=30)


@pytest.mark.parametrize(("paging", "newest_first"), [("total", False), ("blind", False), ("total", True)])
def test_what_moves_up_while_pages_are_read_is_not_passed_over(
    kept: Journal, tmp_path: Path, paging: str, newest_first: bool
) -> None:
    edits = [Edit(10 * n, f"k{n}", "x") for n in range(6)]
    edits += [Edit(HOUR + 1, f"k{n}", "y") for n in (0, 5)]  # they leave the window at the second request
    one = world(kept, tmp_path, Source(edits, paging, newest_first, size=2, pace=1), overlap_minutes=0)
    one.pull()
    assert {f"k{n}" for n in range(1, 5)} <= {key for _, key in one.held()}


def test_a_list_that_never_holds_still_keeps_the_cursor_and_what_was_read(kept: Journal, tmp_path: Path) -> None:
    one = world(kept, tmp_path, Growing([Edit(0, f"k{n}", "x") for n in range(4)], paging="total", pace=0))
    said = one.try_pull(HOUR)
    assert "持续变动" in said
    assert position(one, "S01") is None
    assert len(one.held()) >= 4


def test_a_cursor_ahead_of_now_is_brought_back(kept: Journal, tmp_path: Path) -> None:
    one = world(kept, tmp_path, Source([], pace=0))
    inbox.advance(kept, inbox.Source(one.connection, "material", "S01"), START + timedelta(days=3))
    one.pull()
    assert position(one, "S01") == one.source.now
    one.source.edits.append(Edit(HOUR + 5, "a", "x"))
    one.try_pull(HOUR + 20)
    assert one.held() == {("S01", "a"): "x"}


def test_a_source_restored_from_a_copy_is_believed_when_it_says_so_twice(kept: Journal, tmp_path: Path) -> None:
    source = Source([Edit(0, "a", "old"), Edit(100, "a", "new")])
    one = world(kept, tmp_path, source, overlap_minutes=70)
    one.pull()
    assert one.held() == {("S01", "a"): "new"}
    source.edits.append(Edit(HOUR + 50, "a", "restored", back=HOUR + 50))
    assert one.try_pull(HOUR + 100) == ""
    assert one.held() == {("S01", "a"): "restored"}
    assert [window.keys for window in source.windows if window.keys] == [("a",)]


def test_what_looks_older_waits_until_its_source_can_be_asked_about_it(kept: Journal, tmp_path: Path) -> None:
    source = Source([Edit(0, "a", "old"), Edit(100, "a", "new")], pace=0)
    one = world(kept, tmp_path, source, overlap_minutes=70)
    one.pull()
    source.edits.append(Edit(HOUR + 50, "a", "restored", back=HOUR + 50))
    source.broken = {source.asked + 3}  # the lists of both partitions are read, then the key is asked for
    assert "应答丢失" in one.try_pull(HOUR + 100)
    assert one.held() == {("S01", "a"): "new"}
    assert one.try_pull(5 * HOUR) == ""
    assert one.held() == {("S01", "a"): "restored"}


class Contradicting(Source):
    """Says two things of every key, the true one last."""

    def read(self, window: Window) -> Iterator[Page]:
        for page in super().read(window):
            yield replace(page, records=[said for row in page.records for said in ({**row, "text": "untrue"}, row)])


def test_of_a_source_that_says_several_things_of_one_key_the_last_holds(kept: Journal, tmp_path: Path) -> None:
    source = Contradicting([Edit(0, "a", "old"), Edit(100, "a", "new")], pace=0)
    one = world(kept, tmp_path, source, overlap_minutes=70)
    one.pull()
    source.edits.append(Edit(HOUR + 50, "a", "restored", back=HOUR + 50))
    assert one.try_pull(HOUR + 100) == ""
    assert one.held() == {("S01", "a"): "restored"}
    with kept.reading() as tx:
        waiting = tx.execute(
            select(message.c.id).where(message.c.connection == one.connection, message.c.state == "new")
        )
        assert waiting.all() == []


def test_the_schema_of_flow_files_is_that_of_the_code() -> None:
    assert (ROOT / "schemas" / "flow.json").read_bytes() == flow.json_schema()
