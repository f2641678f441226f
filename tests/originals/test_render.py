"""A PDF for people: what the data says, drawn, and said to be no original."""

from __future__ import annotations

from dataclasses import replace

import pypdfium2
import pytest

from duijie.originals import ofd, xml
from duijie.originals.render import render
from sandbox.bureau_files import face_ofd, face_xml
from tests.einvoice.tampered import faces


def text_of(pdf: bytes) -> list[str]:
    """The text of each page, without line ends."""
    document = pypdfium2.PdfDocument(pdf)
    return ["".join(page.get_textpage().get_text_bounded().split()) for page in document]


@pytest.mark.parametrize("name", ["plain", "mixed", "free", "red"])
def test_everything_on_the_face_is_drawn_and_it_is_said_to_be_no_original(name: str) -> None:
    face = faces()[name]
    (page,) = text_of(render(xml.read(face_xml(face))))
    for shown in (
        face.number,
        face.seller.name,
        face.buyer.tax_no,
        f"{face.gross:.2f}",
        "2026年11月23日",
        "不是发票原件",
    ):
        assert "".join(shown.split()) in page
    assert all(line.name in page and f"{line.net:.2f}" in page for line in face.lines)
    assert ("红字发票" in page and "被红冲蓝字" in page) == (name == "red")
    assert ("专用" in page) == (name == "mixed") and ("免税" in page) == (name == "free")


def test_many_lines_go_over_several_pages_each_with_its_head() -> None:
    face = replace(faces()["mixed"], lines=faces()["mixed"].lines * 12)
    pages = text_of(render(xml.read(face_xml(face))))
    assert len(pages) > 1
    assert all(face.number in page and "项目名称" in page for page in pages)
    assert "".join(pages).count("*信息技术服务*维护") == 12


def test_an_ofd_that_tells_no_lines_is_drawn_without() -> None:
    (page,) = text_of(render(ofd.read(face_ofd(faces()["plain"]))))
    assert "没有明细" in page and "113.00" in page


def test_what_stands_in_a_name_is_never_markup() -> None:
    face = faces()["plain"]
    odd = replace(face, seller=replace(face.seller, name="甲<b>&乙</para>"), remark="<img src='x'/>")
    (page,) = text_of(render(xml.read(face_xml(odd))))
    assert "甲<b>&乙</para>" in page and "<imgsrc='x'/>" in page
