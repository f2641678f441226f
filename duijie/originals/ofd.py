"""The OFD of a 数电票 (GB/T 33190): a package whose figures are named as custom data and by tags on the page's text.

What both name must be the same. Lines stand on the page only as text and are not read; the seal (SM2) is not verified.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from lxml import etree

from duijie.originals.figures import amount, moment
from duijie.originals.guard import OFD_ROOT, kind_of, members, parse
from duijie.originals.model import BadFile, Fault, Original, Party

SPACE = "{http://www.ofdspec.org/2016}"
CUSTOM = {
    "发票号码": "InvoiceNo",
    "开票日期": "IssueDate",
    "合计金额": "TaxExclusiveTotalAmount",
    "合计税额": "TaxTotalAmount",
    "价税合计": "TaxInclusiveTotalAmount",
    "销售方纳税人识别号": "SellerTaxID",
    "购买方纳税人识别号": "BuyerTaxID",
    "销售方名称": "SellerName",
    "购买方名称": "BuyerName",
}
ZH = {tag: name for name, tag in CUSTOM.items()}
WORDS = re.compile(r"(?:[（(]负数[）)])?[零壹贰叁肆伍陆柒捌玖拾佰仟万亿]+[圆元][零壹贰叁肆伍陆柒捌玖角分整正]*")
Texts = dict[str, str]


def read(data: bytes) -> Original:
    """What an OFD file says. Raises BadFile."""
    if kind_of(data) != "ofd":
        raise BadFile("E-FILE-KIND", "文件不是 OFD", "the file is no OFD")
    package = members(data)
    root = parse(package[OFD_ROOT])
    custom = _custom(root)
    page, tags = _document(package, _path("", _needed(root, "DocRoot")))
    told = {**{CUSTOM[name]: value for name, value in custom.items() if name in CUSTOM}, **tags}
    net, tax = _amount(told, "TaxExclusiveTotalAmount"), _amount(told, "TaxTotalAmount")
    gross = _amount(told, "TaxInclusiveTotalAmount") if "TaxInclusiveTotalAmount" in told else net + tax
    shown = "\n".join(page)
    return Original(
        form="ofd",
        number=told.get("InvoiceNo", ""),
        net=net,
        tax=tax,
        gross=gross,
        seller=Party(told.get("SellerName", ""), told.get("SellerTaxID", "")),
        buyer=Party(told.get("BuyerName", ""), told.get("BuyerTaxID", "")),
        issued_at=moment(told.get("IssueDate", ""), "IssueDate"),
        kind="special" if "增值税专用发票" in shown else "normal" if "普通发票" in shown else "",
        colour="red" if gross < 0 else "blue",
        words=next(iter(WORDS.findall(shown)), ""),
        remark=told.get("Note", ""),
        drawer=told.get("InvoiceClerk", ""),
        other={name: value for name, value in custom.items() if name not in CUSTOM},
        faults=tuple(_twofold(custom, tags)),
    )


def _custom(root: etree._Element) -> Texts:
    return {
        str(one.get("Name", "")): (one.text or "").strip()
        for one in root.iter(f"{SPACE}CustomData")
        if (one.text or "").strip()
    }


def _document(package: Mapping[str, bytes], place: str) -> tuple[list[str], Texts]:
    """The texts of all pages, and those that a tag names."""
    document = _member(package, place)
    shown: dict[tuple[str, str], str] = {}
    for page in document.iter(f"{SPACE}Page"):
        content = _member(package, _path(place, page.get("BaseLoc", "")))
        for text in content.iter(f"{SPACE}TextObject"):
            shown[str(page.get("ID")), str(text.get("ID"))] = _text_of(text)
    tags: Texts = {}
    if listed := _leaf(document, "CustomTags"):
        at = _path(place, listed)
        for file in _member(package, at).iter(f"{SPACE}FileLoc"):
            tags |= _tags(_member(package, _path(at, file.text or "")), shown)
    return list(shown.values()), tags


def _tags(root: etree._Element, shown: Mapping[tuple[str, str], str]) -> Texts:
    """Each leaf with the texts of the objects that it points at."""
    found: Texts = {}
    for reference in root.iter(f"{SPACE}ObjectRef"):
        leaf = reference.getparent()
        if leaf is None:
            continue
        name = etree.QName(leaf).localname
        text = shown.get((str(reference.get("PageRef")), (reference.text or "").strip()), "")
        found[name] = found.get(name, "") + text
    return {name: text for name, text in found.items() if text}


def _twofold(custom: Texts, tags: Texts) -> Iterable[Fault]:
    """Figures that the custom data and the page tell differently."""
    for name, value in custom.items():
        shown = tags.get(CUSTOM.get(name, ""), value)
        if _bare(value) != _bare(shown):
            yield Fault("E-FILE-MISMATCH", name, value, shown, "OFD 的数据与版面不一致, 请向开票方核对")


def _bare(text: str) -> str:
    return "".join(text.split()).replace("¥", "").replace("￥", "").replace(",", "")


def _text_of(text: etree._Element) -> str:
    return "".join(code.text or "" for code in text.iter(f"{SPACE}TextCode")).strip()


def _amount(told: Texts, tag: str) -> Decimal:
    return amount("".join(told.get(tag, "").split()), ZH[tag])


def _leaf(element: etree._Element, name: str) -> str:
    found = next(element.iter(f"{SPACE}{name}"), None)
    return (found.text or "").strip() if found is not None else ""


def _needed(element: etree._Element, name: str) -> str:
    if not (text := _leaf(element, name)):
        raise BadFile("E-FILE-FIELD", f"OFD 缺少 {name}", f"the OFD has no {name}", where=name)
    return text


def _path(base: str, place: str) -> str:
    """A place inside the package as seen from a file in it."""
    joined = place if place.startswith("/") else posixpath.join(posixpath.dirname(base), place)
    return posixpath.normpath(joined).lstrip("/")


def _member(package: Mapping[str, bytes], place: str) -> etree._Element:
    if place not in package:
        raise BadFile("E-FILE-FIELD", f"OFD 缺少文件 {place}", f"the OFD has no member {place}", where=place)
    return parse(package[place])
