"""Retention: what is old and finished goes into an archive that reads back; what anybody still needs stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Table, func, insert, select

from duijie import codec
from duijie.connect.errors import ConfigError
from duijie.journal import Journal, chain, documents, inbox, upkeep, work
from duijie.journal.deliveries import last_done
from duijie.journal.inbox import ARCHIVED, Source
from duijie.journal.tables import (
    alert,
    comparison,
    delivery,
    delivery_event,
    difference,
    document,
    incident,
    message,
    run,
)
from duijie.keep.archive import MANIFEST, read_contents
from duijie.keep.backup import sha256
from duijie.keep.retention import ALWAYS, WORDS, count, purge, steps
from tests.journal.stages import SINK, brought, order, plan

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 11, tzinfo=UTC)
YEAR = NOW - timedelta(days=365)
SOURCE = Source("shop", "trade")


@pytest.fixture
def old(kept: Journal) -> Iterator[Journal]:
    """A journal in which everything happens long ago until `today` is called."""
    at(kept, LONG_AGO)
    yield kept


def at(kept: Journal, moment: datetime) -> None:
    kept.now = lambda: moment  # type: ignore[method-assign]


def received(kept: Journal, number: int, state: str = "mapped", **more: Any) -> int:
    """A message with its document; returns the message's id."""
    inbox.store(kept, SOURCE, "tid", [{"tid": number, **more}])
    [one] = inbox.waiting(kept, SOURCE, 1)
    with kept.writing() as tx:
        if state == "mapped":
            body = {"key": f"shop:{number}", "gross": "1.00", **more}
            documents.put(tx, kept, "sales_order", body, (one.id, "m@1"))
        inbox.settle(tx, [one.id], state, "m@1")
    return one.id


def gone(kept: Journal, folder: Path, *kinds: str) -> dict[str, int]:
    at(kept, NOW)
    _, done = purge(kept, dict.fromkeys(kinds or ALWAYS, YEAR), folder, "ops", lambda *_: None)
    found: dict[str, int] = {}
    for one in done:
        found[one.kind] = found.get(one.kind, 0) + one.rows
    return {kind: rows for kind, rows in found.items() if rows}


def rows(kept: Journal, table: Table) -> int:
    with kept.reading() as tx:
        return tx.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_history_and_the_receipt_of_what_is_delivered_leave_and_the_row_stays(old: Journal, tmp_path: Path) -> None:
    brought(old, "a", "done")
    with old.writing() as tx:
        tx.execute(delivery.update().values(receipt=b'{"id":"7"}'))
    assert gone(old, tmp_path) == {"events": 3, "receipts": 1}
    assert (rows(old, delivery), rows(old, document), rows(old, delivery_event)) == (1, 1, 0)
    with old.reading() as tx:
        left = codec.decode(tx.execute(select(delivery.c.receipt)).scalar_one())
    assert Path(left[ARCHIVED]).is_file()
    assert gone(old, tmp_path) == {}


@pytest.mark.parametrize("state", ["pending", "claimed", "sent", "unknown", "blocked", "rejected"])
def test_what_is_unfinished_stays_with_its_history(old: Journal, tmp_path: Path, state: str) -> None:
    brought(old, "a", state, "x")
    before = rows(old, delivery_event)
    gone(old, tmp_path, *WORDS)
    assert (rows(old, delivery), rows(old, document), rows(old, delivery_event)) == (1, 1, before)


def test_an_earlier_version_leaves_and_what_the_sink_got_last_stays(old: Journal, tmp_path: Path) -> None:
    brought(old, "a", "done")
    for gross in ("120.00", "130.00"):
        order(old, "a", gross)
    plan(old)
    assert rows(old, document) == 3
    # of 3 versions the first was delivered and the last waits: the second was never planned
    assert gone(old, tmp_path)["documents"] == 1
    assert last_done(old, SINK, ["a"])["a"].document.version == 1
    assert rows(old, document) == 2


def test_a_superseded_delivery_leaves_with_its_document_and_its_history(old: Journal, tmp_path: Path) -> None:
    brought(old, "a", "pending")
    order(old, "a", "120.00")
    plan(old)
    assert gone(old, tmp_path) == {"events": 1, "deliveries": 1, "documents": 1}
    with old.reading() as tx:
        assert [row.version for row in tx.execute(select(document))] == [2]


def test_what_an_open_work_item_holds_stays(old: Journal, tmp_path: Path) -> None:
    first = received(old, 1, "skipped")
    received(old, 1, "skipped", v=2)
    with old.writing() as tx:
        work.open_item(tx, old, "orders", work.Finding("invalid", "s", "x"), [("sales_order", "1", 0)])
    assert gone(old, tmp_path, "messages") == {}
    work.close(old, 1, "李四", "已更正")
    assert gone(old, tmp_path, "messages") == {"messages": 1}
    with old.reading() as tx:
        assert first not in set(tx.execute(select(message.c.id)).scalars())


def test_the_last_message_of_a_key_and_those_a_document_is_of_stay(old: Journal, tmp_path: Path) -> None:
    received(old, 1)
    received(old, 1, "skipped", v=2)
    received(old, 1, "skipped", v=3)
    assert gone(old, tmp_path, "messages") == {"messages": 1}
    assert rows(old, message) == 2
    assert inbox.store(old, SOURCE, "tid", [{"tid": 1, "v": 3}]) == 0  # what came last is still known


def test_a_body_leaves_a_note_where_it_is_and_the_message_is_still_known(old: Journal, tmp_path: Path) -> None:
    number = received(old, 1)
    assert gone(old, tmp_path) == {}
    assert gone(old, tmp_path, "bodies") == {"bodies": 1}
    place = chain.raw(old, number)[ARCHIVED]
    [found] = duckdb.connect().execute("SELECT body FROM read_parquet(?) WHERE id = ?", [place, number]).fetchall()
    assert codec.decode(found[0]) == {"tid": 1}
    assert inbox.store(old, SOURCE, "tid", [{"tid": 1}]) == 0


def test_what_is_young_stays(kept: Journal, tmp_path: Path) -> None:
    at(kept, NOW - timedelta(days=30))
    brought(kept, "a", "done")
    received(kept, 1)
    assert gone(kept, tmp_path, *WORDS) == {}


def test_runs_incidents_alerts_and_comparisons_leave_but_for_the_newest_and_the_open(
    old: Journal, tmp_path: Path
) -> None:
    head = {"pair": "p", "title": "t", "at": LONG_AGO, "unexplained": 0, "differences": 1}
    sums = {"left_count": 1, "right_count": 1, "left_amount": 0, "right_amount": 0}
    with old.writing() as tx:
        for _ in range(3):
            tx.execute(insert(run).values(flow="f", step="s", started_at=LONG_AGO, ended_at=LONG_AGO))
            tx.execute(insert(incident).values(connection="c", kind="k", detail="d", at=LONG_AGO))
            made = tx.execute(insert(comparison).values(**head, **sums).returning(comparison.c.id)).scalar_one()
            tx.execute(insert(difference).values(comparison_id=made, key="k", kind="漏单"))
        work.raise_alert(tx, old, "a", "重要", "open", "x")
        work.raise_alert(tx, old, "b", "重要", "over", "x")
        tx.execute(alert.update().where(alert.c.dedupe == "b").values(state="recovered", open_dedupe=None))
    assert gone(old, tmp_path) == {"runs": 2, "incidents": 3, "alerts": 1, "comparisons": 4}
    assert [rows(old, table) for table in (run, incident, alert, comparison, difference)] == [1, 0, 1, 1, 1]


def test_the_archive_says_what_it_holds(old: Journal, tmp_path: Path) -> None:
    brought(old, "a", "pending")
    order(old, "a", "120.00")
    plan(old)
    gone(old, tmp_path)
    [place] = tmp_path.glob("duijie-archive-*")
    told = read_contents(place)
    parts = {part.table: part for part in told.parts}
    assert (parts["delivery"].rows, parts["delivery"].sums) == (1, {"amount": 11300})
    assert all(sha256(place / part.file) == part.sha256 for part in told.parts)
    assert (place / MANIFEST).stat().st_mode & 0o077 == 0
    kinds = (
        duckdb.connect()
        .execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(place / "document-*.parquet")])
        .fetchall()
    )
    assert {row[1] for row in kinds} <= {"BIGINT", "VARCHAR", "BOOLEAN"}
    [done] = upkeep.latest(old, "purge")
    assert (done.who, done.detail["documents"]) == ("ops", 1)


def test_a_trial_counts_and_deletes_nothing(old: Journal, tmp_path: Path) -> None:
    brought(old, "a", "done")
    at(old, NOW)
    assert {one.kind: one.rows for one in count(old, dict.fromkeys(ALWAYS, YEAR))}["events"] == 3
    assert rows(old, delivery_event) == 3


def test_a_short_memory_and_an_unknown_kind_are_refused(kept: Journal, tmp_path: Path) -> None:
    for before, words in (({"runs": kept.now() - timedelta(days=7)}, "35 days"), ({"x": YEAR}, "known kinds")):
        with pytest.raises(ConfigError, match=words):
            purge(kept, before, tmp_path, "ops", lambda *_: None)


def test_every_kind_has_its_words_and_its_steps() -> None:
    assert {step.kind for step in steps(dict.fromkeys(WORDS, YEAR))} == set(WORDS)
