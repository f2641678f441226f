"""The receiver's XBRL of a 数电票 (einv), which finance archives with the voucher that booked the invoice.

Names and structure follow 电子凭证会计数据标准 (财会〔2025〕9号). What its taxonomy settles and could not be had
(entry point, entity scheme, words for true and false) are settings: mappings/rules/xbrl.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import yaml
from lxml import etree

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.originals.figures import amount, moment
from duijie.originals.guard import bare_xml, parse
from duijie.originals.model import BadFile, Original, Party

INSTANCE = "http://www.xbrl.org/2003/instance"
LINKBASE = "http://www.xbrl.org/2003/linkbase"
XLINK = "http://www.w3.org/1999/xlink"
ISO4217 = "http://www.xbrl.org/2003/iso4217"
TAXONOMY = "http://xbrl.mof.gov.cn/taxonomy/"
SIDES = {"debit": "借方", "credit": "贷方"}
YES = {"true", "1", "是", "Y"}
CONTEXT = "c1"


class Taxonomy(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is not known of the official taxonomy, as settings."""

    date: str
    entry_point: str
    scheme: str
    true_word: str = "true"
    false_word: str = "false"
    subjects: dict[str, str] = {}

    @property
    def namespace(self) -> str:
        """Of the elements of einv."""
        return f"{TAXONOMY}{self.date}/einv"


@dataclass(frozen=True)
class Entry:
    """One line of the voucher: 借方 or 贷方, the name of its general-ledger subject, yuan."""

    side: str
    subject: str
    amount: Decimal


@dataclass(frozen=True)
class Booked:
    """An invoice and the voucher that booked it. `period` as YYYY-MM, `date` as YYYY-MM-DD."""

    invoice: Original
    entity: Party
    number: str = ""
    date: str = ""
    period: str = ""
    entries: tuple[Entry, ...] = ()


def load_taxonomy(path: Path) -> Taxonomy:
    """Read mappings/rules/xbrl.yaml. Raises ConfigError."""
    try:
        return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Taxonomy)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"规则文件 {path} 有误: {error}", en=f"{path} is wrong: {error}", where=str(path)) from error


def booked(invoice: Record, voucher: Record, number: str, taxonomy: Taxonomy) -> Booked:
    """A purchase invoice with the voucher that booked it; `number` as the ledger has it, such as 记-0001."""
    seller, buyer = (Party(invoice[side]["name"], invoice[side].get("tax_no", "")) for side in ("seller", "buyer"))
    net, tax, gross = (Decimal(invoice[name]) for name in ("net", "tax", "gross"))
    day = str(invoice.get("issued_at", ""))[:10]
    one = Original("xbrl", invoice["number"], net, tax, gross, seller, buyer, day, colour=invoice["colour"])
    period = f"{voucher['period'][:4]}-{voucher['period'][4:]}"
    return Booked(one, buyer, number, voucher["date"], period, tuple(_entries(voucher, taxonomy.subjects)))


def write(one: Booked, taxonomy: Taxonomy) -> bytes:
    """The XBRL instance."""
    names = {"": INSTANCE, "link": LINKBASE, "xlink": XLINK, "iso4217": ISO4217, "einv": taxonomy.namespace}
    root = etree.Element(f"{{{INSTANCE}}}xbrl", nsmap={name or None: space for name, space in names.items()})  # type: ignore[misc]
    schema = etree.SubElement(root, f"{{{LINKBASE}}}schemaRef")
    schema.set(f"{{{XLINK}}}type", "simple")
    schema.set(f"{{{XLINK}}}href", taxonomy.entry_point)
    _context(root, one, taxonomy)
    _facts(root, taxonomy, _texts(one, taxonomy))
    _voucher(root, one, taxonomy)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def read(data: bytes) -> Booked:
    """What a receiver's XBRL says. Raises BadFile."""
    root = parse(bare_xml(data))
    if root.tag != f"{{{INSTANCE}}}xbrl":
        raise BadFile("E-FILE-KIND", f"XML 的根元素是 {root.tag}, 不是 XBRL", f"the root is {root.tag}")
    facts = {etree.QName(one).localname: (one.text or "").strip() for one in _of_taxonomy(root) if not len(one)}
    entries = [
        Entry(
            told["DebitOrCredit"], told["NameOfGeneralLedgerSubject"], amount(told["RecordedAmount"], "RecordedAmount")
        )
        for told in map(_children, root.iter("{*}InformationOfDebitAndCreditEntryTuple"))
    ]
    is_red = facts.get("WhetherEinvoiceIsRedEinvoice", "").casefold() in {word.casefold() for word in YES}
    company = facts.get("UnifiedSocialCreditCodeOfAccountingEntity", "")
    entity = Party(facts.get("NameOfAccountingEntity", ""), company)
    invoice = Original(
        form="xbrl",
        number=facts.get("InvoiceNumber", ""),
        net=_amount(facts, "TotalAmWithoutTax"),
        tax=_amount(facts, "TotalTaxAm"),
        gross=_amount(facts, "TotalTax-includedAmount"),
        seller=Party(facts.get("SellerName", ""), facts.get("SellerIdNum", "")),
        issued_at=moment(facts.get("RequestTime", ""), "RequestTime"),
        colour="red" if is_red else "blue",
    )
    date, period = facts.get("PostingDate", ""), facts.get("AccountingPeriod", "")
    return Booked(invoice, entity, facts.get("NumberOfAccountingDocuments", ""), date, period, tuple(entries))


def _entries(voucher: Record, subjects: Mapping[str, str]) -> Iterator[Entry]:
    for line in voucher["lines"]:
        for side, word in SIDES.items():
            if line[side]:
                yield Entry(word, subjects.get(line["account"], line["account"]), Decimal(line[side]))


def _context(root: etree._Element, one: Booked, taxonomy: Taxonomy) -> None:
    context = etree.SubElement(root, f"{{{INSTANCE}}}context", id=CONTEXT)
    entity = etree.SubElement(context, f"{{{INSTANCE}}}entity")
    etree.SubElement(entity, f"{{{INSTANCE}}}identifier", scheme=taxonomy.scheme).text = one.entity.tax_no
    period = etree.SubElement(context, f"{{{INSTANCE}}}period")
    etree.SubElement(period, f"{{{INSTANCE}}}instant").text = one.date
    unit = etree.SubElement(root, f"{{{INSTANCE}}}unit", id="CNY")
    etree.SubElement(unit, f"{{{INSTANCE}}}measure").text = "iso4217:CNY"


def _texts(one: Booked, taxonomy: Taxonomy) -> dict[str, str | Decimal]:
    invoice = one.invoice
    return {
        "InvoiceNumber": invoice.number,
        "SellerName": invoice.seller.name,
        "SellerIdNum": invoice.seller.tax_no,
        "TotalAmWithoutTax": invoice.net,
        "TotalTaxAm": invoice.tax,
        "TotalTax-includedAmount": invoice.gross,
        "RequestTime": invoice.issued_at[:10],
        "WhetherEinvoiceIsRedEinvoice": taxonomy.true_word if invoice.colour == "red" else taxonomy.false_word,
        "WhetherEinvoiceHasBeenBooked": taxonomy.true_word,
        "NameOfAccountingEntity": one.entity.name,
        "UnifiedSocialCreditCodeOfAccountingEntity": one.entity.tax_no,
    }


def _voucher(root: etree._Element, one: Booked, taxonomy: Taxonomy) -> None:
    place = f"{{{taxonomy.namespace}}}"
    whole = etree.SubElement(root, f"{place}InformationOfAccountingDocumentsTuple")
    head = {"NumberOfAccountingDocuments": one.number, "PostingDate": one.date, "AccountingPeriod": one.period}
    _facts(whole, taxonomy, dict(head))
    for entry in one.entries:
        row = etree.SubElement(whole, f"{place}InformationOfDebitAndCreditEntryTuple")
        told = {"DebitOrCredit": entry.side, "NameOfGeneralLedgerSubject": entry.subject}
        _facts(row, taxonomy, {**told, "RecordedAmount": entry.amount})


def _facts(parent: etree._Element, taxonomy: Taxonomy, values: Mapping[str, str | Decimal]) -> None:
    """One fact each; an amount has its unit and two decimals."""
    for name, value in values.items():
        fact = etree.SubElement(parent, f"{{{taxonomy.namespace}}}{name}", contextRef=CONTEXT)
        fact.text = f"{value:.2f}" if isinstance(value, Decimal) else value
        if isinstance(value, Decimal):
            fact.set("unitRef", "CNY")
            fact.set("decimals", "2")


def _of_taxonomy(root: etree._Element) -> Iterable[etree._Element]:
    return (one for one in root.iter() if isinstance(one.tag, str) and one.tag.startswith(f"{{{TAXONOMY}"))


def _children(element: etree._Element) -> Mapping[str, str]:
    told = {etree.QName(one).localname: (one.text or "").strip() for one in element if isinstance(one.tag, str)}
    for name in ("DebitOrCredit", "NameOfGeneralLedgerSubject", "RecordedAmount"):
        if name not in told:
            raise BadFile("E-FILE-FIELD", f"XBRL 的分录缺少 {name}", f"an entry has no {name}", where=name)
    return told


def _amount(facts: Mapping[str, str], name: str) -> Decimal:
    return amount(facts.get(name, ""), name)
