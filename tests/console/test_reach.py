"""Every page on a phone (390 px) and on a desk (1280 px): it fits, says what it is, and the keyboard reaches it all."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import delete

from duijie.console import words
from duijie.journal import Journal
from duijie.journal.tables import comparison, difference
from tests.console.conftest import ORDER, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATHS = [href for href, _ in words.NAVIGATION] + [f"/trace?q={ORDER}", "/work/1", "/alerts/1", "/replays", "/nowhere"]
WIDTHS = [390, 1280]
UNNAMED = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea')]
  .filter(one => one.offsetParent && !(one.innerText || '').trim() && !one.getAttribute('aria-label')
    && !one.getAttribute('aria-labelledby') && !one.title && !(one.labels || []).length && !one.closest('.cm-editor'))
  .map(one => one.outerHTML.slice(0, 120))"""
DOUBLED = """() => { const ids = [...document.querySelectorAll('[id]')].map(one => one.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at) }"""
FOCUSED = """() => { const one = document.activeElement; const style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  return {what: one.tagName + ' ' + (one.innerText || one.getAttribute('aria-label') || '').trim().slice(0, 40),
    isBody: one === document.body, inside: box.left >= -1 && box.right <= innerWidth + 1,
    isShown: style.outlineStyle !== 'none' || style.boxShadow !== 'none'} }"""


@pytest.fixture
def inside(page: Page, url: str, kept: Journal) -> Page:
    """An engineer who has logged in: every page is there."""
    page.goto(f"{url}/login")
    page.get_by_label("用户名").fill("eng")
    page.get_by_label("密码").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="今日总览")).to_be_visible()
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_says_what_it_is_and_names_every_control(inside: Page, url: str, width: int) -> None:
    inside.set_viewport_size({"width": width, "height": 844})
    titles: list[str] = []
    for path in PATHS:
        inside.goto(f"{url}{path}")
        assert inside.evaluate("document.documentElement.scrollWidth") <= width, path
        assert inside.locator("h1").count() == 1, path
        assert inside.locator("main h2").first.inner_text().strip(), path
        assert inside.evaluate(UNNAMED) == [], path
        assert inside.evaluate(DOUBLED) == [], path
        titles.append(inside.title())
    assert len(set(titles)) == len(titles)
    assert all(title.endswith(" · Duijie 对接") for title in titles)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(inside: Page, url: str, width: int) -> None:
    inside.set_viewport_size({"width": width, "height": 844})
    for path in [path for path in PATHS if path != "/lab"]:  # an editor keeps Tab for itself
        inside.goto(f"{url}{path}")
        inside.keyboard.press("Tab")
        assert inside.evaluate(FOCUSED)["what"] == "A 跳到正文", path
        stops = 1
        while not (place := inside.evaluate(FOCUSED))["isBody"] and stops < 200:
            assert place["isShown"], f"{path}: {place}"
            assert place["inside"], f"{path}: {place}"
            inside.keyboard.press("Tab")
            stops += 1
        assert 10 < stops < 200, path


def test_the_first_key_leads_past_the_menu(inside: Page, url: str) -> None:
    inside.goto(f"{url}/work")
    inside.keyboard.press("Tab")
    inside.keyboard.press("Enter")
    inside.keyboard.press("Tab")
    assert inside.evaluate("document.activeElement.closest('main') !== null")


def test_what_opens_in_place_fits_a_phone_too(inside: Page, url: str) -> None:
    inside.set_viewport_size({"width": 390, "height": 844})
    inside.goto(f"{url}/trace?q={ORDER}")
    for name in ("单据与原文", "经过"):
        inside.get_by_role("button", name=name).first.click()
        expect(inside.locator(".detail").first).not_to_be_empty()
        assert inside.evaluate("document.documentElement.scrollWidth") <= 390, name
    inside.goto(f"{url}/reconcile")
    inside.get_by_role("button", name="逐条").click()
    expect(inside.get_by_role("link", name="TB7")).to_be_visible()
    assert inside.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_piece_that_cannot_be_had_says_so_in_its_place(inside: Page, url: str, kept: Journal) -> None:
    inside.goto(f"{url}/reconcile")
    with kept.writing() as tx:
        tx.execute(delete(difference))
        tx.execute(delete(comparison))
    inside.get_by_role("button", name="逐条").click()
    expect(inside.locator("#differences")).to_have_text("没有这次对账")


def test_a_session_that_ended_leads_from_a_piece_to_the_login(inside: Page, url: str) -> None:
    inside.goto(f"{url}/trace?q={ORDER}")
    inside.context.clear_cookies()
    inside.get_by_role("button", name="单据与原文").first.click()
    expect(inside).to_have_url(f"{url}/login")
    expect(inside.get_by_label("密码")).to_be_visible()
