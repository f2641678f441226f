"""The bureau's files say what was issued, in the names that readers of such files know."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from sandbox import bureau_files
from sandbox.bureau import Blue, Bureau, Line, Party, RedForm, RedLine
from sandbox.bureau_files import capitals, face_of
from sandbox.store import Store

Record = dict[str, Any]
SELLER = Party("杭州示例供应有限公司", "91330106MA2DEMK14E", "示例路1号")
BUYER = Party("上海示例<采购>有限公司", "91310115MA1DEMA278")
D = Decimal


class Clock:
    """A clock that is put forward by hand."""

    at = datetime(2026, 11, 23, 2, 0, 3, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def bureau() -> Bureau:
    """One with an issued invoice under the serial S1."""
    made = Bureau(Store(), clock := Clock())
    mouse = Line(
        "鼠标", "1090511030000000000", D("0.13"), D("100.00"), D("13.00"), unit="只", qty=D(2), price=D("56.5")
    )
    greens = Line("蔬菜", "1010115000000000000", D(0), D("9.50"), D(0), policy="03")
    made.submit(Blue("S1", "special", SELLER, BUYER, (mouse, greens), "SO1", "张三"))
    clock.at += timedelta(seconds=2)
    return made


@pytest.fixture
def row(bureau: Bureau) -> Record:
    found = bureau.blue("S1")
    assert found is not None
    return found


def _read(text: bytes) -> etree._Element:
    return etree.fromstring(text)


def test_the_xml_has_the_names_and_figures_of_the_face(bureau: Bureau, row: Record) -> None:
    root = _read(bureau_files.xml(row, bureau))
    assert root.findtext("Header/EIid") == root.findtext("TaxSupervisionInfo/InvoiceNumber") == row["number"]
    assert root.findtext("Header/InherentLabel/InIssuType/LabelCode") == "Y"
    assert root.findtext("Header/InherentLabel/GeneralOrSpecialVAT/LabelCode") == "01"
    basic = {one.tag: one.text for one in root.find("EInvoiceData/BasicInformation")}
    assert basic["TotalTax-includedAmount"] == "122.50"
    assert basic["TotalTax-includedAmountInChinese"] == "壹佰贰拾贰圆伍角整"
    assert root.findtext("TaxSupervisionInfo/IssueTime") == "2026-11-23 10:00:05"
    rates = [one.text for one in root.iterfind(".//TaxRate")]
    assert rates == ["0.13", "免税"]
    assert root.findtext(".//UnPrice") == "50.0000000000000"
    assert root.findtext(".//BuyerName") == "上海示例<采购>有限公司"
    assert root.findtext(".//ItemName") == "*计算机外部设备*鼠标"


PART = (RedLine(1, D("-50.00"), D("-6.50"), D(-1)),)


@pytest.mark.parametrize(("lines", "net"), [((), "-109.50"), (PART, "-50.00")])
def test_a_red_one_names_its_blue_and_is_negative(
    bureau: Bureau, row: Record, lines: tuple[RedLine, ...], net: str
) -> None:
    bureau.settings({"issue_seconds": 0})
    form = bureau.begin(RedForm("A1", row["number"], "seller", "sales_return", lines))
    red = bureau.by_number(form["red_number"])
    assert red is not None
    root = _read(bureau_files.xml(red, bureau))
    assert root.findtext(".//TotalAmWithoutTax") == net
    assert root.findtext(".//TotalTax-includedAmountInChinese").startswith("（负数）")
    assert root.findtext(".//OriginalInvoiceCode") == row["number"]
    assert row["number"] in root.findtext(".//Remark") and form["form_no"] in root.findtext(".//Remark")
    assert root.findtext("Header/InherentLabel/InIssuType/LabelCode") == "N"


def test_the_ofd_is_a_package_whose_tags_point_at_text_of_the_page(bureau: Bureau, row: Record) -> None:
    archive = zipfile.ZipFile(io.BytesIO(bureau_files.ofd(row, bureau)))
    space = {"ofd": "http://www.ofdspec.org/2016"}
    custom = _read(archive.read("OFD.xml")).iterfind(".//ofd:CustomData", space)
    assert {one.get("Name"): one.text for one in custom}["合计金额"] == "109.50"
    page = _read(archive.read("Doc_0/Pages/Page_0/Content.xml"))
    texts = {one.get("ID"): one.findtext("ofd:TextCode", namespaces=space) for one in page.iter("{*}TextObject")}
    tags = _read(archive.read("Doc_0/Tags/CustomTag.xml"))
    assert texts[tags.findtext(".//ofd:BuyerName/ofd:ObjectRef", namespaces=space)] == "上海示例<采购>有限公司"
    assert texts[tags.findtext("ofd:TaxInclusiveTotalAmount/ofd:ObjectRef", namespaces=space)] == "¥122.50"


def test_the_pdf_is_one_with_a_chinese_font(bureau: Bureau, row: Record) -> None:
    drawn = bureau_files.pdf(row, bureau)
    assert drawn.startswith(b"%PDF-") and drawn.rstrip().endswith(b"%%EOF")
    assert b"/STSong-Light" in drawn


def test_files_of_one_invoice_are_the_same_bytes_each_time(bureau: Bureau, row: Record) -> None:
    for made in (bureau_files.xml, bureau_files.ofd, bureau_files.pdf):
        assert made(row, bureau) == made(row, bureau)


def test_what_is_not_issued_has_no_files(bureau: Bureau, row: Record) -> None:
    with pytest.raises(ValueError, match="S1"):
        face_of({**row, "number": ""}, bureau)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("113.00", "壹佰壹拾叁圆整"),
        ("88.50", "捌拾捌圆伍角整"),
        ("1000.01", "壹仟圆零壹分"),
        ("100500.00", "壹拾万零伍佰圆整"),
        ("-500.00", "（负数）伍佰圆整"),
        ("0.05", "伍分"),
        ("0.00", "零圆整"),
        ("100000000.00", "壹亿圆整"),
    ],
)
def test_amounts_in_capitals(amount: str, words: str) -> None:
    assert capitals(Decimal(amount)) == words
