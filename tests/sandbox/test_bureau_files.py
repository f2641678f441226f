"""The bureau's files say what was issued, in the names that readers of such files know."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from sandbox import bureau_files
from sandbox.bureau_files import capitals, face_of

Record = dict[str, Any]
ISSUED = datetime(2026, 11, 23, 2, 0, 3, tzinfo=UTC)
BLUE: Record = {
    "serial": "S1",
    "number": "26991000000000000001",
    "kind": "special",
    "seller": {"name": "杭州示例供应有限公司", "tax_no": "91330106MA2DEMK14E", "address": "示例路1号"},
    "buyer": {"name": "上海示例<采购>有限公司", "tax_no": "91310115MA1DEMA278"},
    "lines": [
        {"name": "鼠标", "tax_class_code": "1090511030000000000", "rate": Decimal("0.13"), "net": "100.00"}
        | {"tax": "13.00", "unit": "只", "qty": 2, "price": 50},
        {"name": "蔬菜", "tax_class_code": "1010115000000000000", "rate": 0, "net": Decimal("9.50"), "tax": 0}
        | {"policy": "03"},
    ],
    "remark": "SO1",
    "drawer": "张三",
}


class Register:
    """A bureau of one blue invoice."""

    def by_number(self, number: str) -> Record | None:
        return BLUE if number == BLUE["number"] else None

    def issued_at(self, row: Record) -> datetime | None:
        return ISSUED if row.get("number") or row.get("red_number") else None


def _read(text: bytes) -> etree._Element:
    return etree.fromstring(text)


def test_the_xml_has_the_names_and_figures_of_the_face() -> None:
    root = _read(bureau_files.xml(BLUE, Register()))
    assert root.findtext("Header/EIid") == root.findtext("TaxSupervisionInfo/InvoiceNumber") == BLUE["number"]
    assert root.findtext("Header/InherentLabel/InIssuType/LabelCode") == "Y"
    assert root.findtext("Header/InherentLabel/GeneralOrSpecialVAT/LabelCode") == "01"
    basic = {one.tag: one.text for one in root.find("EInvoiceData/BasicInformation")}
    assert basic["TotalTax-includedAmount"] == "122.50"
    assert basic["TotalTax-includedAmountInChinese"] == "壹佰贰拾贰圆伍角整"
    assert root.findtext("TaxSupervisionInfo/IssueTime") == "2026-11-23 10:00:03"
    rates = [one.text for one in root.iterfind(".//TaxRate")]
    assert rates == ["0.13", "免税"]
    assert root.findtext(".//BuyerName") == "上海示例<采购>有限公司"
    assert root.findtext(".//ItemName") == "*计算机外部设备*鼠标"


@pytest.mark.parametrize(
    ("lines", "net"), [([], "-109.50"), ([{"blue_line": 1, "net": -50, "tax": "-6.50"}], "-50.00")]
)
def test_a_red_one_names_its_blue_and_is_negative(lines: list[Record], net: str) -> None:
    form = {"red_number": "26991000000000000002", "blue_number": BLUE["number"], "form_no": "9" * 20, "lines": lines}
    root = _read(bureau_files.xml(form, Register()))
    assert root.findtext(".//TotalAmWithoutTax") == net
    assert root.findtext(".//TotalTax-includedAmountInChinese").startswith("（负数）")
    assert root.findtext(".//OriginalInvoiceCode") == BLUE["number"]
    assert BLUE["number"] in root.findtext(".//Remark") and "9" * 20 in root.findtext(".//Remark")
    assert root.findtext("Header/InherentLabel/InIssuType/LabelCode") == "N"


def test_the_ofd_is_a_package_whose_tags_point_at_text_of_the_page() -> None:
    archive = zipfile.ZipFile(io.BytesIO(bureau_files.ofd(BLUE, Register())))
    space = {"ofd": "http://www.ofdspec.org/2016"}
    custom = _read(archive.read("OFD.xml")).iterfind(".//ofd:CustomData", space)
    assert {one.get("Name"): one.text for one in custom}["合计金额"] == "109.50"
    page = _read(archive.read("Doc_0/Pages/Page_0/Content.xml"))
    texts = {one.get("ID"): one.findtext("ofd:TextCode", namespaces=space) for one in page.iter("{*}TextObject")}
    tags = _read(archive.read("Doc_0/Tags/CustomTag.xml"))
    assert texts[tags.findtext(".//ofd:BuyerName/ofd:ObjectRef", namespaces=space)] == "上海示例<采购>有限公司"
    assert texts[tags.findtext("ofd:TaxInclusiveTotalAmount/ofd:ObjectRef", namespaces=space)] == "¥122.50"


def test_the_pdf_is_one_with_a_chinese_font() -> None:
    drawn = bureau_files.pdf(BLUE, Register())
    assert drawn.startswith(b"%PDF-") and drawn.rstrip().endswith(b"%%EOF")
    assert b"/STSong-Light" in drawn


def test_files_of_one_invoice_are_the_same_bytes_each_time() -> None:
    for made in (bureau_files.xml, bureau_files.ofd, bureau_files.pdf):
        assert made(BLUE, Register()) == made(BLUE, Register())


def test_what_is_not_issued_has_no_files() -> None:
    with pytest.raises(ValueError, match="S1"):
        face_of({**BLUE, "number": ""}, Register())


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
