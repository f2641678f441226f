"""An OFD package (GB/T 33190) of one page of text, its figures named as custom data and by tags on the text."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence

from lxml import etree

NAMESPACE = "http://www.ofdspec.org/2016"
FIRST_TEXT = 10
GROUPED = {"Buyer": ("BuyerName", "BuyerTaxID"), "Seller": ("SellerName", "SellerTaxID")}
MADE = (2026, 1, 1, 0, 0, 0)


def package(custom: Mapping[str, str], tagged: Mapping[str, str], rows: Sequence[str], date: str) -> bytes:
    """The package: `custom` data by name, `tagged` texts by tag, `rows` of the page below them."""
    ids = {tag: FIRST_TEXT + number for number, tag in enumerate(tagged)}
    members = {
        "OFD.xml": _root(custom, date),
        "Doc_0/Document.xml": _document(FIRST_TEXT + len(tagged) + len(rows)),
        "Doc_0/PublicRes.xml": _fonts(),
        "Doc_0/Pages/Page_0/Content.xml": _page([*tagged.values(), *rows]),
        "Doc_0/Tags/CustomTags.xml": _tag_list(),
        "Doc_0/Tags/CustomTag.xml": _tags(ids),
    }
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, root in members.items():
            text = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
            archive.writestr(zipfile.ZipInfo(name, MADE), text, zipfile.ZIP_DEFLATED)
    return kept.getvalue()


def _new(name: str, **attributes: str) -> etree._Element:
    return etree.Element(f"{{{NAMESPACE}}}{name}", attributes, nsmap={"ofd": NAMESPACE})


def _add(parent: etree._Element, name: str, text: str = "", **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
    made.text = text or None
    return made


def _root(custom: Mapping[str, str], date: str) -> etree._Element:
    root = _new("OFD", Version="1.1", DocType="OFD")
    body = _add(root, "DocBody")
    info = _add(body, "DocInfo")
    identity = hashlib.sha256("".join(custom.values()).encode()).hexdigest()[:32]
    _add(info, "DocID", identity)
    _add(info, "CreationDate", date)
    datas = _add(info, "CustomDatas")
    for name, value in custom.items():
        _add(datas, "CustomData", value, Name=name)
    _add(body, "DocRoot", "Doc_0/Document.xml")
    return root


def _document(highest: int) -> etree._Element:
    root = _new("Document")
    common = _add(root, "CommonData")
    _add(common, "MaxUnitID", str(highest))
    _add(_add(common, "PageArea"), "PhysicalBox", "0 0 210 140")
    _add(common, "PublicRes", "PublicRes.xml")
    _add(_add(root, "Pages"), "Page", ID="1", BaseLoc="Pages/Page_0/Content.xml")
    _add(root, "CustomTags", "Tags/CustomTags.xml")
    return root


def _fonts() -> etree._Element:
    root = _new("Res", BaseLoc="Res")
    _add(_add(root, "Fonts"), "Font", ID="2", FontName="SimSun", FamilyName="SimSun")
    return root


def _page(texts: Sequence[str]) -> etree._Element:
    root = _new("Page")
    layer = _add(_add(root, "Content"), "Layer", ID="3")
    for number, text in enumerate(texts):
        place = f"10 {5 + 5 * number} 190 5"
        shown = _add(layer, "TextObject", ID=str(FIRST_TEXT + number), Boundary=place, Font="2", Size="4")
        _add(shown, "TextCode", text, X="0", Y="4")
    return root


def _tag_list() -> etree._Element:
    root = _new("CustomTags")
    _add(_add(root, "CustomTag", TypeID="0"), "FileLoc", "CustomTag.xml")
    return root


def _tags(ids: Mapping[str, int]) -> etree._Element:
    root = _new("root")
    groups = {tag: _add(root, group) for group, members in GROUPED.items() for tag in members[:1]}
    homes = {tag: groups[members[0]] for members in GROUPED.values() for tag in members}
    for tag, number in ids.items():
        _add(_add(homes.get(tag, root), tag), "ObjectRef", str(number), PageRef="1")
    return root
