"""今日总览: does every flow run and keep up, what waits and since when, what healed today and this week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update
from starlette.testclient import TestClient

from duijie.console.app import create_app
from duijie.console.overview import behind
from duijie.flow import Deliver, Flow, Pull
from duijie.journal import Journal, deliveries, documents, inbox, planning, work
from duijie.journal.deliveries import Change
from duijie.journal.inbox import Source
from duijie.journal.tables import delivery, incident, run
from tests.console.conftest import ORDER, log_in

NOON = datetime(2026, 11, 11, 4, tzinfo=UTC)
PULL = Pull("pull", "taobao", "trade", "m", since=NOON - timedelta(days=30), lag_seconds=60)


class Rows(HTMLParser):
    """The text of every table row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()


def row(client: TestClient, first: str) -> list[str]:
    return next(cells for cells in Rows(client.get("/").text).rows if cells and cells[0].startswith(first))


@pytest.fixture
def noon(kept: Journal, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """It is noon in China."""
    monkeypatch.setattr(Journal, "now", staticmethod(lambda: NOON))
    return NOON


@pytest.fixture
def at_noon(noon: datetime, kept: Journal, tmp_path: Path) -> TestClient:
    client = TestClient(create_app(f"sqlite:///{tmp_path / 'journal.db'}"), base_url="http://console")
    assert log_in(client, "ops") == 303
    return client


def test_todays_failures_stand_beside_the_weeks_and_older_ones_are_gone(at_noon: TestClient, kept: Journal) -> None:
    with kept.writing() as tx:
        tx.execute(delete(incident))
        for hours in (1, 2, 13, 50, 24 * 8):
            at = NOON - timedelta(hours=hours)
            tx.execute(insert(incident).values(connection="taobao", kind="RateLimited", detail="", at=at))
        tx.execute(
            insert(incident).values(connection="xingchen", kind="NotSent", detail="", at=NOON - timedelta(days=9))
        )
    assert row(at_noon, "淘宝: 限流, 等待") == ["淘宝: 限流, 等待", "2", "4"]
    assert "连接失败" not in at_noon.get("/").text


def test_the_backlog_of_a_flow_shows_each_stage_with_the_age_of_its_oldest(at_noon: TestClient, kept: Journal) -> None:
    for number in range(4):
        with kept.writing() as tx:
            documents.put(tx, kept, "sales_order", {"key": f"t:{number}", "gross": Decimal(1)}, (None, "x"))
    fresh = [(one, 100) for one in planning.unplanned(kept, "sales_order", "xingchen/sales_order")]
    planning.plan(kept, "orders", "xingchen/sales_order", fresh)
    one, two, *_ = deliveries.claim(kept, "xingchen/sales_order", ("pending",), 2)
    deliveries.settle(kept, "claimed", {one.claim: Change("blocked"), two.claim: Change("sent")})
    deliveries.settle(kept, "sent", {two.claim: Change("unknown")})
    with kept.writing() as tx:
        tx.execute(update(delivery).where(delivery.c.id == one.id).values(created_at=NOON - timedelta(hours=50)))
    cells = row(at_noon, "淘宝订单 → 金蝶AI星辰销售订单")
    assert cells[7] == "待发 2 (不到 1 分钟) 结果未知 1 (不到 1 分钟) 阻塞 1 (2 天)"


def test_a_flow_says_how_far_its_reading_is_behind(at_noon: TestClient, kept: Journal) -> None:
    for stream in ("stock", "inventory"):
        system = "taobao" if stream == "stock" else "xingchen"
        inbox.advance(kept, Source(system, stream, ""), NOON - timedelta(hours=3))
    assert row(at_noon, "金蝶AI星辰可用量")[6] == "3 小时"
    assert row(at_noon, "告警发送")[6] == "—"


def test_the_counts_begin_at_midnight_in_china(at_noon: TestClient, kept: Journal) -> None:
    with kept.writing() as tx:
        tx.execute(delete(run))
        for hours, counts in ((13, '{"read":70}'), (11, '{"read":5,"delivered":2}')):
            at = NOON - timedelta(hours=hours)
            tx.execute(insert(run).values(flow="orders", step="pull_orders", started_at=at, ended_at=at, counts=counts))
    cells = row(at_noon, "淘宝订单")
    assert cells[1:6] == ["11 小时前", "11 小时前", "5", "0", "2"]


class TestBehind:
    @staticmethod
    def flow(*steps: Pull | Deliver) -> Flow:
        return Flow("f", "F", steps)

    def test_a_stream_that_is_read_to_its_lag_is_not_behind(self) -> None:
        positions = {("taobao", "trade"): NOON - timedelta(seconds=60)}
        assert behind(self.flow(PULL), positions, NOON) == timedelta()

    def test_a_stream_with_an_end_is_done_there(self) -> None:
        ends = Pull("p", "taobao", "trade", "m", since=NOON, until=NOON - timedelta(days=1))
        assert behind(self.flow(ends), {("taobao", "trade"): NOON - timedelta(days=1)}, NOON) == timedelta()

    def test_the_stream_that_is_furthest_behind_counts(self) -> None:
        other = Pull("q", "xingchen", "inventory", "m", since=NOON, lag_seconds=0)
        positions = {("taobao", "trade"): NOON, ("xingchen", "inventory"): NOON - timedelta(minutes=9)}
        assert behind(self.flow(PULL, other), positions, NOON) == timedelta(minutes=9)

    def test_what_was_never_read_is_not_known(self) -> None:
        assert behind(self.flow(PULL), {}, NOON) is None
        assert behind(self.flow(Deliver("d", "c", "s", "e", "m")), {("taobao", "trade"): NOON}, NOON) is None


def test_the_chain_of_an_order_shows_payment_and_shipment_as_the_order_tells_them(
    ops: TestClient, kept: Journal
) -> None:
    paid = {"paid_at": "2026-11-11T09:02:00+08:00", "gross": Decimal("1121.00"), "key": ORDER}
    with kept.writing() as tx:
        documents.put(tx, kept, "sales_order", {**paid, "status": "paid"}, (None, "x"))
    page = ops.get("/trace", params={"q": ORDER}).text
    assert "收款" in page.split("<h2")[1]
    assert "2026-11-11 09:02:00" in page
    assert ">出库<" not in page
    with kept.writing() as tx:
        sent = {"shipped_at": "2026-11-12T16:30:00+08:00"}
        documents.put(tx, kept, "sales_order", {**paid, **sent, "status": "shipped"}, (None, "x"))
    page = ops.get("/trace", params={"q": ORDER}).text
    assert ">出库<" in page
    assert "2026-11-12 16:30:00" in page


def test_an_order_that_names_no_time_shows_none(ops: TestClient) -> None:
    page = ops.get("/trace", params={"q": ORDER}).text
    assert "店铺显示已发货, 未给出时间" in page
    assert ">收款<" not in page


def test_many_hits_come_in_pages_that_say_how_many_there_are(ops: TestClient, kept: Journal) -> None:
    for number in range(23):
        with kept.writing() as tx:
            documents.put(tx, kept, "sales_order", {"key": f"s:55{number:02}", "gross": Decimal(1)}, (None, "x"))
    page = ops.get("/trace?q=55").text
    assert "23 张单据符合“55”; 请输入更完整的号码" in page
    assert "第 1 页, 共 3 页" in page
    assert page.count("<strong>s:55") == 10
    last = ops.get("/trace?q=55&page=3").text
    assert last.count("<strong>s:55") == 3
    assert "下一页" not in last


class TestTheWatchdogsLight:
    @staticmethod
    def looked(kept: Journal, ago: timedelta) -> None:
        moment = kept.now() - ago
        with kept.writing() as tx:
            tx.execute(insert(run).values(flow="watchdog", step="look", started_at=moment, ended_at=moment))

    def test_it_is_green_while_it_looks_and_finds_nothing(self, ops: TestClient, kept: Journal) -> None:
        assert "值守尚未运行" in ops.get("/").text
        self.looked(kept, timedelta(minutes=2))
        assert "一切正常" in ops.get("/").text

    def test_what_it_found_is_listed_the_most_urgent_first(self, ops: TestClient, kept: Journal) -> None:
        self.looked(kept, timedelta(minutes=2))
        with kept.writing() as tx:
            work.raise_alert(tx, kept, "watch|lag|a|", "重要", "读取进度落后 3 小时", "x")
            work.raise_alert(tx, kept, "watch|idle|b|", "紧急", "调度器已停止心跳", "x")
        page = ops.get("/").text
        assert "发现异常 · 2 项" in page
        assert page.index("调度器已停止心跳") < page.index("读取进度落后")

    def test_a_watchdog_that_fell_silent_itself_is_red(self, ops: TestClient, kept: Journal) -> None:
        self.looked(kept, timedelta(minutes=40))
        assert "值守没有在运行" in ops.get("/").text
