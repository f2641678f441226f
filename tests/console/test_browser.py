"""The pages in a real Chromium: log in, look a number up, open a document, see what waits.

Screenshots go to a temporary folder, or to the one DUIJIE_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from duijie.console.app import create_app
from duijie.journal import Journal
from sandbox.serve import free_ports
from tests.console.conftest import ORDER, PASSWORD, VOUCHER

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def url(kept: Journal, tmp_path: Path) -> Iterator[str]:
    port = free_ports(1)[0]
    app = create_app(f"sqlite:///{tmp_path / 'journal.db'}")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        yield opened
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("DUIJIE_SCREENSHOTS", tmp_path))


def test_a_day_at_the_console(page: Page, url: str, pictures: Path) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(url)
    expect(page).to_have_url(f"{url}/login")
    page.get_by_label("用户名").fill("ops")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()

    expect(page.get_by_text("累计送达单据")).to_be_visible()
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
