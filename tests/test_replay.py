"""Replay: what was corrected goes round again, alone, once, and never over something newer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from duijie import deliver
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Safety
from duijie.journal import Journal, documents, inbox, work
from duijie.journal.inbox import Source
from duijie.replay import Released, preview_item, replay_item
from tests.replay_world import LEVELS, World, trade


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr(deliver, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
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
