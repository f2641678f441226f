"""The console: nobody enters without a login, viewers only look, vendor text cannot act, secrets do not show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from duijie.console.app import create_app
from duijie.journal import Journal, inbox, work
from duijie.journal.inbox import Source
from duijie.journal.tables import work_item
from tests.console.conftest import HOSTILE, ORDER, PASSWORD, TOKEN, VOUCHER, form_token, log_in

PAGES = [
    "/",
    "/trace?q=3204086667211110000",
    "/work",
    "/work/1",
    "/reconcile",
    "/report",
    "/alerts",
    "/pushes",
    "/document/1",
]


class TestTheDoor:
    def test_no_route_but_three_answers_without_a_login(self, anybody: TestClient) -> None:
        walked = 0
        for route in anybody.app.routes:  # type: ignore[attr-defined]
            if isinstance(route, Mount):
                assert route.path == "/static"
                continue
            assert isinstance(route, Route)
            path = re.sub(r"\{\w+\}", "1", route.path)
            for method in (route.methods or set()) - {"HEAD"}:
                answer = anybody.request(method, path, follow_redirects=False)
                walked += 1
                if path in ("/login", "/healthz"):
                    assert answer.status_code in (200, 303)
                else:
                    assert (answer.status_code, answer.headers["location"]) == (303, "/login"), f"{method} {path}"
        assert walked >= 15

    def test_there_are_no_api_docs(self, ops: TestClient) -> None:
        assert [ops.get(path).status_code for path in ("/docs", "/openapi.json", "/redoc")] == [404, 404, 404]

    def test_a_wrong_password_is_refused_and_five_of_them_cause_a_pause(self, anybody: TestClient) -> None:
        assert [log_in(anybody, "ops", "wrong") for _ in range(5)] == [200] * 5
        token = form_token(anybody.get("/login").text)
        answer = anybody.post("/login", data={"csrf": token, "name": "ops", "password": PASSWORD})
        assert "请一分钟后再试" in answer.text

    def test_a_login_form_without_the_sessions_token_is_refused(self, anybody: TestClient) -> None:
        answer = anybody.post("/login", data={"csrf": "x", "name": "ops", "password": PASSWORD}, follow_redirects=False)
        assert answer.status_code == 200
        assert anybody.get("/", follow_redirects=False).status_code == 303

    def test_a_removed_person_is_out_at_the_next_click(self, ops: TestClient, tmp_path: Path) -> None:
        (tmp_path / "users.json").write_text("{}")
        assert ops.get("/", follow_redirects=False).status_code == 303

    def test_the_users_file_is_private_and_holds_no_password(self, ops: TestClient, tmp_path: Path) -> None:
        path = tmp_path / "users.json"
        assert path.stat().st_mode & 0o077 == 0
        assert PASSWORD not in path.read_text()

    def test_every_answer_carries_the_security_headers(self, ops: TestClient) -> None:
        headers = ops.get("/").headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"

    def test_health_is_open_and_asks_the_journal(self, anybody: TestClient) -> None:
        assert anybody.get("/healthz").json() == {"journal": "ok"}


class TestActing:
    def test_a_viewer_may_look_but_not_act(self, anybody: TestClient) -> None:
        log_in(anybody, "look")
        page = anybody.get("/work/1").text
        assert "/replay" not in page
        answer = anybody.post("/work/1/replay", data={"csrf": form_token(page)})
        assert answer.status_code == 403

    @pytest.mark.parametrize("action", ["claim", "close", "replay"])
    def test_a_form_without_the_token_does_nothing(self, ops: TestClient, kept: Journal, action: str) -> None:
        assert ops.post(f"/work/1/{action}", data={"csrf": "forged", "note": "x"}).status_code == 403
        assert self._state(kept) == "open"

    def test_claiming_puts_ones_name_on_it(self, ops: TestClient, kept: Journal) -> None:
        page = ops.post("/work/1/claim", data={"csrf": form_token(ops.get("/work/1").text)})
        assert "已认领" in page.text
        assert "ops 某人" in page.text
        assert self._state(kept) == "claimed"

    def test_closing_needs_a_note_and_keeps_it(self, ops: TestClient, kept: Journal) -> None:
        token = form_token(ops.get("/work/1").text)
        ops.post("/work/1/close", data={"csrf": token, "note": "  "})
        assert self._state(kept) == "open"
        assert "已在店铺更正" in ops.post("/work/1/close", data={"csrf": token, "note": "已在店铺更正"}).text
        assert self._state(kept) == "closed"

    def test_replaying_says_what_was_released(self, ops: TestClient) -> None:
        page = ops.post("/work/1/replay", data={"csrf": form_token(ops.get("/work/1").text)}).text
        assert "已重放: 无" in page

    def test_the_item_says_what_replaying_would_do_before_anything_is_done(self, ops: TestClient) -> None:
        assert "没有等待放行的报文或单据" in ops.get("/work/1").text

    def test_a_blocked_message_is_announced_then_released(self, ops: TestClient, kept: Journal) -> None:
        inbox.store(kept, Source("taobao", "trade"), "tid", [{"tid": 7}])
        with kept.writing() as tx:
            inbox.settle(tx, [2], "blocked", "taobao/sales_order.in@1", "对照缺失")
        page = ops.get("/work/1").text
        assert "重放将放行: 报文 1, 由该流程下次运行处理" in page
        page = ops.post("/work/1/replay", data={"csrf": form_token(page)}).text
        assert "已重放: 报文 1, 由该流程下次运行处理" in page
        assert "已重放" not in ops.get("/work/1").text

    def test_a_closed_item_is_not_replayed_claimed_or_closed_and_says_why(self, ops: TestClient, kept: Journal) -> None:
        token = form_token(ops.get("/work/1").text)
        ops.post("/work/1/close", data={"csrf": token, "note": "已更正"})
        for action in ("replay", "claim", "close"):
            page = ops.post(f"/work/1/{action}", data={"csrf": token, "note": "x"}).text
            assert "已由 ops 某人 关闭 (已更正), 不能再操作" in page
        assert self._state(kept) == "closed"

    def test_an_item_held_by_somebody_else_says_by_whom(self, ops: TestClient, kept: Journal) -> None:
        work.claim(kept, 1, "李四")
        page = ops.post("/work/1/claim", data={"csrf": form_token(ops.get("/work/1").text)}).text
        assert "已由 李四 认领" in page
        assert "如需接手请与其联系" in page

    @pytest.mark.parametrize("action", ["claim", "close", "replay"])
    def test_an_item_that_is_not_there_is_not_acted_on(self, ops: TestClient, action: str) -> None:
        token = form_token(ops.get("/work/1").text)
        assert ops.post(f"/work/99/{action}", data={"csrf": token, "note": "x"}).status_code == 404

    @staticmethod
    def _state(kept: Journal) -> str:
        with kept.reading() as tx:
            return str(tx.execute(select(work_item.c.state)).scalar_one())


class TestPages:
    @pytest.mark.parametrize("path", PAGES)
    def test_text_from_outside_cannot_act_and_secrets_do_not_show(self, ops: TestClient, path: str) -> None:
        answer = ops.get(path)
        assert answer.status_code == 200
        assert HOSTILE not in answer.text
        assert TOKEN not in answer.text

    def test_the_overview_shows_the_day(self, ops: TestClient) -> None:
        page = ops.get("/").text
        for words in (
            "淘宝订单 → 金蝶AI星辰销售订单",
            "金蝶AI星辰 · 销售订单",
            "对照缺失",
            "令牌过期, 刷新",
            "差异 1 / 未解释 0",
        ):
            assert words in page
        assert "360.01" in page

    @pytest.mark.parametrize("number", ["3204086667211110000", "TB3204086667211110000", ORDER, "记-12", VOUCHER])
    def test_any_number_leads_to_the_whole_chain(self, ops: TestClient, number: str) -> None:
        page = ops.get("/trace", params={"q": number}).text
        for words in (ORDER, VOUCHER, "TB3204086667211110000", "记-12", "已送达", "1,121.00"):
            assert words in page

    def test_a_flow_file_that_is_wrong_hides_no_other(self, kept: Journal, tmp_path: Path) -> None:
        flows = tmp_path / "root" / "dags" / "flows"
        flows.mkdir(parents=True)
        (flows / "alerts.yaml").write_text("flow: alerts\ntitle: 告警发送\nsteps: [{verb: alert, name: send}]\n")
        (flows / "wrong.yaml").write_text("flow: wrong\n")
        app = create_app(f"sqlite:///{tmp_path / 'journal.db'}", tmp_path / "root")
        with TestClient(app, base_url="http://console") as client:
            log_in(client, "ops")
            page = client.get("/").text
        assert "告警发送" in page
        assert "wrong.yaml 有误" in page

    def test_an_unknown_number_says_where_else_to_look(self, ops: TestClient) -> None:
        assert "没有找到“12345”" in ops.get("/trace?q=12345").text

    def test_a_document_opens_with_its_raw_message_and_its_mapping(self, ops: TestClient) -> None:
        page = ops.get("/document/1").text
        assert "taobao/sales_order.in@1" in page
        assert "3204086667211110000" in page
        assert "******" in page

    def test_a_delivery_opens_with_every_transition(self, ops: TestClient) -> None:
        page = ops.get("/delivery/1").text
        assert "待发 → 处理中" in page
        assert "已发出 → 已送达" in page

    def test_the_work_list_has_money_cause_and_next_step(self, ops: TestClient) -> None:
        page = ops.get("/work").text
        assert "360.01" in page
        assert "点“重放”" in page
        assert "没有符合条件的待处理" in ops.get("/work?kind=conflict").text

    def test_the_work_list_is_filtered_by_owner_and_keeps_the_filter_from_page_to_page(
        self, ops: TestClient, kept: Journal
    ) -> None:
        with kept.writing() as tx:
            for number in range(60):
                work.open_item(tx, kept, "orders", work.Finding("rejected", f"x{number}", f"拒绝 {number}."))
        page = ops.get("/work").text
        assert "61 项" in page
        assert "第 1 页, 共 2 页" in page
        page = ops.get("/work", params={"owner": "会计"}).text
        assert "60 项" in page
        assert "对照缺失: " not in page
        further = page.split("下一页")[0].rpartition('href="')[2].split('"')[0].replace("&amp;", "&")
        page = ops.get(further).text
        assert "第 2 页, 共 2 页" in page
        assert page.count("拒绝 ") == 10
        assert "没有符合条件的待处理" in ops.get("/work", params={"owner": "无人"}).text

    def test_a_difference_leads_to_its_work_item(self, ops: TestClient) -> None:
        page = ops.get("/reconcile/1").text
        assert "漏单" in page
        assert 'href="/work/1"' in page

    def test_without_a_report_the_page_says_how_to_get_one(self, ops: TestClient) -> None:
        assert "make demo" in ops.get("/report").text

    def test_an_item_that_is_not_there_is_a_plain_404(self, ops: TestClient) -> None:
        assert ops.get("/work/99").status_code == 404
