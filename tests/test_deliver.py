"""deliver: each document in its sink exactly once, for every way a sink can be safe and every way a call can end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from duijie import leases, parcels
from duijie.codec import Record
from duijie.connect import leave
from duijie.connect.errors import (
    ConfigError,
    ConnectorFault,
    CredentialError,
    DuijieError,
    NotSent,
    RateLimited,
    VendorBusy,
)
from duijie.connect.protocol import Done, Figures, Found, Later, Outcome, Refused, Safety, Unknown
from duijie.connect.retry import outcome_of
from duijie.deliver import Delivering, must_take
from duijie.flow import Deliver
from duijie.journal import Journal, deliveries, documents, work
from duijie.journal.tables import delivery, delivery_event, work_item
from duijie.mapping import StaticLookup, load_mapping

MAPPING = """
mapping: target/order.out
from: {entity: sales_order}
to: {system: target, sink: order}
version: 1
fields:
  no: key
  amount: gross
  sku: {value: 'xref("sku", sku)', when: has(sku)}
"""


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


class Target:
    """A system at the other end of the seam: it keeps what is written and fails as it is told to."""

    name, entity, batch = "order", "sales_order", 3

    def __init__(self, safety: Safety, held: Sequence[Record] = ()) -> None:
        self.safety = safety
        self.held: list[Record] = list(held)
        self.fate: dict[str, list[str]] = {}
        self.calls: list[str] = []

    def key_of(self, payload: Record) -> str:
        return str(payload["no"])

    def figures_of(self, payload: Record) -> Figures:
        return {"amount": payload["amount"]}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        self.calls.append("find")
        return {
            one["no"]: Found(f"id-{one['no']}", one["no"], {"amount": one["amount"]})
            for one in self.held
            if one["no"] in keys
        }

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        return [self._write(payload) for payload in payloads]

    def _write(self, payload: Record) -> Outcome:
        self.calls.append("write")
        fate = (self.fate.get(payload["no"]) or ["ok"]).pop(0)
        if fate == "kill before":
            raise Killed
        if fate == "refuse":
            return Refused("E1", "科目不存在, 请补科目", "no such account")
        if fate == "busy":
            return Later("繁忙", "busy", 0.0)
        if fate == "lost before":
            return Unknown("应答丢失", "lost")
        if self.safety is Safety.NATURAL_KEY and any(one["no"] == payload["no"] for one in self.held):
            return Unknown("单号已存在", "the number exists")
        if self.safety is Safety.ABSOLUTE:
            self.held = [one for one in self.held if one["no"] != payload["no"]]
        self.held.append(payload)
        if fate == "kill after":
            raise Killed
        return (
            Unknown("应答丢失", "lost") if fate == "lost" else Done(f"id-{payload['no']}", payload["no"], {"ok": True})
        )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(parcels, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
    if request.param == "postgresql":
        return Journal.open(request.getfixturevalue("postgres_database"))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture(params=list(Safety), ids=lambda safety: safety.value)
def target(request: pytest.FixtureRequest) -> Target:
    return Target(request.param)


def orders(kept: Journal, *keys: str, **more: object) -> None:
    with kept.writing() as tx:
        for key in keys:
            body = {"key": key, **({"gross": Decimal("113.00")} | more)}
            documents.put(tx, kept, "sales_order", body, (None, "test"))


def run(kept: Journal, target: Target, folder: Path, codes: dict[str, str] | None = None, **more: object) -> Record:
    path = folder / "order.out.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    step = Deliver(
        name="d", connection="target", sink="order", entity="sales_order", mapping="target/order.out", **more
    )
    lookup = StaticLookup({"sku": codes or {}}, {})
    return dict(Delivering(kept, "orders", step, target, load_mapping(path), lookup).run())


def states(kept: Journal) -> dict[str, str]:
    with kept.reading() as tx:
        return {
            row.key: row.state for row in tx.execute(select(delivery.c.key, delivery.c.state).order_by(delivery.c.id))
        }


def expire_leases(kept: Journal) -> None:
    with kept.writing() as tx:
        tx.execute(update(delivery).values(lease_until=kept.now()))


def test_a_good_batch_is_written_once_and_its_receipts_are_kept(kept: Journal, target: Target, tmp_path: Path) -> None:
    orders(kept, *"abcde")
    assert run(kept, target, tmp_path)["delivered"] == 5
    run(kept, target, tmp_path)
    assert sorted(one["no"] for one in target.held) == list("abcde")
    with kept.reading() as tx:
        assert {(row.native_id, row.receipt) for row in tx.execute(select(delivery).where(delivery.c.key == "a"))} == {
            ("id-a", b'{"ok":true}')
        }


@pytest.mark.parametrize("fate", ["lost", "lost before", "busy"])
def test_whatever_becomes_of_the_answer_there_is_one_document(
    kept: Journal, target: Target, tmp_path: Path, fate: str
) -> None:
    orders(kept, "a", "b")
    target.fate = {"a": [fate]}
    run(kept, target, tmp_path)
    assert states(kept) == {"a": "done", "b": "done"}
    assert sorted(one["no"] for one in target.held) == ["a", "b"]


def test_nothing_is_written_again_before_the_target_was_asked(kept: Journal, target: Target, tmp_path: Path) -> None:
    orders(kept, "a")
    target.fate = {"a": ["lost before"]}
    run(kept, target, tmp_path)
    first, second = (position for position, call in enumerate(target.calls) if call == "write")
    assert "find" in target.calls[first:second]


@pytest.mark.parametrize("fate", ["kill before", "kill after"])
def test_a_worker_killed_in_the_call_loses_nothing_and_doubles_nothing(
    kept: Journal, target: Target, tmp_path: Path, fate: str
) -> None:
    orders(kept, "a", "b")
    target.fate = {"a": [fate]}
    with pytest.raises(Killed):
        run(kept, target, tmp_path)
    assert states(kept)["a"] == "sent"
    expire_leases(kept)
    assert run(kept, target, tmp_path)["recovered"] == 2
    assert states(kept) == {"a": "done", "b": "done"}
    assert sorted(one["no"] for one in target.held) == ["a", "b"]


def test_a_document_with_other_figures_is_a_conflict_for_a_person(kept: Journal, tmp_path: Path) -> None:
    target = Target(Safety.LOOKUP)
    target.held.append({"no": "a", "amount": Decimal("99.00")})
    orders(kept, "a")
    run(kept, target, tmp_path)
    assert states(kept) == {"a": "rejected"}
    with kept.reading() as tx:
        [item] = tx.execute(select(work_item)).all()
    assert item.kind == "conflict"
    assert "113.00" in item.reason
    assert "99.00" in item.reason
    assert len(target.held) == 1


def test_three_bad_of_a_hundred_wait_and_the_others_go_through(kept: Journal, tmp_path: Path) -> None:
    target = Target(Safety.NATURAL_KEY)
    orders(kept, *(f"n{number}" for number in range(98)))
    orders(kept, "u1", "u2", sku="A9")
    target.fate = {"n7": ["refuse"]}
    counts = run(kept, target, tmp_path)
    assert (counts["delivered"], counts["waiting"]) == (97, 3)
    assert {key: state for key, state in states(kept).items() if state != "done"} == {
        "n7": "rejected",
        "u1": "blocked",
        "u2": "blocked",
    }
    with kept.reading() as tx:
        assert sorted(row.kind for row in tx.execute(select(work_item))) == ["rejected", "unmapped"]


def test_what_is_refused_again_and_again_ends_with_a_person(
    kept: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "ATTEMPTS", 1)
    target = Target(Safety.NATURAL_KEY)
    target.fate = {"a": ["busy"] * 20}
    orders(kept, "a")
    run(kept, target, tmp_path)
    assert states(kept) == {"a": "rejected"}


def test_what_is_not_routed_here_is_said_so_and_never_sent(kept: Journal, tmp_path: Path) -> None:
    target = Target(Safety.NATURAL_KEY)
    orders(kept, "a", status="closed")
    orders(kept, "b", status="paid")
    run(kept, target, tmp_path, where={"status": ("paid",)})
    assert states(kept) == {"a": "cancelled", "b": "done"}


def test_the_history_tells_a_lost_answer_from_a_plain_success(kept: Journal, tmp_path: Path) -> None:
    target = Target(Safety.NATURAL_KEY)
    target.fate = {"a": ["lost"]}
    orders(kept, "a")
    run(kept, target, tmp_path)
    with kept.reading() as tx:
        path = [row.after for row in tx.execute(select(delivery_event).order_by(delivery_event.c.id))]
    assert path == ["claimed", "sent", "unknown", "claimed", "done"]


def test_what_may_have_arrived_stays_in_doubt_when_its_second_call_is_put_off(kept: Journal, tmp_path: Path) -> None:
    target = Target(Safety.LOOKUP)
    target.fate = {"a": ["lost before", "busy"]}
    orders(kept, "a")
    run(kept, target, tmp_path)
    with kept.reading() as tx:
        path = [row.after for row in tx.execute(select(delivery_event).order_by(delivery_event.c.id))]
    assert path == ["claimed", "sent", "unknown", "claimed", "sent", "unknown", "claimed", "sent", "done"]


class Changeable(Target):
    """A target that can also be changed."""

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        return [self._update(payload, native_id) for payload, native_id in zip(payloads, native_ids, strict=True)]

    def _update(self, payload: Record, native_id: str) -> Outcome:
        self.calls.append("update")
        self.held = [payload if f"id-{one['no']}" == native_id else one for one in self.held]
        fate = (self.fate.get(payload["no"]) or ["ok"]).pop(0)
        return Unknown("应答丢失", "lost") if fate == "lost" else Done(native_id, payload["no"], {"updated": True})


class TestANewVersionOfWhatTheTargetHas:
    NOT_FIGURES = (Safety.NATURAL_KEY, Safety.LOOKUP, Safety.TOKEN)

    def delivered(self, kept: Journal, target: Target, folder: Path) -> None:
        orders(kept, "a")
        run(kept, target, folder)
        target.calls.clear()

    @pytest.mark.parametrize("safety", NOT_FIGURES)
    def test_a_change_is_a_conflict_with_the_difference_and_is_never_sent(
        self, kept: Journal, tmp_path: Path, safety: Safety
    ) -> None:
        target = Target(safety)
        self.delivered(kept, target, tmp_path)
        orders(kept, "a", gross=Decimal("99.00"))
        counts = run(kept, target, tmp_path)
        assert (counts["waiting"], target.calls) == (1, [])
        assert [str(one["amount"]) for one in target.held] == ["113.00"]
        with kept.reading() as tx:
            [item] = tx.execute(select(work_item)).all()
            assert list(tx.execute(select(delivery.c.state).order_by(delivery.c.id)).scalars()) == ["done", "rejected"]
        assert (item.kind, item.owner) == ("conflict", "会计")
        assert "第 1 版 (单号 a), 新版本内容不同: amount 113.00 → 99.00" in item.reason

    @pytest.mark.parametrize("safety", NOT_FIGURES)
    def test_what_comes_to_the_same_at_the_target_is_not_sent_again(
        self, kept: Journal, tmp_path: Path, safety: Safety
    ) -> None:
        target = Target(safety)
        self.delivered(kept, target, tmp_path)
        orders(kept, "a", status="shipped")
        assert run(kept, target, tmp_path)["unchanged"] == 1
        assert target.calls == []
        with kept.reading() as tx:
            rows = tx.execute(select(delivery).order_by(delivery.c.id)).all()
        assert [(row.state, row.native_id) for row in rows] == [("done", "id-a"), ("done", "id-a")]
        assert "未重发" in rows[1].reason

    def test_a_change_back_takes_the_conflict_away(self, kept: Journal, tmp_path: Path) -> None:
        target = Target(Safety.NATURAL_KEY)
        self.delivered(kept, target, tmp_path)
        orders(kept, "a", gross=Decimal("99.00"))
        run(kept, target, tmp_path)
        orders(kept, "a")
        run(kept, target, tmp_path)
        with kept.reading() as tx:
            assert tx.execute(select(work_item.c.state)).scalar_one() == "closed"
            found = list(tx.execute(select(delivery.c.state).order_by(delivery.c.id)).scalars())
        assert found == ["done", "superseded", "done"]

    def test_what_the_mapping_can_not_make_any_more_is_a_conflict_too(self, kept: Journal, tmp_path: Path) -> None:
        target = Target(Safety.NATURAL_KEY)
        orders(kept, "a", sku="A9")
        run(kept, target, tmp_path, {"A9": "S9"})
        orders(kept, "a")
        assert run(kept, target, tmp_path)["waiting"] == 1

    @pytest.mark.parametrize("fate", ["ok", "lost"])
    def test_a_sink_that_can_update_is_updated_once_it_is_known_by_its_own_id(
        self, kept: Journal, tmp_path: Path, fate: str
    ) -> None:
        target = Changeable(Safety.LOOKUP)
        self.delivered(kept, target, tmp_path)
        orders(kept, "a", gross=Decimal("99.00"))
        target.fate = {"a": [fate]}
        run(kept, target, tmp_path)
        assert [str(one["amount"]) for one in target.held] == ["99.00"]
        assert set(target.calls) == {"update"}
        assert states(kept) == {"a": "done"}

    def test_a_figure_is_overwritten(self, kept: Journal, tmp_path: Path) -> None:
        target = Target(Safety.ABSOLUTE)
        self.delivered(kept, target, tmp_path)
        orders(kept, "a", gross=Decimal("99.00"))
        assert run(kept, target, tmp_path)["delivered"] == 1
        assert [str(one["amount"]) for one in target.held] == ["99.00"]


class Reversible(Target):
    """A target that can also take a document back."""

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        return [self._reverse(native_id) for native_id in native_ids]

    def _reverse(self, native_id: str) -> Outcome:
        self.calls.append("reverse")
        self.held = [one for one in self.held if f"id-{one['no']}" != native_id]
        fate = (self.fate.get(native_id) or ["ok"]).pop(0)
        return Unknown("应答丢失", "lost") if fate == "lost" else Done(native_id, "", {"voided": True})


class TestWhatItsSourceHasWithdrawn:
    ROUTE = {"where": {"status": ("paid",)}, "reverse": {"status": ("cancelled",)}}  # noqa: RUF012

    def delivered(self, kept: Journal, target: Target, folder: Path) -> None:
        orders(kept, "a", status="paid")
        run(kept, target, folder, **self.ROUTE)
        target.calls.clear()

    @pytest.mark.parametrize("fate", ["ok", "lost"])
    @pytest.mark.parametrize("said", [{"status": "cancelled"}, {"approval": "void"}, {"approval": "draft"}])
    def test_is_taken_back_once_at_the_target(
        self, kept: Journal, tmp_path: Path, said: dict[str, str], fate: str
    ) -> None:
        target = Reversible(Safety.LOOKUP)
        self.delivered(kept, target, tmp_path)
        target.fate = {"id-a": [fate]}
        orders(kept, "a", **({"status": "paid"} | said))
        run(kept, target, tmp_path, **self.ROUTE)
        run(kept, target, tmp_path, **self.ROUTE)
        assert (target.held, set(target.calls), states(kept)) == ([], {"reverse"}, {"a": "done"})

    def test_waits_for_a_person_where_the_sink_cannot(self, kept: Journal, tmp_path: Path) -> None:
        target = Target(Safety.NATURAL_KEY)
        self.delivered(kept, target, tmp_path)
        orders(kept, "a", status="cancelled")
        run(kept, target, tmp_path, **self.ROUTE)
        assert (states(kept), target.calls) == ({"a": "rejected"}, [])
        with kept.reading() as tx:
            [item] = tx.execute(select(work_item)).all()
        assert item.kind == "conflict"
        assert "来源系统已取消该单据, 而目标系统仍有单号 a" in item.reason

    def test_is_never_sent_where_the_target_has_not_got_it(self, kept: Journal, tmp_path: Path) -> None:
        target = Reversible(Safety.LOOKUP)
        orders(kept, "a", status="cancelled")
        run(kept, target, tmp_path, **self.ROUTE)
        assert (states(kept), target.calls) == ({"a": "cancelled"}, [])

    def test_gives_way_while_an_earlier_version_is_unknown(self, kept: Journal, tmp_path: Path) -> None:
        target = Reversible(Safety.NATURAL_KEY)
        target.fate = {"a": ["kill before"]}
        orders(kept, "a", status="paid")
        with pytest.raises(Killed):
            run(kept, target, tmp_path, **self.ROUTE)
        expire_leases(kept)
        orders(kept, "a", status="cancelled")
        run(kept, target, tmp_path, **self.ROUTE)
        assert target.held == []
        with kept.reading() as tx:
            ends = list(tx.execute(select(delivery.c.state).order_by(delivery.c.id)).scalars())
        assert ends == ["superseded", "cancelled"]

    def test_comes_again_when_its_source_brings_it_back(self, kept: Journal, tmp_path: Path) -> None:
        target = Reversible(Safety.LOOKUP)
        self.delivered(kept, target, tmp_path)
        for status in ("cancelled", "paid"):
            orders(kept, "a", status=status)
            run(kept, target, tmp_path, **self.ROUTE)
        assert [one["no"] for one in target.held] == ["a"]


class Hostile(Target):
    """A sink whose program is wrong, in the way it is told."""

    def __init__(self, fault: str) -> None:
        super().__init__(Safety.LOOKUP)
        self.fault = fault

    def key_of(self, payload: Record) -> str:
        return str(payload["nowhere"]) if self.fault == "key_of" else super().key_of(payload)

    def figures_of(self, payload: Record) -> Figures:
        return {"amount": 1 / 0} if self.fault == "figures_of" else super().figures_of(payload)  # type: ignore[dict-item]

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        if self.fault == "find":
            raise KeyError("data")
        return super().find(keys)

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        outcomes = super().write(payloads)
        if self.fault == "write":
            raise AttributeError("NoneType")
        return outcomes[1:] if self.fault == "too few" else outcomes


def test_closing_its_work_item_settles_a_refused_delivery_by_hand(kept: Journal, tmp_path: Path) -> None:
    target = Target(Safety.NATURAL_KEY)
    target.fate = {"a": ["refuse"], "b": ["refuse"]}
    orders(kept, "a", "b")
    run(kept, target, tmp_path)
    with kept.reading() as tx:
        item = tx.execute(select(work_item).where(work_item.c.subject.endswith(":a"))).one()
    work.close(kept, item.id, "李会计", "已在目标系统手工录入")
    assert states(kept) == {"a": "cancelled", "b": "rejected"}
    with kept.reading() as tx:
        last = tx.execute(select(delivery_event).order_by(delivery_event.c.id.desc()).limit(1)).one()
    assert (last.who, last.why) == ("李会计", "人工处理: 已在目标系统手工录入")


class TestAConnectorThatIsWrong:
    @pytest.mark.parametrize("fault", ["write", "too few"])
    def test_leaves_its_outcomes_unknown_and_they_are_asked_for(
        self, kept: Journal, tmp_path: Path, fault: str
    ) -> None:
        target = Hostile(fault)
        orders(kept, "a", "b")
        run(kept, target, tmp_path)
        assert (states(kept), sorted(one["no"] for one in target.held)) == ({"a": "done", "b": "done"}, ["a", "b"])

    @pytest.mark.parametrize("fault", ["key_of", "figures_of"])
    def test_holds_the_document_for_an_engineer(self, kept: Journal, tmp_path: Path, fault: str) -> None:
        orders(kept, "a")
        run(kept, Hostile(fault), tmp_path)
        assert states(kept) == {"a": "blocked"}
        with kept.reading() as tx:
            [item] = tx.execute(select(work_item)).all()
        assert (item.kind, item.owner) == ("config", "工程师")
        assert "target/order 的连接器程序出错" in item.reason

    def test_ends_the_step_plainly_when_it_cannot_be_asked(self, kept: Journal, tmp_path: Path) -> None:
        orders(kept, "a")
        with pytest.raises(ConnectorFault, match="KeyError"):
            run(kept, Hostile("find"), tmp_path)
        assert states(kept) == {"a": "pending"}


class OneShopIsShut(Target):
    """Refuses every question that touches what begins with "s"."""

    def __init__(self, error: DuijieError) -> None:
        super().__init__(Safety.LOOKUP)
        self.error = error
        self.asked: list[Sequence[str]] = []

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        self.asked.append(keys)
        if any(key.startswith("s") for key in keys):
            raise self.error
        return super().find(keys)


class TestATargetThatRefusesAPartOfAQuestion:
    KEYS = "a", "b", "s1", "c", "d", "s2", "e"

    def test_gets_all_the_others_and_the_run_says_what_is_wrong(self, kept: Journal, tmp_path: Path) -> None:
        target = OneShopIsShut(CredentialError("店铺 s 的授权已撤销, 请店主重新授权"))
        orders(kept, *self.KEYS)
        with pytest.raises(CredentialError, match="重新授权"):
            run(kept, target, tmp_path)
        assert states(kept) == {key: "pending" if key.startswith("s") else "done" for key in self.KEYS}
        assert sorted(one["no"] for one in target.held) == ["a", "b", "c", "d", "e"]

    def test_gets_all_the_others_where_it_gives_no_answer_of_one(self, kept: Journal, tmp_path: Path) -> None:
        target = OneShopIsShut(VendorBusy("单据 s1 的状态不明", where="s1"))
        orders(kept, "a", "s1", "b")
        run(kept, target, tmp_path)
        assert states(kept) == {"a": "done", "s1": "pending", "b": "done"}
        assert len(target.asked) == 2

    def test_is_not_asked_for_every_document_where_it_refuses_all(self, kept: Journal, tmp_path: Path) -> None:
        target = OneShopIsShut(RateLimited("限流", retry_after=500.0))
        orders(kept, *(f"s{number:03d}" for number in range(64)))
        run(kept, target, tmp_path, batch=64)
        assert set(states(kept).values()) == {"pending"}
        assert len(target.asked) < 64

    def test_leaves_alone_for_as_long_as_it_was_told_what_is_banned(self, kept: Journal, tmp_path: Path) -> None:
        orders(kept, *self.KEYS)
        run(kept, OneShopIsShut(RateLimited("店铺 s 被限流", retry_after=500.0)), tmp_path)
        assert states(kept)["s1"] == "pending"
        due = deliveries.next_due(kept, "target/order")
        assert due is not None
        assert 400 < (due - kept.now()).total_seconds() <= 500


def test_what_is_lost_again_and_again_ends_with_a_person(kept: Journal, target: Target, tmp_path: Path) -> None:
    target.fate = {"a": ["lost before"] * 50}
    orders(kept, "a")
    run(kept, target, tmp_path)
    assert (states(kept), target.calls.count("write")) == ({"a": "rejected"}, parcels.ATTEMPTS)


def test_an_earlier_version_let_go_late_never_overwrites_a_newer_one(kept: Journal, tmp_path: Path) -> None:
    target = Target(Safety.ABSOLUTE)
    target.fate = {"a": ["kill before"]}
    orders(kept, "a")
    with pytest.raises(Killed):
        run(kept, target, tmp_path)
    orders(kept, "a", gross=Decimal("99.00"))
    expire_leases(kept)
    run(kept, target, tmp_path)
    assert [str(one["amount"]) for one in target.held] == ["99.00"]
    with kept.reading() as tx:
        ends = list(tx.execute(select(delivery.c.state).order_by(delivery.c.id)).scalars())
    assert ends == ["superseded", "done"]
    assert target.calls.count("write") == 2


class Paused(Target):
    def _write(self, payload: Record) -> Outcome:
        try:
            leave.ask("target")
        except NotSent as error:
            return outcome_of(error)
        return super()._write(payload)


def test_nothing_leaves_once_the_lease_is_about_to_run_out(kept: Journal, tmp_path: Path) -> None:
    target = Paused(Safety.LOOKUP)
    orders(kept, "a")
    with pytest.MonkeyPatch.context() as slow:
        slow.setattr(leases, "LEASE", timedelta(seconds=1))
        slow.setattr(parcels, "LONGEST_PAUSE", 60.0)
        run(kept, target, tmp_path)
    assert (states(kept), target.held) == ({"a": "pending"}, [])


def test_a_lease_counts_from_before_a_claim_that_takes_long(kept: Journal, tmp_path: Path) -> None:
    def claim(*args: Any) -> list[deliveries.Delivery]:
        rows = claimed(*args)
        time.sleep(0.4)
        return rows

    target, claimed = Paused(Safety.LOOKUP), deliveries.claim
    orders(kept, "a")
    with pytest.MonkeyPatch.context() as slow:
        slow.setattr(leases, "LEASE", timedelta(seconds=leave.LONGEST_CALL + 0.3))
        slow.setattr(parcels, "LONGEST_PAUSE", 60.0)
        slow.setattr(deliveries, "claim", claim)
        run(kept, target, tmp_path)
    assert (states(kept), target.held) == ({"a": "pending"}, [])


def test_a_lease_is_renewed_while_a_batch_takes_long(kept: Journal, tmp_path: Path) -> None:
    class Slow(Target):
        def _write(self, payload: Record) -> Outcome:
            time.sleep(0.5)
            with kept.reading() as tx:
                self.leases = tx.execute(select(delivery.c.lease_until)).scalar_one()
            return super()._write(payload)

    target = Slow(Safety.LOOKUP)
    orders(kept, "a")
    began = kept.now()
    with pytest.MonkeyPatch.context() as short:
        short.setattr(leases, "LEASE", timedelta(seconds=0.4))
        run(kept, target, tmp_path)
    assert target.leases > began + deliveries.LEASE + timedelta(seconds=0.2)


def test_a_mapping_of_another_entity_is_refused_before_anything_is_silently_left_out(tmp_path: Path) -> None:
    path = tmp_path / "order.out.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    step = Deliver(name="d", connection="target", sink="order", entity="party", mapping="target/order.out")
    with pytest.raises(ConfigError, match=r"delivers party, its mapping target/order\.out is of sales_order"):
        must_take(step, load_mapping(path))
