"""对照 at the console: the list of what is unmapped, accepting, changing, Excel in with a preview and out."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient

from duijie.connect.errors import UnmappedCode
from duijie.console.security import LARGEST_FORM
from duijie.journal import Journal, codes
from duijie.journal.codes import Code
from tests.codes.held import blocked, hold, lacks
from tests.codes.test_sheet import excel, filled
from tests.console.conftest import HOSTILE, PASSWORD, form_token, log_in

SHOPS = {"S09": "天猫旗舰店", "S10 ": "京东自营店", "S11": "抖音小店"}


@pytest.fixture(autouse=True)
def waiting(kept: Journal) -> None:
    """Orders of three shops that have no customer in the PSI system, and one product that has not arrived."""
    for number, (shop, name) in enumerate(SHOPS.items(), 1):
        hold(kept, shop, f"o{number}", shop_name=name)
    lacks(kept, UnmappedCode("product", HOSTILE, what="document"))
    rows = [Code("customer", "xingchen", "ｓ10", "KH010"), Code("customer", "k3cloud", "S09", "KH009")]
    codes.put(kept, rows, "张三")


def post(client: TestClient, path: str, **form: str) -> str:
    token = form_token(client.get("/codes").text)
    return client.post(path, data={"csrf": token, **form}).text


class TestTheList:
    def test_it_has_count_money_flows_name_and_what_to_do(self, ops: TestClient) -> None:
        shown = ops.get("/codes").text
        for words in (
            "S09",
            "天猫旗舰店",
            "113.00",
            "orders",
            "缺档案",
            "档案拉取到后自动放行",
            "客户 · 金蝶AI星辰",
            "首尾有空格",
        ):
            assert words in shown
        assert HOSTILE not in shown

    def test_suggestions_are_buttons_with_a_score_and_a_reason(self, ops: TestClient) -> None:
        shown = ops.get("/codes?kind=customer").text
        assert re.search(r'name="counterpart" value="KH010".*?97', shown, re.S)
        assert "k3cloud S09 已对应它, 编码一致" in shown
        assert "缺档案" not in shown

    def test_it_is_narrowed_by_kind_connection_code_and_item(self, ops: TestClient) -> None:
        assert "S09" in ops.get("/codes?q=S09&connection=xingchen").text
        assert "没有符合条件的编码" in ops.get("/codes?q=nothing").text
        assert "1 个编码" in ops.get("/codes?item=2").text

    def test_an_item_leads_here(self, ops: TestClient) -> None:
        assert 'href="/codes?item=2"' in ops.get("/work/2").text

    def test_a_viewer_sees_it_and_has_no_forms(self, anybody: TestClient) -> None:
        log_in(anybody, "look")
        shown = anybody.get("/codes").text
        assert "KH010" in shown
        assert 'action="/codes"' not in shown.replace('<form action="/codes"', "")
        answer = anybody.post("/codes", data={"csrf": form_token(shown), "kind": "customer"})
        assert answer.status_code == 403


class TestSaving:
    def test_accepting_lets_go_and_says_so_on_the_list_and_the_item(self, ops: TestClient, kept: Journal) -> None:
        row = {"kind": "customer", "connection": "xingchen", "code": "S10 ", "counterpart": "KH010"}
        shown = post(ops, "/codes", **row, back="kind=customer&page=1")
        assert "已保存 1 行对照; 1 项待处理放行 单据 1; 流程 orders 下次运行时处理" in shown
        assert "已补对照" in shown
        assert blocked(kept) == 2
        assert kept_row(kept, "S10 ") == ("KH010", "ops 某人", 1)
        assert "ops 某人 已补对照, 放行 单据 1" in ops.get("/work/3").text

    def test_what_cannot_be_kept_is_told_and_changes_nothing(self, ops: TestClient, kept: Journal) -> None:
        row = {"kind": "customer", "connection": "xingchen", "code": "S09"}
        assert "counterpart 应为 1 到 200 个字" in post(ops, "/codes", **row, counterpart=" ")
        assert "不是日期" in post(ops, "/codes", **row, counterpart="C", valid_from="soon")
        assert blocked(kept) == 3

    def test_a_change_is_a_version_with_a_day_and_the_old_one_stays_visible(self, ops: TestClient) -> None:
        row = {"kind": "customer", "connection": "k3cloud", "code": "S09", "counterpart": "KH99"}
        shown = post(ops, "/codes", **row, valid_from="2026-12-01", tab="mapped", back="kind=customer")
        assert "2026-12-01" in shown
        history = ops.get("/codes/history?kind=customer&connection=k3cloud&code=S09").text
        assert history.index("KH99") < history.index("KH009")
        assert "张三" in history

    def test_what_is_mapped_can_be_searched(self, ops: TestClient) -> None:
        assert "KH009" in ops.get("/codes/mapped?q=S09").text
        assert "没有符合条件的对照" in ops.get("/codes/mapped?q=nothing").text
        assert "没有符合条件的对照" in ops.get("/codes/mapped?kind=sku").text

    def test_what_is_answered_meanwhile_can_be_let_go(self, ops: TestClient, kept: Journal) -> None:
        codes.put(kept, [Code("customer", "*", "S09", "KH009")], "张三")
        assert "放行 单据 1, 由流程下次运行处理" in post(ops, "/codes/release/2")
        assert "没有编号为 99 的待处理" in post(ops, "/codes/release/99")


class TestFiles:
    def upload(self, client: TestClient, content: bytes, name: str = "codes.xlsx") -> str:
        token = form_token(client.get("/codes").text)
        return client.post("/codes/preview", data={"csrf": token}, files={"file": (name, content)}).text

    def test_the_workbook_goes_out_is_filled_looked_at_and_kept(self, ops: TestClient, kept: Journal) -> None:
        answer = ops.get("/codes/export")
        assert answer.headers["content-disposition"].startswith('attachment; filename="duijie-codes-2')
        assert load_workbook(io.BytesIO(answer.content)).sheetnames == ["未对照", "对照表", "缺档案"]
        shown = self.upload(ops, filled(answer.content, {"S09": "KH009", "S10 ": "00010"}))
        assert "将新增 <strong>2</strong> 行" in shown
        assert "2 项待处理将放行 <strong>单据 2</strong>" in shown
        assert "226.00" in shown
        assert blocked(kept) == 3
        rows = html.unescape(shown.split('name="rows" value="')[1].split('"', maxsplit=1)[0])
        shown = post(ops, "/codes/import", rows=rows)
        assert "已保存 2 行对照; 2 项待处理放行 单据 2" in shown
        assert kept_row(kept, "S10 ") == ("00010", "ops 某人", 1)

    def test_a_wrong_cell_is_named_and_nothing_can_be_written(self, ops: TestClient, kept: Journal) -> None:
        shown = self.upload(
            ops, excel(["customer", "xingchen", "S09", "KH009"], ["customer", "xingchen", "S10", "=A1"])
        )
        assert "1 处有误, 未写入任何行" in shown
        assert "未对照 第 3 行" in shown
        assert "/codes/import" not in shown
        assert codes.history(kept, ("customer", "xingchen", "S09")) == []

    @pytest.mark.parametrize("rows", ["", "[]x", '[["a"]]', "[[1,2,3,4,5]]"])
    def test_rows_that_no_preview_made_are_refused(self, ops: TestClient, rows: str) -> None:
        assert "预览已失效" in post(ops, "/codes/import", rows=rows)

    def test_a_file_that_is_no_workbook_is_told(self, ops: TestClient) -> None:
        assert "不是 .xlsx 文件" in self.upload(ops, b"x")

    def test_a_form_that_is_too_large_is_not_read(self, ops: TestClient) -> None:
        answer = ops.post("/codes/preview", content=b"x" * (LARGEST_FORM + 1))
        assert answer.status_code == 413


def kept_row(kept: Journal, code: str) -> tuple[str, str, int]:
    [row] = codes.history(kept, ("customer", "xingchen", code))
    return row.counterpart, row.changed_by, row.version


@pytest.mark.browser
@pytest.mark.slow
def test_a_code_is_accepted_in_a_browser(page: Page, url: str, pictures: Path, tmp_path: Path) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{url}/login")
    page.get_by_label("用户名").fill("ops")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("link", name="对照", exact=True).click()
    page.screenshot(path=pictures / "codes.png", full_page=True)
    page.get_by_role("button", name="KH010 97").click()
    expect(page.get_by_role("status")).to_contain_text("1 项待处理放行 单据 1")
    page.get_by_label("S09 的对应编码").fill("KH009")
    page.get_by_label("S09 的对应编码").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("S09 → KH009")
    with page.expect_download() as download:
        page.get_by_role("link", name="下载 Excel").click()
    path = tmp_path / "filled.xlsx"
    path.write_bytes(filled(download.value.path().read_bytes(), {"S11": "KH011"}))
    page.get_by_label("填好的 Excel").set_input_files(path)
    page.get_by_role("button", name="上传并预览").click()
    page.screenshot(path=pictures / "codes-preview.png", full_page=True)
    page.get_by_role("button", name="全部写入并放行").click()
    expect(page.get_by_role("status")).to_contain_text("已保存 1 行对照")
    page.get_by_role("link", name="对照表").click()
    row = page.get_by_role("row").filter(has_text="KH011")
    row.get_by_text("修改").click()
    row.get_by_label("S11 的对应编码").fill("KH012")
    row.get_by_role("button", name="保存").click()
    page.get_by_role("row").filter(has_text="KH012").get_by_role("button", name="历史").click()
    expect(page.locator(".detail table")).to_contain_text("KH011")
    page.screenshot(path=pictures / "codes-mapped.png", full_page=True)
    assert problems == []
