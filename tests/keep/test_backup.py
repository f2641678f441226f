"""Backups: taken while workers write, proven by restoring, refused when damaged; a restored journal doubles nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from duijie import parcels
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Safety
from duijie.journal import Journal, deliveries, upkeep
from duijie.journal.tables import delivery, document
from duijie.keep.backup import MANIFEST, backup, read_manifest
from duijie.keep.restore import restore, verify
from tests.journal.stages import SINK, brought, history, order, plan, states
from tests.keep.workers import writing
from tests.test_deliver import Target, orders, run

Elsewhere = Callable[[], str]
Reopened = Callable[[str], Journal]


def url_of(kept: Journal) -> str:
    return kept.engine.url.render_as_string(hide_password=False)


def test_a_backup_is_proven_by_restoring_it(kept: Journal, tmp_path: Path) -> None:
    brought(kept, "a", "done")
    brought(kept, "b", "rejected", "科目不存在")
    place = backup(kept, tmp_path / "backups", "ops")
    proven = verify(place, kept, "ops")
    assert proven.wrong == []
    assert proven.found.checks == dict.fromkeys(proven.found.checks, 0)
    assert (proven.found.tables["delivery"].rows, proven.found.tables["delivery"].sums) == (2, {"amount": 22600})
    assert [one.kind for one in upkeep.latest(kept)] == ["verify", "backup"]
    assert (place.stat().st_mode & 0o077, (place / read_manifest(place).file).stat().st_mode & 0o077) == (0, 0)


def test_the_fingerprint_is_of_the_rows_and_of_nothing_else(kept: Journal, tmp_path: Path) -> None:
    brought(kept, "a", "done")
    before = read_manifest(backup(kept, tmp_path, "ops")).proof
    same = read_manifest(backup(kept, tmp_path, "ops")).proof
    with kept.writing() as tx:
        tx.execute(update(delivery).values(reason="anders"))
    after = read_manifest(backup(kept, tmp_path, "ops")).proof
    assert before.tables["delivery"] == same.tables["delivery"]
    assert before.tables["document"] == after.tables["document"]
    assert before.tables["delivery"].root != after.tables["delivery"].root


def test_a_damaged_backup_is_refused(kept: Journal, tmp_path: Path, elsewhere: Elsewhere) -> None:
    place = backup(kept, tmp_path, "ops")
    file = place / read_manifest(place).file
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    for attempt in (lambda: verify(place, kept, "ops"), lambda: restore(place, elsewhere(), "ops")):
        with pytest.raises(ConfigError, match="not what its manifest says"):
            attempt()
    (place / MANIFEST).unlink()
    with pytest.raises(ConfigError, match="is no backup"):
        verify(place, kept, "ops")


def test_a_target_that_is_not_empty_is_left_alone(kept: Journal, tmp_path: Path) -> None:
    brought(kept, "a", "done")
    place = backup(kept, tmp_path, "ops")
    with pytest.raises(ConfigError, match="not empty"):
        restore(place, url_of(kept), "ops")
    assert states(kept) == {"a": "done"}


@pytest.mark.slow
def test_a_backup_that_is_taken_while_workers_write_is_one_moment(
    kept: Journal, tmp_path: Path, elsewhere: Elsewhere, reopened: Reopened
) -> None:
    with writing(url_of(kept), tmp_path) as workers:
        place = backup(kept, tmp_path / "backups", "ops")
    proven = verify(place, kept, "ops")
    assert proven.wrong == []
    assert proven.found.checks == dict.fromkeys(proven.found.checks, 0)
    with kept.reading() as tx:
        now = tx.execute(select(func.count()).select_from(document)).scalar_one()
    assert 0 < proven.found.tables["document"].rows < now == workers.delivered
    again = elsewhere()
    restore(place, again, "ops")
    assert set(states(reopened(again)).values()) <= {"done", "pending", "unknown"}


def test_what_was_on_its_way_is_asked_for_and_its_history_says_why(
    kept: Journal, tmp_path: Path, elsewhere: Elsewhere, reopened: Reopened
) -> None:
    for state in ("claimed", "sent", "unknown", "done", "rejected", "pending"):
        brought(kept, state, state)
    _, asked = restore(backup(kept, tmp_path, "ops"), url := elsewhere(), "李四")
    again = reopened(url)
    assert asked == 3
    assert states(again) == {
        **dict.fromkeys(("claimed", "sent", "unknown", "pending"), "unknown"),
        "done": "done",
        "rejected": "rejected",
    }
    moves = [(before, after, who) for before, after, who, _ in history(again, "pending")]
    assert moves == [("pending", "claimed", "李四"), ("claimed", "unknown", "李四")]
    assert "先查询对方" in history(again, "pending")[-1][3]
    assert upkeep.is_restored(again)
    assert not upkeep.is_restored(kept)


def test_a_newer_version_waits_behind_the_one_that_is_asked_for(
    kept: Journal, tmp_path: Path, elsewhere: Elsewhere, reopened: Reopened
) -> None:
    brought(kept, "a", "sent")
    order(kept, "a", "120.00")
    plan(kept)
    restore(backup(kept, tmp_path, "ops"), url := elsewhere(), "ops")
    again = reopened(url)
    with again.reading() as tx:
        assert list(tx.execute(select(delivery.c.state).order_by(delivery.c.id)).scalars()) == ["unknown", "pending"]
    assert [one.before for one in deliveries.claim(again, SINK, ("unknown", "pending"), 10)] == ["unknown"]


@pytest.mark.parametrize("safety", list(Safety), ids=lambda safety: safety.value)
def test_what_was_delivered_after_the_backup_is_not_delivered_again(
    kept: Journal,
    tmp_path: Path,
    elsewhere: Elsewhere,
    reopened: Reopened,
    safety: Safety,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parcels, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
    target = Target(safety)
    before, later, unseen = ([f"{name}{number}" for number in range(20)] for name in "abc")
    orders(kept, *before)
    run(kept, target, tmp_path)
    orders(kept, *later)
    plan(kept, "target/order")
    place = backup(kept, tmp_path / "backups", "ops")
    orders(kept, *unseen)
    run(kept, target, tmp_path)
    assert len(target.held) == 60

    restore(place, url := elsewhere(), "ops")
    again = reopened(url)
    orders(again, *unseen, "d0")  # what came since is received again
    run(again, target, tmp_path)
    assert sorted(one["no"] for one in target.held) == sorted([*before, *later, *unseen, "d0"])
    assert set(states(again).values()) == {"done"}


def test_a_journal_restored_elsewhere_has_the_same_machine(
    kept: Journal, tmp_path: Path, elsewhere: Elsewhere, reopened: Reopened
) -> None:
    brought(kept, "a", "done")
    restore(backup(kept, tmp_path, "ops"), url := elsewhere(), "ops")
    again = reopened(url)
    with pytest.raises(Exception, match="transition"), again.writing() as tx:
        tx.execute(text("UPDATE delivery SET state = 'pending'"))
