"""Replay: what was corrected goes round again, alone, once, and never over something newer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event, inspect, text, update
from typer.testing import CliRunner, Result

from duijie import codec, parcels
from duijie.cli.main import app
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Safety
from duijie.journal import Journal, documents, inbox, standing, trace, work
from duijie.journal.codes import CHINA
from duijie.journal.inbox import Source
from duijie.journal.tables import message
from duijie.replay import Released, Wanted, choose, is_figure, preview_item, replay_item
from tests.journal.old import emptied, journal_at
from tests.replay_world import LEVELS, SENT_TO_PSI, World, trade
from tests.test_deliver import Changeable, Target


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(parcels, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
    if request.param == "postgresql":
        return Journal.open(request.getfixturevalue("postgres_database"))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture
def world(tmp_path: Path, kept: Journal) -> World:
    return World(tmp_path / "root", kept)


def refusal(act: Callable[[], object]) -> str:
    """What a person reads when this is refused."""
    with pytest.raises(ConfigError) as caught:
        act()
    return caught.value.zh


class TestOfAWorkItem:
    def test_a_blocked_order_is_delivered_by_the_run_after_its_replay(self, world: World) -> None:
        world.receive(trade(1), trade(2, buyer="王五"), trade(3, buyer="王五"))
        world.run()
        [item] = world.items()
        assert (item.kind, item.records, item.money) == ("unmapped", 2, 22600)
        world.codes["王五"] = "C3"
        world.run()
        assert sorted(one["no"] for one in world.target.held) == ["1"]  # it waits for a person's word
        assert preview_item(world.kept, item.id, world.routes) == Released(deliveries=2)
        assert replay_item(world.kept, item.id, "李四", world.routes) == Released(deliveries=2)
        world.run()
        assert sorted(one["no"] for one in world.target.held) == ["1", "2", "3"]
        assert world.items() == []

    def test_a_message_that_could_not_be_mapped_is_an_order_at_the_target_after_its_replay(self, world: World) -> None:
        world.receive(trade(1, payment="twelve"))
        world.run()
        [item] = world.items()
        world.correct("money(payment)", 'money("12.00" if payment == "twelve" else payment)')
        assert preview_item(world.kept, item.id, world.routes) == Released(messages=1)
        assert world.messages()[0][1] == "invalid"
        replay_item(world.kept, item.id, "李四", world.routes)
        world.run()
        assert [str(one["amount"]) for one in world.target.held] == ["12.00"]
        assert world.items() == []

    def test_the_same_key_in_another_flow_connection_or_stream_stays_where_it_is(self, world: World) -> None:
        elsewhere = (Source("other", "trade"), Source("shop", "refund"))
        world.flow("others", "other", "trade", "shop/sales_order.in")
        world.receive(trade(1, payment="x"))
        for source in elsewhere:
            world.receive(trade(1, payment="x"), source=source)
        world.refine()
        for source in elsewhere:
            for one in inbox.waiting(world.kept, source, 9):
                with world.kept.writing() as tx:
                    inbox.settle(tx, [one.id], "invalid", "m", "错")
        [item] = world.items()
        assert replay_item(world.kept, item.id, "李四", world.routes) == Released(messages=1)
        assert [row[1] for row in world.messages()] == ["new"]
        assert [row[1] for source in elsewhere for row in world.messages(source)] == ["invalid", "invalid"]

    def test_only_the_last_message_of_a_key_is_released(self, world: World) -> None:
        world.receive(trade(1, payment="x"))
        world.refine()
        world.receive(trade(1, payment="y", modified="2026-11-11T10:00:00"))
        world.refine()
        [item] = world.items()
        assert replay_item(world.kept, item.id, "李四", world.routes) == Released(messages=1)
        assert world.messages() == [("1", "skipped", inbox.OVERTAKEN), ("1", "new", "")]

    def test_an_item_of_very_many_records_is_released_in_batches(self, world: World) -> None:
        number = 40_000
        world.receive(trade(1))
        world.refine()
        with world.kept.writing() as tx:
            finding = work.Finding("unmapped", "customer:张三", "对照缺失")
            held = [("sales_order", f"n{each}", 1) for each in range(number)]
            item_id = work.open_item(tx, world.kept, "orders", finding, held)
            inbox.settle(tx, [1], "blocked", "m", "对照缺失")
            work.open_item(tx, world.kept, "orders", finding, [("sales_order", "1", 1)])
        assert replay_item(world.kept, item_id, "李四", world.routes) == Released(messages=1)

    def test_a_stock_figure_is_not_mapped_again_but_read_again(self, world: World) -> None:
        stock = Source("shop", "stock")
        world.flow("stock", "shop", "stock", "shop/stock_level.in")
        world.mapping("shop/stock_level.in", LEVELS)
        world.receive({"id": "A1", "qty": "?"}, source=stock)
        inbox.advance(world.kept, stock, world.kept.now())
        world.refine("stock")
        [item] = world.items()
        assert replay_item(world.kept, item.id, "李四", world.routes) == Released(reread=1)
        assert world.messages(stock) == [("A1", "skipped", inbox.REREAD)]
        assert inbox.position(world.kept, stock) is None

    def test_a_closed_item_is_refused_with_who_closed_it(self, world: World) -> None:
        world.receive(trade(1, payment="x"))
        world.refine()
        work.close(world.kept, 1, "王会计", "对方已更正")
        said = "待处理 1 已由 王会计 关闭 (对方已更正), 不能再操作"
        assert refusal(lambda: preview_item(world.kept, 1, world.routes)) == said
        assert refusal(lambda: replay_item(world.kept, 1, "李四", world.routes)) == said
        assert world.messages()[0][1] == "invalid"

    def test_a_missing_item_and_a_missing_flow_are_named(self, world: World) -> None:
        assert "没有编号为 7" in refusal(lambda: replay_item(world.kept, 7, "李四", world.routes))
        with world.kept.writing() as tx:
            work.open_item(tx, world.kept, "gone", work.Finding("invalid", "x", "错"), [("sales_order", "1", 0)])
        assert "没有流程 gone" in refusal(lambda: replay_item(world.kept, 1, "李四", world.routes))


class TestClaimingAndClosing:
    @pytest.fixture(autouse=True)
    def item(self, world: World) -> None:
        with world.kept.writing() as tx:
            work.open_item(tx, world.kept, "orders", work.Finding("invalid", "x", "错"))

    def test_a_second_person_is_told_who_holds_it(self, world: World) -> None:
        work.claim(world.kept, 1, "李四")
        assert "已由 李四 认领, 如需接手" in refusal(lambda: work.claim(world.kept, 1, "王五"))
        assert "不用再认领" in refusal(lambda: work.claim(world.kept, 1, "李四"))
        assert [one.owner for one in world.items()] == ["李四"]

    def test_a_closed_one_says_who_closed_it(self, world: World) -> None:
        work.close(world.kept, 1, "李四", "已更正")
        assert "已由 李四 关闭" in refusal(lambda: work.claim(world.kept, 1, "王五"))
        assert "已由 李四 关闭" in refusal(lambda: work.close(world.kept, 1, "王五", "x"))
        assert [one.resolution for one in world.items("closed")] == ["已更正"]

    def test_one_that_does_not_exist_is_said_so(self, world: World) -> None:
        assert "没有编号为 9" in refusal(lambda: work.claim(world.kept, 9, "王五"))
        assert "没有编号为 9" in refusal(lambda: work.close(world.kept, 9, "王五", "x"))

    def test_closing_needs_a_note(self, world: World) -> None:
        assert "处理说明" in refusal(lambda: work.close(world.kept, 1, "李四", "  "))
        assert len(world.items()) == 1


class TestReadings:
    """A reading that returns to an earlier one is news: stock 10, 8, then 10 again."""

    STOCK = Source("shop", "stock", "S01")

    def read(self, world: World, *figures: int) -> list[int]:
        return [inbox.store(world.kept, self.STOCK, "id", [{"id": "A1", "qty": str(qty)}]) for qty in figures]

    def test_each_change_is_kept_and_each_repetition_is_not(self, world: World) -> None:
        assert self.read(world, 10, 10, 8, 8, 10, 10, 8, 10) == [1, 0, 1, 0, 1, 0, 1, 1]

    def test_the_document_follows(self, world: World) -> None:
        world.flow("stock", "shop", "stock", "shop/stock_level.in")
        world.mapping("shop/stock_level.in", LEVELS)
        for qty in (10, 8, 10):
            self.read(world, qty)
            world.refine("stock")
        found = documents.get(world.kept, "stock_level", "A1")
        assert found is not None
        assert (found.version, str(found.body["on_hand"])) == (3, "10")

    def test_within_one_page_too_and_in_order(self, world: World) -> None:
        page = [{"id": "A1", "qty": qty} for qty in (10, 8, 10)]
        assert inbox.store(world.kept, self.STOCK, "id", page) == 3
        assert inbox.store(world.kept, self.STOCK, "id", page) == 2  # 10 is the last one known
        assert inbox.store(world.kept, self.STOCK, "id", page[:1]) == 0

    def test_one_partition_does_not_hide_anothers(self, world: World) -> None:
        self.read(world, 10)
        other = Source("shop", "stock", "S02")
        assert inbox.store(world.kept, other, "id", [{"id": "A1", "qty": "8"}]) == 1
        assert self.read(world, 10) == [0]

    def test_what_is_to_be_read_again_is_kept_though_nothing_changed_and_the_cursor_stays_away(
        self, world: World
    ) -> None:
        self.read(world, 10)
        before = world.kept.now()
        inbox.advance(world.kept, self.STOCK, before)
        assert inbox.read_again(world.kept, Source("shop", "stock"), [1]) == 1
        inbox.advance(world.kept, self.STOCK, world.kept.now(), before)  # a reading that was under way meanwhile
        assert inbox.position(world.kept, self.STOCK) is None
        assert self.read(world, 10, 10) == [1, 0]


CHANGED = Wanted(is_changed=True)


def delivered_orders(world: World, *numbers: int) -> None:
    world.receive(*(trade(number) for number in numbers))
    world.run()


def cents_more(world: World) -> None:
    """Correct the mapping: some orders' amounts change, the others' do not."""
    world.correct("gross: money(payment)}", 'gross: \'money("120.00") if id in ["2", "4"] else money(payment)\'}')


class TestOfAMapping:
    def test_the_trial_says_what_would_change_and_changes_nothing(self, world: World) -> None:
        delivered_orders(world, 1, 2, 3, 4)
        cents_more(world)
        seen = world.replay(CHANGED).trial()
        assert seen.words == {"报文": 4, "变化": 2, "新增": 0, "不变": 2, "新失败": 0}
        assert (seen.before, seen.after) == (22600, 24000)
        assert [one.key for one in seen.samples] == ["shop:2", "shop:4"]
        assert "gross 113.00 → 120.00" in [str(change) for change in seen.samples[0].changes]
        assert seen.delivered == {"target/order": 2}
        assert [world.order(number).version for number in (1, 2, 3, 4)] == [1, 1, 1, 1]
        assert trace.replays(world.kept) == []

    def test_only_what_differs_becomes_a_new_version_and_is_sent_again(self, world: World) -> None:
        delivered_orders(world, 1, 2, 3, 4)
        world.target = Changeable(Safety.NATURAL_KEY, world.target.held)
        cents_more(world)
        assert world.replay(CHANGED).carry_out().counts["changed"] == 2
        assert [world.order(number).version for number in (1, 2, 3, 4)] == [1, 2, 1, 2]
        world.deliver()
        assert world.target.calls == ["update", "update"]
        assert [str(one["amount"]) for one in world.target.held] == ["113.00", "120.00", "113.00", "120.00"]

    def test_what_the_target_cannot_change_waits_for_a_person_and_is_not_overwritten(self, world: World) -> None:
        delivered_orders(world, 1, 2)
        cents_more(world)
        world.replay(CHANGED).carry_out()
        world.target.calls.clear()
        world.deliver()
        assert world.target.calls == []
        [item] = world.items()
        assert (item.kind, item.records) == ("conflict", 1)
        assert "amount 113.00 → 120.00" in item.reason

    def test_a_second_time_there_is_nothing_left(self, world: World) -> None:
        delivered_orders(world, 1, 2)
        cents_more(world)
        world.replay(CHANGED).carry_out()
        assert world.replay(CHANGED).trial().counts == {}
        again = world.replay(Wanted(keys=("1", "2"))).carry_out()
        assert (again.counts["changed"], again.counts["unchanged"]) == (0, 2)

    def test_a_replay_cut_off_is_taken_up_again(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        delivered_orders(world, 1, 2, 3, 4)
        cents_more(world)
        monkeypatch.setattr(choose, "BATCH", 2)

        def cut(_: int) -> None:
            raise KeyboardInterrupt

        first = world.replay(CHANGED)
        first._progress = cut
        with pytest.raises(KeyboardInterrupt):
            first.carry_out()
        assert [world.order(number).version for number in (2, 4)] == [2, 1]
        second = world.replay(CHANGED).carry_out()
        assert (second.counts["messages"], second.counts["changed"]) == (2, 1)
        done, cut_off = trace.replays(world.kept)
        assert (cut_off.ended_at, done.ended_at is not None) == (None, True)
        assert (cut_off.counts["变化"], done.counts["变化"]) == (1, 1)

    def test_a_replay_says_who_when_why_and_what(self, world: World) -> None:
        delivered_orders(world, 1)
        cents_more(world)
        world.replay(Wanted(keys=("1",), is_changed=True)).carry_out()
        [row] = trace.replays(world.kept)
        assert (row.flow, row.stream, row.who, row.why) == ("orders", "shop/trade", "李四", "更正税率")
        assert row.wanted == "号码 1, 映射已变"
        assert row.mapping.startswith("shop/sales_order.in@")
        assert row.counts["报文"] == 1

    def test_what_can_no_longer_be_mapped_waits_and_its_document_stays(self, world: World) -> None:
        delivered_orders(world, 1, 2)
        world.correct("money(payment)}", 'money("1" if id == "1" else "no")}')
        seen = world.replay(CHANGED).trial()
        assert (seen.counts["changed"], seen.counts["failing"]) == (1, 1)
        assert len(seen.reasons) == 1
        assert world.items() == []
        world.replay(CHANGED).carry_out()
        assert (world.order(2).version, str(world.order(2).body["gross"])) == (1, "113.00")
        [item] = world.items()
        assert (item.kind, item.records) == ("invalid", 1)

    def test_what_waited_and_can_be_mapped_now_is_taken_off_its_item(self, world: World) -> None:
        world.receive(trade(1, payment="x"))
        world.refine()
        world.correct("money(payment)}", 'money("7" if payment == "x" else payment)}')
        assert world.replay(Wanted(reason="invalid")).carry_out().counts["new"] == 1
        assert world.items() == []
        world.deliver()
        assert [str(one["amount"]) for one in world.target.held] == ["7.00"]

    def test_another_key_would_be_a_second_document_and_is_not_made(self, world: World) -> None:
        delivered_orders(world, 1)
        world.correct('join(":", "shop", id)', 'join(":", "boutique", id)')
        assert world.replay(CHANGED).trial().counts["renamed"] == 1
        world.replay(CHANGED).carry_out()
        assert documents.count(world.kept) == {"sales_order": 1}
        [item] = world.items()
        assert "号码由 shop:1 变为 boutique:1" in item.reason
        assert world.replay(CHANGED).trial().counts == {}

    def test_what_would_be_skipped_now_stays_and_is_told(self, world: World) -> None:
        delivered_orders(world, 1)
        world.correct('status == "draft"', 'status == "paid"')
        world.replay(CHANGED).carry_out()
        assert world.order(1).version == 1
        assert "不再生成 shop:1" in world.items()[0].reason

    def test_a_voucher_made_of_it_stays_and_finance_is_told(self, world: World) -> None:
        delivered_orders(world, 1, 2)
        with world.kept.writing() as tx:
            for number in (1, 2):
                documents.connect(tx, world.kept, "sale", world.order(number), ("voucher", "sale:S01:1", 11300))
        cents_more(world)
        assert world.replay(CHANGED).trial().used == {("voucher", "sale:S01:1")}
        world.replay(CHANGED).carry_out()
        [item] = world.items()
        assert (item.kind, item.owner, item.records, item.money) == ("conflict", "会计", 1, 700)
        assert "红冲或补差" in item.reason


class TestOrderOfMessages:
    def test_only_the_last_message_of_a_key_counts(self, world: World) -> None:
        world.receive(trade(2), trade(2, payment="50.00", status="shipped", modified="2026-11-11T10:00:00"))
        world.refine()
        cents_more(world)
        seen = world.replay(CHANGED).carry_out()
        assert seen.counts["messages"] == 1
        assert (world.order(2).body["status"], str(world.order(2).body["gross"])) == ("shipped", "120.00")

    def test_a_late_older_message_does_not_stand_in_for_the_newer_one(self, world: World) -> None:
        world.receive(trade(2, status="shipped", modified="2026-11-11T10:00:00"))
        world.refine()
        world.receive(trade(2, modified="2026-11-11T09:00:00"))
        world.refine()
        cents_more(world)
        assert world.replay(CHANGED).carry_out().counts["changed"] == 1
        assert (world.order(2).body["status"], str(world.order(2).body["gross"])) == ("shipped", "120.00")
        assert world.replay(CHANGED).trial().counts == {}

    def test_what_has_come_in_since_is_left_to_the_next_run(self, world: World) -> None:
        delivered_orders(world, 2)
        cents_more(world)
        world.receive(trade(2, status="shipped", modified="2026-11-11T10:00:00"))
        assert world.replay(CHANGED).carry_out().counts == {}
        world.refine()
        assert (world.order(2).version, world.order(2).body["status"]) == (2, "shipped")

    def test_what_moves_on_between_choosing_and_keeping_is_left_alone(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delivered_orders(world, 2)
        cents_more(world)
        replaying = world.replay(CHANGED)
        batches = choose.batches

        def overtaken(*given: object) -> Iterator[list[choose.Chosen]]:
            for batch in batches(*given):  # type: ignore[arg-type]
                world.receive(trade(2, payment="9.00", modified="2026-11-11T10:00:00"))
                yield batch

        monkeypatch.setattr(choose, "batches", overtaken)
        assert replaying.carry_out().counts == {"overtaken": 1}
        assert world.order(2).version == 1


class TestChoosing:
    @pytest.fixture(autouse=True)
    def orders(self, world: World) -> None:
        delivered_orders(world, 1, 2, 3)
        world.receive(trade(4, buyer="王五"), trade(5, payment="x"))
        world.run()
        cents_more(world)

    def chosen(self, world: World, **asked: object) -> list[str]:
        [route] = world.routes.of("orders")
        found = choose.batches(world.kept, route, Wanted(**asked))  # type: ignore[arg-type]
        keys = [one.message.key for batch in found for one in batch]
        assert choose.count(world.kept, route, Wanted(**asked)) == len(keys)  # type: ignore[arg-type]
        return keys

    def test_by_the_key_of_the_message_or_of_the_document(self, world: World) -> None:
        assert self.chosen(world, keys=("2", "shop:3", "none")) == ["2", "3"]

    def test_by_reason(self, world: World) -> None:
        assert self.chosen(world, reason="invalid") == ["5"]
        assert self.chosen(world, reason="unmapped") == ["4"]
        assert self.chosen(world, reason="王五") == ["4"]
        assert self.chosen(world, reason="100%") == []

    def test_by_the_time_it_came_in(self, world: World) -> None:
        with world.kept.writing() as tx:
            day = datetime(2026, 11, 11, tzinfo=CHINA)
            for number in range(1, 6):
                mine = update(message).where(message.c.key == str(number))
                tx.execute(mine.values(received_at=day + timedelta(hours=number)))
        assert self.chosen(world, since=day + timedelta(hours=2), until=day + timedelta(hours=4)) == ["2", "3"]

    def test_by_the_mapping_that_made_it(self, world: World) -> None:
        assert self.chosen(world, is_changed=True) == ["1", "2", "3", "4", "5"]
        world.replay(Wanted(keys=("1", "2"))).carry_out()
        assert self.chosen(world, is_changed=True) == ["3", "4", "5"]

    def test_a_key_or_a_reason_lets_the_flows_waiting_deliveries_go_too(self, world: World) -> None:
        delivered_orders(world, 1)
        world.receive(trade(6, buyer="王五"))
        world.run()
        world.codes["王五"] = "C3"
        assert world.replay(Wanted(reason="unmapped")).trial().counts["deliveries"] == 2
        assert world.replay(Wanted(since=datetime(2026, 11, 11, tzinfo=CHINA))).trial().counts["deliveries"] == 0
        assert world.replay(Wanted(keys=("6",))).carry_out().counts["deliveries"] == 1
        world.deliver()
        assert sorted(one["no"] for one in world.target.held) == ["1", "2", "3", "6"]

    def test_nothing_asked_for_is_refused(self) -> None:
        now = datetime(2026, 11, 11, tzinfo=CHINA)
        assert "至少一个条件" in refusal(lambda: Wanted().check())
        assert "时间范围为空" in refusal(lambda: Wanted(since=now, until=now).check())


class TestFigures:
    def test_a_stock_figure_is_read_again_at_the_next_pull(self, world: World) -> None:
        world.flow("stock", "shop", "stock", "shop/stock_level.in")
        world.mapping("shop/stock_level.in", LEVELS)
        stock = Source("shop", "stock")
        world.receive({"id": "A1", "qty": "10"}, source=stock)
        inbox.advance(world.kept, stock, world.kept.now())
        world.refine("stock")
        world.correct("decimal(qty)", "decimal(qty) - 1", "shop/stock_level.in")
        assert world.replay(CHANGED, "stock").trial_of_figures().words["重读"] == 1
        world.replay(CHANGED, "stock").read_again()
        world.refine("stock")
        assert self.level(world) == "10"  # nothing is made of what is stored
        assert inbox.position(world.kept, stock) is None
        world.receive({"id": "A1", "qty": "10"}, source=stock)
        world.refine("stock")
        assert self.level(world) == "9"

    def test_what_a_sink_overwrites_is_a_figure(self, world: World) -> None:
        flows = world.flows.values()
        assert is_figure(["stock_level"], flows, lambda *_: Target(Safety.LOOKUP))
        assert is_figure(["sales_order"], flows, lambda *_: Target(Safety.ABSOLUTE))
        assert not is_figure(["sales_order"], flows, lambda *_: Target(Safety.LOOKUP))

    @staticmethod
    def level(world: World) -> str:
        found = documents.get(world.kept, "stock_level", "A1")
        assert found is not None
        return str(found.body["on_hand"])


class TestTheCommand:
    @pytest.fixture
    def shell(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
        connection = {"conn_type": "xingchen", "host": "http://127.0.0.1:1", "login": "1", "password": "0" * 32}
        connection["extra"] = {"outer_instance_id": "demo"}  # type: ignore[assignment]
        monkeypatch.setenv("DUIJIE_CONN_PSI", codec.encode(connection).decode())
        monkeypatch.setenv("DUIJIE_JOURNAL", world.kept.engine.url.render_as_string(hide_password=False))
        monkeypatch.setenv("COLUMNS", "200")
        world.flow("orders", "shop", "trade", "shop/sales_order.in", SENT_TO_PSI)
        world.receive(trade(1), trade(2), trade(3, payment="x"))
        world.refine()
        cents_more(world)

        def run(*given: str, says: str = "") -> Result:
            return CliRunner().invoke(app, [*given, "--flows", str(world.root / "dags/flows")], input=says)

        return run

    def test_a_dry_run_shows_the_difference_and_writes_nothing(
        self, world: World, shell: Callable[..., Result]
    ) -> None:
        said = shell("replay", "--flow", "orders", "--mapping-changed", "--dry-run").output
        assert "未写入任何内容" in said
        assert "变化 shop:2 " in said
        assert "gross 113.00 → 120.00" in said
        assert world.order(2).version == 1

    def test_it_asks_before_it_changes(self, world: World, shell: Callable[..., Result]) -> None:
        assert shell("replay", "--key", "2", says="n\n").exit_code == 1
        assert world.order(2).version == 1
        said = shell("replay", "--key", "2", "--why", "税率更正", says="y\n").output
        assert "重放完成" in said
        assert world.order(2).version == 2
        assert [(one.why, one.wanted) for one in trace.replays(world.kept)] == [("税率更正", "号码 2")]

    def test_a_program_reads_json(self, world: World, shell: Callable[..., Result]) -> None:
        [one] = codec.decode(shell("replay", "--reason", "数据有误", "--yes", "--json").stdout)
        assert (one["flow"], one["counts"]) == ("orders", {"messages": 1, "waiting": 1})
        [one] = codec.decode(shell("replay", "--mapping-changed", "--dry-run", "--json").stdout)
        assert one["counts"] == {"messages": 2, "unchanged": 1, "changed": 1}
        assert ["gross", Decimal("113.00"), Decimal("120.00")] in one["samples"][0]["changes"]

    def test_a_mistake_is_one_sentence(self, shell: Callable[..., Result]) -> None:
        for given, words in ((("--flow", "x", "--key", "1"), "没有流程 x"), ((), "至少一个条件")):
            result = shell("replay", *given)
            assert result.exit_code == 1
            assert words in result.stderr

    def test_work_items_are_replayed_claimed_and_closed(self, world: World, shell: Callable[..., Result]) -> None:
        [item] = world.items()
        assert "试算" in shell("work", "replay", str(item.id), "--dry-run").output
        assert world.messages()[2][1] == "invalid"
        shell("work", "replay", str(item.id))
        assert world.messages()[2][1] == "new"
        runner = CliRunner()
        assert runner.invoke(app, ["work", "list", "--owner", "会计"]).output.strip() == "待处理: 无"
        assert "已认领" in runner.invoke(app, ["work", "claim", str(item.id), "--who", "李四"]).output
        assert "李四" in runner.invoke(app, ["work", "list", "--owner", "李四", "--kind", "数据有误"]).output
        assert "已由 李四 认领" in runner.invoke(app, ["work", "claim", str(item.id), "--who", "王五"]).stderr
        assert "已关闭" in runner.invoke(app, ["work", "close", str(item.id), "--note", "已更正"]).output


def test_a_journal_of_the_schema_before_gets_the_table_and_the_indexes(kept: Journal) -> None:
    indexes = ("document_by_message", "document_by_key", "delivery_of")
    url = emptied(kept)
    old = journal_at(url, "0005")
    with old.writing() as tx:
        for statement in ("DROP TABLE replay", *(f"DROP INDEX {name}" for name in indexes)):
            tx.execute(text(statement))
        tx.execute(text("UPDATE duijie_version SET version_num = '0002'"))
    old.engine.dispose()
    again = Journal.open(url)
    assert trace.replays(again) == []
    found = {index["name"] for table in ("document", "delivery") for index in inspect(again.engine).get_indexes(table)}
    assert found >= set(indexes)


def test_a_document_is_found_by_its_key_without_reading_the_others(tmp_path: Path) -> None:
    kept = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    seen: list[tuple[str, object]] = []
    event.listen(kept.engine, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
    with kept.writing() as tx:
        documents.put(tx, kept, "sales_order", {"key": "1"}, (None, "m"))
        standing.by_message_key(tx, Source("shop", "trade"), ["1"])
        standing.delivered(tx, [("sales_order", "1")])
        asked = [one for one in seen if one[0].startswith("SELECT")]
        plans = [str(tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all()) for sql, given in asked]
    for plan, index in zip(plans, ("document_by_key", "document_by_message", "delivery_of"), strict=True):
        assert index in plan
        assert "SCAN" not in plan
