"""映射实验室 in a real Chromium: a mistake is marked as it is typed, the fix shows, a field says whence it comes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from duijie.journal import Journal
from tests.console import trades
from tests.console.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def lab(page: Page, url: str, kept: Journal) -> Page:
    """The page with the shop's order mapping, its first test as the sample."""
    trades.record(kept)
    page.goto(f"{url}/lab?mapping={trades.MAPPING}")
    page.get_by_label("用户名").fill("eng")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.goto(f"{url}/lab?mapping={trades.MAPPING}")
    expect(state(page)).to_contain_text("已试算", timeout=20_000)
    return page


def state(page: Page) -> Locator:
    return page.locator("#lab-state")


def rule(lab: Page, text: str) -> Locator:
    """The line of the editor that holds the text, scrolled to: the editor draws only what can be seen."""
    found = lab.locator("#lab-text .cm-line").filter(has_text=text).first
    lab.locator("#lab-text .cm-scroller").hover()
    for _ in range(10):
        if found.count():
            break
        lab.mouse.wheel(0, 150)
        lab.wait_for_timeout(100)
    return found


def result(page: Page, text: str) -> Locator:
    return page.locator("#lab-output .cm-line", has_text=text).first


def test_a_mistake_is_marked_its_fix_changes_the_result_and_a_field_is_explained(lab: Page, pictures: Path) -> None:
    problems: list[str] = []
    lab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    lab.on("pageerror", lambda error: problems.append(str(error)))
    expect(lab.locator("#lab-record")).to_contain_text("杭州恒信嘉禾科技有限公司")
    expect(result(lab, '"gross"')).to_have_text('"gross": 121.00,')

    rule(lab, "gross: gross").click()
    lab.keyboard.press("End")
    lab.keyboard.type(" + mony(1)")
    expect(lab.locator("#lab-findings")).to_contain_text("未知的函数 mony; 是否指 money?")
    expect(lab.locator("#lab-text .cm-lint-marker-error")).to_have_count(1)
    expect(lab.locator("#lab-text .cm-lintRange-error")).to_have_text("mony")
    expect(state(lab)).to_contain_text("1 个错误")

    for _ in "ony(1)":
        lab.keyboard.press("Backspace")
    lab.keyboard.type("oney(1)")
    expect(result(lab, '"gross"')).to_have_text('"gross": 122.00,')
    expect(lab.locator("#lab-findings li")).to_have_count(0)
    expect(lab.get_by_role("tab", name="对比 1")).to_be_visible()

    result(lab, '"net"').click()
    explained = lab.locator("#lab-explained")
    expect(explained).to_contain_text("lines[0].net")
    expect(explained).to_contain_text("orders.order[0].divide_order_fee")
    expect(explained).to_contain_text("ref(product")
    explained.get_by_role("button", name="行").first.click()
    expect(lab.locator("#lab-text .cm-marked")).to_have_text("net: taxed.net")
    lab.screenshot(path=pictures / "lab.png")

    lab.get_by_role("tab", name="对比").click()
    expect(lab.get_by_role("row", name="gross 121.00 122.00")).to_be_visible()
    lab.get_by_role("tab", name="改动").click()
    expect(lab.get_by_label("补丁")).to_have_value(re.compile(re.escape("+  gross: gross + money(1)")))
    lab.get_by_role("tab", name="测试").click()
    expect(lab.get_by_role("row", name="未通过").first).to_contain_text("gross")
    assert problems == []


def test_a_click_on_a_finding_leads_to_its_line(lab: Page) -> None:
    rule(lab, "freight: money(post_fee)").click()
    lab.keyboard.press("End")
    lab.keyboard.type(" +")
    lab.locator("#lab-findings").get_by_role("button").first.click()
    expect(lab.locator("#lab-text .cm-marked")).to_contain_text("freight: money(post_fee) +")


def test_a_recorded_message_is_tried_with_people_covered(lab: Page) -> None:
    lab.get_by_role("combobox", name="样例", exact=True).select_option(label=_label(lab))
    expect(lab.locator("#lab-record")).to_contain_text("receiver_mobile")
    expect(lab.locator("#lab-record")).to_contain_text("1***")
    expect(result(lab, '"gross"')).to_have_text('"gross": 113.00,')
    assert trades.PERSON not in lab.locator("#lab").inner_text()
    lab.get_by_role("tab", name="对比").click()
    expect(lab.get_by_text("与日志库中这条报文的单据相比: 完全相同")).to_be_visible()


def test_keys_functions_and_paths_are_completed(lab: Page) -> None:
    rule(lab, "gross: gross").click()
    lab.keyboard.press("End")
    complete(lab, " + mon", "money(x) → 小数")
    complete(lab, "paym", "payment")
    expect(rule(lab, "gross: gross")).to_contain_text("gross: gross + money(payment")
    lab.keyboard.type(")")
    expect(result(lab, '"gross"')).to_have_text('"gross": 242.00,')

    rule(lab, "    each: orders.order").click()
    lab.keyboard.press("End")
    lab.keyboard.press("Enter")
    complete(lab, "whe", "when")
    complete(lab, "line.nu", "num")
    lab.keyboard.type(" > 5")
    expect(result(lab, '"lines"')).to_have_text('"lines": []')


def complete(page: Page, typed: str, offered: str) -> None:
    """Type, and take the first completion, which the editor lets one do a moment after it is shown."""
    page.keyboard.type(typed)
    expect(page.locator(".cm-tooltip-autocomplete li[aria-selected]")).to_contain_text(offered)
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")


def test_on_a_narrow_screen_the_columns_are_tabs(lab: Page) -> None:
    for width, visible in ((1280, 3), (1000, 1)):
        lab.set_viewport_size({"width": width, "height": 800})
        expect(lab.locator(".lab-column:visible")).to_have_count(visible)
    panes = lab.get_by_role("tablist", name="栏")
    panes.get_by_role("tab", name="映射").focus()
    lab.keyboard.press("ArrowRight")
    expect(lab.locator("#lab-output")).to_be_visible()
    assert lab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def _label(page: Page) -> str:
    options = page.locator("#lab-sample option").all_inner_texts()
    return next(each for each in options if str(trades.TRADE["tid"]) in each)
