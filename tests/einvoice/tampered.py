"""Files of invoices that were changed after they were issued, or were never files of invoices: each must be refused.

`cases` gives (the rule that must refuse it, the file, what the invoice is expected to be); `untampered` the same files
as they were issued, of which none may be refused.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from lxml import etree

from duijie.originals.compare import verdict
from sandbox.bureau_files import CHINA, Face, Item, Side, face_ofd, face_pdf, face_xml

Record = dict[str, Any]
Case = tuple[str, bytes, Record]
SELLER = Side("杭州示例供应有限公司", "91330106MA2DEMK14E", "示例路1号", "0571-00000000", "示例银行", "0000000000")
BUYER = Side("上海示例（采购）有限公司", "91310115MA1DEMA278")
ISSUED = datetime(2026, 11, 23, 10, 0, 3, tzinfo=CHINA)
BASIC = "EInvoiceData/BasicInformation/"
LINE = "EInvoiceData/IssuItemInformation"
LABELS = "Header/InherentLabel/"
MISMATCH = "E-FILE-MISMATCH"
D = Decimal


def refused(case: Case) -> bool:
    """Whether the case is refused by its own rule."""
    code, file, wanted = case
    return code in {fault.code for fault in verdict(file, wanted)}


def faces() -> dict[str, Face]:
    """A plain invoice, one of several kinds of lines, and a red one."""
    mouse = Item(
        "*计算机外部设备*鼠标", D("100.00"), D("13.00"), "0.13", "1090511030000000000", "A1", "只", D(2), D(50)
    )
    plain = Face("26991000000000000001", ISSUED, "normal", SELLER, BUYER, (mouse,), remark="SO1")
    discount = Item("*计算机外部设备*键盘", D("-10.00"), D("-1.30"), "0.13", "1090511030000000000")
    keyboard = replace(discount, net=D("200.00"), tax=D("26.00"), unit="个", qty=D(4), price=D(50))
    greens = Item("*蔬菜*青菜", D("33.33"), D("0.00"), "免税", "1010115000000000000", "", "kg", D(11), D("3.03"))
    service = Item("*信息技术服务*维护", D("1500.50"), D("90.03"), "0.06", "3040201030000000000")
    mixed = Face("26991000000000000002", ISSUED, "special", SELLER, BUYER, (keyboard, discount, mouse, service))
    free = Face("26991000000000000003", ISSUED, "normal", SELLER, Side("张三"), (greens, mouse))
    back = replace(mouse, net=D("-50.00"), tax=D("-6.50"), qty=D(-1))
    origin = {"blue_number": plain.number, "form_no": "33990000000000000009"}
    red = Face("26991000000000000004", ISSUED, "normal", SELLER, BUYER, (back,), colour="red", **origin)
    return {"plain": plain, "mixed": mixed, "free": free, "red": red}


def wanted(face: Face) -> Record:
    """What a face's files must say."""
    return {
        "number": face.number,
        "issued_at": face.issued_at.isoformat(),
        "colour": face.colour,
        "kind": face.kind,
        "seller_tax_no": face.seller.tax_no,
        "seller_name": face.seller.name,
        "buyer_name": face.buyer.name,
        "buyer_tax_no": face.buyer.tax_no,
        "net": face.net,
        "tax": face.tax,
        "gross": face.gross,
        "blue_number": face.blue_number,
        "form_no": face.form_no,
        "lines": [_line(item) for item in face.lines],
    }


def untampered() -> list[tuple[bytes, Record]]:
    """Every file as it was issued, and forms in which others give it out."""
    made = []
    for face in faces().values():
        bare = face_xml(face)
        packed = _zip({f"dzfp_{face.number}_示例_20261123100003.xml": bare})
        percent = re.sub(rb"<TaxRate>0\.(\d\d)</TaxRate>", rb"<TaxRate>\g<1>%</TaxRate>", bare)
        zeros = re.sub(rb"<TaxRate>(0\.\d\d)</TaxRate>", rb"<TaxRate>\g<1>0000</TaxRate>", bare)
        marked = b"\xef\xbb\xbf" + bare
        other = bare.replace("圆".encode(), "元".encode()).replace("整<".encode(), "正<".encode())
        more = bare.replace(b"<Version>", b"<UndefinedLabel><A>1</A></UndefinedLabel><Version>")
        made += [(file, wanted(face)) for file in (bare, packed, percent, zeros, marked, other, more, face_ofd(face))]
    return made


def cases() -> list[Case]:
    """All of them, each different from every other."""
    found: list[Case] = []
    for face in faces().values():
        found += [*_figures(face), *_parties(face), *_labels(face), *_lines(face), *_forged(face), *_ofd(face)]
        found += [*_broken(face), *_zips(face)]
    return [*found, *_reds(faces()["red"]), *_others()]


def _line(item: Item) -> Record:
    policy = {"免税": "03", "不征税": "04"}.get(item.rate, "")
    return {
        "name": item.name.rpartition("*")[2],
        "tax_class_code": item.code,
        "tax_rate": D(0) if policy else D(item.rate),
        "policy": policy,
        "spec": item.spec,
        "unit": item.unit,
        "qty": item.qty,
        "price": item.price,
        "net": item.net,
        "tax": item.tax,
    }


def _edited(face: Face, change: Callable[[etree._Element], None]) -> bytes:
    root = etree.fromstring(face_xml(face))
    change(root)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _set(face: Face, **texts: str) -> bytes:
    """The XML with other texts at some paths (`__` for /, `_` for -)."""

    def change(root: etree._Element) -> None:
        for path, text in texts.items():
            _at(root, path).text = text

    return _edited(face, change)


def _at(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path)
    assert found is not None, path
    return found


def _figures(face: Face) -> Iterator[Case]:
    """Numbers, days, totals and words."""
    right = wanted(face)
    two = ("Header/EIid", "TaxSupervisionInfo/InvoiceNumber")
    other = f"{face.number[:-1]}9"
    yield "E-NUMBER", _set(face, **{two[0]: other}), right
    yield MISMATCH, _set(face, **{two[1]: other}), right
    yield MISMATCH, _set(face, **dict.fromkeys(two, other)), right
    for bad in (face.number[:-1], f"{face.number}0", f"{face.number[:-1]}X", f"20{face.number[2:]}"):
        yield "E-NUMBER", _set(face, **dict.fromkeys(two, bad)), right
    yield MISMATCH, _set(face, **{"TaxSupervisionInfo/IssueTime": "2026-10-01 10:00:03"}), right
    yield "E-FILE-FIELD", _set(face, **{"TaxSupervisionInfo/IssueTime": "gestern"}), right
    for name, value in (("TotalAmWithoutTax", face.net), ("TotalTaxAm", face.tax)):
        for moved in (value + D("0.01"), value - D("0.01"), value * 10, -value - 1):
            yield "E-HEADER-SUM", _set(face, **{f"{BASIC}{name}": f"{moved:.2f}"}), right
    for text in ("", "1e2", "NaN", "100.001", "１００.００", "1 00", "0x10", "--1.00", "∞"):
        yield "E-FILE-FIELD", _set(face, **{f"{BASIC}TotalTax-includedAmount": text}), right
    words = f"{BASIC}TotalTax-includedAmountInChinese"
    for text in ("壹圆整", "壹佰壹拾叁", "玖仟玖佰圆零壹分", "壹拾佰圆整", "one hundred", "（负数）玖圆整", "零圆整"):
        yield "E-WORDS", _set(face, **{words: text}), right
    grown = replace(face, lines=tuple(replace(one, net=one.net * 2, tax=one.tax * 2) for one in face.lines))
    yield (
        MISMATCH,
        face_xml(replace(grown, lines=tuple(replace(one, qty=None, price=None) for one in grown.lines))),
        right,
    )


def _parties(face: Face) -> Iterator[Case]:
    right = wanted(face)
    for side, party in (("seller", face.seller), ("buyer", face.buyer)):
        name, number = party.name, party.tax_no
        swapped = name[1] + name[0] + name[2:]
        for text in (f"{name}分公司", name[:-1], swapped, name.replace(name[0], "А"), "", f"{name}\u200b"):
            yield MISMATCH, face_xml(replace(face, **{side: replace(party, name=text)})), right
        for text in (number[:-1], number[::-1], f"{number}0", number.lower(), ""):
            if text != number:
                yield MISMATCH, face_xml(replace(face, **{side: replace(party, tax_no=text)})), right
    yield MISMATCH, face_xml(replace(face, seller=face.buyer, buyer=face.seller)), right


def _labels(face: Face) -> Iterator[Case]:
    right = wanted(face)
    other = "normal" if face.kind == "special" else "special"
    yield MISMATCH, face_xml(replace(face, kind=other)), right
    yield MISMATCH, face_ofd(replace(face, kind=other)), right
    turned = "N" if face.colour == "blue" else "Y"
    yield "E-COLOUR", _set(face, **{f"{LABELS}InIssuType/LabelCode": turned}), right


def _lines(face: Face) -> Iterator[Case]:
    """Lines added, dropped, swapped, doubled, and each field of each line changed."""
    right = wanted(face)
    lines = face.lines
    yield MISMATCH, face_xml(replace(face, lines=(*lines, lines[0]))), right
    yield MISMATCH, face_xml(replace(face, lines=(*lines[:-1], *_halves(lines[-1])))), right
    if len(lines) > 1:
        yield MISMATCH, face_xml(replace(face, lines=lines[1:])), right
        yield MISMATCH, face_xml(replace(face, lines=(lines[1], lines[0], *lines[2:]))), right
        moved = (replace(lines[0], net=lines[0].net - 1, qty=None, price=None), *lines[1:-1])
        yield MISMATCH, face_xml(replace(face, lines=(*moved, replace(lines[-1], net=lines[-1].net + 1)))), right
    yield "E-FILE-FIELD", _edited(face, lambda root: [_drop(one) for one in root.findall(LINE)]), right
    for at, line in enumerate(lines):
        for code, changed in _fields(line):
            yield code, face_xml(replace(face, lines=(*lines[:at], changed, *lines[at + 1 :]))), right
        yield from _raw_line(face, at, right)


def _halves(line: Item) -> tuple[Item, Item]:
    first = replace(line, net=line.net / 2, tax=line.tax / 2, qty=None, price=None)
    return first, replace(first, net=line.net - first.net, tax=line.tax - first.tax)


def _fields(line: Item) -> Iterator[tuple[str, Item]]:
    for name in ("*其他*别的商品", line.name[:-1], f"{line.name} 2"):
        yield MISMATCH, replace(line, name=name)
    yield "E-FILE-FIELD", replace(line, name="")
    yield MISMATCH, replace(line, code="3070401000000000000")
    yield MISMATCH, replace(line, rate="0.00" if line.rate == "免税" else "免税")
    yield "E-LINE-TAX", replace(line, tax=line.tax + D("0.20"))
    yield MISMATCH, replace(line, tax=line.tax + D("0.01"))
    for rate in ("13", "1", "-0.13", "abc", "0.13%%"):
        yield "E-FILE-FIELD", replace(line, rate=rate)
    if line.qty is not None and line.price is not None:
        yield "E-QTY-PRICE", replace(line, qty=line.qty + 1)
        yield "E-QTY-PRICE", replace(line, price=None)
        yield MISMATCH, replace(line, qty=line.qty * 2, price=line.price / 2)
        yield MISMATCH, replace(line, qty=None, price=None)
        yield MISMATCH, replace(line, unit="吨")


def _raw_line(face: Face, at: int, right: Record) -> Iterator[Case]:
    def change(name: str, text: str) -> bytes:
        def edit(root: etree._Element) -> None:
            _at(root.findall(LINE)[at], name).text = text

        return _edited(face, edit)

    def doubled(root: etree._Element) -> None:
        line = root.findall(LINE)[at]
        line.append(deepcopy(_at(line, "Amount")))

    yield "E-LINE-SUM", change("TotaltaxIncludedAmount", "0.01"), right
    yield "E-HEADER-SUM", change("Amount", f"{face.lines[at].net + 5:.2f}"), right
    yield "E-FILE-FIELD", change("Amount", "1,2,x"), right
    yield "E-FILE-FIELD", change("Quantity", "viele"), right
    yield "E-FILE-FIELD", _edited(face, doubled), right


def _drop(element: etree._Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _forged(face: Face) -> Iterator[Case]:
    """What reaches outside the file, or says a thing twice."""
    right, bare = wanted(face), face_xml(face)
    body = bare.partition(b"?>")[2]
    heads = (
        "<!DOCTYPE EInvoice>",
        '<!DOCTYPE EInvoice SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE EInvoice PUBLIC "-//x//y" "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE EInvoice [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE EInvoice [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>',
        "<!DOCTYPE EInvoice [" + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9)) + "]>",
    )
    for head in heads:
        yield "E-FILE-DTD", b'<?xml version="1.0" encoding="UTF-8"?>' + head.encode() + body, right
    used = body.replace(face.seller.name.encode(), b"&x;")
    yield "E-FILE-DTD", b'<!DOCTYPE EInvoice [<!ENTITY x "y">]>' + used, right
    wide = f'<?xml version="1.0" encoding="UTF-16"?>{heads[0]}{body.decode()}'
    yield "E-FILE-DTD", wide.encode("utf-16"), right
    for path in ("TaxSupervisionInfo/InvoiceNumber", f"{BASIC}TotalTaxAm", f"{BASIC}TotalTax-includedAmount"):

        def twice(root: etree._Element, path: str = path) -> None:
            found = _at(root, path)
            found.addnext(deepcopy(found))

        yield "E-FILE-FIELD", _edited(face, twice), right


def _broken(face: Face) -> Iterator[Case]:
    right, bare = wanted(face), face_xml(face)
    for part in (3, 5, 9):
        yield "E-FILE-XML", bare[: len(bare) * part // 10], right
    yield "E-FILE-XML", bare.decode().encode("gbk"), right
    yield "E-FILE-XML", bare.replace(b"UTF-8", b"UTF-99"), right
    yield "E-FILE-XML", bare.replace(b"</Header>", b"</Head>"), right
    yield "E-FILE-XML", bare + b"<EInvoice/>", right
    yield "E-FILE-KIND", bare.replace(b"EInvoice>", b"Invoice>"), right
    yield "E-FILE-KIND", bare.replace(b"<EInvoice>", b'<EInvoice xmlns="urn:x">'), right
    yield "E-FILE-KIND", face_pdf(face), right


def _zips(face: Face) -> Iterator[Case]:
    right, bare = wanted(face), face_xml(face)
    name = f"{face.number}.xml"
    yield "E-FILE-ZIP", _zip({name: bare, "2.xml": bare}), right
    yield "E-FILE-ZIP", _zip({f"{face.number}.txt": bare}), right
    for bad in (f"../{name}", f"/etc/{name}", f"a/../../{name}", f"..\\{name}", f"C:\\{name}"):
        yield "E-FILE-ZIP", _zip({bad: bare}), right
    yield "E-FILE-ZIP", _zip({name: bare, **{f"{n}.txt": b"" for n in range(200)}}), right
    yield "E-FILE-ZIP", _zip({name: bare, "zero.bin": b"\0" * 5_000_000}), right
    packed = _zip({name: bare})
    yield "E-FILE-ZIP", packed[: len(packed) // 2], right
    yield "E-FILE-ZIP", packed[:60] + bytes(byte ^ 0x55 for byte in packed[60:90]) + packed[90:], right
    yield "E-FILE-KIND", _zip({name: b"<html/>" + face.number.encode()}), right
    yield "E-FILE-DTD", _zip({name: b"<!DOCTYPE EInvoice>" + bare.partition(b"?>")[2]}), right


def _ofd(face: Face) -> Iterator[Case]:
    """Custom data, tagged text and members of the package."""
    right, package = wanted(face), _members(face_ofd(face))
    data, page = package["OFD.xml"], package["Doc_0/Pages/Page_0/Content.xml"]
    net, gross = f"{face.net:.2f}".encode(), f"¥{face.gross:.2f}".encode()
    yield MISMATCH, _zip({**package, "OFD.xml": data.replace(net, b"1.00")}), right
    yield MISMATCH, _zip({**package, "OFD.xml": data.replace(face.number.encode(), b"2" * 20)}), right
    yield MISMATCH, _zip({**package, "OFD.xml": data.replace(face.seller.tax_no.encode(), b"1" * 18)}), right
    yield (
        "E-HEADER-SUM",
        _zip({**package, "Doc_0/Pages/Page_0/Content.xml": page.replace(gross, "¥9.99".encode())}),
        right,
    )
    for tag in (face.seller.name, face.buyer.name):
        edited = page.replace(f">{tag}<".encode(), f">{tag}2<".encode())
        yield MISMATCH, _zip({**package, "Doc_0/Pages/Page_0/Content.xml": edited}), right
    yield MISMATCH, face_ofd(replace(face, number=f"{face.number[:-1]}8")), right
    yield MISMATCH, face_ofd(replace(face, lines=(*face.lines, face.lines[0]))), right
    for name in ("Doc_0/Document.xml", "Doc_0/Pages/Page_0/Content.xml", "Doc_0/Tags/CustomTag.xml"):
        yield "E-FILE-FIELD", _zip({other: body for other, body in package.items() if other != name}), right
        evil = b"<!DOCTYPE x>" + package[name].partition(b"?>")[2]
        yield "E-FILE-DTD", _zip({**package, name: evil}), right
        yield "E-FILE-XML", _zip({**package, name: package[name][:-9]}), right
    yield "E-FILE-ZIP", _zip({**package, "../../etc/cron.d/x": b"x"}), right
    yield "E-FILE-ZIP", _zip({**package, "Doc_0/Res/zero.png": b"\0" * 8_000_000}), right


def _reds(face: Face) -> Iterator[Case]:
    right = wanted(face)
    for number in ("26991000000000000009", face.number):
        yield MISMATCH, face_xml(replace(face, blue_number=number)), right
    for number in ("", "123"):
        yield "E-RED-ORIGINAL", face_xml(replace(face, blue_number=number)), right
    yield MISMATCH, face_xml(replace(face, form_no="1" * 20)), right
    turned = tuple(replace(one, net=-one.net, tax=-one.tax, qty=-(one.qty or 0)) for one in face.lines)
    yield "E-COLOUR", face_xml(replace(face, lines=turned)), right
    yield MISMATCH, face_xml(replace(face, lines=turned, colour="blue")), right


def _others() -> Iterator[Case]:
    """What is no invoice at all, or too much of one."""
    right = wanted(faces()["plain"])
    bare = face_xml(faces()["plain"])
    for junk in (
        b"",
        b"GIF89a",
        b"\xff\xd8\xff\xe0",
        b"MZ\x90\0",
        b'{"number": 1}',
        b"<html>404</html>",
        b"PK\x05\x06",
    ):
        yield "E-FILE-KIND", junk, right
    yield "E-FILE-SIZE", bare + b" " * (10 * 1024 * 1024), right
    noise = {f"{n}.bin": bytes(6 * 1024 * 1024) for n in range(9)}
    yield "E-FILE-ZIP", _zip({"1.xml": bare, **noise}), right


def _members(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(files: dict[str, bytes]) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), body, zipfile.ZIP_DEFLATED)
    return kept.getvalue()
