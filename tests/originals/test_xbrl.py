"""The receiver's XBRL is written beside a voucher and reads back the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from duijie.connect.errors import ConfigError
from duijie.engine import ROOT
from duijie.originals import xml
from duijie.originals.model import BadFile
from duijie.originals.received import body_of
from duijie.originals.xbrl import Entry, booked, load_taxonomy, read, write
from sandbox.bureau_files import face_xml
from tests.einvoice.tampered import BUYER, faces

TAXONOMY = load_taxonomy(ROOT / "mappings" / "rules" / "xbrl.yaml")
VOUCHER: dict[str, Any] = {
    "period": "202611",
    "date": "2026-11-30",
    "lines": [
        {"account": "inventory", "debit": Decimal("100.00"), "credit": 0},
        {"account": "input_vat", "debit": Decimal("13.00"), "credit": 0},
        {"account": "2202.01", "debit": 0, "credit": Decimal("113.00")},
    ],
}
ONE = booked(body_of(xml.read(face_xml(faces()["plain"]))), VOUCHER, "记-0001", TAXONOMY)


def test_what_is_written_reads_back() -> None:
    again = read(write(ONE, TAXONOMY))
    assert again.entries == (
        Entry("借方", "库存商品", Decimal("100.00")),
        Entry("借方", "应交税费", Decimal("13.00")),
        Entry("贷方", "2202.01", Decimal("113.00")),
    )
    assert (again.number, again.date, again.period) == ("记-0001", "2026-11-30", "2026-11")
    assert (again.entity.name, again.entity.tax_no) == (BUYER.name, BUYER.tax_no)
    told = again.invoice
    assert (told.number, told.net, told.tax, told.gross) == (
        ONE.invoice.number,
        Decimal(100),
        Decimal(13),
        Decimal(113),
    )
    assert (told.seller, told.issued_at, told.colour) == (ONE.invoice.seller, "2026-11-23", "blue")


def test_amounts_have_their_unit_and_texts_their_context() -> None:
    root = etree.fromstring(write(ONE, TAXONOMY))
    space = {"einv": TAXONOMY.namespace, "x": "http://www.xbrl.org/2003/instance"}
    total = root.find("einv:TotalTax-includedAmount", space)
    assert (total.text, total.get("unitRef"), total.get("decimals")) == ("113.00", "CNY", "2")
    assert root.find("einv:SellerName", space).get("contextRef") == root.find("x:context", space).get("id")
    assert root.findtext("x:context/x:entity/x:identifier", namespaces=space) == BUYER.tax_no


def test_what_the_taxonomy_settles_is_a_setting() -> None:
    other = read(write(ONE, type(TAXONOMY)("2024-12-31", "x.xsd", "urn:uscc", "是", "否")))
    assert other.invoice.colour == "blue"
    red = booked(body_of(xml.read(face_xml(faces()["red"]))), VOUCHER, "记-0002", TAXONOMY)
    assert read(write(red, type(TAXONOMY)("2024-12-31", "x.xsd", "urn:uscc", "是", "否"))).invoice.colour == "red"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((b"113.00<", b"113.001<"), "E-FILE-FIELD"),
        ((b"einv:RecordedAmount", b"einv:Recorded"), "E-FILE-FIELD"),
        ((b"</xbrl>", b""), "E-FILE-XML"),
        ((b"<xbrl", b"<!DOCTYPE xbrl><xbrl"), "E-FILE-DTD"),
    ],
)
def test_a_file_that_is_not_right_is_refused(change: tuple[bytes, bytes], code: str) -> None:
    with pytest.raises(BadFile) as caught:
        read(write(ONE, TAXONOMY).replace(*change))
    assert caught.value.code == code


def test_a_wrong_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "xbrl.yaml").write_text("date: x", encoding="utf-8")
    with pytest.raises(ConfigError, match="xbrl"):
        load_taxonomy(tmp_path / "xbrl.yaml")
    assert replace(ONE, number="") != ONE
