"""Polls: soon, then more and more rarely; many numbers in one call; a callback only makes us ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.invoicing import deadlines, halts
from duijie.invoicing.rules import LifeRules
from duijie.journal import documents
from tests.invoicing.world import Platform, World, no, numbers


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return World(tmp_path, Platform())


def polls(world: World) -> list[str]:
    return [one for one in world.platform.calls if one.startswith("poll")]


def test_the_first_question_comes_seconds_after_the_request_and_asks_for_all(world: World) -> None:
    world.want(*numbers(1, 120))
    world.deliver()
    world.poll(1)
    assert polls(world) == []
    world.poll(4)
    assert polls(world) == ["poll 120"]
    world.poll(60)
    assert len(polls(world)) == 1, "what is issued is not asked for again"


def test_what_is_still_being_issued_is_asked_for_more_and_more_rarely(world: World) -> None:
    world.platform.fate = {no(1): ["issuing"]}
    world.want(1)
    world.deliver()
    for _ in range(60):
        world.poll(60)
    assert 6 <= len(polls(world)) <= 10, "in an hour; every four seconds would be 900"


def test_the_number_left_and_the_next_question_are_told(world: World) -> None:
    world.platform.fate = {no(1): ["issuing"]}
    world.want(1, 2)
    world.deliver()
    counts = world.poll(5)
    assert (counts["outstanding"], counts["issued"]) == (1, 1)
    assert 1 <= counts["next_poll"] <= 8


def test_what_waits_too_long_is_told_to_people(world: World) -> None:
    world.platform.fate = {no(1): ["issuing"], no(2): ["late"]}
    world.want(1, 2)
    world.deliver()
    assert deadlines.overdue(world.journal, LifeRules()) == []
    world.poll(5)
    world.later(hours=5)
    kinds = {one.kind: one for one in deadlines.overdue(world.journal, LifeRules())}
    assert set(kinds) == {"issuing", "unknown"}
    assert "不要用新单号重开" in kinds["issuing"].next_step


def test_a_login_that_nobody_answers_is_told_again(world: World) -> None:
    world.platform.drawer = "scan"
    world.want(1)
    world.deliver()
    world.later(minutes=6)
    (one,) = deadlines.overdue(world.journal, LifeRules())
    assert (one.kind, one.sink) == ("login", "p/invoice_request")
    world.platform.drawer = "in"
    halts.resume(world.journal, "p", "张三")
    world.deliver()
    assert deadlines.overdue(world.journal, LifeRules()) == []


def test_trials_that_tell_nothing_again_and_again_reach_their_deadline(world: World) -> None:
    world.platform.drawer = "scan"
    world.want(1)
    world.deliver()
    world.platform.drawer, world.platform.fate = "in", {no(1): ["late"] * 50}
    halts.resume(world.journal, "p", "张三")
    for _ in range(8):
        world.deliver()
        world.later(minutes=5)
    assert [one.kind for one in deadlines.overdue(world.journal, LifeRules()) if one.kind == "trial"] == ["trial"]


def test_a_result_that_waits_for_the_drawer_parks_the_sink_and_is_asked_for_on(world: World) -> None:
    world.platform.fate = {no(1): ["issuing"]}
    world.want(1)
    world.deliver()
    world.platform.held[no(1)]["status"] = "waiting_login"
    world.poll(5)
    assert [one.reason for one in halts.standing(world.journal)] == ["login"]
    world.platform._issue(world.platform.held[no(1)], "ok")
    world.poll(60)
    invoice = documents.get(world.journal, "invoice", no(1))
    assert invoice is not None
    assert invoice.body["status"] == "issued"
