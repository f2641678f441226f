"""The watchdog: each kind of silence is found once, said with a next step, and closed when it is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.flow import Deliver, Expect, Flow, Pull, Watch
from duijie.journal import Journal, inbox, planning, upkeep, work
from duijie.journal.inbox import Source
from duijie.journal.tables import alert, run
from duijie.watch import Around, Finding, Looked, look
from duijie.watch.expiry import day_of
from duijie.watch.schedule import CHINA, tick_before
from duijie.watch.volume import span_of
from tests.journal.stages import SINK, brought, order
from tests.watch.conftest import NOON, Clock

PULL = Pull(name="pull", connection="shop", stream="trade", mapping="m", since=NOON - timedelta(days=9))
SEND = Deliver(name="send", connection="psi", sink="sales_order", entity="sales_order", mapping="m")
ORDERS = Flow(flow="orders", title="订单", steps=(PULL, SEND), schedule="*/5 * * * *")


def at(kept: Journal, moment: datetime) -> None:
    kept.now = Clock(moment)  # type: ignore[method-assign]


def ran(kept: Journal, flow: str = "orders", step: str = "pull", ago: timedelta = timedelta(), **counts: int) -> None:
    began = kept.now() - ago
    row = {"flow": flow, "step": step, "started_at": began, "ended_at": began, "counts": codec.encode(counts).decode()}
    with kept.writing() as tx:
        tx.execute(insert(run).values(**row))


def looked(kept: Journal, flow: Flow = ORDERS, **more: Any) -> Looked:
    connections: Mapping[str, Connection] = more.pop("connections", {})

    def find(conn_id: str) -> Connection:
        if conn_id in connections:
            return connections[conn_id]
        raise ConfigError("没有", en="none")

    limits = Watch(name="look", **({"disk_percent": 0, "skew_seconds": 10**9} | more))
    return look(kept, Around({flow.flow: flow}, limits, find))


def found(kept: Journal, rule: str, flow: Flow = ORDERS, **more: Any) -> list[Finding]:
    return [one for one in looked(kept, flow, **more).findings if one.rule == rule]


def open_now(kept: Journal) -> list[tuple[str, str]]:
    with kept.reading() as tx:
        rows = tx.execute(select(alert).where(alert.c.open_dedupe.is_not(None)).order_by(alert.c.id))
        return [(row.open_dedupe, row.level) for row in rows]


def test_a_journal_in_which_all_is_well_says_nothing(kept: Journal) -> None:
    ran(kept)
    brought(kept, "a", "done")
    inbox.advance(kept, Source("shop", "trade"), NOON)
    assert looked(kept).findings == []


class TestAlerts:
    def test_a_finding_is_raised_once_and_recovers(self, kept: Journal) -> None:
        ran(kept, ago=timedelta(minutes=20))
        assert [looked(kept).raised for _ in range(3)] == [1, 0, 0]
        assert open_now(kept) == [("watch|idle|orders|", "重要")]
        with kept.writing() as tx:
            tx.execute(update(alert).values(state="sent"))
        ran(kept)
        assert looked(kept).over == 1
        with kept.reading() as tx:
            assert "已恢复: 流程 订单 连续 3 次未按计划运行" in tx.execute(select(alert.c.title)).scalars().all()[-1]

    def test_what_grows_urgent_is_raised_again_as_urgent(self, kept: Journal) -> None:
        ran(kept)
        at(kept, NOON + timedelta(minutes=30))
        assert looked(kept).raised == 1
        at(kept, NOON + timedelta(hours=2))
        assert [one.level for one in found(kept, "idle")] == ["紧急"]
        assert open_now(kept) == [("watch|idle|orders|", "紧急")]

    def test_a_rule_that_cannot_be_asked_is_said_and_closes_nothing(
        self, kept: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ran(kept)
        looked(kept, connections=TestExpiry.shop("2026-11-16"))
        (tmp_path / "connections.json").write_text("{}")
        (tmp_path / "connections.json").chmod(0o644)
        monkeypatch.setenv("DUIJIE_CONNECTIONS", str(tmp_path / "connections.json"))
        again = looked(kept, connections=TestExpiry.shop("2026-11-16"))
        assert [(one.title, again.over) for one in again.findings] == [("值守规则 expiry 无法检查", 0)]
        assert "chmod 600" in again.findings[0].body
        monkeypatch.delenv("DUIJIE_CONNECTIONS")
        assert looked(kept, connections=TestExpiry.shop("2026-11-16")).over == 1

    def test_other_alerts_are_none_of_its_business(self, kept: Journal) -> None:
        with kept.writing() as tx:
            work.raise_alert(tx, kept, "step|orders|pull", "重要", "失败", "x")
        looked(kept)
        assert ("step|orders|pull", "重要") in open_now(kept)


class TestVolume:
    BUSY = Flow(
        flow="orders", title="订单", steps=(PULL,), expect=Expect(at_least=20, between="09:00-22:00", of="messages")
    )

    def test_a_declared_volume_that_does_not_come_is_told_with_its_source(self, kept: Journal) -> None:
        ran(kept, ago=timedelta(hours=2), new_messages=99)
        ran(kept, ago=timedelta(minutes=30), new_messages=7)
        ran(kept, ago=timedelta(minutes=5), new_messages=7)
        [one] = found(kept, "volume", self.BUSY)
        assert (one.level, one.title) == ("重要", "流程 订单: 11-11 11:02–12:02 新报文 14 笔, 应不少于 20 笔")
        assert "流程文件 expect 声明" in one.body

    def test_nothing_at_all_is_urgent(self, kept: Journal) -> None:
        ran(kept, ago=timedelta(hours=2))
        assert [one.level for one in found(kept, "volume", self.BUSY)] == ["紧急"]

    def test_enough_is_enough(self, kept: Journal) -> None:
        ran(kept, ago=timedelta(hours=2))
        ran(kept, ago=timedelta(minutes=30), new_messages=20)
        assert found(kept, "volume", self.BUSY) == []

    def test_a_flow_that_is_younger_than_the_hour_is_not_judged(self, kept: Journal) -> None:
        ran(kept, ago=timedelta(minutes=30))
        assert found(kept, "volume", self.BUSY) == []

    @pytest.mark.parametrize(
        ("hour", "expect", "judged"),
        [
            (12, Expect(at_least=1, between="09:00-22:00"), True),
            (9, Expect(at_least=1, between="09:00-22:00"), False),  # the first hour is not over
            (23, Expect(at_least=1, between="09:00-22:00"), False),
            (12, Expect(at_least=1, days=("mon", "tue")), False),
            (12, Expect(at_least=1, per="day", between="09:00-22:00"), False),
            (22, Expect(at_least=1, per="day", between="09:00-22:00"), True),
        ],
    )
    def test_it_is_judged_by_whole_hours_or_days_within_its_times(
        self, hour: int, expect: Expect, judged: bool
    ) -> None:
        moment = datetime(2026, 11, 11, hour, 30, tzinfo=CHINA)
        assert (span_of(expect, moment) is not None) == judged

    def test_without_a_word_it_is_learned_from_the_same_weekday(self, kept: Journal) -> None:
        for week in range(1, 5):
            ran(kept, ago=timedelta(weeks=week, minutes=30), new_documents=40 + week)
        ran(kept, ago=timedelta(minutes=30), new_documents=3)
        [one] = found(kept, "volume")
        assert one.title == "流程 订单: 11-11 11:02–12:02 新单据 3 笔, 往常同一时段 41–44 笔"
        assert "前 4 个星期三同一时段学得" in one.body

    def test_too_little_history_teaches_nothing(self, kept: Journal) -> None:
        for week in (1, 2):
            ran(kept, ago=timedelta(weeks=week, minutes=30), new_documents=40)
        ran(kept, ago=timedelta(minutes=30))
        assert found(kept, "volume") == []

    def test_nothing_expected_is_nothing_missed(self, kept: Journal) -> None:
        for week in range(1, 5):
            ran(kept, ago=timedelta(weeks=week, minutes=30), new_documents=40)
        calm = Flow(flow="orders", title="订单", steps=(PULL,), expect=Expect(at_least=0))
        assert found(kept, "volume", calm) == []


class TestLag:
    def test_a_cursor_three_runs_behind_is_told(self, kept: Journal) -> None:
        ran(kept)
        inbox.advance(kept, Source("shop", "trade"), NOON - timedelta(minutes=40))
        [one] = found(kept, "cursor")
        assert one.title == "shop/trade 的读取进度落后 40 分钟 (流程 订单)"

    def test_a_closed_period_that_was_read_is_not_behind(self, kept: Journal) -> None:
        until = NOON - timedelta(days=3)
        inbox.advance(kept, Source("shop", "trade"), until)
        done = Pull(name="p", connection="shop", stream="trade", mapping="m", since=until, until=until)
        assert found(kept, "cursor", Flow(flow="orders", title="订单", steps=(done,), schedule="*/5 * * * *")) == []

    def test_a_message_no_mapping_saw_is_told(self, kept: Journal) -> None:
        inbox.store(kept, Source("shop", "trade"), "tid", [{"tid": 1}])
        assert found(kept, "unmapped") == []
        at(kept, NOON + timedelta(hours=2))
        [one] = found(kept, "unmapped")
        assert (one.subject, one.title) == ("shop/trade", "shop/trade 有报文收到 2 小时仍未映射 (流程 订单)")

    @pytest.mark.parametrize(("state", "word"), [("pending", "待发"), ("unknown", "结果未知")])
    def test_a_delivery_that_waits_is_told_by_state(self, kept: Journal, state: str, word: str) -> None:
        brought(kept, "a", state)
        assert found(kept, "undelivered") == []
        at(kept, NOON + timedelta(hours=3))
        [one] = found(kept, "undelivered")
        assert one.title == f"流程 订单: 1 笔投递{word}已久, 最久 3 小时"

    def test_a_flow_that_runs_by_night_may_wait_until_it_has_missed_its_nights(self, kept: Journal) -> None:
        brought(kept, "a", "pending")
        nightly = Flow(flow="orders", title="订单", steps=(PULL, SEND), schedule="30 1 * * *")
        at(kept, NOON + timedelta(hours=30))
        assert found(kept, "undelivered", nightly) == []
        at(kept, NOON + timedelta(days=4))
        assert len(found(kept, "undelivered", nightly)) == 1

    @pytest.mark.parametrize(
        ("line", "minutes"),
        [("*/5 * * * *", 12.5), ("0 * * * *", 122.5), ("doorbell", 2.5), ("wrong", None), ("", None)],
    )
    def test_the_third_last_run_is_read_from_the_schedule(self, line: str, minutes: float | None) -> None:
        tick = tick_before(Flow(flow="f", title="f", steps=(), schedule=line), NOON, 3)
        assert (tick and (NOON - tick).total_seconds() / 60) == minutes


class TestStranded:
    def test_a_document_without_a_row_is_told_once_its_flow_had_time(self, kept: Journal) -> None:
        brought(kept, "a", "done")
        list(planning.fresh(kept, "sales_order", SINK))
        order(kept, "b")
        assert found(kept, "unplanned") == []
        at(kept, NOON + timedelta(hours=2))
        assert [one.title for one in found(kept, "unplanned")] == [f"1 张单据没有排入 {SINK} 的投递 (流程 订单)"]

    @pytest.mark.parametrize("state", ["claimed", "sent"])
    def test_a_row_held_past_its_lease_is_told(self, kept: Journal, state: str) -> None:
        brought(kept, "a", state)
        at(kept, NOON + timedelta(minutes=30))
        [one] = found(kept, "lease")
        assert (one.subject, "1 笔投递被中断的进程占用" in one.title) == (SINK, True)

    def test_a_run_that_never_ended_is_told_until_the_step_ran_again(self, kept: Journal) -> None:
        with kept.writing() as tx:
            tx.execute(insert(run).values(flow="orders", step="pull", started_at=NOON))
        at(kept, NOON + timedelta(hours=5))
        assert [one.subject for one in found(kept, "unended")] == ["orders.pull"]
        ran(kept)
        assert found(kept, "unended") == []

    def test_items_that_nobody_claims_are_told_by_owner(self, kept: Journal) -> None:
        brought(kept, "a", "rejected", "科目不存在")
        at(kept, NOON + timedelta(days=3))
        assert [one.title for one in found(kept, "unowned")] == ["会计 有 1 项待处理无人认领, 最久 3 天"]
        work.claim(kept, 1, "李四")
        assert found(kept, "unowned") == []


class TestExpiry:
    @staticmethod
    def shop(until: str) -> dict[str, Connection]:
        extra = {"shops": {"S01": {"authorised_until": until}}}
        return {"shop": Connection("shop", "taobao", extra=extra)}

    def test_each_threshold_is_alerted_once(self, kept: Journal) -> None:
        said: list[tuple[int, int]] = []
        for day in range(100, -3, -1):
            at(kept, datetime(2027, 3, 31, 4, tzinfo=UTC) - timedelta(days=day))
            if raised := looked(kept, connections=self.shop("2027-03-31"), backup_days=999).raised:
                said.append((day, raised))
        assert [day for day, _ in said] == [90, 30, 7, 1, -1]
        assert [dedupe for dedupe, _ in open_now(kept)] == ["watch|expiry|shop.shops.S01|-1"]

    def test_it_says_whose_and_when_and_what_to_do(self, kept: Journal) -> None:
        [one] = found(kept, "expiry", connections=self.shop("2026-11-16"))
        assert (one.level, one.title) == ("紧急", "连接 shop.shops.S01 的授权将在 5 天后 (2026-11-16) 到期")
        assert "重新授权" in one.body

    def test_a_renewed_authorisation_is_over(self, kept: Journal) -> None:
        looked(kept, connections=self.shop("2026-11-16"))
        assert looked(kept, connections=self.shop("2027-11-16")).over == 1

    def test_a_date_that_is_none_is_told(self, kept: Journal) -> None:
        [one] = found(kept, "expiry", connections=self.shop("明年"))
        assert "无法识别" in one.title

    def test_a_moment_is_read_as_a_day_in_china(self) -> None:
        assert day_of("2027-03-31T20:00:00Z") == date(2027, 4, 1)


class TestParts:
    def test_backups_are_asked_for_once_there_is_something_to_lose(self, kept: Journal) -> None:
        assert found(kept, "backup") == []
        ran(kept, ago=timedelta(days=3))
        assert [one.title for one in found(kept, "backup")] == ["日志库已超过 2 天没有备份 (从未做过)"]
        upkeep.note(kept, "backup", "ops", "/backup/1", {})
        assert found(kept, "backup") == []
        at(kept, NOON + timedelta(days=40))
        said = [one.title for one in found(kept, "backup")]
        assert said == [
            "日志库已超过 2 天没有备份 (最近一次在 40 天前)",
            "日志库已超过 30 天没有验证过备份可恢复 (从未做过)",
        ]

    def test_a_disk_with_too_little_room_is_told(self, kept: Journal) -> None:
        [one] = found(kept, "disk", disk_percent=101)
        assert "磁盘将满" in one.title

    def test_a_stopped_triggerer_is_told_by_airflows_own_health(
        self, kept: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with airflow_that_says({"metadatabase": "healthy", "scheduler": "healthy", "triggerer": "unhealthy"}) as url:
            monkeypatch.setenv("DUIJIE_AIRFLOW_API", url)
            assert [(one.subject, one.level) for one in found(kept, "airflow")] == [("triggerer", "紧急")]
        assert [one.subject for one in found(kept, "airflow")] == ["api-server"]


@contextmanager
def airflow_that_says(states: dict[str, str]) -> Iterator[str]:
    """A server that answers /api/v2/monitor/health in Airflow's words; its URL."""
    body = codec.encode({name: {"status": status} for name, status in states.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
