"""重放 on a document: first what would change, then the change, for those who may act, and a record of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from duijie import codec
from duijie.console.app import create_app
from duijie.journal import Journal, documents
from duijie.journal.inbox import Source
from tests.console.conftest import form_token, log_in
from tests.replay_world import LEVELS, SENT_TO_PSI, World, trade

PSI = {"conn_type": "xingchen", "host": "http://127.0.0.1:1", "login": "1", "password": "0" * 32,
       "extra": {"outer_instance_id": "demo"}}  # fmt: skip


@pytest.fixture
def world(kept: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("DUIJIE_CONN_PSI", codec.encode(PSI).decode())
    made = World(tmp_path / "root", kept)
    made.flow("orders", "shop", "trade", "shop/sales_order.in", SENT_TO_PSI)
    made.receive(trade(2))
    made.refine()
    made.correct("money(payment)}", 'money("120.00")}')
    return made


@pytest.fixture
def anybody(world: World, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(
        create_app(f"sqlite:///{tmp_path / 'journal.db'}", world.root), base_url="http://console"
    ) as client:
        yield client


def test_the_page_shows_the_change_and_makes_none(ops: TestClient, world: World) -> None:
    document = world.order(2)
    assert f'href="/document/{document.id}/replay"' in ops.get(f"/document/{document.id}").text
    page = ops.get(f"/document/{document.id}/replay").text
    assert "未写入任何内容" in page
    assert "<code>gross</code></td><td>113.00</td><td>120.00" in page
    assert "确认重放" in page
    assert world.order(2).version == 1


def test_carrying_it_out_says_what_came_of_it_and_leaves_a_record(ops: TestClient, world: World) -> None:
    path = f"/document/{world.order(2).id}/replay"
    page = ops.post(path, data={"csrf": form_token(ops.get(path).text)}).text
    assert "已重放: 报文 1, 变化 1, 变化由流程下次运行重新发送" in page
    assert "第 2 版" in page
    assert str(world.order(2).body["gross"]) == "120.00"
    record = ops.get("/replays").text
    for words in ("ops 某人", "orders · shop/trade", "号码 shop:2", "变化 1"):
        assert words in record
    assert "结果没有变化, 不用重放" in ops.get(f"/document/{world.order(2).id}/replay").text


def test_a_viewer_sees_no_button_and_may_not(anybody: TestClient, world: World) -> None:
    log_in(anybody, "look")
    path = f"/document/{world.order(2).id}/replay"
    assert "replay" not in anybody.get(f"/document/{world.order(2).id}").text
    page = anybody.get(path).text
    assert "确认重放" not in page
    assert anybody.post(path, data={"csrf": form_token(page)}).status_code == 403
    assert world.order(2).version == 1


def test_a_form_without_the_token_does_nothing(ops: TestClient, world: World) -> None:
    assert ops.post(f"/document/{world.order(2).id}/replay", data={"csrf": "forged"}).status_code == 403
    assert world.order(2).version == 1


def test_a_document_made_of_others_says_what_to_replay_instead(ops: TestClient, world: World) -> None:
    voucher = documents.get(world.kept, "voucher", "sale:S01:2026-11-11:1")
    assert voucher is not None
    assert "请重放其来源单据" in ops.get(f"/document/{voucher.id}/replay").text
    token = form_token(ops.get("/work").text)
    assert "请重放其来源单据" in ops.post(f"/document/{voucher.id}/replay", data={"csrf": token}).text


def test_a_stream_that_no_flow_reads_any_more_is_named(ops: TestClient) -> None:
    assert "没有流程再读取 taobao 的数据流 trade" in ops.get("/document/1/replay").text


def test_a_stock_figure_is_read_again(ops: TestClient, world: World) -> None:
    world.flow("stock", "shop", "stock", "shop/stock_level.in")
    world.mapping("shop/stock_level.in", LEVELS)
    world.receive({"id": "A1", "qty": "10"}, source=Source("shop", "stock"))
    world.refine("stock")
    level = documents.get(world.kept, "stock_level", "A1")
    assert level is not None
    path = f"/document/{level.id}/replay"
    assert "即时数不从旧报文重放" in ops.get(path).text
    assert "将在下次拉取时重新读取" in ops.post(path, data={"csrf": form_token(ops.get(path).text)}).text
    assert world.messages(Source("shop", "stock")) == [("A1", "skipped", "等待重读")]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_document_that_is_not_there_is_a_plain_404(ops: TestClient, method: str) -> None:
    token = form_token(ops.get("/work").text)
    assert ops.request(method, "/document/999/replay", data={"csrf": token}).status_code == 404
