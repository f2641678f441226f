"""推送: the console's server takes pushes without a login, and shows them to who has one."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from connectors.nuonuo.hook import token_of
from duijie import codec
from duijie.connect.connection import find_connection
from duijie.journal import Journal, pushes
from tests.console.conftest import PASSWORD

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"conn_type": "nuonuo", "login": "AK", "password": "AS-secret", "extra": {"tax_no": "1", "clerk": "张三"}}
    monkeypatch.setenv("DUIJIE_CONN_NUONUO", codec.encode(given).decode())


def test_a_connection_that_takes_pushes_is_listed_before_any_came(ops: TestClient) -> None:
    page = ops.get("/pushes").text
    assert "/in/nuonuo" in page
    assert "还没有推送" in page
    assert "AS-secret" not in page


def test_what_came_and_what_was_refused_is_shown(ops: TestClient, kept: Journal) -> None:
    pushes.refused(kept, {"nuonuo": 3}, {"nuonuo": "回调地址中的令牌不符"}, [])
    page = ops.get("/pushes").text
    assert "最近的推送被拒" in page
    assert "回调地址中的令牌不符" in page


@pytest.mark.slow
@pytest.mark.browser
def test_a_push_to_the_consoles_server_shows_on_the_page(page: Page, url: str, kept: Journal, pictures: Path) -> None:
    address = f"{url}/in/nuonuo?t={token_of(find_connection('nuonuo'))}"
    refused = "operater=callback&orderno=DJ1"
    assert requests.post(f"{url}/in/nuonuo?t=x", data=refused, headers=FORM, timeout=10).status_code == 401
    assert requests.post(f"{url}/in/nobody", data=refused, headers=FORM, timeout=10).status_code == 404
    for number in (1, 2, 2):
        body = f"operater=callback&orderno=DJ{number}"
        assert requests.post(address, data=body, headers=FORM, timeout=10).json()["status"] == "0000"
    assert [(one.key, one.hints) for one in pushes.waiting(kept, "nuonuo", "invoice", 9)] == [("DJ1", 1), ("DJ2", 2)]

    page.goto(f"{url}/pushes")
    page.get_by_label("用户名").fill("ops")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    row = page.get_by_role("row").filter(has_text="/in/nuonuo")
    expect(row).to_contain_text("诺诺")
    expect(row.get_by_role("img", name="正常")).to_be_visible()
    page.screenshot(path=pictures / "pushes.png", full_page=True)
