"""Files are read to the cent, in every spelling that is seen, and what is not known is kept."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.originals import figures, ofd, xml
from duijie.originals.compare import between, expected
from duijie.originals.guard import kind_of
from duijie.originals.model import BadFile
from duijie.originals.words import from_words, to_words
from sandbox import bureau_files
from tests.einvoice.tampered import faces


@pytest.mark.parametrize("name", ["plain", "mixed", "free", "red"])
def test_xml_and_ofd_of_one_invoice_say_the_same(name: str) -> None:
    face = faces()[name]
    data, layout = xml.read(bureau_files.face_xml(face)), ofd.read(bureau_files.face_ofd(face))
    assert between(data, layout) == between(layout, data) == []
    assert (data.number, data.gross, data.kind, data.colour) == (face.number, face.gross, face.kind, face.colour)
    assert (layout.number, layout.gross, layout.kind, layout.colour) == (
        face.number,
        face.gross,
        face.kind,
        face.colour,
    )
    assert [row.net for row in data.rows] == [line.net for line in face.lines]
    assert data.issued_at == datetime.isoformat(face.issued_at)


def test_a_red_one_names_its_blue_and_its_form() -> None:
    face = faces()["red"]
    read = xml.read(bureau_files.face_xml(face))
    assert (read.blue_number, read.form_no) == (face.blue_number, face.form_no)
    assert read.rows[0].qty == -1 and read.rows[0].price == 50


def test_what_has_no_place_is_kept_by_its_path() -> None:
    data = bureau_files.face_xml(faces()["plain"])
    data = data.replace(b"<SpecMod>", b"<Colour>red</Colour><SpecMod>").replace(
        b"<Drawer>", b"<Payee>A</Payee><Drawer>"
    )
    read = xml.read(data)
    assert read.other["EInvoiceData/BasicInformation/Payee"] == "A"
    assert read.other["EInvoiceData/IssuItemInformation[1]/Colour"] == "red"
    assert read.other["TaxBureauSignature"] == "SANDBOX-NOT-A-SIGNATURE"


def test_two_files_that_differ_are_told_field_by_field() -> None:
    one, other = faces()["plain"], faces()["mixed"]
    found = between(xml.read(bureau_files.face_xml(one)), ofd.read(bureau_files.face_ofd(other)))
    assert {fault.code for fault in found} == {"E-FILE-MISMATCH"}
    assert {"发票号码", "票种", "价税合计"} <= {fault.field for fault in found}
    assert one.number in str(found[0]) and other.number in str(found[0])


@pytest.mark.parametrize(
    ("text", "rate", "policy"),
    [
        ("0.130000", "0.13", ""),
        ("0.13", "0.13", ""),
        ("13%", "0.13", ""),
        ("6％", "0.06", ""),
        ("0", "0", ""),
        ("1.5%", "0.015", ""),
        ("免税", "0", "03"),
        ("不征税", "0", "04"),
    ],
)
def test_rates_in_every_spelling(text: str, rate: str, policy: str) -> None:
    assert figures.rate(text, "TaxRate") == (Decimal(rate), policy)


def test_a_rate_that_is_not_printed_is_none() -> None:
    assert figures.rate("***", "TaxRate") == figures.rate("", "TaxRate") == (None, "")


@pytest.mark.parametrize("text", ["13", "1", "-0.01", "100%", "税"])
def test_a_rate_that_does_not_say_what_it_means_is_refused(text: str) -> None:
    with pytest.raises(BadFile, match="E-FILE-FIELD"):
        figures.rate(text, "TaxRate")


@given(st.integers(-(10**15), 10**15))
def test_every_amount_in_words_reads_back(fen: int) -> None:
    amount = Decimal(fen).scaleb(-2)
    words = to_words(amount)
    assert from_words(words) == amount
    assert from_words(words.replace("圆", "元").replace("整", "正")) == amount
    assert from_words(bureau_files.capitals(amount)) == amount


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("人民币壹拾万伍仟元整", "105000"),
        ("壹拾万零伍仟圆整", "105000"),
        ("（负数）伍佰圆整", "-500"),
        ("(负数)伍佰元正", "-500"),
        ("捌拾捌圆伍角", "88.5"),
        ("壹亿零贰圆零叁分", "100000002.03"),
        ("壹万零壹亿圆整", "1000100000000"),
    ],
)
def test_words_as_others_write_them(words: str, amount: str) -> None:
    assert from_words(words) == Decimal(amount)


@pytest.mark.parametrize(
    "text", ["", "整", "壹佰", "伍拾佰圆整", "壹圆壹", "113.00", "壹圆伍角壹角", "壹壹圆整", "佰圆整"]
)
def test_what_is_no_amount_in_words_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        from_words(text)


def test_a_file_is_what_its_first_bytes_say() -> None:
    face = faces()["plain"]
    bare = bureau_files.face_xml(face)
    assert kind_of(bare) == kind_of(b"\xef\xbb\xbf" + bare) == kind_of(bare.decode().encode("utf-16")) == "xml"
    assert kind_of(bureau_files.face_ofd(face)) == "ofd"
    assert kind_of(bureau_files.face_pdf(face)) == "pdf"


def test_what_was_asked_for_counts_before_what_the_platform_says() -> None:
    invoice = {
        "number": "2" * 20,
        "colour": "blue",
        "net": 1,
        "tax": 0,
        "gross": 1,
        "buyer_name": "乙",
        "kind": "normal",
    }
    request = {
        "kind": "special",
        "buyer": {"name": "甲"},
        "net": 2,
        "tax": 0,
        "gross": 2,
        "lines": [{}],
        "seller_tax_no": "S",
    }
    wanted = expected(invoice, request)
    assert (wanted["buyer_name"], wanted["buyer_tax_no"], wanted["kind"], wanted["net"]) == ("甲", "", "special", 2)
    alone = expected(invoice)
    assert (alone["buyer_name"], alone["buyer_tax_no"], alone["kind"], alone["net"]) == ("乙", None, "normal", 1)
