"""What old systems leave behind, from the file or table to a valid canonical document by the shipped templates."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
import xlwt

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.protocol import Window
from duijie.connect.registry import open_connection
from duijie.connect.services import Services, file_tokens
from duijie.mapping import StaticLookup, load_mapping
from duijie.schemas import check
from tests.connectors.test_legacyfile import write_dbf

SHIPPED = Path(__file__).parents[2] / "mappings/legacyfile"
OWN_COLUMNS = """\
mapping: acme/stock_level.in
extends: legacyfile/stock_level.in
let:
  sku: upper(trim(nfkc(SP)))
  warehouse: trim(CK)
  on_hand: SL
"""
EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
A_DAY_ON = datetime.now(UTC).timestamp() + 86_400
SALES_COLUMNS = ["内部编号", "单据编号", "单据日期", "客户编码", "客户名称", "商品编码", "单位", "数量", "单价", "金额"]


def read(kind: str, extra: Record, stream: Record) -> list[Record]:
    connection = Connection("old", kind, extra={**extra, "streams": {"one": stream}})
    opened = open_connection(connection, Services(file_tokens(), clock=lambda: A_DAY_ON))
    return [record for page in opened.streams["one"].read(EVER) for record in page.records]


def documents(
    name: str, records: list[Record], settings: Record | None = None, folder: Path | None = None, **xref: Any
) -> list[Record]:
    mapping = load_mapping((folder or SHIPPED) / f"{name}.in.yaml")
    lookup = StaticLookup(xref, {})
    made = [document for record in records for _, document in mapping.documents(record, lookup, settings or {})]
    for document in made:
        check(str(mapping.target["entity"]), document)
    return made


def test_products_of_an_old_workbook(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("商品")
    rows = [
        ["商品资料 (2026-11-28)"],
        ["商品编码", "商品名称", "规格", "基本单位", "税率", "参考售价", "条码"],
        [1001, "红烧牛肉面", "500g", "袋", 0.13, 10.1 * 3, 6901234567892],
        ["Ｂ－2", "矿泉水", "", "瓶", "13%", 2, ""],
        ["合计", 2],
    ]
    for at, row in enumerate(rows):
        for place, value in enumerate(row):
            sheet.write(at, place, value)
    book.save(str(tmp_path / "商品.xls"))
    stream = {"entity": "product", "files": "商品*.xls", "key": "商品编码", "header": 2, "skip": {"商品编码": ["合计"]}}
    noodles, water = documents("product", read("legacyfile", {"path": str(tmp_path)}, stream))
    assert (noodles["key"], noodles["price"], noodles["barcode"]) == ("1001", Decimal("30.3"), "6901234567892")
    assert (water["key"], water["tax_rate"]) == ("B-2", Decimal("0.13"))
    assert "spec" not in water


def test_parties_of_a_gbk_text(tmp_path: Path) -> None:
    text = "编号,全名,类型,税号\nK001,朱镕某某公司,客户,91330100799655058B\nK002,朱镕某某公司,供应商,\n"
    (tmp_path / "往来单位.csv").write_bytes(text.encode("gb18030"))
    columns = ["单位编码", "单位名称", "往来类型", "税号"]
    stream = {"entity": "party", "files": "往来*.csv", "key": "单位编码", "columns": columns}
    customer, supplier = documents("party", read("legacyfile", {"path": str(tmp_path)}, stream))
    assert (customer["role"], customer["tax_no"]) == ("customer", "91330100799655058B")
    assert (supplier["key"], supplier["name"], supplier["role"]) == ("K002", customer["name"], "supplier")


def test_stock_of_a_foxpro_table(tmp_path: Path) -> None:
    rows = [("a1", "01", Decimal("12.5000")), ("a2", "01", Decimal("-3.0000"))]
    write_dbf(tmp_path / "KC.DBF", "sp C(10); ck C(4); sl N(12,4)", rows, "fp")
    stream = {"entity": "stock_level", "files": "kc.dbf", "key": ["SP", "CK"]}
    records = read("legacyfile", {"path": str(tmp_path)}, stream)
    mappings = tmp_path / "mappings"
    shutil.copytree(SHIPPED, mappings / "legacyfile")
    (mappings / "acme").mkdir()
    (mappings / "acme/stock_level.in.yaml").write_text(OWN_COLUMNS, encoding="utf-8")
    made = documents("stock_level", records, folder=mappings / "acme")
    assert [(one["key"], one["on_hand"]) for one in made] == [
        ("A1@01", Decimal("12.5000")),
        ("A2@01", Decimal("-3.0000")),
    ]


def test_sales_of_a_workbook_of_lines(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        SALES_COLUMNS,
        [4711, "XS-1", date(2026, 11, 1), "K1", "某某公司", "A1", "袋", 10, 10.1, 101],
        [4711, "XS-1", date(2026, 11, 1), "K1", "某某公司", "B2", "瓶", 3, 0.1, 0.3],
        [4712, "XS-1", date(2026, 11, 2), "K2", "另一公司", "A1", "袋", 1, 10.1, 10.1],
    ):
        sheet.append(row)
    book.save(tmp_path / "销售明细.xlsx")
    stream = {"entity": "goods_issue", "files": "销售*.xlsx", "key": "内部编号", "lines": "rows"}
    first, second = documents("goods_issue", read("legacyfile", {"path": str(tmp_path)}, stream))
    assert (first["key"], first["business_date"], first["gross"]) == ("legacy:4711", "2026-11-01", Decimal("101.30"))
    assert [line["sku"] for line in first["lines"]] == ["A1", "B2"]
    assert (second["key"], second["issue_no"]) == ("legacy:4712", "XS-1")  # a number used again is another document


@pytest.fixture
def old(tmp_path: Path) -> tuple[sa.Engine, Record]:
    path = tmp_path / "old.db"
    return sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool), {"system": "sqlite", "database": str(path)}


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as line:
        for statement in statements:
            line.execute(sa.text(statement))


def test_purchases_of_a_database_by_a_query_that_names_the_columns(old: tuple[sa.Engine, Record]) -> None:
    engine, extra = old
    run(
        engine,
        "CREATE TABLE head (id INTEGER, no TEXT, day TEXT, unit TEXT, draft INTEGER)",
        "CREATE TABLE line (id INTEGER, n INTEGER, sku TEXT, qty NUMERIC, amount NUMERIC)",
        "INSERT INTO head VALUES (1, 'JH-1', '2026-11-1', 'G1', 2), (2, 'JH-2', '2026-11-2', 'G1', 1)",
        "INSERT INTO line VALUES (1, 1, 'A1', 10, 19.99), (2, 1, 'A1', 1, 2)",
    )
    query = (
        "SELECT h.id AS 内部编号, h.no AS 单据编号, h.day AS 单据日期, h.unit AS 供应商编码,"
        " l.sku AS 商品编码, l.qty AS 数量, l.amount AS 金额, CASE h.draft WHEN 2 THEN '已过账' ELSE '草稿' END AS 状态"
        " FROM head h JOIN line l ON l.id = h.id ORDER BY h.id, l.n"
    )
    stream = {"entity": "goods_receipt", "query": query, "key": "内部编号", "lines": "rows"}
    posted, draft = documents("goods_receipt", read("sqldb", extra, stream))
    assert (posted["approval"], posted["gross"], posted["business_date"]) == (
        "approved",
        Decimal("19.99"),
        "2026-11-01",
    )
    assert draft["approval"] == "draft"


def test_tables_shaped_like_guanjiapo(old: tuple[sa.Engine, Record]) -> None:
    engine, extra = old
    run(
        engine,
        "CREATE TABLE ptype (typeid TEXT, parid TEXT, usercode TEXT, name TEXT, unit TEXT)",
        "INSERT INTO ptype VALUES ('00000', '', '', '全部', ''), ('0000100002', '00001', 'ａ001', '面', '袋')",
        "CREATE TABLE btype (typeid TEXT, parid TEXT, usercode TEXT, name TEXT)",
        "INSERT INTO btype VALUES ('00001', '00000', 'k1', '某某公司')",
        "CREATE TABLE goodsstocks (p TEXT, k TEXT, qty NUMERIC)",
        "INSERT INTO goodsstocks VALUES ('0000100002', '00001', 12.5)",
    )
    names = {"name_column": "name", "unit_column": "unit", "tax_rate": 13, "role": "客户"}
    products = read("sqldb", extra, {"entity": "product", "table": "ptype", "key": "typeid"})
    [product] = documents("guanjiapo_product", products, names)
    assert (product["key"], product["sku"]) == ("0000100002", "A001")
    [party] = documents(
        "guanjiapo_party", read("sqldb", extra, {"entity": "party", "table": "btype", "key": "typeid"}), names
    )
    assert (party["key"], party["code"], party["role"]) == ("00001", "K1", "customer")
    stock = read("sqldb", extra, {"entity": "stock_level", "table": "goodsstocks", "key": ["p", "k"]})
    columns = {"product_column": "p", "warehouse_column": "k", "qty_column": "qty"}
    [level] = documents("guanjiapo_stock_level", stock, columns, sku={"0000100002": "A001"}, warehouse={"00001": "01"})
    assert (level["key"], level["on_hand"]) == ("A001@01", Decimal("12.5"))
