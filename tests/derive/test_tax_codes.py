"""Tax class codes: which may be used, what is like a product, what an official list says, which SKUs have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from duijie.codes.official import keep, padded, read_official
from duijie.connect.errors import ConfigError
from duijie.derive.tax_codes import IMPORTED, TaxCode, TaxCodes, load, uncoded, with_codes

SHIPPED = load(Path("mappings/rules"))
APPLES, FOOD = "1010115010200000000", "1030299990000000000"
HEAD = ["序号", "合并编码", "货物和劳务名称", "商品和服务分类简称", "增值税税率", "关键字", "汇总项"]
ROWS = [
    [1, "1", "货物", "", "", "", "Y"],
    [2, "10101", "农产品", "农产品", "9%", "", ""],
    [3, "1010115010200000000", "苹果", "水果", "9%", "红富士, 国光", "N"],
    [4, 1030299990000000000.0, "其他食品", "食品", "13%", "面条", None],
    [5, None, "没有编码", "", "", "", ""],
]


def book(path: Path, *rows: list[Any]) -> Path:
    made = Workbook()
    for row in rows:
        made.worksheets[0].append(row)
    made.save(path)
    return path


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (FOOD, ""),
        ("3040000000000000000", "group"),
        ("1030200000000000000", "group"),
        ("1000000000000000000", "group"),
        ("1030299990000000001", "unknown"),
    ],
)
def test_only_a_last_level_that_is_listed_may_be_used(code: str, verdict: str) -> None:
    assert SHIPPED.judge(code) == verdict


def test_no_table_at_all_accuses_nobody() -> None:
    assert (len(TaxCodes()), TaxCodes().judge("9" * 19), TaxCodes().suggest("苹果")) == (0, "", [])


def test_a_row_that_is_marked_as_a_group_is_one() -> None:
    assert TaxCodes([TaxCode(FOOD, "食品", is_leaf=False)]).judge(FOOD) == "group"


def test_a_products_name_suggests_the_codes_with_a_word_of_it() -> None:
    assert SHIPPED.suggest("山东红富士苹果 5 斤")[0].code == APPLES
    assert SHIPPED.suggest("联想笔记本电脑 16G", 1)[0].name == "样例 电脑类商品"
    assert SHIPPED.suggest("QX-9000") == []


def test_the_official_list_is_read_below_its_title_with_numbers_and_short_codes(tmp_path: Path) -> None:
    rows = read_official(book(tmp_path / "list.xlsx", ["商品和服务税收分类编码表"], HEAD, *ROWS))
    assert [(row.code, row.name, row.is_leaf) for row in rows] == [
        ("1000000000000000000", "货物", False),
        ("1010100000000000000", "农产品", False),
        (APPLES, "苹果", True),
        (FOOD, "其他食品", True),
    ]
    assert (rows[2].short, rows[2].rates, rows[2].keywords) == ("水果", "9%", "红富士, 国光")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes('合并编码,货物和劳务名称\n1010115010200000000,"苹果, 红"\n'.encode(encoding))
    assert read_official(path) == [TaxCode(APPLES, "苹果, 红")]


def test_other_headers_are_named(tmp_path: Path) -> None:
    path = book(tmp_path / "list.xlsx", ["Code", "Name"], [APPLES, "苹果"])
    assert read_official(path, {"code": "Code", "name": "Name"})[0].name == "苹果"
    with pytest.raises(ConfigError) as raised:
        read_official(path)
    assert "合并编码" in raised.value.zh and "Code、Name" in raised.value.zh


@pytest.mark.parametrize("content", [b"", b"no workbook", b"PK\x03\x04broken"])
def test_what_is_no_workbook_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"list\.xlsx"):
        read_official(path)


def test_an_imported_list_comes_before_the_shipped_one_and_is_read_as_it_was_kept(tmp_path: Path) -> None:
    rows = [TaxCode(APPLES, '苹果 "红", 国光', "水果", "9%", True, "a\nb"), TaxCode(FOOD, "食品", is_leaf=False)]
    (tmp_path / "tax_codes.csv").write_text("code,name,short,rates,leaf,keywords\n", encoding="utf-8")
    assert len(load(tmp_path)) == 0
    assert keep(rows, tmp_path).name == IMPORTED
    assert list(load(tmp_path).by_code.values()) == rows
    assert not list(tmp_path.glob("*.new"))


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    (tmp_path / IMPORTED).write_text("code,name\n1,x\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=IMPORTED):
        load(tmp_path)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("103", "1030000000000000000"),
        (1.03e18, "1030000000000000000"),
        ("10 30", "1030000000000000000"),
        ("A1", ""),
        ("1" * 20, ""),
        (None, ""),
    ],
)
def test_short_codes_are_filled_with_zeros(written: Any, code: str) -> None:
    assert padded(written) == code


def test_a_line_without_a_code_takes_its_skus_and_others_keep_their_own() -> None:
    order = {"lines": [{"sku": "A1", "tax_class_code": "1"}, {"sku": "A1"}, {"sku": "B1"}]}
    assert [one.get("tax_class_code") for one in with_codes(order, {"A1": "2"})["lines"]] == ["1", "2", None]
    whole = {"lines": [{"sku": "A1", "tax_class_code": "1"}]}
    assert with_codes(whole, {}) is whole


def test_skus_without_a_code_are_told_the_most_used_first() -> None:
    lines = [
        {"sku": "A1", "name": "苹果"},
        {"sku": "B1", "name": "QX-9000"},
        {"sku": "C1", "name": "面", "tax_class_code": FOOD},
    ]
    found = uncoded([{"lines": lines}, {"lines": lines[:1]}], {}, SHIPPED)
    assert [(one.sku, one.lines) for one in found] == [("A1", 2), ("B1", 1)]
    assert found[0].codes[0].code == APPLES
    assert found[1].codes == ()
    assert uncoded([{"lines": lines}], {"A1": APPLES, "B1": FOOD}, SHIPPED) == []
