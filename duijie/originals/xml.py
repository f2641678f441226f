"""The XML of a 数电票 (root `EInvoice`, no namespace): the signed data original.

The element names are those of files given out by the tax bureau; no public schema of them was found, so an element
that is not known is kept as it is (`Original.other`) and never refused. Empty elements and missing ones are the same.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from lxml import etree

from duijie.originals.figures import amount, moment, number, rate
from duijie.originals.guard import bare_xml, parse
from duijie.originals.model import BadFile, Fault, Original, Party, Row

ROOT = "EInvoice"
ITEM = "EInvoiceData/IssuItemInformation"
KINDS: dict[str, Literal["special", "normal"]] = {"01": "special", "02": "normal"}
COLOURS: dict[str, Literal["blue", "red"]] = {"Y": "blue", "N": "red"}
DATA = "EInvoiceData/"
BASIC = "EInvoiceData/BasicInformation/"
LABELS = "Header/InherentLabel/"
RED = "EInvoiceData/SpecificInformation/RedEInvoice/"
ITEM_FIELDS = {
    "ItemName",
    "SpecMod",
    "MeaUnits",
    "Quantity",
    "UnPrice",
    "Amount",
    "TaxRate",
    "ComTaxAm",
    "TotaltaxIncludedAmount",
    "TaxClassificationCode",
}
KNOWN = {
    "Header/EIid",
    "TaxSupervisionInfo/InvoiceNumber",
    "TaxSupervisionInfo/IssueTime",
    f"{LABELS}InIssuType/LabelCode",
    f"{LABELS}GeneralOrSpecialVAT/LabelCode",
    *(f"{BASIC}{name}" for name in ("TotalAmWithoutTax", "TotalTaxAm", "TotalTax-includedAmount", "Drawer")),
    f"{BASIC}TotalTax-includedAmountInChinese",
    *(f"{DATA}{side}Information/{side}{name}" for side in ("Seller", "Buyer") for name in ("Name", "IdNum")),
    f"{RED}OriginalInvoiceCode",
    f"{RED}CreditNoteNumber",
    f"{DATA}AdditionalInformation/Remark",
}


def read(data: bytes) -> Original:
    """What an XML file says, bare or alone in a ZIP. Raises BadFile."""
    root = parse(bare_xml(data))
    if root.tag != ROOT:
        raise BadFile("E-FILE-KIND", f"XML 的根元素是 {root.tag}, 不是数电票", f"the root is {root.tag}")
    texts, rows = _texts(root)
    faults = tuple(_twice(texts))
    return Original(
        form="xml",
        number=_first(texts, "TaxSupervisionInfo/InvoiceNumber") or _first(texts, "Header/EIid"),
        net=_amount(texts, "TotalAmWithoutTax"),
        tax=_amount(texts, "TotalTaxAm"),
        gross=_amount(texts, "TotalTax-includedAmount"),
        seller=_party(texts, "Seller"),
        buyer=_party(texts, "Buyer"),
        issued_at=moment(_first(texts, "TaxSupervisionInfo/IssueTime"), "TaxSupervisionInfo/IssueTime"),
        kind=KINDS.get(_first(texts, f"{LABELS}GeneralOrSpecialVAT/LabelCode"), ""),
        colour=COLOURS.get(_first(texts, f"{LABELS}InIssuType/LabelCode"), ""),
        words=_first(texts, f"{BASIC}TotalTax-includedAmountInChinese"),
        rows=tuple(rows),
        remark=_first(texts, f"{DATA}AdditionalInformation/Remark"),
        drawer=_first(texts, f"{BASIC}Drawer"),
        blue_number=_first(texts, f"{RED}OriginalInvoiceCode"),
        form_no=_first(texts, f"{RED}CreditNoteNumber"),
        other={path: "\n".join(found) for path, found in texts.items() if path not in KNOWN},
        faults=faults,
    )


def _texts(root: etree._Element) -> tuple[dict[str, list[str]], list[Row]]:
    """Every text by the path of its element, and the lines."""
    texts: dict[str, list[str]] = {}
    rows: list[Row] = []

    def walk(element: etree._Element, path: str) -> None:
        for child in element:
            if not isinstance(child.tag, str):
                continue
            place = f"{path}{child.tag}"
            if place == ITEM:
                rows.append(_row(child, len(rows) + 1))
                texts.update(_unknown(child, f"{place}[{len(rows)}]/"))
            elif len(child):
                walk(child, f"{place}/")
            elif text := (child.text or "").strip():
                texts.setdefault(place, []).append(text)

    walk(root, "")
    return texts, rows


def _row(item: etree._Element, at: int) -> Row:
    told = {child.tag: (child.text or "").strip() for child in item}
    place = f"第 {at} 行 "
    if len(told) < len(item):
        raise BadFile("E-FILE-FIELD", f"{place}有重复的字段", f"line {at} has a field twice", where=f"line {at}")
    fraction, policy = rate(told.get("TaxRate", ""), f"{place}TaxRate")
    gross = told.get("TotaltaxIncludedAmount", "")
    tax = told.get("ComTaxAm", "")
    return Row(
        name=told.get("ItemName", ""),
        net=amount(told.get("Amount", ""), f"{place}Amount"),
        tax=amount("0" if tax == "***" else tax, f"{place}ComTaxAm"),
        rate=fraction,
        gross=amount(gross, f"{place}TotaltaxIncludedAmount") if gross else None,
        policy=policy,
        tax_class_code=told.get("TaxClassificationCode", ""),
        spec=told.get("SpecMod", ""),
        unit=told.get("MeaUnits", ""),
        qty=number(told.get("Quantity", ""), f"{place}Quantity"),
        price=number(told.get("UnPrice", ""), f"{place}UnPrice"),
    )


def _unknown(item: etree._Element, place: str) -> dict[str, list[str]]:
    """What a line says in elements that are not known."""
    return {
        f"{place}{one.tag}": ["".join(map(str, one.itertext())).strip()] for one in item if one.tag not in ITEM_FIELDS
    }


def _first(texts: dict[str, list[str]], path: str) -> str:
    return texts[path][0] if path in texts else ""


def _amount(texts: dict[str, list[str]], name: str) -> Decimal:
    return amount(_first(texts, f"{BASIC}{name}"), name)


def _party(texts: dict[str, list[str]], side: str) -> Party:
    head = f"{DATA}{side}Information/{side}"
    return Party(_first(texts, f"{head}Name"), _first(texts, f"{head}IdNum"))


def _twice(texts: dict[str, list[str]]) -> list[Fault]:
    """Fields of which there must be one, and the two places of the number."""
    found = [
        Fault("E-FILE-FIELD", path, "1 处", f"{len(texts[path])} 处", "同一字段出现多次, 无法确定以哪个为准")
        for path in KNOWN
        if len(texts.get(path, ())) > 1
    ]
    head, tail = _first(texts, "Header/EIid"), _first(texts, "TaxSupervisionInfo/InvoiceNumber")
    if head and tail and head != tail:
        found.append(Fault("E-NUMBER", "Header/EIid", tail, head, "文件头的号码与监管信息的发票号码不一致"))
    return found
