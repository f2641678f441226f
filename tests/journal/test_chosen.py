"""Retry and cancel by hand: what is touched, what is not and why, and what the history says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from duijie.connect.errors import ConfigError
from duijie.journal import Journal, chosen
from duijie.journal.chosen import Wanted
from duijie.journal.tables import DELIVERY_STATES, work_item
from tests.journal.stages import SINK, brought, history, order, plan, row_id, states


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "sqlite":
        opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    else:
        opened = Journal.open(request.getfixturevalue("postgres_database"))
    yield opened
    opened.engine.dispose()


def open_items(kept: Journal) -> list[tuple[str, str]]:
    with kept.reading() as tx:
        return [(one.state, one.resolution) for one in tx.execute(select(work_item).order_by(work_item.c.id))]


def test_at_least_one_condition_is_asked_for(kept: Journal) -> None:
    with pytest.raises(ConfigError, match="name at least one condition"):
        chosen.find(kept, Wanted())
    with pytest.raises(ConfigError, match="pending, claimed"):
        chosen.find(kept, Wanted(states=("gone",)))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(key="shop:2"),
        Wanted(key="2"),
        Wanted(key="T-shop:2"),
        Wanted(states=("rejected",)),
        Wanted(reason="科目"),
        Wanted(sink=SINK, states=("rejected",), reason="不存在"),
    ],
)
def test_rows_are_found_by_number_state_and_reason(kept: Journal, wanted: Wanted) -> None:
    brought(kept, "shop:1", "done")
    brought(kept, "shop:2", "rejected", "科目不存在")
    brought(kept, "shop:3", "pending")
    assert [one.key for one in chosen.find(kept, wanted)] == ["shop:2"]
    assert chosen.count(kept, wanted) == 1


def test_a_retry_sends_held_rows_round_again_and_says_who_and_why(kept: Journal) -> None:
    brought(kept, "a", "rejected", "科目不存在")
    choice = chosen.to_retry(kept, Wanted(reason="科目"))
    assert (len(choice.rows), choice.money) == (1, 11300)
    assert states(kept)["a"] == "rejected"
    assert chosen.retry(kept, choice.rows, "李四", "科目已补") == 1
    assert history(kept, "a")[-1] == ("rejected", "pending", "李四", "人工重试: 科目已补")


@pytest.mark.parametrize("state", ["pending", "claimed", "sent", "unknown", "done"])
def test_a_retry_leaves_alone_what_is_on_its_way_or_there_and_says_why(kept: Journal, state: str) -> None:
    brought(kept, "a", state)
    choice = chosen.to_retry(kept, Wanted(sink=SINK))
    assert choice.rows == []
    [(reason, number)] = choice.left.items()
    assert number == 1
    assert reason


def test_what_was_cancelled_goes_again_only_where_that_is_said(kept: Journal) -> None:
    brought(kept, "a", "pending")
    chosen.cancel(kept, chosen.to_cancel(kept, Wanted(key="a")).rows, "李四", "客户取消")
    assert not chosen.to_retry(kept, Wanted(sink=SINK)).rows
    for wanted in (Wanted(ids=(row_id(kept, "a"),)), Wanted(states=("cancelled",))):
        assert len(chosen.to_retry(kept, wanted).rows) == 1


def test_an_old_version_is_not_sent_after_a_newer_one(kept: Journal) -> None:
    old = brought(kept, "a", "pending")
    chosen.cancel(kept, chosen.to_cancel(kept, Wanted(ids=(old,))).rows, "李四", "有误")
    order(kept, "a", "120.00")
    plan(kept)
    choice = chosen.to_retry(kept, Wanted(ids=(old,)))
    assert (choice.rows, dict(choice.left)) == ([], {chosen.OVERTAKEN: 1})


def test_cancelling_needs_a_reason(kept: Journal) -> None:
    brought(kept, "a", "pending")
    with pytest.raises(ConfigError, match="say why"):
        chosen.cancel(kept, chosen.to_cancel(kept, Wanted(key="a")).rows, "李四", "  ")
    assert states(kept) == {"a": "pending"}


def test_cancelling_takes_the_row_off_its_work_item_which_says_by_whom(kept: Journal) -> None:
    brought(kept, "a", "rejected", "重复下单")
    chosen.cancel(kept, chosen.to_cancel(kept, Wanted(key="a")).rows, "李四", "客户取消")
    assert history(kept, "a")[-1] == ("rejected", "cancelled", "李四", "人工取消: 客户取消")
    assert open_items(kept) == [("closed", "李四 取消了投递: 客户取消")]


@pytest.mark.parametrize("state", sorted(set(DELIVERY_STATES) - {"superseded", "cancelled", "blocked", "rejected"}))
def test_what_may_be_at_the_target_is_never_cancelled(kept: Journal, state: str) -> None:
    brought(kept, "a", state)
    choice = chosen.to_cancel(kept, Wanted(key="a"))
    assert bool(choice.rows) == (state == "pending")
    assert sum(choice.left.values()) == (state != "pending")


def test_a_row_that_left_between_the_look_and_the_yes_is_not_cancelled(kept: Journal) -> None:
    brought(kept, "a", "pending")
    rows = chosen.to_cancel(kept, Wanted(key="a")).rows
    brought(kept, "b", "done")  # claims every due row, "a" among them
    assert states(kept)["a"] == "claimed"
    with pytest.raises(ConfigError, match="not cancelled"):
        chosen.cancel(kept, rows, "李四", "客户取消")
    assert states(kept)["a"] == "claimed"
