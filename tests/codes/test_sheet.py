"""The workbook: ids stay texts, nothing is a formula, a fault names its row and column and keeps everything out."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from typer.testing import CliRunner

from duijie.cli.code import app
from duijie.codes import sheet
from duijie.connect.errors import ConfigError, UnmappedCode
from duijie.journal import Journal, codes
from duijie.journal.codes import Code
from tests.codes.held import hold, lacks

HEAD = ["类别", "连接", "编码", "对应编码", "生效日期"]
LONG = "1030299990000000000123"
HOSTILE = ["=1+1", "+86", "-7", "@SUM(A1)", '=HYPERLINK("http://x","y")']


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    return Journal.open()


def excel(*lines: list[object], head: list[str] = HEAD, title: str = "未对照") -> bytes:
    book = Workbook()
    book.active.title = title
    for line in (head, *lines):
        book.active.append(line)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def filled(content: bytes, answers: dict[str, str]) -> bytes:
    """What a person does: type counterparts beside the codes."""
    book = load_workbook(io.BytesIO(content))
    page = book["未对照"]
    columns = {cell.value: cell.column for cell in page[1]}
    for number in range(2, page.max_row + 1):
        cell = page.cell(number, columns["对应编码"])
        cell.value = answers.get(page.cell(number, columns["编码"]).value)
        cell.data_type = "s" if cell.value else "n"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


class TestOut:
    def test_ids_are_texts_whatever_they_look_like(self, kept: Journal) -> None:
        codes.put(kept, [Code("sku", "psi", "007", LONG), *(Code("sku", "psi", one, one) for one in HOSTILE)], "张三")
        page = load_workbook(io.BytesIO(sheet.write(kept)))["对照表"]
        cells = [cell for line in page.iter_rows(min_row=2, max_col=4) for cell in line]
        assert {(cell.data_type, cell.number_format, cell.quotePrefix) for cell in cells} == {("s", "@", True)}
        assert {"007", LONG, *HOSTILE} <= {cell.value for cell in cells}

    def test_no_part_of_the_file_holds_a_formula(self, kept: Journal) -> None:
        for one in HOSTILE:
            lacks(kept, UnmappedCode("sku", one))
        with zipfile.ZipFile(io.BytesIO(sheet.write(kept))) as package:
            parts = [package.read(name) for name in package.namelist() if "worksheets" in name]
        assert len(parts) == 3
        assert not any(b"<f>" in part for part in parts)

    def test_what_is_unmapped_comes_with_a_suggestion_and_its_cost(self, kept: Journal) -> None:
        codes.put(kept, [Code("customer", "xingchen", "ｓ01", "KH001")], "张三")
        hold(kept, "S01", "1", shop_name="旗舰店")
        lacks(kept, UnmappedCode("product", "A1", what="document"))
        book = load_workbook(io.BytesIO(sheet.write(kept)))
        head, line = book["未对照"].iter_rows(values_only=True)
        row = dict(zip(head, line, strict=True))
        assert [row[name] for name in ("编码", "名称", "对应编码", "建议编码", "得分", "笔数", "流程")] == [
            *("S01", "旗舰店", None, "KH001", 97, 1, "orders")
        ]
        assert str(row["涉及金额"]) == "113"
        assert book["未对照"].cell(2, head.index("对应编码") + 1).number_format == "@"  # what is typed stays a text
        assert [cell.value for cell in book["缺档案"][2]][:3] == ["product", None, "A1"]

    def test_what_is_written_is_read_back_unchanged(self, kept: Journal) -> None:
        given = [Code("sku", "psi", one, one) for one in ("007", LONG, " A9 ", *HOSTILE)]
        given = [Code(one.kind, one.connection, one.code, one.counterpart.strip()) for one in given]
        codes.put(kept, [*given, Code("sku", "psi", "007", "008", date(2026, 12, 1))], "张三")
        back = sheet.read(sheet.write(kept), "x.xlsx")
        assert back.faults == []
        assert codes.changes(kept, back.rows, "李四") == []


class TestIn:
    def test_a_filled_workbook_asks_for_what_was_filled_only(self, kept: Journal) -> None:
        for code in ("007", "=2", "C"):
            lacks(kept, UnmappedCode("sku", code))
        given = sheet.read(filled(sheet.write(kept), {"007": LONG, "=2": "0002"}), "x.xlsx")
        assert {(one.code, one.counterpart) for one in given.rows} == {("007", LONG), ("=2", "0002")}
        assert (given.faults, given.unfilled) == ([], 1)

    @pytest.mark.parametrize(
        ("cell", "reason"),
        [
            ("=A1", "是公式"),
            (1.5, "末位可能已丢失"),
            (1030299990000000000, "末位可能已丢失"),
            (True, "真假值"),
            (datetime(2026, 11, 11, tzinfo=UTC).replace(tzinfo=None), "日期"),
            ("a\nb", "控制字符"),
            ("x" * 201, "超过 200 个字"),
        ],
    )
    def test_a_cell_that_cannot_be_trusted_is_named(self, cell: object, reason: str) -> None:
        given = sheet.read(excel(["sku", "psi", "A", "B"], ["sku", "psi", "A1", cell]), "x.xlsx")
        [fault] = given.faults
        assert (fault.place, fault.column) == ("未对照 第 3 行", "对应编码")
        assert reason in fault.reason

    def test_every_fault_is_told_at_once(self) -> None:
        lines = [
            ["", "psi", "A", "B"],
            ["sku", "psi", "A", "B", "明天"],
            ["sku", "psi", "C", "1"],
            ["sku", "psi", "C", "2"],
        ]
        assert [str(one) for one in sheet.read(excel(*lines), "x.xlsx").faults] == [
            "未对照 第 2 行 类别: 不能为空",
            "未对照 第 3 行 生效日期: “明天”不是日期, 应如 2026-12-01, 或留空",
            "未对照 第 5 行 对应编码: 与 未对照 第 4 行 矛盾: 同一编码写了两个对应编码",
        ]

    @pytest.mark.parametrize("day", ["2026-12-01", "2026/12/1", "2026年12月1日", date(2026, 12, 1)])
    def test_a_day_may_be_written_as_people_do(self, day: object) -> None:
        [row] = sheet.read(excel(["sku", "psi", 7, "B", day]), "x.xlsx").rows
        assert row == Code("sku", "psi", "7", "B", date(2026, 12, 1))

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"no zip", "不是 .xlsx"),
            (excel(head=["类别", "编码"]), "缺少列 连接, 对应编码"),
            (b"x" * (sheet.LARGEST + 1), "超过 10 MB"),
        ],
    )
    def test_a_file_of_another_kind_is_refused(self, content: bytes, words: str) -> None:
        with pytest.raises(ConfigError) as error:
            sheet.read(content, "x.xlsx")
        assert words in error.value.zh

    def test_entities_and_bombs_are_refused(self) -> None:
        for part, words in ((b"<!DOCTYPE a [<!ENTITY b 'c'>]>", "DTD"), (b"0" * (sheet.LARGEST_UNPACKED + 1), "过大")):
            target = io.BytesIO()
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
                package.writestr("xl/workbook.xml", part)
            with pytest.raises(ConfigError) as error:
                sheet.read(target.getvalue(), "x.xlsx")
            assert words in error.value.zh

    def test_csv_has_the_same_columns_in_either_language(self) -> None:
        text = "kind,connection,code,counterpart\nsku,psi,007,=2\n"
        [row] = sheet.read(text.encode(), "x.csv").rows
        assert row == Code("sku", "psi", "007", "=2")
        with pytest.raises(ConfigError, match="cannot be read"):
            sheet.read("类别".encode("gb18030"), "x.csv")


class TestCommands:
    def run(self, *words: str) -> str:
        answer = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
        return f"{answer.exit_code} {answer.output}"

    def test_set_tells_what_was_let_go_and_what_happens_next(self, kept: Journal) -> None:
        hold(kept, "S09", "1")
        said = self.run("set", "customer", "xingchen", "S09", "KH009")
        assert "0 customer S09 → KH009 (xingchen)" in said
        assert "1 项待处理放行 单据 1" in said
        assert "流程 orders 下次运行时处理" in said

    def test_a_change_has_a_day_and_a_history(self, kept: Journal) -> None:
        self.run("set", "customer", "xingchen", "S09", "KH1")
        self.run("set", "customer", "xingchen", "S09", "KH2", "--from", "2026-12-01")
        said = self.run("history", "customer", "xingchen", "S09")
        assert said.index("KH2") < said.index("KH1")
        assert "2026-12-01" in said
        assert "KH1" in self.run("list", "--find", "S0")

    def test_unmapped_and_suggest_show_the_score_and_why(self, kept: Journal) -> None:
        codes.put(kept, [Code("customer", "xingchen", "ｓ09", "KH009")], "张三")
        hold(kept, "S09", "1")
        assert '"建议":"KH009 (97, xingchen ｓ09 已对应它' in self.run("unmapped", "--json")
        assert '"得分":97' in self.run("suggest", "customer", "S09", "--json")

    def test_a_dry_run_writes_nothing_and_an_import_everything(self, kept: Journal, tmp_path: Path) -> None:
        hold(kept, "S09", "1")
        hold(kept, "S10", "2")
        path = tmp_path / "codes.xlsx"
        assert "0 已写入" in self.run("export", str(path))
        path.write_bytes(filled(path.read_bytes(), {"S09": "KH009"}))
        said = self.run("import", str(path), "--dry-run")
        assert "1 项待处理将放行 单据 1; 未填 1 行; 未写入任何行" in said
        assert codes.rows(kept) == []
        assert "已保存 1 行对照; 1 项待处理放行 单据 1" in self.run("import", str(path))
        assert [row.counterpart for row in codes.rows(kept)] == ["KH009"]

    def test_a_wrong_file_is_told_cell_by_cell_and_imports_nothing(self, kept: Journal, tmp_path: Path) -> None:
        path = tmp_path / "codes.xlsx"
        path.write_bytes(excel(["sku", "xingchen", "A", "B"], ["sku", "xingchen", "C", "=A1"]))
        said = self.run("import", str(path))
        assert said.startswith("1 ")
        assert "第 3 行 对应编码: 是公式" in said.replace("\n", "")
        assert codes.rows(kept) == []
        assert self.run("import", str(tmp_path / "nowhere.xlsx")).startswith("1 ")
        assert self.run("export", str(tmp_path / "codes.csv")).startswith("1 ")
