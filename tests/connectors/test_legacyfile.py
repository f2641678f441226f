"""旧系统文件: DBF, Excel, CSV and Access files are taken exactly; what is in doubt is told by file, row and column."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dbf
import openpyxl
import pytest
import xlwt
from hypothesis import given
from hypothesis import strategies as st

from connectors.legacyfile.connector import LegacyFiles
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, VendorBusy
from duijie.connect.protocol import Window
from duijie.connect.registry import open_connection
from duijie.connect.rows import Holders, exact, join_key, split_key
from duijie.connect.services import Services, file_tokens
from duijie.engine import Engine
from duijie.flow import load_flow
from duijie.journal import Journal, documents
from tests.access import mdbtools, write_access
from tests.servers import Missing

EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
LATER = timedelta(hours=1)  # a clock by which every file has lain still


class Left:
    """A folder of files and the connection that reads it, an hour after they came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.later = LATER

    def now(self) -> float:
        return (datetime.now(UTC) + self.later).timestamp()

    def opened(self, **streams: Any) -> LegacyFiles:
        connection = Connection("old", "legacyfile", extra={"path": str(self.folder), "streams": streams})
        opened = open_connection(connection, Services(file_tokens(), clock=self.now))
        assert isinstance(opened, LegacyFiles)
        return opened

    def read(self, files: str, key: Any = "code", window: Window = EVER, **more: Any) -> list[dict[str, Any]]:
        stream = self.opened(goods={"entity": "product", "files": files, "key": key, **more}).streams["goods"]
        return [record for page in stream.read(window) for record in page.records]

    def put(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def age(self, path: Path, minutes: float) -> None:
        """Let a file have come so long before the connection's now: it is the clock that moves."""
        self.later = datetime.fromtimestamp(path.stat().st_ctime, UTC) + timedelta(minutes=minutes) - datetime.now(UTC)


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path)


def unread(records: Sequence[dict[str, Any]]) -> list[str]:
    return [str(one["_unread"]) for one in records if "_unread" in one]


def write_dbf(path: Path, fields: str, rows: Sequence[Sequence[Any]], kind: str = "db3", page: str = "cp936") -> Path:
    """A table as the library `dbf` writes it, which is another than the one that reads it."""
    table = dbf.Table(str(path), fields, dbf_type=kind, codepage=page)
    with table.open(dbf.READ_WRITE):
        for row in rows:
            table.append(tuple(row))
    table.close()
    return path


def delete_rows(path: Path, *numbers: int) -> None:
    table = dbf.Table(str(path))
    with table.open(dbf.READ_WRITE):
        for number in numbers:
            dbf.delete(table[number])


def patch(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert len(old) == len(new)
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


class TestCsv:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
    def test_encodings_are_found_out_by_strict_trial(self, left: Left, encoding: str) -> None:
        left.put("a.csv", "code,名称\nA1,镕基方便面\n".encode(encoding))
        assert left.read("*.csv") == [{"code": "A1", "名称": "镕基方便面"}]

    def test_a_short_gbk_text_is_not_taken_for_big5(self, left: Left) -> None:
        left.put("a.csv", "code,name\n1,中文\n".encode("gbk"))
        assert left.read("a.csv")[0]["name"] == "中文"

    def test_texts_stay_as_they_are(self, left: Left) -> None:
        left.put("a.csv", 'code,name,price\n007 ,"全角１２,\n换行  ",0.10\n'.encode("gb18030"))
        assert left.read("a.csv") == [{"code": "007 ", "name": "全角１２,\n换行  ", "price": "0.10"}]

    def test_characters_of_ones_own_are_kept(self, left: Left) -> None:
        left.put("a.csv", b"code,name\n1,\xaa\xa1\n")
        assert left.read("a.csv", encoding="gb18030") == [{"code": "1", "name": "\ue000"}]

    def test_a_bad_character_is_told_with_row_and_column_and_stops_no_other(self, left: Left) -> None:
        left.put("a.csv", "code,name\nA,好\nB,".encode("gbk") + b"\xb0,\nC," + "中\n".encode("gbk"))
        good, bad, last = left.read("a.csv")
        assert (good["code"], last) == ("A", {"code": "C", "name": "中"})
        assert bad["_unread"].startswith("第 3 行 列 name: 有无法识别的字符")
        assert (bad["_file"], bad["code"]) == ("a.csv", "B")
        assert "\\xb0" in bad["_text"]

    @pytest.mark.parametrize("separator", ["\t", ";", "|"])
    def test_separators_are_found_in_the_row_of_names(self, left: Left, separator: str) -> None:
        left.put("a.txt", separator.join(("code", "a, b", "c")) + "\n" + separator.join(("1", "x, y, z", "")) + "\n")
        assert left.read("a.txt") == [{"code": "1", "a, b": "x, y, z", "c": ""}]

    def test_rows_too_long_or_too_short_are_told(self, left: Left) -> None:
        left.put("a.csv", "code,name\nA,1,2\nB\nC,3\n")
        long, short, good = left.read("a.csv")
        assert "第 2 行 比表头多出 1 个值" in long["_unread"]
        assert "第 3 行 只有 1 个值, 应有 2 个" in short["_unread"]
        assert good == {"code": "C", "name": "3"}

    def test_a_quote_that_is_never_closed_is_told(self, left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connectors.legacyfile.text.LONGEST_CELL", 1000)
        left.put("a.csv", 'code,name\nA,1\nB,"' + "x\n" * 2000)
        good, told = left.read("a.csv")
        assert good == {"code": "A", "name": "1"}
        assert "引号不成对" in told["_unread"]

    def test_a_text_that_is_cut_off_in_a_character_is_told(self, left: Left) -> None:
        left.put("a.csv", "code,name\nA,甲\n".encode("utf-16")[:-1])
        assert unread(left.read("a.csv"))

    def test_where_the_rows_stand_is_a_matter_of_settings(self, left: Left) -> None:
        left.put("a.csv", "商品一览表\n,,\n编码,名称,名称\n(必填),,\nA,甲,乙\n\n合计,,9\n")
        found = left.read("a.csv", "编码", header=3, first=5, skip={"编码": ["合计", "小计"]})
        assert found == [{"编码": "A", "名称": "甲", "名称_3": "乙"}]
        left.put("b.csv", "A,甲\n")
        assert left.read("b.csv", "c", header=0, columns=["c", "n"]) == [{"c": "A", "n": "甲"}]

    def test_a_row_without_its_key_is_told_with_the_way_out(self, left: Left) -> None:
        left.put("a.csv", "code,name\n,合计\n")
        assert "第 2 行 键列 code 为空 (若为合计行请设 skip)" in left.read("a.csv")[0]["_unread"]

    def test_memory_does_not_grow_with_a_file(self, left: Left) -> None:
        def peak(rows: int) -> int:
            with (left.folder / "a.csv").open("w", encoding="gb18030") as file:
                file.write("code,name,price\n")
                file.writelines(f"{number:08d},商品名称{number},{number}.10\n" for number in range(rows))
            stream = left.opened(goods={"entity": "product", "files": "a.csv", "key": "code"}).streams["goods"]
            tracemalloc.start()
            read = sum(len(page.records) for page in stream.read(EVER))
            assert read == rows
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return most

        small = peak(5_000)
        assert peak(60_000) < small * 1.5


class TestDbf:
    FIELDS = "code C(10); name C(20); qty N(12,4); amount N(14,2); made D; ok L; note M"
    ROW = ("A1", "朱镕基面", Decimal("1.2500"), Decimal("10.10"), date(2026, 11, 1), True, "备注\r\n第二行")

    @pytest.mark.parametrize(("kind", "page"), [("db3", "cp936"), ("fp", "cp936"), ("vfp", "cp936")])
    def test_a_table_with_memo_of_each_maker_is_read_exactly(self, left: Left, kind: str, page: str) -> None:
        write_dbf(left.folder / "GOODS.DBF", self.FIELDS, [self.ROW], kind, page)
        [row] = left.read("goods*.dbf", "CODE")
        assert row == {
            "CODE": "A1", "NAME": "朱镕基面", "QTY": Decimal("1.2500"), "AMOUNT": Decimal("10.10"),
            "MADE": "2026-11-01", "OK": True, "NOTE": "备注\r\n第二行",
        }  # fmt: skip
        assert str(row["QTY"]) == "1.2500"

    def test_what_foxpro_adds_is_read_exactly(self, left: Left) -> None:
        fields = "code I; price Y; rate B; at T"
        rows = [(7, Decimal("12345678901.1234"), 0.1, datetime(2026, 11, 1, 8, 5, 9))]  # noqa: DTZ001
        write_dbf(left.folder / "a.dbf", fields, rows, "vfp")
        [row] = left.read("a.dbf", "CODE")
        assert row == {
            "CODE": 7, "PRICE": Decimal("12345678901.1234"), "RATE": Decimal("0.1"), "AT": "2026-11-01T08:05:09"
        }  # fmt: skip

    def test_a_table_that_does_not_say_its_encoding_is_chinese(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", self.FIELDS, [self.ROW])
        data = bytearray(path.read_bytes())
        assert data[29] == 0x4D
        data[29] = 0
        path.write_bytes(data)
        assert left.read("a.dbf", "CODE")[0]["NAME"] == "朱镕基面"

    def test_half_a_character_cut_by_the_width_is_left_off_and_said(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", "code C(3); name C(7)", [("A1", "abcdefg"), ("B1", "x")])
        patch(path, b"abcdefg", "甲乙丙丁".encode("gbk")[:7])
        cut, whole = left.read("a.dbf", "CODE")
        assert cut == {"CODE": "A1", "NAME": "甲乙丙", "cut_columns": ["NAME"]}
        assert whole == {"CODE": "B1", "NAME": "x"}

    def test_a_key_that_was_cut_is_told_for_it_may_stand_for_two(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", "code C(7); name C(7)", [("abcdefg", "x")])
        patch(path, b"abcdefg", "甲乙丙丁".encode("gbk")[:7])
        assert unread(left.read("a.dbf", "CODE")) == ["第 1 行 列 CODE: 键的最后一个汉字被截断"]

    def test_what_cannot_be_read_is_told_by_row_and_column(self, left: Left) -> None:
        rows = [(f"A{number}", "abcdefg", 1000 + number, date(2026, 11, 1 + number)) for number in range(4)]
        path = write_dbf(left.folder / "a.dbf", "code C(3); name C(7); qty N(6,0); made D", rows)
        patch(path, b"A0 abcdefg", b"A0 \xffbcdefg")
        patch(path, b"  1001", b"******")
        patch(path, b"20261103", b"20261399")
        first, second, third, good = left.read("a.dbf", "CODE")
        assert "第 1 行 列 NAME: 不是 gb18030 编码" in first["_unread"]
        assert "第 2 行 列 QTY: 数值溢出 (******)" in second["_unread"]
        assert "第 3 行 列 MADE" in third["_unread"]
        assert good == {"CODE": "A3", "NAME": "abcdefg", "QTY": 1003, "MADE": "2026-11-04"}
        assert [one["CODE"] for one in (first, second, third)] == ["A0", "A1", "A2"]

    def test_deleted_rows_are_left_out_or_marked(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", "code C(3); name C(7)", [("A1", "x"), ("B1", "y")])
        delete_rows(path, 0)
        assert [row["CODE"] for row in left.read("a.dbf", "CODE")] == ["B1"]
        marked = left.read("a.dbf", "CODE", deleted="mark")
        assert [(row["CODE"], row["is_deleted"]) for row in marked] == [("B1", False), ("A1", True)]

    def test_a_number_used_again_after_deletion_is_of_the_row_that_lives(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", "id N(4,0); code C(3)", [(1, "A1"), (2, "A1")])
        delete_rows(path, 0)
        assert left.read("a.dbf", "CODE", deleted="mark") == [{"ID": 2, "CODE": "A1", "is_deleted": False}]
        by_id = left.read("a.dbf", "ID", deleted="mark")
        assert {row["ID"]: row["is_deleted"] for row in by_id} == {1: True, 2: False}

    def test_rows_that_were_appended_and_never_filled_are_no_rows(self, left: Left) -> None:
        write_dbf(
            left.folder / "a.dbf", "code C(3); qty N(5,1); ok L; d D", [("", None, None, None), ("A1", 0, None, None)]
        )
        assert [row["CODE"] for row in left.read("a.dbf", "CODE")] == ["A1"]

    def test_a_table_without_its_memo_file_waits_for_it_and_then_is_told(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", self.FIELDS, [self.ROW])
        (left.folder / "a.dbt").unlink()
        left.age(path, 5)
        assert left.read("a.dbf", "CODE") == []
        left.age(path, 11)
        assert "缺少备注文件" in unread(left.read("a.dbf", "CODE"))[0]

    def test_memory_does_not_grow_with_a_table(self, left: Left) -> None:
        write_dbf(left.folder / "a.dbf", "code C(10); name C(200)", [(f"{at}", "名" * 90) for at in range(3000)])
        stream = left.opened(goods={"entity": "product", "files": "a.dbf", "key": "CODE"}).streams["goods"]
        tracemalloc.start()
        assert sum(len(page.records) for page in stream.read(EVER)) == 3000
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 3_000_000  # the table has 630 000 bytes of text, a page of 500 rows a sixth of them


def write_xlsx(path: Path, rows: Sequence[Sequence[Any]], title: str = "商品") -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    book.save(path)
    return path


def write_xls(path: Path, rows: Sequence[Sequence[Any]], title: str = "商品") -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet(title)
    styles = {date: "YYYY-MM-DD", datetime: "YYYY-MM-DD HH:MM:SS", time: "HH:MM:SS"}
    for at, row in enumerate(rows):
        for place, value in enumerate(row):
            form = styles.get(type(value))
            sheet.write(at, place, value, xlwt.easyxf(num_format_str=form) if form else xlwt.Style.default_style)
    book.save(str(path))
    return path


def spoilt(path: Path, old: bytes, new: bytes) -> None:
    """Change the XML of the first sheet of a workbook."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(old, new, 1)
    with zipfile.ZipFile(path, "w") as book:
        for name, data in parts.items():
            book.writestr(name, data)


WRITERS = [("a.xlsx", write_xlsx), ("a.xls", write_xls)]


@pytest.mark.parametrize(("name", "write"), WRITERS)
class TestExcel:
    def test_numbers_are_what_excel_shows_and_never_binary(self, left: Left, name: str, write: Any) -> None:
        values = [10.1, 0.1 + 0.2, 10.1 * 3, 12, 6901234567892, -0.05, 1e-7, 123456789012345, 0.07 * 100]
        write(left.folder / name, [["code", *"abcdefghi"], ["A", *values]])
        [row] = left.read(name)
        assert list(row.values()) == [
            "A", Decimal("10.1"), Decimal("0.3"), Decimal("30.3"), 12, 6901234567892, Decimal("-0.05"), Decimal("1E-7"),
            123456789012345, 7,
        ]  # fmt: skip
        assert not any(isinstance(value, float) for value in row.values())

    def test_a_number_whose_end_excel_lost_is_told_and_not_taken(self, left: Left, name: str, write: Any) -> None:
        write(left.folder / name, [["code", "order"], ["A", 1234567890123456789], ["B", "1234567890123456789"]])
        lost, kept = left.read(name)
        assert "第 2 行 列 order: 数字超过 15 位, Excel 已丢失末位" in lost["_unread"]
        assert kept["order"] == "1234567890123456789"

    def test_days_moments_and_times_have_no_zone(self, left: Left, name: str, write: Any) -> None:
        moment, midnight = datetime(2026, 11, 1, 8, 0, 1), datetime(2026, 11, 1)  # noqa: DTZ001
        write(
            left.folder / name, [["code", "d", "m", "n", "t"], ["A", date(2026, 11, 1), moment, midnight, time(8, 5)]]
        )
        [row] = left.read(name)
        assert list(row.values())[1:] == ["2026-11-01", "2026-11-01T08:00:01", "2026-11-01T00:00:00", "08:05:00"]

    def test_texts_and_gaps_stay_as_they_are(self, left: Left, name: str, write: Any) -> None:
        write(
            left.folder / name,
            [["code", "名称", "b"], ["007", " 全角１２ ", True], [None, None, None], ["008", None, None]],
        )
        assert left.read(name) == [
            {"code": "007", "名称": " 全角１２ ", "b": True},
            {"code": "008", "名称": None, "b": None},
        ]

    def test_a_sheet_is_found_by_its_name(self, left: Left, name: str, write: Any) -> None:
        write(left.folder / name, [["code"], ["A"]], title="期初 库存")
        assert left.read(name, table="期初 库存") == [{"code": "A"}]
        [told] = unread(left.read(name, table="库存"))
        assert "没有工作表 库存, 有: 期初 库存" in told

    def test_a_damaged_workbook_is_told(self, left: Left, name: str, write: Any) -> None:
        path = write(left.folder / name, [["code"], *[[f"A{at}"] for at in range(500)]])
        path.write_bytes(path.read_bytes()[:3000])
        assert any(word in unread(left.read(name))[0] for word in ("不完整", "打不开"))


class TestExcelErrors:
    def test_a_sheet_that_is_damaged_inside_is_told(self, left: Left) -> None:
        path = write_xlsx(left.folder / "a.xlsx", [["code"], ["A"], ["B"]])
        spoilt(path, b"</sheetData>", b"<row")
        *good, told = left.read("a.xlsx")
        assert good == [{"code": "A"}, {"code": "B"}]
        assert "已损坏" in told["_unread"]

    def test_a_failed_formula_of_an_xlsx_is_told(self, left: Left) -> None:
        write_xlsx(left.folder / "a.xlsx", [["code", "price"], ["A", "#N/A"]])
        assert unread(left.read("a.xlsx")) == ["第 2 行 列 price: 公式错误 #N/A"]

    def test_a_failed_formula_of_an_xls_is_told(self, left: Left) -> None:
        book = xlwt.Workbook()
        sheet = book.add_sheet("x")
        for at, row in enumerate((["code", "price"], ["A", "#N/A"])):
            for place, value in enumerate(row[: 2 - at]):
                sheet.write(at, place, value)
        sheet.row(1).set_cell_error(1, 0x2A)
        book.save(str(left.folder / "a.xls"))
        assert unread(left.read("a.xls")) == ["第 2 行 列 price: 公式错误 #N/A"]

    def test_a_workbook_with_entities_is_refused(self, left: Left) -> None:
        path = write_xlsx(left.folder / "a.xlsx", [["code"], ["A"]])
        spoilt(path, b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "boom">]><worksheet')
        assert "EntitiesForbidden" in unread(left.read("a.xlsx"))[0]

    def test_an_xls_that_is_a_web_page_or_plain_text_is_seen_through(self, left: Left) -> None:
        left.put("page.xls", "<html><table><tr><td>编码</td></tr></table></html>")
        assert "网页" in unread(left.read("page.xls"))[0]
        left.put("text.xls", "code\tname\nA\t甲\n".encode("gbk"))
        assert left.read("text.xls") == [{"code": "A", "name": "甲"}]


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An .mdb and an .accdb of the same tables."""
    kinds = {
        "typeid": "LONG", "名称": "TEXT 50", "price": "MONEY", "qty": "NUMERIC 18 4", "rate": "DOUBLE", "half": "FLOAT",
        "at": "SHORT_DATE_TIME", "备注": "MEMO", "ok": "BOOLEAN",
    }  # fmt: skip
    at = datetime(2026, 11, 1, 8, 5, 9)  # noqa: DTZ001
    rows = [
        (1, '朱镕基 "面", 大', "12345678901.1234", "-0.0500", 0.1, 0.1, at, "第一行\r\n第二\t行 \\", True),
        (2, None, None, None, None, None, None, None, False),
        (3, "全角１２ ", "-0.01", "100", 1 / 3, 1e-7, datetime(1899, 12, 31), "x", True),  # noqa: DTZ001
    ]
    folder = tmp_path_factory.mktemp("access")
    tables = {"商品 表": (kinds, rows), "ktype": ({"id": "LONG"}, [(1,)])}
    try:
        mdbtools()
        return {name: write_access(folder / name, tables) for name in ("a.mdb", "a.accdb")}
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mdb", "a.accdb"])
class TestAccess:
    @pytest.fixture
    def there(self, left: Left, access: dict[str, Path], name: str) -> Left:
        left.put(name, access[name].read_bytes())
        return left

    def test_a_file_that_another_maker_wrote_is_read_exactly(self, there: Left, name: str) -> None:
        full, empty, odd = there.read(name, "typeid", table="商品 表")
        assert full == {
            "typeid": 1, "名称": '朱镕基 "面", 大', "price": Decimal("12345678901.1234"), "qty": Decimal("-0.0500"),
            "rate": Decimal("0.1"), "half": Decimal("0.1"), "at": "2026-11-01T08:05:09",
            "备注": "第一行\r\n第二\t行 \\", "ok": True,
        }  # fmt: skip
        assert str(full["qty"]) == "-0.0500"
        assert (full["ok"], empty["ok"]) == (True, False)
        assert isinstance(full["ok"], bool)
        assert set(empty.values()) == {2, None, False}
        assert (odd["名称"], odd["price"], odd["at"]) == ("全角１２ ", Decimal("-0.0100"), "1899-12-31T00:00:00")
        assert not any(isinstance(value, float) for row in (full, odd) for value in row.values())

    def test_a_table_that_counts_more_rows_than_are_found_is_told(self, there: Left, name: str) -> None:
        path = there.folder / name
        data = bytearray(path.read_bytes())
        counts = [at + 16 for at in range(0, len(data), 4096) if data[at : at + 2] == b"\x02\x01"]
        for at in counts:  # the rows of a table, on the page of its definition
            if data[at : at + 4] == (3).to_bytes(4, "little"):
                data[at] = 4
        path.write_bytes(data)
        *rows, told = there.read(name, "typeid", table="商品 表")
        assert len(rows) == 3
        assert "自记 4 行, 只读到 3 行" in told["_unread"]

    def test_a_table_that_is_not_there_is_answered_with_those_that_are(self, there: Left, name: str) -> None:
        for table in ("ptype", ""):
            [told] = unread(there.read(name, "typeid", table=table))
            assert "商品 表, ktype" in told or "ktype, 商品 表" in told

    def test_a_file_cut_off_waits_and_then_is_told(self, there: Left, name: str) -> None:
        path = there.folder / name
        path.write_bytes(path.read_bytes()[:-100])
        there.age(path, 5)
        assert there.read(name, "typeid", table="商品 表") == []
        there.age(path, 11)
        assert "未写完或已截断" in unread(there.read(name, "typeid", table="商品 表"))[0]

    def test_a_damaged_file_is_told(self, there: Left, name: str) -> None:
        path = there.folder / name
        data = path.read_bytes()
        path.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
        assert "Access" in unread(there.read(name, "typeid", table="商品 表"))[0]

    def test_the_test_of_a_connection_lists_its_tables(self, there: Left, name: str) -> None:
        told = dict(there.opened().check())
        assert told[f"{name} 商品 表"].startswith("(未使用) Access, 3 行; 列: typeid, 名称")
        assert told[f"{name} ktype"] == "(未使用) Access, 1 行; 列: id"

    def test_without_mdbtools_the_way_to_install_it_is_told(
        self, there: Left, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        with pytest.raises(ConfigError, match="apt-get install mdbtools"):
            there.read(name, "typeid", table="商品 表")


class TestFiles:
    def test_of_a_key_in_several_files_the_newest_counts_and_twice_in_one_is_told(self, left: Left) -> None:
        left.put("1.csv", "code,v\nA,1\nB,1\n")
        os.utime(left.put("2.csv", "code,v\nA,2\nA,3\n"))
        newest, twice, other = left.read("*.csv")
        assert (newest, other) == ({"code": "A", "v": "2"}, {"code": "B", "v": "1"})
        assert "键 A 在文件中出现多次" in twice["_unread"]
        assert "内部编号" in twice["_unread"]

    def test_a_bad_row_of_the_newest_file_does_not_bring_an_old_one_back(self, left: Left) -> None:
        left.put("1.csv", "code,v\nA,1\n")
        left.put("2.csv", "code,v\nA,2,3\n")
        [told] = left.read("*.csv")
        assert told["_file"] == "2.csv"

    def test_keys_of_several_columns_never_run_together(self, left: Left) -> None:
        left.put("a.csv", "bill,line,v\nX|1,2,a\nX,1|2,b\n")
        found = left.read("a.csv", ["bill", "line"])
        assert [one["_key"] for one in found] == ["X\\|1|2", "X|1\\|2"]
        asked = Window(EVER.since, EVER.until, keys=("X|1\\|2",))
        assert [one["v"] for one in left.read("a.csv", ["bill", "line"], asked)] == ["b"]

    def test_rows_of_one_bill_are_one_record_with_its_lines(self, left: Left) -> None:
        left.put("a.csv", "bill,date,sku,qty\nX1,2026-11-01,A,1\nX1,2026-11-01,B,2\nX2,2026-11-02,A,3\n")
        first, second = left.read("a.csv", "bill", lines="rows")
        assert (first["bill"], first["date"], [row["sku"] for row in first["rows"]]) == ("X1", "2026-11-01", ["A", "B"])
        assert "sku" not in first
        assert second["rows"] == [{"bill": "X2", "date": "2026-11-02", "sku": "A", "qty": "3"}]

    def test_a_bill_with_a_bad_line_is_not_taken_without_it(self, left: Left) -> None:
        left.put("a.csv", "bill,sku\nX1,A\nX1,B,?\nX2,A\n")
        told, good = left.read("a.csv", "bill", lines="rows")
        assert "单据 X1 共 2 行, 因其中有误整张未取: 第 3 行 比表头多出 1 个值" in told["_unread"]
        assert told["bill"] == "X1"
        assert good["bill"] == "X2"

    def test_a_bill_whose_rows_lie_apart_is_told(self, left: Left) -> None:
        left.put("a.csv", "bill,sku\nX1,A\nX2,A\nX1,B\n")
        assert "同一单据的行须相连" in unread(left.read("a.csv", "bill", lines="rows"))[0]

    def test_a_file_that_changed_a_moment_ago_holds_the_window_back(self, left: Left) -> None:
        path = left.put("a.csv", "code\nA\n")
        left.age(path, 0.1)
        [page] = left.opened(goods={"entity": "product", "files": "*", "key": "code"}).streams["goods"].read(EVER)
        assert page.records == []
        assert page.server_time == datetime.fromtimestamp(path.stat().st_ctime, UTC)
        left.age(path, 0.5)
        assert left.read("*") == [{"code": "A"}]

    def test_keys_are_not_answered_while_a_file_is_written(self, left: Left) -> None:
        left.age(left.put("a.csv", "code\nA\n"), 0.1)
        with pytest.raises(VendorBusy, match=r"a\.csv"):
            left.read("*", window=Window(EVER.since, EVER.until, keys=("A",)))

    def test_a_table_that_is_half_written_is_waited_for(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", "code C(3)", [("A1",), ("B1",)])
        whole = path.read_bytes()
        path.write_bytes(whole[:-5])
        left.age(path, 5)
        assert left.read("a.dbf", "CODE") == []
        path.write_bytes(whole)
        left.age(path, 5)
        assert [row["CODE"] for row in left.read("a.dbf", "CODE")] == ["A1", "B1"]

    def test_rows_that_the_header_does_not_count_yet_are_waited_for(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", "code C(3)", [("A1",), ("B1",)])
        data = bytearray(path.read_bytes())
        data[4] = 1
        path.write_bytes(data)
        left.age(path, 5)
        assert left.read("a.dbf", "CODE") == []
        left.age(path, 11)
        assert "文件头记 1 行, 其后还有 1 行" in unread(left.read("a.dbf", "CODE"))[0]

    def test_a_table_that_stays_half_written_is_told(self, left: Left) -> None:
        path = write_dbf(left.folder / "a.dbf", "code C(3)", [("A1",), ("B1",)])
        path.write_bytes(path.read_bytes()[:-5])
        left.age(path, 11)
        assert unread(left.read("a.dbf", "CODE")) == ["文件少 4 字节, 未写完或已截断"]

    def test_names_fit_whatever_their_case_and_helpers_of_programs_are_no_files(self, left: Left) -> None:
        for name in ("GOODS.CSV", "~$goods.csv", ".goods.csv", "goods.csv.part"):
            left.put(name, "code\nA\n")
        assert left.read("goods*") == [{"code": "A"}]

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"files": "../*.csv"}, "文件夹"),
            ({"key": []}, "key"),
            ({"deleted": "yes"}, "mark"),
            ({"header": 0}, "columns"),
            ({"encoding": "gbkk"}, "gb18030"),
            ({"tabel": "x"}, "tabel"),
        ],
    )
    def test_settings_that_cannot_be_meant_are_refused(self, left: Left, more: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError) as told:
            left.opened(goods={"entity": "product", "files": "*", "key": "code", **more})
        assert said in told.value.zh

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="none"):
            Left(tmp_path / "none").read("*")

    def test_it_has_no_sinks(self, left: Left) -> None:
        assert left.opened().sinks == {}

    def test_the_test_of_a_connection_shows_what_lies_there(self, left: Left) -> None:
        left.put("a.csv", "code,名称\nA,甲\nB\n".encode("gbk"))
        write_xlsx(left.folder / "b.xlsx", [["x"], [1]], "库存")
        write_dbf(left.folder / "c.dbf", "code C(3)", [("A1",)])
        (left.folder / "empty.csv").touch()
        told = dict(left.opened(goods={"entity": "product", "files": "a.*", "key": "id"}).check())
        assert told["goods: a.csv"] == (
            "文本, 编码 gb18030, 2 行; 其中 1 行有误; 列: code, 名称; 注意: 没有键列 id, 请更正该数据流的 key 或 header"
        )
        assert told["b.xlsx 库存"] == "(未使用) Excel, 1 行; 列: x"
        assert told["c.dbf"] == "(未使用) DBF, 编码 gb18030, 1 行; 列: CODE"
        assert told["empty.csv"] == "(未使用) 文件是空的"
        assert "没有键列 id, 有: code, 名称" in unread(left.read("a.*", "id"))[0]


class TestRows:
    @given(st.lists(st.text(), min_size=1, max_size=4))
    def test_a_joined_key_comes_apart_as_it_was(self, parts: list[str]) -> None:
        assert split_key(join_key(parts)) == parts

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_an_exact_number_reads_back_as_the_same(self, value: float) -> None:
        assert float(exact(value)) == value

    def test_the_first_holder_of_a_key_stays_it(self) -> None:
        with Holders() as holders:
            assert holders.first("a", 1) is None
            assert holders.first("a", 2) == 1
            assert holders.first("A ", 2) is None


FLOW = """
flow: products
title: 商品
steps:
  - {verb: pull, name: pull, connection: old, stream: products, mapping: demo/party.in,
     since: 2026-01-01T00:00:00+08:00, window_minutes: 1051200}
"""
IN = """\
mapping: demo/party.in
from: {system: demo, stream: products}
to: {entity: party}
fields: {key: 'join(":", "demo", code)', name: name, kind: '"company"', role: '"customer"'}
"""


def test_a_flow_waits_for_a_file_takes_the_good_and_keeps_the_bad_for_people(
    left: Left, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("DUIJIE_HOME", str(home))
    (home / "mappings/demo").mkdir(parents=True)
    (home / "mappings/demo/party.in.yaml").write_text(IN, encoding="utf-8")
    (home / "flow.yaml").write_text(FLOW, encoding="utf-8")
    streams = {"products": {"entity": "party", "files": "*.csv", "key": "code"}}
    connection = Connection("old", "legacyfile", extra={"path": str(left.folder), "streams": streams})
    flow = load_flow(home / "flow.yaml")
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    engine = Engine(journal, lambda conn_id: connection, home)
    monkeypatch.setattr("connectors.legacyfile.connector.STILL", timedelta(hours=1))
    left.put("a.csv", "code,name\nA,甲\nB,乙,?\n".encode("gbk"))
    engine.run(flow, flow.steps[0])
    assert list(documents.current(journal, "party")) == []
    monkeypatch.setattr("connectors.legacyfile.connector.STILL", timedelta(0))
    engine.run(flow, flow.steps[0])
    assert [one.key for one in documents.current(journal, "party")] == ["demo:A"]
    left.put("b.csv", "code,name\nB,乙\n".encode("gbk"))
    engine.run(flow, flow.steps[0])
    assert {one.key: one.body["name"] for one in documents.current(journal, "party")} == {
        "demo:A": "甲",
        "demo:B": "乙",
    }
