"""The files of an issued 数电票 as the bureau gives them out: XML, OFD and PDF.

The XML has the element names seen in files of the bureau (root `EInvoice`, no namespace); the OFD is a package of
GB/T 33190 with the figures as custom data, as tagged text and on the page. Neither is signed: the tax bureau's
signature is said to be that of a sandbox. All numbers are of the impossible area 99.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Protocol

from lxml import etree

from sandbox import bureau_ofd

Record = dict[str, Any]
CHINA = timezone(timedelta(hours=8))
DIGITS = "零壹贰叁肆伍陆柒捌玖"
UNITS = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万")
KINDS = {"special": ("01", "增值税专用发票"), "normal": ("02", "普通发票")}
RATE_WORDS = {"03": "免税", "04": "不征税"}
SHORT_NAMES = {"1090511": "计算机外部设备", "3040201": "信息技术服务", "30704": "餐饮服务", "1100301": "水冰雪"}
ZERO = Decimal("0.00")
CENT = Decimal("0.01")
PLACES = Decimal("1e-13")


class Register(Protocol):
    """What a row alone does not say."""

    def issued_at(self, row: Record) -> datetime | None:
        """When a row was issued."""


@dataclass(frozen=True)
class Side:
    """The seller or the buyer."""

    name: str
    tax_no: str = ""
    address: str = ""
    phone: str = ""
    bank: str = ""
    account: str = ""


@dataclass(frozen=True)
class Item:
    """One line of the face; `rate` as it is printed in the XML: a fraction or 免税, 不征税."""

    name: str
    net: Decimal
    tax: Decimal
    rate: str
    code: str = ""
    spec: str = ""
    unit: str = ""
    qty: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True)
class Face:
    """What is printed on an issued invoice; amounts in yuan, those of a red one negative."""

    number: str
    issued_at: datetime
    kind: str
    seller: Side
    buyer: Side
    lines: tuple[Item, ...]
    colour: str = "blue"
    remark: str = ""
    drawer: str = "管理员"
    blue_number: str = ""
    form_no: str = ""

    @property
    def net(self) -> Decimal:
        """合计金额."""
        return sum((line.net for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        """合计税额."""
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def gross(self) -> Decimal:
        """价税合计."""
        return self.net + self.tax


def xml(row: Record, bureau: Register) -> bytes:
    """The XML of an issued row, blue or red."""
    return face_xml(face_of(row, bureau))


def ofd(row: Record, bureau: Register) -> bytes:
    """The OFD of an issued row."""
    return face_ofd(face_of(row, bureau))


def pdf(row: Record, bureau: Register) -> bytes:
    """The PDF of an issued row."""
    return face_pdf(face_of(row, bureau))


def face_of(row: Record, bureau: Register) -> Face:
    """The face of a row of the bureau, blue or red. Raises ValueError if it is not issued."""
    issued = bureau.issued_at(row)
    if issued is None or not row["number"]:
        raise ValueError(f"{row['serial']} is not issued")
    return Face(
        number=row["number"],
        issued_at=issued.astimezone(CHINA),
        kind=row["kind"],
        seller=Side(**row["seller"]),
        buyer=Side(**row["buyer"]),
        lines=tuple(map(_item, row["lines"])),
        colour=row["colour"],
        remark=row["remark"],
        drawer=row["drawer"] or "管理员",
        blue_number=row.get("blue_number", ""),
        form_no=row.get("form_no", ""),
    )


def face_xml(face: Face) -> bytes:
    """The XML of a face."""
    root = etree.Element("EInvoice")
    _header(root, face)
    data = etree.SubElement(root, "EInvoiceData")
    _party(data, "Seller", face.seller)
    _party(data, "Buyer", face.buyer)
    _basic(data, face)
    for line in face.lines:
        _issued_item(data, line)
    if face.colour == "red":
        red = {"OriginalInvoiceCode": face.blue_number, "CreditNoteNumber": face.form_no}
        _leaves(etree.SubElement(data, "SpecificInformation"), "RedEInvoice", red)
    _leaves(data, "AdditionalInformation", {"Remark": face.remark})
    _supervision(root, face)
    etree.SubElement(root, "TaxBureauSignature").text = "SANDBOX-NOT-A-SIGNATURE"
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def face_ofd(face: Face) -> bytes:
    """The OFD of a face."""
    custom = {
        "发票号码": face.number,
        "开票日期": f"{face.issued_at:%Y年%m月%d日}",
        "合计金额": f"{face.net:.2f}",
        "合计税额": f"{face.tax:.2f}",
        "销售方纳税人识别号": face.seller.tax_no,
        "购买方纳税人识别号": face.buyer.tax_no,
    }
    tagged = {
        "InvoiceNo": face.number,
        "IssueDate": custom["开票日期"],
        "BuyerName": face.buyer.name,
        "BuyerTaxID": face.buyer.tax_no,
        "SellerName": face.seller.name,
        "SellerTaxID": face.seller.tax_no,
        "TaxExclusiveTotalAmount": f"¥{face.net:.2f}",
        "TaxTotalAmount": f"¥{face.tax:.2f}",
        "TaxInclusiveTotalAmount": f"¥{face.gross:.2f}",
        "Note": face.remark,
        "InvoiceClerk": face.drawer,
    }
    return bureau_ofd.package(custom, tagged, rows(face), f"{face.issued_at:%Y-%m-%d}")


def face_pdf(face: Face) -> bytes:
    """The PDF of a face; needs the package reportlab."""
    from sandbox.bureau_pdf import page  # noqa: PLC0415  (the XML and the OFD need no reportlab)

    return page(rows(face))


def title(face: Face) -> str:
    """What stands at the head."""
    return f"电子发票（{KINDS[face.kind][1]}）"


def rows(face: Face) -> list[str]:
    """The text of the page, row by row."""
    told = [title(face), f"发票号码：{face.number}", f"开票日期：{face.issued_at:%Y年%m月%d日}"]
    for what, side in (("购买方", face.buyer), ("销售方", face.seller)):
        told.append(f"{what}名称：{side.name}  统一社会信用代码/纳税人识别号：{side.tax_no}")
    told.append("项目名称  规格型号  单位  数量  单价  金额  税率/征收率  税额")
    told += ["  ".join(_cells(line)) for line in face.lines]
    told.append(f"合计  ¥{face.net:.2f}  ¥{face.tax:.2f}")
    told.append(f"价税合计（大写）{capitals(face.gross)}  （小写）¥{face.gross:.2f}")
    return [*told, f"备注：{face.remark}", f"开票人：{face.drawer}"]


def capitals(amount: Decimal) -> str:
    """An amount in Chinese capitals, as the face shows it."""
    cents = int(abs(amount) * 100)
    yuan, dime, cent = cents // 100, cents // 10 % 10, cents % 10
    head = f"{_integer(yuan)}圆" if yuan or not cents else ""
    tail = f"{DIGITS[dime]}角" if dime else "零" if head and cent else ""
    tail += f"{DIGITS[cent]}分" if cent else "整"
    return f"{'（负数）' if amount < 0 else ''}{head}{tail}"


def _integer(yuan: int) -> str:
    told, skipped, group = "", False, False
    digits = str(yuan)
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if digit == "0":
            skipped = True
        else:
            told += ("零" if skipped and told else "") + DIGITS[int(digit)] + UNITS[place % 4]
            skipped, group = False, True
        if place % 4 == 0 and (group or (place == 8 and told)):
            told, group = told + GROUPS[place // 4], False
    return told or "零"


def _cells(line: Item) -> list[str]:
    qty, price = ("" if one is None else f"{one:f}" for one in (line.qty, line.price))
    shown = line.rate if line.rate in RATE_WORDS.values() else f"{(Decimal(line.rate) * 100).normalize():f}%"
    return [line.name, line.spec, line.unit, qty, price, f"{line.net:.2f}", shown, f"{line.tax:.2f}"]


def _item(line: Record) -> Item:
    net, qty = Decimal(line["net"]), _number(line["qty"])
    return Item(
        name=_face_name(line["name"], line["tax_class_code"]),
        net=net,
        tax=Decimal(line["tax"]),
        rate=RATE_WORDS.get(line["policy"]) or line["rate"],
        code=line["tax_class_code"],
        spec=line["spec"],
        unit=line["unit"],
        qty=qty,
        price=_price(_number(line["price"]), qty, net),
    )


def _price(price: Decimal | None, qty: Decimal | None, net: Decimal) -> Decimal | None:
    """The price without tax, which the face shows; a platform may have sent it with tax."""
    if not qty or price is None or abs(price * qty - net) <= CENT:
        return price if qty else None
    return (net / qty).quantize(PLACES)


def _face_name(name: str, code: str) -> str:
    """With the short name of its tax class before it, as far as this sandbox knows it."""
    short = next((told for head, told in SHORT_NAMES.items() if code.startswith(head)), "")
    return name if name.startswith("*") or not short else f"*{short}*{name}"


def _number(value: str) -> Decimal | None:
    return Decimal(value) if value else None


def _header(root: etree._Element, face: Face) -> None:
    header = etree.SubElement(root, "Header")
    for name, value in (("EIid", face.number), ("EInvoiceTag", "SWEI9900"), ("Version", "0.2")):
        etree.SubElement(header, name).text = value
    label = etree.SubElement(header, "InherentLabel")
    code, words = KINDS[face.kind]
    colour = "Y" if face.colour == "blue" else "N"
    _leaves(label, "InIssuType", {"LabelCode": colour, "LabelName": "是否蓝字发票标志"})
    _leaves(label, "EInvoiceType", {"LabelCode": "01", "LabelName": "电子发票"})
    _leaves(label, "GeneralOrSpecialVAT", {"LabelCode": code, "LabelName": words})


def _party(data: etree._Element, what: str, side: Side) -> None:
    names = {"IdNum": side.tax_no, "Name": side.name, "Addr": side.address, "TelNum": side.phone}
    names |= {"BankName": side.bank, "BankAccNum": side.account}
    _leaves(data, f"{what}Information", {f"{what}{name}": value for name, value in names.items()})


def _basic(data: etree._Element, face: Face) -> None:
    leaves = {
        "TotalAmWithoutTax": f"{face.net:.2f}",
        "TotalTaxAm": f"{face.tax:.2f}",
        "TotalTax-includedAmount": f"{face.gross:.2f}",
        "TotalTax-includedAmountInChinese": capitals(face.gross),
        "Drawer": face.drawer,
        "RequestTime": f"{face.issued_at:%Y-%m-%d %H:%M:%S}",
    }
    _leaves(data, "BasicInformation", leaves)


def _issued_item(data: etree._Element, line: Item) -> None:
    qty, price = ("" if one is None else f"{one:f}" for one in (line.qty, line.price))
    leaves = {"ItemName": line.name, "SpecMod": line.spec, "MeaUnits": line.unit, "Quantity": qty, "UnPrice": price}
    leaves |= {"Amount": f"{line.net:.2f}", "TaxRate": line.rate, "ComTaxAm": f"{line.tax:.2f}"}
    leaves |= {"TotaltaxIncludedAmount": f"{line.net + line.tax:.2f}", "TaxClassificationCode": line.code}
    _leaves(data, "IssuItemInformation", leaves)


def _supervision(root: etree._Element, face: Face) -> None:
    leaves = {"InvoiceNumber": face.number, "IssueTime": f"{face.issued_at:%Y-%m-%d %H:%M:%S}"}
    leaves |= {"TaxBureauCode": "19900000000", "TaxBureauName": "国家税务总局沙箱税务局"}
    _leaves(root, "TaxSupervisionInfo", leaves)


def _leaves(parent: etree._Element, name: str, values: dict[str, str]) -> None:
    element = etree.SubElement(parent, name)
    for leaf, value in values.items():
        etree.SubElement(element, leaf).text = value or None


__all__: Sequence[str] = ("Face", "Item", "Side", "face_of", "face_ofd", "face_pdf", "face_xml", "ofd", "pdf", "xml")
