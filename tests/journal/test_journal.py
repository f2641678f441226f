"""The journal on SQLite and PostgreSQL: stored once, versions, claims, the machine of a delivery, work items."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Select, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from duijie.connect.errors import ConfigError, JournalBusy, UnmappedCode
from duijie.journal import Journal, deliveries, documents, inbox, journal, planning, work
from duijie.journal.deliveries import ALLOWED, Change
from duijie.journal.documents import Made
from duijie.journal.inbox import Source
from duijie.journal.tables import DELIVERY_STATES, alert, delivery, delivery_event, message, work_item

SOURCE = Source("shop", "trade", "S01")
SINK = "psi/sales_order"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "sqlite":
        opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    else:
        opened = Journal.open(request.getfixturevalue("postgres_database"))
    yield opened
    opened.engine.dispose()


def order(key: str, gross: str = "113.00", **more: object) -> dict[str, object]:
    return {"key": key, "gross": Decimal(gross), **more}


def put(kept: Journal, body: dict[str, object]) -> int | None:
    with kept.writing() as tx:
        return documents.put(tx, kept, "sales_order", body, (None, "test"))


def planned(kept: Journal, *keys: str) -> None:
    for key in keys:
        put(kept, order(key))
    planning.plan(kept, "orders", SINK, [(one, 11300) for one in planning.unplanned(kept, "sales_order", SINK)])


def state_of(kept: Journal, key: str) -> list[str]:
    query = select(delivery.c.state).where(delivery.c.key == key).order_by(delivery.c.id)
    with kept.reading() as tx:
        return list(tx.execute(query).scalars())


class TestInbox:
    def test_the_same_message_is_kept_once(self, kept: Journal) -> None:
        assert inbox.store(kept, SOURCE, "tid", [{"tid": 1}, {"tid": 2}]) == 2
        assert inbox.store(kept, SOURCE, "tid", [{"tid": 2}, {"tid": 2, "status": "PAID"}]) == 1
        assert [one.key for one in inbox.waiting(kept, SOURCE, 10)] == ["1", "2", "2"]

    def test_a_message_is_kept_as_sent(self, kept: Journal) -> None:
        inbox.store(kept, SOURCE, "tid", [{"tid": 9007199254740993, "b": Decimal("0.10"), "a": "中"}])
        assert inbox.waiting(kept, SOURCE, 1)[0].body == '{"tid":9007199254740993,"b":0.10,"a":"中"}'.encode()

    def test_a_message_without_its_key_is_kept_all_the_same(self, kept: Journal) -> None:
        inbox.store(kept, SOURCE, "tid", [{"x": 1}, {"x": 2}])
        assert all(one.key.startswith("?") for one in inbox.waiting(kept, SOURCE, 10))

    def test_a_cursor_never_goes_back(self, kept: Journal) -> None:
        noon = datetime(2026, 11, 11, 12, tzinfo=UTC)
        assert inbox.position(kept, SOURCE) is None
        inbox.advance(kept, SOURCE, noon)
        inbox.advance(kept, SOURCE, noon - timedelta(hours=1))
        assert inbox.position(kept, SOURCE) == noon
        assert inbox.position(kept, Source("shop", "trade", "S02")) is None

    def test_waiting_messages_go_round_again_when_released(self, kept: Journal) -> None:
        inbox.store(kept, SOURCE, "tid", [{"tid": 1}])
        with kept.writing() as tx:
            inbox.settle(tx, [inbox.waiting(kept, SOURCE, 1)[0].id], "blocked", "m", "对照缺失")
        assert inbox.waiting(kept, SOURCE, 1) == []
        assert inbox.release(kept, SOURCE) == 1
        assert len(inbox.waiting(kept, SOURCE, 1)) == 1


class TestDocuments:
    def test_only_a_changed_content_makes_a_version(self, kept: Journal) -> None:
        assert put(kept, order("k"))
        assert put(kept, order("k")) is None
        assert put(kept, order("k", "113.01"))
        found = documents.get(kept, "sales_order", "k")
        assert found is not None
        assert (found.version, found.body["gross"]) == (2, Decimal("113.01"))

    def test_an_older_state_never_replaces_a_newer_one(self, kept: Journal) -> None:
        put(kept, order("k", modified_at="2026-11-11T12:00:00+08:00"))
        assert put(kept, order("k", modified_at="2026-11-11T11:00:00+08:00")) is None

    def test_amounts_are_whole_fen(self) -> None:
        assert documents.fen(Decimal("113.01")) == 11301
        assert documents.yuan(-11301) == Decimal("-113.01")
        with pytest.raises(ValueError, match="fractions of a fen"):
            documents.fen("0.001")

    def test_a_rule_uses_a_document_once(self, kept: Journal) -> None:
        put(kept, order("k"))
        used = documents.not_yet_derived(kept, "sale", "sales_order")
        with kept.writing() as tx:
            documents.mark_derived(tx, "sale", used, "sale:S01:2026-11-11:1")
        assert documents.not_yet_derived(kept, "sale", "sales_order") == []
        assert documents.derived_count(kept, "sale") == {"sale:S01:2026-11-11": 1}
        with pytest.raises(IntegrityError), kept.writing() as tx:
            documents.mark_derived(tx, "sale", used, "sale:S01:2026-11-11:2")


PATHS: dict[str, tuple[str, ...]] = {  # from claimed to each state
    "pending": ("pending",),
    "claimed": (),
    "sent": ("sent",),
    "done": ("done",),
    "unknown": ("unknown",),
    "blocked": ("blocked",),
    "rejected": ("rejected",),
    "superseded": ("superseded",),
    "cancelled": ("cancelled",),
}
COPIED = ("document_id", "entity", "key", "sink", "flow", "state", "due_at", "created_at", "changed_at")


def forced(kept: Journal, row_id: int, *path: str) -> None:
    """Move a row as somebody would who writes into the table himself."""
    for state in path:
        lease = kept.now() if state in ("claimed", "sent") else None
        with kept.writing() as tx:
            tx.execute(update(delivery).where(delivery.c.id == row_id).values(state=state, lease_until=lease))


def copy_of(sink: str, state: str) -> Select[tuple[object, ...]]:
    changed = {"sink": literal(sink), "state": literal(state)}
    return select(*(changed.get(name, delivery.c[name]) for name in COPIED))


class TestDeliveries:
    def test_a_version_is_planned_once_per_sink(self, kept: Journal) -> None:
        planned(kept, "a")
        planned(kept, "a")
        assert state_of(kept, "a") == ["pending"]

    def test_a_row_is_claimed_by_one_worker(self, kept: Journal) -> None:
        planned(kept, *map(str, range(40)))
        taken: list[int] = []
        lock = threading.Lock()

        def work_off() -> None:
            while batch := deliveries.claim(kept, SINK, ("pending",), 5):
                with lock:
                    taken.extend(one.id for one in batch)

        threads = [threading.Thread(target=work_off) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(taken) == len(set(taken)) == 40

    def test_a_worker_that_died_before_sending_gives_its_row_back(self, kept: Journal) -> None:
        planned(kept, "a")
        deliveries.claim(kept, SINK, ("pending",), 5)
        assert deliveries.recover(kept, SINK) == 0
        self._expire(kept)
        assert deliveries.recover(kept, SINK) == 1
        assert state_of(kept, "a") == ["pending"]

    def test_a_worker_that_died_after_sending_leaves_an_unknown(self, kept: Journal) -> None:
        planned(kept, "a")
        [row] = deliveries.claim(kept, SINK, ("pending",), 5)
        deliveries.settle(kept, "claimed", {row.claim: Change("sent")})
        self._expire(kept)
        deliveries.recover(kept, SINK)
        assert state_of(kept, "a") == ["unknown"]

    def test_a_worker_that_died_asking_about_an_unknown_leaves_it_unknown(self, kept: Journal) -> None:
        planned(kept, "a")
        [row] = deliveries.claim(kept, SINK, ("pending",), 5)
        deliveries.settle(kept, "claimed", {row.claim: Change("sent")})
        deliveries.settle(kept, "sent", {row.claim: Change("unknown")})
        assert len(deliveries.claim(kept, SINK, ("unknown",), 5)) == 1
        self._expire(kept)
        deliveries.recover(kept, SINK)
        assert state_of(kept, "a") == ["unknown"]

    def test_a_newer_version_supersedes_one_that_waits(self, kept: Journal) -> None:
        planned(kept, "a")
        put(kept, order("a", "99.00"))
        planning.plan(kept, "orders", SINK, [(one, 9900) for one in planning.unplanned(kept, "sales_order", SINK)])
        assert state_of(kept, "a") == ["superseded", "pending"]

    def test_a_later_version_waits_for_the_earlier_to_end(self, kept: Journal) -> None:
        planned(kept, "a")
        [first] = deliveries.claim(kept, SINK, ("pending",), 5)
        put(kept, order("a", "99.00"))
        planning.plan(kept, "orders", SINK, [(one, 9900) for one in planning.unplanned(kept, "sales_order", SINK)])
        assert deliveries.claim(kept, SINK, ("pending",), 5) == []
        deliveries.settle(kept, "claimed", {first.claim: Change("done")})
        assert len(deliveries.claim(kept, SINK, ("pending",), 5)) == 1

    def test_every_transition_is_kept_with_who_and_why(self, kept: Journal) -> None:
        planned(kept, "a")
        [row] = deliveries.claim(kept, SINK, ("pending",), 5)
        deliveries.settle(kept, "claimed", {row.claim: Change("blocked", "对照缺失")})
        with kept.reading() as tx:
            events = tx.execute(select(delivery_event).order_by(delivery_event.c.id)).all()
        assert [(one.before, one.after, one.why) for one in events] == [
            ("pending", "claimed", ""),
            ("claimed", "blocked", "对照缺失"),
        ]
        assert {one.who for one in events} == {kept.who}

    def test_a_claim_is_kept_under_the_moment_its_lease_counts_from(self, kept: Journal) -> None:
        planned(kept, "a")
        deliveries.claim(kept, SINK, ("pending",), 5)
        with kept.reading() as tx:
            [event] = tx.execute(select(delivery_event)).all()
            assert event.at + deliveries.LEASE == tx.execute(select(delivery.c.lease_until)).scalar_one()

    def test_a_first_backlog_is_claimed_at_once(self, kept: Journal) -> None:
        with kept.writing() as tx:
            made = [Made("sales_order", order(f"{one}"), None, "test") for one in range(3000)]
            documents.put_many(tx, kept, made)
        planned(kept)
        began = time.monotonic()
        assert len(deliveries.claim(kept, SINK, ("pending",), 5)) == 5
        assert time.monotonic() - began < 0.5

    def test_an_illegal_transition_is_refused(self, kept: Journal) -> None:
        planned(kept, "a")
        [row] = deliveries.claim(kept, SINK, ("pending",), 5)
        with pytest.raises(ValueError, match="sent → blocked is not a transition"):
            deliveries.settle(kept, "sent", {row.claim: Change("blocked")})
        with pytest.raises(ValueError, match="done → pending"):
            deliveries.settle(kept, "done", {row.claim: Change("pending")})

    @pytest.mark.parametrize("before", DELIVERY_STATES)
    def test_the_database_lets_a_row_make_the_moves_of_the_machine_and_no_other(
        self, kept: Journal, before: str
    ) -> None:
        made: set[str] = set()
        for after in DELIVERY_STATES:
            planned(kept, f"{before}-{after}")
            row = deliveries.claim(kept, SINK, ("pending",), 50)[-1]
            forced(kept, row.id, *PATHS[before])
            try:
                forced(kept, row.id, after)
            except IntegrityError:
                continue
            made.add(after)
        assert made == ALLOWED[before]

    def test_the_database_knows_how_a_row_begins_and_when_it_is_leased(self, kept: Journal) -> None:
        planned(kept, "a")
        for values in ({"state": "claimed"}, {"lease_until": kept.now()}):
            with pytest.raises(IntegrityError), kept.writing() as tx:
                tx.execute(update(delivery).values(**values))
        with pytest.raises(IntegrityError), kept.writing() as tx:
            tx.execute(insert(delivery).from_select(COPIED, copy_of("b", "done")))

    def test_two_versions_of_a_key_are_never_in_flight_together(self, kept: Journal) -> None:
        planned(kept, "a")
        [row] = deliveries.claim(kept, SINK, ("pending",), 5)
        forced(kept, row.id, "unknown")
        with kept.writing() as tx:
            documents.put(tx, kept, "sales_order", {"key": "a", "gross": Decimal(7)}, (None, "test"))
        planning.plan(kept, "orders", SINK, [(one, 1) for one in planning.unplanned(kept, "sales_order", SINK)])
        with pytest.raises(IntegrityError), kept.writing() as tx:
            tx.execute(update(delivery).where(delivery.c.id > row.id).values(state="claimed", lease_until=kept.now()))

    def test_a_worker_whose_lease_ran_out_can_move_nothing_any_more(self, kept: Journal) -> None:
        planned(kept, "a")
        [late] = deliveries.claim(kept, SINK, ("pending",), 5)
        self._expire(kept)
        deliveries.recover(kept, SINK)
        [ours] = deliveries.claim(kept, SINK, ("pending",), 5)
        assert deliveries.settle(kept, "claimed", {late.claim: Change("sent")}) == set()
        assert deliveries.settle(kept, "claimed", {ours.claim: Change("sent")}) == {ours.claim}

    def test_only_what_waits_can_be_cancelled_and_the_history_names_who_did(self, kept: Journal) -> None:
        planned(kept, "a", "b")
        first, second = deliveries.claim(kept, SINK, ("pending",), 5)
        deliveries.settle(kept, "claimed", {first.claim: Change("sent"), second.claim: Change("blocked", "对照缺失")})
        with pytest.raises(ConfigError, match="sent"):
            deliveries.cancel(kept, [first.id, second.id], "王五", "重复录入")
        assert deliveries.cancel(kept, [second.id], "王五", "重复录入") == 1
        with kept.reading() as tx:
            last = tx.execute(select(delivery_event).order_by(delivery_event.c.id.desc()).limit(1)).one()
        assert (last.before, last.after, last.who, last.why) == ("blocked", "cancelled", "王五", "重复录入")

    def test_the_machine_knows_every_state_and_the_database_no_other(self, kept: Journal) -> None:
        assert set(ALLOWED) == set(DELIVERY_STATES)
        planned(kept, "a")
        with pytest.raises(IntegrityError), kept.writing() as tx:
            tx.execute(update(delivery).values(state="lost"))

    @staticmethod
    def _expire(kept: Journal) -> None:
        with kept.writing() as tx:
            tx.execute(update(delivery).values(lease_until=kept.now() - timedelta(seconds=1)))


class TestWork:
    def test_one_item_gathers_every_record_of_a_subject_and_closes_with_the_last(self, kept: Journal) -> None:
        finding = work.finding_for(UnmappedCode("product", "SKU9"), "ignored")
        with kept.writing() as tx:
            first = work.open_item(tx, kept, "orders", finding, [("sales_order", "1", 100)])
            second = work.open_item(tx, kept, "orders", finding, [("sales_order", "2", 200)])
        assert first == second
        with kept.writing() as tx:
            work.release_records(tx, kept, "orders", "sales_order", ["1"])
        assert self._states(kept) == ["open"]
        with kept.writing() as tx:
            work.release_records(tx, kept, "orders", "sales_order", ["2"])
        assert self._states(kept) == ["closed"]

    def test_a_record_that_passed_one_flow_still_waits_in_another(self, kept: Journal) -> None:
        finding = work.Finding("invoice", "invoice_requests:1", "税号校验位不符")
        with kept.writing() as tx:
            work.open_item(tx, kept, "invoices", finding, [("sales_order", "1", 100)])
            work.release_records(tx, kept, "vouchers", "sales_order", ["1"])
        assert self._states(kept) == ["open"]

    def test_an_alert_is_raised_in_the_same_transaction_and_once(self, kept: Journal) -> None:
        finding = work.Finding("credential", "shop", "密钥错误")
        with pytest.raises(RuntimeError), kept.writing() as tx:
            work.open_item(tx, kept, "orders", finding)
            raise RuntimeError
        with kept.reading() as tx:
            assert tx.execute(select(alert)).all() == []
        for _ in range(3):
            with kept.writing() as tx:
                work.open_item(tx, kept, "orders", finding)
        with kept.reading() as tx:
            assert len(tx.execute(select(alert)).all()) == 1

    def test_a_sent_alert_is_followed_by_a_recovery_notice(self, kept: Journal) -> None:
        with kept.writing() as tx:
            work.raise_alert(tx, kept, "x", "重要", "对账有差异", "请核对")
            tx.execute(update(alert).values(state="sent"))
        with kept.writing() as tx:
            work.recovered(tx, kept, "x")
        with kept.reading() as tx:
            titles = [one.title for one in tx.execute(select(alert).where(alert.c.state == "pending"))]
        assert titles == ["已恢复: 对账有差异"]

    @staticmethod
    def _states(kept: Journal) -> list[str]:
        with kept.reading() as tx:
            return list(tx.execute(select(work_item.c.state)).scalars())


def test_a_locked_journal_is_one_clear_sentence_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(journal, "BUSY_MILLISECONDS", 50)
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    holder, other = Journal.open(url), Journal.open(url)
    with holder.writing() as tx:
        inbox_row = {
            "connection": "c",
            "stream": "s",
            "key": "1",
            "hash": "h",
            "body": b"{}",
            "received_at": holder.now(),
        }
        tx.execute(message.insert().values(**inbox_row))
        with pytest.raises(JournalBusy, match="locked; this batch was rolled back"):
            inbox.store(other, SOURCE, "tid", [{"tid": 1}])
    assert inbox.store(other, SOURCE, "tid", [{"tid": 1}]) == 1


def test_a_full_disk_is_one_clear_sentence_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    kept = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    inbox.store(kept, SOURCE, "tid", [{"tid": 1}])
    with kept.reading() as tx:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
    from sqlalchemy import event  # noqa: PLC0415

    event.listen(kept.engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(JournalBusy, match="disk is full"):
        inbox.store(kept, SOURCE, "tid", [{"tid": number, "text": "x" * 4000} for number in range(2, 200)])
    assert [one.key for one in inbox.waiting(kept, SOURCE, 500)] == ["1"]


def test_an_unreachable_journal_says_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    with pytest.raises(JournalBusy, match="DUIJIE_JOURNAL"):
        Journal.open(f"sqlite:///{tmp_path / 'nowhere' / 'journal.db'}")
    with pytest.raises(JournalBusy, match="DUIJIE_JOURNAL"):
        Journal.open("postgresql://x:y@127.0.0.1:1/none")
