"""What many records have wrong alike is one work item that says of each what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from duijie.cli.main import app
from duijie.codec import Record
from duijie.journal import Journal, inbox, views
from duijie.journal.tables import alert
from duijie.replay import replay_item
from tests.replay_world import TRADES, World
from tests.test_replay import kept, trade  # noqa: F401  a fixture and what it is filled with


@pytest.fixture
def world(tmp_path: Path, kept: Journal) -> World:  # noqa: F811
    return World(tmp_path, kept)


def arrive(world: World, *trades: Record) -> None:
    world.receive(*trades)
    world.refine()


def closed(world: World) -> list[str]:
    return [one.resolution for one in views.items(world.kept, state="closed")]


def test_a_hundred_records_with_one_fault_are_one_item_and_one_alert(world: World) -> None:
    arrive(world, *(trade(n, payment=f"¥{n}") for n in range(1, 101)))
    [item] = world.items()
    assert (item.kind, item.records) == ("invalid", 100)
    assert item.subject == "sales_order:shop/sales_order.in 字段 let gross"
    with world.kept.reading() as tx:
        assert len(tx.execute(select(alert.c.id)).all()) == 1


def test_each_record_says_what_is_wrong_with_it(world: World) -> None:
    arrive(world, trade(1, payment="¥1"), trade(2, payment="二"))
    [item] = world.items()
    held = views.records(world.kept, item.id)
    why = views.reasons(world.kept, held)
    assert [("¥1" in why["sales_order", "1"]), ("二" in why["sales_order", "2"])] == [True, True]


def test_what_comes_right_leaves_and_the_last_one_closes_the_item(world: World) -> None:
    arrive(world, trade(1, payment="¥1"), trade(2, payment="¥2"))
    arrive(world, trade(1, payment="1.00"))
    assert [one.records for one in world.items()] == [1]
    arrive(world, trade(2, payment="2.00"))
    assert world.items() == []
    assert len(closed(world)) == 1


def test_a_record_that_fails_elsewhere_moves_to_the_item_of_that_fault(world: World) -> None:
    arrive(world, trade(2, payment="¥2"))
    world.correct("{gross: money(payment)}", '{gross: \'money(replace(payment, "¥", ""))\'}')
    world.correct("ordered_at: modified", 'ordered_at: \'fail("没有时间") if id == "2" else modified\'')
    inbox.release(world.kept, TRADES)
    world.refine()
    [item] = world.items()
    assert (item.records, "ordered_at" in item.subject, "没有时间" in item.reason) == (1, True, True)
    assert closed(world) == ["已由其他待处理接管"]


def test_lines_of_a_list_are_one_fault_whichever_line_it_is(world: World) -> None:
    world.correct('[{"no": 1}]', '[{"no": "1"}, {"no": "2" if id == "1" else "x"}, {"no": "x" if id == "1" else "3"}]')
    world.correct("line_no: line.no", "line_no: integer(line.no)")
    arrive(world, trade(1), trade(2))
    assert [(one.subject, one.records) for one in world.items()] == [
        ("sales_order:shop/sales_order.in 字段 lines[].line_no", 2)
    ]


def test_documents_that_the_schema_refuses_share_an_item_by_field(world: World) -> None:
    world.correct("tax_rate: 0}", "tax_rate: decimal(id)}")
    arrive(world, trade(1), trade(2))
    assert [(one.subject, one.records) for one in world.items()] == [
        ("sales_order:shop/sales_order.in 结构 lines[].tax_rate", 2)
    ]


def test_at_a_sink_they_share_one_too(world: World) -> None:
    world.correct("amount: gross", "amount: 'fail(\"不收\") if gross > 0 else gross'", "target/order.out")
    arrive(world, trade(1), trade(2))
    world.deliver()
    assert [(one.subject, one.records) for one in world.items()] == [("target/order:target/order.out 字段 amount", 2)]
    world.correct('fail("不收")', "gross", "target/order.out")
    replay_item(world.kept, world.items()[0].id, "李四", world.routes)
    world.deliver()
    assert world.items() == []


def test_the_command_shows_every_document_with_its_reason(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(world, trade(1, payment="¥1"), trade(2, payment="二"))
    monkeypatch.setenv("DUIJIE_JOURNAL", world.kept.engine.url.render_as_string(hide_password=False))
    [item] = world.items()
    rows = json.loads(CliRunner().invoke(app, ["work", "show", str(item.id), "--json"]).stdout)
    assert [(one["号码"], one["单据"]) for one in rows] == [("1", "销售订单"), ("2", "销售订单")]
    assert all(word in one["原因"] for word, one in zip(("¥1", "二"), rows, strict=True))
    assert "没有编号为 999 的待处理" in CliRunner().invoke(app, ["work", "show", "999"]).stderr
