"""The page of a sandbox, as a person sees it and uses it, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import sync_playwright

from sandbox.page import page
from sandbox.serve import Running
from sandbox.store import Store
from tests.contract.vendor import ModelSandbox, orders


@pytest.fixture
def url() -> Iterator[str]:
    sandbox = ModelSandbox(Store())
    sandbox.seed({"orders": orders(60)})
    with Running(sandbox) as address:
        yield address


def test_it_shows_the_newest_first_and_whatever_columns_there_are() -> None:
    rows = [{"no": f"A{at}", "lines": [{"sku": "<b>"}]} for at in range(60)]
    shown = page("model", {"listed": 60}, "listed", [*rows, {"other": 1}], [])
    assert shown.index("A59") < shown.index("A11")
    assert "A10<" not in shown
    assert "<th>other</th>" in shown
    assert "<b>" not in shown


@pytest.mark.slow
@pytest.mark.browser
def test_a_fault_is_ordered_by_hand_and_taken_back(url: str, chromium: str) -> None:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(f"{url}/_admin?collection=listed")
        assert tab.locator("td", has_text="A0059").is_visible()
        tab.select_option("select[name=kind]", "status")
        tab.fill("input[name=match]", "orders")
        with tab.expect_navigation():
            tab.click("text=安排 >> nth=-1")
        assert tab.locator("td", has_text="返回状态码").is_visible()
        assert [one["kind"] for one in requests.get(f"{url}/_admin/faults", timeout=5).json()] == ["status"]
        with tab.expect_navigation():
            tab.click("text=全部取消")
        assert tab.locator("text=未安排故障").is_visible()
        browser.close()
