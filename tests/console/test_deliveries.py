"""投递: found, looked at, then sent again or given up; a page that has become old changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from duijie.journal import Journal
from tests.console.conftest import PASSWORD, VOUCHER, form_token, log_in
from tests.journal.stages import brought, history, states


@pytest.fixture(autouse=True)
def stuck(kept: Journal) -> None:
    brought(kept, "shop:S1:7001", "rejected", "<b>科目不存在</b>")
    brought(kept, "shop:S1:7002", "sent")


def test_the_list_begins_with_what_is_not_finished(ops: TestClient) -> None:
    page = ops.get("/deliveries").text
    assert "shop:S1:7001" in page
    assert "<b>科目" not in page
    assert "笔未完成" in page
    assert VOUCHER not in page


def test_a_retry_is_asked_for_then_done_in_ones_own_name(ops: TestClient, kept: Journal) -> None:
    asked = ops.get("/deliveries/retry?state=rejected")
    assert "确认重试 1 笔" in asked.text
    assert states(kept)["shop:S1:7001"] == "rejected"
    form = {"csrf": form_token(asked.text), "expected": "1", "why": "科目已补"}
    assert "已放行 1 笔" in ops.post("/deliveries/retry?state=rejected", data=form).text
    assert history(kept, "shop:S1:7001")[-1] == ("rejected", "pending", "ops 某人", "人工重试: 科目已补")


def test_what_was_sent_is_shown_as_left_alone(ops: TestClient) -> None:
    page = ops.get("/deliveries/cancel?key=shop:S1:7002").text
    assert "没有可以取消的投递" in page
    assert "不动 1 笔: 已发出" in page


def test_a_page_that_has_become_old_changes_nothing(ops: TestClient, kept: Journal) -> None:
    token = form_token(ops.get("/deliveries/cancel?state=rejected").text)
    form = {"csrf": token, "expected": "2", "why": "x"}
    assert "情况已变" in ops.post("/deliveries/cancel?state=rejected", data=form).text
    assert states(kept)["shop:S1:7001"] == "rejected"


def test_cancelling_without_a_reason_or_a_condition_is_refused(ops: TestClient, kept: Journal) -> None:
    token = form_token(ops.get("/deliveries/cancel?state=rejected").text)
    said = ops.post("/deliveries/cancel?state=rejected", data={"csrf": token, "expected": "1", "why": " "}).text
    assert "请写明取消的原因" in said
    assert "至少给出一个条件" in ops.get("/deliveries/cancel").text
    assert states(kept)["shop:S1:7001"] == "rejected"


@pytest.mark.parametrize("query", ["id=x", "state=gone", "id=99999999999999999999999"])
def test_a_condition_that_makes_no_sense_is_said_on_the_page(ops: TestClient, query: str) -> None:
    assert ops.get(f"/deliveries?{query}").status_code == 200


def test_a_viewer_looks_and_does_nothing(anybody: TestClient, kept: Journal) -> None:
    log_in(anybody, "look")
    page = anybody.get("/deliveries?state=rejected").text
    assert "重试这些" not in page
    form = {"csrf": form_token(page), "expected": "1"}
    assert anybody.post("/deliveries/retry?state=rejected", data=form).status_code == 403
    assert states(kept)["shop:S1:7001"] == "rejected"


@pytest.mark.slow
@pytest.mark.browser
def test_a_person_finds_and_cancels_one(page: Page, url: str, kept: Journal, pictures: Path) -> None:
    page.goto(f"{url}/deliveries")
    page.get_by_label("用户名").fill("ops")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_label("状态").select_option("rejected")
    page.get_by_role("button", name="查找").click()
    page.screenshot(path=pictures / "deliveries.png", full_page=True)
    page.get_by_role("link", name="取消这些 …").click()
    page.get_by_label("原因").fill("客户取消")
    page.screenshot(path=pictures / "deliveries-cancel.png", full_page=True)
    page.get_by_role("button", name="确认取消 1 笔").click()
    expect(page.get_by_role("status")).to_have_text("已取消 1 笔")
    assert states(kept)["shop:S1:7001"] == "cancelled"
