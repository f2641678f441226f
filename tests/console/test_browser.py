"""The pages in a real Chromium: log in, look a number up, open a document, see what waits.

Screenshots go to a temporary folder, or to the one DUIJIE_SCREENSHOTS names.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import ORDER, PASSWORD, VOUCHER

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_day_at_the_console(page: Page, url: str, pictures: Path) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(url)
    expect(page).to_have_url(f"{url}/login")
    page.get_by_label("用户名").fill("ops")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()

    expect(page.get_by_text("今日送达")).to_be_visible()
    page.screenshot(path=pictures / "overview.png", full_page=True)

    page.get_by_label("联查").fill("TB3204086667211110000")
    page.keyboard.press("Enter")
    expect(page.get_by_text(VOUCHER, exact=True)).to_be_visible()
    page.get_by_role("button", name="单据与原文").first.click()
    expect(page.locator("pre.record").first).to_contain_text(ORDER)
    page.get_by_role("button", name="经过").first.click()
    expect(page.get_by_text("待发 → 处理中")).to_be_visible()
    page.screenshot(path=pictures / "trace.png", full_page=True)

    page.get_by_role("link", name="待处理", exact=True).click()
    expect(page.get_by_role("cell", name="对照缺失", exact=True)).to_be_visible()
    page.screenshot(path=pictures / "work.png", full_page=True)
    page.get_by_role("link", name="1", exact=True).click()
    page.get_by_role("button", name="认领").click()
    expect(page.get_by_role("status")).to_have_text("已认领")

    page.get_by_role("link", name="对账", exact=True).click()
    page.get_by_role("button", name="逐条").click()
    expect(page.get_by_role("link", name="待处理 1")).to_be_visible()
    assert problems == []
    assert {path.name for path in pictures.glob("*.png")} >= {"overview.png", "trace.png", "work.png"}
