"""开票工作台: the queue by state with reasons, one request with its life, red letters within what is left, duties."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from duijie.connect.errors import ConfigError
from duijie.console import invoice_red
from duijie.console.invoice_red import Choice
from duijie.console.users import add_user, find
from duijie.journal import Journal, documents
from duijie.journal.tables_billing import invoice_ask
from tests.console.conftest import PASSWORD, form_token, log_in
from tests.console.desk import Desk, empty
from tests.reconcile.billing_world import RULES


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: Path) -> Journal:
    """An empty journal in place of the day's."""
    return empty(tmp_path, monkeypatch, people)


@pytest.fixture
def desk(kept: Journal) -> Desk:
    made = Desk(kept)
    made.fill()
    return made


@pytest.fixture
def asker(desk: Desk, anybody: TestClient) -> TestClient:
    assert log_in(anybody, "asker") == 303
    return anybody


def rows(page: str) -> list[str]:
    """The text of each row of the first table."""
    body = page.split("<tbody>", 1)[1].split("</tbody>", 1)[0]
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)) for row in body.split("<tr>")[1:]]


class TestTheQueue:
    @pytest.mark.parametrize(
        ("state", "said"),
        [
            ("open", "待开票"),
            ("submitted", "已提交"),
            ("issuing", "开票中"),
            ("login", "等待登录"),
            ("issued", "已开票"),
            ("failed", "失败"),
            ("reversing", "红冲中"),
            ("reversed", "已红冲"),
        ],
    )
    def test_each_state_lists_its_own_requests(self, desk: Desk, asker: TestClient, state: str, said: str) -> None:
        found = rows(asker.get(f"/invoices?state={state}").text)
        assert found
        assert all(said in row for row in found)
        wanted = desk.no.get({"login": "waiting_login"}.get(state, state))
        assert wanted is None or any(wanted in row for row in found)

    def test_an_order_that_waits_to_be_billed_is_there_before_any_request_is(self, asker: TestClient) -> None:
        assert any(" 订单 " in row and "45.20" in row for row in rows(asker.get("/invoices?state=open").text))

    def test_a_failure_says_why_and_what_to_do_next(self, asker: TestClient) -> None:
        page = asker.get("/invoices?state=failed").text
        assert "购方税号不存在" in page
        assert "按原因更正后重新申请" in page
        assert "E-TAXCODE-MISSING 第 1 行没有税收分类编码" in page
        assert "待处理 " in page

    def test_a_number_of_anything_finds_it(self, desk: Desk, asker: TestClient) -> None:
        invoice = documents.get(desk.journal, "invoice", desk.no["issued"])
        assert invoice is not None
        for words in (desk.no["issued"], invoice.body["number"], "taobao:S01:4"):
            assert len(rows(asker.get(f"/invoices?q={words}").text)) == 1
        assert "没有符合条件的申请" in asker.get("/invoices?q=nothing").text

    def test_what_changes_in_the_journal_is_seen_at_the_next_look(self, desk: Desk, asker: TestClient) -> None:
        assert len(rows(asker.get("/invoices?state=issuing").text)) == 1
        desk.change("invoice", desk.no["issuing"], {"status": "failed", "reason": "平台停机"})
        assert "没有开票中的申请" in asker.get("/invoices?state=issuing").text
        assert "平台停机" in asker.get("/invoices?state=failed").text

    def test_an_empty_journal_says_what_will_be_here(self, kept: Journal, ops: TestClient) -> None:
        assert "还没有开票申请" in ops.get("/invoices").text


class TestOneRequest:
    def test_it_shows_lines_attempts_answers_and_what_happened_when(self, desk: Desk, asker: TestClient) -> None:
        page = asker.get(f"/invoices/{desk.no['issued']}").text
        for text in (
            "手工面条 500g",
            "1030203030000000000",
            "1,297.50",
            "abababababababab",
            "已发出 → 已送达",
            "平台: 已开具",
        ):
            assert text in page

    def test_a_blue_names_its_reds_and_a_red_its_blue(self, desk: Desk, asker: TestClient) -> None:
        page = asker.get(f"/invoices/{desk.no['reversed']}").text
        [red] = set(re.findall(r"/invoices/(HZ\w+)", page))
        assert f"/invoices/{desk.no['reversed']}" in asker.get(f"/invoices/{red}").text
        assert "红冲 …" not in page

    def test_one_that_is_not_there_is_a_page_that_says_so(self, asker: TestClient) -> None:
        answer = asker.get("/invoices/DJNOTTHERE")
        assert answer.status_code == 404
        assert "没有开票申请 DJNOTTHERE" in answer.text


class TestRed:
    def test_the_way_from_the_reason_to_a_request_that_waits_for_somebody_else(
        self, desk: Desk, asker: TestClient
    ) -> None:
        no = desk.no["issued"]
        assert "为什么红冲" in asker.get(f"/invoices/{no}/red").text
        assert "可冲金额" in asker.get(f"/invoices/{no}/red?reason=allowance").text
        page = asker.get(f"/invoices/{no}/red?reason=allowance&step=preview&amount_2=10.90&amount_3=1130.00").text
        assert "-1,140.90" in page
        data = {
            "csrf": form_token(page),
            "reason": "allowance",
            "amount_2": "10.90",
            "amount_3": "1130.00",
            "why": "少发",
        }
        shown = asker.post(f"/invoices/{no}/red", data=data).text
        assert "已提交, 合计 -1,140.90 元" in shown
        [red] = [one for one in documents.current(desk.journal, "red_request") if one.body["blue_request_no"] == no]
        assert [(one["blue_line"], one["gross"]) for one in red.body["lines"]] == [
            (2, Decimal("-10.90")),
            (3, Decimal("-1130.00")),
        ]
        with desk.journal.reading() as tx:
            assert tx.execute(select(invoice_ask.c.who, invoice_ask.c.why)).all() == [("asker", "少发")]

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("reason=allowance&amount_1=113.01", "第 1 行红冲 113.01 超出可冲金额 113.00"),
            ("reason=allowance&amount_1=-1", "第 1 行红冲 -1.00 超出可冲金额"),
            ("reason=allowance&amount_1=1.001", "应为最多两位小数"),
            ("reason=allowance&amount_1=NaN", "应为最多两位小数"),
            ("reason=allowance", "没有填写要红冲的金额"),
            ("reason=wrong_invoice&amount_1=113.00", "“开票有误”只能整张红冲"),
        ],
    )
    def test_what_may_not_be_is_refused_with_the_reason(
        self, desk: Desk, asker: TestClient, query: str, said: str
    ) -> None:
        assert said in asker.get(f"/invoices/{desk.no['issued']}/red?step=preview&{query}").text

    def test_the_same_form_sent_twice_asks_once(self, desk: Desk, asker: TestClient) -> None:
        no = desk.no["issued"]
        page = asker.get(f"/invoices/{no}/red?reason=allowance&step=preview&amount_1=13.00").text
        number = page.split('name="number" value="')[1].split('"', maxsplit=1)[0]
        data = {"csrf": form_token(page), "reason": "allowance", "amount_1": "13.00", "why": "折让", "number": number}
        for _ in range(2):
            assert "已提交, 合计 -13.00 元" in asker.post(f"/invoices/{no}/red", data=data).text
        assert "刚有另一笔红冲" in asker.post(f"/invoices/{no}/red", data={**data, "amount_1": "12.00"}).text
        reds = [one for one in documents.current(desk.journal, "red_request") if one.body["blue_request_no"] == no]
        assert len(reds) == 1

    def test_what_is_not_issued_cannot_be_reversed(self, desk: Desk, asker: TestClient) -> None:
        answer = asker.get(f"/invoices/{desk.no['issuing']}/red")
        assert answer.status_code == 409
        assert "还没有开出发票" in answer.text

    def test_many_reds_never_come_to_more_than_the_line_in_net_or_tax(self, desk: Desk) -> None:
        request = documents.get(desk.journal, "invoice_request", desk.no["issued"])
        blue = documents.get(desk.journal, "invoice", desk.no["issued"])
        assert request is not None
        assert blue is not None
        earlier: list[dict[str, object]] = []
        for _ in range(7):
            rest = invoice_red.left(request.body, earlier)[0].gross
            part = min(Decimal("17.77"), rest)
            earlier.append(invoice_red.made(request.body, blue.body, Choice("allowance", {1: part}), RULES, earlier))
        line = request.body["lines"][0]
        for name in ("net", "tax", "gross"):
            assert sum((one["lines"][0][name] for one in earlier), Decimal(0)) == -line[name]  # type: ignore[index]
        with pytest.raises(ConfigError, match=r"has 0\.00 left"):
            invoice_red.made(request.body, blue.body, Choice("allowance", {1: Decimal("0.01")}), RULES, earlier)


class TestDuties:
    @pytest.mark.parametrize(
        ("name", "path", "said"),
        [
            ("approver", "/invoices/{issued}/red", "只有开票申请人"),
            ("issuer", "/invoices/{issued}/red", "只有开票申请人"),
            ("books", "/invoices/{issued}/red", "只有开票申请人"),
            ("asker", "/invoices/approve", "只有开票审批人"),
            ("issuer", "/invoices/approve", "只有开票审批人"),
            ("asker", "/invoices/{issued}/resend", "只有开票员"),
            ("approver", "/invoices/{failed}/again", "只有开票员"),
            ("approver", "/invoices/lights/nuonuo", "只有开票员"),
            ("asker", "/invoices/resume/nuonuo", "只有开票员"),
            ("look", "/invoices/approve", "当前角色只能查看"),
        ],
    )
    def test_nobody_does_what_is_anothers_duty(
        self, desk: Desk, anybody: TestClient, name: str, path: str, said: str
    ) -> None:
        assert log_in(anybody, name) == 303
        token = form_token(anybody.get("/invoices").text)
        answer = anybody.post(path.format(**desk.no), data={"csrf": token, "key": "x", "why": "x"})
        assert answer.status_code == 403
        assert said in answer.text

    @pytest.mark.parametrize(
        "path", ["/invoices/approve", "/invoices/{issued}/red", "/billing/run", "/billing/explain"]
    )
    def test_a_form_without_the_token_does_nothing(self, desk: Desk, asker: TestClient, path: str) -> None:
        answer = asker.post(path.format(**desk.no), data={"csrf": "forged", "key": "x", "why": "x"})
        assert answer.status_code == 403
        assert "页面已过期" in answer.text

    def test_a_page_offers_only_what_its_reader_may_do(self, desk: Desk, anybody: TestClient) -> None:
        log_in(anybody, "issuer")
        page = anybody.get(f"/invoices/{desk.no['issued']}").text
        assert "重新发送" in page
        assert "红冲 …" not in page

    def test_who_only_reads_cannot_be_given_a_duty(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="only reads"):
            add_user(tmp_path / "users.json", "x", PASSWORD, "viewer", "", ("approve",))
        with pytest.raises(ConfigError, match="no duty sign"):
            add_user(tmp_path / "users.json", "x", PASSWORD, "finance", "", ("sign",))

    def test_a_person_of_before_has_no_duty(self, tmp_path: Path, people: Path) -> None:
        found = find(people, "ops")
        assert found is not None
        assert not found.may("approve")


class TestTheTable:
    def test_it_shows_differences_with_reason_owner_and_next_step(self, desk: Desk, asker: TestClient) -> None:
        page = asker.get("/billing").text
        assert "红冲未完成" in page
        assert "等待购方在 72 小时内确认" in page
        assert any("开票失败" in row and "按原因更正后重新申请" in row for row in rows(page))

    def test_it_is_filtered_by_class_month_and_number(self, desk: Desk, asker: TestClient) -> None:
        only = rows(asker.get("/billing?kind=红冲未完成").text)
        assert len(only) == 1
        assert "没有符合条件的差异" in asker.get("/billing?month=2026-01").text
        assert len(rows(asker.get("/billing?view=lines&words=4").text)) == 3

    def test_the_workbook_holds_what_the_page_shows(self, desk: Desk, asker: TestClient) -> None:
        answer = asker.get("/billing/excel?month=2026-11")
        assert answer.headers["content-disposition"] == 'attachment; filename="billing-2026-11.xlsx"'
        assert answer.content.startswith(b"PK")

    def test_a_person_explains_and_it_stands_with_the_name(self, desk: Desk, asker: TestClient) -> None:
        page = asker.get("/billing?state=open").text
        key = re.findall(r'name="key" value="([^"]+)"', page)[0]
        asker.post("/billing/explain", data={"csrf": form_token(page), "key": key, "why": "客户要求下月开票"})
        assert "asker 某人: 客户要求下月开票" in asker.get("/billing").text

    def test_running_it_again_says_what_was_found(self, desk: Desk, asker: TestClient) -> None:
        token = form_token(asker.get("/billing").text)
        assert "已勾稽 10 张订单" in asker.post("/billing/run", data={"csrf": token}).text
