"""Vouchers of U8: one `voucher` element out, and the same shape back from a query.

All elements of the template go out in its order, empty where there is nothing to say. Amounts are in yuan; an entry in
the local currency has no currency, rate or primary amount.
Source: EAI template Voucher.xml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from lxml import etree

from connectors.u8eai.client import filled
from connectors.u8eai.settings import Settings
from duijie.codec import Record
from duijie.connect.errors import MalformedMessage

HEAD = (
    *("company", "voucher_type", "fiscal_year", "accounting_period", "voucher_id", "attachment_number", "date"),
    *("enter", "cashier", "signature", "checker", "posting_date", "posting_person", "voucher_making_system"),
    *("memo1", "memo2", "reserve1", "reserve2", "revokeflag"),
)
ENTRY = (
    *("entry_id", "account_code", "abstract", "settlement", "document_id", "document_date", "currency", "unit_price"),
    *("exchange_rate1", "exchange_rate2", "debit_quantity", "primary_debit_amount", "secondary_debit_amount"),
    *("natural_debit_currency", "credit_quantity", "primary_credit_amount", "secondary_credit_amount"),
    *("natural_credit_currency", "bill_type", "bill_id", "bill_date"),
)
AUX = ("dept_id", "personnel_id", "cust_id", "supplier_id", "item_class", "item_id", "operator")
ZERO = Decimal(0)


def element_of(payload: Record, key: str, settings: Settings) -> etree._Element:
    """The voucher of a payload under our key. Raises InvalidDocument."""
    head = {**payload["voucher"], "enter": settings.maker}
    head |= {"voucher_making_system": settings.making_system, "reserve2": key}
    voucher = etree.Element("voucher", id=key)
    voucher.append(filled("voucher_head", _in_order(HEAD, head)))
    body = etree.SubElement(voucher, "voucher_body")
    for at, entry in enumerate(payload["entries"], 1):
        body.append(_entry({**entry, "entry_id": at}))
    return voucher


def figures_of(entries: Sequence[Mapping[str, object]]) -> dict[str, Decimal]:
    """Sum of debits and of credits, in yuan."""
    sides = (("debit", "natural_debit_currency"), ("credit", "natural_credit_currency"))
    return {name: sum((Decimal(str(one[side])) for one in entries), ZERO) for name, side in sides}


def record_of(voucher: etree._Element) -> Record:
    """A voucher out of a query: its head, its entries, and their sums. Raises MalformedMessage."""
    head = {str(one.tag): (one.text or "").strip() for one in voucher.iterfind("voucher_head/*")}
    entries = [_read_entry(one) for one in voucher.iterfind("voucher_body/entry")]
    if "reserve2" not in head or not entries:
        raise MalformedMessage(
            "U8 查询到的凭证没有 voucher_head/reserve2 或没有分录; 请核对该版本的 EAI 凭证模板",
            en="a voucher of the answer has no reserve2 or no entry; check the EAI template of this version",
            where="voucher",
        )
    return {"key": head["reserve2"], **figures_of(entries), "head": head, "entries": entries}


def native_id(record: Record) -> str:
    """Where a voucher stands in the ledger: year, period, type and number."""
    return "-".join(record["head"].get(name, "") for name in HEAD[2:4] + HEAD[1:2] + HEAD[4:5])


def _entry(fields: Record) -> etree._Element:
    made = filled("entry", _in_order(ENTRY, fields))
    aux = etree.SubElement(made, "auxiliary_accounting")
    for name in AUX:
        item = filled("item", [])
        item.set("name", name)
        item.text = str(fields.get("aux", {}).get(name, ""))
        aux.append(item)
    detail = etree.SubElement(made, "detail")
    etree.SubElement(detail, "cash_flow_statement")
    etree.SubElement(detail, "code_remark_statement")
    return made


def _in_order(names: Sequence[str], fields: Record) -> list[tuple[str, object]]:
    return [(name, _text(fields.get(name, ""))) for name in names]


def _text(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _read_entry(entry: etree._Element) -> Record:
    made: Record = {str(one.tag): (one.text or "").strip() for one in entry.iterchildren("*") if not len(one)}
    made["aux"] = {str(one.get("name")): one.text for one in entry.iterfind("auxiliary_accounting/item") if one.text}
    for side in ("natural_debit_currency", "natural_credit_currency"):
        made[side] = _amount(made.get(side, ""), side)
    return made


def _amount(text: str, side: str) -> Decimal:
    try:
        return Decimal(text or "0").quantize(Decimal("0.01"))
    except InvalidOperation:
        raise MalformedMessage(
            f"U8 查询到的凭证 {side} “{text}” 不是金额; 请把这一句交给 U8 实施方核对",
            en=f"{side} of a voucher, {text!r}, is no amount",
            where=side,
        ) from None
