"""A click on a field: the panel beside it says where its value came from, secrets masked, for whoever may read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright
from starlette.testclient import TestClient

from duijie.console.app import create_app
from duijie.console.explain_pages import pieces
from duijie.journal import Journal
from sandbox.serve import free_ports
from tests.console.conftest import FLAGS, PASSWORD, log_in
from tests.shipped_world import ORDER, SECRET, TID, Shipped


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: Path) -> Shipped:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    monkeypatch.setenv("DUIJIE_CONSOLE_USERS", str(people))
    made = Shipped(tmp_path / "project", Journal.open())
    made.day()
    return made


@pytest.fixture
def client(world: Shipped) -> Iterator[TestClient]:
    with TestClient(create_app(root=world.root), base_url="http://console") as client:
        assert log_in(client, "look") == 303
        yield client


@pytest.fixture
def order_id(world: Shipped) -> int:
    with world.kept.reading() as tx:
        query = "SELECT id, message_id FROM document WHERE entity = 'sales_order'"
        found: int = tx.exec_driver_sql(query).scalar_one()
    return found


@pytest.fixture
def message_id(world: Shipped) -> int:
    with world.kept.reading() as tx:
        found: int = tx.exec_driver_sql("SELECT message_id FROM document WHERE entity = 'sales_order'").scalar_one()
    return found


def test_every_value_of_a_document_can_be_clicked(client: TestClient, order_id: int) -> None:
    page = client.get(f"/document/{order_id}").text
    assert f'hx-get="/explain/document/{order_id}?field=lines%5B0%5D.net"' in page
    assert SECRET not in page and "******" in page


def test_the_panel_has_the_rule_its_place_the_person_and_the_message(client: TestClient, order_id: int) -> None:
    panel = client.get(f"/explain/document/{order_id}", params={"field": "lines[0].net"}).text
    for words in ("split_tax(amount, product.tax_rate)", "mappings/taobao/sales_order.in.yaml:", "Li Lei",
                  "orders.order[0].divide_order_fee", "taobao/trade", "重算结果与存档一致"):  # fmt: skip
        assert words in panel


def test_what_was_sent_goes_back_through_its_document(client: TestClient) -> None:
    assert "/explain/delivery/1?field=total_amount" in client.get("/delivery/1").text
    panel = client.get("/explain/delivery/1", params={"field": "total_amount"}).text
    for words in ("mappings/xingchen/sales_order.out.yaml:", ORDER, "payment", "摘要相同"):
        assert words in panel


def test_a_field_of_the_message_says_which_fields_it_went_into(client: TestClient, message_id: int) -> None:
    panel = client.get(f"/explain/message/{message_id}", params={"field": "post_fee"}).text
    assert "seller_discount" in panel and "freight" in panel
    assert "没有字段用到它" in client.get(f"/explain/message/{message_id}", params={"field": "receiver_name"}).text


def test_what_cannot_be_explained_says_why(client: TestClient, order_id: int) -> None:
    assert "没有字段 nix" in client.get(f"/explain/document/{order_id}", params={"field": "nix"}).text
    assert "没有编号为 999 的单据" in client.get("/explain/document/999", params={"field": "x"}).text


@pytest.mark.parametrize("kind", ["document", "delivery", "message"])
def test_nobody_reads_a_reason_without_a_login(world: Shipped, kind: str) -> None:
    with TestClient(create_app(root=world.root), base_url="http://console") as stranger:
        answer = stranger.get(f"/explain/{kind}/1?field=x", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login")


def test_a_record_is_written_as_json_with_each_value_on_its_own() -> None:
    value = {"a": [1, {"b": "x"}], "c": {}, "token": "t"}
    found = list(pieces(value))
    text = '{\n  "a": [\n    1,\n    {\n      "b": "x"\n    }\n  ],\n  "c": {},\n  "token": "******"\n}'
    assert "".join(one.text for one in found) == text
    assert [one.path for one in found if one.path] == ["a[0]", "a[1].b", "c", "token"]


@pytest.mark.slow
@pytest.mark.browser
def test_in_a_browser_a_click_opens_the_reason_beside_the_field(world: Shipped, chromium: str, tmp_path: Path) -> None:
    server = uvicorn.Server(
        uvicorn.Config(create_app(root=world.root), host="127.0.0.1", port=free_ports(1)[0], log_level="critical")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.02)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        _click_through(page, f"http://127.0.0.1:{server.config.port}", tmp_path)
        assert problems == []
        browser.close()
    server.should_exit = True
    thread.join(10)


def _click_through(page: Page, url: str, pictures: Path) -> None:
    page.goto(url)
    page.get_by_label("用户名").fill("ops")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.goto(f"{url}/trace?q={TID}")
    page.get_by_role("button", name="单据与原文").first.click()
    page.locator("pre.record .leaf").get_by_text("100.00", exact=True).click()
    expect(page.locator(".why")).to_contain_text("lines[0].net = 100.00")
    expect(page.locator(".why")).to_contain_text("divide_order_fee")
    page.locator(".why summary").first.click()
    expect(page.locator(".why")).to_contain_text("xingchen/material")
    page.keyboard.press("Tab")
    page.screenshot(path=pictures / "why.png")
