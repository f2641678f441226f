"""开票工作台 and 票单勾稽表 in a real Chromium: from the queue over a batch of approvals to a red, and to the workbook.

Screenshots go to a temporary folder, or to the one DUIJIE_SCREENSHOTS names.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from duijie.connect.invoicing import Login
from duijie.invoicing import asks
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal
from tests.console.conftest import PASSWORD
from tests.console.desk import Desk, Platform, empty

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: Path) -> Journal:
    """An empty journal in place of the day's."""
    return empty(tmp_path, monkeypatch, people)


@pytest.fixture
def desk(kept: Journal) -> Desk:
    made = Desk(kept)
    made.fill()
    return made


def log_in(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("用户名").fill(name)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_text(f"{name} 某人")).to_be_visible()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="退出").click()


def is_within(page: Page) -> bool:
    """Nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def know(journal: Journal) -> None:
    """What the platform said last of its credit line and its login; one request waits for a drawer."""
    for ask in (asks.credit, asks.login):
        ask(journal, "nuonuo", Platform(Login("张三", "in", "已登录")), timedelta(0), LifeRules())


def test_an_invoice_clerks_day(desk: Desk, page: Page, url: str, pictures: Path, tmp_path: Path) -> None:
    know(desk.journal)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    log_in(page, url, "asker")
    page.get_by_role("link", name="开票工作台", exact=True).click()
    expect(page.get_by_role("heading", name="开票工作台")).to_be_visible()
    page.screenshot(path=pictures / "invoice-queue.png", full_page=True)
    assert is_within(page)
    page.get_by_role("navigation", name="状态").get_by_role("link", name="失败").click()
    expect(page.get_by_text("购方税号不存在")).to_be_visible()

    page.get_by_role("navigation", name="状态").get_by_role("link", name="已开票").click()
    page.get_by_role("link", name=desk.no["issued"]).click()
    expect(page.get_by_role("heading", name="明细")).to_be_visible()
    page.screenshot(path=pictures / "invoice-request.png", full_page=True)
    page.get_by_role("link", name="红冲 …").click()
    page.get_by_label("销售折让").check()
    page.screenshot(path=pictures / "invoice-red-reason.png", full_page=True)
    page.get_by_role("button", name="下一步").click()
    page.get_by_label("第 1 行红冲金额").fill("113.01")
    page.get_by_role("button", name="预览").click()
    expect(page.get_by_role("alert")).to_contain_text("超出可冲金额 113.00")
    page.get_by_label("第 1 行红冲金额").fill("13.00")
    page.get_by_label("第 3 行红冲金额").fill("130.00")
    page.screenshot(path=pictures / "invoice-red-lines.png", full_page=True)
    page.get_by_role("button", name="预览").click()
    expect(page.get_by_role("cell", name="-143.00")).to_be_visible()
    page.get_by_label("说明 (审批人会看到)").fill("包装破损, 折让")
    page.screenshot(path=pictures / "invoice-red-preview.png", full_page=True)
    assert is_within(page)
    page.get_by_role("button", name="提交审批").click()
    expect(page.get_by_role("status")).to_contain_text("已提交, 合计 -143.00 元")

    red = page.url.rpartition("/")[2]
    log_out(page)

    log_in(page, url, "approver")
    page.get_by_role("link", name="开票工作台", exact=True).click()
    page.get_by_role("navigation", name="状态").get_by_role("link", name="待审批").click()
    page.get_by_label(f"选择 {red}").check()
    page.screenshot(path=pictures / "invoice-approve.png", full_page=True)
    assert is_within(page)
    page.get_by_role("button", name="批准所选").click()
    expect(page.get_by_role("status")).to_contain_text("已批准 1 张")
    expect(page.get_by_text("没有待审批的申请")).to_be_visible()

    page.get_by_role("link", name="票单勾稽表", exact=True).click()
    page.screenshot(path=pictures / "invoice-billing.png", full_page=True)
    assert is_within(page)
    page.get_by_role("link", name="订单行").click()
    expect(page.get_by_text("合计 19 行")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="导出 Excel").click()
    path = tmp_path / "billing.xlsx"
    download.value.save_as(path)
    assert load_workbook(path).sheetnames == ["票单勾稽", "差异", "销项核对"]
    assert problems == []
